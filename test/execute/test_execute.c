/* SPDX-License-Identifier: Apache-2.0 */
/* The executor: what constants become, what stays in memory and how long, what is skipped, and that
 * every failure is survived. */
#include "small_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "execute/call.h"

/* ---- constants ---- */

/* x + constant, for constants stored in any way. */
static void check_constant(mb_model *model, const float *want, size_t n) {
    float zeros[64] = {0};
    tq_error error = TQ_ERROR_INIT;
    small_run run;
    small_load(&run, model, NULL, 0);
    assert_ok(small_open(&run, &error), &error);
    tqi_value x;
    assert_ok(tqi_exec_input(run.exec, 0, &x, &error), &error);
    x.data = zeros;
    assert_ok(tqi_exec_run(run.exec, &x, 1, NULL, NULL, &error), &error);
    const tqi_value *y = tqi_exec_output(run.exec, 0);
    assert_int_equal(y->elements, n);
    for (size_t i = 0; i < n; i++)
        assert_true(tqi_floats(y)[i] == want[i]);
    small_close(&run);
}

enum { ROWS = 4, COLUMNS = 6, CELLS = ROWS * COLUMNS };
static const mb_list SHAPE = {2, {ROWS, COLUMNS}};

/* x, `stored`, y, and what is between them. */
static mb_model adds(mb_tensor stored, const void *data, size_t size) {
    mb_model model = {.n_opcodes = 3, .n_subgraphs = 1, .n_buffers = 1};
    mb_subgraph *s = &model.subgraphs[0];
    model.opcodes[0].builtin = OP_ADD;
    model.opcodes[1].builtin = OP_DEQUANTIZE;
    model.opcodes[1].version = 3;
    model.opcodes[2].builtin = OP_DENSIFY;
    stored.name = "stored";
    stored.shape = SHAPE;
    stored.buffer = mb_add_buffer(&model, data, size);
    mb_add_tensor(s, (mb_tensor){.name = "x", .shape = SHAPE});
    mb_add_tensor(s, stored);
    mb_add_tensor(s, (mb_tensor){.name = "y", .shape = SHAPE});
    s->inputs = (mb_list){1, {0}};
    s->outputs = (mb_list){1, {2}};
    return model;
}

/* Reads tensor 1 through operators of these opcodes, then adds it. */
static void add_operators(mb_model *model, uint32_t count, const uint32_t *opcodes,
                          const int32_t *types) {
    mb_subgraph *s = &model->subgraphs[0];
    int32_t at = 1;
    for (uint32_t i = 0; i < count; i++) {
        int32_t to = mb_add_tensor(s, (mb_tensor){.name = "t", .shape = SHAPE, .type = types[i]});
        mb_add_op(s, (mb_op){.opcode = opcodes[i], .inputs = {1, {at}}, .outputs = {1, {to}}});
        at = to;
    }
    mb_add_op(s, (mb_op){.opcode = 0, .inputs = {2, {0, at}}, .outputs = {1, {2}}});
}

static void floats_of_any_kind(void **state) {
    (void)state;
    float want[CELLS];
    uint16_t half[CELLS], brain[CELLS];
    double twice[CELLS];
    for (int i = 0; i < CELLS; i++) {
        want[i] = (float)(i - 7) / 4.0f;
        uint32_t bits;
        memcpy(&bits, &want[i], sizeof bits);
        brain[i] = (uint16_t)(bits >> 16);
        twice[i] = (double)want[i];
    }
    tqi_kernels kernels;
    tqi_kernels_init(&kernels, 0);
    kernels.f32_to_f16(want, half, CELLS, NULL);
    mb_model model = adds((mb_tensor){.type = TQI_TYPE_FLOAT32}, want, sizeof want);
    add_operators(&model, 0, NULL, NULL);
    check_constant(&model, want, CELLS);
    static const uint32_t dequantize[] = {1};
    static const int32_t to_float[] = {TQI_TYPE_FLOAT32};
    model = adds((mb_tensor){.type = TQI_TYPE_FLOAT16}, half, sizeof half);
    add_operators(&model, 1, dequantize, to_float);
    check_constant(&model, want, CELLS);
    model = adds((mb_tensor){.type = TQI_TYPE_BFLOAT16}, brain, sizeof brain);
    add_operators(&model, 1, dequantize, to_float);
    check_constant(&model, want, CELLS);
    model = adds((mb_tensor){.type = TQI_TYPE_FLOAT64}, twice, sizeof twice);
    add_operators(&model, 0, NULL, NULL);
    check_constant(&model, want, CELLS);
}

