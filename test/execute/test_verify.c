/* SPDX-License-Identifier: Apache-2.0 */
/* Two models side by side: the numbers, which layer is blamed, what belongs together, what is
 * refused, and that every failure is survived. */
#include "small_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OP_MUL = 18, OP_ARG_MAX = 56, WIDTH = 32, CELLS = WIDTH * WIDTH, LAYERS = 6 };

/* ---- models ---- */

static const mb_list WIDE = {2, {1, WIDTH}};
static const mb_list SQUARE = {2, {WIDTH, WIDTH}};
static float weights[LAYERS][CELLS];

/* What is done to a chain's weights. */
typedef struct damage {
    int fine;  /* steps of all of them in [-1, 1]; 0: none */
    int layer; /* that gets `coarse` steps instead; -1: none */
    int coarse;
    bool names;    /* false: all tensors have the same */
    bool custom;   /* layer 3 is an operator that nobody knows */
    bool relu;     /* one more operator behind layer 1 */
    bool reversed; /* constants come before all else, and so in another order */
} damage;

static float rounded(float value, int steps) {
    return steps ? (float)(rint((double)value * steps) / steps) : value;
}

static uint32_t add_weights(mb_model *model, int layer, const damage *d) {
    static float made[2 * LAYERS][CELLS]; /* two models at a time */
    static int next;
    float *to = made[next++ % (2 * LAYERS)];
    int steps = layer == d->layer ? d->coarse : d->fine;
    small_fill(weights[layer], CELLS, (uint32_t)layer + 1);
    for (int i = 0; i < CELLS; i++)
        to[i] = 0.3f * rounded(weights[layer][i], steps);
    return mb_add_buffer(model, to, sizeof made[0]);
}

static int32_t add_layer(mb_subgraph *s, const char *name, bool named) {
    return mb_add_tensor(s, (mb_tensor){.name = named ? name : "y", .shape = WIDE});
}

/* FULLY_CONNECTED layers, one behind the other. */
static mb_model chain(damage d) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    mb_model model = {.n_opcodes = 3, .n_subgraphs = 1, .n_buffers = 1};
    mb_subgraph *s = &model.subgraphs[0];
    int32_t constants[LAYERS];
    model.opcodes[0].builtin = OP_FULLY_CONNECTED;
    model.opcodes[1].builtin = OP_RELU;
    model.opcodes[2] = (mb_opcode){OP_CUSTOM, 1, "Mystery", false};
    for (int i = 0; i < LAYERS && d.reversed; i++)
        constants[i] = mb_add_tensor(
            s, (mb_tensor){.name = "w", .buffer = add_weights(&model, i, &d), .shape = SQUARE});
    int32_t at = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = WIDE});
    s->inputs = (mb_list){1, {at}};
    for (int i = 0; i < LAYERS; i++) {
        if (!d.reversed)
            constants[i] = mb_add_tensor(
                s, (mb_tensor){.name = "w", .buffer = add_weights(&model, i, &d), .shape = SQUARE});
        int32_t y = add_layer(s, names[i], d.names);
        bool custom = d.custom && i == 3;
        mb_add_op(s, (mb_op){.opcode = custom ? 2 : 0,
                             .options_type = custom ? 0 : OPTIONS_FULLY_CONNECTED,
                             .inputs = {2, {at, constants[i]}},
                             .outputs = {1, {y}}});
        at = y;
        if (d.relu && i == 1) {
            at = add_layer(s, "relu", d.names);
            mb_add_op(s, (mb_op){.opcode = 1, .inputs = {1, {y}}, .outputs = {1, {at}}});
        }
    }
    s->outputs = (mb_list){1, {at}};
    return model;
}

/* ---- comparing ---- */

typedef struct compared {
    bytes files[2];
    tq_model *models[2];
    tq_verification *v;
    tq_verification_info info;
} compared;

static tq_status try_compare(compared *c, mb_model *a, mb_model *b, const tq_load_options *load,
                             const tq_verify_options *options, tq_error *error) {
    *c = (compared){.files = {mb_build(a), mb_build(b)}};
    for (int i = 0; i < 2; i++)
        TQI_TRY(tq_load_memory(c->files[i].data, c->files[i].size, load, &c->models[i], error));
    TQI_TRY(tq_verify(c->models[0], c->models[1], options, &c->v, error));
    c->info.struct_size = sizeof c->info;
    assert_int_equal(tq_get_verification_info(c->v, &c->info), TQ_OK);
    return TQ_OK;
}

