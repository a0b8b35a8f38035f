/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that become int8 by what their inputs are. */
#include "small_layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/gather.h"
#include "execute/call.h"
#include "quantize/layer.h"

enum { N = 16, COUNTED = N * N, SAMPLES = 8 };
/* Operators: TWIN has the weights of FIRST, TWICE and AGAIN the same tensor; behind LOST nothing is
 * known. */
enum { FIRST, TWIN, CONV, BROKEN, TWICE, AGAIN, LOST, UNKNOWN, OPERATORS };

static float weights[OPERATORS][9 * COUNTED], bias[2][N];
static const mb_list LINE = {2, {1, N}}, SQUARE = {2, {N, N}}, MAP = {4, {1, 4, 4, N}};

typedef struct scene {
    small_run run;
    tqi_arena arena;
    tqi_plan plan;
    tqi_gathering g;
    tqi_layer_context context;
    tqi_layer layers[OPERATORS];
    bool is_one[OPERATORS];
    tq_error error;
} scene;

static mb_model graph(void) {
    mb_model m = small_graph(LINE);
    for (uint32_t i = 0; i < OPERATORS; i++)
        small_fill(weights[i], COUNT(weights[i]), i);
    small_fill(bias[0], N, 40);
    small_fill(bias[1], N, 41);
    weights[BROKEN][3] = NAN;
    small_layer l = {OP_FULLY_CONNECTED, 0, SQUARE, weights[FIRST], NULL, bias[0], 0, 0};
    int32_t first = small_add_layer(&m, &l), w = 1;
    mb_subgraph *s = &m.subgraphs[0];
    l.x = first;
    l.bias = bias[1];
    int32_t twin = small_add_layer(&m, &l);
    s->tensors[twin - 2].buffer = s->tensors[w].buffer;
    int32_t map = mb_add_tensor(s, (mb_tensor){.name = "map", .shape = MAP});
    l = (small_layer){OP_CONV_2D, map, {4, {N, 3, 3, N}}, weights[CONV], NULL, NULL, 0, 0};
    int32_t conv = small_add_layer(&m, &l);
    l = (small_layer){OP_FULLY_CONNECTED, first, SQUARE, weights[BROKEN], NULL, bias[0], 0, 0};
    int32_t broken = small_add_layer(&m, &l);
    l = (small_layer){OP_FULLY_CONNECTED, first, SQUARE, weights[TWICE], NULL, NULL, 0, 0};
    int32_t twice = small_add_layer(&m, &l);
    l.weights_tensor = twice - 1;
    int32_t again = small_add_layer(&m, &l);
    int32_t lost = small_add_op(&m, OP_CUSTOM, (mb_list){1, {first}}, TQI_TYPE_FLOAT32, LINE);
    l = (small_layer){OP_FULLY_CONNECTED, lost, SQUARE, weights[UNKNOWN], NULL, bias[0], 0, 0};
    int32_t unknown = small_add_layer(&m, &l);
    s->inputs = (mb_list){2, {0, map}};
    s->outputs = (mb_list){6, {twin, conv, broken, twice, again, unknown}};
    return m;
}

static tq_status gather(scene *s) {
    static float line[N], map[4 * 4 * N];
    tqi_gathering_options how = {.kernels = &s->run.kernels,
                                 .cpu_flags = s->run.options.cpu_flags,
                                 .heap = &s->run.heap,
                                 .grams = true};
    TQI_TRY(tqi_gathering_begin(&s->g, &s->run.graph, &s->plan.constants, 0, &how, &s->error));
    for (uint32_t i = 0; i < SAMPLES; i++) {
        small_fill(line, N, 70 + i);
        small_fill(map, COUNT(map), 90 + i);
        for (uint32_t k = 0; k < N; k++)
            line[k] += 0.5f; /* so that there are means */
        tqi_value values[] = {small_value(LINE, line), small_value(MAP, map)};
        TQI_TRY(tqi_gathering_add(&s->g, &(tqi_sample){values, 2}, &s->error));
    }
    return tqi_gathering_finish(&s->g, 4, &s->error);
}

