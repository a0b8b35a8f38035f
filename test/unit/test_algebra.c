/* SPDX-License-Identifier: Apache-2.0 */
/* The sums of each level against the same written down naively, to the bit. */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/algebra.h"
#include "calibrate/gram.h"
#include "cpu/cpu.h"

static const uint32_t levels[] = {0, TQ_CPU_AVX2, TQ_CPU_AVX2 | TQ_CPU_AVX512, TQ_CPU_NEON};

typedef void check_level(const tqi_algebra *algebra);

static uint32_t random_state;

/* What the processor lacks is left out: then a level comes twice. */
static void on_each_level(check_level *check) {
    for (size_t i = 0; i < COUNT(levels); i++) {
        tqi_algebra algebra;
        random_state = 1;
        tqi_algebra_init(&algebra, levels[i] & tqi_cpu_flags());
        check(&algebra);
    }
}

static float random_value(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return (float)(random_state >> 8) * 0x1p-23f - 0.75f;
}

static void assert_float(float found, float expected) {
    if (memcmp(&found, &expected, sizeof found) != 0)
        fail_msg("%.9g, expected %.9g", (double)found, (double)expected);
}

static void assert_double(double found, double expected) {
    if (memcmp(&found, &expected, sizeof found) != 0)
        fail_msg("%.17g, expected %.17g", found, expected);
}

/* ---- grams ---- */

enum { LONGEST = 65, PATCHES = TQI_GRAM_BLOCK };

/* What a block adds for two elements of patches that are `length` long. */
static float sum_of_products(const float *patches, size_t length, size_t count, size_t i,
                             size_t j) {
    volatile float sum = 0;
    for (size_t n = 0; n < count; n++) {
        volatile float product = patches[n * length + i] * patches[n * length + j];
        sum = sum + product;
    }
    return sum;
}

static void check_gram(const tqi_algebra *algebra, size_t length, size_t count) {
    static float patches[PATCHES * LONGEST], packed[80 * PATCHES];
    static float gram[LONGEST * (LONGEST + 1) / 2 + 1];
    assert_true(tqi_gram_packed(length) <= COUNT(packed));
    for (size_t n = 0; n < count; n++) {
        for (size_t i = 0; i < length; i++)
            patches[n * length + i] = random_value();
        tqi_gram_pack(packed, patches + n * length, 1, length, length, n);
    }
    memset(gram, 0, sizeof gram);
    gram[tqi_triangle(length)] = 77;
    algebra->gram(gram, packed, length, count);
    algebra->gram(gram, packed, length, count);
    for (size_t i = 0, at = 0; i < length; i++)
        for (size_t j = 0; j <= i; j++, at++) {
            float sum = sum_of_products(patches, length, count, i, j);
            assert_float(gram[at], sum + sum);
        }
    assert_float(gram[tqi_triangle(length)], 77);
}

static void check_grams(const tqi_algebra *algebra) {
    static const size_t lengths[] = {1, 3, 4, 5, 8, 9, 13, 16, 17, 27, 64, LONGEST};
    for (size_t i = 0; i < COUNT(lengths); i++)
        for (size_t count = 1; count <= PATCHES; count += 21)
            check_gram(algebra, lengths[i], count);
}

static void grams(void **unused) {
    (void)unused;
    on_each_level(check_grams);
}

static void check_gram_channels(const tqi_algebra *algebra, size_t taps, size_t channels,
                                size_t count) {
    size_t elements = taps * channels, sums = tqi_triangle(taps) * channels;
    float *patches = calloc(count * elements, sizeof *patches);
    float *packed = calloc(tqi_gram_packed_channels(taps, channels), sizeof *packed);
    float *gram = calloc(sums + 1, sizeof *gram);
    assert_true(patches && packed && gram);
    for (size_t n = 0; n < count; n++) {
        for (size_t i = 0; i < elements; i++)
            patches[n * elements + i] = random_value();
        tqi_gram_pack_channels(packed, patches + n * elements, taps, channels, n);
    }
    gram[sums] = 77;
    algebra->gram_channels(gram, channels, packed, taps, channels, count);
    algebra->gram_channels(gram, channels, packed, taps, channels, count);
    for (size_t i = 0, at = 0; i < taps; i++)
        for (size_t j = 0; j <= i; j++)
            for (size_t c = 0; c < channels; c++, at++) {
                float sum =
                    sum_of_products(patches, elements, count, i * channels + c, j * channels + c);
                assert_float(gram[at], sum + sum);
            }
    assert_float(gram[sums], 77);
    free(patches);
    free(packed);
    free(gram);
}

static void check_grams_of_channels(const tqi_algebra *algebra) {
    static const size_t taps[] = {1, 2, 3, 4, 5, 9, 25}, channels[] = {1, 3, 8, 16, 21, 32};
    for (size_t i = 0; i < COUNT(taps); i++)
        for (size_t j = 0; j < COUNT(channels); j++)
            check_gram_channels(algebra, taps[i], channels[j], (i + j) % 2 ? PATCHES : 7);
}

static void grams_of_channels(void **unused) {
    (void)unused;
    on_each_level(check_grams_of_channels);
}

