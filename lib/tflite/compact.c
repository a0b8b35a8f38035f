/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tflite/edit.h"

/* ---- operators ---- */

/* Old operators keep their order; each new one comes before its anchor. */
static tq_status order_operators(tqi_graph *graph, tqi_subgraph *s, tq_error *error) {
    uint32_t n_old = s->n_old;
    uint32_t *start = NULL;
    tqi_operator *ordered = NULL;
    TQI_NEW(graph->arena, &start, (uint64_t)n_old + 2, error);
    TQI_NEW(graph->arena, &ordered, s->n_operators, error);
    /* counting sort by anchor, then the anchor itself */
    for (uint32_t i = n_old; i < s->n_operators; i++)
        start[s->operators[i].before + 1] += 1;
    for (uint32_t i = 0; i < n_old; i++)
        start[i + 1] += !s->operators[i].removed;
    for (uint32_t i = 0; i <= n_old; i++)
        start[i + 1] += start[i];
    for (uint32_t i = n_old; i < s->n_operators; i++)
        ordered[start[s->operators[i].before]++] = s->operators[i];
    for (uint32_t i = 0; i < n_old; i++)
        if (!s->operators[i].removed)
            ordered[start[i]++] = s->operators[i];
    s->n_operators = s->n_old = start[n_old];
    s->operators = ordered;
    return TQ_OK;
}

/* ---- tensors ---- */

static void renumber(const int32_t *map, int32_t *list, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (list[i] >= 0)
            list[i] = map[list[i]];
}

/* The source's indices lead to where those tensors are now. */
static tq_status follow_source(const tqi_graph *graph, tqi_subgraph *s, int32_t *map,
                               tq_error *error) {
    tqi_vector tensors = tqi_get_vector(&graph->view, s->source, TQI_SUBGRAPH_TENSORS);
    if (!s->renumbered) {
        s->renumbered = map;
        return TQ_OK;
    }
    const int32_t *before = s->renumbered;
    TQI_NEW(graph->arena, &s->renumbered, tensors.count, error);
    for (uint32_t i = 0; i < tensors.count; i++)
        s->renumbered[i] = before[i] >= 0 ? map[before[i]] : -1;
    return TQ_OK;
}

static tq_status renumber_tensors(tqi_graph *graph, tqi_subgraph *s, tq_error *error) {
    bool any = false;
    for (uint32_t i = 0; i < s->n_tensors; i++)
        any = any || s->tensors[i].removed;
    if (!any)
        return TQ_OK;
    int32_t *map = NULL;
    TQI_NEW(graph->arena, &map, s->n_tensors, error);
    int32_t n = 0;
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        map[i] = s->tensors[i].removed ? -1 : n;
        if (!s->tensors[i].removed)
            s->tensors[n++] = s->tensors[i];
    }
    for (int32_t i = 0; i < n; i++)
        if (s->tensors[i].quantization && s->tensors[i].quantization->block)
            renumber(map, &s->tensors[i].quantization->scales, 1);
    s->n_tensors = (uint32_t)n;
    TQI_TRY(follow_source(graph, s, map, error));
    renumber(map, s->inputs, s->n_inputs);
    renumber(map, s->outputs, s->n_outputs);
    for (uint32_t i = 0; i < s->n_operators; i++) {
        tqi_operator *op = &s->operators[i];
        renumber(map, op->inputs, op->n_inputs);
        renumber(map, op->outputs, op->n_outputs);
        renumber(map, op->intermediates, op->n_intermediates);
    }
    return TQ_OK;
}

/* ---- operator codes ---- */

static tq_status prune_opcodes(tqi_graph *graph, tq_error *error) {
    uint32_t *map = NULL;
    TQI_NEW(graph->arena, &map, graph->n_opcodes, error);
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        for (uint32_t j = 0; j < graph->subgraphs[i].n_operators; j++)
            map[graph->subgraphs[i].operators[j].opcode] = 1;
    uint32_t n = 0;
    for (uint32_t i = 0; i < graph->n_opcodes; i++) {
        bool used = map[i] != 0;
        map[i] = n;
        /* both code fields are filled in: readers of either kind find theirs */
        if (used && graph->opcodes[i].builtin != TQI_OP_CUSTOM)
            graph->opcodes[i].edited = true;
        if (used)
            graph->opcodes[n++] = graph->opcodes[i];
    }
    graph->n_opcodes = n;
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        for (uint32_t j = 0; j < graph->subgraphs[i].n_operators; j++) {
            tqi_operator *op = &graph->subgraphs[i].operators[j];
            op->opcode = map[op->opcode];
        }
    return TQ_OK;
}

