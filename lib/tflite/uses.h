/* SPDX-License-Identifier: Apache-2.0 */
/* Who makes and who reads each tensor of a subgraph. */
#ifndef TQI_TFLITE_USES_H
#define TQI_TFLITE_USES_H

#include "tflite/graph.h"

typedef struct tqi_use {
    uint32_t op;
    uint32_t input; /* which of its inputs */
} tqi_use;

typedef struct tqi_uses {
    int32_t *producer; /* by tensor: operator, or -1 */
    uint32_t *first;   /* uses of tensor t: list[first[t]] up to list[first[t + 1]] */
    tqi_use *list;     /* in the order of operators */
    bool *boundary;    /* an input or output of the subgraph, or named by a signature or by
                         another tensor's quantization */
} tqi_uses;

tq_status tqi_find_uses(const tqi_graph *graph, uint32_t subgraph, tqi_arena *arena, tqi_uses *uses,
                        tq_error *error);

static inline uint32_t tqi_use_count(const tqi_uses *uses, uint32_t tensor) {
    return uses->first[tensor + 1] - uses->first[tensor];
}

#endif
