/* SPDX-License-Identifier: Apache-2.0 */
/* Computed in double, so that only the last rounding counts. */
#include "execute/approximate.h"

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double polynomial(double x, const double *factors, int n) {
    double sum = factors[n - 1];
    for (int i = n - 2; i >= 0; i--)
        sum = sum * x + factors[i];
    return sum;
}
#define POLYNOMIAL(x, factors) polynomial(x, factors, (int)(sizeof factors / sizeof factors[0]))

/* As tqi_exp(); what lies outside of the limits is no float32 anyway. */
static double exp_double(double x) {
    static const double taylor[] = {1.0,         1.0,          1.0 / 2,       1.0 / 6,
                                    1.0 / 24,    1.0 / 120,    1.0 / 720,     1.0 / 5040,
                                    1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800};
    const double shift = 6755399441055744.0; /* 1.5 * 2^52 */
    x = x > 700.0 ? 700.0 : x < -700.0 ? -700.0 : x;
    double shifted = x * 1.4426950408889634 + shift;
    double n = shifted - shift;
    double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    uint64_t power = bits_of(shifted) - bits_of(shift) + 1023;
    return POLYNOMIAL(r, taylor) * double_of(power << 52);
}

/* x = 2^n m with m around 1, ln m = 2 artanh((m - 1) / (m + 1)). x > 0, normal and finite. */
static double log_double(double x) {
    static const double series[] = {2.0,      2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,
                                    2.0 / 11, 2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19};
    uint64_t bits = bits_of(x);
    int64_t n = (int64_t)(bits >> 52) - 1023;
    double m = double_of((bits & 0xfffffffffffffu) | (uint64_t)1023 << 52);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        n++;
    }
    double s = (m - 1.0) / (m + 1.0);
    return (double)n * 0.693147180559945309 + s * POLYNOMIAL(s * s, series);
}

float tqi_log(float x) {
    if (!(x > 0.0f))
        return x == 0.0f ? -INFINITY : NAN;
    return x == INFINITY ? x : (float)log_double(x);
}

/* sin(x) for turn 0, cos(x) for 1, and on by quarters. pi / 2 is subtracted in three parts, the
 * first two of few bits. */
static float sine(float x, unsigned turn) {
    static const double sines[] = {1.0,          -1.0 / 6,        1.0 / 120,         -1.0 / 5040,
                                   1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800.0};
    static const double cosines[] = {
        1.0,         -1.0 / 2,       1.0 / 24,        -1.0 / 720,
        1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200.0};
    const double shift = 6755399441055744.0;
    if (!(fabsf(x) < 1e15f)) /* farther apart than the function's waves */
        return x - x == 0.0f ? (turn & 1 ? 1.0f : 0.0f) : NAN;
    double shifted = (double)x * 0.63661977236758134308 + shift;
    double n = shifted - shift;
    double r = x - n * 1.57079632673412561417e+00;
    r -= n * 6.07710050630396597660e-11;
    r -= n * 2.02226624879595063154e-21;
    turn += (unsigned)(bits_of(shifted) & 3);
    double z = r * r;
    double value = turn & 1 ? POLYNOMIAL(z, cosines) : r * POLYNOMIAL(z, sines);
    return (float)(turn & 2 ? -value : value);
}

float tqi_sin(float x) {
    return sine(x, 0);
}

float tqi_cos(float x) {
    return sine(x, 1);
}

/* The special cases are those of C's pow(). */
float tqi_pow(float x, float y) {
    if (y == 0.0f || x == 1.0f)
        return 1.0f;
    if (x != x || y != y)
        return x + y;
    float size = fabsf(x);
    int whole = floorf(y) == y, odd = whole && fabsf(y) < 16777216.0f && fmodf(y, 2.0f) != 0.0f;
    float value;
    if (size == 1.0f)
        value = 1.0f;
    else if (size == 0.0f || size == INFINITY || fabsf(y) == INFINITY)
        value = (size > 1.0f) == (y > 0.0f) ? INFINITY : 0.0f;
    else
        value = (float)exp_double((double)y * log_double(size));
    if (!signbit(x))
        return value;
    if (x < 0.0f && !whole && size != INFINITY)
        return NAN;
    return odd ? -value : value;
}
