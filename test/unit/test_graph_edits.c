/* SPDX-License-Identifier: Apache-2.0 */
/* What quantizing does to the graph around the constants. */
#include "graph_reader.h"
#include "model_builder.h"

#include <stdlib.h>
#include <string.h>

#include "flatbuffer/view.h"

enum { ROWS = 64, COLUMNS = 64, WEIGHTS = ROWS * COLUMNS };
static float weights[WEIGHTS];
static uint16_t halves[WEIGHTS];

static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < WEIGHTS; i++) {
        weights[i] = (float)(i * 37 % 101 - 50) / 64;
        halves[i] = (uint16_t)(0x3000 + i % 512); /* small positive float16 numbers */
    }
    return 0;
}

/* half -> DEQUANTIZE -> weight, in the middle of everything that names tensors by index. */
static void float16_everywhere(mb_model *model) {
    static const uint16_t scales[WEIGHTS / 32] = {0x3c00};
    static const uint8_t codes[WEIGHTS / 2];
    *model = (mb_model){.n_opcodes = 4, .n_subgraphs = 1, .n_signatures = 1};
    model->opcodes[0] = (mb_opcode){.builtin = TQI_OP_DEQUANTIZE, .version = 3};
    model->opcodes[1] = (mb_opcode){.builtin = TQI_OP_ADD};
    model->opcodes[2] = (mb_opcode){.builtin = TQI_OP_FULLY_CONNECTED, .version = 2};
    model->opcodes[3] = (mb_opcode){.builtin = 24}; /* nothing uses it */
    mb_subgraph *s = &model->subgraphs[0];
    uint32_t half = mb_add_buffer(model, halves, sizeof halves);
    uint32_t code = mb_add_buffer(model, codes, sizeof codes);
    uint32_t scale = mb_add_buffer(model, scales, sizeof scales);
    const mb_list shape = {2, {ROWS, COLUMNS}}, row = {2, {1, COLUMNS}};
    mb_add_tensor(
        s, (mb_tensor){.name = "half", .type = TQI_TYPE_FLOAT16, .buffer = half, .shape = shape});
    mb_add_tensor(s, (mb_tensor){.name = "weight", .shape = shape});
    mb_add_tensor(s, (mb_tensor){.name = "x", .shape = row});
    mb_add_tensor(s, (mb_tensor){.name = "block_scales",
                                 .type = TQI_TYPE_FLOAT16,
                                 .buffer = scale,
                                 .shape = {2, {ROWS, COLUMNS / 32}}});
    mb_add_tensor(s, (mb_tensor){.name = "blocks",
                                 .type = TQI_TYPE_INT4,
                                 .buffer = code,
                                 .shape = shape,
                                 .blockwise = true,
                                 .block_scales = 3});
    mb_add_tensor(s, (mb_tensor){.name = "between", .shape = row});
    mb_add_tensor(s, (mb_tensor){.name = "sum", .shape = row});
    mb_add_tensor(s, (mb_tensor){.name = "y", .shape = row});
    mb_add_op(s, (mb_op){.opcode = 0, .inputs = {1, {0}}, .outputs = {1, {1}}});
    mb_add_op(s, (mb_op){.opcode = 1,
                         .inputs = {2, {2, 2}},
                         .outputs = {1, {6}},
                         .options_type = 11,
                         .intermediates = {2, {5, -1}}});
    mb_add_op(
        s, (mb_op){.opcode = 2, .inputs = {3, {6, 1, -1}}, .outputs = {1, {5}}, .options_type = 8});
    mb_add_op(
        s, (mb_op){.opcode = 2, .inputs = {3, {5, 4, -1}}, .outputs = {1, {7}}, .options_type = 8});
    s->inputs = (mb_list){1, {2}};
    s->outputs = (mb_list){1, {7}};
    model->signatures[0] = (mb_signature){.key = "serve", .inputs = {1, {2}}, .outputs = {1, {7}}};
}

