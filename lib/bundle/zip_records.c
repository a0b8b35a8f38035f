/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle/zip_records.h"

#include "bundle/zip_format.h"
#include "bundle/zip_private.h"

/* Bytes one behind the other; `out` NULL: they are only counted. */
typedef struct tape {
    uint8_t *out;
    size_t size;
} tape;

static void put(tape *t, const void *bytes, size_t size) {
    if (t->out && size > 0)
        memcpy(t->out + t->size, bytes, size);
    t->size += size;
}

static void put_u16(tape *t, uint32_t value) {
    uint16_t narrow = (uint16_t)value;
    put(t, &narrow, sizeof narrow);
}

static void put_u32(tape *t, uint64_t value) {
    uint32_t narrow = (uint32_t)value;
    put(t, &narrow, sizeof narrow);
}

static void put_u64(tape *t, uint64_t value) {
    put(t, &value, sizeof value);
}

/* The field's value, which sends to ZIP64 what does not fit. */
static uint64_t narrow32(uint64_t value) {
    return value < ZIP_MAX32 ? value : ZIP_MAX32;
}

static void put_kept(tape *t, tqi_zip_extra extra, bool realign) {
    t->size += tqi_zip_extra_keep(extra, realign, t->out ? t->out + t->size : NULL);
}

/* ---- a replaced member's own header ---- */

static bool is_aligned(const tqi_zip_change *change) {
    return !change->deflated && change->alignment > 1;
}

static bool is_wide(const tqi_zip_change *change) {
    return change->size >= ZIP_MAX32 || tqi_zip_payload_size(change) >= ZIP_MAX32;
}

static void put_local_extra(tape *t, const tqi_zip_layout *layout, uint32_t member,
                            uint32_t padding) {
    const tqi_zip_change *change = &layout->changes[member];
    if (is_wide(change)) { /* both sizes, whichever wants it */
        put_u16(t, ZIP_EXTRA_ZIP64);
        put_u16(t, 16);
        put_u64(t, change->size);
        put_u64(t, tqi_zip_payload_size(change));
    }
    if (padding > 0) {
        put_u16(t, ZIP_EXTRA_ALIGNMENT);
        put_u16(t, padding - ZIP_EXTRA_HEADER);
        put_u16(t, change->alignment);
        for (uint32_t i = ZIP_EXTRA_HEADER + 2; i < padding; i++)
            put(t, "", 1);
    }
    /* last, since it may end with bytes that are no field */
    put_kept(t, tqi_zip_extra_of(layout->zip, layout->zip->members[member].local_extra),
             is_aligned(change));
}

size_t tqi_zip_local_extra_size(const tqi_zip_layout *layout, uint32_t member) {
    tape t = {NULL, 0};
    put_local_extra(&t, layout, member, 0);
    return t.size;
}

/* No level means the usual one, and of a stored member nothing. */
static uint32_t new_flags(const tqi_zip_member *m) {
    return m->flags & ~(uint32_t)(ZIP_FLAG_LEVEL | ZIP_FLAG_DESCRIPTOR);
}

static uint32_t new_method(const tqi_zip_change *change) {
    return change->deflated ? ZIP_DEFLATED : ZIP_STORED;
}

static uint32_t version_needed(const tqi_zip_member *m, const tqi_zip_change *change, bool wide) {
    uint32_t needed = m->needed;
    if (change->replaced && change->deflated && needed < ZIP_NEEDS_INFLATE)
        needed = ZIP_NEEDS_INFLATE;
    return wide && needed < ZIP_NEEDS_ZIP64 ? ZIP_NEEDS_ZIP64 : needed;
}

size_t tqi_zip_make_local(const tqi_zip_layout *layout, uint32_t member, uint32_t crc,
                          uint8_t *out) {
    const tqi_zip_member *m = &layout->zip->members[member];
    const tqi_zip_change *change = &layout->changes[member];
    bool wide = is_wide(change);
    uint32_t padding = layout->places[member].padding;
    tape t = {out, 0};
    put_u32(&t, ZIP_LOCAL);
    put_u16(&t, version_needed(m, change, wide));
    put_u16(&t, new_flags(m));
    put_u16(&t, new_method(change));
    put_u16(&t, m->time);
    put_u16(&t, m->date);
    put_u32(&t, crc);
    put_u32(&t, wide ? ZIP_MAX32 : tqi_zip_payload_size(change));
    put_u32(&t, wide ? ZIP_MAX32 : change->size);
    put_u16(&t, m->name_size);
    put_u16(&t, (uint32_t)tqi_zip_local_extra_size(layout, member) + padding);
    put(&t, m->name, m->name_size);
    put_local_extra(&t, layout, member, padding);
    return t.size;
}

/* ---- a record of the directory ---- */

typedef struct central_values {
    uint64_t unpacked, packed, offset;
} central_values;

static central_values values_of(const tqi_zip_layout *layout, uint32_t member) {
    const tqi_zip_member *m = &layout->zip->members[member];
    const tqi_zip_change *change = &layout->changes[member];
    central_values values = {m->size, m->packed_size, layout->places[member].offset};
    if (change->replaced) {
        values.unpacked = change->size;
        values.packed = tqi_zip_payload_size(change);
    }
    return values;
}

/* ZIP64's field holds just what does not fit elsewhere, in this order. */
static uint32_t put_wide_values(tape *t, const central_values *values) {
    const uint64_t all[] = {values->unpacked, values->packed, values->offset};
    uint32_t n = 0;
    for (int i = 0; i < 3; i++)
        n += all[i] >= ZIP_MAX32;
    if (n == 0)
        return 0;
    put_u16(t, ZIP_EXTRA_ZIP64);
    put_u16(t, 8 * n);
    for (int i = 0; i < 3; i++)
        if (all[i] >= ZIP_MAX32)
            put_u64(t, all[i]);
    return n;
}

