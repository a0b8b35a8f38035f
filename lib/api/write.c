/* SPDX-License-Identifier: Apache-2.0 */
#include "api/write.h"

#include "bundle/zip_crc.h"
#include "bundle/zip_deflate.h"

/* ---- progress: members count as parts of the outermost file ---- */

typedef struct span {
    const tqi_write_options *outer;
    uint64_t before, total;
    bool counts; /* else what is done now is done again later */
} span;

static int32_t span_progress(void *opaque, uint64_t done, uint64_t total) {
    const span *s = opaque;
    (void)total;
    return s->outer->progress(s->outer->progress_opaque, s->before + (s->counts ? done : 0),
                              s->total);
}

static tqi_write_options within(span *s) {
    tqi_write_options options = *s->outer;
    if (options.progress) {
        options.progress = span_progress;
        options.progress_opaque = s;
    }
    return options;
}

static tq_status tell(const tqi_write_options *options, uint64_t done, uint64_t total,
                      tq_error *error) {
    if (options->progress && options->progress(options->progress_opaque, done, total) != 0)
        return tqi_fail(error, TQ_ERR_CANCELLED, "cancelled");
    return TQ_OK;
}

/* ---- what must be known of a member before it is written ---- */

/* Through a deflating sink, whose sizes and sum are known then. */
static tq_status write_packed(tq_model *member, tqi_sink *sink, uint64_t offset,
                              const tqi_write_options *options, tq_error *error) {
    tqi_zip_deflate deflate;
    tq_status status = tqi_zip_deflate_init(&deflate, sink, offset, member->input->heap, error);
    if (status == TQ_OK)
        status = tqi_write_any(member, &deflate.base, options, error);
    if (status == TQ_OK)
        status = tqi_zip_deflate_end(&deflate, error);
    if (status == TQ_OK) {
        member->packed_size = deflate.packed_size;
        member->crc = deflate.crc;
        member->is_packed = member->has_crc = true;
    }
    tqi_zip_deflate_free(&deflate);
    return status;
}

static tq_status pack(tq_model *member, const tqi_write_options *options, tq_error *error) {
    tqi_sink nothing;
    tqi_sink_null(&nothing);
    return write_packed(member, &nothing, 0, options, error);
}

static tq_status write_stored(tq_model *member, tqi_sink *sink, uint64_t offset,
                              const tqi_write_options *options, tq_error *error) {
    tqi_zip_crc crc;
    tqi_zip_crc_init(&crc, sink, offset, member->file_size);
    TQI_TRY(tqi_write_any(member, &crc.base, options, error));
    member->crc = tqi_zip_crc_result(&crc);
    member->has_crc = true;
    return TQ_OK;
}

static tq_status sum(tq_model *member, const tqi_write_options *options, tq_error *error) {
    tqi_sink nothing;
    tqi_sink_null(&nothing);
    return write_stored(member, &nothing, 0, options, error);
}

static tq_status prepare(tq_model *model, const tqi_write_options *options, tq_error *error) {
    if (!tqi_is_bundle(model) || !tqi_model_changed(model))
        return TQ_OK;
    span s = {options, 0, model->file_size, false};
    tqi_write_options quiet = within(&s);
    for (uint32_t i = 0; i < model->input->container.n_members; i++) {
        tq_model *member = model->members[i];
        if (!member || !tqi_model_changed(member))
            continue;
        tq_status status = prepare(member, &quiet, error);
        if (status == TQ_OK && tqi_member_deflates(model, i) && !member->is_packed)
            status = pack(member, &quiet, error);
        if (status != TQ_OK)
            return tqi_blame_member(model, i, status, error);
    }
    return tqi_bundle_measure(model, error);
}

tq_status tqi_measure_any(tq_model *model, const tqi_write_options *options, uint64_t *size,
                          tq_error *error) {
    TQI_TRY(prepare(model, options, error));
    *size = model->file_size;
    if (tqi_is_bundle(model) || model->quantized)
        return TQ_OK;
    tqi_layout layout;
    tq_status status = tqi_layout_make(&layout, &model->input->graph, model->input->heap, error);
    *size = layout.size;
    tqi_layout_free(&layout);
    return status;
}

