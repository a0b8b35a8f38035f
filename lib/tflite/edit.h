/* SPDX-License-Identifier: Apache-2.0 */
/* Edits of a graph. They are made to a clone; afterwards tqi_graph_compact() takes out what
 * was removed and renumbers. Until then indices stay valid. */
#ifndef TQI_TFLITE_EDIT_H
#define TQI_TFLITE_EDIT_H

#include "tflite/graph.h"

/* `copy` lives in `arena` and borrows from the source's graph. */
tq_status tqi_graph_clone(tqi_graph *copy, const tqi_graph *graph, tqi_arena *arena,
                          tq_error *error);

/* Pointers to tensors of the subgraph are invalid afterwards. */
tq_status tqi_add_tensor(tqi_graph *graph, uint32_t subgraph, const tqi_tensor *tensor,
                         int32_t *index, tq_error *error);
/* Runs before operator `before`. Pointers to operators of the subgraph are invalid afterwards. */
tq_status tqi_add_operator(tqi_graph *graph, uint32_t subgraph, int32_t builtin, int32_t version,
                           uint32_t before, int32_t input, int32_t output, tq_error *error);
/* One with any inputs, one output, and options. */
typedef struct tqi_new_operator {
    int32_t builtin, version;
    uint32_t before; /* an operator that was there when the graph was cloned */
    uint32_t origin;
    const int32_t *inputs; /* copied */
    uint32_t n_inputs;
    int32_t output;
    uint8_t options_type;     /* as in tqi_operator */
    const int32_t *new_shape; /* borrowed */
    uint32_t n_new_shape;
} tqi_new_operator;
tq_status tqi_insert_operator(tqi_graph *graph, uint32_t subgraph, const tqi_new_operator *op,
                              uint32_t *index, tq_error *error);
tq_status tqi_add_buffer(tqi_graph *graph, const tqi_content *content, uint32_t *index,
                         tq_error *error);
/* The operator's code gets at least this version; other operators keep theirs. */
tq_status tqi_raise_version(tqi_graph *graph, tqi_operator *op, int32_t version, tq_error *error);

/* Removed operators and tensors go, new operators take their places, operator codes and buffers
 * that nothing uses go, and equal buffers of tensors become one. */
tq_status tqi_graph_compact(tqi_graph *graph, tq_error *error);

/* same[i]: the first buffer with the contents of buffer i. */
tq_status tqi_equal_buffers(const tqi_graph *graph, uint32_t *same, tq_error *error);

#endif