static void quantized_numbers(void **state) {
    (void)state;
    static const float scales[] = {0.5f, 0.25f, 2.0f, 1.0f};
    int8_t octets[CELLS];
    uint8_t nibbles[CELLS / 2], pairs[CELLS / 4];
    float rows[CELLS], whole[CELLS], four[CELLS], two[CELLS];
    for (int i = 0; i < CELLS; i++) {
        int value = i * 11 - 127, small = i % 16 - 8, tiny = i % 4 - 2;
        octets[i] = (int8_t)value;
        rows[i] = (float)value * scales[i / COLUMNS];
        whole[i] = (float)value * 0.5f;
        four[i] = (float)small * scales[i / COLUMNS];
        two[i] = (float)tiny * scales[i / COLUMNS];
        nibbles[i / 2] = (uint8_t)(i % 2 ? nibbles[i / 2] | (small & 15) << 4 : small & 15);
        pairs[i / 4] = (uint8_t)((i % 4 ? pairs[i / 4] : 0) | (tiny & 3) << i % 4 * 2);
    }
    mb_tensor stored = {.type = TQI_TYPE_INT8, .n_scales = 4, .scales = scales};
    mb_model model = adds(stored, octets, sizeof octets);
    add_operators(&model, 0, NULL, NULL);
    check_constant(&model, rows, CELLS);
    static const uint32_t dequantize[] = {1};
    static const int32_t to_float[] = {TQI_TYPE_FLOAT32};
    stored.n_scales = 1;
    model = adds(stored, octets, sizeof octets);
    add_operators(&model, 1, dequantize, to_float);
    check_constant(&model, whole, CELLS);
    stored = (mb_tensor){.type = TQI_TYPE_INT4, .n_scales = 4, .scales = scales};
    model = adds(stored, nibbles, sizeof nibbles);
    add_operators(&model, 0, NULL, NULL);
    check_constant(&model, four, CELLS);
    stored.type = TQI_TYPE_INT2;
    model = adds(stored, pairs, sizeof pairs);
    add_operators(&model, 0, NULL, NULL);
    check_constant(&model, two, CELLS);
}

static void sparse_numbers(void **state) {
    (void)state;
    static const uint8_t segments[] = {0, 2, 2, 3, 4}, indices[] = {1, 5, 0, 3};
    static const float values[] = {1, 2, 3, 4};
    float want[CELLS] = {0};
    want[1] = 1;
    want[5] = 2;
    want[2 * COLUMNS] = 3;
    want[3 * COLUMNS + 3] = 4;
    mb_sparsity sparsity = {.n_levels = 2, .order = {0, 1}};
    sparsity.levels[0] = (mb_level){.dense = ROWS};
    sparsity.levels[1] = (mb_level){0, 1, sizeof segments, sizeof indices, segments, indices};
    uint16_t half[4];
    tqi_kernels kernels;
    tqi_kernels_init(&kernels, 0);
    kernels.f32_to_f16(values, half, 4, NULL);
    static const uint32_t unpack[] = {2, 1};
    static const int32_t types[] = {TQI_TYPE_FLOAT32},
                         halves[] = {TQI_TYPE_FLOAT16, TQI_TYPE_FLOAT32};
    mb_tensor stored = {.sparsity = &sparsity};
    mb_model model = adds(stored, values, sizeof values);
    add_operators(&model, 1, unpack, types);
    check_constant(&model, want, CELLS);
    stored.type = TQI_TYPE_FLOAT16;
    model = adds(stored, half, sizeof half);
    add_operators(&model, 2, unpack, halves);
    check_constant(&model, want, CELLS);
}

/* ---- a model of several layers ---- */

enum { WIDTH = 64, LAYERS = 5 };
static float weights[LAYERS][WIDTH * WIDTH], line[WIDTH];

