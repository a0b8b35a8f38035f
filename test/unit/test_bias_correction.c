/* SPDX-License-Identifier: Apache-2.0 */
/* Bias correction, alone and with the rounding that counts on it. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quantize/bias_correction.h"
#include "quantize/rounding_gptq.h"

static uint32_t state;

static double uniform(void) { /* [-0.5, 0.5) */
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (double)state / 4294967296.0 - 0.5;
}

enum { MOST = 1024, MOST_ROWS = 64 };

typedef struct layer {
    float weights[MOST], scales[MOST_ROWS], bias[MOST_ROWS];
    int8_t codes[MOST];
    double mean[MOST];
    tqi_bias_task task;
} layer;

static void layer_fill(layer *l, tqi_weight_rows rows) {
    assert_true(rows.groups * rows.rows <= MOST_ROWS &&
                rows.groups * rows.rows * rows.taps <= MOST);
    for (size_t i = 0; i < MOST; i++) {
        l->weights[i] = (float)uniform();
        l->codes[i] = (int8_t)(uniform() * 254);
        l->mean[i] = uniform() + 0.5;
    }
    for (size_t i = 0; i < MOST_ROWS; i++) {
        l->scales[i] = (float)(uniform() + 0.6) / 100;
        l->bias[i] = (float)uniform();
    }
    rows.scales = l->scales;
    l->task = (tqi_bias_task){rows, l->weights, l->codes, l->mean, l->bias};
}

static void correct(const tqi_bias_task *task, float *corrected) {
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tqi_correct_bias(task, corrected, &error), &error);
}

/* CONV_2D [out][kh][kw][in], written with all its indices. */
static void convolution(void **unused) {
    (void)unused;
    enum { OUT = 5, KH = 3, KW = 2, IN = 4, TAPS = KH * KW * IN };
    static layer l;
    float corrected[MOST_ROWS];
    state = 3;
    layer_fill(&l, tqi_rows_dense(OUT, TAPS, 1, NULL));
    correct(&l.task, corrected);
    for (int o = 0; o < OUT; o++) {
        double off = 0;
        for (int y = 0; y < KH; y++)
            for (int x = 0; x < KW; x++)
                for (int i = 0; i < IN; i++) {
                    int at = ((o * KH + y) * KW + x) * IN + i;
                    off += ((double)l.scales[o] * l.codes[at] - (double)l.weights[at]) *
                           l.mean[(y * KW + x) * IN + i];
                }
        assert_true(corrected[o] == (float)((double)l.bias[o] - off));
    }
    /* a layer without a bias gets one */
    l.task.bias = NULL;
    float fresh[MOST_ROWS];
    correct(&l.task, fresh);
    for (int o = 0; o < OUT; o++)
        assert_true(fabsf(fresh[o] + l.bias[o] - corrected[o]) < 1e-5f);
    /* weights that stayed as they are change nothing */
    l.task.bias = l.bias;
    for (int i = 0; i < OUT * TAPS; i++)
        l.weights[i] = (float)((double)l.scales[i / TAPS] * l.codes[i]);
    correct(&l.task, fresh);
    for (int o = 0; o < OUT; o++)
        assert_true(fabsf(fresh[o] - l.bias[o]) < 1e-6f);
}

/* DEPTHWISE_CONV_2D [1][kh][kw][in * multiplier]; means are of the input channel. */
static void depthwise(void **unused) {
    (void)unused;
    enum { TAPS = 9, IN = 6, TIMES = 2, OUT = IN * TIMES };
    static layer l;
    float corrected[MOST_ROWS];
    state = 4;
    layer_fill(&l, tqi_rows_depthwise(TAPS, IN, TIMES, NULL));
    correct(&l.task, corrected);
    for (int o = 0; o < OUT; o++) {
        double off = 0;
        for (int t = 0; t < TAPS; t++) {
            int at = t * OUT + o;
            double mean = l.mean[o / TIMES * TAPS + t], weight = (double)l.weights[at];
            off += ((double)l.scales[o] * l.codes[at] - weight) * mean;
        }
        assert_true(corrected[o] == (float)((double)l.bias[o] - off));
    }
}

