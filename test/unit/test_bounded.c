/* SPDX-License-Identifier: Apache-2.0 */
/* Files that refer to one thing very often: what they take, in time and in memory, is bounded by
 * their size, however they are made. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "record_help.h"
#include "tflite/schema.h"

enum { MANY = 20000, LONG = 80000 };
static uint8_t filler[LONG];

typedef struct shared {
    uint32_t opcodes, tensors, operators, buffers; /* references to one each */
    uint32_t name, shape, inputs, data, options;   /* lengths of what it holds */
    const char *custom;
} shared;

typedef struct writer {
    tqi_heap heap;
    tqi_emitter out;
    tq_error error;
} writer;

/* A vector of `count` references to one table. */
static void refer(writer *w, uint32_t slot, uint32_t count, tqi_record *record) {
    uint32_t at;
    uint32_t element = tqi_emit_offsets(&w->out, count, &at);
    tqi_emit_link(&w->out, slot, at);
    uint32_t table = tqi_emit_record(&w->out, record);
    for (uint32_t i = 0; i < count; i++)
        tqi_emit_link(&w->out, element + 4 * i, table);
}

static void emit_subgraph(writer *w, uint32_t slot, const shared *s) {
    tqi_record subgraph, tensor, op;
    tqi_record_begin(&subgraph, &tqi_subgraph_table, NULL, 0);
    tqi_record_later(&subgraph, TQI_SUBGRAPH_TENSORS);
    tqi_record_later(&subgraph, TQI_SUBGRAPH_OPERATORS);
    refer(w, slot, 1, &subgraph);
    tqi_record_begin(&tensor, &tqi_tensor_table, NULL, 0);
    tqi_record_vector(&tensor, TQI_TENSOR_SHAPE, filler, s->shape);
    tqi_record_vector(&tensor, TQI_TENSOR_NAME, filler + 1, s->name);
    set_scalar(&tensor, TQI_TENSOR_BUFFER, s->data ? 1 : 0);
    refer(w, subgraph.slot[TQI_SUBGRAPH_TENSORS], s->tensors, &tensor);
    tqi_record_begin(&op, &tqi_operator_table, NULL, 0);
    tqi_record_vector(&op, TQI_OPERATOR_INPUTS, filler, s->inputs);
    if (s->options)
        tqi_record_vector(&op, TQI_OPERATOR_CUSTOM_OPTIONS, filler, s->options);
    refer(w, subgraph.slot[TQI_SUBGRAPH_OPERATORS], s->operators, &op);
}

static bytes make(const shared *s) {
    writer w = {.error = TQ_ERROR_INIT};
    tqi_heap_init(&w.heap, NULL, 0);
    tqi_emit_begin(&w.out, &w.heap, &w.error);
    tqi_emit_bytes(&w.out, "\0\0\0\0TFL3", 8);
    tqi_record model, opcode, buffer;
    tqi_record_begin(&model, &tqi_model_table, NULL, 0);
    set_scalar(&model, TQI_MODEL_VERSION, 3);
    tqi_record_later(&model, TQI_MODEL_OPERATOR_CODES);
    tqi_record_later(&model, TQI_MODEL_SUBGRAPHS);
    tqi_record_later(&model, TQI_MODEL_BUFFERS);
    tqi_emit_link(&w.out, 0, tqi_emit_record(&w.out, &model));
    tqi_record_begin(&opcode, &tqi_operator_code_table, NULL, 0);
    if (s->custom) {
        set_scalar(&opcode, TQI_OPCODE_BUILTIN_CODE, TQI_OP_CUSTOM);
        tqi_record_string(&opcode, TQI_OPCODE_CUSTOM_CODE, s->custom);
    }
    refer(&w, model.slot[TQI_MODEL_OPERATOR_CODES], s->opcodes ? s->opcodes : 1, &opcode);
    emit_subgraph(&w, model.slot[TQI_MODEL_SUBGRAPHS], s);
    tqi_record_begin(&buffer, &tqi_buffer_table, NULL, 0);
    if (s->data)
        tqi_record_vector(&buffer, TQI_BUFFER_DATA, filler, s->data);
    refer(&w, model.slot[TQI_MODEL_BUFFERS], s->buffers ? s->buffers : 1, &buffer);
    finish(&w.out);
    assert_ok(w.out.status, &w.error);
    bytes result = {malloc(w.out.out.size + 16), w.out.out.size};
    assert_non_null(result.data);
    memcpy(result.data, w.out.out.bytes, result.size);
    tqi_emit_end(&w.out);
    return result;
}

static void try_recipes(const tq_model *model, size_t size) {
    for (size_t i = 0; i < UNIT_RECIPES; i++) {
        tq_recipe *recipe = NULL;
        tq_model *result = NULL;
        tq_error error = TQ_ERROR_INIT;
        assert_int_equal(tq_recipe_create(unit_recipes[i], &recipe, NULL), TQ_OK);
        tq_status status = tq_quantize(model, recipe, NULL, &result, &error);
        if (status == TQ_OK) {
            tq_model_info info = {.struct_size = sizeof info};
            assert_int_equal(tq_get_model_info(result, &info), TQ_OK);
            assert_true(info.file_size <= 64 * (uint64_t)size + (4 << 20));
            status = tq_save_sink(result, NULL, NULL, &error);
        }
        if (status != TQ_OK)
            assert_message(&error);
        assert_int_not_equal(status, TQ_ERR_OUT_OF_MEMORY);
        tq_model_free(result);
        tq_recipe_free(recipe);
    }
}