/* ---- buffers ---- */

typedef struct digest {
    uint64_t hash, size;
    uint32_t buffer;
} digest;

static uint64_t mix(uint64_t hash, const uint8_t *at, uint64_t size) {
    for (uint64_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 1099511628211u; /* FNV-1a */
    return hash;
}

enum { PIECE = 64, PIECES = 8, BLOCK = 4096 };

/* `size` bytes of a buffer that is not made here. */
static tq_status look(const tqi_graph *graph, uint32_t buffer, uint64_t at, size_t size,
                      uint8_t *scratch, const uint8_t **bytes, tq_error *error) {
    const tqi_content *content = &graph->buffers[buffer].content;
    if (content->kind == TQI_CONTENT_FILE)
        return tqi_source_fetch(graph->source, content->offset + at, size, scratch, bytes, error);
    *bytes = (const uint8_t *)content->memory + at;
    return TQ_OK;
}

/* Samples of a long buffer: enough to tell weights apart without reading them all. */
static tq_status sample(const tqi_graph *graph, uint32_t buffer, uint64_t *hash, tq_error *error) {
    uint64_t size = graph->buffers[buffer].content.size;
    uint8_t scratch[PIECE * PIECES];
    const uint8_t *at;
    *hash = 14695981039346656037u;
    if (size <= sizeof scratch) {
        TQI_TRY(look(graph, buffer, 0, (size_t)size, scratch, &at, error));
        *hash = mix(*hash, at, size);
        return TQ_OK;
    }
    for (uint64_t i = 0; i < PIECES; i++) {
        uint64_t place = (size - PIECE) / (PIECES - 1) * i;
        TQI_TRY(look(graph, buffer, place, PIECE, scratch, &at, error));
        *hash = mix(*hash, at, PIECE);
    }
    return TQ_OK;
}

/* `budget`: bytes that may be compared. */
static tq_status equal(const tqi_graph *graph, uint32_t a, uint32_t b, uint64_t *budget, bool *same,
                       tq_error *error) {
    uint64_t size = graph->buffers[a].content.size;
    uint8_t scratch[2][BLOCK];
    *same = *budget >= size;
    for (uint64_t done = 0; done < size && *same; done += BLOCK) {
        size_t n = (size_t)(size - done < BLOCK ? size - done : BLOCK);
        const uint8_t *x, *y;
        *budget -= n;
        TQI_TRY(look(graph, a, done, n, scratch[0], &x, error));
        TQI_TRY(look(graph, b, done, n, scratch[1], &y, error));
        *same = memcmp(x, y, n) == 0;
    }
    return TQ_OK;
}

static int by_digest(const void *a, const void *b) {
    const digest *l = a, *r = b;
    if (l->size != r->size)
        return l->size < r->size ? -1 : 1;
    if (l->hash != r->hash)
        return l->hash < r->hash ? -1 : 1;
    return (l->buffer > r->buffer) - (l->buffer < r->buffer);
}

tq_status tqi_equal_buffers(const tqi_graph *graph, uint32_t *same, tq_error *error) {
    digest *digests = NULL;
    TQI_NEW(graph->arena, &digests, graph->n_buffers, error);
    uint32_t n = 0;
    /* Enough for real models, whose samples tell; files made to be alike in them stay as they are.
     */
    uint64_t budget = 0;
    for (uint32_t i = 0; i < graph->n_buffers; i++) {
        const tqi_content *content = &graph->buffers[i].content;
        same[i] = i;
        if (content->size == 0 || content->kind == TQI_CONTENT_PRODUCED)
            continue;
        digests[n] = (digest){0, content->size, i};
        budget += 8 * content->size;
        TQI_TRY(sample(graph, i, &digests[n++].hash, error));
    }
    if (n > 0)
        qsort(digests, n, sizeof *digests, by_digest);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t buffer = digests[i].buffer;
        if (same[buffer] != buffer)
            continue;
        for (uint32_t j = i + 1;
             j < n && digests[j].hash == digests[i].hash && digests[j].size == digests[i].size;
             j++) {
            uint32_t other = digests[j].buffer;
            bool match = false;
            if (same[other] == other)
                TQI_TRY(equal(graph, buffer, other, &budget, &match, error));
            if (match)
                same[other] = buffer;
        }
    }
    return TQ_OK;
}