static void float16_is_folded(void **state) {
    (void)state;
    mb_model model;
    float16_everywhere(&model);
    bytes source = mb_build(&model);
    bytes output = convert(source, "dynamic_wi8_afp32");
    reader r;
    reader_open(&r, output);
    const tqi_subgraph *s = &r.graph.subgraphs[0];
    assert_int_equal(s->n_tensors, 7);
    assert_int_equal(reader_find(&r, 0, "half"), -1);
    assert_int_equal(reader_tensor(&r, 0, "weight")->type, TQI_TYPE_INT8);

    /* the operators that are left, in their order, with their own tensors */
    assert_int_equal(s->n_operators, 3);
    const char *const reads[3][2] = {{"x", "x"}, {"sum", "weight"}, {"between", "blocks"}};
    const char *const makes[] = {"sum", "between", "y"};
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t j = 0; j < 2; j++)
            assert_int_equal(s->operators[i].inputs[j], reader_find(&r, 0, reads[i][j]));
        assert_int_equal(s->operators[i].outputs[0], reader_find(&r, 0, makes[i]));
    }
    assert_int_equal(s->operators[1].inputs[2], -1);
    assert_int_equal(s->operators[0].n_intermediates, 2);
    assert_int_equal(s->operators[0].intermediates[0], reader_find(&r, 0, "between"));
    assert_int_equal(s->operators[0].intermediates[1], -1);

    /* inputs, outputs, signatures, blockwise scales */
    assert_int_equal(s->inputs[0], reader_find(&r, 0, "x"));
    assert_int_equal(s->outputs[0], reader_find(&r, 0, "y"));
    const tqi_view *view = &r.graph.view;
    tqi_vector maps = tqi_get_vector(view, r.graph.signatures[0].source, TQI_SIGNATURE_OUTPUTS);
    uint32_t entry = tqi_element(view, maps, 0);
    assert_int_equal(tqi_get_i32(view, entry, TQI_MAP_TENSOR_INDEX, 0), reader_find(&r, 0, "y"));
    assert_string_equal(tqi_get_string(view, entry, TQI_MAP_NAME), "y");
    uint32_t details =
        tqi_get_table(view, reader_tensor(&r, 0, "blocks")->old_quantization, TQI_QUANT_DETAILS);
    assert_int_equal(tqi_get_i32(view, details, TQI_BLOCKWISE_SCALES, 0),
                     reader_find(&r, 0, "block_scales"));
    assert_int_equal(tqi_get_i32(view, details, TQI_BLOCKWISE_ZERO_POINTS, 0), -1);
    assert_int_equal(tqi_get_i32(view, details, TQI_BLOCKWISE_BLOCK_SIZE, 0), 32);

    /* operator codes: nothing unused; the hybrid FC raised, the other one as it was */
    assert_int_equal(r.graph.n_opcodes, 3);
    const tqi_opcode *hybrid = &r.graph.opcodes[s->operators[1].opcode];
    const tqi_opcode *plain = &r.graph.opcodes[s->operators[2].opcode];
    assert_int_equal(hybrid->builtin, TQI_OP_FULLY_CONNECTED);
    assert_int_equal(hybrid->version, 12);
    assert_int_equal(plain->version, 2);
    /* buffers: the empty one, codes, scales, the new int8 */
    assert_int_equal(r.graph.n_buffers, 4);
    assert_int_equal(r.graph.buffers[0].content.size, 0);
    reader_close(&r);
    free(output.data);
    free(source.data);
}

/* float16 that someone else reads too stays beside its int8 form. */
static void float16_with_another_reader(void **state) {
    (void)state;
    mb_model model;
    float16_everywhere(&model);
    mb_subgraph *s = &model.subgraphs[0];
    model.opcodes[3] = (mb_opcode){.builtin = TQI_OP_CUSTOM, .custom = "Mine"};
    mb_add_tensor(s, (mb_tensor){.name = "z", .shape = {2, {1, COLUMNS}}});
    mb_add_op(s, (mb_op){.opcode = 3, .inputs = {1, {0}}, .outputs = {1, {8}}});
    bytes source = mb_build(&model);
    bytes output = convert(source, "dynamic_wi8_afp32");
    reader r;
    reader_open(&r, output);
    const tqi_subgraph *g = &r.graph.subgraphs[0];
    assert_int_equal(g->n_operators, 4);
    assert_int_equal(g->operators[3].inputs[0], reader_find(&r, 0, "half"));
    const tqi_tensor *half = reader_tensor(&r, 0, "half");
    assert_true(same_bytes(reader_data(&r, half), (bytes){(uint8_t *)halves, sizeof halves}));
    assert_int_equal(reader_tensor(&r, 0, "weight")->type, TQI_TYPE_INT8);
    reader_close(&r);
    free(output.data);
    free(source.data);
}

