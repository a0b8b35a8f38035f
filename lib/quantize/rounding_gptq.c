/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wanted are codes q with little d C d^T, d = w - s q, C the covariance of the inputs. GPTQ rounds
 * tap by tap, and after each lets the taps that are left make up for the error so far as well
 * as they can. With C = L^T L, L lower triangular, and taps rounded from the last to the first:
 *
 *     d C d^T = sum over c of (sum over a >= c of d_a L_ac)^2,
 *
 * so what is best for tap c, once d is known above c, makes its square 0:
 *
 *     s q_c = w_c + (sum over a > c of d_a L_ac) / L_cc.
 *
 * That is GPTQ as its authors write it (by the Cholesky factor of C^-1), without the inverse, which
 * costs as much again and loses digits; see Chen et al., "The geometry of LLM quantization: GPTQ
 * as Babai's nearest plane algorithm", arXiv 2507.18553.
 */
#include "quantize/rounding_gptq.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "quantize/cholesky.h"

enum { PANEL = 64 }; /* rows at a time */

typedef struct tap_order {
    double variance;
    size_t tap;
} tap_order;

typedef struct work work;
/* Gives tap c of the panel's rows its d. sum[row] is sum over a > c of d_a M_ac. */
typedef void finish_tap(work *w, size_t c, size_t rows, const double *sum);

struct work {
    const tqi_gptq *task;
    tqi_algebra algebra;
    size_t group, first; /* of the panel */
    /* below the diagonal of `a` and in `variance`: C over its mean variance, taps by
     * ascending variance; then its factor */
    tqi_matrix a;
    double *variance;
    double mean_variance, damping;
    tap_order *order;
    tqi_matrix d;    /* [taps][PANEL]: weights, then their errors */
    tqi_matrix sums; /* [TQI_BLOCK][PANEL] */
    int8_t *codes;   /* [taps][PANEL] */
    double *scratch;
    double *plain; /* noise by row */
    double noise[PANEL];
};

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* ----------------------------------------------------------- covariance -- */

static double second_moment(const work *w, size_t i, size_t j) {
    const tqi_gptq_moments *moments = &w->task->moments;
    size_t taps = w->task->rows.taps;
    size_t at = (w->group * taps + (i < j ? i : j)) * taps + (i < j ? j : i);
    return moments->second ? moments->second[at] : (double)moments->second_f32[at];
}

static double mean_of(const work *w, size_t tap) {
    const double *mean = w->task->moments.mean;
    return mean ? mean[w->group * w->task->rows.taps + tap] : 0;
}

static int by_variance(const void *a, const void *b) {
    const tap_order *x = a, *y = b;
    if (x->variance != y->variance)
        return x->variance < y->variance ? -1 : 1;
    return x->tap > y->tap ? -1 : x->tap < y->tap; /* the last is rounded first */
}

/* false: statistics are no good. */
static bool order_taps(work *w) {
    size_t taps = w->task->rows.taps;
    double sum = 0;
    for (size_t i = 0; i < taps; i++) {
        double square = second_moment(w, i, i), mean = mean_of(w, i);
        double variance = square - mean * mean;
        if (!isfinite(variance))
            return false;
        /* of a constant nothing is left but rounding errors */
        if (variance < 1e-10 * square || variance < 0)
            variance = 0;
        w->order[i] = (tap_order){variance, i};
        sum += variance;
    }
    w->mean_variance = sum / (double)taps;
    qsort(w->order, taps, sizeof *w->order, by_variance);
    /* far from where squares over- or underflow */
    return sum == 0 || (w->mean_variance > 1e-100 && w->mean_variance < 1e100);
}