/* ---- a bundle ---- */

typedef struct bundle_writer {
    tq_model *bundle;
    tqi_sink *sink;
    const tqi_write_options *options;
    tqi_container_layout layout;
    uint32_t *crcs;
    tq_error *error;
} bundle_writer;

static tq_model *payload_model(const bundle_writer *w, uint32_t payload) {
    return w->bundle->members[w->layout.payloads[payload].member];
}

static tq_status write_payload(const bundle_writer *w, uint32_t payload) {
    uint32_t index = w->layout.payloads[payload].member;
    uint64_t offset = w->layout.payloads[payload].offset;
    tq_model *member = payload_model(w, payload);
    span s = {w->options, offset, w->layout.size, true};
    tqi_write_options options = within(&s);
    tq_status status = tqi_member_deflates(w->bundle, index)
                           ? write_packed(member, w->sink, offset, &options, w->error)
                           : write_stored(member, w->sink, offset, &options, w->error);
    if (status != TQ_OK)
        return tqi_blame_member(w->bundle, index, status, w->error);
    w->crcs[payload] = member->crc;
    return TQ_OK;
}

static tq_status write_part(const bundle_writer *w, uint32_t part) {
    return tqi_container_write_part(&w->layout, part, w->crcs, w->sink, w->bundle->input->heap,
                                    w->error);
}

/* Headers with checksums come before their content: that is made twice. */
static tq_status write_in_order(const bundle_writer *w) {
    span s = {w->options, 0, w->layout.size, false};
    tqi_write_options quiet = within(&s);
    for (uint32_t i = 0; i < w->layout.n_payloads; i++) {
        tq_model *member = payload_model(w, i);
        if (!member->has_crc)
            TQI_TRY(sum(member, &quiet, w->error));
        w->crcs[i] = member->crc;
    }
    for (uint32_t i = 0; i < w->layout.n_payloads; i++) {
        TQI_TRY(write_part(w, i));
        TQI_TRY(write_payload(w, i));
    }
    return write_part(w, w->layout.n_payloads);
}

static tq_status write_anyhow(const bundle_writer *w) {
    uint64_t reached = 0;
    for (uint32_t i = 0; i < w->layout.n_payloads; i++) {
        TQI_TRY(write_payload(w, i));
        reached = w->layout.payloads[i].offset;
    }
    for (uint32_t i = 0; i <= w->layout.n_payloads; i++) {
        TQI_TRY(tell(w->options, reached, w->layout.size, w->error));
        TQI_TRY(write_part(w, i));
    }
    return TQ_OK;
}

static tq_status write_bundle(tq_model *bundle, tqi_sink *sink, const tqi_write_options *options,
                              tqi_arena *arena, tq_error *error) {
    bundle_writer w = {.bundle = bundle, .sink = sink, .options = options, .error = error};
    TQI_TRY(prepare(bundle, options, error));
    TQI_TRY(tqi_bundle_lay_out(bundle, &w.layout, arena, error));
    TQI_NEW(arena, &w.crcs, w.layout.n_payloads, error);
    TQI_TRY(sink->sequential ? write_in_order(&w) : write_anyhow(&w));
    return tell(options, w.layout.size, w.layout.size, error);
}

/* ---- either ---- */

tq_status tqi_write_any(tq_model *model, tqi_sink *sink, const tqi_write_options *options,
                        tq_error *error) {
    if (tqi_is_bundle(model)) {
        tqi_arena arena;
        tqi_arena_init(&arena, model->input->heap);
        tq_status status = write_bundle(model, sink, options, &arena, error);
        tqi_arena_free(&arena);
        return status;
    }
    tqi_layout layout;
    tq_status status = tqi_layout_make(&layout, tqi_model_graph(model), model->input->heap, error);
    if (status == TQ_OK)
        status = tqi_write(&layout, &model->input->source, sink, options, error);
    tqi_layout_free(&layout);
    return status;
}

void tqi_mark_saved(tq_model *model) {
    for (uint32_t i = 0; model->members && i < model->input->container.n_members; i++)
        if (model->members[i])
            tqi_mark_saved(model->members[i]);
    model->saved = true;
}
