/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle/zip_layout.h"

#include "base/checked.h"
#include "bundle/zip_format.h"
#include "bundle/zip_private.h"
#include "bundle/zip_records.h"

/* MediaPipe's own bundler aligns the members by up to 4 zeros before their headers; who
 * aligns by hand does it so as well. Longer gaps are something else. */
enum { MAX_ALIGNING_GAP = 64, KEPT_ALIGNMENT = 16 };

/* No file is so large: keeps sums from overflowing. */
#define MAX_SIZE ((uint64_t)1 << 62)

typedef struct maker {
    tqi_zip_layout *layout;
    const tqi_zip *zip;
    uint64_t origin;
    uint64_t at; /* where the next piece goes */
    tq_error *error;
} maker;

/* ---- pieces ---- */

static tqi_zip_piece *add(maker *mk, tqi_zip_piece_kind kind, uint64_t size, uint32_t member) {
    tqi_zip_piece *piece = &mk->layout->pieces[mk->layout->n_pieces++];
    *piece = (tqi_zip_piece){kind, mk->at, size, 0, member};
    mk->at += size;
    return piece;
}

static void copy(maker *mk, tqi_zip_range range) {
    tqi_zip_piece *last = NULL;
    if (range.size == 0)
        return;
    if (mk->layout->n_pieces > 0)
        last = &mk->layout->pieces[mk->layout->n_pieces - 1];
    if (last && last->kind == TQI_ZIP_COPY && last->from + last->size == range.offset) {
        last->size += range.size;
        mk->at += range.size;
    } else {
        add(mk, TQI_ZIP_COPY, range.size, 0)->from = range.offset;
    }
}

static void zeros(maker *mk, uint64_t size) {
    if (size > 0)
        add(mk, TQI_ZIP_ZEROS, size, 0);
}

/* ---- members ---- */

/* Zeros before a header that can only be there to align what follows. Before the first member
 * they may also be where the archive starts counting. */
static tq_status is_aligning(const maker *mk, const tqi_zip_member *m, bool *is) {
    const tqi_zip *zip = mk->zip;
    bool first = m == zip->by_position[0];
    *is = m->before.size > 0 && m->before.size < MAX_ALIGNING_GAP &&
          !(first && !zip->from_file && zip->base != zip->whole.offset);
    if (!*is)
        return TQ_OK;
    TQI_TRY(tqi_source_load(zip->source, m->before.offset, m->before.size, mk->error));
    for (uint64_t i = 0; i < m->before.size && *is; i++)
        *is = *tqi_zip_at(zip, m->before.offset + i) == 0;
    return TQ_OK;
}

static uint64_t distance_up(uint64_t value, uint64_t alignment) {
    return (alignment - value % alignment) % alignment;
}

/* A member that stays is as well aligned as it was, if somebody had seen to that. */
static tq_status place_gap(maker *mk, const tqi_zip_member *m) {
    bool aligning;
    tqi_zip_extra field;
    uint64_t was = m->data.offset - mk->zip->whole.offset;
    uint64_t is = mk->at + m->before.size + m->local.size;
    uint64_t alignment = KEPT_ALIGNMENT;
    while (was % alignment != 0)
        alignment /= 2;
    TQI_TRY(is_aligning(mk, m, &aligning));
    bool declared =
        tqi_zip_extra_find(tqi_zip_extra_of(mk->zip, m->local_extra), ZIP_EXTRA_ALIGNMENT, &field);
    if (m->method != ZIP_STORED || is % alignment == 0 || !(aligning || declared)) {
        copy(mk, m->before);
        return TQ_OK;
    }
    if (!aligning)
        copy(mk, m->before);
    zeros(mk, distance_up(mk->at + m->local.size, alignment));
    return TQ_OK;
}

static uint64_t offset_of(const maker *mk, uint64_t at) {
    if (mk->zip->from_file)
        return mk->origin + at;
    return at - (mk->zip->base - mk->zip->whole.offset);
}

static tq_status keep(maker *mk, tqi_zip_member *m) {
    uint64_t end = tqi_zip_range_end(m->descriptor);
    TQI_TRY(place_gap(mk, m));
    mk->layout->places[m - mk->zip->members].offset = offset_of(mk, mk->at);
    copy(mk, (tqi_zip_range){m->local.offset, end - m->local.offset});
    return TQ_OK;
}

static tq_status check_change(const maker *mk, const tqi_zip_member *m,
                              const tqi_zip_change *change) {
    uint32_t alignment = change->alignment;
    if (m->is_directory || alignment > TQI_ZIP_MAX_ALIGNMENT || (alignment & (alignment - 1)) != 0)
        return tqi_zip_refuse(m, TQ_ERR_INTERNAL, m->local.offset, mk->error,
                              "it can't be replaced like this");
    if (change->size > MAX_SIZE || tqi_zip_payload_size(change) > MAX_SIZE || mk->at > MAX_SIZE)
        return tqi_zip_refuse(m, TQ_ERR_TOO_LARGE, m->local.offset, mk->error,
                              "its content would be too large");
    return TQ_OK;
}

