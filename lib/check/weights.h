/* SPDX-License-Identifier: Apache-2.0 */
/* How large the float weights of a model are, channel by channel. */
#ifndef TQI_CHECK_WEIGHTS_H
#define TQI_CHECK_WEIGHTS_H

#include "check/check.h"

/* A weight constant, plain or float16 behind DEQUANTIZE; a buffer counts once. */
typedef struct tqi_weight {
    uint32_t subgraph, op, input; /* the first operator that reads it */
    uint32_t channels;            /* 1 where there is no channel dimension */
    uint64_t depth;               /* values of a channel */
    uint64_t not_finite;          /* values */
    float *largest;               /* magnitude, by channel */
} tqi_weight;

typedef struct tqi_weights {
    tqi_weight *list;
    uint32_t count;
} tqi_weights;

/* Reads all weights at the first call. */
tq_status tqi_find_weights(tqi_check *check, const tqi_weights **weights, tq_error *error);

/* The place of a weight, for a finding. */
tqi_place tqi_weight_place(const tqi_check *check, const tqi_weight *weight);
const tqi_operator *tqi_weight_op(const tqi_check *check, const tqi_weight *weight);

/* The tensor of FLOAT32 or FLOAT16 that holds the constant which an operator reads, be it through a
 * DEQUANTIZE; NULL: there is none whose values can be read. */
const tqi_tensor *tqi_stored_floats(const tqi_check *check, const tqi_at *at, uint32_t input);
/* Exact for every half. */
float tqi_half_value(uint16_t bits);

#endif
