/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops over weights: ranges, quantizing, conversions.
 *
 * Scalar C is the truth; every other level gives the same bits. Assumes the
 * default floating-point environment (round to nearest even, denormals kept)
 * and code built without contraction.
 *
 * Sources are `const void *` since weights may lie at any byte of a file; all
 * other pointers are aligned for their type. n = 0 is fine everywhere. Memory
 * outside of the arrays is never read or written, though it may be prefetched.
 *
 * Adding a kernel: a member here, the scalar function, the one for vectors in
 * the matching *_vector.h, its line in each of the two inits, a test.
 */
#ifndef TQI_KERNELS_H
#define TQI_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/*
 * What a quantizer adds to: `signal` the squares of the values, `noise` the
 * squares of value - quantized value. Means 10 log10(signal / noise) dB.
 *
 * Element i of a chunk of 4096 (from the start of the row) adds to float32 lane
 * i % 16; a chunk's lanes are folded in order into double. Rows with one scale
 * add in units of the scale, so that no magnitude of weights over- or
 * underflows; kernels with many scales (columns, blocks) add the plain squares,
 * which needs |x| < 1e19. x * (1 / scale) stands for x / scale in the sums,
 * which costs a relative 1e-7. A scale not of a magnitude in [2^-125, 2^125] makes
 * them meaningless, NaN or infinity among the values makes them NaN or infinity, but
 * q is right either way.
 */
typedef struct tqi_sums {
    double signal;
    double noise;
} tqi_sums;

typedef struct tqi_kernels {
    /*
     * The largest magnitude, as the bits of a float32 without its sign: NaN
     * beats infinity beats all else, in any order. 0 if n is 0. The largest
     * float16 or bfloat16 is widened as the conversions below do it.
     */
    uint32_t (*absmax_f32)(const void *x, size_t n);
    uint32_t (*absmax_f16)(const void *x, size_t n);
    uint32_t (*absmax_bf16)(const void *x, size_t n);

    /*
     * Smallest and largest, with -0 below +0. If any is NaN, *min is the NaN
     * 0xffc00000 and *max the NaN 0x7fc00000. If n is 0: +infinity and -infinity.
     */
    void (*minmax_f32)(const void *x, size_t n, float *min, float *max);
    void (*minmax_f16)(const void *x, size_t n, float *min, float *max);

    /*
     * The same for each column of a row-major matrix whose rows start `stride`
     * elements apart (stride >= columns). They go on from what the results hold,
     * so set these to 0, or to +infinity and -infinity, before the first call.
     */
    void (*absmax_columns_f32)(const void *x, size_t rows, size_t columns, size_t stride,
                               uint32_t *bits);
    void (*absmax_columns_f16)(const void *x, size_t rows, size_t columns, size_t stride,
                               uint32_t *bits);
    void (*minmax_columns_f32)(const void *x, size_t rows, size_t columns, size_t stride,
                               float *min, float *max);
    void (*minmax_columns_f16)(const void *x, size_t rows, size_t columns, size_t stride,
                               float *min, float *max);

    /*
     * q = clip(rint(x / scale)): true float32 division, half to even; 0 where
     * x / scale is NaN. s8 clips to -127..127, s4 to -8..7, s2 to -2..1. s4 has
     * two to a byte and s2 four, the first in the low bits; the bits after the
     * last are 0. `sums` may be NULL.
     */
    void (*quantize_f32_s8)(const void *x, int8_t *q, size_t n, float scale, tqi_sums *sums);
    void (*quantize_f16_s8)(const void *x, int8_t *q, size_t n, float scale, tqi_sums *sums);
    void (*quantize_bf16_s8)(const void *x, int8_t *q, size_t n, float scale, tqi_sums *sums);
    void (*quantize_f32_s4)(const void *x, uint8_t *q, size_t n, float scale, tqi_sums *sums);
    void (*quantize_f16_s4)(const void *x, uint8_t *q, size_t n, float scale, tqi_sums *sums);
    void (*quantize_f32_s2)(const void *x, uint8_t *q, size_t n, float scale, tqi_sums *sums);
    void (*quantize_f16_s2)(const void *x, uint8_t *q, size_t n, float scale, tqi_sums *sums);

    /* One scale for each column; x and q have the same stride. */
    void (*quantize_columns_f32_s8)(const void *x, int8_t *q, size_t rows, size_t columns,
                                    size_t stride, const float *scale, tqi_sums *sums);
    void (*quantize_columns_f16_s8)(const void *x, int8_t *q, size_t rows, size_t columns,
                                    size_t stride, const float *scale, tqi_sums *sums);

    /*
     * A scale for every `block` elements (a power of two, 32 to 4096; the last
     * block may be short): max(absmax, 1e-9) / 7, rounded to bfloat16, then to
     * float16, at least 2^-14, written to `scale` and used. NaN or infinity in a
     * block makes its scale so (NaN: 0x7e00), and its values 0.
     */
    void (*quantize_blocks_f32_s4)(const void *x, uint8_t *q, size_t n, size_t block,
                                   uint16_t *scale, tqi_sums *sums);
    void (*quantize_blocks_f16_s4)(const void *x, uint8_t *q, size_t n, size_t block,
                                   uint16_t *scale, tqi_sums *sums);

    /*
     * Conversions, half to even; too large becomes infinity. A NaN stays one: it
     * is made quiet and keeps its sign and the upper bits of its payload, as
     * F16C does.
     */
    void (*f32_to_f16)(const void *x, uint16_t *y, size_t n, tqi_sums *sums);
    void (*f32_to_bf16)(const void *x, uint16_t *y, size_t n);
    void (*f16_to_f32)(const void *x, float *y, size_t n);
    void (*bf16_to_f32)(const void *x, float *y, size_t n); /* bits << 16, NaN or not */

    /* q * scale. */
    void (*dequantize_s8_f32)(const void *q, float *y, size_t n, float scale);
    void (*dequantize_s4_f32)(const void *q, float *y, size_t n, float scale);
} tqi_kernels;

/* Fills the table with the best that `cpu_flags` (TQ_CPU_... bits) and the build
 * have; with 0, the scalar code. */
void tqi_kernels_init(tqi_kernels *k, uint32_t cpu_flags);

#endif
