/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding by second moments and by sums, against the same written down naively. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "quantize/cholesky.h"
#include "quantize/rounding_gptq.h"
#include "quantize/rounding_sums.h"

/* ---- levels: what the processor lacks is left out, so that some come twice ---- */

static const uint32_t disabled[] = {0, TQ_CPU_AVX512, UINT32_MAX};

static tqi_algebra algebra_without(uint32_t flags) {
    tqi_algebra algebra;
    tqi_algebra_init(&algebra, tqi_cpu_flags() & ~flags);
    return algebra;
}

/* ---- data ---- */

static uint32_t state;

static double uniform(void) { /* [-0.5, 0.5), the same everywhere */
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (double)state / 4294967296.0 - 0.5;
}

static void *get(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    assert_non_null(memory);
    return memory;
}

/* A layer: weights with a scale each row (or each block of a row), and moments of inputs that
 * go along with their neighbours. */
typedef struct layer {
    tqi_weight_rows rows;
    size_t n; /* weights */
    float *weights, *scales;
    double *second, *mean;
    float *second_f32;
    int8_t *codes;
    int min, max;
} layer;

static void add_moments(layer *l, size_t group, size_t samples) {
    size_t taps = l->rows.taps;
    double *x = get(taps, sizeof *x), *mean = l->mean + group * taps;
    double *second = l->second + group * taps * taps;
    for (size_t s = 0; s < samples; s++) {
        double before = uniform();
        for (size_t t = 0; t < taps; t++) {
            before = 0.9 * before + uniform();
            x[t] = before + 0.5 + 0.2 * uniform();
            x[t] = x[t] > 0 ? x[t] * (1 + (double)(t % 5)) : 0;
        }
        for (size_t i = 0; i < taps; i++) {
            mean[i] += x[i] / (double)samples;
            for (size_t j = 0; j < taps; j++)
                second[i * taps + j] += x[i] * x[j] / (double)samples;
        }
    }
    free(x);
}

static void set_scales(layer *l) {
    const tqi_weight_rows *at = &l->rows;
    memset(l->scales, 0, at->groups * at->rows * tqi_scales_per_row(at) * sizeof(float));
    for (size_t g = 0; g < at->groups; g++)
        for (size_t r = 0; r < at->rows; r++)
            for (size_t t = 0; t < at->taps; t++) {
                size_t block = at->scale_block ? t / at->scale_block : 0;
                float *scale = &l->scales[(g * at->rows + r) * tqi_scales_per_row(at) + block];
                float needed = fabsf(l->weights[tqi_weight_at(at, g, r, t)]) / (float)l->max;
                *scale = needed > *scale ? needed : *scale;
            }
}

static layer layer_make(tqi_weight_rows rows, int max, uint32_t seed) {
    layer l = {.rows = rows, .n = rows.groups * rows.rows * rows.taps, .min = -max, .max = max};
    size_t taps = rows.taps;
    state = seed;
    l.weights = get(l.n, sizeof(float));
    l.scales = get(rows.groups * rows.rows * tqi_scales_per_row(&rows), sizeof(float));
    l.second = get(rows.groups * taps * taps, sizeof(double));
    l.second_f32 = get(rows.groups * taps * taps, sizeof(float));
    l.mean = get(rows.groups * taps, sizeof(double));
    l.codes = get(l.n, 1);
    for (size_t i = 0; i < l.n; i++)
        l.weights[i] = (float)(uniform() + uniform() + uniform());
    for (size_t g = 0; g < rows.groups; g++)
        add_moments(&l, g, 3 * taps + 20);
    for (size_t i = 0; i < rows.groups * taps * taps; i++)
        l.second_f32[i] = (float)l.second[i];
    l.rows.scales = l.scales;
    set_scales(&l);
    return l;
}

static void layer_free(layer *l) {
    free(l->weights);
    free(l->scales);
    free(l->second);
    free(l->second_f32);
    free(l->mean);
    free(l->codes);
}

