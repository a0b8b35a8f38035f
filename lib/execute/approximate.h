/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of which every C library rounds some results otherwise, made of + - * / and bit
 * patterns only: the same bits on each machine, as long as the compiler contracts nothing. The
 * relative error is below 2e-7 for all float32 with a result that is no denormal; tqi_sin() and
 * tqi_cos() up to 1e6 (beyond that it grows with x, and near zeros of the function). The inline
 * ones have no branches, so that loops over them become vectors. */
#ifndef TQI_EXECUTE_APPROXIMATE_H
#define TQI_EXECUTE_APPROXIMATE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t tqi_float_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float tqi_float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Choices by bits: some compilers make no vectors of loops that choose by comparing floats. */
static inline float tqi_choose(uint32_t condition, float a, float b) {
    uint32_t mask = 0 - condition;
    return tqi_float_of((tqi_float_bits(a) & mask) | (tqi_float_bits(b) & ~mask));
}

static inline float tqi_with_sign_of(float magnitude, float x) {
    return tqi_float_of(tqi_float_bits(magnitude) | (tqi_float_bits(x) & 0x80000000u));
}

static inline uint32_t tqi_is_below(float x, float magnitude) {
    return (tqi_float_bits(x) & 0x7fffffffu) < tqi_float_bits(magnitude);
}

/* x, or what is nearest to it from -limit to limit; NaN stays. */
static inline float tqi_within(float x, float limit) {
    uint32_t size = tqi_float_bits(x) & 0x7fffffffu, most = tqi_float_bits(limit);
    uint32_t beyond = size - most <= 0x7f800000u - most;
    return tqi_choose(beyond, tqi_with_sign_of(limit, x), x);
}

/* e^x = 2^n e^r with |r| <= ln(2) / 2. Adding 1.5 * 2^23 rounds to an integer, which is then in
 * the low bits; ln(2) is subtracted in two parts, the first of few bits, so that n times it is
 * exact. 2^n is multiplied in halves: n may lie outside of what one float32 holds. */
static inline float tqi_exp(float x) {
    const float shift = 12582912.0f;
    float clipped = tqi_within(x, 104.0f);
    float shifted = clipped * 1.44269504f + shift;
    float n = shifted - shift;
    float r = clipped - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    float p = 0.0013934545f;
    p = p * r + 0.0083637768f;
    p = p * r + 0.0416664556f;
    p = p * r + 0.1666657329f;
    p = p * r + 0.5f;
    p = (p * r * r + r) + 1.0f;
    uint32_t whole = tqi_float_bits(shifted) - tqi_float_bits(shift) + 256; /* n + 256 > 0 */
    uint32_t half = whole >> 1, rest = whole - half;
    return p * tqi_float_of((half - 1) << 23) * tqi_float_of((rest - 1) << 23);
}

/* 1 / (1 + e^-x), of the negative magnitude so that nothing overflows. */
static inline float tqi_logistic(float x) {
    float e = tqi_exp(-fabsf(x));
    float above = 1.0f / (1.0f + e);
    float below = e / (1.0f + e);
    return tqi_choose(tqi_float_bits(x) >> 31, below, above);
}

static inline float tqi_tanh(float x) {
    float z = x * x;
    float p = -0.00593298022f;
    p = p * z + 0.0208813194f;
    p = p * z - 0.0538258478f;
    p = p * z + 0.133326009f;
    p = p * z - 0.333333284f;
    float small = p * z * x + x;
    float large = 1.0f - 2.0f / (tqi_exp(2.0f * fabsf(x)) + 1.0f);
    return tqi_choose(tqi_is_below(x, 0.65f), small, tqi_with_sign_of(large, x));
}

/* e^x - 1. */
static inline float tqi_expm1(float x) {
    float p = 2.50809171e-05f;
    p = p * x + 0.000200858107f;
    p = p * x + 0.00138880068f;
    p = p * x + 0.00833271537f;
    p = p * x + 0.0416666754f;
    p = p * x + 0.166666701f;
    p = p * x + 0.5f;
    float small = p * x * x + x;
    float large = tqi_exp(x) - 1.0f;
    return tqi_choose(tqi_is_below(x, 0.65f), small, large);
}

/* Polynomials fitted at Chebyshev's points: of x^2 to 1; of (x - 2.5) / 1.5 to 4, where 1 - erf(x)
 * is small. */
static inline float tqi_erf(float x) {
    float size = fabsf(tqi_within(x, 4.0f)), z = x * x;
    float near = -9.67359095e-06f;
    near = near * z + 0.000112682539f;
    near = near * z - 0.00084843966f;
    near = near * z + 0.00522105341f;
    near = near * z - 0.0268654383f;
    near = near * z + 0.112837826f;
    near = near * z - 0.376126385f;
    near = near * z + 1.12837917f;
    float u = (size - 2.5f) * 0.666666667f;
    float far = 0.000259857079f;
    far = far * u + 9.70309010e-05f;
    far = far * u - 0.00203951782f;
    far = far * u + 0.00153621717f;
    far = far * u + 0.00467666194f;
    far = far * u - 0.0104034725f;
    far = far * u + 0.00663096992f;
    far = far * u + 0.00957427836f;
    far = far * u - 0.0318659864f;
    far = far * u + 0.0463910512f;
    far = far * u - 0.0436519343f;
    far = far * u + 0.0281872227f;
    far = far * u - 0.0122527995f;
    far = far * u + 0.00326727692f;
    far = 0.000406952368f - far * u;
    far = tqi_choose(tqi_is_below(size, 4.0f), far, size - size); /* 0, unless it is NaN */
    return tqi_choose(tqi_is_below(x, 1.0f), near * x, tqi_with_sign_of(1.0f - far, x));
}

float tqi_log(float x);
float tqi_sin(float x);
float tqi_cos(float x);
float tqi_pow(float x, float y);

#endif
