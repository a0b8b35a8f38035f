/* SPDX-License-Identifier: Apache-2.0 */
/* The scalar code against double arithmetic and values written by hand. */
#include "kernel_checks.h"

#include <math.h>
#include <stdlib.h>

/* The value of a float16 by its definition. */
static double half_value(unsigned half) {
    const unsigned exponent = half >> 10 & 31;
    const unsigned fraction = half & 1023;
    const double magnitude = exponent == 31 ? INFINITY
                             : exponent     ? ldexp(1024 + fraction, (int)exponent - 25)
                                            : ldexp(fraction, -24);
    return half & 0x8000 ? -magnitude : magnitude;
}

static int check_f16_to_f32(const tqi_kernels *k, const tqi_kernels *unused) {
    (void)unused;
    for (unsigned i = 0; i < 0x10000; i++) {
        const uint16_t half = (uint16_t)i;
        float wide;
        k->f16_to_f32(&half, &wide, 1);
        if ((i & 0x7fff) > 0x7c00) {
            const uint32_t nan = (i & 0x8000) << 16 | 0x7fc00000 | (i & 0x3ff) << 13;
            EXPECT(bits_of(wide) == nan, "%04x -> %08x", i, bits_of(wide));
        } else {
            EXPECT(bits_of(wide) == bits_of((float)half_value(i)), "%04x -> %08x", i,
                   bits_of(wide));
        }
    }
    return 0;
}

static uint16_t to_half(const tqi_kernels *k, float x) {
    uint16_t half;
    k->f32_to_f16(&x, &half, 1, NULL);
    return half;
}

/* Every float16 comes back, and what is between two of them goes to the nearer,
 * from the middle to the even one. */
static int check_f32_to_f16(const tqi_kernels *k, const tqi_kernels *unused) {
    (void)unused;
    for (unsigned i = 0; i < 0x7c00; i++) {
        for (unsigned sign = 0; sign <= 0x8000; sign += 0x8000) {
            const double low = half_value(i);
            const double high = i == 0x7bff ? 65536 : half_value(i + 1);
            const float s = sign ? -1.0f : 1.0f;
            const float middle = (float)((low + high) / 2);
            const unsigned even = i & 1 ? i + 1 : i;
            EXPECT(to_half(k, s * (float)low) == (sign | i), "%04x", sign | i);
            EXPECT(to_half(k, s * middle) == (sign | even), "middle of %04x", sign | i);
            EXPECT(to_half(k, s * nextafterf(middle, 0)) == (sign | i), "below of %04x", i);
            EXPECT(to_half(k, s * nextafterf(middle, 1e9f)) == (sign | (i + 1)), "above %04x", i);
        }
    }
    static const struct {
        uint32_t from;
        uint16_t to;
    } cases[] = {
        {0x3f800000, 0x3c00}, {0xc0000000, 0xc000}, {0x477fe000, 0x7bff}, {0x477fefff, 0x7bff},
        {0x477ff000, 0x7c00}, {0x7f7fffff, 0x7c00}, {0x7f800000, 0x7c00}, {0xff800000, 0xfc00},
        {0x33000000, 0x0000}, {0x33000001, 0x0001}, {0x00000001, 0x0000}, {0x80000001, 0x8000},
        {0x7fc00000, 0x7e00}, {0x7f800001, 0x7e00}, {0xffffe000, 0xffff}, {0x7f802000, 0x7e01},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const uint16_t half = to_half(k, float_of(cases[i].from));
        EXPECT(half == cases[i].to, "%08x -> %04x", cases[i].from, half);
    }
    return 0;
}

static int check_bf16(const tqi_kernels *k, const tqi_kernels *unused) {
    (void)unused;
    static const struct {
        uint32_t from;
        uint16_t to;
    } cases[] = {
        {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82},
        {0x7f7fffff, 0x7f80}, {0x7f7f7fff, 0x7f7f}, {0x7f800000, 0x7f80}, {0x80000000, 0x8000},
        {0x7f800001, 0x7fc0}, {0xff812345, 0xffc1}, {0x00008000, 0x0000}, {0x00018000, 0x0002},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint16_t half;
        float wide;
        k->f32_to_bf16(&cases[i].from, &half, 1);
        EXPECT(half == cases[i].to, "%08x -> %04x", cases[i].from, half);
        k->bf16_to_f32(&half, &wide, 1);
        EXPECT(bits_of(wide) == (uint32_t)half << 16, "%04x -> %08x", half, bits_of(wide));
    }
    return 0;
}

