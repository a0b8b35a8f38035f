/* SPDX-License-Identifier: Apache-2.0 */
/* The associated files behind a flatbuffer: a ZIP whose offsets may count from the start of the
 * file. Such ones have to follow when it comes to be at another place. */
#ifndef TQI_TFLITE_APPENDED_ZIP_H
#define TQI_TFLITE_APPENDED_ZIP_H

#include "bundle/zip_read.h"
#include "tflite/content.h"

/* Sets *zip, in the arena; NULL: what is there only looks like a ZIP. */
tq_status tqi_appended_zip_open(const tqi_zip **zip, tqi_source *source, uint64_t offset,
                                uint64_t size, tqi_arena *arena, tq_error *error);

enum { TQI_APPENDED_ZIP_PIECES = 5 };

/* The archive for byte `to` of the new file. Sets contents[0] to contents[*n - 1], one behind the
 * other; they borrow from the source and the arena. */
tq_status tqi_appended_zip_move(const tqi_zip *zip, uint64_t to, tqi_arena *arena,
                                tqi_content contents[TQI_APPENDED_ZIP_PIECES], uint32_t *n,
                                tq_error *error);

#endif