static compared compare(mb_model a, mb_model b, const tq_verify_options *options) {
    tq_error error = TQ_ERROR_INIT;
    compared c;
    assert_ok(try_compare(&c, &a, &b, NULL, options, &error), &error);
    return c;
}

/* Models first, which results outlive. */
static void done(compared *c) {
    for (int i = 0; i < 2; i++)
        tq_model_free(c->models[i]);
    tq_verification_free(c->v);
    for (int i = 0; i < 2; i++)
        free_bytes(c->files[i]);
}

static tq_comparison layer(const compared *c, uint32_t index) {
    tq_comparison found = {.struct_size = sizeof found};
    assert_int_equal(tq_get_layer_comparison(c->v, index, &found), TQ_OK);
    return found;
}

static tq_comparison output(const compared *c, uint32_t index) {
    tq_comparison found = {.struct_size = sizeof found};
    assert_int_equal(tq_get_output_comparison(c->v, index, &found), TQ_OK);
    return found;
}

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

/* ---- what belongs together ---- */

static void layers_with_the_same_name_go_by_order(void **state) {
    (void)state;
    damage none = {.layer = -1}, coarse = {.layer = 2, .coarse = 6, .reversed = true};
    compared c = compare(chain(none), chain(coarse), NULL);
    assert_int_equal(c.info.compared_layers, LAYERS);
    assert_int_equal(c.info.entry_layer, 2);
    for (uint32_t i = 0; i < LAYERS; i++)
        assert_int_equal(layer(&c, i).other_op, i);
    done(&c);
    /* one more operator: which ones belong together is not to be known */
    coarse.relu = true;
    c = compare(chain(none), chain(coarse), NULL);
    assert_int_equal(c.info.layers, 0);
    assert_int_equal(c.info.unmatched, LAYERS);
    assert_int_equal(c.info.other_unmatched, LAYERS + 1);
    assert_int_equal(c.info.compared_outputs, 1);
    assert_int_equal(c.info.entry_layer, TQ_NO_INDEX);
    done(&c);
    /* by names it is */
    coarse.names = none.names = true;
    c = compare(chain(none), chain(coarse), NULL);
    assert_int_equal(c.info.layers, LAYERS);
    assert_int_equal(c.info.other_unmatched, 1);
    assert_int_equal(layer(&c, 1).other_op, 1);
    assert_int_equal(layer(&c, 2).other_op, 3);
    /* what RELU does is an error of the layer behind */
    assert_int_equal(c.info.entry_layer, 2);
    done(&c);
}

/* Between layers with names of their own the rest goes by order. */
static void names_are_anchors(void **state) {
    (void)state;
    damage plain = {.layer = -1, .names = true}, more = {.layer = -1, .names = true, .relu = true};
    mb_model a = chain(plain), b = chain(more);
    for (int i = 0; i < 2; i++) {
        mb_subgraph *s = i ? &b.subgraphs[0] : &a.subgraphs[0];
        for (uint32_t j = 0; j < s->n_tensors; j++)
            if (strchr("adf", s->tensors[j].name[0]) && s->tensors[j].name[1] == 0)
                s->tensors[j].name = i ? "" : "other"; /* "f" is last, "a" first */
    }
    compared c = compare(a, b, NULL);
    static const int32_t want[] = {0, 1, 3, 4, 5, 6};
    assert_int_equal(c.info.layers, LAYERS);
    for (uint32_t i = 0; i < LAYERS; i++)
        assert_int_equal(layer(&c, i).other_op, want[i]);
    assert_int_equal(c.info.unmatched, 0);
    assert_int_equal(c.info.other_unmatched, 1);
    done(&c);
}

