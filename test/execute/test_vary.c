/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that differ from another in a few constants: against runs of graphs that really have these,
 * and what they leave behind. */
#include "small_layers.h"

#include <stdlib.h>
#include <string.h>

#include "execute/call.h"

/*
 * x -> FIRST -> LEFT  -> SUM -> HEAD   (outputs: HEAD, SIDE, BRANCH)
 *   \       \-> RIGHT -/ \----> BRANCH: the same weights as LEFT
 *    -> SIDE
 */
enum { FIRST, LEFT, RIGHT, SUM, HEAD, BRANCH, SIDE, OPERATORS };
enum { N = 4, SIZE = 6, PIXELS = SIZE * SIZE, MOST = 3 * 3 * N * N };
enum { OUTPUTS = 3 };

static const mb_list INPUT = {4, {1, SIZE, SIZE, N}};

typedef struct numbers {
    float weights[OPERATORS][MOST];
    float bias[N];
    const int8_t *codes; /* instead of LEFT's weights, which BRANCH has too */
    const float *scales;
} numbers;

static numbers some_numbers(void) {
    numbers n = {.codes = NULL};
    for (uint32_t i = 0; i < OPERATORS; i++)
        small_fill(n.weights[i], MOST, i);
    small_fill(n.bias, N, 77);
    return n;
}

static int32_t results[OPERATORS]; /* tensors */

static mb_model branches(const numbers *n) {
    const mb_list wide = {4, {N, 3, 3, N}}, narrow = {4, {N, 1, 1, N}}, deep = {4, {1, 3, 3, N}};
    mb_model m = small_graph(INPUT);
    small_layer l = {OP_CONV_2D, 0, wide, n->weights[FIRST], NULL, n->bias, RELU, 0};
    int32_t first = small_add_layer(&m, &l);
    const void *shared = n->codes ? (const void *)n->codes : n->weights[LEFT];
    l = (small_layer){OP_CONV_2D, first, narrow, shared, n->scales, NULL, NO_ACTIVATION, 0};
    int32_t left = small_add_layer(&m, &l), shared_tensor = left - 1;
    l = (small_layer){
        .builtin = OP_DEPTHWISE_CONV_2D, .x = first, .filter = deep, .weights = n->weights[RIGHT]};
    int32_t right = small_add_layer(&m, &l);
    int32_t sum = small_add_op(&m, OP_ADD, (mb_list){2, {left, right}}, TQI_TYPE_FLOAT32, INPUT);
    l = (small_layer){OP_CONV_2D, sum, wide, n->weights[HEAD], NULL, NULL, NO_ACTIVATION, 0};
    int32_t head = small_add_layer(&m, &l);
    l = (small_layer){
        .builtin = OP_CONV_2D, .x = sum, .filter = narrow, .weights_tensor = shared_tensor};
    int32_t branch = small_add_layer(&m, &l);
    l = (small_layer){.builtin = OP_CONV_2D, .filter = narrow, .weights = n->weights[SIDE]};
    int32_t side = small_add_layer(&m, &l);
    const int32_t all[] = {first, left, right, sum, head, branch, side};
    memcpy(results, all, sizeof results);
    m.subgraphs[0].outputs = (mb_list){OUTPUTS, {head, side, branch}};
    return m;
}

static tqi_value picture(uint32_t seed) {
    static float data[2][PIXELS * N];
    small_fill(data[seed % 2], PIXELS * N, seed);
    return small_value(INPUT, data[seed % 2]);
}

/* ---- progress: operators that ran ---- */

typedef struct steps {
    uint64_t ran; /* a bit for each operator */
    uint32_t calls, cancel_at;
} steps;

static int32_t note_step(void *opaque, uint64_t done, uint64_t total) {
    steps *s = opaque;
    assert_int_equal(total, OPERATORS);
    s->ran |= UINT64_C(1) << done;
    return ++s->calls == s->cancel_at;
}

static void retain_run(small_run *run, mb_model *model, const tq_allocator *allocator,
                       steps *progress) {
    tq_error error = TQ_ERROR_INIT;
    small_load(run, model, allocator, 0);
    run->options.retain = true;
    run->options.keep = UINT64_MAX;
    run->options.progress = progress ? note_step : NULL;
    run->options.progress_opaque = progress;
    assert_ok(small_open(run, &error), &error);
}

static void run_on(small_run *run, uint32_t seed) {
    tq_error error = TQ_ERROR_INIT;
    tqi_value x = picture(seed);
    assert_ok(tqi_exec_run(run->exec, &x, 1, NULL, NULL, &error), &error);
}

/* ---- against a graph that has these constants ---- */

