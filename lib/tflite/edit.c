/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite/edit.h"

#include <string.h>

/* Duplicates an array with room for `extra` more. */
static tq_status copy_array(tqi_arena *arena, const void *from, uint64_t count, uint64_t extra,
                            size_t size, void *out, tq_error *error) {
    void *copy = NULL;
    TQI_TRY(tqi_arena_alloc(arena, count + extra, size, &copy, error));
    if (count > 0)
        memcpy(copy, from, (size_t)count * size);
    memcpy(out, &copy, sizeof copy);
    return TQ_OK;
}

static tq_status copy_list(tqi_arena *arena, int32_t **list, uint32_t count, tq_error *error) {
    return copy_array(arena, *list, count, 0, sizeof **list, list, error);
}

tq_status tqi_graph_clone(tqi_graph *copy, const tqi_graph *graph, tqi_arena *arena,
                          tq_error *error) {
    *copy = *graph;
    copy->arena = arena;
    copy->edited = true;
    copy->opcode_capacity = graph->n_opcodes + 8;
    copy->buffer_capacity = graph->n_buffers + 64;
    TQI_TRY(copy_array(arena, graph->opcodes, graph->n_opcodes, 8, sizeof *copy->opcodes,
                       &copy->opcodes, error));
    TQI_TRY(copy_array(arena, graph->buffers, graph->n_buffers, 64, sizeof *copy->buffers,
                       &copy->buffers, error));
    TQI_TRY(copy_array(arena, graph->metadata, graph->n_metadata, 0, sizeof *copy->metadata,
                       &copy->metadata, error));
    TQI_TRY(copy_array(arena, graph->subgraphs, graph->n_subgraphs, 0, sizeof *copy->subgraphs,
                       &copy->subgraphs, error));
    for (uint32_t i = 0; i < graph->n_subgraphs; i++) {
        tqi_subgraph *s = &copy->subgraphs[i];
        TQI_TRY(
            copy_array(arena, s->tensors, s->n_tensors, 0, sizeof *s->tensors, &s->tensors, error));
        TQI_TRY(copy_array(arena, s->operators, s->n_operators, 0, sizeof *s->operators,
                           &s->operators, error));
        TQI_TRY(copy_list(arena, &s->inputs, s->n_inputs, error));
        TQI_TRY(copy_list(arena, &s->outputs, s->n_outputs, error));
        s->tensor_capacity = s->n_tensors;
        s->operator_capacity = s->n_old = s->n_operators;
        for (uint32_t j = 0; j < s->n_operators; j++) {
            tqi_operator *op = &s->operators[j];
            op->origin = j;
            TQI_TRY(copy_list(arena, &op->inputs, op->n_inputs, error));
            TQI_TRY(copy_list(arena, &op->outputs, op->n_outputs, error));
            TQI_TRY(copy_list(arena, &op->intermediates, op->n_intermediates, error));
        }
    }
    return TQ_OK;
}

/* Room for one more element; *array is a pointer to the first. */
static tq_status make_room(tqi_arena *arena, void *array, uint32_t count, uint32_t *capacity,
                           size_t size, tq_error *error) {
    if (count < *capacity)
        return TQ_OK;
    void *old;
    memcpy(&old, array, sizeof old);
    uint32_t extra = count + 16;
    TQI_TRY(copy_array(arena, old, count, extra, size, array, error));
    *capacity = count + extra;
    return TQ_OK;
}

tq_status tqi_add_tensor(tqi_graph *graph, uint32_t subgraph, const tqi_tensor *tensor,
                         int32_t *index, tq_error *error) {
    tqi_subgraph *s = &graph->subgraphs[subgraph];
    TQI_TRY(make_room(graph->arena, &s->tensors, s->n_tensors, &s->tensor_capacity,
                      sizeof *s->tensors, error));
    *index = (int32_t)s->n_tensors;
    s->tensors[s->n_tensors++] = *tensor;
    return TQ_OK;
}

tq_status tqi_add_buffer(tqi_graph *graph, const tqi_content *content, uint32_t *index,
                         tq_error *error) {
    TQI_TRY(make_room(graph->arena, &graph->buffers, graph->n_buffers, &graph->buffer_capacity,
                      sizeof *graph->buffers, error));
    *index = graph->n_buffers;
    graph->buffers[graph->n_buffers++] = (tqi_buffer){.content = *content, .has_data = true};
    return TQ_OK;
}

static tq_status find_opcode(tqi_graph *graph, int32_t builtin, int32_t version, uint32_t *index,
                             tq_error *error) {
    for (uint32_t i = 0; i < graph->n_opcodes; i++) {
        if (graph->opcodes[i].builtin == builtin && graph->opcodes[i].version == version) {
            *index = i;
            return TQ_OK;
        }
    }
    TQI_TRY(make_room(graph->arena, &graph->opcodes, graph->n_opcodes, &graph->opcode_capacity,
                      sizeof *graph->opcodes, error));
    *index = graph->n_opcodes;
    graph->opcodes[graph->n_opcodes++] = (tqi_opcode){0, builtin, version, "", true};
    return TQ_OK;
}

tq_status tqi_raise_version(tqi_graph *graph, tqi_operator *op, int32_t version, tq_error *error) {
    const tqi_opcode *code = &graph->opcodes[op->opcode];
    if (code->version >= version)
        return TQ_OK;
    return find_opcode(graph, code->builtin, version, &op->opcode, error);
}

tq_status tqi_insert_operator(tqi_graph *graph, uint32_t subgraph, const tqi_new_operator *op,
                              uint32_t *index, tq_error *error) {
    tqi_subgraph *s = &graph->subgraphs[subgraph];
    tqi_operator made = {.n_inputs = op->n_inputs,
                         .n_outputs = 1,
                         .before = op->before,
                         .origin = op->origin,
                         .options_type = op->options_type,
                         .new_shape = op->new_shape,
                         .n_new_shape = op->n_new_shape};
    int32_t *ends = NULL;
    TQI_NEW(graph->arena, &ends, (uint64_t)op->n_inputs + 1, error);
    ends[0] = op->output;
    memcpy(ends + 1, op->inputs, op->n_inputs * sizeof *ends);
    made.outputs = ends;
    made.inputs = ends + 1;
    TQI_TRY(find_opcode(graph, op->builtin, op->version, &made.opcode, error));
    TQI_TRY(make_room(graph->arena, &s->operators, s->n_operators, &s->operator_capacity,
                      sizeof *s->operators, error));
    *index = s->n_operators;
    s->operators[s->n_operators++] = made;
    return TQ_OK;
}

tq_status tqi_add_operator(tqi_graph *graph, uint32_t subgraph, int32_t builtin, int32_t version,
                           uint32_t before, int32_t input, int32_t output, tq_error *error) {
    const tqi_new_operator op = {.builtin = builtin,
                                 .version = version,
                                 .before = before,
                                 .origin = before,
                                 .inputs = &input,
                                 .n_inputs = 1,
                                 .output = output};
    uint32_t index;
    return tqi_insert_operator(graph, subgraph, &op, &index, error);
}
