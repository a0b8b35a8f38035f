/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle/zip_crc.h"

#include <zlib.h>

#include "base/checked.h"
#include "base/error.h"

enum { STEP = 1 << 30 }; /* fits zlib's lengths everywhere */

/* The register of a CRC after `zeros` more zero bytes. */
static uint32_t advance(uint32_t remainder, uint64_t zeros) {
    while (zeros > 0) {
        uint64_t n = tqi_min_u64(zeros, STEP);
        remainder = (uint32_t)crc32_combine(remainder, 0, (z_off_t)n);
        zeros -= n;
    }
    return remainder;
}

/* The register after these bytes, from 0: zlib's CRC is inverted before and after. */
static uint32_t remainder_of(const uint8_t *bytes, size_t size) {
    uLong crc = 0xffffffffu;
    while (size > 0) {
        size_t n = (size_t)tqi_min_u64(size, STEP);
        crc = crc32(crc, bytes, (uInt)n);
        bytes += n;
        size -= n;
    }
    return ~(uint32_t)crc;
}

static tq_status write_crc(tqi_sink *base, uint64_t offset, const void *data, size_t size,
                           tq_error *error) {
    tqi_zip_crc *crc = (tqi_zip_crc *)base;
    if (!tqi_in_range(offset, size, crc->size))
        return tqi_fail_at(error, TQ_ERR_INTERNAL, offset, "a member is written beyond its end");
    if (size == 0)
        return TQ_OK;
    uint32_t part = advance(remainder_of(data, size), crc->size - offset - size);
    atomic_fetch_xor(&crc->sum, part);
    return crc->inner->write(crc->inner, crc->shift + offset, data, size, error);
}

void tqi_zip_crc_init(tqi_zip_crc *crc, tqi_sink *inner, uint64_t shift, uint64_t size) {
    crc->base = (tqi_sink){inner->sequential, write_crc};
    crc->inner = inner;
    crc->shift = shift;
    crc->size = size;
    atomic_init(&crc->sum, 0);
}

uint32_t tqi_zip_crc_result(const tqi_zip_crc *crc) {
    return ~(advance(0xffffffffu, crc->size) ^ atomic_load(&crc->sum));
}
