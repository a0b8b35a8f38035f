/* SPDX-License-Identifier: Apache-2.0 */
/* What trials say of changes whose effect is known by hand. */
#include "small_layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/trials.h"
#include "execute/call.h"

/* y = W x of two values. */
static float plain[4] = {1, 2, 3, 4};
static const mb_list PAIR = {2, {1, 2}}, SQUARE = {2, {2, 2}};

enum { TRIALS = 3, MOST = 2 };

enum { WORKERS = 2 };

/* Trial t puts `weights[t]` into the first operator; NULL: it changes nothing. */
typedef struct scene {
    small_run run;
    tqi_trials trials;
    tqi_trial results[TRIALS];
    float *weights[TRIALS];
    tqi_value values[WORKERS];
    uint32_t op, observed[TRIALS];
    uint64_t told;
} scene;

/* All tests are run twice: one trial after the other, and as if by two workers. */
static bool at_once;
static uint32_t batches;

static void run_in_turn(void *opaque, tq_task task, void *data, uint32_t count) {
    (void)opaque;
    batches++;
    for (uint32_t i = count; i-- > 0;)
        task(data, i, i % WORKERS);
}

static const tq_runner in_turn = {sizeof in_turn, WORKERS, NULL, run_in_turn};

static int alone(void **state) {
    (void)state;
    at_once = false;
    return 0;
}

static int together(void **state) {
    (void)state;
    at_once = true;
    return 0;
}

static tq_status make_changes(void *opaque, uint32_t worker, uint32_t trial, tqi_change *changes,
                              uint32_t *n, tq_error *error) {
    scene *s = opaque;
    (void)error;
    s->values[worker] = small_value(SQUARE, s->weights[trial]);
    *n = s->weights[trial] != NULL;
    if (*n)
        changes[0] = (tqi_change){s->op, 1, &s->values[worker]};
    return TQ_OK;
}

static bool count_operators(void *opaque, uint64_t operators) {
    ((scene *)opaque)->told += operators;
    return true;
}

static void count_trial(void *opaque, uint32_t trial) {
    ((scene *)opaque)->observed[trial]++;
}

static void open_scene(scene *s, mb_model *model, const tq_allocator *allocator) {
    tq_error error = TQ_ERROR_INIT;
    memset(s, 0, sizeof *s);
    small_load(&s->run, model, allocator, 0);
    s->run.options.retain = s->run.options.as_far_as_possible = true;
    s->run.options.keep = UINT64_MAX;
    assert_ok(small_open(&s->run, &error), &error);
    s->trials = (tqi_trials){.n_trials = TRIALS,
                             .most = MOST,
                             .make = make_changes,
                             .runner = at_once ? &in_turn : NULL,
                             .observe = at_once ? NULL : count_trial,
                             .tell = count_operators,
                             .opaque = s,
                             .results = s->results};
}

static tq_status begin(scene *s, tq_error *error) {
    return tqi_trials_begin(&s->trials, s->run.exec, &s->run.graph, 0, &s->run.heap, error);
}

static void begin_scene(scene *s, mb_model *model) {
    tq_error error = TQ_ERROR_INIT;
    open_scene(s, model, NULL);
    assert_ok(begin(s, &error), &error);
}

static tq_status try_on(scene *s, float a, float b, tq_error *error) {
    float x[] = {a, b};
    tqi_value value = small_value(PAIR, x);
    tqi_sample sample = {&value, 1};
    return tqi_trials_run(&s->trials, &sample, error);
}

static void run_on(scene *s, float a, float b) {
    tq_error error = TQ_ERROR_INIT;
    assert_ok(try_on(s, a, b, &error), &error);
}

static void finish(scene *s) {
    tqi_trials_finish(&s->trials);
    tqi_trials_free(&s->trials);
    small_close(&s->run);
}

static void assert_near(double got, double want) {
    if (!(fabs(got - want) <= 1e-6 * fabs(want)))
        fail_msg("%.9g, not %.9g", got, want);
}

static int32_t add_square(mb_model *m, int32_t x, const float *weights) {
    small_layer l = {.builtin = OP_FULLY_CONNECTED, .x = x, .filter = SQUARE, .weights = weights};
    return small_add_layer(m, &l);
}

static mb_model linear(void) {
    mb_model m = small_graph(PAIR);
    m.subgraphs[0].outputs = (mb_list){1, {add_square(&m, 0, plain)}};
    return m;
}