static bool fill_covariance(work *w) {
    size_t taps = w->task->rows.taps;
    for (size_t a = 0; a < taps; a++) {
        const tap_order *one = &w->order[a];
        double mean = mean_of(w, one->tap);
        w->variance[a] = one->variance / w->mean_variance;
        for (size_t c = 0; c < a; c++) {
            const tap_order *two = &w->order[c];
            double value = second_moment(w, one->tap, two->tap) - mean * mean_of(w, two->tap);
            if (!isfinite(value))
                return false;
            if (one->variance == 0 || two->variance == 0)
                value = 0;
            w->a.at[a * taps + c] = value / w->mean_variance;
        }
    }
    return true;
}

/* In tiles, so that neither side's lines are fetched more than once. */
static void mirror(work *w, bool to_upper) {
    size_t taps = w->task->rows.taps;
    double *a = w->a.at;
    for (size_t i0 = 0; i0 < taps; i0 += 16)
        for (size_t j0 = 0; j0 <= i0; j0 += 16)
            for (size_t i = i0; i < smaller(i0 + 16, taps); i++)
                for (size_t j = j0; j < smaller(j0 + 16, i); j++)
                    if (to_upper)
                        a[j * taps + i] = a[i * taps + j];
                    else
                        a[i * taps + j] = a[j * taps + i];
}

/* The factor goes above the diagonal and on it. */
static tqi_factored factor(work *w) {
    enum { TRIES = 4 };
    size_t taps = w->task->rows.taps;
    w->damping = w->task->damping;
    tqi_factored done = TQI_NOT_POSITIVE;
    for (int i = 0; i < TRIES && done == TQI_NOT_POSITIVE; i++) {
        if (i > 0)
            w->damping = w->damping > 0 ? w->damping * 10 : TQI_GPTQ_DAMPING;
        mirror(w, true);
        for (size_t c = 0; c < taps; c++)
            w->a.at[c * taps + c] = w->variance[c] + w->damping;
        /* no covariance that is one has a pivot below the damping */
        double least = w->damping > 0 ? w->damping / 16 : 1e-12;
        done = tqi_cholesky(&w->algebra, w->a.at, taps, least, w->scratch, w->task->cancel);
    }
    return done;
}

/* ---------------------------------------------------------------- sweeps -- */

/* Calls `finish` for the taps from the last to the first, for `rows` rows of the panel. */
static bool sweep(work *w, size_t rows, finish_tap *finish) {
    size_t taps = w->task->rows.taps;
    memset(w->noise, 0, sizeof w->noise);
    size_t start = taps;
    while (start > 0) {
        if (tqi_cancelled(w->task->cancel))
            return false;
        size_t end = start;
        start = (end - 1) / TQI_BLOCK * TQI_BLOCK;
        memset(w->sums.at, 0, (end - start) * PANEL * sizeof(double));
        tqi_matrix x = {w->a.at + end * taps + start, taps};
        tqi_matrix y = {w->d.at + end * PANEL, PANEL};
        if (end < taps)
            tqi_add_products(&w->algebra, w->sums, x, y, end - start, rows, taps - end, 1,
                             w->scratch);
        for (size_t c = end; c-- > start;) {
            finish(w, c, rows, w->sums.at + (c - start) * PANEL);
            const double *d = w->d.at + c * PANEL, *row = w->a.at + c * taps;
            for (size_t below = start; below < c; below++)
                w->algebra.add_scaled(w->sums.at + (below - start) * PANEL, d, row[below], rows);
        }
    }
    return true;
}

/* d C d^T, with C below the diagonal */
static void measure_tap(work *w, size_t c, size_t rows, const double *sum) {
    const double *d = w->d.at + c * PANEL;
    for (size_t r = 0; r < rows; r++)
        w->noise[r] += d[r] * (w->variance[c] * d[r] + 2 * sum[r]);
}

