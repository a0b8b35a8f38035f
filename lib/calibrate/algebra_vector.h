/* SPDX-License-Identifier: Apache-2.0 */
/* The sums of a level, in vectors of BYTES where the compiler has them; PRODUCT_ROWS and GRAM_ROWS,
 * parts of 8 and 16, say how many rows of sums the registers hold. WIDEN, if there is one, is what
 * makes doubles of floats, where compilers make a mess of it. Included once by a file. */
#if !defined(BYTES) || !defined(GRAM_ROWS) || !defined(PRODUCT_ROWS)
#error "what the vectors are"
#endif

#include <float.h>
#include <stdbool.h>
#include <string.h>

#include "calibrate/gram.h"

#if FLT_EVAL_METHOD != 0
#error "float32 arithmetic must be float32 arithmetic (on i386: -msse2 -mfpmath=sse)"
#endif

#if defined(__GNUC__) || defined(__clang__)
#define INLINE static inline __attribute__((always_inline))
typedef float fv __attribute__((vector_size(BYTES)));
typedef double dv __attribute__((vector_size(BYTES)));
typedef int32_t iv __attribute__((vector_size(BYTES)));
typedef float half __attribute__((vector_size(BYTES / 2)));

INLINE dv widen(const float *x) {
#ifdef WIDEN
    return WIDEN(x);
#else
    half value;
    memcpy(&value, x, sizeof value);
    return __builtin_convertvector(value, dv);
#endif
}

/* NaN is never picked for x. */
INLINE fv lower(fv x, fv y) {
    iv is = x < y;
    return (fv)((is & (iv)x) | (~is & (iv)y));
}

INLINE fv higher(fv x, fv y) {
    iv is = x > y;
    return (fv)((is & (iv)x) | (~is & (iv)y));
}
#else
#define INLINE static inline
typedef float fv;
typedef double dv;

INLINE dv widen(const float *x) {
    return (double)*x;
}

INLINE fv lower(fv x, fv y) {
    return x < y ? x : y;
}

INLINE fv higher(fv x, fv y) {
    return x > y ? x : y;
}
#endif

enum {
    FLOATS = sizeof(fv) / sizeof(float),
    DOUBLES = sizeof(dv) / sizeof(double),
    PANEL = TQI_GRAM_PANEL,
    EDGE = TQI_ALGEBRA_EDGE,
};

INLINE fv load_f(const float *x) {
    fv value;
    memcpy(&value, x, sizeof value);
    return value;
}

INLINE void store_f(float *to, fv value) {
    memcpy(to, &value, sizeof value);
}

INLINE fv all_f(float x) {
    return x - (fv){0}; /* in all lanes, and -0 stays -0 */
}

/* In a register: compilers would rather load once more for each use. */
INLINE fv kept(fv x) {
#if defined(__x86_64__) && defined(__GNUC__)
    __asm__("" : "+v"(x));
#endif
    return x;
}

INLINE dv load_d(const double *x) {
    dv value;
    memcpy(&value, x, sizeof value);
    return value;
}

INLINE void store_d(double *to, dv value) {
    memcpy(to, &value, sizeof value);
}

INLINE dv all_d(double x) {
    return x - (dv){0};
}

/* ---- grams ---- */

/* Grams are seldom in the cache. Only a hint, so it may point anywhere. */
INLINE void fetch(const float *gram, size_t at) {
#if defined(__GNUC__) || defined(__clang__)
    uintptr_t line = (uintptr_t)gram + at * sizeof *gram;
    __builtin_prefetch((const void *)line, 1);
    __builtin_prefetch((const void *)(line + PANEL * sizeof *gram), 1);
#else
    (void)gram;
    (void)at;
#endif
}

static void gram_tile(const float *a, const float *b, size_t count, float *tile) {
    enum { PARTS = PANEL / FLOATS };
    fv sums[GRAM_ROWS][PARTS];
    for (size_t r = 0; r < GRAM_ROWS; r++)
        for (size_t p = 0; p < PARTS; p++)
            sums[r][p] = all_f(0);
    for (size_t n = 0; n < count; n++, a += PANEL, b += PANEL) {
        fv columns[PARTS];
        for (size_t p = 0; p < PARTS; p++)
            columns[p] = load_f(b + p * FLOATS);
        for (size_t r = 0; r < GRAM_ROWS; r++) {
            fv row = all_f(a[r]);
            for (size_t p = 0; p < PARTS; p++)
                sums[r][p] += row * columns[p];
        }
    }
    for (size_t r = 0; r < GRAM_ROWS; r++)
        for (size_t p = 0; p < PARTS; p++)
            store_f(tile + r * PANEL + p * FLOATS, sums[r][p]);
}

