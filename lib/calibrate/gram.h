/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of outer products p p^T. Every element is summed in the order of the patches, in blocks of
 * float32 that are added up. A block is packed: [panel][patch][16 elements]. tqi_algebra adds it to
 * the lower triangle of a matrix. */
#ifndef TQI_CALIBRATE_GRAM_H
#define TQI_CALIBRATE_GRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    TQI_GRAM_BLOCK = 64, /* patches at a time */
    TQI_GRAM_PANEL = 16, /* elements of a patch that lie together when packed */
};

/* Floats of a block of packed patches. */
static inline size_t tqi_gram_packed(size_t length) {
    return (length + TQI_GRAM_PANEL - 1) / TQI_GRAM_PANEL * TQI_GRAM_PANEL * TQI_GRAM_BLOCK;
}

/* Elements of a symmetric matrix: row i holds columns 0 to i. */
static inline uint64_t tqi_triangle(uint64_t length) {
    return length * (length + 1) / 2;
}

/* Puts patch number `at` of a block into place: `taps` runs of `share` floats, `stride` apart. */
void tqi_gram_pack(float *packed, const float *patch, size_t taps, size_t share, size_t stride,
                   size_t at);

/* The same for many short patches at once, one for each channel: patches [tap][channel], packed
 * [panel of channels][patch][tap][16 channels], and gram[triangle of taps][channel]. */
static inline size_t tqi_gram_packed_channels(size_t taps, size_t channels) {
    return tqi_gram_packed(channels) * taps;
}
void tqi_gram_pack_channels(float *packed, const float *patch, size_t taps, size_t channels,
                            size_t at);

#endif
