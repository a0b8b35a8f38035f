/* SPDX-License-Identifier: Apache-2.0 */
/* Which constants become what, on tables small enough to see it. */
#include "small_layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quantize/policy.h"
#include "tflite/op_facts.h"

enum { LAYERS = 4, N = 64, COUNTED = N * N };
/* Bytes of a layer: int8 with a scale for each row and what holds them, float16, float32. */
enum { INT8 = COUNTED + 4 * N + 64, FLOAT16 = 2 * COUNTED, FLOAT32 = 4 * COUNTED };
static float weights[LAYERS][COUNTED];
static uint16_t halves[LAYERS][COUNTED];

typedef struct scene {
    small_run run;
    tqi_arena arena;
    tqi_plan plan;
    tqi_item items[LAYERS];
    tqi_policy policy;
} scene;

/* FULLY_CONNECTED layers one behind the other; float16 behind DEQUANTIZE if `half`. */
static mb_model layers(bool half) {
    mb_model m = small_graph((mb_list){2, {1, N}});
    mb_subgraph *g = &m.subgraphs[0];
    int32_t at = 0;
    for (int i = 0; i < LAYERS; i++) {
        small_fill(weights[i], COUNTED, (uint32_t)i);
        small_layer l = {
            .builtin = OP_FULLY_CONNECTED, .x = at, .filter = {2, {N, N}}, .weights = weights[i]};
        if (half) {
            tqi_kernels kernels;
            tqi_kernels_init(&kernels, 0);
            kernels.f32_to_f16(weights[i], halves[i], COUNTED, NULL);
            uint32_t buffer = mb_add_buffer(&m, halves[i], sizeof halves[i]);
            int32_t stored = mb_add_tensor(g, (mb_tensor){.name = "half",
                                                          .buffer = buffer,
                                                          .type = TQI_TYPE_FLOAT16,
                                                          .shape = l.filter});
            l.weights_tensor =
                small_add_op(&m, OP_DEQUANTIZE, (mb_list){1, {stored}}, TQI_TYPE_FLOAT32, l.filter);
        }
        at = small_add_layer(&m, &l);
    }
    g->outputs = (mb_list){1, {at}};
    return m;
}

static void open_scene(scene *s, bool half, const double *errors) {
    mb_model m = layers(half);
    tq_error error = TQ_ERROR_INIT;
    tq_recipe *recipe = NULL;
    *s = (scene){.policy = {.n = LAYERS}};
    small_load(&s->run, &m, NULL, 0);
    tqi_arena_init(&s->arena, &s->run.heap);
    assert_ok(tq_recipe_create("int8", &recipe, &error), &error);
    assert_ok(tqi_plan_make(&s->plan, &s->run.graph, recipe, TQ_TARGET_XNNPACK, &s->arena, &error),
              &error);
    tq_recipe_free(recipe);
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->plan.constants.count; i++)
        if (s->plan.decisions[i].action == TQI_ACTION_WEIGHT_ONLY) {
            assert_true(n < LAYERS);
            s->items[n] = (tqi_item){.constant = i,
                                     .error = errors[n],
                                     .weight_error = 1e-4,
                                     .dynamic_error = NAN,
                                     .block_error = NAN};
            n++;
        }
    assert_int_equal(n, LAYERS);
    s->policy = (tqi_policy){&s->run.graph, &s->plan, &s->run.heap, s->items, LAYERS};
}

static void close_scene(scene *s) {
    tqi_arena_free(&s->arena);
    small_close(&s->run);
}

static tqi_action action(const scene *s, uint32_t item) {
    return s->plan.decisions[s->items[item].constant].action;
}

static void assert_actions(const scene *s, const tqi_action *wanted) {
    for (uint32_t i = 0; i < LAYERS; i++)
        assert_int_equal(action(s, i), wanted[i]);
}

#define W TQI_ACTION_WEIGHT_ONLY
#define H TQI_ACTION_FLOAT16
#define K TQI_ACTION_KEEP
#define D TQI_ACTION_DYNAMIC
#define B TQI_ACTION_DYNAMIC_INT4

static bool fit(scene *s, uint64_t most) {
    bool reached = false;
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tqi_policy_bytes(&s->policy, most, &reached, &error), &error);
    return reached;
}

