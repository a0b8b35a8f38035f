/* SPDX-License-Identifier: Apache-2.0 */
/* Which layers are heads, and what their biases take back. */
#include "small_layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quantize/heads.h"

enum { N = 2 };
static const mb_list PAIR = {2, {1, N}}, SQUARE = {2, {N, N}};
static const float eye[] = {1, 0, 0, 1}, none[N] = {0, 0};

typedef struct scene {
    small_run run;
    tqi_arena arena;
    tqi_uses uses;
    tqi_heads heads;
} scene;

static void open_scene(scene *s, mb_model *model) {
    tq_error error = TQ_ERROR_INIT;
    *s = (scene){.heads = {NULL, 0, 0, 0}};
    small_load(&s->run, model, NULL, 0);
    s->run.options.retain = s->run.options.as_far_as_possible = true;
    tqi_arena_init(&s->arena, &s->run.heap);
    assert_ok(small_open(&s->run, &error), &error);
    assert_ok(tqi_find_uses(&s->run.graph, 0, &s->arena, &s->uses, &error), &error);
    assert_ok(tqi_heads_find(&s->heads, &s->run.graph, 0, &s->uses, &s->arena, &error), &error);
    for (uint32_t i = 0; i < s->heads.n; i++)
        assert_ok(tqi_exec_watch(s->run.exec, s->heads.list[i].tensor, &error), &error);
}

static void close_scene(scene *s) {
    tqi_arena_free(&s->arena);
    small_close(&s->run);
}

static int32_t add(mb_model *m, int32_t x, const float *bias, uint8_t activation) {
    small_layer l = {OP_FULLY_CONNECTED, x, SQUARE, eye, NULL, bias, activation, 0};
    return small_add_layer(m, &l);
}

/* ---- which ---- */

static void heads_have_no_layer_behind(void **state) {
    (void)state;
    mb_model m = small_graph(PAIR);
    int32_t body = add(&m, 0, none, NO_ACTIVATION); /* 0 */
    int32_t relu = small_add_op(&m, OP_RELU, (mb_list){1, {body}}, TQI_TYPE_FLOAT32, PAIR);
    int32_t head = add(&m, relu, none, NO_ACTIVATION); /* 2: what is behind is no layer */
    int32_t out = small_add_op(&m, OP_RELU, (mb_list){1, {head}}, TQI_TYPE_FLOAT32, PAIR);
    int32_t active = add(&m, relu, none, RELU);          /* 4 */
    int32_t bare = add(&m, relu, NULL, NO_ACTIVATION);   /* 5 */
    int32_t second = add(&m, body, none, NO_ACTIVATION); /* 6 */
    int32_t far = add(&m, 0, none, NO_ACTIVATION);       /* 7: leads to 9 through 8 */
    far = small_add_op(&m, OP_ADD, (mb_list){2, {far, out}}, TQI_TYPE_FLOAT32, PAIR);
    int32_t last = add(&m, far, NULL, NO_ACTIVATION); /* 9 */
    m.subgraphs[0].outputs = (mb_list){5, {out, active, bare, second, last}};
    scene s;
    open_scene(&s, &m);
    bool found[10] = {false};
    for (uint32_t i = 0; i < s.heads.n; i++) {
        const tqi_head *h = &s.heads.list[i];
        found[h->op] = true;
        assert_int_equal(h->input, 2);
        assert_int_equal(h->channels, N);
        assert_int_equal(h->tensor, s.run.graph.subgraphs[0].operators[h->op].outputs[0]);
    }
    /* the head at 2 leads through its RELU and 8 to 9 */
    static const bool wanted[10] = {[6] = true};
    for (uint32_t i = 0; i < COUNT(wanted); i++)
        if (found[i] != wanted[i])
            fail_msg("operator %u", i);
    close_scene(&s);
    /* without 9 they are heads, and what is behind these does not matter */
    m.subgraphs[0].n_ops = 9;
    m.subgraphs[0].outputs = (mb_list){1, {far}};
    open_scene(&s, &m);
    assert_int_equal(s.heads.n, 3);
    assert_int_equal(s.heads.list[0].op, 7);
    assert_int_equal(s.heads.list[1].op, 6);
    assert_int_equal(s.heads.list[2].op, 2);
    close_scene(&s);
}

static void biases_that_are_no_constants_are_left_alone(void **state) {
    (void)state;
    mb_model m = small_graph(PAIR);
    mb_subgraph *g = &m.subgraphs[0];
    int32_t y = add(&m, 0, none, NO_ACTIVATION);
    g->inputs = (mb_list){2, {0, y - 1}};
    g->tensors[y - 1].buffer = 0;
    g->outputs = (mb_list){1, {y}};
    scene s;
    open_scene(&s, &m);
    assert_int_equal(s.heads.n, 0);
    close_scene(&s);
}

/* ---- how much ---- */

/* y = x, changed to y = 2 x: the mean error of an input is minus the input. */
static mb_model copies(void) {
    mb_model m = small_graph(PAIR);
    m.subgraphs[0].outputs = (mb_list){1, {add(&m, 0, none, NO_ACTIVATION)}};
    return m;
}