/* Rounding a double quotient of floats to float gives the float quotient: 53 bits
 * are more than twice 24. */
static int expected(float x, float scale, int low, int high) {
    const float v = (float)((double)x / (double)scale);
    const double q = rint((double)v);
    return isnan(v) ? 0 : q < low ? low : q > high ? high : (int)q;
}

static float some_float(int exponents) {
    const int exponent = (int)(random_u64() % (unsigned)exponents) - exponents / 2;
    const float x = ldexpf(1.0f + (float)(random_u64() >> 40) * 0x1p-24f, exponent);
    return random_u64() & 1 ? -x : x;
}

static int check_quantize(const tqi_kernels *k, const tqi_kernels *unused) {
    (void)unused;
    for (int turn = 0; turn < 200000; turn++) {
        const float scale = fabsf(some_float(turn % 2 ? 8 : 200));
        float x = some_float(turn % 2 ? 24 : 250);
        if (turn % 3 == 0) { /* at and around ties */
            x = ((float)(random_u64() % 257) - 128.5f) * scale;
            x = turn % 9 == 0 ? nextafterf(x, 1e38f) : turn % 9 == 3 ? nextafterf(x, 0) : x;
        }
        int8_t s8;
        uint8_t s4, s2;
        k->quantize_f32_s8(&x, &s8, 1, scale, NULL);
        k->quantize_f32_s4(&x, &s4, 1, scale, NULL);
        k->quantize_f32_s2(&x, &s2, 1, scale, NULL);
        EXPECT(s8 == expected(x, scale, -127, 127), "%a / %a -> %d", x, scale, s8);
        EXPECT(s4 == (expected(x, scale, -8, 7) & 15), "%a / %a -> %x", x, scale, s4);
        EXPECT(s2 == (expected(x, scale, -2, 1) & 3), "%a / %a -> %x", x, scale, s2);
    }
    static const float cases[][3] = {
        {0.5f, 1, 0},         {1.5f, 1, 2},
        {2.5f, 1, 2},         {-0.5f, 1, 0},
        {-1.5f, 1, -2},       {126.5f, 1, 126},
        {127.5f, 1, 127},     {-127.5f, 1, -127},
        {-400, 1, -127},      {NAN, 1, 0},
        {1, NAN, 0},          {INFINITY, 1, 127},
        {-INFINITY, 1, -127}, {INFINITY, INFINITY, 0},
        {1, INFINITY, 0},     {0, 0, 0},
        {1, 0, 127},          {-1, 0, -127},
        {1e-45f, 1e-45f, 1},  {3e38f, 3e38f, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int8_t q;
        k->quantize_f32_s8(&cases[i][0], &q, 1, cases[i][1], NULL);
        EXPECT(q == (int)cases[i][2], "%a / %a -> %d", cases[i][0], cases[i][1], q);
    }
    return 0;
}

static int check_packing(const tqi_kernels *k, const tqi_kernels *unused) {
    (void)unused;
    static const float x[5] = {1, 2, 3, -4, 5};
    static const float y[5] = {1, -2, -1, 0, 1};
    uint8_t q[3];
    float back[5];
    k->quantize_f32_s4(x, q, 5, 1, NULL);
    EXPECT(q[0] == 0x21 && q[1] == 0xc3 && q[2] == 0x05, "%02x %02x %02x", q[0], q[1], q[2]);
    k->dequantize_s4_f32(q, back, 5, 0.5f);
    for (size_t i = 0; i < 5; i++) {
        EXPECT(back[i] == x[i] * 0.5f, "%zu: %g", i, (double)back[i]);
    }
    k->quantize_f32_s2(y, q, 5, 1, NULL);
    EXPECT(q[0] == 0x39 && q[1] == 0x01, "%02x %02x", q[0], q[1]);
    static const int8_t s8[3] = {-128, 127, -1};
    k->dequantize_s8_f32(s8, back, 3, 0.5f);
    EXPECT(back[0] == -64 && back[1] == 63.5f && back[2] == -0.5f, "%g", (double)back[0]);
    return 0;
}

static int near(double x, double y) {
    return fabs(x - y) <= 2e-5 * fabs(y);
}

enum { ROWS = 37, COLUMNS = 300, STRIDE = 311 };

static int check_sums(const tqi_kernels *k, const tqi_kernels *unused) {
    (void)unused;
    static float x[ROWS * STRIDE];
    static int8_t q[ROWS * STRIDE];
    static uint8_t q4[ROWS * STRIDE];
    static float scales[COLUMNS];
    static uint16_t halves[ROWS * STRIDE];
    const size_t n = ROWS * STRIDE;
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)random_u64() * 0x1p-63f - 1.0f;
    }
    const float scale = 1.0f / 127;
    tqi_sums sums = {1000, 2000}; /* added to */
    double signal = 1000, noise = 2000;
    k->quantize_f32_s8(x, q, n, scale, &sums);
    for (size_t i = 0; i < n; i++) {
        const double d = (double)x[i] - (double)q[i] * (double)scale;
        signal += (double)x[i] * (double)x[i];
        noise += d * d;
    }
    EXPECT(near(sums.signal, signal) && near(sums.noise, noise), "%g %g", sums.noise, noise);

    for (size_t c = 0; c < COLUMNS; c++) {
        scales[c] = 0.001f + 0.01f * (float)c / COLUMNS;
    }
    sums = (tqi_sums){0, 0};
    signal = noise = 0;
    k->quantize_columns_f32_s8(x, q, ROWS, COLUMNS, STRIDE, scales, &sums);
    for (size_t i = 0; i < n; i++) {
        if (i % STRIDE < COLUMNS) {
            const float s = scales[i % STRIDE];
            const double d = (double)x[i] - (double)q[i] * (double)s;
            EXPECT(q[i] == expected(x[i], s, -127, 127), "%zu: %d", i, q[i]);
            signal += (double)x[i] * (double)x[i];
            noise += d * d;
        }
    }
    EXPECT(near(sums.signal, signal) && near(sums.noise, noise), "%g %g", sums.noise, noise);

    sums = (tqi_sums){0, 0};
    signal = noise = 0;
    k->quantize_blocks_f32_s4(x, q4, n, 32, halves, &sums);
    for (size_t i = 0; i < n; i++) {
        const double s = half_value(halves[i / 32]);
        const int nibble = q4[i / 2] >> (i % 2 * 4) & 15;
        const double d = (double)x[i] - ((nibble ^ 8) - 8) * s;
        EXPECT(nibble == (expected(x[i], (float)s, -8, 7) & 15), "%zu", i);
        signal += (double)x[i] * (double)x[i];
        noise += d * d;
    }
    EXPECT(near(sums.signal, signal) && near(sums.noise, noise), "%g %g", sums.noise, noise);

    sums = (tqi_sums){0, 0};
    noise = 0;
    k->f32_to_f16(x, halves, n, &sums);
    for (size_t i = 0; i < n; i++) {
        const double d = (double)x[i] - half_value(halves[i]);
        noise += d * d;
    }
    EXPECT(near(sums.signal, signal) && near(sums.noise, noise), "%g %g", sums.noise, noise);
    return 0;
}