/* Groups of channels are packed from runs. */
static void packs_runs(void **unused) {
    (void)unused;
    enum { TAPS = 5, CHANNELS = 14, SHARE = 7, LENGTH = TAPS * SHARE, AT = 3 };
    static float patch[TAPS * CHANNELS], packed[48 * PATCHES];
    random_state = 1;
    for (size_t i = 0; i < COUNT(patch); i++)
        patch[i] = random_value();
    for (size_t i = 0; i < COUNT(packed); i++)
        packed[i] = 77;
    assert_int_equal(tqi_gram_packed(LENGTH), COUNT(packed));
    tqi_gram_pack(packed, patch + SHARE, TAPS, SHARE, CHANNELS, AT);
    for (size_t i = 0; i < 48; i++) {
        float value = i < LENGTH ? patch[i / SHARE * CHANNELS + SHARE + i % SHARE] : 0;
        assert_float(packed[(i / 16 * PATCHES + AT) * 16 + i % 16], value);
    }
    assert_float(packed[(AT + 1) * 16], 77);
}

/* ---- sums ---- */

enum { MOST_VALUES = 101, MOST_ROWS = 9 };
static const size_t counts[] = {0, 1, 3, 8, 15, 16, 17, 31, 32, 33, 64, MOST_VALUES};

static void check_rows(const tqi_algebra *algebra) {
    static float values[MOST_ROWS][MOST_VALUES];
    const float *rows[MOST_ROWS];
    for (size_t i = 0; i < COUNT(counts); i++)
        for (size_t count = 0; count <= MOST_ROWS; count += 3) {
            double sums[MOST_VALUES + 1], want[MOST_VALUES + 1] = {0};
            double squares[MOST_VALUES + 1], want_squares[MOST_VALUES + 1] = {0};
            size_t n = counts[i];
            for (size_t c = 0; c <= n; c++)
                want[c] = want_squares[c] = 1 / (3.0 + (double)c);
            memcpy(sums, want, sizeof sums);
            memcpy(squares, want, sizeof squares);
            for (size_t r = 0; r < count; r++) {
                rows[r] = values[r];
                for (size_t c = 0; c < n; c++) {
                    values[r][c] = random_value();
                    volatile double square = (double)values[r][c] * (double)values[r][c];
                    want[c] += (double)values[r][c];
                    want_squares[c] += square;
                }
            }
            algebra->add_rows(sums, squares, rows, count, n);
            for (size_t c = 0; c <= n; c++) {
                assert_double(sums[c], want[c]);
                assert_double(squares[c], want_squares[c]);
            }
            for (size_t r = 0; r < count; r++)
                for (size_t c = 0; c < n; c++)
                    want[c] += (double)values[r][c];
            algebra->add_rows(sums, NULL, rows, count, n);
            for (size_t c = 0; c <= n; c++)
                assert_double(sums[c], want[c]);
        }
}

static void check_squares(const tqi_algebra *algebra) {
    float values[MOST_VALUES];
    for (size_t i = 0; i < COUNT(counts); i++) {
        double lanes[16] = {0}, want = 0;
        float low = FLT_MAX, high = -FLT_MAX, range[2] = {FLT_MAX, -FLT_MAX};
        for (size_t c = 0; c < counts[i]; c++) {
            values[c] = random_value();
            volatile double square = (double)values[c] * (double)values[c];
            lanes[c % 16] += square;
            low = values[c] < low ? values[c] : low;
            high = values[c] > high ? values[c] : high;
        }
        for (size_t l = 0; l < 16; l++)
            want += lanes[l];
        assert_double(algebra->sum_squares(values, counts[i], range), want);
        assert_float(range[0], low);
        assert_float(range[1], high);
        for (size_t c = 0; c < counts[i]; c++) {
            float kept[2] = {-2, 3}, was = values[c];
            values[c] = NAN;
            assert_true(isnan(algebra->sum_squares(values, counts[i], kept)));
            assert_true(kept[0] == -2 && kept[1] == 3);
            values[c] = was;
        }
    }
}

static void check_scaled(const tqi_algebra *algebra) {
    double to[MOST_VALUES + 1], from[MOST_VALUES + 1], want[MOST_VALUES + 1];
    for (size_t i = 0; i < COUNT(counts); i++) {
        double factor = 1 / (double)(i + 3);
        for (size_t c = 0; c <= MOST_VALUES; c++) {
            to[c] = want[c] = (double)random_value() / 3;
            from[c] = (double)random_value() / 7;
            volatile double product = factor * from[c];
            if (c < counts[i])
                want[c] += product;
        }
        algebra->add_scaled(to, from, factor, counts[i]);
        for (size_t c = 0; c <= MOST_VALUES; c++)
            assert_double(to[c], want[c]);
    }
}

static void sums(void **unused) {
    (void)unused;
    on_each_level(check_rows);
    on_each_level(check_squares);
    on_each_level(check_scaled);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grams),
        cmocka_unit_test(grams_of_channels),
        cmocka_unit_test(packs_runs),
        cmocka_unit_test(sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