/* FULLY_CONNECTED layers one behind the other; the first output is added to the last. */
static mb_model layers(void) {
    mb_model model = {.n_opcodes = 3, .n_subgraphs = 1, .n_buffers = 1};
    mb_subgraph *s = &model.subgraphs[0];
    const mb_list wide = {2, {1, WIDTH}};
    model.opcodes[0].builtin = OP_FULLY_CONNECTED;
    model.opcodes[1].builtin = OP_ADD;
    model.opcodes[2] = (mb_opcode){OP_CUSTOM, 1, "Mystery", false};
    int32_t at = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = wide}), first = -1;
    for (int i = 0; i < LAYERS; i++) {
        small_fill(weights[i], WIDTH * WIDTH, (uint32_t)i);
        int32_t w = mb_add_tensor(
            s, (mb_tensor){.name = "w",
                           .buffer = mb_add_buffer(&model, weights[i], sizeof weights[i]),
                           .shape = {2, {WIDTH, WIDTH}}});
        int32_t y = mb_add_tensor(s, (mb_tensor){.name = "y", .shape = wide});
        mb_add_op(s, (mb_op){.options_type = OPTIONS_FULLY_CONNECTED,
                             .inputs = {2, {at, w}},
                             .outputs = {1, {y}}});
        first = i == 0 ? y : first;
        at = y;
    }
    int32_t sum = mb_add_tensor(s, (mb_tensor){.name = "sum", .shape = wide});
    mb_add_op(s, (mb_op){.opcode = 1, .inputs = {2, {at, first}}, .outputs = {1, {sum}}});
    s->inputs = (mb_list){1, {0}};
    s->outputs = (mb_list){1, {sum}};
    small_fill(line, WIDTH, 99);
    return model;
}

static tqi_value given(void) {
    return small_value((mb_list){2, {1, WIDTH}}, line);
}

/* Opens, runs `times`, and copies the output. */
static tq_status try_run(small_run *run, unsigned times, float *out, tq_error *error) {
    tqi_value x = given();
    TQI_TRY(small_open(run, error));
    for (unsigned i = 0; i < times; i++) {
        TQI_TRY(tqi_exec_run(run->exec, &x, 1, NULL, NULL, error));
        const tqi_value *y = tqi_exec_output(run->exec, 0);
        assert_int_equal(y->elements, WIDTH);
        assert_true(i == 0 || memcmp(out, y->data, WIDTH * sizeof *out) == 0);
        memcpy(out, y->data, WIDTH * sizeof *out);
    }
    return TQ_OK;
}

/* Most bytes that two runs held, with so much room for constants. */
static uint64_t peak_of(mb_model *model, uint64_t keep, float *out, uint64_t *calls) {
    watch memory = {0};
    tq_allocator allocator = watched(&memory);
    tq_error error = TQ_ERROR_INIT;
    small_run run;
    small_load(&run, model, &allocator, 0);
    run.options.keep = keep;
    assert_ok(try_run(&run, 2, out, &error), &error);
    small_close(&run);
    assert_true(memory.held == 0 && memory.wrong == 0);
    if (calls)
        *calls = memory.calls;
    return memory.peak;
}

enum { LAYER_BYTES = WIDTH * WIDTH * sizeof(float) };

static void what_is_dead_is_freed(void **state) {
    (void)state;
    mb_model model = layers();
    float first[WIDTH], second[WIDTH];
    uint64_t calls, calls_kept;
    uint64_t least = peak_of(&model, 0, first, &calls);
    uint64_t most = peak_of(&model, UINT64_MAX, second, &calls_kept);
    assert_memory_equal(first, second, sizeof first);
    /* weights of one layer, packed, and what reads them: never of two */
    assert_true(least < 3 * LAYER_BYTES + 48 * 1024);
    assert_true(most >= least + (LAYERS - 1) * LAYER_BYTES);
    assert_true(calls_kept + LAYERS <= calls); /* not loaded twice */
    uint64_t some = peak_of(&model, 2 * LAYER_BYTES, second, NULL);
    assert_true(some >= least + LAYER_BYTES && some < most);
}

static void the_limit_is_kept(void **state) {
    (void)state;
    mb_model model = layers();
    float first[WIDTH], second[WIDTH];
    uint64_t least = peak_of(&model, 0, first, NULL);
    for (uint64_t limit = 1; limit < least; limit += least / 50) {
        watch memory = {0};
        tq_allocator allocator = watched(&memory);
        tq_error error = TQ_ERROR_INIT;
        small_run run;
        small_load(&run, &model, &allocator, limit);
        assert_failed(TQ_ERR_MEMORY_LIMIT, try_run(&run, 2, second, &error), &error);
        assert_true(memory.peak <= limit);
        small_close(&run);
        assert_true(memory.held == 0);
    }
    /* constants that were kept give way */
    tq_error error = TQ_ERROR_INIT;
    small_run run;
    small_load(&run, &model, NULL, least + LAYER_BYTES);
    run.options.keep = UINT64_MAX;
    assert_ok(try_run(&run, 3, second, &error), &error);
    assert_memory_equal(first, second, sizeof first);
    small_close(&run);
}