static void float16_that_goes_out(void **state) {
    (void)state;
    for (int32_t tensor = 0; tensor < 2; tensor++) { /* stored, or unpacked */
        mb_model model;
        float16_everywhere(&model);
        model.subgraphs[0].outputs = (mb_list){2, {7, tensor}};
        bytes source = mb_build(&model);
        tq_model *loaded = load(source), *result = quantized(loaded, "dynamic_wi8_afp32");
        tq_report_entry entry = entry_of(result, "weight");
        assert_int_equal(entry.verdict, TQ_VERDICT_KEPT);
        assert_int_equal(entry.reason, TQ_REASON_GRAPH_BOUNDARY);
        assert_int_equal(entry.from_type, TQI_TYPE_FLOAT16);
        tq_model_free(result);
        tq_model_free(loaded);
        free(source.data);
    }
}

static void dequantize_comes_before_its_reader(void **state) {
    (void)state;
    mb_model model;
    mb_fully_connected(&model, weights, ROWS, COLUMNS);
    model.n_opcodes = 2;
    model.opcodes[1] = (mb_opcode){.builtin = 0, .legacy = true};
    mb_subgraph *s = &model.subgraphs[0];
    /* ADD before, FC twice with the same weights */
    s->n_ops = 0;
    mb_add_tensor(s, (mb_tensor){.name = "sum", .shape = {2, {1, COLUMNS}}});
    mb_add_tensor(s, (mb_tensor){.name = "between", .shape = {2, {1, COLUMNS}}});
    mb_add_op(s,
              (mb_op){.opcode = 1, .inputs = {2, {0, 0}}, .outputs = {1, {3}}, .options_type = 11});
    mb_add_op(s, (mb_op){.inputs = {3, {3, 1, -1}}, .outputs = {1, {4}}, .options_type = 8});
    mb_add_op(s, (mb_op){.inputs = {3, {4, 1, -1}}, .outputs = {1, {2}}, .options_type = 8});
    bytes source = mb_build(&model);
    static const struct {
        const char *recipe;
        int32_t type, version;
    } cases[] = {{"weight_only_wi8_afp32", TQI_TYPE_INT8, 5}, {"fp16", TQI_TYPE_FLOAT16, 3}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        bytes output = convert(source, cases[i].recipe);
        reader r;
        reader_open(&r, output);
        const tqi_subgraph *g = &r.graph.subgraphs[0];
        assert_int_equal(g->n_operators, 4);
        assert_int_equal(reader_builtin(&r, 0, 0), TQI_OP_ADD);
        assert_int_equal(reader_builtin(&r, 0, 1), TQI_OP_DEQUANTIZE);
        assert_int_equal(reader_builtin(&r, 0, 2), TQI_OP_FULLY_CONNECTED);
        assert_int_equal(reader_builtin(&r, 0, 3), TQI_OP_FULLY_CONNECTED);
        assert_int_equal(r.graph.opcodes[g->operators[1].opcode].version, cases[i].version);
        int32_t plain = reader_find(&r, 0, "weight_dequant");
        assert_int_equal(reader_tensor(&r, 0, "weight")->type, cases[i].type);
        assert_int_equal(g->tensors[plain].type, TQI_TYPE_FLOAT32);
        assert_int_equal(g->operators[1].inputs[0], reader_find(&r, 0, "weight"));
        assert_int_equal(g->operators[1].outputs[0], plain);
        assert_int_equal(g->operators[2].inputs[1], plain);
        assert_int_equal(g->operators[3].inputs[1], plain);
        reader_close(&r);
        free(output.data);
    }
    free(source.data);
}

