/* SPDX-License-Identifier: Apache-2.0 */
/* Which tensors of two subgraphs are the same layer: what one graph has been made into differs from
 * it in DEQUANTIZE operators, constants and all indices. */
#ifndef TQI_CALIBRATE_LAYER_MATCH_H
#define TQI_CALIBRATE_LAYER_MATCH_H

#include "tflite/graph.h"

/* Output `slot` of operator `op`. */
typedef struct tqi_layer_place {
    uint32_t op, slot, tensor;
} tqi_layer_place;

typedef struct tqi_layer_pair {
    tqi_layer_place reference, other;
} tqi_layer_pair;

typedef struct tqi_layer_pairs {
    tqi_layer_pair *list; /* in the order of the reference's operators */
    uint32_t count;
    uint32_t unmatched, other_unmatched; /* outputs of operators without a partner */
} tqi_layer_pairs;

/* By name, where no other layer of either has it, if shape and type agree. Between two such pairs
 * (or the ends) the rest by order, if there are as many on both sides and all agree in operator,
 * shape and type; DEQUANTIZE, DENSIFY and QUANTIZE don't count there. What unpacks constants is no
 * layer. All of it lives in `arena`. */
tq_status tqi_match_layers(const tqi_graph *reference, uint32_t subgraph, const tqi_graph *other,
                           uint32_t other_subgraph, tqi_arena *arena, tqi_layer_pairs *pairs,
                           tq_error *error);

#endif
