/* SPDX-License-Identifier: Apache-2.0 */
#include "container/container.h"

#include <string.h>

#include "base/checked.h"

/* ---- what a file is ---- */

bool tqi_container_sniff(const uint8_t *start, uint64_t size, uint32_t *format) {
    if (size >= 8 && memcmp(start + 4, "TFL3", 4) == 0)
        *format = TQ_FORMAT_TFLITE;
    else if (tqi_is_litertlm(start, size))
        *format = TQ_FORMAT_LITERTLM;
    else if (size >= 4 && (memcmp(start, "PK\3\4", 4) == 0 || memcmp(start, "PK\5\6", 4) == 0))
        *format = TQ_FORMAT_ZIP;
    else
        return false;
    return true;
}

tq_status tqi_container_detect(tqi_source *source, uint32_t *format, tq_error *error) {
    uint8_t scratch[TQI_SNIFF_SIZE];
    const uint8_t *start;
    size_t n = (size_t)tqi_min_u64(source->size, sizeof scratch);
    *format = TQ_FORMAT_TFLITE;
    if (n == 0)
        return TQ_OK;
    TQI_TRY(tqi_source_fetch(source, 0, n, scratch, &start, error));
    if (tqi_container_sniff(start, n, format))
        return TQ_OK;
    bool is_zip;
    TQI_TRY(tqi_zip_probe(source, 0, source->size, &is_zip, error));
    if (is_zip)
        *format = TQ_FORMAT_ZIP;
    return TQ_OK;
}

/* ---- what is in it ---- */

static tq_status open_zip(tqi_container *c, uint64_t *max_output, tqi_arena *arena,
                          tq_error *error) {
    /* a limit of 0 would be none */
    tqi_zip_limits limits = {*max_output ? *max_output : 1, 0, 0};
    TQI_TRY(tqi_zip_open(&c->zip, c->source, 0, c->source->size, &limits, arena, error));
    c->n_members = c->zip.n_members;
    TQI_NEW(arena, &c->members, c->n_members, error);
    for (uint32_t i = 0; i < c->n_members; i++) {
        const tqi_zip_member *m = &c->zip.members[i];
        bool deflated = m->data.size != m->size || m->method != 0;
        c->members[i] =
            (tqi_member){m->name, m->is_directory, deflated, m->size, m->data.offset, m->data.size};
        TQI_TRY(tqi_zip_read(&c->zip, m, arena->heap, NULL, NULL, error));
        if (deflated)
            *max_output -= tqi_min_u64(m->size, *max_output);
    }
    return TQ_OK;
}

static tq_status open_litertlm(tqi_container *c, tqi_arena *arena, tq_error *error) {
    TQI_TRY(tqi_litertlm_open(&c->litertlm, c->source, arena, error));
    c->n_members = c->litertlm.n_sections;
    TQI_NEW(arena, &c->members, c->n_members, error);
    for (uint32_t i = 0; i < c->n_members; i++) {
        const tqi_litertlm_section *s = &c->litertlm.sections[i];
        c->members[i] = (tqi_member){s->name, false, false, s->size, s->offset, s->size};
    }
    return TQ_OK;
}

tq_status tqi_container_open(tqi_container *container, uint32_t format, tqi_source *source,
                             uint64_t *max_output, tqi_arena *arena, tq_error *error) {
    *container = (tqi_container){.format = format, .source = source};
    if (format == TQ_FORMAT_ZIP)
        return open_zip(container, max_output, arena, error);
    return open_litertlm(container, arena, error);
}

