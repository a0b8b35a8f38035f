/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of weights: the scalar code, which defines the results. */
#include "kernels/kernels_private.h"

static uint32_t absmax_f32(const void *x, size_t n) {
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = load_u32(x, i) & 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

/* float16 and bfloat16 order as they are. */
static uint16_t absmax_half(const void *x, size_t n) {
    uint16_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        const uint16_t bits = load_u16(x, i) & 0x7fff;
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

TQI_INLINE void minmax(const void *x, size_t n, float *min, float *max, tqi_source type) {
    int32_t lowest = order_of(0x7f800000);
    int32_t highest = order_of(0xff800000);
    for (size_t i = 0; i < n; i++) {
        const int32_t order = order_of(load_bits(x, i, type));
        lowest = order < lowest ? order : lowest;
        highest = order > highest ? order : highest;
    }
    store_minmax(lowest, highest, min, max);
}

void tqi_absmax_columns_exact(const void *x, size_t rows, size_t columns, size_t stride,
                              uint32_t *bits, tqi_source type) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            const uint32_t found = load_bits(x, r * stride + c, type) & 0x7fffffff;
            bits[c] = found > bits[c] ? found : bits[c];
        }
    }
}

void tqi_minmax_columns_exact(const void *x, size_t rows, size_t columns, size_t stride, float *min,
                              float *max, tqi_source type) {
    enum { MOST = 64 }; /* columns at a time, so that memory is read in order */
    int32_t low[MOST];
    int32_t high[MOST];
    for (size_t c0 = 0; c0 < columns; c0 += MOST) {
        const size_t count = columns - c0 < MOST ? columns - c0 : MOST;
        for (size_t c = 0; c < count; c++) {
            low[c] = order_of(float_bits(min[c0 + c]));
            high[c] = order_of(float_bits(max[c0 + c]));
        }
        for (size_t r = 0; r < rows; r++) {
            for (size_t c = 0; c < count; c++) {
                const int32_t order = order_of(load_bits(x, r * stride + c0 + c, type));
                low[c] = order < low[c] ? order : low[c];
                high[c] = order > high[c] ? order : high[c];
            }
        }
        for (size_t c = 0; c < count; c++) {
            store_minmax(low[c], high[c], &min[c0 + c], &max[c0 + c]);
        }
    }
}

static uint32_t absmax_f16(const void *x, size_t n) {
    return f16_to_f32_bits(absmax_half(x, n));
}

static uint32_t absmax_bf16(const void *x, size_t n) {
    return (uint32_t)absmax_half(x, n) << 16;
}

static void minmax_f32(const void *x, size_t n, float *min, float *max) {
    minmax(x, n, min, max, TQI_F32);
}

static void minmax_f16(const void *x, size_t n, float *min, float *max) {
    minmax(x, n, min, max, TQI_F16);
}

static void absmax_columns_f32(const void *x, size_t rows, size_t columns, size_t stride,
                               uint32_t *bits) {
    tqi_absmax_columns_exact(x, rows, columns, stride, bits, TQI_F32);
}

static void absmax_columns_f16(const void *x, size_t rows, size_t columns, size_t stride,
                               uint32_t *bits) {
    tqi_absmax_columns_exact(x, rows, columns, stride, bits, TQI_F16);
}

static void minmax_columns_f32(const void *x, size_t rows, size_t columns, size_t stride,
                               float *min, float *max) {
    tqi_minmax_columns_exact(x, rows, columns, stride, min, max, TQI_F32);
}

static void minmax_columns_f16(const void *x, size_t rows, size_t columns, size_t stride,
                               float *min, float *max) {
    tqi_minmax_columns_exact(x, rows, columns, stride, min, max, TQI_F16);
}

void tqi_range_init_scalar(tqi_kernels *k) {
    k->absmax_f32 = absmax_f32;
    k->absmax_f16 = absmax_f16;
    k->absmax_bf16 = absmax_bf16;
    k->minmax_f32 = minmax_f32;
    k->minmax_f16 = minmax_f16;
    k->absmax_columns_f32 = absmax_columns_f32;
    k->absmax_columns_f16 = absmax_columns_f16;
    k->minmax_columns_f32 = minmax_columns_f32;
    k->minmax_columns_f16 = minmax_columns_f16;
}