static int check_block_scales(const tqi_kernels *k, const tqi_kernels *unused) {
    (void)unused;
    static const struct {
        float absmax;
        uint16_t scale;
    } cases[] = {
        {7, 0x3c00},
        {-7, 0x3c00},
        {7 * (1 + 1 / 256.0f), 0x3c00}, /* ties of bfloat16, to even */
        {7 * (1 + 3 / 256.0f), 0x3c10},
        {7 * 0x1p-14f, 0x0400},
        {7 * 0x1p-15f, 0x0400}, /* would lose bits */
        {0, 0x0400},
        {1e-30f, 0x0400},
        {7 * 65280.0f, 0x7bf8},
        {7 * 65536.0f, 0x7c00},
        {INFINITY, 0x7c00},
        {NAN, 0x7e00},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        float x[32] = {0};
        uint8_t q[16];
        uint16_t scale;
        x[i] = cases[i].absmax;
        k->quantize_blocks_f32_s4(x, q, 32, 32, &scale, NULL);
        EXPECT(scale == cases[i].scale, "%a -> %04x", cases[i].absmax, scale);
    }
    return 0;
}

static int check_ranges(const tqi_kernels *k, const tqi_kernels *unused) {
    (void)unused;
    float x[4] = {-0.0f, 0.0f, -3.0f, 2.0f};
    float min, max;
    EXPECT(k->absmax_f32(x, 4) == bits_of(3.0f), "absmax");
    EXPECT(k->absmax_f32(x, 0) == 0 && k->absmax_f32(x, 2) == 0, "absmax of nothing");
    k->minmax_f32(x, 4, &min, &max);
    EXPECT(min == -3.0f && max == 2.0f, "%g %g", (double)min, (double)max);
    k->minmax_f32(x, 2, &min, &max);
    EXPECT(bits_of(min) == 0x80000000 && bits_of(max) == 0, "%08x %08x", bits_of(min),
           bits_of(max));
    k->minmax_f32(x, 0, &min, &max);
    EXPECT(min == INFINITY && max == -INFINITY, "minmax of nothing");
    x[1] = -INFINITY;
    EXPECT(k->absmax_f32(x, 4) == 0x7f800000, "absmax of infinity");
    k->minmax_f32(x, 4, &min, &max);
    EXPECT(min == -INFINITY && max == 2.0f, "%g %g", (double)min, (double)max);
    for (uint32_t sign = 0; sign < 2; sign++) {
        x[3] = float_of(sign << 31 | 0x7fc00001);
        EXPECT(k->absmax_f32(x, 4) == 0x7fc00001, "absmax of NaN");
        k->minmax_f32(x, 4, &min, &max);
        EXPECT(bits_of(min) == 0xffc00000 && bits_of(max) == 0x7fc00000, "minmax of NaN");
    }
    static const uint16_t halves[3] = {0x0001, 0xc200, 0x3c00};
    EXPECT(k->absmax_f16(halves, 3) == bits_of(3.0f), "absmax_f16");
    EXPECT(k->absmax_f16(halves, 1) == bits_of(0x1p-24f), "absmax_f16 of a denormal");
    EXPECT(k->absmax_bf16(halves, 3) == 0x42000000, "absmax_bf16");
    k->minmax_f16(halves, 3, &min, &max);
    EXPECT(min == -3.0f && max == 1.0f, "%g %g", (double)min, (double)max);

    static const float matrix[2][3] = {{1, -2, 9}, {-3, 0.5f, 9}};
    uint32_t bits[2] = {0, bits_of(8.0f)};
    float mins[2] = {INFINITY, -4}, maxs[2] = {-INFINITY, 4};
    k->absmax_columns_f32(matrix, 2, 2, 3, bits);
    EXPECT(bits[0] == bits_of(3.0f) && bits[1] == bits_of(8.0f), "absmax_columns");
    k->minmax_columns_f32(matrix, 2, 2, 3, mins, maxs);
    EXPECT(mins[0] == -3 && mins[1] == -4 && maxs[0] == 1 && maxs[1] == 4, "minmax_columns");
    return 0;
}

const check scalar_checks[] = {
    {"f16_to_f32, all of them", check_f16_to_f32},
    {"f32_to_f16, around all of them", check_f32_to_f16},
    {"bfloat16", check_bf16},
    {"quantize", check_quantize},
    {"packing", check_packing},
    {"sums, columns, blocks", check_sums},
    {"block scales", check_block_scales},
    {"ranges", check_ranges},
    {NULL, NULL},
};