static tq_status legacy_metadata(tqi_graph *graph, bool *used, tq_error *error) {
    tqi_vector list = tqi_get_vector(&graph->view, graph->root, TQI_MODEL_METADATA_BUFFER);
    const int32_t *before = graph->legacy_metadata; /* of an earlier round of edits */
    if (list.count == 0)
        return TQ_OK;
    TQI_NEW(graph->arena, &graph->legacy_metadata, list.count, error);
    graph->n_legacy_metadata = list.count;
    for (uint32_t i = 0; i < list.count; i++) {
        int32_t buffer = before ? before[i] : tqi_load_i32(graph->view.data + list.at + 4 * i);
        graph->legacy_metadata[i] = buffer;
        if (buffer >= 0 && (uint32_t)buffer < graph->n_buffers)
            used[buffer] = true;
    }
    return TQ_OK;
}

/* Metadata keeps buffers of its own: tools change it in place. */
static tq_status prune_buffers(tqi_graph *graph, tq_error *error) {
    uint32_t *same = NULL, *map = NULL;
    bool *used = NULL;
    TQI_NEW(graph->arena, &same, graph->n_buffers, error);
    TQI_NEW(graph->arena, &map, graph->n_buffers, error);
    TQI_NEW(graph->arena, &used, graph->n_buffers, error);
    TQI_TRY(tqi_equal_buffers(graph, same, error));
    TQI_TRY(legacy_metadata(graph, used, error));
    for (uint32_t i = 0; i < graph->n_metadata; i++)
        used[graph->metadata[i].buffer] = true;
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        for (uint32_t j = 0; j < graph->subgraphs[i].n_tensors; j++) {
            tqi_tensor *tensor = &graph->subgraphs[i].tensors[j];
            const tqi_buffer *buffer = &graph->buffers[tensor->buffer];
            if (buffer->content.size > 0)
                tensor->buffer = same[tensor->buffer];
            else if (!buffer->has_data && graph->buffers[0].content.size == 0)
                tensor->buffer = 0; /* "no data", by convention */
            used[tensor->buffer] = true;
        }
    bool keep_numbers = graph->keep_buffer_numbers;
    uint32_t n = 0;
    for (uint32_t i = 0; i < graph->n_buffers; i++) {
        map[i] = n;
        if (keep_numbers && !used[i] && !graph->buffers[i].unreferenced)
            graph->buffers[i] = (tqi_buffer){0};
        if (i == 0 || used[i] || keep_numbers)
            graph->buffers[n++] = graph->buffers[i];
    }
    uint32_t n_before = graph->n_buffers;
    graph->n_buffers = n;
    for (uint32_t i = 0; i < graph->n_metadata; i++)
        graph->metadata[i].buffer = map[graph->metadata[i].buffer];
    for (uint32_t i = 0; i < graph->n_legacy_metadata; i++) {
        int32_t *entry = &graph->legacy_metadata[i];
        if (*entry >= 0 && (uint32_t)*entry < n_before)
            *entry = (int32_t)map[*entry];
    }
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        for (uint32_t j = 0; j < graph->subgraphs[i].n_tensors; j++) {
            tqi_tensor *tensor = &graph->subgraphs[i].tensors[j];
            tensor->buffer = map[tensor->buffer];
        }
    return TQ_OK;
}

tq_status tqi_graph_compact(tqi_graph *graph, tq_error *error) {
    for (uint32_t i = 0; i < graph->n_subgraphs; i++) {
        TQI_TRY(order_operators(graph, &graph->subgraphs[i], error));
        TQI_TRY(renumber_tensors(graph, &graph->subgraphs[i], error));
    }
    TQI_TRY(prune_opcodes(graph, error));
    return prune_buffers(graph, error);
}
