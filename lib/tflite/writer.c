/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

enum {
    COPY_TILE = 1024 * 1024,
    WINDOW = 64, /* tiles between two looks at progress and errors */
};

/* A tile, or a measurement, to be run by some worker. */
typedef struct job {
    const tqi_segment *segment;
    uint32_t tile;
} job;

typedef struct result {
    tq_status status;
    tq_error error;
    uint64_t offset; /* in the output */
    const uint8_t *bytes;
    size_t size;
} result;

typedef enum phase { MEASURE, PEEK, WRITE } phase;

typedef struct writer {
    tqi_layout *layout;
    const tqi_source *source;
    tqi_sink *sink;
    tqi_heap *heap;
    const tqi_write_options *options;
    const tq_runner *runner; /* NULL: sequential */
    uint32_t window;         /* jobs at most */
    phase phase;
    job *jobs; /* of the window that runs */
    result *results;
    uint8_t *scratch; /* a piece per worker, or per job where bytes must stay in order */
    size_t scratch_size, scratch_stride;
    uint64_t done;
    uint64_t written; /* sequential sinks: what has gone out */
    bool refused;
    tq_error *error;
} writer;

static uint32_t content_tiles(const tqi_content *content) {
    if (content->kind == TQI_CONTENT_PRODUCED)
        return content->maker->tiles;
    return (uint32_t)(content->size / COPY_TILE + (content->size % COPY_TILE != 0));
}

static tq_status make_tile(const writer *w, const job *j, void *scratch, result *r) {
    const tqi_content *content = j->segment->content;
    if (content->kind == TQI_CONTENT_PRODUCED)
        return content->maker->tile(content->maker, j->tile, scratch, &r->offset, &r->bytes,
                                    &r->size, &r->error);
    r->offset = (uint64_t)j->tile * COPY_TILE;
    r->size = (size_t)tqi_min_u64(COPY_TILE, content->size - r->offset);
    if (content->kind == TQI_CONTENT_MEMORY) {
        r->bytes = (const uint8_t *)content->memory + r->offset;
        return TQ_OK;
    }
    return tqi_source_fetch(w->source, content->offset + r->offset, r->size, scratch, &r->bytes,
                            &r->error);
}

/* Bytes of the source that went out as they are. */
static void done_with(const writer *w, const job *j, const result *r) {
    const tqi_content *content = j->segment->content;
    if (content->kind == TQI_CONTENT_FILE)
        tqi_source_done(w->source, content->offset + (r->offset - j->segment->offset), r->size);
}

static void run_job(void *data, uint32_t index, uint32_t worker) {
    writer *w = data;
    const job *j = &w->jobs[index];
    result *r = &w->results[index];
    uint32_t piece = w->phase == WRITE && w->sink->sequential ? index : worker;
    void *scratch = w->scratch + piece * w->scratch_stride;
    tqi_producer *maker = j->segment->content->maker;
    r->size = 0;
    if (w->phase != WRITE) {
        r->status = maker->measure ? maker->measure(maker, scratch, &r->error)
                                   : maker->peek(maker, scratch, &r->error);
        return;
    }
    r->status = make_tile(w, j, scratch, r);
    r->offset += j->segment->offset;
    if (r->status == TQ_OK && !w->sink->sequential) {
        r->status = w->sink->write(w->sink, r->offset, r->bytes, r->size, &r->error);
        done_with(w, j, r);
    }
}

static tq_status report_progress(const writer *w) {
    const tqi_write_options *o = w->options;
    if (o->progress && o->progress(o->progress_opaque, w->done, w->layout->size) != 0)
        return tqi_fail(w->error, TQ_ERR_CANCELLED, "cancelled");
    return TQ_OK;
}

/* For sequential sinks: zeros up to `offset`, then the bytes. */
static tq_status put_in_order(writer *w, uint64_t offset, const void *bytes, size_t size) {
    static const uint8_t zeros[4096];
    while (w->written < offset) {
        size_t n = (size_t)tqi_min_u64(sizeof zeros, offset - w->written);
        TQI_TRY(w->sink->write(w->sink, w->written, zeros, n, w->error));
        w->written += n;
    }
    if (size > 0)
        TQI_TRY(w->sink->write(w->sink, offset, bytes, size, w->error));
    w->written += size;
    return TQ_OK;
}

static tq_status put(writer *w, uint64_t offset, const void *bytes, size_t size) {
    if (w->sink->sequential)
        return put_in_order(w, offset, bytes, size);
    return w->sink->write(w->sink, offset, bytes, size, w->error);
}

static tq_status put_count(writer *w, const tqi_segment *segment) {
    uint32_t count = (uint32_t)segment->content->size;
    return segment->counted ? put(w, segment->offset - 4, &count, sizeof count) : TQ_OK;
}

static tq_status put_result(writer *w, const job *j, const result *r) {
    if (j->tile == 0)
        TQI_TRY(put_count(w, j->segment));
    TQI_TRY(put_in_order(w, r->offset, r->bytes, r->size));
    done_with(w, j, r);
    return TQ_OK;
}

