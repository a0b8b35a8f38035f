/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle/zip_write.h"

#include "base/checked.h"
#include "bundle/zip_format.h"
#include "bundle/zip_private.h"
#include "bundle/zip_records.h"

enum { COPY_STEP = 1024 * 1024 };

static tq_status put(const tqi_zip_write *write, uint64_t offset, const void *bytes, size_t size,
                     tq_error *error) {
    TQI_TRY(write->sink->write(write->sink, offset, bytes, size, error));
    return write->tick ? write->tick(write->opaque, size, error) : TQ_OK;
}

static tq_status copy(const tqi_zip_write *write, const tqi_zip_piece *piece, uint8_t *scratch,
                      tq_error *error) {
    const tqi_source *source = write->layout->zip->source;
    for (uint64_t done = 0; done < piece->size;) {
        const uint8_t *bytes;
        size_t n = (size_t)tqi_min_u64(COPY_STEP, piece->size - done);
        TQI_TRY(tqi_source_fetch(source, piece->from + done, n, scratch, &bytes, error));
        TQI_TRY(put(write, piece->offset + done, bytes, n, error));
        tqi_source_done(source, piece->from + done, n);
        done += n;
    }
    return TQ_OK;
}

static size_t room_for(const tqi_zip_piece *piece) {
    return (size_t)(piece->kind == TQI_ZIP_COPY ? tqi_min_u64(COPY_STEP, piece->size)
                                                : piece->size);
}

static tq_status put_piece(const tqi_zip_write *write, const tqi_zip_piece *piece, uint8_t *scratch,
                           tq_error *error) {
    const tqi_zip_layout *layout = write->layout;
    uint32_t crc = 0;
    if (piece->kind == TQI_ZIP_COPY)
        return copy(write, piece, scratch, error);
    if (layout->n_payloads > 0)
        crc = write->crcs[layout->places[piece->member].payload];
    memset(scratch, 0, (size_t)piece->size);
    if (piece->kind == TQI_ZIP_LOCAL)
        tqi_zip_make_local(layout, piece->member, crc, scratch);
    if (piece->kind == TQI_ZIP_CENTRAL)
        tqi_zip_make_central(layout, piece->member, crc, scratch);
    if (piece->kind == TQI_ZIP_ENDING)
        tqi_zip_make_ending(layout, scratch);
    return put(write, piece->offset, scratch, (size_t)piece->size, error);
}

tq_status tqi_zip_write_part(const tqi_zip_write *write, uint32_t part, tq_error *error) {
    const tqi_zip_layout *layout = write->layout;
    uint32_t first = part > 0 ? layout->payloads[part - 1].piece + 1 : 0;
    uint32_t end = part < layout->n_payloads ? layout->payloads[part].piece : layout->n_pieces;
    size_t room = 0;
    for (uint32_t i = first; i < end; i++)
        if (room_for(&layout->pieces[i]) > room)
            room = room_for(&layout->pieces[i]);
    uint8_t *scratch = tqi_alloc(write->heap, room);
    if (!scratch)
        return tqi_no_memory(write->heap, room, error);
    tq_status status = TQ_OK;
    for (uint32_t i = first; i < end && status == TQ_OK; i++)
        status = put_piece(write, &layout->pieces[i], scratch, error);
    tqi_free(write->heap, scratch, room);
    return status;
}

tq_status tqi_zip_write_frame(const tqi_zip_write *write, tq_error *error) {
    for (uint32_t part = 0; part <= write->layout->n_payloads; part++)
        TQI_TRY(tqi_zip_write_part(write, part, error));
    return TQ_OK;
}
