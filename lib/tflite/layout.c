/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite/layout.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "tflite/appended_zip.h"
#include "tflite/dispatch.h"

enum {
    ALIGNMENT = 16,      /* force_align of Buffer.data */
    PAGE = 4096,         /* what byte code stays aligned to when it moves */
    OUTSIDE_FROM = 1024, /* smaller buffers stay inline in a file that is too large */
};

/* Offsets in a flatbuffer have 31 bits. */
#define FLATBUFFER_LIMIT ((uint64_t)INT32_MAX - 64)

/* Behind the tables: at most all of the pool, and the inline buffers. */
static uint64_t inline_size(const tqi_layout *layout) {
    const tqi_head *head = &layout->head;
    const tqi_emitter *out = &head->emitter;
    uint64_t at = (uint64_t)out->out.size + out->pool.size + 8 * (uint64_t)out->pieces.size;
    for (uint32_t i = 0; i < head->graph->n_buffers; i++) {
        uint64_t size = head->graph->buffers[i].content.size;
        if (size > 0 && !head->outside[i])
            at = tqi_align_up(at + 4, ALIGNMENT) + size;
    }
    return at;
}

static tq_status make_head(tqi_layout *layout, const tqi_graph *graph, tqi_heap *heap,
                           tq_error *error) {
    bool *outside = NULL;
    TQI_NEW(&layout->arena, &outside, graph->n_buffers, error);
    if (!graph->edited)
        for (uint32_t i = 0; i < graph->n_buffers; i++)
            outside[i] = graph->buffers[i].was_outside;
    TQI_TRY(tqi_head_make(&layout->head, graph, outside, heap, &layout->arena, error));
    if (inline_size(layout) <= FLATBUFFER_LIMIT)
        return TQ_OK;
    tqi_emit_end(&layout->head.emitter);
    for (uint32_t i = 0; i < graph->n_buffers; i++)
        outside[i] = graph->buffers[i].content.size >= OUTSIDE_FROM;
    TQI_TRY(tqi_head_make(&layout->head, graph, outside, heap, &layout->arena, error));
    if (inline_size(layout) > FLATBUFFER_LIMIT)
        return tqi_fail(error, TQ_ERR_TOO_LARGE, "the flatbuffer would be larger than 2 GiB");
    return TQ_OK;
}

static void add_segment(tqi_layout *layout, uint64_t offset, bool counted,
                        const tqi_content *content) {
    layout->segments[layout->n_segments++] = (tqi_segment){offset, counted, content};
    layout->size = offset + content->size;
}

/* Between inline buffers there are 12 bytes or so of padding: short strings and shapes go there.
 * The gaps are known before the size of the head is: it ends at the same place within
 * 16 bytes as if its first buffer came next. */
static tq_status fill_gaps(tqi_layout *layout, tq_error *error) {
    enum { COUNT = 4 };
    const tqi_head *head = &layout->head;
    uint32_t n = head->graph->n_buffers;
    TQI_NEW(&layout->arena, &layout->fillings, n, error);
    while (n > 0 && (head->outside[n - 1] || head->graph->buffers[n - 1].content.size == 0))
        n--;
    if (n > 0)
        n--; /* the last buffer ends the file, or nearly */
    for (uint32_t i = 0; i < n; i++) {
        uint64_t size = head->graph->buffers[i].content.size;
        if (size == 0 || head->outside[i])
            continue;
        uint64_t gap = tqi_align_up(size + COUNT, ALIGNMENT) - COUNT - tqi_align_up(size, 4);
        tqi_piece *piece = tqi_emit_fitting(&layout->head.emitter, (uint32_t)gap);
        layout->fillings[i].piece = piece;
        if (piece)
            piece->at = UINT32_MAX; /* taken; its place is known later */
    }
    return TQ_OK;
}

static void place_filling(tqi_layout *layout, uint32_t buffer) {
    tqi_filling *filling = &layout->fillings[buffer];
    if (!filling->piece)
        return;
    uint64_t at = tqi_align_up(layout->size, 4);
    filling->piece->at = (uint32_t)at;
    filling->content =
        (tqi_content){.kind = TQI_CONTENT_MEMORY,
                      .size = filling->piece->size,
                      .memory = layout->head.emitter.pool.bytes + filling->piece->begin};
    add_segment(layout, at, false, &filling->content);
}

static void place_inline(tqi_layout *layout) {
    const tqi_head *head = &layout->head;
    for (uint32_t i = 0; i < head->graph->n_buffers; i++) {
        const tqi_content *content = &head->graph->buffers[i].content;
        if (content->size == 0 || head->outside[i])
            continue;
        uint32_t slot = head->data_slot[i];
        uint64_t at = tqi_align_up(layout->size + 4, ALIGNMENT);
        tqi_store_u32(head->emitter.out.bytes + slot, (uint32_t)(at - 4 - slot));
        add_segment(layout, at, true, content);
        place_filling(layout, i);
    }
}

static void place_outside(tqi_layout *layout) {
    const tqi_head *head = &layout->head;
    bool any = false;
    for (uint32_t i = 0; i < head->graph->n_buffers; i++) {
        if (!head->outside[i])
            continue;
        uint64_t at = tqi_align_up(layout->size, ALIGNMENT);
        tqi_store_u64(head->emitter.out.bytes + head->data_slot[i], at);
        add_segment(layout, at, false, &head->graph->buffers[i].content);
        any = true;
    }
    if (any)
        layout->size += TQI_MAX_END_PADDING; /* XNNPACK reads a little further */
}