/* `run` varied gives what `changed` gives; tensors in `same` (bits by operator) are not varied. */
static void check_varied(small_run *run, const numbers *changed, uint32_t seed, uint64_t same) {
    mb_model model = branches(changed);
    small_run full;
    retain_run(&full, &model, NULL, NULL);
    run_on(&full, seed);
    for (uint32_t i = 0; i < OPERATORS; i++) {
        const tqi_value *want = tqi_exec_value(full.exec, (uint32_t)results[i]);
        const tqi_value *was = tqi_exec_value(run->exec, (uint32_t)results[i]);
        const tqi_value *got = tqi_exec_varied(run->exec, (uint32_t)results[i]);
        assert_non_null(want->data);
        assert_non_null(was->data);
        if (same >> i & 1) {
            assert_null(got);
            assert_memory_equal(was->data, want->data, tqi_value_bytes(want));
        } else {
            assert_non_null(got);
            assert_int_equal(got->elements, want->elements);
            assert_memory_equal(got->data, want->data, tqi_value_bytes(want));
            assert_true(memcmp(got->data, was->data, tqi_value_bytes(was)) != 0);
        }
    }
    small_close(&full);
}

#define BIT(op) (UINT64_C(1) << (op))
static const uint64_t NOT_BEHIND[OPERATORS] = {
    [FIRST] = BIT(SIDE),
    [LEFT] = BIT(FIRST) | BIT(RIGHT) | BIT(SIDE),
    [RIGHT] = BIT(FIRST) | BIT(LEFT) | BIT(SIDE),
    [HEAD] = ~BIT(HEAD),
    [SIDE] = ~BIT(SIDE),
};

static void watch_all(small_run *run) {
    tq_error error = TQ_ERROR_INIT;
    for (uint32_t i = 0; i < OPERATORS; i++)
        assert_ok(tqi_exec_watch(run->exec, (uint32_t)results[i], &error), &error);
}

static tqi_value weights_of(uint32_t op, float *data) {
    mb_list shape = op == RIGHT                 ? (mb_list){4, {1, 3, 3, N}}
                    : op == FIRST || op == HEAD ? (mb_list){4, {N, 3, 3, N}}
                                                : (mb_list){4, {N, 1, 1, N}};
    return small_value(shape, data);
}

static void vary(small_run *run, const tqi_change *changes, uint32_t n) {
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tqi_exec_vary(run->exec, changes, n, &error), &error);
}

/* Each constant alone, one after the other in the same executor, on two inputs. */
static void variations_are_runs_with_other_constants(void **state) {
    (void)state;
    static const uint32_t changed[] = {FIRST, RIGHT, HEAD, SIDE};
    numbers plain = some_numbers();
    mb_model model = branches(&plain);
    steps s = {0};
    small_run run;
    retain_run(&run, &model, NULL, &s);
    watch_all(&run);
    for (uint32_t seed = 1; seed < 3; seed++) {
        run_on(&run, seed);
        for (uint32_t i = 0; i < COUNT(changed); i++) {
            numbers other = plain;
            uint32_t op = changed[i];
            small_fill(other.weights[op], MOST, 100 + i);
            tqi_value w = weights_of(op, other.weights[op]);
            tqi_change change = {op, 1, &w};
            s = (steps){0};
            vary(&run, &change, 1);
            assert_int_equal(s.ran, (BIT(OPERATORS) - 1) & ~NOT_BEHIND[op]);
            assert_int_equal(s.calls, __builtin_popcountll(s.ran));
            check_varied(&run, &other, seed, NOT_BEHIND[op]);
        }
    }
    small_close(&run);
}

/* Weights that two operators read change in those that are named, and in these alone. */
static void shared_weights_change_where_it_is_said(void **state) {
    (void)state;
    numbers plain = some_numbers(), other = plain;
    mb_model model = branches(&plain);
    small_run run;
    retain_run(&run, &model, NULL, NULL);
    watch_all(&run);
    run_on(&run, 1);
    small_fill(other.weights[LEFT], MOST, 5000);
    tqi_value w = weights_of(LEFT, other.weights[LEFT]);
    tqi_change changes[] = {{BRANCH, 1, &w}, {LEFT, 1, &w}};
    vary(&run, changes, 2);
    check_varied(&run, &other, 1, NOT_BEHIND[LEFT]);
    vary(&run, changes, 1);
    for (uint32_t i = 0; i < OPERATORS; i++)
        assert_true((tqi_exec_varied(run.exec, (uint32_t)results[i]) != NULL) == (i == BRANCH));
    small_close(&run);
}