/* The padding field that brings `at` to the alignment; 0 or at least its header. */
static uint32_t padding_for(uint64_t at, uint32_t alignment) {
    uint64_t padding = distance_up(at, alignment);
    while (padding != 0 && padding < ZIP_EXTRA_HEADER + 2)
        padding += alignment;
    return (uint32_t)padding;
}

static tq_status replace(maker *mk, tqi_zip_member *m) {
    tqi_zip_layout *layout = mk->layout;
    uint32_t member = (uint32_t)(m - mk->zip->members);
    const tqi_zip_change *change = &layout->changes[member];
    tqi_zip_place *place = &layout->places[member];
    uint64_t size = tqi_zip_payload_size(change);
    bool aligned = !change->deflated && change->alignment > 1, aligning;
    TQI_TRY(check_change(mk, m, change));
    TQI_TRY(is_aligning(mk, m, &aligning));
    size_t header = tqi_zip_make_local(layout, member, 0, NULL);
    if (aligned && aligning) {
        zeros(mk, distance_up(mk->origin + mk->at + header, change->alignment));
    } else {
        copy(mk, m->before);
        if (aligned)
            place->padding = padding_for(mk->origin + mk->at + header, change->alignment);
    }
    if (tqi_zip_local_extra_size(layout, member) + place->padding > ZIP_MAX16)
        return tqi_zip_refuse(m, TQ_ERR_TOO_LARGE, m->local.offset, mk->error,
                              "its extra fields leave no room to align it");
    place->offset = offset_of(mk, mk->at);
    add(mk, TQI_ZIP_LOCAL, header + place->padding, member);
    place->payload = layout->n_payloads;
    layout->payloads[layout->n_payloads++] =
        (tqi_zip_payload){member, mk->at, size, layout->n_pieces};
    add(mk, TQI_ZIP_PAYLOAD, size, member);
    return TQ_OK;
}

static tq_status place_members(maker *mk) {
    for (uint32_t i = 0; i < mk->zip->n_members; i++) {
        tqi_zip_member *m = mk->zip->by_position[i];
        bool replaced = mk->layout->changes[m - mk->zip->members].replaced;
        TQI_TRY(replaced ? replace(mk, m) : keep(mk, m));
    }
    copy(mk, mk->zip->before_directory);
    return TQ_OK;
}

/* ---- the directory and what follows ---- */

static tq_status place_directory(maker *mk) {
    tqi_zip_layout *layout = mk->layout;
    uint64_t start = mk->at;
    layout->directory_offset = offset_of(mk, start);
    for (uint32_t i = 0; i < mk->zip->n_members; i++) {
        const tqi_zip_member *m = &mk->zip->members[i];
        if (!layout->changes[i].replaced && layout->places[i].offset == m->offset_value) {
            copy(mk, m->central);
            continue;
        }
        if (!tqi_zip_central_fits(layout, i))
            return tqi_zip_refuse(m, TQ_ERR_TOO_LARGE, m->central.offset, mk->error,
                                  "its extra fields leave no room for 64-bit sizes");
        add(mk, TQI_ZIP_CENTRAL, tqi_zip_make_central(layout, i, 0, NULL), i);
    }
    layout->directory_size = mk->at - start;
    return TQ_OK;
}

static void place_ending(maker *mk) {
    tqi_zip_layout *layout = mk->layout;
    const tqi_zip *zip = mk->zip;
    copy(mk, zip->before_end);
    layout->end64_offset = offset_of(mk, mk->at);
    bool moved = layout->directory_offset != zip->directory.offset - zip->base;
    if (moved || layout->directory_size != zip->directory.size) {
        add(mk, TQI_ZIP_ENDING, tqi_zip_make_ending(layout, NULL), 0);
    } else {
        copy(mk, zip->end64);
        copy(mk, zip->locator);
        copy(mk, zip->end);
    }
    copy(mk, zip->behind_end);
    layout->size = mk->at;
}

tq_status tqi_zip_layout_make(tqi_zip_layout *layout, const tqi_zip *zip,
                              const tqi_zip_change *changes, uint64_t origin, tqi_arena *arena,
                              tq_error *error) {
    maker mk = {layout, zip, origin, 0, error};
    uint64_t n = zip->n_members;
    *layout = (tqi_zip_layout){.zip = zip, .changes = changes};
    /* a gap, a header, content and a record for each, and what is around the directory */
    TQI_NEW(arena, &layout->pieces, 5 * n + 8, error);
    TQI_NEW(arena, &layout->places, n, error);
    TQI_NEW(arena, &layout->payloads, n, error);
    TQI_TRY(place_members(&mk));
    TQI_TRY(place_directory(&mk));
    place_ending(&mk);
    return TQ_OK;
}
