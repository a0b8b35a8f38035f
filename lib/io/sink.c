/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sink.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"

static tq_status write_null(tqi_sink *sink, uint64_t offset, const void *data, size_t size,
                            tq_error *error) {
    (void)sink;
    (void)offset;
    (void)data;
    (void)size;
    (void)error;
    return TQ_OK;
}

void tqi_sink_null(tqi_sink *sink) {
    *sink = (tqi_sink){false, write_null};
}

static tq_status write_callback(tqi_sink *base, uint64_t offset, const void *data, size_t size,
                                tq_error *error) {
    tqi_callback_sink *sink = (tqi_callback_sink *)base;
    int32_t code = sink->user.write(sink->user.opaque, data, size);
    if (code != 0)
        return tqi_fail_system(error, TQ_ERR_WRITE, code,
                               "the sink refused %zu bytes at byte %" PRIu64, size, offset);
    return TQ_OK;
}

void tqi_sink_callback(tqi_callback_sink *sink, const tq_sink *user) {
    *sink = (tqi_callback_sink){{true, write_callback}, *user};
}

static tq_status write_memory(tqi_sink *base, uint64_t offset, const void *data, size_t size,
                              tq_error *error) {
    (void)error;
    memcpy(((tqi_memory_sink *)base)->data + offset, data, size);
    return TQ_OK;
}

void tqi_sink_memory(tqi_memory_sink *sink, uint8_t *data, uint64_t size) {
    *sink = (tqi_memory_sink){{false, write_memory}, data, size};
}