static void noise_is_over_signal(void **state) {
    (void)state;
    scene s;
    mb_model m = linear();
    float half[] = {1.5f, 2, 3, 4}, two[] = {1, 2, 3, 6};
    begin_scene(&s, &m);
    s.weights[0] = half;
    s.weights[2] = two;
    run_on(&s, 1, 1);  /* y = 3, 7; off by 0.5, 0 and 0, 2 */
    run_on(&s, 2, -1); /* y = 0, 2; off by 1, 0 and 0, -2 */
    tqi_trials_end_set(&s.trials);
    finish(&s);
    assert_near(s.results[0].worst, (0.25 + 1) / (9 + 49 + 4));
    assert_near(s.results[2].worst, (4.0 + 4) / (9 + 49 + 4));
    assert_true(s.results[1].worst == 0 && s.results[1].sum == 0);
    for (uint32_t i = 0; i < TRIALS; i++) {
        assert_true(s.results[i].sum == s.results[i].worst);
        assert_int_equal(s.observed[i], at_once ? 0 : 2);
    }
    assert_int_equal(s.told, at_once ? 4 : 0); /* two trials on two samples change something */
}

/* A set of large numbers, or of many samples, counts as any other. */
static void sets_count_the_same(void **state) {
    (void)state;
    scene s;
    mb_model m = linear();
    float half[] = {1.5f, 2, 3, 4};
    begin_scene(&s, &m);
    s.weights[0] = half;
    run_on(&s, 1, 1);
    tqi_trials_end_set(&s.trials);
    for (int i = 0; i < 5; i++)
        run_on(&s, 2000, -1000);
    tqi_trials_end_set(&s.trials);
    finish(&s);
    assert_near(s.results[0].worst, (0.25 / 58 + 1.0 / 4) / 2);
}

/* Outputs add up, the worst one is told; scores of one element are left out beside others. */
static void outputs_are_told_apart(void **state) {
    (void)state;
    static const float sum[] = {1, 1};
    for (int alone = 0; alone < 2; alone++) {
        scene s;
        mb_model m = small_graph(PAIR);
        float half[] = {1.5f, 2, 3, 4}, eye[] = {2, 0, 0, 2};
        int32_t y = add_square(&m, 0, plain), z = add_square(&m, y, eye);
        small_layer l = {
            .builtin = OP_FULLY_CONNECTED, .x = y, .filter = {2, {1, 2}}, .weights = sum};
        int32_t score = small_add_layer(&m, &l);
        m.subgraphs[0].outputs = alone ? (mb_list){1, {score}} : (mb_list){4, {score, y, z, y}};
        begin_scene(&s, &m);
        s.weights[0] = half;
        run_on(&s, 1, 1);
        tqi_trials_end_set(&s.trials);
        assert_int_equal(s.trials.n_targets, alone ? 1 : 2);
        finish(&s);
        double one = alone ? 0.25 / 100 : 0.25 / 58;
        assert_near(s.results[0].worst, one);
        assert_near(s.results[0].sum, alone ? one : 2 * one);
    }
}

/* Where the graph can't go on, what it got to counts. */
static void refused_operators_show_their_inputs(void **state) {
    (void)state;
    scene s;
    mb_model m = small_graph(PAIR);
    float half[] = {1.5f, 2, 3, 4};
    int32_t y = add_square(&m, 0, plain);
    int32_t lost = small_add_op(&m, OP_CUSTOM, (mb_list){1, {y}}, TQI_TYPE_FLOAT32, PAIR);
    m.subgraphs[0].outputs = (mb_list){1, {add_square(&m, lost, plain)}};
    begin_scene(&s, &m);
    s.weights[0] = half;
    run_on(&s, 1, 1);
    tqi_trials_end_set(&s.trials);
    assert_int_equal(s.trials.n_targets, 1);
    assert_int_equal(s.trials.targets[0], y);
    finish(&s);
    assert_near(s.results[0].worst, 0.25 / 58);
}

static void softmax_is_looked_through(void **state) {
    (void)state;
    scene s;
    mb_model m = small_graph(PAIR);
    float half[] = {1.5f, 2, 3, 4};
    int32_t y = add_square(&m, 0, plain);
    int32_t p = small_add_op(&m, OP_SOFTMAX, (mb_list){1, {y}}, TQI_TYPE_FLOAT32, PAIR);
    mb_op *op = &m.subgraphs[0].ops[1];
    op->options_type = OPTIONS_SOFTMAX;
    m.subgraphs[0].outputs = (mb_list){1, {p}};
    begin_scene(&s, &m);
    s.weights[0] = half;
    run_on(&s, 1, 1);
    tqi_trials_end_set(&s.trials);
    assert_int_equal(s.trials.targets[0], y);
    finish(&s);
    assert_near(s.results[0].worst, 0.25 / 58);
}

/* NaN and infinity are as bad as it gets, and yet a number; an output of zeros says nothing. */
static void what_is_no_number_is_ruined(void **state) {
    (void)state;
    scene s;
    mb_model m = linear();
    float nan[] = {NAN, 2, 3, 4}, inf[] = {1, 2, 3, INFINITY}, large[] = {1e30f, 2, 3, 4};
    begin_scene(&s, &m);
    s.weights[0] = nan;
    s.weights[1] = inf;
    s.weights[2] = large;
    run_on(&s, 1, 1);
    tqi_trials_end_set(&s.trials);
    finish(&s);
    for (uint32_t i = 0; i < TRIALS; i++)
        assert_true(s.results[i].worst == 1e12 && s.results[i].sum == 1e12);
    begin_scene(&s, &m);
    s.weights[0] = nan;
    s.weights[1] = large;
    run_on(&s, 0, 0);
    tqi_trials_end_set(&s.trials);
    finish(&s);
    assert_true(s.results[0].worst == 0 && s.results[1].worst == 0);
}