static void observe(scene *s, float a, float b) {
    tq_error error = TQ_ERROR_INIT;
    float x[] = {a, b}, twice[] = {2, 0, 0, 2};
    tqi_value value = small_value(PAIR, x), weights = small_value(SQUARE, twice);
    tqi_change change = {0, 1, &weights};
    assert_ok(tqi_exec_run(s->run.exec, &value, 1, NULL, NULL, &error), &error);
    assert_ok(tqi_exec_vary(s->run.exec, &change, 1, &error), &error);
    tqi_heads_observe(&s->heads, s->run.exec);
}

static void assert_near(double got, double want) {
    if (!(fabs(got - want) <= 1e-9))
        fail_msg("%.12g, not %.12g", got, want);
}

static void corrections_are_shrunk_means(void **state) {
    (void)state;
    mb_model m = copies();
    scene s;
    open_scene(&s, &m);
    observe(&s, 1, -5);
    observe(&s, 2, -5);
    observe(&s, 3, -5);
    tqi_heads_end_set(&s.heads);
    const double *c = s.heads.list[0].correction;
    assert_near(c[0], -2 * (1 - 1 / 3.0 / 4)); /* mean -2, variance 1, 3 samples */
    assert_near(c[1], 5);                      /* all agree */
    close_scene(&s);
    /* what is nothing but noise is not corrected, nor is what one sample says */
    open_scene(&s, &m);
    observe(&s, 1, 7);
    observe(&s, -2, 7);
    observe(&s, 2, 7);
    tqi_heads_end_set(&s.heads);
    assert_near(s.heads.list[0].correction[0], 0);
    assert_near(s.heads.list[0].correction[1], -7);
    close_scene(&s);
    open_scene(&s, &m);
    observe(&s, 1, 1);
    tqi_heads_end_set(&s.heads);
    assert_near(s.heads.list[0].correction[0], 0);
    close_scene(&s);
}

static void sets_must_agree(void **state) {
    (void)state;
    mb_model m = copies();
    scene s;
    open_scene(&s, &m);
    for (int i = 0; i < 2; i++)
        observe(&s, 4, 4);
    tqi_heads_end_set(&s.heads);
    for (int i = 0; i < 3; i++)
        observe(&s, 1, -1);
    tqi_heads_end_set(&s.heads);
    assert_near(s.heads.list[0].correction[0], -1); /* the smaller one */
    assert_near(s.heads.list[0].correction[1], 0);  /* of different signs */
    for (int i = 0; i < 2; i++)
        observe(&s, 9, -1); /* it stays nothing */
    tqi_heads_end_set(&s.heads);
    assert_near(s.heads.list[0].correction[0], -1);
    assert_near(s.heads.list[0].correction[1], 0);
    close_scene(&s);
}

static void what_is_no_number_is_not_corrected(void **state) {
    (void)state;
    mb_model m = copies();
    scene s;
    open_scene(&s, &m);
    for (int i = 0; i < 3; i++)
        observe(&s, i == 1 ? INFINITY : 3, i == 2 ? NAN : 3);
    tqi_heads_end_set(&s.heads);
    assert_near(s.heads.list[0].correction[0], 0);
    assert_near(s.heads.list[0].correction[1], 0);
    close_scene(&s);
}

/* Of positions the mean counts. */
static void positions_are_one_sample(void **state) {
    (void)state;
    const mb_list map = {4, {1, 1, 3, N}}, filter = {4, {N, 1, 1, N}};
    mb_model m = small_graph(map);
    small_layer l = {OP_CONV_2D, 0, filter, eye, NULL, none, NO_ACTIVATION, 0};
    m.subgraphs[0].outputs = (mb_list){1, {small_add_layer(&m, &l)}};
    scene s;
    open_scene(&s, &m);
    assert_int_equal(s.heads.n, 1);
    float twice[] = {2, 0, 0, 2}, x[] = {1, 10, 2, 20, 6, 30};
    tqi_value value = small_value(map, x), weights = small_value(filter, twice);
    tqi_change change = {0, 1, &weights};
    for (int i = 0; i < 2; i++) {
        tq_error error = TQ_ERROR_INIT;
        assert_ok(tqi_exec_run(s.run.exec, &value, 1, NULL, NULL, &error), &error);
        assert_ok(tqi_exec_vary(s.run.exec, &change, 1, &error), &error);
        tqi_heads_observe(&s.heads, s.run.exec);
    }
    tqi_heads_end_set(&s.heads);
    assert_near(s.heads.list[0].correction[0], -3);
    assert_near(s.heads.list[0].correction[1], -20);
    close_scene(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_have_no_layer_behind),
        cmocka_unit_test(biases_that_are_no_constants_are_left_alone),
        cmocka_unit_test(corrections_are_shrunk_means),
        cmocka_unit_test(sets_must_agree),
        cmocka_unit_test(what_is_no_number_is_not_corrected),
        cmocka_unit_test(positions_are_one_sample),
    };
    return cmocka_run_group_tests_name("heads", tests, NULL, NULL);
}