static void round_tap(work *w, size_t c, size_t rows, const double *sum) {
    const tqi_gptq *task = w->task;
    size_t tap = w->order[c].tap;
    double *d = w->d.at + c * PANEL;
    double root = w->a.at[c * task->rows.taps + c], min = task->min, max = task->max;
    for (size_t r = 0; r < rows; r++) {
        double scale = (double)tqi_scale_at(&task->rows, w->group, w->first + r, tap);
        double q = 0;
        if (scale > 0) {
            q = (d[r] + sum[r] / root) / scale;
            q = q < min ? min : q;
            q = q > max ? max : q;
            q = (q + 6755399441055744.0) - 6755399441055744.0; /* rint: 1.5 * 2^52 */
        }
        w->codes[c * PANEL + r] = (int8_t)q;
        d[r] -= scale * q;
        double off = sum[r] + d[r] * root;
        w->noise[r] += off * off - w->damping * d[r] * d[r];
    }
}

typedef enum content { WEIGHTS, PLAIN_ERRORS } content;

static void load_panel(work *w, size_t rows, content what, const int8_t *codes) {
    const tqi_weight_rows *at = &w->task->rows;
    for (size_t c = 0; c < at->taps; c++)
        for (size_t r = 0; r < rows; r++) {
            size_t tap = w->order[c].tap, row = w->first + r;
            size_t i = tqi_weight_at(at, w->group, row, tap);
            double value = (double)w->task->weights[i];
            if (what == PLAIN_ERRORS)
                value -= (double)tqi_scale_at(at, w->group, row, tap) * codes[i];
            w->d.at[c * PANEL + r] = value;
        }
}

/* ----------------------------------------------------------------- group -- */

/* With C below the diagonal: noise of plain rounding by row, and the signal. */
static bool measure_group(work *w, const int8_t *codes, double *signal) {
    size_t all = w->task->rows.rows;
    for (w->first = 0; w->first < all; w->first += PANEL) {
        size_t rows = smaller(all - w->first, PANEL);
        load_panel(w, rows, PLAIN_ERRORS, codes);
        if (!sweep(w, rows, measure_tap))
            return false;
        memcpy(w->plain + w->first, w->noise, rows * sizeof(double));
        if (!w->task->signal)
            continue;
        load_panel(w, rows, WEIGHTS, NULL);
        if (!sweep(w, rows, measure_tap))
            return false;
        for (size_t r = 0; r < rows; r++)
            *signal += w->noise[r];
    }
    return true;
}

static void store_row(const work *w, size_t r, int8_t *codes) {
    const tqi_weight_rows *at = &w->task->rows;
    for (size_t c = 0; c < at->taps; c++)
        codes[tqi_weight_at(at, w->group, w->first + r, w->order[c].tap)] = w->codes[c * PANEL + r];
}

/* With the factor below the diagonal. A row keeps its plain codes where they are better. */
static bool round_group(work *w, int8_t *codes, tqi_gptq_result *result) {
    size_t all = w->task->rows.rows;
    for (w->first = 0; w->first < all; w->first += PANEL) {
        size_t rows = smaller(all - w->first, PANEL);
        load_panel(w, rows, WEIGHTS, NULL);
        if (!sweep(w, rows, round_tap))
            return false;
        for (size_t r = 0; r < rows; r++) {
            /* below 0 by rounding errors only */
            double plain = w->plain[w->first + r] > 0 ? w->plain[w->first + r] : 0;
            double noise = w->noise[r] > 0 ? w->noise[r] : 0;
            if (noise < plain)
                store_row(w, r, codes);
            result->noise_plain += plain * w->mean_variance;
            result->noise += (noise < plain ? noise : plain) * w->mean_variance;
        }
    }
    return true;
}

static bool fit_group(work *w, int8_t *codes, tqi_gptq_result *result) {
    if (!order_taps(w)) {
        result->refused++;
        return true;
    }
    if (w->mean_variance == 0) {
        result->constant++;
        return true;
    }
    tqi_factored done = fill_covariance(w) ? factor(w) : TQI_NOT_POSITIVE;
    if (done != TQI_FACTORED) {
        result->refused++;
        return done == TQI_NOT_POSITIVE;
    }
    double signal = 0;
    if (!measure_group(w, codes, &signal))
        return false;
    mirror(w, false);
    if (!round_group(w, codes, result))
        return false;
    result->signal += signal > 0 ? signal * w->mean_variance : 0;
    result->fitted++;
    return true;
}