static tqi_gptq task_of(const layer *l) {
    return (tqi_gptq){.rows = l->rows,
                      .weights = l->weights,
                      .moments = {.second = l->second, .mean = l->mean},
                      .min = l->min,
                      .max = l->max,
                      .damping = TQI_GPTQ_DAMPING,
                      .signal = true,
                      .cpu_flags = tqi_cpu_flags()};
}

static tqi_gptq_result run(const tqi_gptq *task, int8_t *codes) {
    tqi_heap heap;
    tq_error error = TQ_ERROR_INIT;
    tqi_gptq_result result;
    tqi_heap_init(&heap, NULL, 0);
    assert_ok(tqi_round_gptq(task, codes, &result, &heap, &error), &error);
    assert_int_equal(atomic_load(&heap.used), 0);
    return result;
}

static int8_t *plain_codes(const layer *l) {
    int8_t *codes = get(l->n, 1);
    const tqi_weight_rows *at = &l->rows;
    for (size_t g = 0; g < at->groups; g++)
        for (size_t r = 0; r < at->rows; r++)
            for (size_t t = 0; t < at->taps; t++) {
                size_t i = tqi_weight_at(at, g, r, t);
                codes[i] = (int8_t)tqi_plain_code(l->weights[i], tqi_scale_at(at, g, r, t), l->min,
                                                  l->max);
            }
    return codes;
}

/* ---- linear algebra ---- */

static double *random_matrix(size_t n) {
    double *at = get(n, sizeof *at);
    for (size_t i = 0; i < n; i++)
        at[i] = uniform();
    return at;
}

static void check_products(const tqi_algebra *algebra, size_t m, size_t n, size_t depth,
                           double sign) {
    double *x = random_matrix(depth * (m + 3)), *y = random_matrix(depth * (n + 1));
    double *c = random_matrix(m * (n + 2)), *want = get(m * (n + 2), sizeof *want);
    double *scratch = get(TQI_PRODUCT_SCRATCH, sizeof *scratch);
    memcpy(want, c, m * (n + 2) * sizeof *c);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < depth; k++) {
                double product = sign * x[k * (m + 3) + i] * y[k * (n + 1) + j];
                want[i * (n + 2) + j] += product;
            }
    tqi_add_products(algebra, (tqi_matrix){c, n + 2}, (tqi_matrix){x, m + 3},
                     (tqi_matrix){y, n + 1}, m, n, depth, sign, scratch);
    assert_memory_equal(c, want, m * (n + 2) * sizeof *c);
    free(x);
    free(y);
    free(c);
    free(want);
    free(scratch);
}

/* To the bit: a sum's order is promised. */
static void products(void **unused) {
    (void)unused;
    state = 7;
    static const size_t sizes[] = {1, 3, 8, 9, 63, 64, 65, 130};
    for (size_t l = 0; l < COUNT(disabled); l++) {
        tqi_algebra algebra = algebra_without(disabled[l]);
        for (size_t i = 0; i < COUNT(sizes); i++)
            for (size_t j = 0; j < COUNT(sizes); j++)
                check_products(&algebra, sizes[i], sizes[j], sizes[(i * 3 + j) % COUNT(sizes)] * 2,
                               i % 2 ? 1 : -1);
    }
}

static void check_factor(const tqi_algebra *algebra, size_t n) {
    double *root = random_matrix(n * n), *a = get(n * n, sizeof *a), *u = get(n * n, sizeof *u);
    double *scratch = get(TQI_CHOLESKY_SCRATCH, sizeof *scratch);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            for (size_t k = 0; k < n; k++)
                a[i * n + j] += root[i * n + k] * root[j * n + k];
            u[i * n + j] = i > j ? -77 : a[i * n + j] + (i == j);
        }
    assert_int_equal(tqi_cholesky(algebra, u, n, 0.5, scratch, NULL), TQI_FACTORED);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t k = 0; k <= i && k <= j; k++)
                sum += u[k * n + i] * u[k * n + j];
            assert_true(fabs(sum - a[i * n + j] - (i == j)) < 1e-12 * (double)(n + 10));
            assert_true(i <= j || u[i * n + j] == -77);
        }
    /* an eigenvalue below 0 shows in the last pivot at the latest */
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            u[i * n + j] = a[i * n + j] - (i == j && i == n - 1 ? a[i * n + j] + 1 : 0);
    assert_int_equal(tqi_cholesky(algebra, u, n, 1e-12, scratch, NULL), TQI_NOT_POSITIVE);
    free(root);
    free(a);
    free(u);
    free(scratch);
}