/* Constants behind DEQUANTIZE are no layers. */
static void what_recipes_make_matches(void **state) {
    (void)state;
    for (size_t i = 0; i < UNIT_NONE; i++)
        for (int half = 0; half < 2; half++) {
            bytes source = half ? float16_model() : float32_model();
            bytes small = convert(source, unit_recipes[i]);
            tq_model *models[] = {load(source), load(small)};
            tq_error error = TQ_ERROR_INIT;
            compared c = {.info = {.struct_size = sizeof c.info}};
            assert_ok(tq_verify(models[0], models[1], NULL, &c.v, &error), &error);
            assert_int_equal(tq_get_verification_info(c.v, &c.info), TQ_OK);
            assert_true(c.info.layers > 0 && c.info.compared_layers == c.info.layers);
            assert_int_equal(c.info.unmatched + c.info.other_unmatched, 0);
            assert_true(output(&c, 0).snr_db > 25);
            tq_verification_free(c.v);
            for (int j = 0; j < 2; j++)
                tq_model_free(models[j]);
            free(small.data);
            free(source.data);
        }
}

/* ---- as far as it goes ---- */

static void what_can_be_compared_is_compared(void **state) {
    (void)state;
    damage none = {.layer = -1, .names = true, .custom = true};
    compared c = compare(
        chain(none),
        chain((damage){.fine = 127, .layer = 1, .coarse = 6, .names = true, .custom = true}), NULL);
    assert_int_equal(c.info.compared_layers, 3);
    assert_int_equal(c.info.layers, LAYERS);
    assert_int_equal(c.info.compared_outputs, 0);
    assert_int_equal(c.info.worst_output, TQ_NO_INDEX);
    assert_int_equal(c.info.skipped, 3);
    assert_int_equal(c.info.other_skipped, 3);
    assert_non_null(strstr(c.info.refusal, "Mystery"));
    assert_int_equal(c.info.entry_layer, 1);
    tq_comparison y = output(&c, 0), skipped = layer(&c, 4);
    assert_int_equal(y.sets, 0);
    assert_true(isnan(y.snr_db) && isnan(y.mean_difference) && isnan(y.cosine));
    assert_int_equal(skipped.sets, 0);
    assert_true(layer(&c, 1).snr_db < 30);
    done(&c);
}

/* ---- what is refused ---- */

static void refuse(mb_model a, mb_model b, const tq_verify_options *options, const char *says) {
    tq_error error = TQ_ERROR_INIT;
    compared c;
    tq_status status = try_compare(&c, &a, &b, NULL, options, &error);
    assert_failed(TQ_ERR_INVALID_ARGUMENT, status, &error);
    assert_null(c.v);
    if (!strstr(error.message, says))
        fail_msg("'%s' does not say '%s'", error.message, says);
    done(&c);
}

static void different_models_are_refused(void **state) {
    (void)state;
    damage none = {.layer = -1, .names = true};
    mb_model a = chain(none), b = chain(none);
    b.subgraphs[0].tensors[0].shape.at[1]++;
    refuse(a, b, NULL, "input 0 ('x')");
    b = a;
    b.subgraphs[0].tensors[0].type = TQI_TYPE_INT32;
    refuse(a, b, NULL, "input 0 ('x')");
    b = a;
    b.subgraphs[0].outputs.at[b.subgraphs[0].outputs.count++] = 2;
    refuse(a, b, NULL, "1 and 2 outputs");
    b = a;
    b.subgraphs[0].outputs.at[0] = 0; /* as wide: it can be compared */
    compared c = compare(a, b, NULL);
    assert_int_equal(output(&c, 0).other_op, TQ_NO_INDEX);
    done(&c);
    a.n_signatures = 1;
    a.signatures[0] = (mb_signature){.key = "first", .inputs = a.subgraphs[0].inputs};
    b = a;
    b.signatures[0].key = "second";
    refuse(a, b, NULL, "no signature 'first'");
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    options.signature = "third";
    refuse(a, a, &options, "no signature 'third'");
}

