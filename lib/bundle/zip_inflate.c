/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle/zip_inflate.h"

#define ZLIB_CONST
#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "base/checked.h"
#include "bundle/zip_format.h"
#include "bundle/zip_memory.h"
#include "bundle/zip_private.h"

enum { INPUT = 64 * 1024, OUTPUT = 256 * 1024, STORED_PIECE = 1024 * 1024 };

typedef struct reader {
    const tqi_zip *zip;
    const tqi_zip_member *member;
    tqi_heap *heap;
    tqi_zip_taker take;
    void *opaque;
    uint64_t taken; /* bytes of the content */
    uint32_t crc;
    tq_error *error;
} reader;

static tq_status hand_over(reader *r, const uint8_t *bytes, size_t size) {
    r->crc = (uint32_t)crc32(r->crc, bytes, (uInt)size);
    r->taken += size;
    return r->take && size > 0 ? r->take(r->opaque, bytes, size, r->error) : TQ_OK;
}

static tq_status check(const reader *r) {
    const tqi_zip_member *m = r->member;
    if (r->taken != m->size)
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, m->data.offset, r->error,
                              "it holds %" PRIu64 " bytes, not %" PRIu64, r->taken, m->size);
    if (r->crc != m->crc)
        return tqi_zip_refuse(m, TQ_ERR_CORRUPT, m->data.offset, r->error,
                              "its CRC is %08" PRIx32 ", not %08" PRIx32, r->crc, m->crc);
    return TQ_OK;
}

/* ---- stored ---- */

static tq_status read_stored(reader *r, void *scratch, size_t room) {
    const tqi_zip_range *data = &r->member->data;
    for (uint64_t done = 0; done < data->size;) {
        const uint8_t *bytes;
        size_t n = (size_t)tqi_min_u64(room, data->size - done);
        TQI_TRY(
            tqi_source_fetch(r->zip->source, data->offset + done, n, scratch, &bytes, r->error));
        TQI_TRY(hand_over(r, bytes, n));
        tqi_source_done(r->zip->source, data->offset + done, n);
        done += n;
    }
    return TQ_OK;
}

/* ---- deflated ---- */

static tq_status explain(const reader *r, const z_stream *stream, int code, uint64_t done) {
    const tqi_zip_member *m = r->member;
    if (code == Z_MEM_ERROR)
        return tqi_no_memory(r->heap, 1 << MAX_WBITS, r->error);
    return tqi_zip_refuse(m, TQ_ERR_CORRUPT, m->data.offset + done, r->error,
                          "can't be inflated: %s",
                          stream->msg ? stream->msg : "its data breaks off");
}

/* All that the input at hand gives. *ended: so did the stream. */
static tq_status inflate_piece(reader *r, z_stream *stream, uint8_t *out, uint64_t done,
                               bool *ended) {
    do {
        stream->next_out = out;
        stream->avail_out = OUTPUT;
        int code = inflate(stream, Z_NO_FLUSH);
        size_t n = OUTPUT - stream->avail_out;
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return explain(r, stream, code, done - stream->avail_in);
        if (n > r->member->size - r->taken)
            return tqi_zip_refuse(r->member, TQ_ERR_CORRUPT, r->member->data.offset, r->error,
                                  "it holds more than the %" PRIu64 " bytes that it claims",
                                  r->member->size);
        TQI_TRY(hand_over(r, out, n));
        *ended = code == Z_STREAM_END;
    } while (!*ended && stream->avail_out == 0);
    return TQ_OK;
}

static tq_status inflate_all(reader *r, z_stream *stream, uint8_t *in, uint8_t *out) {
    const tqi_zip_range *data = &r->member->data;
    bool ended = false;
    uint64_t done = 0;
    while (!ended && done < data->size) {
        size_t n = (size_t)tqi_min_u64(INPUT, data->size - done);
        const uint8_t *bytes;
        TQI_TRY(tqi_source_fetch(r->zip->source, data->offset + done, n, in, &bytes, r->error));
        stream->next_in = bytes;
        stream->avail_in = (uInt)n;
        TQI_TRY(inflate_piece(r, stream, out, done + n, &ended));
        tqi_source_done(r->zip->source, data->offset + done, n);
        done += n;
    }
    if (!ended)
        return explain(r, stream, Z_DATA_ERROR, done);
    if (done != data->size || stream->avail_in != 0)
        return tqi_zip_refuse(r->member, TQ_ERR_CORRUPT, data->offset + done - stream->avail_in,
                              r->error, "its deflated data ends before its packed size");
    return TQ_OK;
}

static tq_status read_deflated(reader *r, uint8_t *scratch) {
    z_stream stream = {.zalloc = tqi_zip_allocate, .zfree = tqi_zip_release, .opaque = r->heap};
    int code = inflateInit2(&stream, -MAX_WBITS);
    if (code != Z_OK)
        return explain(r, &stream, code, 0);
    tq_status status = inflate_all(r, &stream, scratch, scratch + INPUT);
    inflateEnd(&stream);
    return status;
}

/* ---- both ---- */

tq_status tqi_zip_read(const tqi_zip *zip, const tqi_zip_member *member, tqi_heap *heap,
                       tqi_zip_taker take, void *opaque, tq_error *error) {
    reader r = {zip, member, heap, take, opaque, 0, 0, error};
    /* some writers call an empty member deflated and give it no data at all */
    bool stored = member->method == ZIP_STORED || member->packed_size == 0;
    size_t room = stored ? (size_t)tqi_min_u64(STORED_PIECE, member->packed_size) : INPUT + OUTPUT;
    uint8_t *scratch = tqi_alloc(heap, room);
    if (!scratch)
        return tqi_no_memory(heap, room, error);
    tq_status status = stored ? read_stored(&r, scratch, room) : read_deflated(&r, scratch);
    tqi_free(heap, scratch, room);
    return status == TQ_OK ? check(&r) : status;
}

static tq_status append(void *opaque, const uint8_t *bytes, size_t size, tq_error *error) {
    uint8_t **at = opaque;
    (void)error;
    memcpy(*at, bytes, size);
    *at += size;
    return TQ_OK;
}

tq_status tqi_zip_read_into(const tqi_zip *zip, const tqi_zip_member *member, tqi_heap *heap,
                            uint8_t *memory, tq_error *error) {
    return tqi_zip_read(zip, member, heap, append, &memory, error);
}