tq_status tqi_container_read(const tqi_container *c, uint32_t member, tqi_heap *heap,
                             tqi_zip_taker take, void *opaque, tq_error *error) {
    enum { PIECE = 256 * 1024 };
    const tqi_member *m = &c->members[member];
    if (c->format == TQ_FORMAT_ZIP)
        return tqi_zip_read(&c->zip, &c->zip.members[member], heap, take, opaque, error);
    uint8_t *scratch = tqi_alloc(heap, PIECE);
    if (!scratch)
        return tqi_no_memory(heap, PIECE, error);
    tq_status status = TQ_OK;
    for (uint64_t done = 0; done < m->size && status == TQ_OK; done += PIECE) {
        size_t n = (size_t)tqi_min_u64(m->size - done, PIECE);
        const uint8_t *bytes;
        status = tqi_source_fetch(c->source, m->offset + done, n, scratch, &bytes, error);
        if (status == TQ_OK)
            status = take(opaque, bytes, n, error);
        tqi_source_done(c->source, m->offset + done, n);
    }
    tqi_free(heap, scratch, PIECE);
    return status;
}

/* ---- the same with other members ---- */

static tq_status lay_out_zip(tqi_container_layout *layout, const tqi_member_change *changes,
                             tqi_arena *arena, tq_error *error) {
    const tqi_container *c = layout->container;
    tqi_zip_change *zip = NULL;
    TQI_NEW(arena, &zip, c->n_members, error);
    for (uint32_t i = 0; i < c->n_members; i++)
        zip[i] = (tqi_zip_change){.replaced = changes[i].replaced,
                                  .deflated = changes[i].deflated,
                                  .size = changes[i].size,
                                  .packed_size = changes[i].packed_size,
                                  .alignment = changes[i].alignment};
    TQI_TRY(tqi_zip_layout_make(&layout->zip, &c->zip, zip, 0, arena, error));
    layout->size = layout->zip.size;
    layout->n_payloads = layout->zip.n_payloads;
    TQI_NEW(arena, &layout->payloads, layout->n_payloads, error);
    for (uint32_t i = 0; i < layout->n_payloads; i++)
        layout->payloads[i] =
            (tqi_payload){layout->zip.payloads[i].member, layout->zip.payloads[i].offset};
    return TQ_OK;
}

static tq_status lay_out_litertlm(tqi_container_layout *layout, const tqi_member_change *changes,
                                  tqi_arena *arena, tq_error *error) {
    const tqi_container *c = layout->container;
    tqi_litertlm_change *sections = NULL;
    TQI_NEW(arena, &sections, c->n_members, error);
    for (uint32_t i = 0; i < c->n_members; i++)
        sections[i] = (tqi_litertlm_change){changes[i].replaced, changes[i].size};
    TQI_TRY(tqi_litertlm_layout_make(&layout->litertlm, &c->litertlm, sections, arena, error));
    layout->size = layout->litertlm.size;
    layout->n_payloads = layout->litertlm.n_payloads;
    TQI_NEW(arena, &layout->payloads, layout->n_payloads, error);
    for (uint32_t i = 0; i < layout->n_payloads; i++) {
        uint32_t section = layout->litertlm.payloads[i];
        layout->payloads[i] = (tqi_payload){section, layout->litertlm.offsets[section]};
    }
    return TQ_OK;
}

tq_status tqi_container_layout_make(tqi_container_layout *layout, const tqi_container *container,
                                    const tqi_member_change *changes, tqi_arena *arena,
                                    tq_error *error) {
    *layout = (tqi_container_layout){.container = container};
    if (container->format == TQ_FORMAT_ZIP)
        return lay_out_zip(layout, changes, arena, error);
    return lay_out_litertlm(layout, changes, arena, error);
}

tq_status tqi_container_write_part(const tqi_container_layout *layout, uint32_t part,
                                   const uint32_t *crcs, tqi_sink *sink, tqi_heap *heap,
                                   tq_error *error) {
    if (layout->container->format == TQ_FORMAT_LITERTLM)
        return tqi_litertlm_write_part(&layout->litertlm, part, sink, heap, error);
    tqi_zip_write write = {.layout = &layout->zip, .crcs = crcs, .sink = sink, .heap = heap};
    return tqi_zip_write_part(&write, part, error);
}
