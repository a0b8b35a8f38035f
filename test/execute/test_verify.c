/* SPDX-License-Identifier: Apache-2.0 */
/* Two models side by side: the numbers, and which layer is blamed. */
#include "compared.h"

#include <math.h>
#include <string.h>

enum { OP_MUL = 18, OP_ARG_MAX = 56 };
static const mb_list WIDE = {2, {1, WIDTH}}, SQUARE = {2, {WIDTH, WIDTH}};

static void assert_near(double got, double want) {
    if (!(fabs(got - want) <= 1e-9 * fabs(want)))
        fail_msg("%.17g is not %.17g", got, want);
}

/* ---- numbers ---- */

/* y = x w, with weights of which each is used alone. */
static mb_model diagonal(const float *values) {
    mb_model model;
    static float data[2][16];
    static int next;
    float *to = data[next++ % 2];
    memset(to, 0, sizeof data[0]);
    for (int i = 0; i < 4; i++)
        to[5 * i] = values[i];
    memset(&model, 0, sizeof model);
    mb_fully_connected(&model, to, 4, 4);
    return model;
}

static void numbers_are_as_they_are_defined(void **state) {
    (void)state;
    static const float a[] = {1, 2, -4, 8}, b[] = {1, 2.5f, -4, 7};
    static const float inputs[2][4] = {{1, 1, 1, 1}, {2, -2, 0, 1}};
    static const int32_t shape[] = {1, 4};
    tq_array arrays[2];
    for (int i = 0; i < 2; i++)
        arrays[i] = (tq_array){inputs[i], sizeof inputs[i], shape, 2, TQI_TYPE_FLOAT32};
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    options.n_sets = 2;
    options.inputs = arrays;
    compared c = compare(diagonal(a), diagonal(b), &options);
    /* y: 1 2 -4 8, 2 -4 0 8; y': 1 2.5 -4 7, 2 -5 0 7 */
    assert_int_equal(c.info.outputs, 1);
    assert_int_equal(c.info.layers, 1);
    assert_int_equal(c.info.worst_output, 0);
    assert_int_equal(c.info.entry_layer, 0);
    tq_comparison numbers[] = {output(&c, 0), layer(&c, 0)};
    for (int i = 0; i < 2; i++) {
        const tq_comparison *n = &numbers[i];
        assert_int_equal(n->sets, 2);
        assert_int_equal(n->elements, 8);
        assert_int_equal(n->differing, 4);
        assert_int_equal(n->broken, 0);
        assert_near(n->snr_db, 10 * log10((1 + 4 + 16 + 64 + 4 + 16 + 64) / (0.25 + 1 + 1 + 1)));
        assert_near(n->cosine, (1 + 5 + 16 + 56 + 4 + 20 + 56) /
                                   sqrt(169.0 * (1 + 6.25 + 16 + 49 + 4 + 25 + 49)));
        assert_near(n->mean_magnitude, 29.0 / 8);
        assert_near(n->mean_difference, 3.5 / 8);
        assert_near(n->mean_relative_difference, 3.5 / 29);
        assert_near(n->max_difference, 1);
        assert_int_equal(n->type, TQI_TYPE_FLOAT32);
        assert_int_equal(n->rank, 2);
        assert_int_equal(n->shape[1], 4);
        assert_string_equal(n->op_name, "FULLY_CONNECTED");
        assert_true(isnan(n->low) && isnan(n->high));
    }
    assert_int_equal(numbers[0].output, 0);
    assert_int_equal(numbers[1].output, TQ_NO_INDEX);
    assert_near(numbers[1].local_snr_db, numbers[0].snr_db);
    assert_near(numbers[1].output_snr_db, numbers[0].snr_db);
    done(&c);
}

static void numbers_that_are_none(void **state) {
    (void)state;
    static const float a[] = {1, 2, -4, 8}, b[] = {1, INFINITY, -4, 8}, nan_[] = {1, NAN, -4, 8};
    compared c = compare(diagonal(a), diagonal(b), NULL);
    tq_comparison y = output(&c, 0);
    assert_true(isinf(y.snr_db) && y.snr_db < 0);
    /* infinity times zero elsewhere */
    assert_true(y.broken > 0 && y.broken == y.differing && y.max_difference == 0);
    assert_int_equal(c.info.worst_output, 0);
    assert_int_equal(c.info.entry_layer, 0);
    done(&c);
    c = compare(diagonal(nan_), diagonal(nan_), NULL);
    y = output(&c, 0);
    assert_true(isinf(y.snr_db) && y.snr_db > 0 && y.differing == 0);
    done(&c);
}

