/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dynamic range ("hybrid") operators: weights are stored as int8 or less, activations are
 * float32, and the runtime rounds these to int8 just before it multiplies. Here a
 * copy of an activation is made that has been through that, x' = (q - zero point) * scale.
 *
 * As LiteRT 2.3 does it by default: CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED and BATCH_MATMUL by
 * XNNPACK's formula, DEPTHWISE_CONV_2D (and CONV_2D with weights below 8 bits) by that of the
 * built-in kernels. Both are asymmetric, with 0 in range; convolutions have a scale for each
 * image, the others for each row.
 */
#ifndef TQI_EXECUTE_HYBRID_H
#define TQI_EXECUTE_HYBRID_H

#include "execute/operators.h"

/* Which input is rounded, and how. */
typedef struct tqi_hybrid {
    int32_t builtin;
    int32_t weights_type; /* TQI_TYPE_INT8, _INT4 or _INT2 */
    uint64_t depth;       /* of a row, for FULLY_CONNECTED; others: not read */
    bool turned;          /* BATCH_MATMUL whose left matrices are transposed (adj_x) */
} tqi_hybrid;

/* Inputs of the operator: which one is rounded, which one holds weights. false: the runtime has no
 * such operator, nothing is rounded. */
bool tqi_hybrid_places(int32_t builtin, uint32_t *activation, uint32_t *weights);

/* Makes *output, to be freed by tqi_value_free(), of the shape of the FLOAT32 input. An input whose
 * shape is none for the operator is copied as it is. */
tq_status tqi_hybrid_input(const tqi_hybrid *how, const tqi_value *input,
                           const tqi_kernels *kernels, tqi_heap *heap, tqi_value *output,
                           tq_error *error);

/* Whether an operator of the file is such a one: it reads constant weights of int8, int4 or int2
 * themselves, with float32 activations. Fills *how except for what depends on shapes. */
bool tqi_is_hybrid(const tqi_graph *graph, const tqi_subgraph *subgraph, const tqi_operator *op,
                   tqi_hybrid *how);

/* Runs an operator; one that is hybrid by the file, on the rounded activation. */
tq_status tqi_run_as_stored(tqi_run_operator *run, const tqi_call *call, tq_error *error);

#endif
