/* SPDX-License-Identifier: Apache-2.0 */
/* What lies behind the flatbuffer: associated files, byte code, buffers and options by place; and
 * that a plain copy leaves everything as it is. */
#include "graph_reader.h"
#include "model_builder.h"
#include "sample_models.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 64, COLUMNS = 64, WEIGHTS = ROWS * COLUMNS };
static float weights[WEIGHTS];
static const char zip[] = "PK\3\4 some files PK\1\2 their directory PK\5\6 the end";
static const char code[] = "byte code: bytes that mean something to a chip";

static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < WEIGHTS; i++)
        weights[i] = (float)(i * 37 % 101 - 50) / 64;
    return 0;
}

static uint64_t trailing_bytes(bytes file) {
    tq_model *model = load(file);
    tq_model_info info = {.struct_size = sizeof info};
    assert_int_equal(tq_get_model_info(model, &info), TQ_OK);
    tq_model_free(model);
    return info.trailing_bytes;
}

static void a_zip_stays_last(void **state) {
    (void)state;
    mb_model m;
    mb_fully_connected(&m, weights, ROWS, COLUMNS);
    m.tail = zip;
    m.tail_size = sizeof zip;
    bytes source = mb_build(&m);
    assert_int_equal(trailing_bytes(source), sizeof zip);
    for (size_t r = 0; r < UNIT_RECIPES; r++) {
        bytes output = convert(source, unit_recipes[r]);
        assert_memory_equal(output.data + output.size - sizeof zip, zip, sizeof zip);
        assert_true(trailing_bytes(output) >= sizeof zip);
        assert_true(r == UNIT_NONE || output.size < source.size - sizeof weights / 3);
        free(output.data);
    }
    free(source.data);
}

/* ---- byte code ---- */

static void with_dispatch(mb_model *m, uint8_t options[96]) {
    mb_fully_connected(m, weights, ROWS, COLUMNS);
    mb_subgraph *s = &m->subgraphs[0];
    m->n_opcodes = 2;
    m->opcodes[1] = (mb_opcode){.builtin = TQI_OP_CUSTOM, .custom = "DISPATCH_OP"};
    mb_add_tensor(s, (mb_tensor){.name = "z", .shape = {2, {1, ROWS}}});
    mb_add_op(s, (mb_op){.opcode = 1,
                         .inputs = {1, {2}},
                         .outputs = {1, {3}},
                         .custom = options,
                         .custom_size = mb_dispatch_options(options, 0, 0)});
    m->tail = code;
    m->tail_size = sizeof code;
    m->tail_align = 64;
    free_bytes(mb_build(m));
    mb_dispatch_options(options, m->tail_at, sizeof code);
}

/* Where the options of the DISPATCH_OP say that the byte code is. */
static uint64_t place_of_code(const reader *r) {
    const tqi_subgraph *s = &r->graph.subgraphs[0];
    for (uint32_t i = 0; i < s->n_operators; i++) {
        if (reader_builtin(r, 0, i) != TQI_OP_CUSTOM)
            continue;
        tqi_vector options =
            tqi_get_vector(&r->graph.view, s->operators[i].source, TQI_OPERATOR_CUSTOM_OPTIONS);
        const uint8_t *at = r->graph.view.data + options.at;
        uint8_t same[96];
        uint64_t place, size;
        uint32_t all = mb_dispatch_options(same, 0, 0);
        assert_int_equal(options.count, all);
        /* the values are 8 bytes each, before the third value, three types and the root */
        memcpy(&place, at + all - 6 - 24, sizeof place);
        memcpy(&size, at + all - 6 - 16, sizeof size);
        assert_int_equal(size, sizeof code);
        mb_dispatch_options(same, place, size);
        assert_memory_equal(at, same, all);
        return place;
    }
    fail_msg("no DISPATCH_OP");
    return 0;
}

static void byte_code_is_followed(void **state) {
    (void)state;
    uint8_t options[96];
    mb_model m;
    with_dispatch(&m, options);
    bytes source = mb_build(&m);
    for (size_t r = 0; r < UNIT_RECIPES; r++) {
        bytes output = convert(source, unit_recipes[r]);
        reader read;
        reader_open(&read, output);
        uint64_t place = place_of_code(&read);
        assert_true(place + sizeof code <= output.size);
        assert_memory_equal(output.data + place, code, sizeof code);
        assert_int_equal(place % 64, m.tail_at % 64);
        assert_true(r == UNIT_NONE || place < m.tail_at);
        assert_true(r == UNIT_NONE || output.size + 3000 < source.size); /* it keeps its page */
        reader_close(&read);
        free(output.data);
    }
    free(source.data);
}