/* Several inputs of an operator, several operators, and none. */
static void changes_go_together_and_go_away(void **state) {
    (void)state;
    numbers plain = some_numbers(), other = plain;
    mb_model model = branches(&plain);
    steps s = {0};
    small_run run;
    retain_run(&run, &model, NULL, &s);
    watch_all(&run);
    run_on(&run, 2);
    small_fill(other.weights[FIRST], MOST, 300);
    small_fill(other.weights[HEAD], MOST, 301);
    small_fill(other.bias, N, 302);
    tqi_value first = weights_of(FIRST, other.weights[FIRST]);
    tqi_value head = weights_of(HEAD, other.weights[HEAD]);
    tqi_value bias = small_value((mb_list){1, {N}}, other.bias);
    tqi_change changes[] = {{HEAD, 1, &head}, {FIRST, 2, &bias}, {FIRST, 1, &first}};
    vary(&run, changes, 3);
    check_varied(&run, &other, 2, BIT(SIDE));
    s = (steps){0};
    vary(&run, changes, 0);
    assert_int_equal(s.calls, 0);
    for (uint32_t i = 0; i < OPERATORS; i++)
        assert_null(tqi_exec_varied(run.exec, (uint32_t)results[i]));
    vary(&run, changes, 1); /* of the three before nothing is left */
    for (uint32_t i = 0; i < OPERATORS; i++)
        assert_true((tqi_exec_varied(run.exec, (uint32_t)results[i]) != NULL) == (i == HEAD));
    run_on(&run, 1); /* a run ends them all */
    for (uint32_t i = 0; i < OPERATORS; i++)
        assert_null(tqi_exec_varied(run.exec, (uint32_t)results[i]));
    small_close(&run);
}

/* What is neither an output nor watched is gone. */
static void only_what_is_watched_is_kept(void **state) {
    (void)state;
    numbers plain = some_numbers(), other = plain;
    mb_model model = branches(&plain);
    small_run run;
    retain_run(&run, &model, NULL, NULL);
    tq_error error = TQ_ERROR_INIT;
    run_on(&run, 1);
    assert_ok(tqi_exec_watch(run.exec, (uint32_t)results[SUM], &error), &error);
    tqi_value w = weights_of(FIRST, other.weights[FIRST]);
    other.weights[FIRST][0] += 1;
    tqi_change change = {FIRST, 1, &w};
    vary(&run, &change, 1);
    static const uint64_t there = BIT(SUM) | BIT(HEAD) | BIT(BRANCH);
    for (uint32_t i = 0; i < OPERATORS; i++)
        assert_true((tqi_exec_varied(run.exec, (uint32_t)results[i]) != NULL) == (there >> i & 1));
    small_close(&run);
}

/* ---- as a runtime with integers ---- */

static void hybrid_is_a_model_with_int8_weights(void **state) {
    (void)state;
    static const float scales[N] = {1 / 64.0f, 1 / 100.0f, 1 / 80.0f, 1 / 127.0f};
    static float values[N * N];
    static int8_t codes[N * N];
    numbers plain = some_numbers(), stored = plain;
    for (int i = 0; i < N * N; i++) {
        codes[i] = (int8_t)(i * 37 % 255 - 127);
        values[i] = scales[i / N] * codes[i];
    }
    stored.codes = codes;
    stored.scales = scales;
    mb_model model = branches(&plain);
    small_run run;
    retain_run(&run, &model, NULL, NULL);
    watch_all(&run);
    run_on(&run, 1);
    tqi_value w = weights_of(LEFT, values);
    tqi_change changes[] = {{LEFT, 1, &w}, {BRANCH, 1, &w}, {BRANCH, 0, NULL}, {LEFT, 0, NULL}};
    vary(&run, changes, 4);
    check_varied(&run, &stored, 1, NOT_BEHIND[LEFT]);
    /* the rounding of activations is what makes a difference */
    float rounded[PIXELS * N];
    memcpy(rounded, tqi_exec_varied(run.exec, (uint32_t)results[LEFT])->data, sizeof rounded);
    vary(&run, changes, 2);
    assert_memory_not_equal(tqi_exec_varied(run.exec, (uint32_t)results[LEFT])->data, rounded,
                            sizeof rounded);
    small_close(&run);
}

/* ---- failures ---- */

