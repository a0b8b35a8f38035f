/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite/appended_zip.h"

#include <string.h>

#include "base/bytes.h"
#include "bundle/zip_shift.h"

/* What a ZIP without 64-bit records can hold: more are not somebody's associated files. */
enum { MAX_MEMBERS = 65535 };

tq_status tqi_appended_zip_open(const tqi_zip **zip, tqi_source *source, uint64_t offset,
                                uint64_t size, tqi_arena *arena, tq_error *error) {
    const tqi_zip_limits limits = {.max_members = MAX_MEMBERS};
    tqi_zip *opened = NULL;
    tq_error why = TQ_ERROR_INIT;
    *zip = NULL;
    TQI_NEW(arena, &opened, 1, error);
    tq_status status = tqi_zip_open(opened, source, offset, size, &limits, arena, &why);
    if (status == TQ_ERR_CORRUPT || status == TQ_ERR_UNSUPPORTED || status == TQ_ERR_TOO_LARGE)
        return TQ_OK;
    if (status == TQ_OK)
        *zip = opened;
    else
        *error = why;
    return status;
}

typedef struct mover {
    const tqi_zip *zip;
    const tqi_zip_patch *patches; /* those not applied yet */
    uint32_t n_patches;
    tqi_arena *arena;
    tqi_content *contents;
    uint32_t n;
} mover;

static void keep(mover *mv, uint64_t offset, uint64_t end) {
    if (offset < end)
        mv->contents[mv->n++] =
            (tqi_content){.kind = TQI_CONTENT_FILE, .size = end - offset, .offset = offset};
}

static void apply(uint8_t *at, const tqi_zip_patch *patch) {
    if (patch->size == 8)
        tqi_store_u64(at, patch->value);
    else
        tqi_store_u32(at, (uint32_t)patch->value);
}

/* Records, which the archive holds in memory. */
static tq_status change(mover *mv, uint64_t offset, uint64_t end, tq_error *error) {
    uint8_t *bytes = NULL;
    if (offset == end)
        return TQ_OK;
    TQI_NEW(mv->arena, &bytes, end - offset, error);
    memcpy(bytes, mv->zip->source->data + offset, (size_t)(end - offset));
    for (; mv->n_patches > 0; mv->n_patches--, mv->patches++) {
        uint64_t at = mv->zip->whole.offset + mv->patches->at;
        if (at >= end)
            break;
        apply(bytes + (at - offset), mv->patches);
    }
    mv->contents[mv->n++] =
        (tqi_content){.kind = TQI_CONTENT_MEMORY, .size = end - offset, .memory = bytes};
    return TQ_OK;
}

tq_status tqi_appended_zip_move(const tqi_zip *zip, uint64_t to, tqi_arena *arena,
                                tqi_content contents[TQI_APPENDED_ZIP_PIECES], uint32_t *n,
                                tq_error *error) {
    mover mv = {.zip = zip, .arena = arena, .contents = contents};
    tqi_zip_patch *patches;
    uint64_t start = zip->whole.offset, end = start + zip->whole.size;
    TQI_TRY(tqi_zip_shift(zip, (int64_t)(to - start), arena, &patches, &mv.n_patches, error));
    mv.patches = patches;
    if (mv.n_patches == 0) {
        keep(&mv, start, end);
    } else {
        uint64_t directory_end = zip->directory.offset + zip->directory.size;
        uint64_t records = zip->end64.size > 0 ? zip->end64.offset : zip->end.offset;
        uint64_t records_end = zip->end.offset + zip->end.size;
        keep(&mv, start, zip->directory.offset);
        TQI_TRY(change(&mv, zip->directory.offset, directory_end, error));
        keep(&mv, directory_end, records);
        TQI_TRY(change(&mv, records, records_end, error));
        keep(&mv, records_end, end);
    }
    *n = mv.n;
    return TQ_OK;
}