/* ------------------------------------------------------------------- all -- */

static tq_status check(const tqi_gptq *task, tq_error *error) {
    const tqi_weight_rows *at = &task->rows;
    if ((!task->moments.second && !task->moments.second_f32) || task->min < INT8_MIN ||
        task->max > INT8_MAX || task->min > 0 || task->max < 0 || !(task->damping >= 0))
        return tqi_fail(error, TQ_ERR_INTERNAL, "rounding was asked for wrongly");
    for (size_t i = 0; i < at->groups * at->rows * tqi_scales_per_row(at); i++)
        if (!tqi_is_scale(at->scales[i]))
            return tqi_fail(error, TQ_ERR_UNSUPPORTED, "scale %zu is none", i);
    for (size_t g = 0; g < at->groups; g++)
        for (size_t r = 0; r < at->rows; r++)
            for (size_t t = 0; t < at->taps; t++) {
                size_t i = tqi_weight_at(at, g, r, t);
                if (!isfinite(task->weights[i]))
                    return tqi_fail(error, TQ_ERR_UNSUPPORTED, "weight %zu is not finite", i);
            }
    return TQ_OK;
}

static void round_plainly(const tqi_gptq *task, int8_t *codes) {
    const tqi_weight_rows *at = &task->rows;
    for (size_t g = 0; g < at->groups; g++)
        for (size_t r = 0; r < at->rows; r++)
            for (size_t t = 0; t < at->taps; t++) {
                size_t i = tqi_weight_at(at, g, r, t);
                codes[i] = (int8_t)tqi_plain_code(task->weights[i], tqi_scale_at(at, g, r, t),
                                                  task->min, task->max);
            }
}

static tq_status reserve(work *w, tqi_arena *arena, tq_error *error) {
    uint64_t taps = w->task->rows.taps, square;
    if (!tqi_mul_u64(taps, taps, &square))
        return tqi_fail(error, TQ_ERR_TOO_LARGE, "a row of weights is too long");
    w->a.stride = (size_t)taps;
    w->d.stride = w->sums.stride = PANEL;
    TQI_NEW(arena, &w->a.at, square, error);
    TQI_NEW(arena, &w->variance, taps, error);
    TQI_NEW(arena, &w->order, taps, error);
    TQI_NEW(arena, &w->d.at, taps * PANEL, error);
    TQI_NEW(arena, &w->codes, taps * PANEL, error);
    TQI_NEW(arena, &w->sums.at, TQI_BLOCK * PANEL, error);
    TQI_NEW(arena, &w->scratch, TQI_CHOLESKY_SCRATCH, error);
    TQI_NEW(arena, &w->plain, w->task->rows.rows, error);
    return TQ_OK;
}

static tq_status fit(work *w, int8_t *codes, tqi_gptq_result *result, tqi_arena *arena,
                     tq_error *error) {
    TQI_TRY(reserve(w, arena, error));
    round_plainly(w->task, codes);
    for (w->group = 0; w->group < w->task->rows.groups; w->group++)
        if (!fit_group(w, codes, result))
            return tqi_fail(error, TQ_ERR_CANCELLED, "cancelled");
    return TQ_OK;
}

tq_status tqi_round_gptq(const tqi_gptq *task, int8_t *codes, tqi_gptq_result *result,
                         tqi_heap *heap, tq_error *error) {
    *result = (tqi_gptq_result){0};
    if (task->rows.groups == 0 || task->rows.rows == 0 || task->rows.taps == 0)
        return TQ_OK;
    TQI_TRY(check(task, error));
    work w = {.task = task};
    tqi_algebra_init(&w.algebra, task->cpu_flags);
    tqi_arena arena;
    tqi_arena_init(&arena, heap);
    tq_status status = fit(&w, codes, result, &arena, error);
    tqi_arena_free(&arena);
    return status;
}
