/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_reader.h"

#include <string.h>

#include "base/error.h"

void reader_open(reader *r, bytes model) {
    tq_error error = TQ_ERROR_INIT;
    tqi_heap_init(&r->heap, NULL, 0);
    tqi_source_memory(&r->source, model.data, model.size);
    tqi_arena_init(&r->arena, &r->heap);
    assert_ok(tqi_graph_load(&r->graph, &r->source, &r->arena, &error), &error);
}

void reader_close(reader *r) {
    tqi_arena_free(&r->arena);
}

int32_t reader_find(const reader *r, uint32_t subgraph, const char *name) {
    assert_true(subgraph < r->graph.n_subgraphs);
    const tqi_subgraph *s = &r->graph.subgraphs[subgraph];
    for (uint32_t i = 0; i < s->n_tensors; i++)
        if (strcmp(s->tensors[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

const tqi_tensor *reader_tensor(const reader *r, uint32_t subgraph, const char *name) {
    int32_t index = reader_find(r, subgraph, name);
    if (index < 0)
        fail_msg("no tensor '%s'", name);
    return &r->graph.subgraphs[subgraph].tensors[index];
}

bytes reader_data(const reader *r, const tqi_tensor *tensor) {
    const tqi_content *content = tqi_tensor_content(&r->graph, tensor);
    if (content->kind == TQI_CONTENT_NONE)
        return (bytes){NULL, 0};
    /* only for comparing */
    return (bytes){(uint8_t *)(uintptr_t)r->source.data + content->offset, (size_t)content->size};
}

const uint8_t *reader_scales(const reader *r, const tqi_tensor *tensor, uint32_t *count) {
    *count = 0;
    if (!tensor->old_quantization)
        return NULL;
    tqi_vector scale = tqi_get_vector(&r->graph.view, tensor->old_quantization, TQI_QUANT_SCALE);
    *count = scale.count;
    return r->graph.view.data + scale.at;
}

int32_t reader_builtin(const reader *r, uint32_t subgraph, uint32_t op) {
    return tqi_builtin(&r->graph, &r->graph.subgraphs[subgraph].operators[op]);
}