/* One that fails alone is made up for where constants could be freed. */
static void each_allocation_may_fail(void **state) {
    (void)state;
    mb_model model = layers();
    float want[WIDTH], got[WIDTH];
    (void)peak_of(&model, 0, want, NULL);
    for (uint64_t keep = 0; keep < 2; keep++)
        for (uint64_t n = 1;; n++) {
            watch memory = {.fail_at = n};
            tq_allocator allocator = watched(&memory);
            tq_error error = TQ_ERROR_INIT;
            small_run run;
            small_load(&run, &model, &allocator, 0);
            run.options.keep = keep ? UINT64_MAX : 0;
            tq_status status = try_run(&run, 2, got, &error);
            if (status == TQ_OK)
                assert_memory_equal(got, want, sizeof want);
            else
                assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
            bool all = memory.calls < n;
            /* a failed run leaves an executor that runs */
            tqi_value x = given();
            memory.fail_at = 0;
            if (run.exec) {
                error = (tq_error)TQ_ERROR_INIT;
                assert_ok(tqi_exec_run(run.exec, &x, 1, NULL, NULL, &error), &error);
                assert_memory_equal(tqi_exec_output(run.exec, 0)->data, want, sizeof want);
            }
            small_close(&run);
            assert_true(memory.held == 0 && memory.wrong == 0);
            if (all)
                break;
        }
}

/* ---- observers, progress ---- */

typedef struct notes {
    uint32_t seen[16], count, stop_at;
    double sums[16];
} notes;

static tq_status note(void *opaque, const tqi_seen *seen, tq_error *error) {
    notes *n = opaque;
    assert_int_equal(seen->n_outputs, 1);
    assert_non_null(seen->outputs[0].data);
    n->sums[n->count] = 0;
    for (uint32_t i = 0; i < seen->n_inputs; i++) {
        assert_non_null(seen->inputs[i]->data);
        n->sums[n->count] += (double)tqi_floats(seen->inputs[i])[0];
    }
    n->seen[n->count++] = seen->op;
    if (n->count == n->stop_at)
        return tqi_fail(error, TQ_ERR_INTERNAL, "enough");
    return TQ_OK;
}

static void all_operators_are_seen(void **state) {
    (void)state;
    mb_model model = layers();
    tq_error error = TQ_ERROR_INIT;
    tqi_value x = given();
    small_run run;
    small_load(&run, &model, NULL, 0);
    assert_ok(small_open(&run, &error), &error);
    notes n = {.stop_at = 3};
    assert_failed(TQ_ERR_INTERNAL, tqi_exec_run(run.exec, &x, 1, note, &n, &error), &error);
    assert_int_equal(n.count, 3);
    assert_int_equal(tqi_exec_states(run.exec)[2], TQI_OP_RAN);
    assert_int_equal(tqi_exec_states(run.exec)[3], TQI_OP_NOT_YET);
    assert_null(tqi_exec_output(run.exec, 0)->data);
    n = (notes){0};
    assert_ok(tqi_exec_run(run.exec, &x, 1, note, &n, &error), &error);
    assert_int_equal(n.count, LAYERS + 1);
    for (uint32_t i = 0; i < n.count; i++)
        assert_int_equal(n.seen[i], i);
    assert_true(n.sums[0] == (double)line[0] + (double)weights[0][0]);
    small_close(&run);
}

static int32_t cancel(void *opaque, uint64_t done, uint64_t total) {
    uint64_t *calls = opaque;
    assert_int_equal(total, LAYERS + 1);
    assert_int_equal(done, *calls);
    return ++*calls == 3;
}

static void a_run_can_be_cancelled(void **state) {
    (void)state;
    mb_model model = layers();
    tq_error error = TQ_ERROR_INIT;
    uint64_t calls = 0;
    tqi_value x = given();
    small_run run;
    small_load(&run, &model, NULL, 0);
    run.options.progress = cancel;
    run.options.progress_opaque = &calls;
    assert_ok(small_open(&run, &error), &error);
    assert_failed(TQ_ERR_CANCELLED, tqi_exec_run(run.exec, &x, 1, NULL, NULL, &error), &error);
    assert_int_equal(calls, 3);
    small_close(&run);
}

