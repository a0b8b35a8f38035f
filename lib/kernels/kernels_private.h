/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share: the inits, and single numbers. */
#ifndef TQI_KERNELS_PRIVATE_H
#define TQI_KERNELS_PRIVATE_H

#include "kernels/kernels.h"

#include <float.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "float32 arithmetic must be float32 arithmetic (on i386: -msse2 -mfpmath=sse)"
#endif

/* Kernels for several types are one function with the types as constant
 * arguments; this makes sure that they are constants where it matters. */
#if defined(__GNUC__) || defined(__clang__)
#define TQI_INLINE static inline __attribute__((always_inline, unused))
#define TQI_NOINLINE static __attribute__((noinline))
#else
#define TQI_INLINE static inline
#define TQI_NOINLINE static
#endif

/* Only a hint, so it may point anywhere. */
TQI_INLINE void prefetch(const void *x, size_t offset) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch((const void *)((uintptr_t)x + offset), 0, 2);
#else
    (void)x;
    (void)offset;
#endif
}

void tqi_range_init_scalar(tqi_kernels *k);
void tqi_quantize_init_scalar(tqi_kernels *k);
void tqi_convert_init_scalar(tqi_kernels *k);
void tqi_kernels_init_avx2(tqi_kernels *k);
void tqi_kernels_init_avx512(tqi_kernels *k);
void tqi_kernels_init_neon(tqi_kernels *k);

enum {
    TQI_LANES = 16,   /* of the sums */
    TQI_CHUNK = 4096, /* elements whose sums are kept in float32 */
    TQI_CHUNK_COLUMNS = 256,
    TQI_CHUNK_ROWS = TQI_CHUNK / TQI_CHUNK_COLUMNS,
    TQI_MIN_BLOCK = 32,
};

typedef enum tqi_source { TQI_F32, TQI_F16, TQI_BF16 } tqi_source;
typedef enum tqi_target { TQI_S8 = 8, TQI_S4 = 4, TQI_S2 = 2 } tqi_target; /* = bits */

TQI_INLINE size_t source_size(tqi_source type) {
    return type == TQI_F32 ? 4 : 2;
}

TQI_INLINE float target_min(tqi_target type) {
    return type == TQI_S8 ? -127.0f : type == TQI_S4 ? -8.0f : -2.0f;
}

TQI_INLINE float target_max(tqi_target type) {
    return type == TQI_S8 ? 127.0f : type == TQI_S4 ? 7.0f : 1.0f;
}

/* Scalar code for any pair of types, for vector code to fall back to: narrow
 * matrices, values near a tie, scales without a usable reciprocal. */
void tqi_absmax_columns_exact(const void *x, size_t rows, size_t columns, size_t stride,
                              uint32_t *bits, tqi_source type);
void tqi_minmax_columns_exact(const void *x, size_t rows, size_t columns, size_t stride, float *min,
                              float *max, tqi_source type);
void tqi_quantize_exact(const void *x, void *q, size_t n, float scale, tqi_sums *sums,
                        tqi_source from, tqi_target to);
void tqi_quantize_columns_exact(const void *x, int8_t *q, size_t rows, size_t columns,
                                size_t stride, const float *scale, tqi_sums *sums, tqi_source from);
void tqi_quantize_blocks_exact(const void *x, uint8_t *q, size_t n, size_t block, uint16_t *scale,
                               tqi_sums *sums, tqi_source from);

/* Adds the lanes of a chunk, each times `unit`, in the one fixed order. */
void tqi_sums_fold(tqi_sums *sums, const float *signal, const float *noise, double unit);

/* ------------------------------------------------------ single numbers -- */

TQI_INLINE uint32_t float_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

TQI_INLINE float bits_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

TQI_INLINE uint32_t f16_to_f32_bits(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t rest = half & 0x7fffu;
    if (rest >= 0x7c00) {
        const uint32_t quiet = rest > 0x7c00 ? 0x400000 : 0;
        return sign | 0x7f800000 | rest << 13 | quiet;
    }
    if (rest >= 0x400) {
        return sign | ((rest << 13) + ((127u - 15u) << 23));
    }
    return sign | float_bits((float)rest * 0x1p-24f);
}