/* Who knows what this operator refers to. */
static void unknown_operators_hold_things_in_place(void **state) {
    (void)state;
    uint8_t options[96];
    mb_model m;
    with_dispatch(&m, options);
    m.opcodes[1].custom = "Mine";
    bytes source = mb_build(&m);
    for (size_t r = 0; r < UNIT_RECIPES; r++) {
        tq_error error = TQ_ERROR_INIT;
        tq_recipe *recipe = NULL;
        tq_model *model = load(source), *result = NULL;
        assert_ok(tq_recipe_create(unit_recipes[r], &recipe, &error), &error);
        tq_status status = tq_quantize(model, recipe, NULL, &result, &error);
        if (status == TQ_OK) {
            bytes output = saved(result);
            assert_true(output.size >= m.tail_at + sizeof code);
            assert_memory_equal(output.data + m.tail_at, code, sizeof code);
            free(output.data);
        } else {
            assert_failed(TQ_ERR_UNSUPPORTED, status, &error);
            assert_true(error.offset <= m.tail_at && error.offset + 64 > m.tail_at);
        }
        tq_model_free(result);
        tq_recipe_free(recipe);
        tq_model_free(model);
    }
    /* a ZIP is found from the end: it may move all the same */
    m.tail = zip;
    m.tail_size = sizeof zip;
    free(source.data);
    source = mb_build(&m);
    bytes output = convert(source, "dynamic_wi8_afp32");
    assert_memory_equal(output.data + output.size - sizeof zip, zip, sizeof zip);
    free(output.data);
    free(source.data);
}

/* Weights that lay anywhere are aligned: the copy is larger, and has no room before the tail. */
static void no_room_before_the_tail(void **state) {
    (void)state;
    mb_model m = {.n_opcodes = 1, .n_subgraphs = 1, .packed = true};
    mb_subgraph *s = &m.subgraphs[0];
    m.opcodes[0] = (mb_opcode){.builtin = TQI_OP_CUSTOM, .custom = "Mine"};
    for (int32_t i = 0; i < 12; i++) {
        uint32_t buffer = mb_add_buffer(&m, weights + i, 36);
        mb_add_tensor(s, (mb_tensor){.buffer = buffer, .shape = {1, {9}}});
    }
    mb_add_op(s, (mb_op){.inputs = {1, {0}}, .outputs = {1, {1}}});
    m.tail = code;
    m.tail_size = sizeof code;
    bytes source = mb_build(&m);
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = load(source);
    assert_failed(TQ_ERR_UNSUPPORTED, tq_save_sink(model, NULL, NULL, &error), &error);
    tq_model_free(model);
    free(source.data);
    /* byte code of a DISPATCH_OP moves */
    uint8_t options[96];
    m.opcodes[0].custom = "DISPATCH_OP";
    s->ops[0].custom = options;
    s->ops[0].custom_size = mb_dispatch_options(options, 0, 0);
    free_bytes(mb_build(&m));
    mb_dispatch_options(options, m.tail_at, sizeof code);
    source = mb_build(&m);
    bytes output = convert(source, "none");
    reader read;
    reader_open(&read, output);
    uint64_t place = place_of_code(&read);
    assert_true(place > m.tail_at && place + sizeof code <= output.size);
    assert_memory_equal(output.data + place, code, sizeof code);
    reader_close(&read);
    free(output.data);
    free(source.data);
}

/* ---- buffers and options by offset and size ---- */