static void open_scene(scene *s, tqi_rounding rounding, bool corrects_bias) {
    mb_model m = graph();
    tq_recipe *recipe = NULL;
    *s = (scene){.error = TQ_ERROR_INIT};
    small_load(&s->run, &m, NULL, 0);
    tqi_arena_init(&s->arena, &s->run.heap);
    assert_ok(tq_recipe_create("weight_only_wi8_afp32", &recipe, &s->error), &s->error);
    assert_ok(
        tqi_plan_make(&s->plan, &s->run.graph, recipe, TQ_TARGET_XNNPACK, &s->arena, &s->error),
        &s->error);
    tq_recipe_free(recipe);
    assert_ok(gather(s), &s->error);
    s->context =
        (tqi_layer_context){&s->run.graph, &s->plan, &s->run.kernels, s->run.options.cpu_flags,
                            &s->run.heap,  rounding, corrects_bias,   NULL};
    for (uint32_t i = 0; i < s->plan.constants.count; i++) {
        tqi_layer layer = {.op = OPERATORS};
        bool is_one = false;
        if (s->plan.decisions[i].action != TQI_ACTION_WEIGHT_ONLY)
            continue;
        assert_ok(tqi_layer_open(&layer, &is_one, &s->context, i, &s->arena, &s->error), &s->error);
        if (!is_one)
            continue;
        assert_false(s->is_one[layer.op]);
        s->is_one[layer.op] = true;
        s->layers[layer.op] = layer;
    }
}

static void close_scene(scene *s) {
    tqi_gathering_free(&s->g);
    tqi_arena_free(&s->arena);
    small_close(&s->run);
}

static const tqi_layer_statistics *known(const scene *s, uint32_t op) {
    return tqi_statistics_layer(&s->g.statistics, op);
}

static tqi_layer *round_one(scene *s, uint32_t op, const tqi_layer *same) {
    tqi_layer *l = &s->layers[op];
    assert_true(s->is_one[op]);
    assert_ok(tqi_layer_round(l, &s->context, known(s, op), same, &s->error), &s->error);
    return l;
}

static void weights_of_one_operator_are_layers(void **state) {
    (void)state;
    for (int corrects = 0; corrects < 2; corrects++) {
        scene s;
        open_scene(&s, TQI_ROUND_PLAIN, corrects);
        for (uint32_t i = 0; i < OPERATORS; i++) {
            bool layer = i != TWICE && i != AGAIN && i != LOST;
            assert_true(s.is_one[i] == layer);
            if (!layer)
                continue;
            assert_int_equal(s.layers[i].channels, N);
            assert_int_equal(s.layers[i].bias_input, corrects && i != CONV ? 2 : -1);
            assert_false(s.layers[i].ready);
        }
        close_scene(&s);
    }
}

static float scale_of(const float *row, size_t n) {
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
    return most / 127;
}

static void plain_rounding_is_plain(void **state) {
    (void)state;
    scene s;
    open_scene(&s, TQI_ROUND_PLAIN, true);
    for (uint32_t op = FIRST; op <= CONV; op += CONV) {
        const tqi_layer *l = round_one(&s, op, NULL);
        size_t taps = op == CONV ? 9 * N : N;
        double signal = 0, noise = 0;
        tqi_value values[2];
        assert_true(l->ready);
        for (int plain = 0; plain < 2; plain++)
            assert_ok(tqi_layer_values(l, &s.context, plain, &values[plain], &s.error), &s.error);
        for (size_t i = 0; i < N * taps; i++) {
            float scale = scale_of(weights[op] + i / taps * taps, taps), w = weights[op][i];
            assert_true(l->scales[i / taps] == scale);
            assert_int_equal(l->codes[i], (int8_t)nearbyintf(w / scale));
            for (int plain = 0; plain < 2; plain++)
                assert_true(tqi_floats(&values[plain])[i] == scale * (float)l->codes[i]);
            double d = (double)w - (double)scale * l->codes[i];
            signal += (double)w * (double)w;
            noise += d * d;
        }
        assert_true(fabs(l->sums.signal - signal) < 1e-5 * signal);
        assert_true(fabs(l->sums.noise - noise) < 1e-5 * noise);
        for (int plain = 0; plain < 2; plain++)
            tqi_value_free(&s.run.heap, &values[plain]);
    }
    close_scene(&s);
}

/* b - sum over inputs of (Q - W) E[x] */
static void check_bias(const scene *s, const tqi_layer *l, const float *was) {
    const double *means = known(s, l->op)->total.means;
    double moved = 0;
    for (uint32_t c = 0; c < N; c++) {
        double want = (double)was[c];
        for (uint32_t i = 0; i < N; i++) {
            double q = (double)l->scales[c] * l->codes[c * N + i];
            want -= (q - (double)weights[FIRST][c * N + i]) * means[i];
        }
        assert_true(fabs((double)l->bias[c] - want) < 1e-6);
        moved += fabs(want - (double)was[c]);
    }
    assert_true(moved > 1e-3);
}

