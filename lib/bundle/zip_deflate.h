/* SPDX-License-Identifier: Apache-2.0 */
/* A sequential sink that deflates what it gets into another sink, as a ZIP's members are. The same
 * content gives the same bytes, in whatever pieces it comes. */
#ifndef TQI_BUNDLE_ZIP_DEFLATE_H
#define TQI_BUNDLE_ZIP_DEFLATE_H

#include "io/sink.h"

typedef struct tqi_zip_deflater tqi_zip_deflater;

typedef struct tqi_zip_deflate {
    tqi_sink base;
    tqi_sink *inner;
    uint64_t shift; /* the first packed byte in `inner` */
    tqi_heap *heap;
    uint64_t size, packed_size; /* so far; of all after tqi_zip_deflate_end() */
    uint32_t crc;               /* of the content, then too */
    tqi_zip_deflater *state;
} tqi_zip_deflate;

/* The null sink as `inner` only finds the packed size. Free it also after a failure. */
tq_status tqi_zip_deflate_init(tqi_zip_deflate *deflate, tqi_sink *inner, uint64_t shift,
                               tqi_heap *heap, tq_error *error);
/* What is still held goes out: call it once, after the last byte. */
tq_status tqi_zip_deflate_end(tqi_zip_deflate *deflate, tq_error *error);
void tqi_zip_deflate_free(tqi_zip_deflate *deflate);

#endif