static void wrong_arrays_are_refused(void **state) {
    (void)state;
    damage none = {.layer = -1, .names = true};
    static float data[2 * WIDTH];
    static const int32_t shape[] = {1, WIDTH}, large[] = {2, WIDTH}, negative[] = {1, -WIDTH};
    const tq_array cases[] = {
        {NULL, WIDTH * 4, shape, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 4 - 1, shape, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 8, shape, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 8, large, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 4, negative, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 4, shape, 2, TQI_TYPE_INT32},
        {data, WIDTH * 4, NULL, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 4, shape, 9, TQI_TYPE_FLOAT32},
        {data, WIDTH * 4, shape, 2, 1000},
    };
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    options.n_sets = 1;
    for (size_t i = 0; i < COUNT(cases); i++) {
        options.inputs = &cases[i];
        refuse(chain(none), chain(none), &options, "input 0");
    }
    options.n_sets = 0;
    refuse(chain(none), chain(none), &options, "number of sets");
    options = (tq_verify_options)TQ_VERIFY_OPTIONS_INIT;
    options.low = options.high = 1;
    refuse(chain(none), chain(none), &options, "range");
    options.low = (double)NAN;
    refuse(chain(none), chain(none), &options, "range");
}

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    mb_model model = chain((damage){.layer = -1});
    bytes source = mb_build(&model);
    tq_error error = TQ_ERROR_INIT;
    tq_model *plain = load(source), *small = quantized(plain, NULL);
    tq_verification *v = NULL;
    const tq_status statuses[] = {
        tq_verify(NULL, plain, NULL, &v, &error),    tq_verify(plain, NULL, NULL, &v, &error),
        tq_verify(plain, plain, NULL, NULL, &error), tq_verify(plain, small, NULL, &v, &error),
        tq_verify(small, plain, NULL, &v, &error),   tq_get_verification_info(NULL, NULL),
        tq_get_output_comparison(NULL, 0, NULL),     tq_get_layer_comparison(NULL, 0, NULL),
    };
    for (size_t i = 0; i < COUNT(statuses); i++)
        assert_int_equal(statuses[i], TQ_ERR_INVALID_ARGUMENT);
    assert_null(v);
    tq_verification_free(NULL);
    assert_ok(tq_verify(plain, plain, NULL, &v, &error), &error);
    tq_comparison none = {.struct_size = sizeof none};
    assert_int_equal(tq_get_output_comparison(v, 1, &none), TQ_ERR_INVALID_ARGUMENT);
    assert_int_equal(tq_get_layer_comparison(v, LAYERS, &none), TQ_ERR_INVALID_ARGUMENT);
    tq_verification_free(v);
    tq_model_free(small);
    tq_model_free(plain);
    free_bytes(source);
}

/* ---- structs of any age ---- */

static void structs_of_any_age(void **state) {
    (void)state;
    enum { ROOM = 1024, TAIL = 16 };
    mb_model a = chain((damage){.layer = -1}), b = chain((damage){.layer = 1, .coarse = 6});
    compared c = compare(a, b, NULL);
    static const tq_verify_options plain = TQ_VERIFY_OPTIONS_INIT;
    tq_error error = TQ_ERROR_INIT;
    for (uint32_t size = 8; size <= sizeof plain + TAIL; size += 8) {
        uint8_t *block = calloc(size, 1);
        memcpy(block, &plain, size < sizeof plain ? size : sizeof plain);
        memcpy(block, &size, sizeof size);
        tq_verification *v = NULL;
        assert_ok(tq_verify(c.models[0], c.models[1], (void *)block, &v, &error), &error);
        tq_verification_free(v);
        block[size - 1] = size > sizeof plain;
        if (size > sizeof plain)
            assert_failed(TQ_ERR_INVALID_ARGUMENT,
                          tq_verify(c.models[0], c.models[1], (void *)block, &v, &error), &error);
        free(block);
    }
    for (int kind = 0; kind < 2; kind++) {
        uint32_t size = kind ? sizeof(tq_comparison) : sizeof(tq_verification_info);
        uint8_t full[ROOM] = {0}, info[ROOM];
        memcpy(full, &size, sizeof size);
        for (uint32_t given = size; given >= 4; given -= 4) {
            memset(info, 0x5a, sizeof info);
            memcpy(info, &given, sizeof given);
            tq_status status = kind ? tq_get_layer_comparison(c.v, 1, (void *)info)
                                    : tq_get_verification_info(c.v, (void *)info);
            assert_int_equal(status, TQ_OK);
            if (given == size)
                memcpy(full, info, size);
            assert_memory_equal(info + 4, full + 4, given - 4);
            for (uint32_t at = given; at < ROOM; at++)
                assert_int_equal(info[at], 0x5a);
        }
    }
    done(&c);
}

