/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle/zip_extra.h"

#include "bundle/zip_format.h"

/* The next field with its header; false: what is left is no list of fields. */
static bool next_field(tqi_zip_extra *rest, tqi_zip_extra *field) {
    if (rest->size < ZIP_EXTRA_HEADER)
        return false;
    size_t size = ZIP_EXTRA_HEADER + (size_t)tqi_load_u16(rest->bytes + 2);
    if (size > rest->size)
        return false;
    *field = (tqi_zip_extra){rest->bytes, size};
    rest->bytes += size;
    rest->size -= size;
    return true;
}

bool tqi_zip_extra_find(tqi_zip_extra extra, uint16_t id, tqi_zip_extra *data) {
    tqi_zip_extra field;
    while (next_field(&extra, &field)) {
        if (tqi_load_u16(field.bytes) != id)
            continue;
        *data =
            (tqi_zip_extra){field.bytes + ZIP_EXTRA_HEADER, field.size - (size_t)ZIP_EXTRA_HEADER};
        return true;
    }
    return false;
}

static bool all_zero(tqi_zip_extra part) {
    for (size_t i = 0; i < part.size; i++)
        if (part.bytes[i] != 0)
            return false;
    return true;
}

static bool is_kept(tqi_zip_extra field, bool realign) {
    uint16_t id = tqi_load_u16(field.bytes);
    if (id == ZIP_EXTRA_ZIP64)
        return false;
    return !realign || (id != ZIP_EXTRA_ALIGNMENT && !all_zero(field));
}

static size_t copy(tqi_zip_extra part, uint8_t *out, size_t at) {
    if (out && part.size > 0)
        memcpy(out + at, part.bytes, part.size);
    return at + part.size;
}

size_t tqi_zip_extra_keep(tqi_zip_extra extra, bool realign, uint8_t *out) {
    size_t size = 0;
    tqi_zip_extra field;
    while (next_field(&extra, &field))
        if (is_kept(field, realign))
            size = copy(field, out, size);
    /* older aligners just put up to three zeros there */
    if (realign && all_zero(extra))
        return size;
    return copy(extra, out, size);
}
