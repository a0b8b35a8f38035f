/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime accepts of each operator with weights: one line per operator. Read from and
 * tried on LiteRT 2.3 (August 2026). */
#ifndef TQI_TFLITE_OP_FACTS_H
#define TQI_TFLITE_OP_FACTS_H

#include "tflite/graph.h"

typedef enum tqi_role {
    TQI_ROLE_OTHER,
    TQI_ROLE_WEIGHT, /* can be quantized per channel */
    TQI_ROLE_BIAS,
} tqi_role;

tqi_role tqi_input_role(int32_t builtin, uint32_t input);

/* Which of its inputs is its bias; -1: it has none. */
int32_t tqi_bias_input(const tqi_graph *graph, const tqi_operator *op);
/* ActivationFunctionType that the operator applies; 0: none, also of operators that are not listed.
 */
int32_t tqi_fused_activation(const tqi_graph *graph, const tqi_operator *op);

/* Dimension of a weight that has one scale per index, or -1 where there is none. */
int32_t tqi_channel_dim(const tqi_graph *graph, const tqi_subgraph *subgraph,
                        const tqi_operator *op, uint32_t input);

/* true: the operator runs with float32 activations and int8 per-channel weights there. */
bool tqi_runs_hybrid(const tqi_graph *graph, const tqi_subgraph *subgraph, const tqi_operator *op);
/* The operator version that this needs. */
int32_t tqi_hybrid_version(const tqi_graph *graph, const tqi_subgraph *subgraph,
                           const tqi_operator *op);

/* true: it runs there with float32 activations and int4 weights that have a scale for each `block`
 * of them along the last dimension, with XNNPACK and without. */
bool tqi_runs_int4_blocks(const tqi_graph *graph, const tqi_subgraph *subgraph,
                          const tqi_operator *op, uint32_t block);
int32_t tqi_int4_blocks_version(const tqi_graph *graph, const tqi_operator *op);

enum { TQI_DEQUANTIZE_FLOAT16_VERSION = 3, TQI_DEQUANTIZE_CHANNEL_VERSION = 5 };

#endif