/* Nothing to measure, or no run at all: no number, and no harm. */
static void nothing_is_not_measured(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        scene s;
        mb_model m = small_graph(PAIR);
        float half[] = {1.5f, 2, 3, 4};
        int32_t y = add_square(&m, 0, plain);
        if (i == 0) /* an output of integers */
            y = small_add_op(&m, OP_CAST, (mb_list){1, {y}}, TQI_TYPE_INT32, PAIR);
        m.subgraphs[0].outputs = (mb_list){1, {y}};
        begin_scene(&s, &m);
        s.weights[0] = half;
        if (i < 2)
            run_on(&s, 1, 1);
        if (i != 1) /* no set */
            tqi_trials_end_set(&s.trials);
        finish(&s);
        assert_true(isnan(s.results[0].worst) && isnan(s.results[0].sum));
    }
}

/* Numbers may be shapes and places: with others an operator may be impossible. */
static void what_can_not_be_run_is_ruined(void **state) {
    (void)state;
    static const int32_t size[] = {1, 1};
    scene s;
    mb_model m = small_graph(PAIR);
    float eye[] = {1, 0, 0, 1}, beyond[] = {1, 0, 0, 9};
    int32_t y = add_square(&m, 0, eye);
    int32_t at = small_add_op(&m, OP_CAST, (mb_list){1, {y}}, TQI_TYPE_INT32, PAIR);
    static const int32_t two = 2;
    int32_t shape = small_add_constant(&m, &two, TQI_TYPE_INT32, (mb_list){1, {1}});
    at = small_add_op(&m, OP_RESHAPE, (mb_list){2, {at, shape}}, TQI_TYPE_INT32, (mb_list){1, {2}});
    int32_t one = small_add_constant(&m, size, TQI_TYPE_INT32, (mb_list){1, {2}});
    int32_t z = small_add_op(&m, OP_SLICE, (mb_list){3, {y, at, one}}, TQI_TYPE_FLOAT32,
                             (mb_list){2, {1, 1}});
    m.subgraphs[0].outputs = (mb_list){1, {z}};
    begin_scene(&s, &m);
    s.weights[0] = beyond;
    s.weights[2] = eye;
    run_on(&s, 0, 1); /* y[0][1] */
    assert_int_equal(s.trials.n_targets, 1);
    tqi_trials_end_set(&s.trials);
    finish(&s);
    assert_true(s.results[0].worst == 1e12);
    assert_true(s.results[1].worst == 0 && s.results[2].worst == 0);
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    mb_model m = linear();
    float half[] = {1.5f, 2, 3, 4};
    bool survived = false;
    for (uint64_t n = 1;; n++) {
        watch memory = {0};
        tq_allocator allocator = watched(&memory);
        tq_error error = TQ_ERROR_INIT;
        scene s;
        open_scene(&s, &m, &allocator);
        s.weights[0] = half;
        memory.fail_at = memory.calls + n;
        tq_status status = begin(&s, &error);
        for (int i = 0; i < 2 && status == TQ_OK; i++)
            status = try_on(&s, 1, 1, &error);
        tqi_trials_end_set(&s.trials);
        if (status == TQ_OK) {
            finish(&s);
            assert_near(s.results[0].worst, 0.25 / 58);
        } else {
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
            finish(&s);
        }
        assert_true(memory.held == 0 && memory.wrong == 0);
        if (status == TQ_OK && memory.calls < memory.fail_at)
            break;
        survived = survived || status == TQ_OK;
    }
    assert_true(survived); /* room for one was enough */
}

static void workers_were_used(void **state) {
    (void)state;
    assert_true(batches > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_is_over_signal),
        cmocka_unit_test(sets_count_the_same),
        cmocka_unit_test(outputs_are_told_apart),
        cmocka_unit_test(refused_operators_show_their_inputs),
        cmocka_unit_test(softmax_is_looked_through),
        cmocka_unit_test(what_is_no_number_is_ruined),
        cmocka_unit_test(nothing_is_not_measured),
        cmocka_unit_test(what_can_not_be_run_is_ruined),
        cmocka_unit_test(each_allocation_may_fail),
    };
    const struct CMUnitTest last[] = {cmocka_unit_test(workers_were_used)};
    int failed = cmocka_run_group_tests_name("trials", tests, alone, NULL);
    failed += cmocka_run_group_tests_name("trials at once", tests, together, NULL);
    return failed + cmocka_run_group_tests_name("workers", last, NULL, NULL);
}