INLINE void add_floats(float *to, const float *from, size_t n) {
    size_t i = 0;
    for (; i + FLOATS <= n; i += FLOATS)
        store_f(to + i, load_f(to + i) + load_f(from + i));
    for (; i < n; i++)
        to[i] += from[i];
}

static void gram(float *gram, const float *packed, size_t length, size_t count) {
    float tile[GRAM_ROWS * PANEL];
    for (size_t i = 0; i < length; i += GRAM_ROWS) {
        const float *a = packed + i / PANEL * PANEL * TQI_GRAM_BLOCK + i % PANEL;
        for (size_t j = 0; j < i + GRAM_ROWS; j += PANEL) {
            for (size_t row = i; row < i + GRAM_ROWS && row < length; row++)
                fetch(gram, tqi_triangle(row) + j);
            gram_tile(a, packed + j * TQI_GRAM_BLOCK, count, tile);
            for (size_t row = i; row < i + GRAM_ROWS && row < length; row++) {
                size_t columns = row < j ? 0 : row - j < PANEL ? row - j + 1 : PANEL;
                add_floats(gram + tqi_triangle(row) + j, tile + (row - i) * PANEL, columns);
            }
        }
    }
}

/* Products of SIDE taps with SIDE others, for as many channels as a vector has. */
enum { SIDE = 3 };

typedef struct taps_tile {
    float *gram;         /* of the first channel */
    const float *packed; /* likewise */
    size_t taps, count;
    size_t stride; /* of the gram */
    size_t width;  /* channels that there are */
} taps_tile;

INLINE void multiply_taps(const taps_tile *t, size_t first_i, size_t first_j, const size_t side) {
    size_t i = first_i + side <= t->taps ? first_i : t->taps - side;
    size_t j = first_j + side <= t->taps ? first_j : t->taps - side;
    const float *a = t->packed + i * PANEL, *b = t->packed + j * PANEL;
    fv sums[SIDE][SIDE];
    for (size_t r = 0; r < side; r++)
        for (size_t s = 0; s < side; s++)
            sums[r][s] = all_f(0);
    for (size_t r = 0; r < side; r++)
        for (size_t s = 0; s < side; s++)
            fetch(t->gram, (tqi_triangle(i + r) + j + s) * t->stride);
    for (size_t n = 0; n < t->count; n++, a += t->taps * PANEL, b += t->taps * PANEL) {
        fv one[SIDE];
        for (size_t r = 0; r < side; r++)
            one[r] = kept(load_f(a + r * PANEL));
        for (size_t s = 0; s < side; s++) {
            fv other = kept(load_f(b + s * PANEL));
            for (size_t r = 0; r < side; r++)
                sums[r][s] += one[r] * other;
        }
    }
    float row[FLOATS];
    for (size_t r = first_i - i; r < side; r++)
        for (size_t s = first_j - j; s < side && j + s <= i + r; s++) {
            store_f(row, sums[r][s]);
            add_floats(t->gram + (tqi_triangle(i + r) + j + s) * t->stride, row, t->width);
        }
}

static void multiply_all_taps(const taps_tile *t) {
    if (t->taps < SIDE)
        for (size_t i = 0; i < t->taps; i++)
            for (size_t j = 0; j <= i; j++)
                multiply_taps(t, i, j, 1);
    else
        for (size_t i = 0; i < t->taps; i += SIDE)
            for (size_t j = 0; j <= i; j += SIDE)
                multiply_taps(t, i, j, SIDE);
}

static void gram_channels(float *gram, size_t stride, const float *packed, size_t taps,
                          size_t channels, size_t count) {
    for (size_t c = 0; c < channels; c += FLOATS) {
        const float *panel = packed + c / PANEL * PANEL * taps * TQI_GRAM_BLOCK + c % PANEL;
        size_t width = channels - c < FLOATS ? channels - c : FLOATS;
        multiply_all_taps(&(taps_tile){gram + c, panel, taps, count, stride, width});
    }
}

/* ---- sums ---- */

