/* SPDX-License-Identifier: Apache-2.0 */
/* Where a model's bytes come from: memory, a mapped file, the caller's callback, of which
 * only what is looked at is held in memory, or a part of another source. */
#ifndef TQI_IO_SOURCE_H
#define TQI_IO_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"

typedef struct tqi_source tqi_source;
struct tqi_source {
    const uint8_t *data; /* addressable; of a callback, only what was loaded */
    uint64_t size;
    int fd; /* -1: not a file */
    uint64_t device, inode;
    tq_source user; /* a callback where `read` is not NULL */
    tqi_heap *heap;
    uint8_t *loaded; /* callback: a bit for each block of `data` */
    uint64_t charged;
    tqi_source *whole; /* of which this is a part, or NULL */
    uint64_t start;    /* its first byte there */
};

void tqi_source_memory(tqi_source *source, const void *data, uint64_t size);
tq_status tqi_source_open(tqi_source *source, const char *path, tq_error *error);
tq_status tqi_source_callback(tqi_source *source, const tq_source *user, tqi_heap *heap,
                              tq_error *error);
/* The range is in `whole`, which must outlive the part. */
void tqi_source_part(tqi_source *part, tqi_source *whole, uint64_t offset, uint64_t size);
void tqi_source_close(tqi_source *source);

/* Makes data[offset] and on addressable, for good; the range is in the file. */
tq_status tqi_source_load(tqi_source *source, uint64_t offset, uint64_t size, tq_error *error);

/* Bulk data: sets *bytes to `size` bytes from `offset`, which the caller knows to be in
 * range, and which stay there until tqi_source_done() for the same range. Safe from
 * several threads. `scratch` has room for `size` bytes, in case they must be read. */
tq_status tqi_source_fetch(const tqi_source *source, uint64_t offset, size_t size, void *scratch,
                           const uint8_t **bytes, tq_error *error);
void tqi_source_done(const tqi_source *source, uint64_t offset, size_t size);

#endif
