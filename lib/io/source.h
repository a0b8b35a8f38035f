/* SPDX-License-Identifier: Apache-2.0 */
/* Where a model's bytes come from. */
#ifndef TQI_IO_SOURCE_H
#define TQI_IO_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "tfquant/tfquant.h"

typedef struct tqi_source {
    const uint8_t *data; /* all of it, addressable */
    uint64_t size;
    int fd; /* -1: memory */
    uint64_t device, inode;
    const char *label; /* for messages; not owned */
} tqi_source;

void tqi_source_memory(tqi_source *source, const void *data, uint64_t size);
tq_status tqi_source_open(tqi_source *source, const char *path, tq_error *error);
void tqi_source_close(tqi_source *source);

/* Bulk data: sets *bytes to `size` bytes from `offset`, which the caller knows to be in
 * range, and which stay there until tqi_source_done() for the same range. Safe from
 * several threads. `scratch` has room for `size` bytes, in case they must be read. */
tq_status tqi_source_fetch(const tqi_source *source, uint64_t offset, size_t size, void *scratch,
                           const uint8_t **bytes, tq_error *error);
void tqi_source_done(const tqi_source *source, uint64_t offset, size_t size);

#endif