INLINE void add_each(double *sums, double *squares, const float *const *rows, size_t count,
                     size_t n, const bool with_squares) {
    enum { PARTS = 4, STEP = PARTS * DOUBLES };
    size_t i = 0;
    for (; i + STEP <= n; i += STEP) {
        dv s[PARTS], q[PARTS];
        for (size_t p = 0; p < PARTS; p++) {
            s[p] = load_d(sums + i + p * DOUBLES);
            if (with_squares)
                q[p] = load_d(squares + i + p * DOUBLES);
        }
        for (size_t r = 0; r < count; r++)
            for (size_t p = 0; p < PARTS; p++) {
                dv value = widen(rows[r] + i + p * DOUBLES);
                s[p] += value;
                if (with_squares)
                    q[p] += value * value;
            }
        for (size_t p = 0; p < PARTS; p++) {
            store_d(sums + i + p * DOUBLES, s[p]);
            if (with_squares)
                store_d(squares + i + p * DOUBLES, q[p]);
        }
    }
    for (; i < n; i++)
        for (size_t r = 0; r < count; r++) {
            double value = (double)rows[r][i];
            sums[i] += value;
            if (with_squares)
                squares[i] += value * value;
        }
}

static void add_rows(double *sums, double *squares, const float *const *rows, size_t count,
                     size_t n) {
    if (squares)
        add_each(sums, squares, rows, count, n, true);
    else
        add_each(sums, NULL, rows, count, n, false);
}

static double sum_squares(const float *values, size_t n, float range[2]) {
    enum { LANES = 16, PARTS = LANES / DOUBLES, RANGE_PARTS = LANES / FLOATS };
    dv squares[PARTS];
    fv low[RANGE_PARTS], high[RANGE_PARTS];
    for (size_t p = 0; p < PARTS; p++)
        squares[p] = all_d(0);
    for (size_t p = 0; p < RANGE_PARTS; p++) {
        low[p] = all_f(range[0]);
        high[p] = all_f(range[1]);
    }
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t p = 0; p < PARTS; p++) {
            dv value = widen(values + i + p * DOUBLES);
            squares[p] += value * value;
        }
        for (size_t p = 0; p < RANGE_PARTS; p++) {
            fv value = load_f(values + i + p * FLOATS);
            low[p] = lower(value, low[p]);
            high[p] = higher(value, high[p]);
        }
    }
    double lanes[LANES], sum = 0;
    float lows[LANES], highs[LANES];
    for (size_t p = 0; p < PARTS; p++)
        store_d(lanes + p * DOUBLES, squares[p]);
    for (size_t p = 0; p < RANGE_PARTS; p++) {
        store_f(lows + p * FLOATS, low[p]);
        store_f(highs + p * FLOATS, high[p]);
    }
    for (size_t l = 0; l < LANES; l++, i++) {
        if (i < n) {
            float value = values[i];
            lanes[l] += (double)value * (double)value;
            lows[l] = value < lows[l] ? value : lows[l];
            highs[l] = value > highs[l] ? value : highs[l];
        }
        sum += lanes[l];
        range[0] = lows[l] < range[0] ? lows[l] : range[0];
        range[1] = highs[l] > range[1] ? highs[l] : range[1];
    }
    return sum;
}

/* ---- products ---- */

static void add_products(double *c, size_t stride, const double *x, const double *y, size_t depth) {
    enum { PARTS = EDGE / DOUBLES };
    for (size_t i = 0; i < EDGE; i += PRODUCT_ROWS) {
        dv sums[PRODUCT_ROWS][PARTS];
        for (size_t r = 0; r < PRODUCT_ROWS; r++)
            for (size_t p = 0; p < PARTS; p++)
                sums[r][p] = load_d(c + (i + r) * stride + p * DOUBLES);
        for (size_t k = 0; k < depth; k++) {
            dv columns[PARTS];
            for (size_t p = 0; p < PARTS; p++)
                columns[p] = load_d(y + k * EDGE + p * DOUBLES);
            for (size_t r = 0; r < PRODUCT_ROWS; r++) {
                dv row = all_d(x[k * EDGE + i + r]);
                for (size_t p = 0; p < PARTS; p++)
                    sums[r][p] += row * columns[p];
            }
        }
        for (size_t r = 0; r < PRODUCT_ROWS; r++)
            for (size_t p = 0; p < PARTS; p++)
                store_d(c + (i + r) * stride + p * DOUBLES, sums[r][p]);
    }
}

static void add_scaled(double *to, const double *from, double factor, size_t n) {
    size_t i = 0;
    for (; i + DOUBLES <= n; i += DOUBLES)
        store_d(to + i, load_d(to + i) + all_d(factor) * load_d(from + i));
    for (; i < n; i++)
        to[i] += factor * from[i];
}

static const tqi_algebra level = {gram,        gram_channels, add_rows,
                                  sum_squares, add_products,  add_scaled};