static void integers_are_counted(void **state) {
    (void)state;
    static const int32_t axis[] = {1};
    float a[CELLS], b[CELLS];
    mb_model models[2];
    small_fill(a, CELLS, 5);
    small_fill(b, CELLS, 6);
    for (int i = 0; i < 2; i++) {
        models[i] = (mb_model){.n_buffers = 0};
        mb_fully_connected(&models[i], i ? b : a, WIDTH, WIDTH);
        mb_subgraph *s = &models[i].subgraphs[0];
        models[i].opcodes[models[i].n_opcodes].builtin = OP_ARG_MAX;
        int32_t constant =
            mb_add_tensor(s, (mb_tensor){.name = "axis",
                                         .type = TQI_TYPE_INT32,
                                         .shape = {1, {1}},
                                         .buffer = mb_add_buffer(&models[i], axis, sizeof axis)});
        int32_t best = mb_add_tensor(
            s, (mb_tensor){.name = "best", .type = TQI_TYPE_INT64, .shape = {1, {1}}});
        mb_add_op(s, (mb_op){.opcode = models[i].n_opcodes++,
                             .options_type = 40, /* ArgMaxOptions: INT64 */
                             .options = {TQI_TYPE_INT64},
                             .inputs = {2, {s->outputs.at[0], constant}},
                             .outputs = {1, {best}}});
        s->outputs = (mb_list){2, {best, s->outputs.at[0]}};
    }
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    options.n_sets = 20;
    compared c = compare(models[0], models[1], &options);
    tq_comparison best = output(&c, 0);
    assert_int_equal(best.type, TQI_TYPE_INT64);
    assert_int_equal(best.elements, 20);
    assert_true(best.differing > 10 && best.differing <= 20);
    assert_true(isnan(best.snr_db) && isnan(best.cosine) && best.max_difference >= 1);
    assert_int_equal(c.info.worst_output, 1); /* of floats */
    done(&c);
    c = compare(models[0], models[0], &options);
    best = output(&c, 0);
    assert_true(best.differing == 0 && isinf(best.snr_db));
    done(&c);
}

static void equal_models_are_equal(void **state) {
    (void)state;
    damage none = {.layer = -1, .names = true};
    compared c = compare(chain(none), chain(none), NULL);
    assert_int_equal(c.info.n_sets, 8);
    assert_int_equal(c.info.compared_outputs, 1);
    assert_int_equal(c.info.compared_layers, LAYERS);
    assert_int_equal(c.info.worst_output, 0);
    assert_int_equal(c.info.entry_layer, TQ_NO_INDEX);
    assert_int_equal(c.info.skipped + c.info.other_skipped, 0);
    assert_string_equal(c.info.refusal, "");
    tq_comparison y = output(&c, 0);
    assert_true(isinf(y.snr_db) && y.snr_db > 0);
    assert_true(y.differing == 0 && y.mean_difference == 0 && y.mean_magnitude > 0);
    assert_near(y.cosine, 1);
    assert_int_equal(y.elements, 8 * WIDTH);
    done(&c);
}

/* ---- where the error enters ---- */

static void the_damaged_layer_is_named(void **state) {
    (void)state;
    damage none = {.layer = -1, .names = true};
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    options.n_sets = 2; /* all of which layers are tried on */
    for (int i = 0; i < LAYERS; i++) {
        compared c = compare(chain(none),
                             chain((damage){.fine = 127, .layer = i, .coarse = 6, .names = i % 2}),
                             &options);
        assert_int_equal(c.info.compared_layers, LAYERS);
        assert_int_equal(c.info.entry_layer, i);
        double alone = layer(&c, (uint32_t)i).output_snr_db, all = output(&c, 0).snr_db;
        assert_true(alone < 30 && fabs(alone - all) < 1.5);
        for (uint32_t j = 0; j < LAYERS; j++) {
            tq_comparison l = layer(&c, j);
            assert_int_equal(l.op, j);
            assert_true(l.local_snr_db > (j == (uint32_t)i ? 10 : 35));
            assert_true(l.local_snr_db < (j == (uint32_t)i ? 30 : 60));
            if (j != (uint32_t)i)
                assert_true(l.output_snr_db > alone + 10);
            /* errors run through the layers behind, which have none of their own */
            assert_true((l.snr_db < 32) == (j >= (uint32_t)i));
        }
        done(&c);
    }
}

/* y = a layer that is a little off + 0.001 times one that is far off. */
static mb_model with_side(int main_steps, int side_steps) {
    static const float little[] = {1e-3f};
    mb_model model = {.n_opcodes = 3, .n_subgraphs = 1, .n_buffers = 1};
    mb_subgraph *s = &model.subgraphs[0];
    model.opcodes[0].builtin = OP_FULLY_CONNECTED;
    model.opcodes[1].builtin = OP_MUL;
    model.opcodes[2].builtin = OP_ADD;
    damage steps[] = {{.layer = -1, .fine = main_steps}, {.layer = -1, .fine = side_steps}};
    int32_t x = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = WIDE}), y[2];
    int32_t factor = mb_add_tensor(
        s, (mb_tensor){.name = "little", .buffer = mb_add_buffer(&model, little, sizeof little)});
    for (int i = 0; i < 2; i++) {
        uint32_t buffer = add_weights(&model, i, &steps[i]);
        int32_t w = mb_add_tensor(s, (mb_tensor){.name = "w", .buffer = buffer, .shape = SQUARE});
        y[i] = add_layer(s, i ? "side" : "main", true);
        mb_add_op(s, (mb_op){.options_type = OPTIONS_FULLY_CONNECTED,
                             .inputs = {2, {x, w}},
                             .outputs = {1, {y[i]}}});
    }
    int32_t weak = add_layer(s, "weak", true), sum = add_layer(s, "sum", true);
    mb_add_op(s, (mb_op){.opcode = 1, .inputs = {2, {y[1], factor}}, .outputs = {1, {weak}}});
    mb_add_op(s, (mb_op){.opcode = 2, .inputs = {2, {y[0], weak}}, .outputs = {1, {sum}}});
    s->inputs = (mb_list){1, {x}};
    s->outputs = (mb_list){1, {sum}};
    return model;
}