static void equal_buffers_become_one(void **state) {
    (void)state;
    mb_model model;
    mb_fully_connected(&model, weights, ROWS, COLUMNS);
    mb_subgraph *s = &model.subgraphs[0];
    /* a second FC, in a second subgraph, with an equal copy of the weights; the same bytes as
     * metadata, twice under one buffer; and a buffer that nothing uses */
    model.n_subgraphs = 2;
    model.subgraphs[1] = *s;
    model.subgraphs[1].tensors[1].buffer = mb_add_buffer(&model, weights, sizeof weights);
    uint32_t note = mb_add_buffer(&model, weights, sizeof weights);
    mb_add_buffer(&model, "orphan", 6);
    model.n_metadata = 2;
    model.metadata[0] = (mb_metadata){"note", note};
    model.metadata[1] = (mb_metadata){"again", note};
    model.legacy_metadata = (mb_list){1, {(int32_t)note}};
    bytes source = mb_build(&model);
    bytes output = convert(source, "dynamic_wi8_afp32");
    reader r;
    reader_open(&r, output);
    const tqi_tensor *first = reader_tensor(&r, 0, "weight");
    assert_int_equal(first->buffer, reader_tensor(&r, 1, "weight")->buffer);
    assert_int_equal(reader_data(&r, first).size, WEIGHTS);
    assert_int_equal(r.graph.n_buffers, 3);
    assert_int_equal(r.graph.n_metadata, 2);
    uint32_t kept = r.graph.metadata[0].buffer;
    assert_int_equal(kept, r.graph.metadata[1].buffer);
    assert_int_not_equal(kept, first->buffer);
    const tqi_content *content = &r.graph.buffers[kept].content;
    assert_int_equal(content->size, sizeof weights);
    assert_memory_equal(output.data + content->offset, weights, sizeof weights);
    tqi_vector legacy = tqi_get_vector(&r.graph.view, r.graph.root, TQI_MODEL_METADATA_BUFFER);
    assert_int_equal(legacy.count, 1);
    assert_int_equal(tqi_load_i32(output.data + legacy.at), kept);
    reader_close(&r);

    tq_model *loaded = load(source), *smaller = quantized(loaded, "dynamic_wi8_afp32");
    tq_report_totals totals = {.struct_size = sizeof totals};
    assert_int_equal(tq_get_report_totals(tq_model_report(smaller), &totals), TQ_OK);
    assert_true(totals.constant_bytes_before <= source.size);
    assert_true(totals.constant_bytes_after < totals.constant_bytes_before);
    tq_model_free(smaller);
    tq_model_free(loaded);
    free(output.data);
    free(source.data);
}

/* A shared buffer whose tensors become different things stays there for who needs it, and is
 * still one with its equals. */
static void shared_buffer_of_two_minds(void **state) {
    (void)state;
    mb_model model;
    mb_fully_connected(&model, weights, ROWS, COLUMNS);
    mb_subgraph *s = &model.subgraphs[0];
    const mb_list square = {2, {ROWS, COLUMNS}};
    model.n_opcodes = 2;
    model.opcodes[1] = (mb_opcode){.builtin = TQI_OP_ADD};
    uint32_t copy = mb_add_buffer(&model, weights, sizeof weights);
    mb_add_tensor(s, (mb_tensor){.name = "addend", .buffer = 1, .shape = square});
    mb_add_tensor(s, (mb_tensor){.name = "other", .buffer = copy, .shape = square});
    mb_add_tensor(s, (mb_tensor){.name = "sum", .shape = square});
    mb_add_op(s,
              (mb_op){.opcode = 1, .inputs = {2, {3, 4}}, .outputs = {1, {5}}, .options_type = 11});
    bytes source = mb_build(&model);
    bytes output = convert(source, "dynamic_wi8_afp32");
    reader r;
    reader_open(&r, output);
    const tqi_tensor *addend = reader_tensor(&r, 0, "addend");
    assert_int_equal(addend->type, TQI_TYPE_FLOAT32);
    assert_int_equal(reader_data(&r, addend).size, sizeof weights);
    assert_memory_equal(reader_data(&r, addend).data, weights, sizeof weights);
    assert_int_equal(reader_tensor(&r, 0, "other")->buffer, addend->buffer);
    assert_int_equal(reader_tensor(&r, 0, "weight")->type, TQI_TYPE_INT8);
    reader_close(&r);
    free(output.data);
    free(source.data);
}

