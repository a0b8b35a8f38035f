/* SPDX-License-Identifier: Apache-2.0 */
/* The members' own headers, and that every byte belongs to one member at most. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/checked.h"
#include "bundle/zip_format.h"
#include "bundle/zip_private.h"

/* [at, at + size) lies in the archive, before its directory */
static bool before_directory(const tqi_zip *zip, uint64_t at, uint64_t size) {
    return at >= zip->whole.offset && at <= zip->directory.offset &&
           size <= zip->directory.offset - at;
}

/* ---- where they are ---- */

static tq_status find_local(const tqi_zip *zip, tqi_zip_member *m, tq_error *error) {
    uint64_t at = zip->base + m->offset_value;
    if (before_directory(zip, at, ZIP_LOCAL_SIZE)) {
        TQI_TRY(tqi_source_load(zip->source, at, ZIP_LOCAL_SIZE, error));
        m->local.offset = at;
        if (tqi_load_u32(tqi_zip_at(zip, at)) == ZIP_LOCAL)
            return TQ_OK;
    }
    return tqi_zip_refuse(m, TQ_ERR_CORRUPT, m->central.offset, error,
                          "nothing of it is at its offset %" PRIu64, m->offset_value);
}

static int by_offset(const void *a, const void *b) {
    const tqi_zip_member *left = *(tqi_zip_member *const *)a;
    const tqi_zip_member *right = *(tqi_zip_member *const *)b;
    if (left->local.offset != right->local.offset)
        return left->local.offset < right->local.offset ? -1 : 1;
    return (left->central.offset > right->central.offset) -
           (left->central.offset < right->central.offset);
}

static tq_status find_locals(tqi_zip *zip, tqi_arena *arena, tq_error *error) {
    TQI_NEW(arena, &zip->by_position, zip->n_members, error);
    for (uint32_t i = 0; i < zip->n_members; i++) {
        TQI_TRY(find_local(zip, &zip->members[i], error));
        zip->by_position[i] = &zip->members[i];
    }
    qsort(zip->by_position, zip->n_members, sizeof(tqi_zip_member *), by_offset);
    return TQ_OK;
}

/* ---- one header ---- */

typedef struct local_sizes {
    uint32_t crc;
    uint64_t packed, unpacked;
    bool wide;
} local_sizes;

static tq_status measure(const tqi_zip *zip, tqi_zip_member *m, tq_error *error) {
    uint64_t at = m->local.offset;
    const uint8_t *header = tqi_zip_at(zip, at);
    uint64_t name = tqi_load_u16(header + LOCAL_NAME_LENGTH);
    uint64_t extra = tqi_load_u16(header + LOCAL_EXTRA_LENGTH);
    m->local_extra = (tqi_zip_range){at + ZIP_LOCAL_SIZE + name, extra};
    m->local.size = ZIP_LOCAL_SIZE + name + extra;
    if (!before_directory(zip, at, m->local.size))
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, at, error, "its header is cut off");
    TQI_TRY(tqi_source_load(zip->source, at, m->local.size, error));
    if (name != m->name_size || memcmp(header + ZIP_LOCAL_SIZE, m->name, m->name_size) != 0)
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, at, error,
                              "it has another name in its own header than in the directory");
    m->data = (tqi_zip_range){at + m->local.size, m->packed_size};
    if (!before_directory(zip, m->data.offset, m->data.size))
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, at, error,
                              "%" PRIu64 " bytes lead beyond the archive's members",
                              m->packed_size);
    return TQ_OK;
}

static local_sizes read_sizes(const tqi_zip *zip, const tqi_zip_member *m) {
    const uint8_t *header = tqi_zip_at(zip, m->local.offset);
    local_sizes sizes = {tqi_load_u32(header + LOCAL_CRC), tqi_load_u32(header + LOCAL_PACKED),
                         tqi_load_u32(header + LOCAL_UNPACKED), false};
    tqi_zip_extra wide;
    size_t at = 0;
    if (!tqi_zip_extra_find(tqi_zip_extra_of(zip, m->local_extra), ZIP_EXTRA_ZIP64, &wide))
        return sizes;
    sizes.wide = true;
    if (sizes.unpacked == ZIP_MAX32 && wide.size >= 8) {
        sizes.unpacked = tqi_load_u64(wide.bytes);
        at = 8;
    }
    if (sizes.packed == ZIP_MAX32 && wide.size - at >= 8)
        sizes.packed = tqi_load_u64(wide.bytes + at);
    return sizes;
}

static bool same_or_zero(uint64_t local, uint64_t central, bool may_be_zero) {
    return local == central || (may_be_zero && local == 0);
}

