/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle/zip_deflate.h"

#include <string.h>
#include <zlib.h>

#include "base/checked.h"
#include "base/error.h"
#include "bundle/zip_memory.h"

enum { LEVEL = 6, MEMORY_LEVEL = 8 };

struct tqi_zip_deflater {
    z_stream stream;
    size_t held;           /* bytes of `in` */
    uint8_t in[64 * 1024]; /* zlib gets it full, so that the pieces written make no difference */
    uint8_t out[64 * 1024];
};

/* Packs what is held. */
static tq_status pack(tqi_zip_deflate *d, int flush, tq_error *error) {
    tqi_zip_deflater *state = d->state;
    z_stream *stream = &state->stream;
    stream->next_in = state->in;
    stream->avail_in = (uInt)state->held;
    state->held = 0;
    int code;
    do {
        stream->next_out = state->out;
        stream->avail_out = sizeof state->out;
        code = deflate(stream, flush);
        if (code == Z_STREAM_ERROR)
            return tqi_fail(error, TQ_ERR_INTERNAL, "zlib refuses to deflate");
        size_t n = sizeof state->out - stream->avail_out;
        if (n > 0)
            TQI_TRY(d->inner->write(d->inner, d->shift + d->packed_size, state->out, n, error));
        d->packed_size += n;
    } while (stream->avail_out == 0);
    return TQ_OK;
}

static tq_status write_deflated(tqi_sink *base, uint64_t offset, const void *data, size_t size,
                                tq_error *error) {
    tqi_zip_deflate *d = (tqi_zip_deflate *)base;
    tqi_zip_deflater *state = d->state;
    const uint8_t *bytes = data;
    if (offset != d->size)
        return tqi_fail_at(error, TQ_ERR_INTERNAL, offset,
                           "a member to be deflated is not written in order");
    while (size > 0) {
        size_t n = (size_t)tqi_min_u64(size, sizeof state->in - state->held);
        memcpy(state->in + state->held, bytes, n);
        d->crc = (uint32_t)crc32(d->crc, bytes, (uInt)n);
        state->held += n;
        d->size += n;
        bytes += n;
        size -= n;
        if (state->held == sizeof state->in)
            TQI_TRY(pack(d, Z_NO_FLUSH, error));
    }
    return TQ_OK;
}

tq_status tqi_zip_deflate_init(tqi_zip_deflate *deflate, tqi_sink *inner, uint64_t shift,
                               tqi_heap *heap, tq_error *error) {
    *deflate = (tqi_zip_deflate){
        .base = {true, write_deflated}, .inner = inner, .shift = shift, .heap = heap};
    deflate->state = tqi_alloc(heap, sizeof *deflate->state);
    if (!deflate->state)
        return tqi_no_memory(heap, sizeof *deflate->state, error);
    deflate->state->held = 0;
    deflate->state->stream =
        (z_stream){.zalloc = tqi_zip_allocate, .zfree = tqi_zip_release, .opaque = heap};
    int code = deflateInit2(&deflate->state->stream, LEVEL, Z_DEFLATED, -MAX_WBITS, MEMORY_LEVEL,
                            Z_DEFAULT_STRATEGY);
    if (code == Z_MEM_ERROR)
        return tqi_no_memory(heap, 1 << 18, error);
    if (code != Z_OK)
        return tqi_fail(error, TQ_ERR_INTERNAL, "zlib can't be set up to deflate");
    return TQ_OK;
}

tq_status tqi_zip_deflate_end(tqi_zip_deflate *deflate, tq_error *error) {
    return pack(deflate, Z_FINISH, error);
}

void tqi_zip_deflate_free(tqi_zip_deflate *deflate) {
    if (!deflate->state)
        return;
    deflateEnd(&deflate->state->stream); /* also of one that could not be set up */
    tqi_free(deflate->heap, deflate->state, sizeof *deflate->state);
    deflate->state = NULL;
}