static void wrong_inputs_are_refused(void **state) {
    (void)state;
    mb_model model = layers();
    tq_error error = TQ_ERROR_INIT;
    small_run run;
    small_load(&run, &model, NULL, 0);
    assert_ok(small_open(&run, &error), &error);
    tqi_value x = given();
    x.shape[0] = 2;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tqi_exec_run(run.exec, &x, 1, NULL, NULL, &error),
                  &error);
    x = given();
    x.type = TQI_TYPE_INT32;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tqi_exec_run(run.exec, &x, 1, NULL, NULL, &error),
                  &error);
    x = given();
    x.data = NULL;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tqi_exec_run(run.exec, &x, 1, NULL, NULL, &error),
                  &error);
    x = given();
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tqi_exec_run(run.exec, &x, 0, NULL, NULL, &error),
                  &error);
    tqi_exec *none = NULL;
    assert_failed(TQ_ERR_INVALID_ARGUMENT,
                  tqi_exec_create(&none, &run.graph, 1, &run.options, &error), &error);
    assert_null(none);
    small_close(&run);
}

/* ---- as far as it goes ---- */

static void what_can_be_run_is_run(void **state) {
    (void)state;
    mb_model model = layers();
    tq_error error = TQ_ERROR_INIT;
    tqi_value x = given();
    model.subgraphs[0].ops[2].opcode = 2;
    model.subgraphs[0].ops[2].options_type = 0;
    model.subgraphs[0].outputs = (mb_list){2, {(int32_t)model.subgraphs[0].n_tensors - 1, 4}};
    small_run run;
    small_load(&run, &model, NULL, 0);
    assert_ok(small_open(&run, &error), &error);
    assert_failed(TQ_ERR_UNSUPPORTED, tqi_exec_run(run.exec, &x, 1, NULL, NULL, &error), &error);
    assert_non_null(strstr(error.message, "Mystery"));
    assert_int_equal(error.op, 2);
    small_close(&run);
    small_load(&run, &model, NULL, 0);
    run.options.as_far_as_possible = true;
    assert_ok(small_open(&run, &error), &error);
    static const uint8_t want[] = {TQI_OP_RAN,     TQI_OP_RAN,     TQI_OP_REFUSED,
                                   TQI_OP_STARVED, TQI_OP_STARVED, TQI_OP_STARVED};
    for (int i = 0; i < 2; i++) {
        assert_ok(tqi_exec_run(run.exec, &x, 1, NULL, NULL, &error), &error);
        assert_memory_equal(tqi_exec_states(run.exec), want, sizeof want);
        assert_null(tqi_exec_output(run.exec, 0)->data);
        assert_non_null(tqi_exec_output(run.exec, 1)->data);
        assert_int_equal(tqi_exec_refusal(run.exec)->op, 2);
    }
    x.data = NULL; /* not even the input */
    assert_ok(tqi_exec_run(run.exec, &x, 1, NULL, NULL, &error), &error);
    assert_int_equal(tqi_exec_states(run.exec)[0], TQI_OP_STARVED);
    assert_null(tqi_exec_output(run.exec, 1)->data);
    small_close(&run);
}

/* Operators that overwrite what they read, or that the file names in no good order. */
static void odd_graphs_do_no_harm(void **state) {
    (void)state;
    tq_error error = TQ_ERROR_INIT;
    tqi_value x = given();
    for (int i = 0; i < 4; i++) {
        mb_model model = layers();
        mb_subgraph *s = &model.subgraphs[0];
        if (i == 0) /* its own input */
            s->ops[1].outputs.at[0] = s->ops[1].inputs.at[0];
        if (i == 1) /* the graph's input */
            s->ops[1].outputs.at[0] = 0;
        if (i == 2) /* a constant */
            s->ops[1].outputs.at[0] = s->ops[3].inputs.at[1];
        if (i == 3) /* twice the same */
            s->ops[1].outputs = (mb_list){2, {s->ops[1].outputs.at[0], s->ops[1].outputs.at[0]}};
        small_run run;
        small_load(&run, &model, NULL, 0);
        run.options.as_far_as_possible = true;
        run.options.keep = UINT64_MAX;
        assert_ok(small_open(&run, &error), &error);
        for (int j = 0; j < 2; j++)
            assert_ok(tqi_exec_run(run.exec, &x, 1, NULL, NULL, &error), &error);
        small_close(&run);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_of_any_kind),       cmocka_unit_test(quantized_numbers),
        cmocka_unit_test(sparse_numbers),           cmocka_unit_test(what_is_dead_is_freed),
        cmocka_unit_test(the_limit_is_kept),        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(all_operators_are_seen),   cmocka_unit_test(a_run_can_be_cancelled),
        cmocka_unit_test(wrong_inputs_are_refused), cmocka_unit_test(what_can_be_run_is_run),
        cmocka_unit_test(odd_graphs_do_no_harm),
    };
    return cmocka_run_group_tests_name("execute", tests, NULL, NULL);
}