/* With a descriptor behind the data the header may leave the sizes out. */
static tq_status compare(const tqi_zip *zip, const tqi_zip_member *m, const local_sizes *sizes,
                         tq_error *error) {
    const uint8_t *header = tqi_zip_at(zip, m->local.offset);
    uint32_t flags = tqi_load_u16(header + LOCAL_FLAGS);
    bool later = flags & ZIP_FLAG_DESCRIPTOR;
    if (flags & (ZIP_FLAG_ENCRYPTED | ZIP_FLAG_STRONG | ZIP_FLAG_MASKED))
        return tqi_zip_refuse(m, TQ_ERR_UNSUPPORTED, m->local.offset, error, "it is encrypted");
    if (tqi_load_u16(header + LOCAL_METHOD) != m->method)
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, m->local.offset, error,
                              "its header and the directory tell different methods");
    if (!same_or_zero(sizes->packed, m->packed_size, later) ||
        !same_or_zero(sizes->unpacked, m->size, later))
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, m->local.offset, error,
                              "its header and the directory tell different sizes");
    if (!same_or_zero(sizes->crc, m->crc, later))
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, m->local.offset, error,
                              "its header and the directory tell different CRCs");
    return TQ_OK;
}

/* ---- what is behind its data ---- */

/* `at` holds `room` bytes. Returns the size of the descriptor of this form, or 0. */
static uint64_t match_descriptor(const tqi_zip_member *m, const uint8_t *at, uint64_t room,
                                 bool wide, bool with_signature) {
    uint64_t size = (with_signature ? 8u : 4u) + (wide ? 16u : 8u);
    if (room < size || (with_signature && tqi_load_u32(at) != ZIP_DESCRIPTOR))
        return 0;
    at += with_signature ? 4 : 0;
    uint64_t packed = wide ? tqi_load_u64(at + 4) : tqi_load_u32(at + 4);
    uint64_t unpacked = wide ? tqi_load_u64(at + 12) : tqi_load_u32(at + 8);
    bool same = tqi_load_u32(at) == m->crc && packed == m->packed_size && unpacked == m->size;
    return same ? size : 0;
}

static tq_status find_descriptor(const tqi_zip *zip, tqi_zip_member *m, const local_sizes *sizes,
                                 uint64_t next, tq_error *error) {
    uint64_t at = tqi_zip_range_end(m->data), size = 0;
    uint64_t room = tqi_min_u64(24, next - at);
    m->descriptor = (tqi_zip_range){at, 0};
    uint32_t flags = tqi_load_u16(tqi_zip_at(zip, m->local.offset) + LOCAL_FLAGS);
    if (!(flags & ZIP_FLAG_DESCRIPTOR))
        return TQ_OK;
    TQI_TRY(tqi_source_load(zip->source, at, room, error));
    for (int form = 0; form < 4 && size == 0; form++)
        size = match_descriptor(m, tqi_zip_at(zip, at), room, sizes->wide == (form % 2 == 0),
                                form < 2);
    m->descriptor.size = size;
    /* some writers set the flag although the header says it all */
    bool told =
        sizes->crc == m->crc && sizes->packed == m->packed_size && sizes->unpacked == m->size;
    if (size == 0 && !told)
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, at, error,
                              "what is behind its data does not tell its sizes and CRC");
    return TQ_OK;
}

/* ---- all of them ---- */

static tq_status read_member(const tqi_zip *zip, uint32_t position, uint64_t *reached,
                             tq_error *error) {
    tqi_zip_member *m = zip->by_position[position];
    uint64_t next = zip->directory.offset;
    if (position + 1 < zip->n_members)
        next = zip->by_position[position + 1]->local.offset;
    TQI_TRY(measure(zip, m, error));
    local_sizes sizes = read_sizes(zip, m);
    TQI_TRY(compare(zip, m, &sizes, error));
    if (tqi_zip_range_end(m->data) > next)
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, next, error, "another member starts within it");
    TQI_TRY(find_descriptor(zip, m, &sizes, next, error));
    m->before = (tqi_zip_range){*reached, m->local.offset - *reached};
    *reached = tqi_zip_range_end(m->descriptor);
    return TQ_OK;
}

/* An archive that was cut behind a member that is an archive itself looks like that one with
 * something before it. */
static tq_status check_start(const tqi_zip *zip, tq_error *error) {
    uint64_t start = zip->whole.offset, first = zip->directory.offset;
    if (zip->n_members > 0)
        first = zip->by_position[0]->local.offset;
    if (first - start < ZIP_LOCAL_SIZE)
        return TQ_OK;
    TQI_TRY(tqi_source_load(zip->source, start, 4, error));
    if (tqi_load_u32(tqi_zip_at(zip, start)) == ZIP_LOCAL)
        return tqi_fail_at(error, TQ_ERR_CORRUPT, start,
                           "the ZIP archive starts with a member that its directory does not "
                           "list: truncated?");
    return TQ_OK;
}

tq_status tqi_zip_read_locals(tqi_zip *zip, tqi_arena *arena, tq_error *error) {
    uint64_t reached = zip->whole.offset;
    TQI_TRY(find_locals(zip, arena, error));
    TQI_TRY(check_start(zip, error));
    for (uint32_t i = 0; i < zip->n_members; i++)
        TQI_TRY(read_member(zip, i, &reached, error));
    zip->before_directory = (tqi_zip_range){reached, zip->directory.offset - reached};
    return TQ_OK;
}
