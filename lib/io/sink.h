/* SPDX-License-Identifier: Apache-2.0 */
/* Where a saved model's bytes go. */
#ifndef TQI_IO_SINK_H
#define TQI_IO_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "io/source.h"

typedef struct tqi_sink tqi_sink;
struct tqi_sink {
    /* true: bytes must arrive in order; false: disjoint ranges may be written in any
     * order and from several threads, and what is never written is zero */
    bool sequential;
    tq_status (*write)(tqi_sink *sink, uint64_t offset, const void *data, size_t size,
                       tq_error *error);
};

/* Nothing is kept. */
void tqi_sink_null(tqi_sink *sink);

typedef struct tqi_callback_sink {
    tqi_sink base;
    tq_sink user;
} tqi_callback_sink;
void tqi_sink_callback(tqi_callback_sink *sink, const tq_sink *user);

/* `data` holds the whole output, zeroed. */
typedef struct tqi_memory_sink {
    tqi_sink base;
    uint8_t *data;
    uint64_t size;
} tqi_memory_sink;
void tqi_sink_memory(tqi_memory_sink *sink, uint8_t *data, uint64_t size);

/* A temporary file beside `path`, renamed by commit; abort removes it. */
typedef struct tqi_file_sink {
    tqi_sink base;
    int fd;
    bool overwrite;
    tqi_heap *heap;
    char *path; /* symbolic links resolved */
    char *temporary;
    size_t path_size, temporary_size;
} tqi_file_sink;
tq_status tqi_sink_file(tqi_file_sink *sink, tqi_heap *heap, const char *path, bool overwrite,
                        const tqi_source *source, tq_error *error);
tq_status tqi_sink_file_commit(tqi_file_sink *sink, bool sync, tq_error *error);
void tqi_sink_file_abort(tqi_file_sink *sink);

#endif