static void not_finite(void **unused) {
    (void)unused;
    static const double bad[] = {NAN, INFINITY, 1e300};
    static layer l;
    state = 5;
    layer_fill(&l, tqi_rows_dense(4, 10, 1, NULL));
    for (size_t i = 0; i < COUNT(bad); i++) {
        tq_error error = TQ_ERROR_INIT;
        float corrected[4];
        double kept = l.mean[7];
        l.mean[7] = bad[i];
        assert_failed(TQ_ERR_UNSUPPORTED, tqi_correct_bias(&l.task, corrected, &error), &error);
        l.mean[7] = kept;
    }
    l.bias[3] = NAN;
    tq_error error = TQ_ERROR_INIT;
    float corrected[4];
    assert_failed(TQ_ERR_UNSUPPORTED, tqi_correct_bias(&l.task, corrected, &error), &error);
    /* a layer without rows or taps */
    l.bias[3] = 0;
    l.task.rows.taps = 0;
    correct(&l.task, corrected);
    assert_memory_equal(corrected, l.bias, sizeof corrected);
}

/* ---- with rounding ---- */

enum { OUT = 64, IN = 30, SAMPLES = 400 };

typedef struct trial {
    float weights[OUT * IN], scales[OUT];
    double inputs[SAMPLES][IN], second[IN * IN], mean[IN];
    int8_t codes[OUT * IN];
} trial;

/* Inputs as they are after a ReLU: above 0, alike among neighbours, with means of their own. */
static void trial_fill(trial *t) {
    memset(t, 0, sizeof *t);
    double offsets[IN];
    state = 77;
    for (int i = 0; i < IN; i++)
        offsets[i] = 4 * (uniform() + 0.5);
    for (int i = 0; i < OUT * IN; i++) {
        t->weights[i] = (float)(uniform() + uniform());
        t->scales[i / IN] = fmaxf(t->scales[i / IN], fabsf(t->weights[i]) / 127);
    }
    for (int s = 0; s < SAMPLES; s++) {
        double before = uniform();
        for (int i = 0; i < IN; i++) {
            before = 0.8 * before + uniform();
            t->inputs[s][i] = fmax(before + offsets[i], 0);
            t->mean[i] += t->inputs[s][i] / SAMPLES;
        }
        for (int i = 0; i < IN; i++)
            for (int j = 0; j < IN; j++)
                t->second[i * IN + j] += t->inputs[s][i] * t->inputs[s][j] / SAMPLES;
    }
}

/* Mean square of what the layer's outputs are off by, from the samples themselves. */
static double error_of(trial *t, bool gptq, bool centred, bool corrected) {
    tqi_weight_rows rows = tqi_rows_dense(OUT, IN, 1, t->scales);
    float change[OUT] = {0};
    if (gptq) {
        tqi_gptq task = {.rows = rows,
                         .weights = t->weights,
                         .moments = {.second = t->second, .mean = centred ? t->mean : NULL},
                         .min = -127,
                         .max = 127,
                         .damping = TQI_GPTQ_DAMPING};
        tqi_gptq_result result;
        tqi_heap heap;
        tq_error error = TQ_ERROR_INIT;
        tqi_heap_init(&heap, NULL, 0);
        assert_ok(tqi_round_gptq(&task, t->codes, &result, &heap, &error), &error);
    } else {
        for (int i = 0; i < OUT * IN; i++)
            t->codes[i] = (int8_t)tqi_plain_code(t->weights[i], t->scales[i / IN], -127, 127);
    }
    if (corrected)
        correct(&(tqi_bias_task){rows, t->weights, t->codes, t->mean, NULL}, change);
    double squares = 0;
    for (int s = 0; s < SAMPLES; s++)
        for (int o = 0; o < OUT; o++) {
            double off = (double)change[o];
            for (int i = 0; i < IN; i++)
                off +=
                    ((double)t->scales[o] * t->codes[o * IN + i] - (double)t->weights[o * IN + i]) *
                    t->inputs[s][i];
            squares += off * off / SAMPLES;
        }
    return squares;
}

static void centred_and_corrected_is_best(void **unused) {
    (void)unused;
    static trial t;
    trial_fill(&t);
    double plain = error_of(&t, false, false, false);
    double plain_corrected = error_of(&t, false, false, true);
    double uncentred = error_of(&t, true, false, false);
    double uncentred_corrected = error_of(&t, true, false, true);
    double centred = error_of(&t, true, true, false);
    double best = error_of(&t, true, true, true);
#ifdef SHOW
    print_message("%g %g %g %g %g %g\n", plain, plain_corrected, uncentred, uncentred_corrected,
                  centred, best);
#endif
    assert_true(plain_corrected < 0.6 * plain);
    assert_true(best < 0.5 * plain_corrected);
    assert_true(best < 0.85 * uncentred);
    assert_true(best < 0.9 * uncentred_corrected);
    /* and needs the correction */
    assert_true(best < 0.6 * centred);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution),
        cmocka_unit_test(depthwise),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(centred_and_corrected_is_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
