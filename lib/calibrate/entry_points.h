/* SPDX-License-Identifier: Apache-2.0 */
/* The subgraphs that callers can run, in two models that should have the same ones. */
#ifndef TQI_CALIBRATE_ENTRY_POINTS_H
#define TQI_CALIBRATE_ENTRY_POINTS_H

#include "tflite/graph.h"

typedef struct tqi_entry_point {
    uint32_t subgraph, other_subgraph;
} tqi_entry_point;

/* Those of signatures, each subgraph once, or the first subgraph where there are none; `signature`
 * not NULL: only that one. TQ_ERR_INVALID_ARGUMENT: there is none, or inputs and outputs are not
 * the same in number, or inputs in type and shape. */
tq_status tqi_find_entry_points(const tqi_graph *reference, const tqi_graph *other,
                                const char *signature, tqi_arena *arena, tqi_entry_point **list,
                                uint32_t *count, tq_error *error);

/* TQ_ERR_INVALID_ARGUMENT: `what` is "input" or "output". */
tq_status tqi_differs(const tqi_graph *reference, uint32_t subgraph, int32_t tensor,
                      const char *what, uint32_t index, tq_error *error);

#endif
