/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle/zip_read.h"

#include <inttypes.h>

#include "base/checked.h"
#include "bundle/zip_format.h"
#include "bundle/zip_private.h"

/* ---- a record of the directory ---- */

static tq_status read_name(const tqi_zip *zip, tqi_zip_member *m, tqi_arena *arena,
                           tq_error *error) {
    char *name = NULL;
    TQI_NEW(arena, &name, (uint64_t)m->name_size + 1, error);
    memcpy(name, tqi_zip_at(zip, m->central.offset + ZIP_CENTRAL_SIZE), m->name_size);
    m->name = name;
    m->is_directory = m->name_size > 0 && name[m->name_size - 1] == '/';
    return TQ_OK;
}

/* The next of the 64-bit values, which are there only for fields that say so. */
static bool take_wide(const tqi_zip_extra *wide, size_t *at, uint64_t *value) {
    if (wide->size - *at < 8)
        return false;
    *value = tqi_load_u64(wide->bytes + *at);
    *at += 8;
    return true;
}

static tq_status read_sizes(const tqi_zip *zip, tqi_zip_member *m, const uint8_t *record,
                            tq_error *error) {
    tqi_zip_extra wide = {NULL, 0};
    size_t at = 0;
    bool has_wide =
        tqi_zip_extra_find(tqi_zip_extra_of(zip, m->central_extra), ZIP_EXTRA_ZIP64, &wide);
    bool fits = true;
    m->size = tqi_load_u32(record + CENTRAL_UNPACKED);
    m->packed_size = tqi_load_u32(record + CENTRAL_PACKED);
    m->offset_value = tqi_load_u32(record + CENTRAL_OFFSET);
    m->offset_field = m->central.offset + CENTRAL_OFFSET;
    if (!has_wide)
        return TQ_OK;
    if (m->size == ZIP_MAX32)
        fits = take_wide(&wide, &at, &m->size);
    if (fits && m->packed_size == ZIP_MAX32)
        fits = take_wide(&wide, &at, &m->packed_size);
    if (fits && m->offset_value == ZIP_MAX32) {
        m->offset_field = (uint64_t)(wide.bytes + at - zip->source->data);
        m->wide_offset = true;
        fits = take_wide(&wide, &at, &m->offset_value);
    }
    if (!fits)
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, m->central_extra.offset, error,
                              "its ZIP64 sizes are cut off");
    return TQ_OK;
}

static tq_status check_supported(const tqi_zip_member *m, const uint8_t *record, tq_error *error) {
    uint64_t at = m->central.offset;
    uint32_t disk = tqi_load_u16(record + CENTRAL_DISK);
    if (m->flags & (ZIP_FLAG_ENCRYPTED | ZIP_FLAG_STRONG | ZIP_FLAG_MASKED))
        return tqi_zip_refuse(m, TQ_ERR_UNSUPPORTED, at, error, "it is encrypted");
    if (m->flags & ZIP_FLAG_PATCH)
        return tqi_zip_refuse(m, TQ_ERR_UNSUPPORTED, at, error, "it is patch data");
    if (disk != 0 && disk != ZIP_MAX16)
        return tqi_zip_refuse(m, TQ_ERR_UNSUPPORTED, at, error,
                              "it is in another part of the archive");
    if (m->method != ZIP_STORED && m->method != ZIP_DEFLATED)
        return tqi_zip_refuse(m, TQ_ERR_UNSUPPORTED, at, error,
                              "compression method %u is unknown: only stored and deflated are",
                              m->method);
    if (m->method == ZIP_STORED && m->size != m->packed_size)
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, at, error,
                              "it is stored, but its two sizes differ");
    return TQ_OK;
}

static tq_status check_bomb(const tqi_zip_member *m, const tqi_zip_limits *limits, uint64_t *total,
                            tq_error *error) {
    uint64_t at = m->central.offset;
    if (m->method == ZIP_STORED)
        return TQ_OK;
    if (limits->max_ratio != 0 && m->size / limits->max_ratio > m->packed_size)
        return tqi_zip_refuse(m, TQ_ERR_TOO_LARGE, at, error,
                              "%" PRIu64 " bytes are said to become %" PRIu64
                              ", more than the limit of %" PRIu64 " times as many",
                              m->packed_size, m->size, limits->max_ratio);
    if (limits->max_output != 0 && m->size > limits->max_output - *total)
        return tqi_zip_refuse(m, TQ_ERR_TOO_LARGE, at, error,
                              "inflating %" PRIu64 " bytes leads beyond the limit of %" PRIu64
                              " for the archive",
                              m->size, limits->max_output);
    *total += m->size;
    return TQ_OK;
}