static void outside_the_flatbuffer(void **state) {
    (void)state;
    static const char options[] = "large custom options";
    mb_model m;
    mb_fully_connected(&m, weights, ROWS, COLUMNS);
    mb_subgraph *s = &m.subgraphs[0];
    static float addend[ROWS] = {1, 2, 3};
    m.n_opcodes = 3;
    m.opcodes[1] = (mb_opcode){.builtin = TQI_OP_CUSTOM, .custom = "Mine"};
    m.opcodes[2] = (mb_opcode){.builtin = TQI_OP_ADD};
    uint32_t buffer = mb_add_buffer(&m, addend, sizeof addend);
    m.buffers[1].outside = m.buffers[buffer].outside = true;
    mb_add_tensor(s, (mb_tensor){.name = "addend", .buffer = buffer, .shape = {2, {1, ROWS}}});
    mb_add_tensor(s, (mb_tensor){.name = "sum", .shape = {2, {1, ROWS}}});
    mb_add_tensor(s, (mb_tensor){.name = "z", .shape = {2, {1, ROWS}}});
    mb_add_op(s,
              (mb_op){.opcode = 2, .inputs = {2, {2, 3}}, .outputs = {1, {4}}, .options_type = 11});
    mb_add_op(s, (mb_op){.opcode = 1,
                         .inputs = {1, {4}},
                         .outputs = {1, {5}},
                         .custom = options,
                         .custom_size = sizeof options,
                         .custom_outside = true});
    bytes source = mb_build(&m);
    assert_int_equal(trailing_bytes(source), 0);
    for (size_t r = 0; r < UNIT_RECIPES; r++) {
        bytes output = convert(source, unit_recipes[r]);
        reader read;
        reader_open(&read, output);
        const tqi_tensor *kept = reader_tensor(&read, 0, "addend");
        const tqi_tensor *weight = reader_tensor(&read, 0, "weight");
        assert_true(
            same_bytes(reader_data(&read, kept), (bytes){(uint8_t *)addend, sizeof addend}));
        static const size_t sizes[] = {WEIGHTS, WEIGHTS, 2 * WEIGHTS, 4 * WEIGHTS};
        assert_int_equal(reader_data(&read, weight).size, sizes[r]);
        const tqi_subgraph *g = &read.graph.subgraphs[0];
        uint32_t op = g->operators[g->n_operators - 1].source;
        uint64_t at =
            tqi_get_u64(&read.graph.view, op, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_OFFSET, 0);
        assert_int_equal(
            tqi_get_u64(&read.graph.view, op, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_SIZE, 0),
            sizeof options);
        assert_memory_equal(output.data + at, options, sizeof options);
        assert_int_equal(read.graph.buffers[weight->buffer].was_outside, r == UNIT_NONE);
        reader_close(&read);
        free(output.data);
    }
    free(source.data);
}

/* ---- a plain copy ---- */

static bytes field(const reader *r, uint32_t table, uint32_t id) {
    tqi_vector v = tqi_get_vector(&r->graph.view, table, id);
    return (bytes){(uint8_t *)(uintptr_t)r->graph.view.data + v.at, v.count};
}

static void same_tensors(const reader *a, const reader *b, const tqi_subgraph *s,
                         const tqi_subgraph *t) {
    assert_int_equal(s->n_tensors, t->n_tensors);
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        const tqi_tensor *x = &s->tensors[i], *y = &t->tensors[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->type, y->type);
        assert_int_equal(x->buffer, y->buffer);
        assert_int_equal(x->is_variable, y->is_variable);
        assert_int_equal(x->rank, y->rank);
        assert_memory_equal(x->shape, y->shape, x->rank * sizeof *x->shape);
        assert_true(!x->sparsity == !y->sparsity);
        assert_true(!x->old_quantization == !y->old_quantization);
        assert_true(same_bytes(reader_data(a, x), reader_data(b, y)));
    }
}

static void same_operators(const reader *a, const reader *b, const tqi_subgraph *s,
                           const tqi_subgraph *t) {
    assert_int_equal(s->n_operators, t->n_operators);
    for (uint32_t i = 0; i < s->n_operators; i++) {
        const tqi_operator *x = &s->operators[i], *y = &t->operators[i];
        assert_int_equal(x->opcode, y->opcode);
        assert_int_equal(x->n_inputs, y->n_inputs);
        assert_int_equal(x->n_outputs, y->n_outputs);
        assert_memory_equal(x->inputs, y->inputs, x->n_inputs * sizeof *x->inputs);
        assert_memory_equal(x->outputs, y->outputs, x->n_outputs * sizeof *x->outputs);
        bytes was = field(a, x->source, TQI_OPERATOR_CUSTOM_OPTIONS);
        bytes is = field(b, y->source, TQI_OPERATOR_CUSTOM_OPTIONS);
        assert_int_equal(was.size, is.size); /* byte code may have another place */
        assert_int_equal(
            tqi_get_i8(&a->graph.view, x->source, TQI_OPERATOR_BUILTIN_OPTIONS_TYPE, 0),
            tqi_get_i8(&b->graph.view, y->source, TQI_OPERATOR_BUILTIN_OPTIONS_TYPE, 0));
    }
}