static void place_options(tqi_layout *layout) {
    const tqi_head *head = &layout->head;
    for (uint32_t i = 0; i < head->n_operators; i++) {
        const tqi_operator_slots *slots = &head->operators[i];
        if (!slots->large_options)
            continue;
        uint64_t at = tqi_align_up(layout->size, ALIGNMENT);
        tqi_store_u64(head->emitter.out.bytes + slots->large_options, at);
        add_segment(layout, at, false, &slots->options);
    }
}

/* ---- what no table refers to ---- */

/* A custom operator other than those that tqi_dispatch_find() understands might hold places
 * in the file, which then must not change. */
static bool may_move(const tqi_graph *graph) {
    for (uint32_t i = 0; i < graph->n_tails; i++) {
        if (graph->tails[i].is_zip)
            continue;
        for (uint32_t s = 0; s < graph->n_subgraphs; s++) {
            const tqi_subgraph *subgraph = &graph->subgraphs[s];
            for (uint32_t j = 0; j < subgraph->n_operators; j++) {
                tqi_dispatch dispatch;
                if (tqi_builtin(graph, &subgraph->operators[j]) == TQI_OP_CUSTOM &&
                    !tqi_dispatch_find(graph, &subgraph->operators[j], &dispatch))
                    return false;
            }
        }
    }
    return true;
}

static tq_status add_tail(tqi_layout *layout, const tqi_tail *tail, uint64_t at, tq_error *error) {
    tqi_content *contents = NULL;
    uint32_t n = 1;
    TQI_NEW(&layout->arena, &contents, TQI_APPENDED_ZIP_PIECES, error);
    contents[0] = (tqi_content){TQI_CONTENT_FILE, tail->size, tail->offset, NULL, NULL};
    if (tail->zip)
        TQI_TRY(tqi_appended_zip_move(tail->zip, at, &layout->arena, contents, &n, error));
    for (uint32_t i = 0; i < n; i++) {
        add_segment(layout, at, false, &contents[i]);
        at += contents[i].size;
    }
    return TQ_OK;
}

static tq_status place_tails(tqi_layout *layout, tq_error *error) {
    const tqi_graph *graph = layout->head.graph;
    if (graph->n_tails == 0)
        return TQ_OK;
    uint64_t first = graph->tails[0].offset;
    bool movable = may_move(graph);
    /* where it was, if that costs little */
    bool stay = layout->size <= first && (!movable || first - layout->size <= PAGE);
    if (!stay && !movable)
        return tqi_fail_at(error, TQ_ERR_UNSUPPORTED, first,
                           "the bytes behind the flatbuffer would have to move, and a custom "
                           "operator might refer to them by place");
    for (uint32_t i = 0; i < graph->n_tails; i++) {
        const tqi_tail *tail = &graph->tails[i];
        uint64_t at = tail->offset;
        if (!stay && tail->is_zip) {
            at = layout->size;
        } else if (!stay) { /* at the same place within a page */
            uint64_t within = tail->offset % PAGE;
            at =
                layout->size > within ? tqi_align_up(layout->size - within, PAGE) + within : within;
        }
        TQI_TRY(add_tail(layout, tail, at, error));
    }
    return TQ_OK;
}

/* ---- byte code follows ---- */

/* Where a range of the source is in the output. */
static bool moved_to(const tqi_layout *layout, uint64_t offset, uint64_t *to) {
    for (uint32_t i = 0; i < layout->n_segments; i++) {
        const tqi_segment *segment = &layout->segments[i];
        const tqi_content *content = segment->content;
        if (content->kind == TQI_CONTENT_FILE && offset >= content->offset &&
            offset - content->offset < content->size) {
            *to = segment->offset + (offset - content->offset);
            return true;
        }
    }
    return false;
}

static tq_status follow_bytecode(tqi_layout *layout, tq_error *error) {
    const tqi_head *head = &layout->head;
    for (uint32_t i = 0; i < head->n_operators; i++) {
        const tqi_operator_slots *slots = &head->operators[i];
        uint64_t to = 0;
        if (!slots->bytecode)
            continue;
        if (!moved_to(layout, slots->bytecode_offset, &to))
            return tqi_fail_at(error, TQ_ERR_UNSUPPORTED, slots->bytecode_offset,
                               "byte code of a DISPATCH_OP lies where nothing is kept");
        if (slots->bytecode_size < 8 && to >> (8 * slots->bytecode_size) != 0)
            return tqi_fail_at(error, TQ_ERR_UNSUPPORTED, slots->bytecode_offset,
                               "the new place of byte code does not fit a DISPATCH_OP's options");
        memcpy(head->emitter.out.bytes + slots->bytecode, &to, slots->bytecode_size);
    }
    return TQ_OK;
}

tq_status tqi_layout_make(tqi_layout *layout, const tqi_graph *graph, tqi_heap *heap,
                          tq_error *error) {
    *layout = (tqi_layout){0};
    tqi_arena_init(&layout->arena, heap);
    layout->head.emitter.heap = heap;
    TQI_TRY(make_head(layout, graph, heap, error));
    TQI_NEW(&layout->arena, &layout->segments,
            2 * (uint64_t)graph->n_buffers + layout->head.n_operators +
                TQI_APPENDED_ZIP_PIECES * (uint64_t)graph->n_tails,
            error);
    TQI_TRY(fill_gaps(layout, error));
    tqi_emit_finish(&layout->head.emitter);
    if (layout->head.emitter.status != TQ_OK)
        return layout->head.emitter.status;
    layout->size = layout->head.emitter.out.size;
    place_inline(layout);
    tqi_emit_resolve(&layout->head.emitter);
    place_outside(layout);
    place_options(layout);
    TQI_TRY(place_tails(layout, error));
    return follow_bytecode(layout, error);
}

void tqi_layout_free(tqi_layout *layout) {
    tqi_emit_end(&layout->head.emitter);
    tqi_arena_free(&layout->arena);
}