static void read_fixed(tqi_zip_member *m, const uint8_t *record) {
    m->made_by = tqi_load_u16(record + CENTRAL_MADE_BY);
    m->needed = tqi_load_u16(record + CENTRAL_NEEDED);
    m->flags = tqi_load_u16(record + CENTRAL_FLAGS);
    m->method = tqi_load_u16(record + CENTRAL_METHOD);
    m->time = tqi_load_u16(record + CENTRAL_TIME);
    m->date = tqi_load_u16(record + CENTRAL_DATE);
    m->crc = tqi_load_u32(record + CENTRAL_CRC);
    m->internal_attributes = tqi_load_u16(record + CENTRAL_INTERNAL);
    m->external_attributes = tqi_load_u32(record + CENTRAL_EXTERNAL);
}

/* Sets the ranges within the record at `at`, of which `rest` bytes are left at most. */
static bool measure(tqi_zip_member *m, const uint8_t *record, uint64_t at, uint64_t rest) {
    if (rest < ZIP_CENTRAL_SIZE || tqi_load_u32(record) != ZIP_CENTRAL)
        return false;
    m->name_size = tqi_load_u16(record + CENTRAL_NAME_LENGTH);
    m->central_extra = (tqi_zip_range){at + ZIP_CENTRAL_SIZE + m->name_size,
                                       tqi_load_u16(record + CENTRAL_EXTRA_LENGTH)};
    m->comment = (tqi_zip_range){tqi_zip_range_end(m->central_extra),
                                 tqi_load_u16(record + CENTRAL_COMMENT_LENGTH)};
    m->central = (tqi_zip_range){at, tqi_zip_range_end(m->comment) - at};
    return m->central.size <= rest;
}

/* ---- the directory ---- */

static tq_status check_rest(const tqi_zip *zip, uint64_t at, tq_error *error) {
    uint64_t rest = tqi_zip_range_end(zip->directory) - at;
    if (rest == 0)
        return TQ_OK;
    if (rest >= 4 && tqi_load_u32(tqi_zip_at(zip, at)) == ZIP_SIGNATURE)
        return tqi_fail_at(error, TQ_ERR_UNSUPPORTED, at,
                           "the ZIP archive is signed, which no change survives");
    return tqi_fail_at(error, TQ_ERR_CORRUPT, at,
                       "the ZIP archive's directory holds more than the %" PRIu32
                       " members that its end record tells of",
                       zip->n_members);
}

tq_status tqi_zip_read_directory(tqi_zip *zip, const tqi_zip_claim *claim,
                                 const tqi_zip_limits *limits, tqi_arena *arena, tq_error *error) {
    uint64_t at = zip->directory.offset, end = tqi_zip_range_end(zip->directory), total = 0;
    if (limits->max_members != 0 && claim->entries > limits->max_members)
        return tqi_fail_at(error, TQ_ERR_TOO_LARGE, zip->end.offset,
                           "the ZIP archive has %" PRIu64 " members, more than the limit of "
                           "%" PRIu64,
                           claim->entries, limits->max_members);
    TQI_TRY(tqi_source_load(zip->source, at, zip->directory.size, error));
    TQI_NEW(arena, &zip->members, claim->entries, error);
    for (; zip->n_members < claim->entries; zip->n_members++) {
        tqi_zip_member *m = &zip->members[zip->n_members];
        const uint8_t *record = tqi_zip_at(zip, at);
        if (!measure(m, record, at, end - at))
            return tqi_fail_at(error, TQ_ERR_CORRUPT, at,
                               "the ZIP archive's directory breaks off at member %" PRIu32
                               " of %" PRIu64,
                               zip->n_members, claim->entries);
        read_fixed(m, record);
        TQI_TRY(read_name(zip, m, arena, error));
        TQI_TRY(read_sizes(zip, m, record, error));
        TQI_TRY(check_supported(m, record, error));
        TQI_TRY(check_bomb(m, limits, &total, error));
        at += m->central.size;
    }
    return check_rest(zip, at, error);
}

tq_status tqi_zip_open(tqi_zip *zip, tqi_source *source, uint64_t offset, uint64_t size,
                       const tqi_zip_limits *limits, tqi_arena *arena, tq_error *error) {
    tqi_zip_claim claim;
    *zip = (tqi_zip){.source = source, .whole = {offset, size}};
    if (!tqi_in_range(offset, size, source->size))
        return tqi_fail(error, TQ_ERR_INTERNAL, "a ZIP archive beyond the end of its source");
    TQI_TRY(tqi_zip_locate(zip, &claim, error));
    TQI_TRY(tqi_zip_read_directory(zip, &claim, limits, arena, error));
    TQI_TRY(tqi_zip_check_names(zip, arena, error));
    return tqi_zip_read_locals(zip, arena, error);
}

const tqi_zip_member *tqi_zip_find(const tqi_zip *zip, const char *name) {
    for (uint32_t i = 0; i < zip->n_members; i++)
        if (strcmp(zip->members[i].name, name) == 0)
            return &zip->members[i];
    return NULL;
}