static void none_leaves_everything(void **state) {
    (void)state;
    bytes sources[] = {float32_model(), float16_model(), sample_everything(true),
                       sample_everything(false), sample_not_encodable()};
    for (size_t i = 0; i < COUNT(sources); i++) {
        bytes output = convert(sources[i], "none");
        reader a, b;
        reader_open(&a, sources[i]);
        reader_open(&b, output);
        const tqi_graph *g = &a.graph, *h = &b.graph;
        assert_string_equal(g->description, h->description);
        assert_int_equal(g->n_buffers, h->n_buffers);
        for (uint32_t j = 0; j < g->n_buffers; j++) {
            assert_int_equal(g->buffers[j].content.size, h->buffers[j].content.size);
            assert_int_equal(g->buffers[j].was_outside, h->buffers[j].was_outside);
        }
        assert_int_equal(g->n_opcodes, h->n_opcodes);
        for (uint32_t j = 0; j < g->n_opcodes; j++) {
            assert_int_equal(g->opcodes[j].builtin, h->opcodes[j].builtin);
            assert_int_equal(g->opcodes[j].version, h->opcodes[j].version);
            assert_string_equal(g->opcodes[j].custom, h->opcodes[j].custom);
            assert_int_equal(
                tqi_get_i32(&g->view, g->opcodes[j].source, TQI_OPCODE_BUILTIN_CODE, 0),
                tqi_get_i32(&h->view, h->opcodes[j].source, TQI_OPCODE_BUILTIN_CODE, 0));
        }
        assert_int_equal(g->n_subgraphs, h->n_subgraphs);
        for (uint32_t j = 0; j < g->n_subgraphs; j++) {
            assert_string_equal(g->subgraphs[j].name, h->subgraphs[j].name);
            same_tensors(&a, &b, &g->subgraphs[j], &h->subgraphs[j]);
            same_operators(&a, &b, &g->subgraphs[j], &h->subgraphs[j]);
        }
        assert_int_equal(g->n_metadata, h->n_metadata);
        assert_int_equal(g->n_signatures, h->n_signatures);
        uint64_t trailing = trailing_bytes(sources[i]); /* padding before it may be other */
        assert_true(trailing_bytes(output) >= trailing);
        assert_memory_equal(output.data + output.size - trailing,
                            sources[i].data + sources[i].size - trailing, trailing);
        /* and a copy of the copy is the same file */
        bytes again = convert(output, "none");
        assert_true(same_bytes(again, output));
        free(again.data);
        reader_close(&b);
        reader_close(&a);
        free(output.data);
        free(sources[i].data);
    }
}

/* What is written has its weights at multiples of 16, and no buffer that nothing refers to. */
static void outputs_are_in_order(void **state) {
    (void)state;
    bytes sources[] = {float32_model(), float16_model(), sample_everything(true),
                       sample_everything(false), sample_not_encodable()};
    for (size_t i = 0; i < COUNT(sources); i++) {
        for (size_t r = 0; r < UNIT_NONE; r++) {
            bytes output = convert(sources[i], unit_recipes[r]);
            reader read;
            reader_open(&read, output);
            const tqi_graph *g = &read.graph;
            bool used[64] = {true};
            assert_true(g->n_buffers <= COUNT(used));
            for (uint32_t j = 0; j < g->n_metadata; j++)
                used[g->metadata[j].buffer] = true;
            for (uint32_t j = 0; j < g->n_subgraphs; j++)
                for (uint32_t k = 0; k < g->subgraphs[j].n_tensors; k++)
                    used[g->subgraphs[j].tensors[k].buffer] = true;
            for (uint32_t j = 0; j < g->n_buffers; j++) {
                assert_true(used[j]);
                assert_int_equal(g->buffers[j].content.offset % 16, 0);
            }
            reader_close(&read);
            free(output.data);
        }
        free(sources[i].data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zip_stays_last),
        cmocka_unit_test(byte_code_is_followed),
        cmocka_unit_test(unknown_operators_hold_things_in_place),
        cmocka_unit_test(no_room_before_the_tail),
        cmocka_unit_test(outside_the_flatbuffer),
        cmocka_unit_test(none_leaves_everything),
        cmocka_unit_test(outputs_are_in_order),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