/* The same codes under different quantized dimensions: one buffer, two tables. */
static void same_codes_other_dimension(void **state) {
    (void)state;
    enum { ADJ_Y = 1 };
    mb_model model;
    mb_fully_connected(&model, weights, ROWS, COLUMNS);
    mb_subgraph *s = &model.subgraphs[0];
    model.n_opcodes = 2;
    model.opcodes[1] = (mb_opcode){.builtin = TQI_OP_BATCH_MATMUL};
    mb_add_tensor(s, (mb_tensor){.name = "x3", .shape = {3, {1, 1, COLUMNS}}});
    mb_add_tensor(s, (mb_tensor){.name = "weight3", .buffer = 1, .shape = {3, {1, ROWS, COLUMNS}}});
    mb_add_tensor(s, (mb_tensor){.name = "y3", .shape = {3, {1, 1, ROWS}}});
    mb_op op = {.opcode = 1, .inputs = {2, {3, 4}}, .outputs = {1, {5}}, .options_type = 101};
    op.options[ADJ_Y] = 1;
    mb_add_op(s, op);
    bytes source = mb_build(&model);
    bytes output = convert(source, "dynamic_wi8_afp32");
    reader r;
    reader_open(&r, output);
    const tqi_tensor *two = reader_tensor(&r, 0, "weight"),
                     *three = reader_tensor(&r, 0, "weight3");
    assert_int_equal(two->type, TQI_TYPE_INT8);
    assert_int_equal(three->type, TQI_TYPE_INT8);
    assert_int_equal(two->buffer, three->buffer);
    const tqi_view *view = &r.graph.view;
    assert_int_equal(tqi_get_i32(view, two->old_quantization, TQI_QUANT_QUANTIZED_DIMENSION, 0), 0);
    assert_int_equal(tqi_get_i32(view, three->old_quantization, TQI_QUANT_QUANTIZED_DIMENSION, 0),
                     1);
    reader_close(&r);
    free(output.data);
    free(source.data);
}

/* A custom operator somewhere must not keep the old weights in the file. */
static void custom_operator_does_not_keep_old_weights(void **state) {
    (void)state;
    mb_model model;
    mb_fully_connected(&model, weights, ROWS, COLUMNS);
    mb_subgraph *s = &model.subgraphs[0];
    model.n_opcodes = 2;
    model.opcodes[1] = (mb_opcode){.builtin = TQI_OP_CUSTOM, .custom = "Mine"};
    mb_add_tensor(s, (mb_tensor){.name = "z", .shape = {2, {1, ROWS}}});
    mb_add_op(s, (mb_op){.opcode = 1,
                         .inputs = {1, {2}},
                         .outputs = {1, {3}},
                         .custom = "\1\2\3",
                         .custom_size = 3});
    bytes source = mb_build(&model);
    for (size_t i = 0; i < UNIT_NONE; i++) {
        bytes output = convert(source, unit_recipes[i]);
        assert_true(output.size < source.size - sizeof weights / 3);
        reader r;
        reader_open(&r, output);
        const tqi_subgraph *g = &r.graph.subgraphs[0];
        const tqi_operator *op = &g->operators[g->n_operators - 1];
        tqi_vector options = tqi_get_vector(&r.graph.view, op->source, TQI_OPERATOR_CUSTOM_OPTIONS);
        assert_int_equal(options.count, 3);
        assert_memory_equal(output.data + options.at, "\1\2\3", 3);
        assert_string_equal(r.graph.opcodes[op->opcode].custom, "Mine");
        reader_close(&r);
        free(output.data);
    }
    free(source.data);
}

static void variables_and_boundaries_stay(void **state) {
    (void)state;
    mb_model model;
    mb_fully_connected(&model, weights, ROWS, COLUMNS);
    model.subgraphs[0].tensors[1].variable = true;
    bytes source = mb_build(&model);
    bytes output = convert(source, "dynamic_wi8_afp32");
    reader r;
    reader_open(&r, output);
    assert_int_equal(reader_tensor(&r, 0, "weight")->type, TQI_TYPE_FLOAT32);
    assert_true(reader_tensor(&r, 0, "weight")->is_variable);
    assert_memory_equal(reader_data(&r, reader_tensor(&r, 0, "weight")).data, weights,
                        sizeof weights);
    reader_close(&r);
    free(output.data);
    free(source.data);

    mb_fully_connected(&model, weights, ROWS, COLUMNS);
    model.subgraphs[0].outputs = (mb_list){2, {2, 1}};
    source = mb_build(&model);
    tq_model *loaded = load(source), *result = quantized(loaded, "dynamic_wi8_afp32");
    assert_int_equal(entry_of(result, "weight").reason, TQ_REASON_GRAPH_BOUNDARY);
    tq_model_free(result);
    tq_model_free(loaded);
    free(source.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float16_is_folded),
        cmocka_unit_test(float16_with_another_reader),
        cmocka_unit_test(float16_that_goes_out),
        cmocka_unit_test(dequantize_comes_before_its_reader),
        cmocka_unit_test(equal_buffers_become_one),
        cmocka_unit_test(shared_buffer_of_two_minds),
        cmocka_unit_test(same_codes_other_dimension),
        cmocka_unit_test(custom_operator_does_not_keep_old_weights),
        cmocka_unit_test(variables_and_boundaries_stay),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