/* Layers with the same weights have the same codes, and each a bias for its own inputs. */
static void twins_share_codes(void **state) {
    (void)state;
    for (tqi_rounding r = TQI_ROUND_PLAIN; r <= TQI_ROUND_INPUTS; r++) {
        scene s;
        open_scene(&s, r, true);
        const tqi_layer *first = round_one(&s, FIRST, NULL);
        const tqi_layer *twin = round_one(&s, TWIN, first);
        assert_true(first->ready && twin->ready);
        assert_ptr_equal(first->codes, twin->codes);
        assert_ptr_equal(first->scales, twin->scales);
        check_bias(&s, first, bias[0]);
        check_bias(&s, twin, bias[1]);
        assert_memory_not_equal(first->bias, twin->bias, sizeof bias[0]);
        assert_true(fabs(twin->sums.noise - first->sums.noise) < 1e-5 * first->sums.noise);
        close_scene(&s);
        /* of one that came to nothing there is nothing to share */
        open_scene(&s, r, true);
        twin = round_one(&s, TWIN, &s.layers[FIRST]);
        assert_true(twin->ready && twin->codes != s.layers[FIRST].codes);
        close_scene(&s);
    }
}

/* E of the outputs' noise, by the covariance of the inputs. */
static double noise_of(const scene *s, const tqi_layer *l) {
    const tqi_layer_statistics *k = known(s, l->op);
    double *c = malloc(COUNTED * sizeof *c), sum = 0;
    tqi_layer_covariance(k, 0, c);
    for (uint32_t row = 0; row < N; row++)
        for (uint32_t i = 0; i < N; i++)
            for (uint32_t j = 0; j < N; j++) {
                double scale = (double)l->scales[row];
                size_t a = row * N + i, b = row * N + j;
                sum += (scale * l->codes[a] - (double)weights[l->op][a]) * c[i * N + j] *
                       (scale * l->codes[b] - (double)weights[l->op][b]);
            }
    free(c);
    return sum;
}

static void rounding_by_inputs_is_better_for_them(void **state) {
    (void)state;
    double noise[2];
    for (int by_inputs = 0; by_inputs < 2; by_inputs++) {
        scene s;
        open_scene(&s, by_inputs ? TQI_ROUND_INPUTS : TQI_ROUND_PLAIN, true);
        const tqi_layer *l = round_one(&s, FIRST, NULL);
        noise[by_inputs] = noise_of(&s, l);
        close_scene(&s);
    }
    assert_true(noise[1] < noise[0]);
}

static void what_is_not_known_is_not_ready(void **state) {
    (void)state;
    for (tqi_rounding r = TQI_ROUND_PLAIN; r <= TQI_ROUND_INPUTS; r++) {
        scene s;
        open_scene(&s, r, true);
        assert_false(round_one(&s, UNKNOWN, NULL)->ready);
        assert_false(round_one(&s, BROKEN, NULL)->ready); /* NaN */
        tqi_layer *l = &s.layers[FIRST];
        assert_ok(tqi_layer_round(l, &s.context, NULL, NULL, &s.error), &s.error);
        assert_false(l->ready);
        /* of another shape than the weights */
        tqi_layer_statistics other = *known(&s, FIRST);
        other.channels = N / 2;
        assert_ok(tqi_layer_round(l, &s.context, &other, NULL, &s.error), &s.error);
        assert_false(l->ready);
        close_scene(&s);
    }
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    for (uint64_t n = 1;; n++) {
        watch memory = {.fail_at = n};
        tq_allocator allocator = watched(&memory);
        scene s;
        open_scene(&s, TQI_ROUND_INPUTS, true);
        tqi_heap heap;
        tqi_heap_init(&heap, &allocator, 0);
        s.context.heap = &heap;
        tqi_layer *l = &s.layers[FIRST];
        tq_status status = tqi_layer_round(l, &s.context, known(&s, FIRST), NULL, &s.error);
        assert_true(l->ready == (status == TQ_OK));
        if (status != TQ_OK)
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &s.error);
        assert_true(memory.held == 0 && memory.wrong == 0);
        close_scene(&s);
        if (memory.calls < n)
            break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_one_operator_are_layers),
        cmocka_unit_test(plain_rounding_is_plain),
        cmocka_unit_test(twins_share_codes),
        cmocka_unit_test(rounding_by_inputs_is_better_for_them),
        cmocka_unit_test(what_is_not_known_is_not_ready),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("layer", tests, NULL, NULL);
}
