/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle/zip_shift.h"

#include "bundle/zip_format.h"
#include "bundle/zip_private.h"

typedef struct list {
    const tqi_zip *zip;
    uint64_t delta; /* modulo 2^64 */
    tqi_zip_patch *patches;
    uint32_t n;
} list;

static tq_status add(list *l, uint64_t field, uint32_t size, tq_error *error) {
    const uint8_t *at = tqi_zip_at(l->zip, field);
    uint64_t value = (size == 8 ? tqi_load_u64(at) : tqi_load_u32(at)) + l->delta;
    if (size == 4 && value >= ZIP_MAX32)
        return tqi_fail_at(error, TQ_ERR_TOO_LARGE, field,
                           "the appended ZIP archive would begin beyond 4 GiB, which its "
                           "offsets can't tell");
    l->patches[l->n++] = (tqi_zip_patch){field - l->zip->whole.offset, size, value};
    return TQ_OK;
}

/* The offset in the end record says nothing where ZIP64's stands in. */
static tq_status add_end(list *l, tq_error *error) {
    const tqi_zip *zip = l->zip;
    uint64_t field = zip->end.offset + END_OFFSET;
    if (zip->end64.size > 0) {
        TQI_TRY(add(l, zip->end64.offset + END64_OFFSET, 8, error));
        TQI_TRY(add(l, zip->locator.offset + LOCATOR_OFFSET, 8, error));
        if (tqi_load_u32(tqi_zip_at(zip, field)) == ZIP_MAX32)
            return TQ_OK;
    }
    return add(l, field, 4, error);
}

tq_status tqi_zip_shift(const tqi_zip *zip, int64_t delta, tqi_arena *arena,
                        tqi_zip_patch **patches, uint32_t *n_patches, tq_error *error) {
    list l = {zip, (uint64_t)delta, NULL, 0};
    *patches = NULL;
    *n_patches = 0;
    if (!zip->from_file || delta == 0)
        return TQ_OK;
    TQI_NEW(arena, &l.patches, (uint64_t)zip->n_members + 3, error);
    for (uint32_t i = 0; i < zip->n_members; i++)
        TQI_TRY(add(&l, zip->members[i].offset_field, zip->members[i].wide_offset ? 8 : 4, error));
    TQI_TRY(add_end(&l, error));
    *patches = l.patches;
    *n_patches = l.n;
    return TQ_OK;
}