static void factors(void **unused) {
    (void)unused;
    state = 11;
    static const size_t sizes[] = {1, 2, 5, 63, 64, 65, 150};
    for (size_t l = 0; l < COUNT(disabled); l++) {
        tqi_algebra algebra = algebra_without(disabled[l]);
        for (size_t i = 0; i < COUNT(sizes); i++)
            check_factor(&algebra, sizes[i]);
    }
}

/* ---- GPTQ as it is usually written: by the factor of the inverse ---- */

static double covariance(const layer *l, size_t group, size_t i, size_t j) {
    size_t taps = l->rows.taps;
    return l->second[(group * taps + i) * taps + j] -
           l->mean[group * taps + i] * l->mean[group * taps + j];
}

/* Gauss-Jordan; the matrix is positive definite. */
static void invert(double *a, size_t n) {
    for (size_t p = 0; p < n; p++) {
        double pivot = a[p * n + p];
        a[p * n + p] = 1;
        for (size_t j = 0; j < n; j++)
            a[p * n + j] /= pivot;
        for (size_t i = 0; i < n; i++) {
            double factor = a[i * n + p];
            if (i == p)
                continue;
            a[i * n + p] = 0;
            for (size_t j = 0; j < n; j++)
                a[i * n + j] -= factor * a[p * n + j];
        }
    }
}

static void upper_factor(double *a, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            for (size_t j = i; j < n; j++)
                a[i * n + j] -= a[k * n + i] * a[k * n + j];
        double root = sqrt(a[i * n + i]);
        for (size_t j = i; j < n; j++)
            a[i * n + j] /= root;
    }
}

