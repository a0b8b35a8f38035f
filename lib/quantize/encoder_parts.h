/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds of encoders have in common; for them only. */
#ifndef TQI_QUANTIZE_ENCODER_PARTS_H
#define TQI_QUANTIZE_ENCODER_PARTS_H

#include "base/checked.h"
#include "quantize/encoder.h"

/* Bytes of the source that a tile reads: enough to make a system call worth it. */
enum { TQI_ENCODER_TILE = 2 * 1024 * 1024, TQI_ENCODER_LINE = 64 };

static inline uint8_t *tqi_behind(void *scratch, uint64_t bytes) {
    return (uint8_t *)scratch + tqi_align_up(bytes, TQI_ENCODER_LINE);
}

/* Notes why, and returns TQI_NOT_ENCODABLE. */
tq_status tqi_encoder_refuse(tqi_encoder *encoder, uint32_t reason);
/* Elements [at, at + n) of the source; the scratch keeps room for `n` in front. */
tq_status tqi_encoder_fetch(const tqi_encoder *encoder, uint64_t at, uint64_t n, void *scratch,
                            const uint8_t **x, tq_error *error);
/* They have been read. */
void tqi_encoder_done(const tqi_encoder *encoder, uint64_t at, uint64_t n);
/* Tile `index`: `n` elements from `at`. */
void tqi_encoder_range(const tqi_encoder *encoder, uint32_t index, uint64_t *at, uint64_t *n);

/* Unpacks a sparse source whole. The scratch holds, one behind the other: stored values, their
 * places, the dense tensor; there is room for the result behind that. */
uint64_t tqi_encoder_sparse_scratch(const tqi_encoder *encoder);
tq_status tqi_encoder_unpack(const tqi_encoder *encoder, void *scratch, uint8_t **dense,
                             tq_error *error);

#endif
