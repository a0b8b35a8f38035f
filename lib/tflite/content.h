/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a buffer: bytes of the source file, bytes made here, or the result of
 * converting some of them, which is made tile by tile while the file is written. */
#ifndef TQI_TFLITE_CONTENT_H
#define TQI_TFLITE_CONTENT_H

#include "base/error.h"
#include "base/heap.h"
#include "io/source.h"

/* Internal status: the data can't be encoded as planned (NaN, out of range). The producer
 * has noted why; who planned it has to plan anew. */
enum { TQI_NOT_ENCODABLE = -1 };

typedef struct tqi_producer tqi_producer;
struct tqi_producer {
    uint64_t size;  /* bytes of the result */
    uint32_t tiles; /* pieces that can be made independently */
    size_t scratch; /* bytes of working memory that a tile (and measure) wants */
    /* Must run before any tile, or is NULL. */
    tq_status (*measure)(tqi_producer *producer, void *scratch, tq_error *error);
    /* Only where `measure` is NULL: fills in what the file's head needs (scales), for sinks
     * that want the head first. */
    tq_status (*peek)(tqi_producer *producer, void *scratch, tq_error *error);
    /* Sets *offset, *bytes, *size: a piece of the result. Different tiles may run at once. */
    tq_status (*tile)(tqi_producer *producer, uint32_t index, void *scratch, uint64_t *offset,
                      const uint8_t **bytes, size_t *size, tq_error *error);
};

typedef enum tqi_content_kind {
    TQI_CONTENT_NONE,
    TQI_CONTENT_FILE,
    TQI_CONTENT_MEMORY,
    TQI_CONTENT_PRODUCED,
} tqi_content_kind;

typedef struct tqi_content {
    tqi_content_kind kind;
    uint64_t size;
    uint64_t offset;     /* FILE */
    const void *memory;  /* MEMORY */
    tqi_producer *maker; /* PRODUCED */
} tqi_content;

#endif