/* The one with most error of its own is not the one that matters. */
static void a_harmless_layer_is_not_named(void **state) {
    (void)state;
    compared c = compare(with_side(0, 0), with_side(100, 2), NULL);
    tq_comparison main_ = layer(&c, 0), side = layer(&c, 1), weak = layer(&c, 2);
    assert_string_equal(side.name, "side");
    assert_true(side.local_snr_db + 10 < main_.local_snr_db && side.snr_db < main_.snr_db);
    assert_true(side.output_snr_db > main_.output_snr_db + 10);
    assert_int_equal(c.info.entry_layer, 0);
    /* given the right inputs it has no error, so that there was nothing to try */
    assert_true(isinf(weak.local_snr_db) && isnan(weak.output_snr_db));
    done(&c);
}

/* Another output, of one number, from an operator of its own. */
static void add_score(mb_model *model, int steps) {
    static float rows[4][WIDTH];
    static int next;
    float *row = rows[next++ % 4];
    mb_subgraph *s = &model->subgraphs[0];
    small_fill(row, WIDTH, 9);
    for (int i = 0; i < WIDTH; i++)
        row[i] = rounded(row[i], steps);
    int32_t w = mb_add_tensor(s, (mb_tensor){.name = "w",
                                             .buffer = mb_add_buffer(model, row, sizeof rows[0]),
                                             .shape = {2, {1, WIDTH}}});
    int32_t score = mb_add_tensor(s, (mb_tensor){.name = "score", .shape = {2, {1, 1}}});
    mb_add_op(s, (mb_op){.options_type = OPTIONS_FULLY_CONNECTED,
                         .inputs = {2, {s->inputs.at[0], w}},
                         .outputs = {1, {score}}});
    s->outputs.at[s->outputs.count++] = score;
}

/* The other model may have its operators in another order: the reference has done all when its
 * first layer is come to. */
static void the_order_of_operators_does_not_matter(void **state) {
    (void)state;
    mb_model a = with_side(0, 0), b = with_side(100, 2);
    add_score(&a, 0);
    add_score(&b, 2);
    mb_model turned = b;
    for (int i = 0; i < 5; i++)
        turned.subgraphs[0].ops[i] = b.subgraphs[0].ops[(i + 4) % 5];
    compared c = compare(a, b, NULL), d = compare(a, turned, NULL);
    assert_int_equal(c.info.layers, 5);
    assert_int_equal(d.info.layers, 5);
    for (uint32_t i = 0; i < 5; i++) {
        tq_comparison x = layer(&c, i), y = layer(&d, i);
        assert_int_equal(y.other_op, (i + 1) % 5);
        assert_true(x.snr_db == y.snr_db && x.local_snr_db == y.local_snr_db);
        bool tried = i < 2 || i == 4; /* the others have no error of their own */
        assert_true(x.output_snr_db == y.output_snr_db || !tried);
        assert_true(isnan(x.output_snr_db) == !tried && isnan(y.output_snr_db) == !tried);
    }
    /* the score is further off, but one number says little */
    assert_true(output(&c, 1).snr_db < output(&c, 0).snr_db - 5);
    assert_int_equal(c.info.worst_output, 0);
    assert_int_equal(d.info.worst_output, 0);
    assert_int_equal(c.info.entry_layer, 0);
    assert_int_equal(d.info.entry_layer, 0);
    tq_comparison score = layer(&c, 4); /* it does nothing to the worst output */
    assert_true(isinf(score.output_snr_db) && score.output_snr_db > 0);
    done(&c);
    done(&d);
}

static void only_so_many_layers_are_tried(void **state) {
    (void)state;
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    options.n_trials = 2;
    compared c =
        compare(chain((damage){.layer = -1, .names = true}),
                chain((damage){.fine = 127, .layer = 4, .coarse = 6, .names = true}), &options);
    int tried = 0;
    for (uint32_t i = 0; i < LAYERS; i++)
        tried += !isnan(layer(&c, i).output_snr_db);
    assert_int_equal(tried, 2);
    assert_int_equal(c.info.entry_layer, 4);
    done(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_as_they_are_defined),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(integers_are_counted),
        cmocka_unit_test(equal_models_are_equal),
        cmocka_unit_test(the_damaged_layer_is_named),
        cmocka_unit_test(a_harmless_layer_is_not_named),
        cmocka_unit_test(the_order_of_operators_does_not_matter),
        cmocka_unit_test(only_so_many_layers_are_tried),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