static bool hold(scene *s, double most) {
    bool reached = false;
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tqi_policy_error(&s->policy, most, &reached, &error), &error);
    return reached;
}

/* ---- sizes ---- */

static void sizes_are_what_saving_gives(void **state) {
    (void)state;
    static const double errors[] = {1, 1, 1, 1};
    for (int half = 0; half < 2; half++) {
        scene s;
        open_scene(&s, half, errors);
        assert_int_equal(tqi_policy_least(&s.policy), LAYERS * INT8);
        uint64_t about = tqi_policy_file(&s.policy);
        mb_model m = layers(half);
        bytes file = mb_build(&m), small = convert(file, "weight_only_wi8_afp32");
        assert_true(about > small.size * 9 / 10 && about < small.size * 11 / 10);
        size_t each = half ? FLOAT16 : FLOAT32;
        assert_int_equal(about, file.size - LAYERS * (each - INT8));
        free(small.data);
        free(file.data);
        close_scene(&s);
    }
}

static void bytes_go_where_the_error_is(void **state) {
    (void)state;
    static const double errors[] = {1e-3, 4e-3, 2e-3, 5e-4};
    static const struct {
        uint64_t bytes;
        bool reached;
        tqi_action actions[LAYERS];
    } cases[] = {
        {0, false, {W, W, W, W}},
        {LAYERS * INT8 - 1, false, {W, W, W, W}},
        {LAYERS * INT8, true, {W, W, W, W}},
        {LAYERS * INT8 + FLOAT16 - INT8 - 1, true, {W, W, W, W}},
        {LAYERS * INT8 + FLOAT16 - INT8, true, {W, H, W, W}},
        {LAYERS * INT8 + 2 * (FLOAT16 - INT8), true, {W, H, H, W}},
        {LAYERS * INT8 + 3 * (FLOAT16 - INT8), true, {H, H, H, W}},
        {LAYERS * FLOAT16, true, {H, H, H, H}},
        {LAYERS * FLOAT16 + FLOAT32 - FLOAT16, true, {H, K, H, H}},
        {LAYERS * FLOAT32, true, {K, K, K, K}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        scene s;
        open_scene(&s, false, errors);
        assert_true(fit(&s, cases[i].bytes) == cases[i].reached);
        assert_actions(&s, cases[i].actions);
        for (uint32_t k = 0; k < LAYERS; k++)
            assert_int_equal(s.plan.decisions[s.items[k].constant].reason,
                             action(&s, k) == W ? TQ_REASON_NONE : TQ_REASON_TOO_NOISY);
        close_scene(&s);
    }
}

/* float16 is exact where it is what the model has: it stays. */
static void float16_stays_float16(void **state) {
    (void)state;
    static const double errors[] = {1e-3, 4e-3, 2e-3, 5e-4};
    scene s;
    open_scene(&s, true, errors);
    assert_true(fit(&s, LAYERS * INT8 + FLOAT16 - INT8));
    assert_actions(&s, (tqi_action[]){W, K, W, W});
    close_scene(&s);
    open_scene(&s, true, errors);
    assert_true(hold(&s, 0));
    assert_actions(&s, (tqi_action[]){K, K, K, K});
    close_scene(&s);
}

static void int4_is_taken_where_it_may_be(void **state) {
    (void)state;
    enum { INT4 = COUNTED / 2 + COUNTED / 32 * 2, SAVED = INT8 - INT4 };
    static const double errors[] = {1e-3, 4e-3, 2e-3, 5e-4};
    static const struct {
        uint64_t bytes;
        bool reached;
        tqi_action actions[LAYERS];
    } cases[] = {
        {LAYERS * INT8, true, {W, W, W, W}},
        {LAYERS * INT8 - 1, true, {W, W, B, W}},
        {LAYERS * INT8 - SAVED, true, {W, W, B, W}},
        {LAYERS * INT8 - SAVED - 1, true, {W, B, B, W}},
        {LAYERS * INT8 - 2 * SAVED, true, {W, B, B, W}},
        {LAYERS * INT8 - 2 * SAVED - 1, false, {W, B, B, W}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        scene s;
        tq_error error = TQ_ERROR_INIT;
        open_scene(&s, false, errors);
        for (uint32_t k = 0; k < 3; k++)
            s.items[k].takes_blocks = true;
        s.items[0].block_weight_error = 0.2; /* nothing is left of it */
        s.items[1].block_weight_error = s.items[2].block_weight_error = 1e-2;
        s.items[0].block_error = 0.1;
        s.items[2].block_error = 1e-3; /* better than int8: not to be believed */
        assert_ok(tqi_policy_fill_in(&s.policy, &error), &error);
        assert_false(s.items[0].takes_blocks);
        assert_true(fabs(s.items[1].block_error - 0.4) < 1e-12);
        assert_true(fabs(s.items[2].block_error - 0.2) < 1e-12);
        assert_true(fit(&s, cases[i].bytes) == cases[i].reached);
        assert_actions(&s, cases[i].actions);
        for (uint32_t k = 0; k < LAYERS; k++)
            assert_int_equal(s.plan.decisions[s.items[k].constant].block,
                             action(&s, k) == B ? TQI_BLOCK : 0);
        close_scene(&s);
    }
}

static void errors_are_held_by_few_bytes(void **state) {
    (void)state;
    static const double errors[] = {1e-3, 4e-3, 2e-3, 5e-4};
    static const struct {
        double most;
        tqi_action actions[LAYERS];
    } cases[] =
        {
            {1, {W, W, W, W}},      {7.5e-3, {W, W, W, W}},
            {7.4e-3, {H, W, W, W}}, /* the cheapest that is enough: all cost the same */
            {3.6e-3, {W, H, W, W}}, {1.6e-3, {W, H, H, W}},
            {1e-9, {K, K, K, K}},   {0, {K, K, K, K}},
        };
    for (size_t i = 0; i < COUNT(cases); i++) {
        scene s;
        open_scene(&s, false, errors);
        assert_true(hold(&s, cases[i].most));
        uint32_t islands = 0, wanted = 0;
        double sum = 0;
        for (uint32_t k = 0; k < LAYERS; k++) {
            islands += action(&s, k) != W;
            wanted += cases[i].actions[k] != W;
            sum += action(&s, k) == W ? errors[k] : action(&s, k) == H ? errors[k] * 1e-3 : 0;
        }
        assert_true(sum <= cases[i].most);
        assert_int_equal(islands, wanted); /* as few as that takes */
        close_scene(&s);
    }
}

/* ---- what is not known ---- */

static void unknown_errors_are_like_others(void **state) {
    (void)state;
    scene s;
    tq_error error = TQ_ERROR_INIT;
    open_scene(&s, false, (double[]){1e-3, NAN, 3e-3, INFINITY});
    s.items[0].weight_error = s.items[2].weight_error = 1e-4; /* 10 and 30 times */
    s.items[1].weight_error = 2e-4;
    s.items[3].weight_error = NAN;
    assert_ok(tqi_policy_fill_in(&s.policy, &error), &error);
    assert_true(s.items[0].error == 1e-3 && s.items[2].error == 3e-3);
    assert_true(s.items[1].error == 30 * 2e-4); /* the upper one of two in the middle */
    assert_true(s.items[3].error == 0);
    close_scene(&s);
    open_scene(&s, false, (double[]){NAN, NAN, NAN, NAN});
    s.items[2].weight_error = 5e-4;
    s.items[3].weight_error = 0;
    assert_ok(tqi_policy_fill_in(&s.policy, &error), &error);
    assert_true(s.items[0].error == 1e-4 && s.items[2].error == 5e-4 && s.items[3].error == 0);
    assert_true(fit(&s, LAYERS * INT8 + FLOAT16 - INT8));
    assert_int_equal(action(&s, 2), H);
    close_scene(&s);
}

/* Scores that are left out may depend on a layer that nothing else does: room that is left is for
 * it. */
static void what_nobody_sees_comes_last(void **state) {
    (void)state;
    scene s;
    tq_error error = TQ_ERROR_INIT;
    open_scene(&s, false, (double[]){1e-9, 0, 1e-9, 1e-9});
    s.items[1].weight_error = 1;
    assert_ok(tqi_policy_fill_in(&s.policy, &error), &error);
    assert_true(fit(&s, LAYERS * INT8 + 3 * (FLOAT16 - INT8)));
    assert_actions(&s, (tqi_action[]){H, W, H, H});
    close_scene(&s);
    open_scene(&s, false, (double[]){1e-9, 0, 1e-9, 1e-9});
    s.items[1].weight_error = 1e-4;
    assert_ok(tqi_policy_fill_in(&s.policy, &error), &error);
    assert_true(fit(&s, LAYERS * FLOAT32));
    assert_actions(&s, (tqi_action[]){K, K, K, K});
    close_scene(&s);
}

/* ---- dynamic ---- */

static void dynamic_stays_within_its_bound(void **state) {
    (void)state;
    static const struct {
        double bound, factor;
        tqi_action actions[LAYERS];
    } cases[] = {
        {0, 1, {W, W, D, W}},      /* 2 costs nothing; 3 gains nothing */
        {5.1e-3, 1, {D, W, D, W}}, /* 0 costs 1e-3 more, 1 costs 8e-3 */
        {3.9e-3, 1, {W, W, D, W}}, /* the bound is of all: 4e-3 - and what is more */
        {13.1e-3, 0, {D, D, D, W}}, {0, 4, {D, D, D, W}}, {0, 1.3, {D, W, D, W}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        scene s;
        tq_error error = TQ_ERROR_INIT;
        open_scene(&s, false, (double[]){1e-3, 1e-3, 1e-3, 1e-3});
        static const double dynamic[] = {2e-3, 9e-3, 5e-4, 1e-3}, gains[] = {1, 8, 1, 0};
        for (uint32_t k = 0; k < LAYERS; k++) {
            s.items[k].dynamic_error = dynamic[k];
            s.items[k].gain = gains[k];
        }
        assert_ok(tqi_policy_dynamic(&s.policy, cases[i].bound, cases[i].factor, &error), &error);
        assert_actions(&s, cases[i].actions);
        /* and stays so, whatever room there is */
        assert_true(fit(&s, LAYERS * FLOAT32));
        for (uint32_t k = 0; k < LAYERS; k++)
            assert_int_equal(action(&s, k), cases[i].actions[k] == D ? D : K);
        close_scene(&s);
    }
}

/* Those that gain most for their error come first; what is not known never. */
static void dynamic_takes_the_cheapest_first(void **state) {
    (void)state;
    scene s;
    tq_error error = TQ_ERROR_INIT;
    open_scene(&s, false, (double[]){1e-3, 1e-3, 1e-3, 1e-3});
    static const double dynamic[] = {3e-3, 3e-3, NAN, 3e-3}, gains[] = {10, 30, 100, 20};
    for (uint32_t k = 0; k < LAYERS; k++) {
        s.items[k].dynamic_error = dynamic[k];
        s.items[k].gain = gains[k];
    }
    assert_ok(tqi_policy_dynamic(&s.policy, 8.5e-3, 1, &error), &error);
    assert_actions(&s, (tqi_action[]){W, D, W, D});
    close_scene(&s);
}

/* ---- memory ---- */

static void each_allocation_may_fail(void **state) {
    (void)state;
    for (uint64_t n = 1;; n++) {
        watch memory = {.fail_at = n};
        tq_allocator allocator = watched(&memory);
        tq_error error = TQ_ERROR_INIT;
        scene s;
        bool reached;
        open_scene(&s, false, (double[]){1e-3, NAN, 1e-3, 1e-3});
        tqi_heap heap;
        tqi_heap_init(&heap, &allocator, 0);
        s.policy.heap = &heap;
        tq_status status = tqi_policy_fill_in(&s.policy, &error);
        if (status == TQ_OK)
            status = tqi_policy_dynamic(&s.policy, 1, 1, &error);
        if (status == TQ_OK)
            status = tqi_policy_bytes(&s.policy, LAYERS * FLOAT16, &reached, &error);
        if (status != TQ_OK)
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
        assert_true(memory.held == 0 && memory.wrong == 0);
        close_scene(&s);
        if (status == TQ_OK)
            break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_what_saving_gives),
        cmocka_unit_test(bytes_go_where_the_error_is),
        cmocka_unit_test(float16_stays_float16),
        cmocka_unit_test(int4_is_taken_where_it_may_be),
        cmocka_unit_test(errors_are_held_by_few_bytes),
        cmocka_unit_test(unknown_errors_are_like_others),
        cmocka_unit_test(what_nobody_sees_comes_last),
        cmocka_unit_test(dynamic_stays_within_its_bound),
        cmocka_unit_test(dynamic_takes_the_cheapest_first),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
