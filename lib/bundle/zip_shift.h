/* SPDX-License-Identifier: Apache-2.0 */
/* An archive that stays as it is, but not where it was in its file. */
#ifndef TQI_BUNDLE_ZIP_SHIFT_H
#define TQI_BUNDLE_ZIP_SHIFT_H

#include "bundle/zip_read.h"

/* Little-endian bytes that change. */
typedef struct tqi_zip_patch {
    uint64_t at; /* in the archive's range */
    uint32_t size;
    uint64_t value;
} tqi_zip_patch;

/* By how many bytes it moves towards the end of the file. Sets *patches, in the order of their
 * place, in the arena; none where offsets are counted from the archive itself. */
tq_status tqi_zip_shift(const tqi_zip *zip, int64_t delta, tqi_arena *arena,
                        tqi_zip_patch **patches, uint32_t *n_patches, tq_error *error);

#endif