/* The first failure by position counts, so that what is reported does not depend on timing. */
static tq_status run_window(writer *w, uint32_t count) {
    if (w->runner && count > 1)
        w->runner->run(w->runner->opaque, run_job, w, count);
    else
        for (uint32_t i = 0; i < count; i++)
            run_job(w, i, 0);
    for (uint32_t i = 0; i < count; i++) {
        result *r = &w->results[i];
        if (r->status == (tq_status)TQI_NOT_ENCODABLE) {
            w->refused = true; /* go on: all that can't be encoded is found in one pass */
            continue;
        }
        if (r->status != TQ_OK) {
            *w->error = r->error;
            return r->status;
        }
        if (w->phase == WRITE) {
            if (w->sink->sequential)
                TQI_TRY(put_result(w, &w->jobs[i], r));
            w->done += r->size;
        }
    }
    return report_progress(w);
}

static uint32_t phase_tiles(const writer *w, const tqi_content *content) {
    if (w->phase == WRITE)
        return content_tiles(content);
    if (content->kind != TQI_CONTENT_PRODUCED)
        return 0;
    if (w->phase == MEASURE)
        return content->maker->measure != NULL;
    return !content->maker->measure && content->maker->peek;
}

static tq_status run_phase(writer *w, phase which) {
    w->phase = which;
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->layout->n_segments; i++) {
        const tqi_segment *segment = &w->layout->segments[i];
        if (which == WRITE && !w->sink->sequential)
            TQI_TRY(put_count(w, segment));
        uint32_t tiles = phase_tiles(w, segment->content);
        for (uint32_t tile = 0; tile < tiles; tile++) {
            w->jobs[count++] = (job){segment, tile};
            if (count == w->window) {
                TQI_TRY(run_window(w, count));
                count = 0;
            }
        }
    }
    return run_window(w, count);
}

static void fill_scales(writer *w) {
    uint8_t *bytes = w->layout->head.emitter.out.bytes;
    for (uint32_t i = 0; i < w->layout->head.n_patches; i++) {
        const tqi_patch *patch = &w->layout->head.patches[i];
        memcpy(bytes + patch->at, patch->quantization->scale,
               patch->quantization->count * sizeof(float));
    }
}

static tq_status run(writer *w) {
    const tqi_blocks *head = &w->layout->head.emitter.out;
    TQI_TRY(report_progress(w));
    TQI_TRY(run_phase(w, MEASURE));
    if (w->sink->sequential) {
        TQI_TRY(run_phase(w, PEEK));
        fill_scales(w);
        TQI_TRY(put(w, 0, head->bytes, head->size));
    }
    TQI_TRY(run_phase(w, WRITE));
    if (w->refused)
        return (tq_status)TQI_NOT_ENCODABLE;
    if (w->sink->sequential)
        TQI_TRY(put_in_order(w, w->layout->size, NULL, 0));
    else {
        fill_scales(w);
        /* what is not written is zero, but the file must reach its full size */
        uint64_t end = head->size;
        if (w->layout->n_segments > 0) {
            const tqi_segment *last = &w->layout->segments[w->layout->n_segments - 1];
            end = last->offset + last->content->size;
        }
        static const uint8_t zeros[TQI_MAX_END_PADDING];
        TQI_TRY(put(w, end, zeros, (size_t)(w->layout->size - end)));
        TQI_TRY(put(w, 0, head->bytes, head->size));
    }
    w->done = w->layout->size;
    return report_progress(w);
}

static size_t scratch_needed(const tqi_layout *layout) {
    size_t most = COPY_TILE;
    for (uint32_t i = 0; i < layout->n_segments; i++) {
        const tqi_content *content = layout->segments[i].content;
        if (content->kind == TQI_CONTENT_PRODUCED && content->maker->scratch > most)
            most = content->maker->scratch;
    }
    return most;
}

/* A piece of scratch for each worker, or for each job of a window where bytes must stay in
 * order; with little memory one for all, and no threads. */
static tq_status make_scratch(writer *w) {
    const tqi_write_options *options = w->options;
    w->scratch_stride = (size_t)tqi_align_up(scratch_needed(w->layout), 64);
    w->runner = options->runner;
    uint32_t pieces = w->runner ? w->runner->workers : 1;
    w->window = w->sink->sequential ? pieces : WINDOW;
    if (w->window > WINDOW)
        w->window = pieces = WINDOW;
    w->scratch_size = w->scratch_stride * pieces;
    w->scratch = tqi_alloc(w->heap, w->scratch_size);
    if (!w->scratch && pieces > 1) {
        w->runner = NULL;
        w->window = w->sink->sequential ? 1 : WINDOW;
        w->scratch_size = w->scratch_stride;
        w->scratch = tqi_alloc(w->heap, w->scratch_size);
    }
    return w->scratch ? TQ_OK : tqi_no_memory(w->heap, w->scratch_size, w->error);
}

tq_status tqi_write(tqi_layout *layout, const tqi_source *source, tqi_sink *sink,
                    const tqi_write_options *options, tq_error *error) {
    writer w = {.layout = layout,
                .source = source,
                .sink = sink,
                .options = options,
                .heap = layout->arena.heap,
                .error = error};
    TQI_NEW(&layout->arena, &w.jobs, WINDOW, error);
    TQI_NEW(&layout->arena, &w.results, WINDOW, error);
    TQI_TRY(make_scratch(&w));
    tq_status status = run(&w);
    tqi_free(w.heap, w.scratch, w.scratch_size);
    return status;
}