static size_t put_central_extra(tape *t, const tqi_zip_layout *layout, uint32_t member) {
    central_values values = values_of(layout, member);
    size_t before = t->size;
    put_wide_values(t, &values);
    put_kept(t, tqi_zip_extra_of(layout->zip, layout->zip->members[member].central_extra), false);
    return t->size - before;
}

bool tqi_zip_central_fits(const tqi_zip_layout *layout, uint32_t member) {
    tape t = {NULL, 0};
    return put_central_extra(&t, layout, member) <= ZIP_MAX16;
}

/* A member that only moved: nothing but its offset changes. */
static size_t move_central(const tqi_zip_layout *layout, uint32_t member, uint8_t *out) {
    const tqi_zip_member *m = &layout->zip->members[member];
    uint64_t offset = layout->places[member].offset;
    if (!out)
        return (size_t)m->central.size;
    uint8_t *field = out + (m->offset_field - m->central.offset);
    memcpy(out, tqi_zip_at(layout->zip, m->central.offset), (size_t)m->central.size);
    if (m->wide_offset)
        tqi_store_u64(field, offset);
    else
        tqi_store_u32(field, (uint32_t)offset);
    return (size_t)m->central.size;
}

size_t tqi_zip_make_central(const tqi_zip_layout *layout, uint32_t member, uint32_t crc,
                            uint8_t *out) {
    const tqi_zip_member *m = &layout->zip->members[member];
    const tqi_zip_change *change = &layout->changes[member];
    bool replaced = change->replaced;
    central_values values = values_of(layout, member);
    if (!replaced && (m->wide_offset || values.offset < ZIP_MAX32))
        return move_central(layout, member, out);
    tape t = {NULL, 0};
    uint32_t wide = put_wide_values(&t, &values);
    t = (tape){NULL, 0};
    uint32_t extra = (uint32_t)put_central_extra(&t, layout, member);
    t = (tape){out, 0};
    put_u32(&t, ZIP_CENTRAL);
    put_u16(&t, m->made_by);
    put_u16(&t, version_needed(m, change, wide > 0));
    put_u16(&t, replaced ? new_flags(m) : m->flags);
    put_u16(&t, replaced ? new_method(change) : m->method);
    put_u16(&t, m->time);
    put_u16(&t, m->date);
    put_u32(&t, replaced ? crc : m->crc);
    put_u32(&t, narrow32(values.packed));
    put_u32(&t, narrow32(values.unpacked));
    put_u16(&t, m->name_size);
    put_u16(&t, extra);
    put_u16(&t, (uint32_t)m->comment.size);
    put_u16(&t, 0); /* disk */
    put_u16(&t, m->internal_attributes);
    put_u32(&t, m->external_attributes);
    put_u32(&t, narrow32(values.offset));
    put(&t, m->name, m->name_size);
    put_central_extra(&t, layout, member);
    put(&t, tqi_zip_at(layout->zip, m->comment.offset), (size_t)m->comment.size);
    return t.size;
}

/* ---- the end records ---- */

static void put_new_end64(tape *t, const tqi_zip_layout *layout) {
    put_u32(t, ZIP_END64);
    put_u64(t, ZIP_END64_SIZE - END64_LENGTH - 8);
    put_u16(t, ZIP_NEEDS_ZIP64);
    put_u16(t, ZIP_NEEDS_ZIP64);
    put_u32(t, 0); /* disks */
    put_u32(t, 0);
    put_u64(t, layout->zip->n_members);
    put_u64(t, layout->zip->n_members);
    put_u64(t, layout->directory_size);
    put_u64(t, layout->directory_offset);
    put_u32(t, ZIP_LOCATOR);
    put_u32(t, 0); /* disk */
    put_u64(t, layout->end64_offset);
    put_u32(t, 1); /* disks */
}

static void put_old_end64(tape *t, const tqi_zip_layout *layout) {
    const tqi_zip *zip = layout->zip;
    uint8_t *out = t->out ? t->out + t->size : NULL;
    put(t, tqi_zip_at(zip, zip->end64.offset), (size_t)zip->end64.size);
    put(t, tqi_zip_at(zip, zip->locator.offset), (size_t)zip->locator.size);
    if (!out)
        return;
    tqi_store_u64(out + END64_SIZE, layout->directory_size);
    tqi_store_u64(out + END64_OFFSET, layout->directory_offset);
    tqi_store_u64(out + zip->end64.size + LOCATOR_OFFSET, layout->end64_offset);
}

/* A field that ZIP64's stands in for stays so. */
static void patch_u32(uint8_t *field, uint64_t value, bool wide) {
    if (!wide || tqi_load_u32(field) != ZIP_MAX32)
        tqi_store_u32(field, (uint32_t)narrow32(value));
}

size_t tqi_zip_make_ending(const tqi_zip_layout *layout, uint8_t *out) {
    const tqi_zip *zip = layout->zip;
    tape t = {out, 0};
    if (zip->end64.size > 0)
        put_old_end64(&t, layout);
    else if (layout->directory_size >= ZIP_MAX32 || layout->directory_offset >= ZIP_MAX32)
        put_new_end64(&t, layout);
    uint8_t *end = out ? out + t.size : NULL;
    put(&t, tqi_zip_at(zip, zip->end.offset), (size_t)zip->end.size);
    if (end) {
        patch_u32(end + END_SIZE, layout->directory_size, zip->end64.size > 0);
        patch_u32(end + END_OFFSET, layout->directory_offset, zip->end64.size > 0);
    }
    return t.size;
}
