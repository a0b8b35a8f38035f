/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a plan's int8 constants become float16 after all, for the outputs' sake. */
#ifndef TQI_QUANTIZE_POLICY_H
#define TQI_QUANTIZE_POLICY_H

#include "quantize/layer.h"

/* A constant that is int8 in the plan, alone or with others that have the same weights. */
typedef struct tqi_item {
    uint32_t constant;
    double error;        /* of the outputs, were it alone int8: noise over signal; NaN: not known */
    double weight_error; /* noise over signal of the weights themselves, a substitute */
} tqi_item;

typedef struct tqi_policy {
    const tqi_graph *graph;
    tqi_plan *plan;
    double float_budget; /* share of the file with all int8 */
    tqi_heap *heap;
} tqi_policy;

/* Changes the plan's decisions. */
tq_status tqi_policy_islands(const tqi_policy *policy, tqi_item *items, uint32_t n,
                             tq_error *error);

#endif