TQI_INLINE uint16_t f32_bits_to_f16(uint32_t bits) {
    const uint32_t sign = bits >> 16 & 0x8000;
    const uint32_t rest = bits & 0x7fffffff;
    uint32_t half;
    if (rest > 0x7f800000) {
        half = 0x7e00 | (rest >> 13 & 0x3ff);
    } else if (rest >= 0x477ff000) { /* 65520, halfway from the largest to the next */
        half = 0x7c00;
    } else if (rest >= 0x38800000) { /* 2^-14 */
        half = (rest + 0xfff + (rest >> 13 & 1) - ((127u - 15u) << 23)) >> 13;
    } else {
        /* The addition rounds to multiples of 2^-24, which denormals are. */
        half = float_bits(bits_float(rest) + 0.5f) - float_bits(0.5f);
    }
    return (uint16_t)(sign | half);
}

TQI_INLINE uint16_t f32_bits_to_bf16(uint32_t bits) {
    if ((bits & 0x7fffffff) > 0x7f800000) {
        return (uint16_t)(bits >> 16 | 0x40);
    }
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Element i of a source at any address. */
TQI_INLINE uint32_t load_u32(const void *x, size_t i) {
    uint32_t value;
    memcpy(&value, (const unsigned char *)x + i * sizeof(value), sizeof(value));
    return value;
}

TQI_INLINE uint16_t load_u16(const void *x, size_t i) {
    uint16_t value;
    memcpy(&value, (const unsigned char *)x + i * sizeof(value), sizeof(value));
    return value;
}

TQI_INLINE uint32_t load_bits(const void *x, size_t i, tqi_source type) {
    return type == TQI_F32   ? load_u32(x, i)
           : type == TQI_F16 ? f16_to_f32_bits(load_u16(x, i))
                             : (uint32_t)load_u16(x, i) << 16;
}

/* Integers that order as the numbers do, with -0 below +0 and NaN at the ends. */
TQI_INLINE int32_t order_of(uint32_t bits) {
    return (int32_t)(bits & 0x80000000 ? bits ^ 0x7fffffff : bits);
}

TQI_INLINE float order_float(int32_t order) {
    return bits_float(order < 0 ? (uint32_t)order ^ 0x7fffffff : (uint32_t)order);
}

/* Writes what minmax found: both or none of them NaN. */
TQI_INLINE void store_minmax(int32_t lowest, int32_t highest, float *min, float *max) {
    const int32_t infinity = 0x7f800000;
    const int nan = lowest < ~infinity || highest > infinity;
    *min = nan ? bits_float(0xffc00000) : order_float(lowest);
    *max = nan ? bits_float(0x7fc00000) : order_float(highest);
}

/* Whether 1 / scale and its error are normal numbers: then both have magnitudes
 * from 2^-125 to 2^125. */
TQI_INLINE int sane_scale(float scale) {
    const uint32_t magnitude = float_bits(scale) & 0x7fffffff;
    return magnitude >= float_bits(0x1p-125f) && magnitude <= float_bits(0x1p125f);
}

/* What x is multiplied by in the sums. */
TQI_INLINE float scale_factor(float scale) {
    return sane_scale(scale) ? 1.0f / scale : 0.0f;
}

/* rint(clip(v)), as float. Adding 1.5 * 2^23 leaves no room for a fraction.
 * NaN stays NaN. */
TQI_INLINE float round_clipped(float v, tqi_target type) {
    const float shift = 12582912.0f;
    const float low = target_min(type);
    const float high = target_max(type);
    v = v < low ? low : v;
    v = v > high ? high : v;
    return (v + shift) - shift;
}

/* The float16 bits of the scale of a block of s4 whose largest magnitude has the
 * float32 bits `absmax`. */
TQI_INLINE uint16_t block_scale(uint32_t absmax) {
    if (absmax > 0x7f800000) {
        return 0x7e00;
    }
    const float found = bits_float(absmax);
    const float scale = (found > 1e-9f ? found : 1e-9f) / 7.0f;
    const uint32_t rounded = (uint32_t)f32_bits_to_bf16(float_bits(scale)) << 16;
    const uint16_t half = f32_bits_to_f16(rounded);
    /* Below 2^-14 float16 has few bits left, and at last none: a zero. */
    return half < 0x0400 ? 0x0400 : half;
}

#endif