static void each_allocation_may_fail(void **state) {
    (void)state;
    numbers plain = some_numbers(), other = plain;
    small_fill(other.weights[FIRST], MOST, 300);
    tqi_value w = weights_of(FIRST, other.weights[FIRST]);
    tqi_change changes[] = {{FIRST, 1, &w}, {LEFT, 0, NULL}, {FIRST, 1, &w}};
    mb_model model = branches(&plain);
    unsigned failures = 0;
    for (uint64_t n = 1;; n++) {
        watch memory = {0};
        tq_allocator allocator = watched(&memory);
        tq_error error = TQ_ERROR_INIT;
        small_run run;
        retain_run(&run, &model, &allocator, NULL);
        run_on(&run, 1);
        memory.fail_at = memory.calls + n;
        tq_status status = tqi_exec_watch(run.exec, (uint32_t)results[SUM], &error);
        if (status == TQ_OK)
            status = tqi_exec_vary(run.exec, changes, 2, &error);
        if (status == TQ_OK)
            status = tqi_exec_vary(run.exec, changes, 3, &error);
        if (status != TQ_OK) {
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
            failures++;
            memory.fail_at = 0;
            watch_all(&run);
            vary(&run, changes, 1);
            check_varied(&run, &other, 1, NOT_BEHIND[FIRST]);
        }
        small_close(&run);
        assert_true(memory.held == 0 && memory.wrong == 0);
        if (status == TQ_OK && memory.calls < memory.fail_at)
            break;
    }
    assert_true(failures > 0);
}

/* Constants that were kept give way to what a variation needs. */
static void the_limit_is_kept(void **state) {
    (void)state;
    numbers plain = some_numbers(), other = plain;
    small_fill(other.weights[FIRST], MOST, 300);
    tqi_value w = weights_of(FIRST, other.weights[FIRST]);
    tqi_change change = {FIRST, 1, &w};
    mb_model model = branches(&plain);
    watch memory = {0};
    tq_allocator allocator = watched(&memory);
    small_run run;
    retain_run(&run, &model, &allocator, NULL);
    watch_all(&run);
    run_on(&run, 1);
    memory.peak = memory.held;
    vary(&run, &change, 1);
    uint64_t enough = memory.peak;
    for (uint64_t less = 0; less < 2 * sizeof plain.weights[0]; less += 64) {
        run_on(&run, 1);
        run.heap.limit = enough - less;
        vary(&run, &change, 1);
        run.heap.limit = 0;
        check_varied(&run, &other, 1, NOT_BEHIND[FIRST]);
    }
    small_close(&run);
}

static void a_variation_can_be_cancelled(void **state) {
    (void)state;
    numbers plain = some_numbers();
    float changed[MOST];
    small_fill(changed, MOST, 300);
    tqi_value w = weights_of(FIRST, changed);
    tqi_change change = {FIRST, 1, &w};
    mb_model model = branches(&plain);
    for (uint32_t k = 1; k < OPERATORS; k++) {
        watch memory = {0};
        tq_allocator allocator = watched(&memory);
        tq_error error = TQ_ERROR_INIT;
        steps s = {0};
        small_run run;
        retain_run(&run, &model, &allocator, &s);
        run_on(&run, 1);
        s = (steps){.cancel_at = k};
        assert_failed(TQ_ERR_CANCELLED, tqi_exec_vary(run.exec, &change, 1, &error), &error);
        assert_int_equal(s.calls, k);
        small_close(&run);
        assert_true(memory.held == 0 && memory.wrong == 0);
    }
}

/* Repeating them takes no more memory than the first time. */
static void repeated_variations_hold_no_more(void **state) {
    (void)state;
    numbers plain = some_numbers();
    float changed[MOST];
    small_fill(changed, MOST, 300);
    tqi_value w = weights_of(FIRST, changed);
    tqi_change changes[] = {{FIRST, 1, &w}, {HEAD, 0, NULL}};
    mb_model model = branches(&plain);
    watch memory = {0};
    tq_allocator allocator = watched(&memory);
    small_run run;
    retain_run(&run, &model, &allocator, NULL);
    run_on(&run, 1);
    vary(&run, changes, 2);
    uint64_t held = memory.held;
    for (int i = 0; i < 20; i++) {
        vary(&run, changes, 1 + (uint32_t)i % 2);
        assert_int_equal(memory.held, held);
        if (i % 5 == 4) {
            run_on(&run, (uint32_t)i);
            assert_true(memory.held < held);
        }
    }
    small_close(&run);
    assert_true(memory.held == 0 && memory.wrong == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variations_are_runs_with_other_constants),
        cmocka_unit_test(shared_weights_change_where_it_is_said),
        cmocka_unit_test(changes_go_together_and_go_away),
        cmocka_unit_test(only_what_is_watched_is_kept),
        cmocka_unit_test(hybrid_is_a_model_with_int8_weights),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(the_limit_is_kept),
        cmocka_unit_test(a_variation_can_be_cancelled),
        cmocka_unit_test(repeated_variations_hold_no_more),
    };
    return cmocka_run_group_tests_name("vary", tests, NULL, NULL);
}