/* The file at an odd address, where nothing in it can be used in place. */
static void file_is_bounded(bytes file) {
    memmove(file.data + 1, file.data, file.size);
    watch memory = {.ceiling = 64 * (uint64_t)file.size + (4 << 20)};
    tq_allocator allocator = watched(&memory);
    tq_load_options options = TQ_LOAD_OPTIONS_INIT;
    options.allocator = &allocator;
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = NULL;
    clock_t start = clock();
    tq_status status = tq_load_memory(file.data + 1, file.size, &options, &model, &error);
    if (status == TQ_OK)
        try_recipes(model, file.size);
    else
        assert_message(&error);
    tq_model_free(model);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    free(file.data);
    assert_int_not_equal(status, TQ_ERR_OUT_OF_MEMORY);
    assert_true(memory.held == 0);
    if (seconds > (UNIT_SLOW ? 12 : 3))
        fail_msg("%.1f s for %zu bytes", seconds, file.size);
}

static void bounded(const shared *s) {
    file_is_bounded(make(s));
}

static int set_up(void **state) {
    (void)state;
    memset(filler, 0, sizeof filler);
    return 0;
}

static void one_operator_of_many_inputs(void **state) {
    (void)state;
    bounded(&(shared){.tensors = 1, .operators = MANY, .inputs = LONG / 4});
}

static void one_tensor_of_a_long_name(void **state) {
    (void)state;
    memset(filler, 'n', sizeof filler);
    bounded(&(shared){.tensors = MANY, .operators = 1, .name = LONG - 1});
    memset(filler, 0, sizeof filler);
}

static void one_tensor_of_a_long_shape(void **state) {
    (void)state;
    bounded(&(shared){.tensors = MANY, .operators = 1, .shape = LONG / 4});
}

static void one_buffer_many_times(void **state) {
    (void)state;
    bounded(&(shared){.tensors = 1, .operators = 1, .buffers = MANY, .data = LONG});
}

/* Every operator's options are looked through for the place of byte code. */
static void one_dispatch_many_times(void **state) {
    (void)state;
    memset(filler, 1, sizeof filler);
    /* the end of a flexbuffer: a map of 4-byte elements near the start */
    bounded(&(shared){.tensors = 1, .operators = MANY, .options = LONG, .custom = "DISPATCH_OP"});
    memset(filler, 0, sizeof filler);
}

static void one_code_many_times(void **state) {
    (void)state;
    bounded(&(shared){.opcodes = MANY, .tensors = MANY, .operators = MANY});
}

/* Buffers behind the flatbuffer, all of the same zeros and a single one, each a byte further on:
 * alike as far as samples show, yet no two of them equal. */
static void many_overlapping_buffers(void **state) {
    (void)state;
    enum { BUFFERS = 4000 };
    static uint32_t slots[BUFFERS];
    writer w = {.error = TQ_ERROR_INIT};
    tqi_heap_init(&w.heap, NULL, 0);
    tqi_emit_begin(&w.out, &w.heap, &w.error);
    tqi_emit_bytes(&w.out, "\0\0\0\0TFL3", 8);
    tqi_record model, buffer;
    tqi_record_begin(&model, &tqi_model_table, NULL, 0);
    set_scalar(&model, TQI_MODEL_VERSION, 3);
    tqi_record_later(&model, TQI_MODEL_SUBGRAPHS);
    tqi_record_later(&model, TQI_MODEL_BUFFERS);
    tqi_emit_link(&w.out, 0, tqi_emit_record(&w.out, &model));
    emit_subgraph(&w, model.slot[TQI_MODEL_SUBGRAPHS], &(shared){.tensors = 1});
    uint32_t at;
    uint32_t element = tqi_emit_offsets(&w.out, BUFFERS, &at);
    tqi_emit_link(&w.out, model.slot[TQI_MODEL_BUFFERS], at);
    for (uint32_t i = 0; i < BUFFERS; i++) {
        tqi_record_begin(&buffer, &tqi_buffer_table, NULL, 0);
        set_scalar(&buffer, TQI_BUFFER_OFFSET, 0);
        set_scalar(&buffer, TQI_BUFFER_SIZE, LONG);
        tqi_emit_link(&w.out, element + 4 * i, tqi_emit_record(&w.out, &buffer));
        slots[i] = buffer.slot[TQI_BUFFER_OFFSET];
    }
    finish(&w.out);
    assert_ok(w.out.status, &w.error);
    size_t end = w.out.out.size;
    bytes file = {calloc(end + LONG + BUFFERS + 16, 1), end + LONG + BUFFERS};
    assert_non_null(file.data);
    memcpy(file.data, w.out.out.bytes, end);
    file.data[end + LONG / 2 + LONG / 16] = 1;
    for (uint32_t i = 0; i < BUFFERS; i++) {
        uint64_t offset = end + i;
        memcpy(file.data + slots[i], &offset, sizeof offset);
    }
    tqi_emit_end(&w.out);
    file_is_bounded(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_operator_of_many_inputs), cmocka_unit_test(one_tensor_of_a_long_name),
        cmocka_unit_test(one_tensor_of_a_long_shape),  cmocka_unit_test(one_buffer_many_times),
        cmocka_unit_test(one_dispatch_many_times),     cmocka_unit_test(one_code_many_times),
        cmocka_unit_test(many_overlapping_buffers),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
