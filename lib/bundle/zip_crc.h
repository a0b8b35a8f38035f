/* SPDX-License-Identifier: Apache-2.0 */
/* A sink that passes everything on, shifted, and finds the CRC-32 of what went through, in
 * whatever order and from however many threads it came. */
#ifndef TQI_BUNDLE_ZIP_CRC_H
#define TQI_BUNDLE_ZIP_CRC_H

#include <stdatomic.h>

#include "io/sink.h"

/* A CRC is linear: what a piece adds to that of the whole depends on its bytes and on how many
 * follow, not on other pieces. So no piece must be remembered, and no order kept. */
typedef struct tqi_zip_crc {
    tqi_sink base;
    tqi_sink *inner;
    uint64_t shift; /* byte 0 of this sink in `inner` */
    uint64_t size;
    _Atomic uint32_t sum;
} tqi_zip_crc;

/* For `size` bytes at `shift` of `inner`, no byte twice; bytes never written count as
 * zeros. Sequential where `inner` is. */
void tqi_zip_crc_init(tqi_zip_crc *crc, tqi_sink *inner, uint64_t shift, uint64_t size);

/* Of all `size` bytes, once they are written. */
uint32_t tqi_zip_crc_result(const tqi_zip_crc *crc);

#endif