/* ---- memory, progress ---- */

static tq_status in_memory(watch *memory, uint64_t limit, double *snr, tq_error *error) {
    tq_allocator allocator = watched(memory);
    tq_load_options load_options = TQ_LOAD_OPTIONS_INIT;
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    load_options.allocator = &allocator;
    load_options.max_memory = limit;
    options.n_sets = 1;
    options.n_trials = 2;
    mb_model a = chain((damage){.layer = -1}), b = chain((damage){.layer = 1, .coarse = 6});
    compared c;
    tq_status status = try_compare(&c, &a, &b, &load_options, &options, error);
    if (status == TQ_OK)
        *snr = output(&c, 0).snr_db;
    done(&c);
    assert_true(memory->held == 0 && memory->wrong == 0);
    return status;
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    watch whole = {0};
    tq_error error = TQ_ERROR_INIT;
    double want = 0, got = 0;
    assert_ok(in_memory(&whole, 0, &want, &error), &error);
    for (uint64_t n = 1; n <= whole.calls; n += UNIT_SLOW ? 7 : 1) {
        watch memory = {.fail_at = n};
        error = (tq_error)TQ_ERROR_INIT;
        tq_status status = in_memory(&memory, 0, &got, &error);
        if (status == TQ_OK) /* constants were freed instead */
            assert_true(got == want);
        else
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
    }
}

static void the_limit_is_kept(void **state) {
    (void)state;
    watch whole = {0};
    tq_error error = TQ_ERROR_INIT;
    double want = 0, got = 0;
    assert_ok(in_memory(&whole, 0, &want, &error), &error);
    bool enough = false;
    for (uint64_t limit = 1; limit < whole.peak; limit += whole.peak / 60) {
        watch memory = {0};
        error = (tq_error)TQ_ERROR_INIT;
        tq_status status = in_memory(&memory, limit, &got, &error);
        /* the other model has a limit of its own */
        assert_true(memory.peak <= 2 * limit);
        if (status == TQ_OK)
            assert_true(got == want);
        else
            assert_failed(TQ_ERR_MEMORY_LIMIT, status, &error);
        enough |= status == TQ_OK;
    }
    assert_true(enough); /* with less than without a limit */
}

typedef struct steps {
    uint64_t calls, stop_at, last, total;
} steps;

static int32_t note(void *opaque, uint64_t done_, uint64_t total) {
    steps *s = opaque;
    assert_true(done_ >= s->last && done_ <= total);
    assert_true(s->total == 0 || s->total == total);
    s->last = done_;
    s->total = total;
    return ++s->calls == s->stop_at;
}

static void progress_is_told_and_may_cancel(void **state) {
    (void)state;
    steps s = {0};
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    options.progress = note;
    options.progress_opaque = &s;
    mb_model a = chain((damage){.layer = -1}), b = chain((damage){.layer = 1, .coarse = 6});
    compared c = compare(a, b, &options);
    assert_true(s.calls > 100 && s.last == s.total);
    done(&c);
    uint64_t calls = s.calls;
    for (uint64_t n = 1; n <= calls; n += calls / 20) {
        tq_error error = TQ_ERROR_INIT;
        s = (steps){.stop_at = n};
        assert_failed(TQ_ERR_CANCELLED, try_compare(&c, &a, &b, NULL, &options, &error), &error);
        assert_null(c.v);
        assert_int_equal(s.calls, n);
        done(&c);
    }
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
        cmocka_unit_test(layers_with_the_same_name_go_by_order),
        cmocka_unit_test(names_are_anchors),
        cmocka_unit_test(what_recipes_make_matches),
        cmocka_unit_test(what_can_be_compared_is_compared),
        cmocka_unit_test(different_models_are_refused),
        cmocka_unit_test(wrong_arrays_are_refused),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(structs_of_any_age),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(the_limit_is_kept),
        cmocka_unit_test(progress_is_told_and_may_cancel),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