static void descending(const layer *l, size_t group, size_t *order) {
    size_t taps = l->rows.taps;
    for (size_t i = 0; i < taps; i++) {
        size_t at = i;
        for (; at > 0 &&
               covariance(l, group, order[at - 1], order[at - 1]) < covariance(l, group, i, i);
             at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

static void reference_group(const layer *l, size_t group, int8_t *codes) {
    const tqi_weight_rows *at = &l->rows;
    size_t n = at->taps, *order = get(n, sizeof *order);
    double *u = get(n * n, sizeof *u), *w = get(n, sizeof *w), trace = 0;
    descending(l, group, order);
    for (size_t i = 0; i < n; i++)
        trace += covariance(l, group, i, i);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            u[i * n + j] = covariance(l, group, order[i], order[j]) +
                           (i == j ? TQI_GPTQ_DAMPING * trace / (double)n : 0);
    invert(u, n);
    upper_factor(u, n);
    for (size_t r = 0; r < at->rows; r++) {
        for (size_t i = 0; i < n; i++)
            w[i] = (double)l->weights[tqi_weight_at(at, group, r, order[i])];
        for (size_t j = 0; j < n; j++) {
            double scale = (double)tqi_scale_at(at, group, r, order[j]);
            double q = scale > 0 ? rint(w[j] / scale) : 0;
            q = q < l->min ? l->min : q > l->max ? l->max : q;
            codes[tqi_weight_at(at, group, r, order[j])] = (int8_t)q;
            double off = (w[j] - scale * q) / u[j * n + j];
            for (size_t k = j + 1; k < n; k++)
                w[k] -= off * u[j * n + k];
        }
    }
    free(order);
    free(u);
    free(w);
}

/* d C d^T over all rows; codes NULL: of the weights. */
static double noise_of(const layer *l, const int8_t *codes) {
    const tqi_weight_rows *at = &l->rows;
    double *d = get(at->taps, sizeof *d), sum = 0;
    for (size_t g = 0; g < at->groups; g++)
        for (size_t r = 0; r < at->rows; r++) {
            for (size_t t = 0; t < at->taps; t++) {
                size_t i = tqi_weight_at(at, g, r, t);
                d[t] = (double)l->weights[i] -
                       (codes ? (double)tqi_scale_at(at, g, r, t) * codes[i] : 0);
            }
            for (size_t i = 0; i < at->taps; i++)
                for (size_t j = 0; j < at->taps; j++)
                    sum += d[i] * d[j] * covariance(l, g, i, j);
        }
    free(d);
    return sum;
}

static void assert_close(double a, double b, double relative) {
    if (!(fabs(a - b) <= relative * fabs(b)))
        fail_msg("%.17g is not %.17g", a, b);
}

static void check_gptq(tqi_weight_rows rows, int max, uint32_t seed, double factor) {
    layer l = layer_make(rows, max, seed);
    tqi_gptq task = task_of(&l);
    tqi_gptq_result result = run(&task, l.codes);
    int8_t *plain = plain_codes(&l), *want = get(l.n, 1), *again = get(l.n, 1);
    assert_int_equal(result.fitted, rows.groups);
    assert_int_equal(result.constant + result.refused, 0);
    assert_close(result.noise_plain, noise_of(&l, plain), 1e-9);
    assert_close(result.noise, noise_of(&l, l.codes), 1e-7);
    assert_close(result.signal, noise_of(&l, NULL), 1e-9);
    assert_true(result.noise <= result.noise_plain * factor);
    for (size_t g = 0; g < rows.groups; g++)
        reference_group(&l, g, want);
    if (result.noise < noise_of(&l, want) * (1 - 1e-9)) {
        /* some row of it was worse than plain rounding */
        assert_true(factor == 1);
    } else {
        assert_memory_equal(l.codes, want, l.n);
    }
    run(&task, again);
    assert_memory_equal(l.codes, again, l.n);
    free(plain);
    free(want);
    free(again);
    layer_free(&l);
}

static void gptq_is_the_reference(void **unused) {
    (void)unused;
    uint32_t seed = 1;
    static const size_t taps[] = {2, 3, 9, 27, 63, 64, 65, 150}, rows[] = {1, 5, 64, 70};
    for (size_t t = 0; t < COUNT(taps); t++)
        for (size_t r = 0; r < COUNT(rows); r++)
            check_gptq(tqi_rows_dense(rows[r], taps[t], 1, NULL), 127, seed++,
                       taps[t] * rows[r] < 300 ? 1 : 0.6);
    /* groups of rows, depthwise with and without a multiplier, few bits, scales by block */
    check_gptq(tqi_rows_dense(24, 18, 3, NULL), 127, seed++, 0.6);
    check_gptq(tqi_rows_depthwise(9, 40, 1, NULL), 127, seed++, 0.8);
    check_gptq(tqi_rows_depthwise(25, 6, 4, NULL), 127, seed++, 0.8);
    check_gptq(tqi_rows_dense(32, 72, 1, NULL), 7, seed++, 0.6);
    tqi_weight_rows blocks = tqi_rows_dense(32, 80, 1, NULL);
    blocks.scale_block = 32;
    check_gptq(blocks, 7, seed++, 0.6);
    check_gptq(blocks, 1, seed++, 0.6);
}

static void gptq_of_float_moments(void **unused) {
    (void)unused;
    layer l = layer_make(tqi_rows_dense(16, 40, 1, NULL), 127, 5);
    int8_t *codes = get(l.n, 1);
    for (size_t i = 0; i < 40 * 40; i++)
        l.second[i] = (double)l.second_f32[i];
    tqi_gptq task = task_of(&l);
    run(&task, l.codes);
    task.moments.second = NULL;
    task.moments.second_f32 = l.second_f32;
    /* below the diagonal nothing is read */
    for (size_t i = 0; i < 40; i++)
        for (size_t j = 0; j < i; j++)
            l.second_f32[i * 40 + j] = NAN;
    run(&task, codes);
    assert_memory_equal(codes, l.codes, l.n);
    free(codes);
    layer_free(&l);
}

/* Moments of whole numbers, so that they too are the same on every machine. */
static void set_whole_moments(layer *l) {
    enum { SAMPLES = 512 };
    size_t taps = l->rows.taps;
    int64_t *x = get(taps, sizeof *x);
    memset(l->mean, 0, taps * sizeof(double));
    memset(l->second, 0, taps * taps * sizeof(double));
    for (int s = 0; s < SAMPLES; s++) {
        for (size_t t = 0; t < taps; t++) {
            uniform();
            x[t] = (t > 0 ? x[t - 1] * 7 / 8 : 0) + state % 1024;
        }
        for (size_t i = 0; i < taps; i++) {
            l->mean[i] += (double)x[i] / SAMPLES;
            for (size_t j = 0; j < taps; j++)
                l->second[i * taps + j] += (double)(x[i] * x[j]) / SAMPLES;
        }
    }
    free(x);
}

/* The same on every machine: the numbers are from x86-64. */
static void gptq_bits(void **unused) {
    (void)unused;
    layer l = layer_make(tqi_rows_dense(100, 200, 1, NULL), 127, 99);
    set_whole_moments(&l);
    tqi_gptq task = task_of(&l);
    for (size_t level = 0; level < COUNT(disabled); level++) {
        task.cpu_flags = tqi_cpu_flags() & ~disabled[level];
        tqi_gptq_result result = run(&task, l.codes);
        uint64_t hash = 0, noise;
        for (size_t i = 0; i < l.n; i++)
            hash = hash * UINT64_C(1099511628211) + (uint8_t)l.codes[i];
        memcpy(&noise, &result.noise, sizeof noise);
        assert_int_equal(hash, UINT64_C(0x7a331d6363cad8f2));
        assert_int_equal(noise, UINT64_C(0x40cd479eff0e33c2));
    }
    layer_free(&l);
}

/* ---- inputs that are odd ---- */

static void gptq_edges(void **unused) {
    (void)unused;
    /* one tap: plain rounding is best */
    layer l = layer_make(tqi_rows_dense(5, 1, 1, NULL), 127, 3);
    tqi_gptq task = task_of(&l);
    int8_t *plain = plain_codes(&l);
    tqi_gptq_result result = run(&task, l.codes);
    assert_int_equal(result.fitted, 1);
    assert_memory_equal(l.codes, plain, l.n);
    free(plain);
    /* nothing at all */
    task.rows.rows = 0;
    assert_int_equal(run(&task, l.codes).fitted, 0);
    layer_free(&l);

    /* rows of zeros, with a scale and without */
    l = layer_make(tqi_rows_dense(4, 20, 1, NULL), 127, 4);
    memset(l.weights, 0, 40 * sizeof(float));
    l.scales[0] = 0;
    memset(l.codes, 99, l.n);
    task = task_of(&l);
    run(&task, l.codes);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(l.codes[i], 0);
    /* a scale of 0 for weights that are not: nothing else is to be had */
    l.scales[2] = 0;
    run(&task, l.codes);
    for (size_t i = 40; i < 60; i++)
        assert_int_equal(l.codes[i], 0);
    /* the smallest scale there is: all codes are at the ends */
    l.scales[3] = 1e-45f;
    run(&task, l.codes);
    for (size_t i = 60; i < 80; i++)
        assert_true(l.codes[i] == 127 || l.codes[i] == -127);
    layer_free(&l);
}

/* Every tap twice, some dead, some constant: singular, and damping alone makes it work. */
static void gptq_singular(void **unused) {
    (void)unused;
    enum { TAPS = 48 };
    layer l = layer_make(tqi_rows_dense(32, TAPS, 1, NULL), 127, 8);
    for (size_t i = 0; i < TAPS; i++) {
        l.mean[i] = i < 4 ? 0 : i < 8 ? 3 : l.mean[i / 2 * 2];
        for (size_t j = 0; j < TAPS; j++)
            l.second[i * TAPS + j] = l.second[i / 2 * 2 * TAPS + j / 2 * 2];
    }
    for (size_t i = 0; i < TAPS; i++)
        for (size_t j = 0; j < TAPS; j++)
            if (i < 8 || j < 8)
                l.second[i * TAPS + j] = l.mean[i] * l.mean[j];
    tqi_gptq task = task_of(&l);
    tqi_gptq_result result = run(&task, l.codes);
    assert_int_equal(result.fitted, 1);
    assert_close(result.noise, noise_of(&l, l.codes), 1e-6);
    assert_true(result.noise < 0.3 * result.noise_plain);
    task.damping = 0; /* then some is found */
    result = run(&task, l.codes);
    assert_int_equal(result.fitted, 1);
    assert_true(result.noise < 0.3 * result.noise_plain);
    layer_free(&l);
}

static void gptq_bad_statistics(void **unused) {
    (void)unused;
    static const double bad[] = {NAN, INFINITY, -INFINITY, 1e300};
    layer l = layer_make(tqi_rows_depthwise(9, 3, 2, NULL), 127, 6);
    int8_t *plain = plain_codes(&l);
    tqi_gptq task = task_of(&l);
    for (size_t b = 0; b < COUNT(bad); b++)
        for (int where = 0; where < 3; where++) {
            double *at = where == 0   ? &l.second[81 + 2]
                         : where == 1 ? &l.second[81 + 10]
                                      : l.mean + 9;
            double kept = *at;
            *at = bad[b];
            tqi_gptq_result result = run(&task, l.codes);
            *at = kept;
            /* one group of three is plain, the others are not touched by it */
            assert_int_equal(result.refused, 1);
            assert_int_equal(result.fitted, 2);
            assert_true(isfinite(result.noise) && isfinite(result.signal));
            for (size_t t = 0; t < 9; t++)
                assert_memory_equal(l.codes + t * 6 + 2, plain + t * 6 + 2, 2);
        }
    /* no covariance: more damping helps, or nothing does */
    for (size_t i = 0; i < 9; i++)
        for (size_t j = 0; j < 9; j++)
            l.second[i * 9 + j] = (i == j ? 1 : 1.02) + l.mean[i] * l.mean[j];
    assert_int_equal(run(&task, l.codes).fitted, 3);
    for (size_t i = 0; i < 9; i++)
        for (size_t j = 0; j < 9; j++)
            l.second[i * 9 + j] = (i == j ? 1 : 50) + l.mean[i] * l.mean[j];
    assert_int_equal(run(&task, l.codes).refused, 1);
    /* inputs that never change */
    for (size_t i = 0; i < 9; i++)
        for (size_t j = 0; j < 9; j++)
            l.second[i * 9 + j] = l.mean[i] * l.mean[j];
    assert_int_equal(run(&task, l.codes).constant, 1);
    for (size_t t = 0; t < 9; t++)
        assert_memory_equal(l.codes + t * 6, plain + t * 6, 2);
    free(plain);
    layer_free(&l);
}

static void gptq_bad_weights(void **unused) {
    (void)unused;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    layer l = layer_make(tqi_rows_dense(4, 10, 1, NULL), 127, 6);
    tqi_gptq task = task_of(&l);
    tqi_heap heap;
    tqi_gptq_result result;
    tqi_heap_init(&heap, NULL, 0);
    memset(l.codes, 99, l.n);
    for (size_t b = 0; b < COUNT(bad); b++)
        for (int where = 0; where < 2; where++) {
            tq_error error = TQ_ERROR_INIT;
            float *at = where ? l.weights + 17 : l.scales + 2, kept = *at;
            *at = bad[b];
            assert_failed(TQ_ERR_UNSUPPORTED,
                          tqi_round_gptq(&task, l.codes, &result, &heap, &error), &error);
            *at = kept;
            for (size_t i = 0; i < l.n; i++)
                assert_int_equal(l.codes[i], 99);
        }
    layer_free(&l);
}

static void gptq_memory(void **unused) {
    (void)unused;
    layer l = layer_make(tqi_rows_dense(70, 66, 1, NULL), 127, 6);
    tqi_gptq task = task_of(&l);
    for (uint64_t fail_at = 1;; fail_at++) {
        watch w = {.fail_at = fail_at};
        tq_allocator allocator = watched(&w);
        tqi_heap heap;
        tq_error error = TQ_ERROR_INIT;
        tqi_gptq_result result;
        tqi_heap_init(&heap, &allocator, 0);
        memset(l.codes, 99, l.n);
        tq_status status = tqi_round_gptq(&task, l.codes, &result, &heap, &error);
        assert_int_equal(w.held, 0);
        assert_int_equal(w.wrong, 0);
        if (status == TQ_OK) {
            assert_true(fail_at > 3);
            break;
        }
        assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
        for (size_t i = 0; i < l.n; i++)
            assert_int_equal(l.codes[i], 99);
    }
    layer_free(&l);
}

static bool count_down(void *opaque) {
    int *left = opaque;
    return (*left)-- == 0;
}

static void gptq_cancel(void **unused) {
    (void)unused;
    layer l = layer_make(tqi_rows_dense(70, 66, 1, NULL), 127, 6);
    int8_t *plain = plain_codes(&l), *done = get(l.n, 1);
    int left, asked = 0;
    tqi_cancel cancel = {count_down, &left};
    tqi_gptq task = task_of(&l);
    run(&task, done);
    task.cancel = &cancel;
    for (tq_status status = TQ_ERR_CANCELLED; status != TQ_OK; asked++) {
        tqi_heap heap;
        tq_error error = TQ_ERROR_INIT;
        tqi_gptq_result result;
        tqi_heap_init(&heap, NULL, 0);
        left = asked;
        status = tqi_round_gptq(&task, l.codes, &result, &heap, &error);
        assert_int_equal(atomic_load(&heap.used), 0);
        if (status != TQ_OK)
            assert_failed(TQ_ERR_CANCELLED, status, &error);
        for (size_t r = 0; r < 70; r++)
            assert_true(memcmp(l.codes + r * 66, plain + r * 66, 66) == 0 ||
                        memcmp(l.codes + r * 66, done + r * 66, 66) == 0);
    }
    assert_true(asked > 8);
    free(plain);
    free(done);
    layer_free(&l);
}

/* ---- sums ---- */

typedef struct kernels {
    tqi_kernel_sums task;
    size_t n;
    float *weights, *scales;
    int8_t *codes;
} kernels;

static kernels kernels_make(size_t outer, size_t taps, size_t inner, bool by_inner, int max) {
    kernels k = {.n = outer * taps * inner};
    k.weights = get(k.n, sizeof(float));
    k.scales = get(by_inner ? inner : outer, sizeof(float));
    k.codes = get(k.n, 1);
    for (size_t i = 0; i < k.n; i++) {
        size_t channel = by_inner ? i % inner : i / (taps * inner);
        k.weights[i] = (float)uniform();
        float needed = fabsf(k.weights[i]) / (float)max;
        k.scales[channel] = needed > k.scales[channel] ? needed : k.scales[channel];
    }
    k.task = (tqi_kernel_sums){k.weights, outer, taps, inner, k.scales, by_inner, -max, max};
    return k;
}

static void kernels_free(kernels *k) {
    free(k->weights);
    free(k->scales);
    free(k->codes);
}

static void round_sums(kernels *k, size_t *moved) {
    tqi_heap heap;
    tq_error error = TQ_ERROR_INIT;
    tqi_heap_init(&heap, NULL, 0);
    assert_ok(tqi_round_sums(&k->task, k->codes, moved, &heap, &error), &error);
    assert_int_equal(atomic_load(&heap.used), 0);
}

/* One kernel the plain way: of those not yet moved the worst, as often as needed. */
static void reference_sums(const kernels *k, size_t o, size_t i, float scale, int *codes) {
    const tqi_kernel_sums *t = &k->task;
    double *e = get(t->taps, sizeof *e), sum = 0;
    for (size_t tap = 0; tap < t->taps; tap++) {
        float w = k->weights[(o * t->taps + tap) * t->inner + i];
        codes[tap] = tqi_plain_code(w, scale, t->min, t->max);
        e[tap] = codes[tap] - (double)w / (double)scale;
        sum += e[tap];
    }
    int sign = sum > 0 ? 1 : -1;
    for (double left = fabs(sum); left > 0.5; left--) {
        size_t worst = 0;
        for (size_t tap = 1; tap < t->taps; tap++)
            if (sign * e[tap] > sign * e[worst])
                worst = tap;
        codes[worst] -= sign;
        e[worst] = -9 * sign;
    }
    free(e);
}

static void check_sums(size_t outer, size_t taps, size_t inner, bool by_inner, int max) {
    kernels k = kernels_make(outer, taps, inner, by_inner, max);
    size_t moved, differ = 0;
    int *want = get(taps, sizeof *want);
    round_sums(&k, &moved);
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            float scale = k.scales[by_inner ? i : o];
            double off = 0;
            reference_sums(&k, o, i, scale, want);
            for (size_t t = 0; t < taps; t++) {
                size_t at = (o * taps + t) * inner + i;
                int code = k.codes[at];
                double steps = (double)k.weights[at] / (double)scale;
                off += code - steps;
                assert_int_equal(code, want[t]);
                assert_true(code >= -max && code <= max);
                assert_true(fabs(code - steps) < 1.001);
                differ += code != tqi_plain_code(k.weights[at], scale, -max, max);
            }
            assert_true(fabs(off) <= 0.5 + 1e-9);
        }
    assert_int_equal(differ, moved);
    free(want);
    kernels_free(&k);
}

static void sums_are_kept(void **unused) {
    (void)unused;
    state = 21;
    check_sums(8, 9, 5, false, 127);
    check_sums(1, 9, 30, true, 127);
    check_sums(1, 25, 16, true, 127);
    check_sums(6, 1, 7, false, 127);
    check_sums(12, 300, 1, false, 127);
    check_sums(4, 49, 3, false, 7);
    check_sums(16, 4, 3, false, 1);
    check_sums(0, 9, 3, false, 127);
    check_sums(3, 9, 0, false, 127);
}

static void sums_edges(void **unused) {
    (void)unused;
    /* three at a quarter up: the sum is 0.75 off, and the first of the equals goes down again */
    float weights[] = {0.75f, 0.75f, 0.75f, 4}, scale = 1;
    int8_t codes[4];
    kernels k = {.weights = weights, .scales = &scale, .codes = codes, .n = 4};
    k.task = (tqi_kernel_sums){weights, 1, 4, 1, &scale, false, -127, 127};
    size_t moved;
    round_sums(&k, &moved);
    assert_memory_equal(codes, ((int8_t[]){0, 1, 1, 4}), 4);
    assert_int_equal(moved, 1);
    /* half a step off is as good as half a step off the other way: left alone */
    weights[0] = weights[1] = 0.75f;
    weights[2] = 1;
    round_sums(&k, &moved);
    assert_int_equal(moved, 0);
    /* what is beyond the range is not made up for by others */
    weights[2] = 900;
    weights[0] = 0.9f;
    round_sums(&k, &moved);
    assert_memory_equal(codes, ((int8_t[]){1, 1, 127, 4}), 4);
    /* no scale, no codes */
    scale = 0;
    round_sums(&k, &moved);
    assert_memory_equal(codes, ((int8_t[]){0, 0, 0, 0}), 4);
    scale = 1;

    tqi_heap heap;
    tq_error error = TQ_ERROR_INIT;
    tqi_heap_init(&heap, NULL, 0);
    weights[1] = NAN;
    assert_failed(TQ_ERR_UNSUPPORTED, tqi_round_sums(&k.task, codes, NULL, &heap, &error), &error);
    weights[1] = 0;
    scale = -1;
    assert_failed(TQ_ERR_UNSUPPORTED, tqi_round_sums(&k.task, codes, NULL, &heap, &error), &error);
    scale = 1;
    tqi_heap_init(&heap, NULL, 10);
    assert_failed(TQ_ERR_MEMORY_LIMIT, tqi_round_sums(&k.task, codes, NULL, &heap, &error), &error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products),
        cmocka_unit_test(factors),
        cmocka_unit_test(gptq_is_the_reference),
        cmocka_unit_test(gptq_of_float_moments),
        cmocka_unit_test(gptq_bits),
        cmocka_unit_test(gptq_edges),
        cmocka_unit_test(gptq_singular),
        cmocka_unit_test(gptq_bad_statistics),
        cmocka_unit_test(gptq_bad_weights),
        cmocka_unit_test(gptq_memory),
        cmocka_unit_test(gptq_cancel),
        cmocka_unit_test(sums_are_kept),
        cmocka_unit_test(sums_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
