/* SPDX-License-Identifier: Apache-2.0 */
/* The weights of an operator as the algorithms see them: rows (one output channel each) of taps
 * (the weights that one output value is a sum over), in whatever order the file has them. Rows
 * that see the same inputs are a group: all rows of a convolution, those of one input channel of
 * a depthwise one. Weight (group, row, tap) is at group * group_stride + row * row_stride +
 * tap * tap_stride; row number group * rows + row is its output channel. */
#ifndef TQI_QUANTIZE_WEIGHT_ROWS_H
#define TQI_QUANTIZE_WEIGHT_ROWS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tqi_weight_rows {
    size_t groups, rows, taps;
    size_t group_stride, row_stride, tap_stride;
    /* q stands for q * scale; a row has a scale for every `scale_block` taps, one for all if 0 */
    const float *scales; /* [groups * rows][tqi_scales_per_row()] */
    size_t scale_block;
} tqi_weight_rows;

/* Asked now and then in long runs; true: stop. NULL where there is none. */
typedef struct tqi_cancel {
    bool (*asked)(void *opaque);
    void *opaque;
} tqi_cancel;

static inline bool tqi_cancelled(const tqi_cancel *cancel) {
    return cancel && cancel->asked(cancel->opaque);
}

/* FULLY_CONNECTED [out][in]; CONV_2D and TRANSPOSE_CONV [out][kh][kw][in], taps = kh * kw * in;
 * grouped CONV_2D likewise. `out` is divisible by `groups`. */
static inline tqi_weight_rows tqi_rows_dense(size_t out, size_t taps, size_t groups,
                                             const float *scales) {
    return (tqi_weight_rows){groups, out / groups, taps, out / groups * taps, taps, 1, scales, 0};
}

/* DEPTHWISE_CONV_2D [1][kh][kw][in * multiplier], taps = kh * kw. */
static inline tqi_weight_rows tqi_rows_depthwise(size_t taps, size_t in, size_t multiplier,
                                                 const float *scales) {
    return (tqi_weight_rows){in, multiplier, taps, multiplier, 1, in * multiplier, scales, 0};
}

static inline size_t tqi_scales_per_row(const tqi_weight_rows *at) {
    return at->scale_block ? (at->taps + at->scale_block - 1) / at->scale_block : 1;
}

static inline size_t tqi_weight_at(const tqi_weight_rows *at, size_t group, size_t row,
                                   size_t tap) {
    return group * at->group_stride + row * at->row_stride + tap * at->tap_stride;
}

static inline float tqi_scale_at(const tqi_weight_rows *at, size_t group, size_t row, size_t tap) {
    size_t block = at->scale_block ? tap / at->scale_block : 0;
    return at->scales[(group * at->rows + row) * tqi_scales_per_row(at) + block];
}

/* Not finite, or negative: no scale. 0 is one: all its codes are 0. */
static inline bool tqi_is_scale(float scale) {
    return isfinite(scale) && scale >= 0;
}

/* clip(rint(value / scale)) exactly as the kernels do it; 0 where the scale is. |min|, |max| are
 * small. Adding 1.5 * 2^23 leaves no room for a fraction. */
static inline int tqi_plain_code(float value, float scale, int min, int max) {
    if (scale == 0)
        return 0;
    float v = value / scale;
    v = v < (float)min ? (float)min : v;
    v = v > (float)max ? (float)max : v;
    return (int)((v + 12582912.0f) - 12582912.0f);
}

#endif
