/* SPDX-License-Identifier: Apache-2.0 */
/* Rewriting through the public API: a rewritten model is one like any other, in memory and saved;
 * every failure is survived. What each rewrite does is tried in models/test_rewrite.py. */
#include "sample_models.h"

#include <stdlib.h>
#include <string.h>

#include "busy_model.h"
#include "graph_reader.h"
#include "tflite/builtins.h"
#include "zip_builder.h"

static tq_model *rewritten(const tq_model *model, const char *only) {
    tq_model *result = NULL;
    tq_error error = TQ_ERROR_INIT;
    tq_rewrite_options options = TQ_REWRITE_OPTIONS_INIT;
    options.names = only ? &only : NULL;
    options.n_names = only ? 1 : 0;
    assert_ok(tq_rewrite(model, &options, &result, &error), &error);
    return result;
}

static void check_operators(bytes file, const int32_t *builtins, uint32_t count) {
    reader r;
    reader_open(&r, file);
    assert_int_equal(r.graph.subgraphs[0].n_operators, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(reader_builtin(&r, 0, i), builtins[i]);
    reader_close(&r);
}

static const int32_t afterwards[] = {
    TQI_BUILTIN_FULLY_CONNECTED, TQI_BUILTIN_TILE,       TQI_BUILTIN_ADD,
    TQI_BUILTIN_CONCATENATION,   TQI_BUILTIN_DEQUANTIZE, TQI_BUILTIN_FULLY_CONNECTED};

static void all_of_it(void **state) {
    (void)state;
    bytes source = busy_model();
    tq_model *model = load(source), *result = rewritten(model, NULL);
    bytes output = saved(result);
    check_operators(output, afterwards, COUNT(afterwards));
    tq_model_info info = {.struct_size = sizeof info};
    assert_int_equal(tq_get_model_info(result, &info), TQ_OK);
    assert_int_equal(info.file_size, output.size);
    tq_operator_info op = {.struct_size = sizeof op};
    assert_int_equal(tq_get_operator_info(result, 0, 1, &op), TQ_OK);
    assert_string_equal(op.name, "TILE");
    assert_null(tq_model_report(result));

    /* once more finds nothing, and is the same */
    tq_model *again = rewritten(result, NULL);
    assert_int_equal(tq_edit_count(again), 0);
    bytes same = saved(again);
    assert_true(same_bytes(same, output));
    tq_model_free(model);
    tq_model_free(result);
    bytes later = saved(again); /* which keeps what it needs */
    assert_true(same_bytes(later, output));
    tq_model_free(again);
    free_bytes(later);
    free_bytes(same);
    free_bytes(output);
    free_bytes(source);
}

static void edits_name_what_was_there(void **state) {
    (void)state;
    static const struct {
        const char *rewrite, *op_name, *name;
        int32_t op;
    } expected[] = {
        {"fold-shapes", "MUL", "product", 3},
        {"fold-shapes", "CONCATENATION", "target", 4},
        {"drop-identity", "RESHAPE", "same", 2},
        {"broadcast-to-drop", "BROADCAST_TO", "wide", 5},
        {"broadcast-to-tile", "BROADCAST_TO", "wider", 6},
        {"drop-dead", "RELU", "", 0},
    };
    bytes source = busy_model();
    tq_model *model = load(source), *result = rewritten(model, NULL);
    assert_int_equal(tq_edit_count(model), 0);
    assert_int_equal(tq_edit_count(result), COUNT(expected));
    for (uint32_t i = 0; i < COUNT(expected); i++) {
        tq_edit_info edit = {.struct_size = sizeof edit};
        assert_int_equal(tq_get_edit_info(result, i, &edit), TQ_OK);
        assert_string_equal(edit.rewrite, expected[i].rewrite);
        assert_string_equal(edit.op_name, expected[i].op_name);
        assert_string_equal(edit.name, expected[i].name);
        assert_int_equal(edit.op, expected[i].op);
        tq_tensor_info tensor = {.struct_size = sizeof tensor};
        if (edit.tensor == TQ_NO_INDEX)
            continue;
        assert_int_equal(tq_get_tensor_info(model, 0, (uint32_t)edit.tensor, &tensor), TQ_OK);
        assert_string_equal(tensor.name, edit.name);
    }
    tq_edit_info edit = {.struct_size = sizeof edit};
    assert_int_equal(tq_get_edit_info(result, COUNT(expected), &edit), TQ_ERR_INVALID_ARGUMENT);
    tq_model_free(result);
    tq_model_free(model);
    free_bytes(source);
}

/* Quantized from memory it becomes what it becomes when it is saved and loaded in between. */
static void it_can_be_quantized(void **state) {
    (void)state;
    static const char *const names[] = {NULL, "fold-float16", "broadcast-to-mul"};
    bytes source = busy_model();
    tq_model *model = load(source);
    for (size_t n = 0; n < COUNT(names); n++) {
        tq_model *result = rewritten(model, names[n]);
        bytes between = saved(result);
        for (size_t i = 0; i < UNIT_RECIPES; i++) {
            bytes expected = convert(between, unit_recipes[i]);
            tq_model *small = quantized(result, unit_recipes[i]);
            bytes direct = saved(small);
            assert_true(same_bytes(direct, expected));
            tq_report_totals totals = {.struct_size = sizeof totals};
            assert_int_equal(tq_get_report_totals(tq_model_report(small), &totals), TQ_OK);
            assert_int_equal(totals.file_bytes_after, direct.size);
            assert_int_equal(tq_edit_count(small), tq_edit_count(result));
            tq_model_free(small);
            free_bytes(direct);
            free_bytes(expected);
        }
        tq_model_free(result);
        free_bytes(between);
    }
    tq_model_free(model);
    free_bytes(source);
}

/* One rewrite after the other, each on the result of the last. */
static void step_by_step(void **state) {
    (void)state;
    bytes source = busy_model();
    tq_model *model = load(source), *at = rewritten(model, "drop-dead");
    static const char *const steps[] = {"fold-shapes",   "broadcast-to-tile", "broadcast-to-drop",
                                        "drop-identity", "fold-float16",      "drop-dead"};
    static const int32_t builtins[] = {
        TQI_BUILTIN_FULLY_CONNECTED, TQI_BUILTIN_TILE,           TQI_BUILTIN_TILE, TQI_BUILTIN_ADD,
        TQI_BUILTIN_CONCATENATION,   TQI_BUILTIN_FULLY_CONNECTED};
    tq_model_free(model);
    for (size_t i = 0; i < COUNT(steps); i++) {
        tq_model *next = rewritten(at, steps[i]);
        tq_model_free(at);
        at = next;
    }
    bytes output = saved(at);
    check_operators(output, builtins, COUNT(builtins));
    reader r;
    reader_open(&r, output);
    assert_int_equal(r.graph.subgraphs[0].outputs[1], reader_find(&r, 0, "joined"));
    tqi_vector maps =
        tqi_get_vector(&r.graph.view, r.graph.signatures[0].source, TQI_SIGNATURE_OUTPUTS);
    for (uint32_t i = 0; i < maps.count; i++) {
        uint32_t entry = tqi_element(&r.graph.view, maps, i);
        const char *name = tqi_get_string(&r.graph.view, entry, TQI_MAP_NAME);
        assert_int_equal(tqi_get_i32(&r.graph.view, entry, TQI_MAP_TENSOR_INDEX, 0),
                         reader_find(&r, 0, name));
    }
    const tqi_content *note = &r.graph.buffers[r.graph.metadata[0].buffer].content;
    assert_memory_equal(output.data + note->offset, "a note", 6);
    tqi_vector legacy = tqi_get_vector(&r.graph.view, r.graph.root, TQI_MODEL_METADATA_BUFFER);
    assert_int_equal(tqi_load_i32(output.data + legacy.at), r.graph.metadata[0].buffer);
    reader_close(&r);
    tq_model_free(at);
    free_bytes(output);
    free_bytes(source);
}

static int32_t read_bytes(void *opaque, uint64_t offset, void *data, size_t size) {
    memcpy(data, ((const bytes *)opaque)->data + offset, size);
    return 0;
}

/* What is read through a callback becomes the same. */
static void from_a_callback(void **state) {
    (void)state;
    bytes source = busy_model();
    tq_model *model = load(source), *read = NULL;
    const tq_source user = {sizeof user, 0, &source, source.size, read_bytes};
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tq_load_source(&user, NULL, &read, &error), &error);
    static const char *const names[] = {NULL, "fold-float16", "fold-shapes"};
    for (size_t i = 0; i < COUNT(names); i++) {
        tq_model *a = rewritten(model, names[i]), *b = rewritten(read, names[i]);
        bytes x = saved(a), y = saved(b);
        assert_true(same_bytes(x, y));
        free_bytes(x);
        free_bytes(y);
        tq_model_free(a);
        tq_model_free(b);
    }
    tq_model_free(read);
    tq_model_free(model);
    free_bytes(source);
}

/* What leads from an input of the graph to an output keeps its last operator. */
static void all_that_is_idle(void **state) {
    (void)state;
    static const int32_t builtins[] = {TQI_BUILTIN_TILE, TQI_BUILTIN_RESHAPE, TQI_BUILTIN_TILE,
                                       TQI_BUILTIN_TILE};
    static const char *const rewrites[] = {"cancel-quantize", "drop-identity", "broadcast-layout",
                                           "broadcast-to-tile"};
    static const uint32_t counts[] = {1, 5, 1, 2};
    uint32_t found[COUNT(rewrites)] = {0};
    bytes source = idle_model();
    tq_model *model = load(source), *result = rewritten(model, NULL);
    bytes output = saved(result);
    check_operators(output, builtins, COUNT(builtins));
    tq_edit_info edit = {.struct_size = sizeof edit};
    for (uint32_t i = 0; tq_get_edit_info(result, i, &edit) == TQ_OK; i++)
        for (uint32_t k = 0; k < COUNT(rewrites); k++)
            found[k] += strcmp(edit.rewrite, rewrites[k]) == 0;
    assert_memory_equal(found, counts, sizeof counts);
    assert_int_equal(tq_edit_count(result), 9);
    tq_model_free(result);
    tq_model_free(model);
    free_bytes(output);
    free_bytes(source);
}

static void nothing_to_do(void **state) {
    (void)state;
    bytes source = sample_not_encodable();
    tq_model *model = load(source), *result = rewritten(model, NULL);
    assert_int_equal(tq_edit_count(result), 0);
    bytes copy = convert(source, "none"), output = saved(result);
    assert_true(same_bytes(output, copy));
    tq_model_free(result);
    tq_model_free(model);
    free_bytes(copy);
    free_bytes(output);
    free_bytes(source);
}

static tq_status try(const tq_model *model, const tq_rewrite_options *options, tq_error *error) {
    tq_model *const before = (tq_model *)&(char){0};
    tq_model *result = before;
    tq_status status = tq_rewrite(model, options, &result, error);
    if (status == TQ_OK)
        tq_model_free(result);
    else
        assert_ptr_equal(result, before);
    return status;
}

static void wrong_calls(void **state) {
    (void)state;
    bytes source = busy_model();
    tq_model *model = load(source), *small = quantized(model, "fp16");
    const char *names[] = {"drop-dead", "no-such"};
    tq_error error = TQ_ERROR_INIT;
    tq_rewrite_options options = TQ_REWRITE_OPTIONS_INIT;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, try(small, NULL, &error), &error);
    assert_failed(TQ_ERR_INVALID_ARGUMENT, try(NULL, NULL, &error), &error);
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_rewrite(model, NULL, NULL, &error), &error);
    options.n_names = 1;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, try(model, &options, &error), &error);
    options.names = names;
    assert_ok(try(model, &options, &error), &error);
    options.n_names = 2;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, try(model, &options, &error), &error);
    assert_non_null(strstr(error.message, "no-such"));
    options.n_names = 0; /* none at all */
    assert_ok(try(model, &options, &error), &error);
    options.target = 1000;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, try(model, &options, &error), &error);
    tq_rewrite_info info = {.struct_size = sizeof info};
    uint32_t n = 0;
    while (tq_get_rewrite_info(n, &info) == TQ_OK)
        n++;
    assert_true(n >= 10);
    tq_model_free(small);
    tq_model_free(model);
    free_bytes(source);
}

/* ---- bundles ---- */

static void bundles(void **state) {
    (void)state;
    bytes busy = busy_model(), idle = sample_not_encodable();
    for (int deflated = 0; deflated < 2; deflated++) {
        zip_member within[] = {{.name = "busy.tflite", .file = &busy, .deflated = deflated},
                               {.name = "idle.tflite", .file = &idle}};
        bytes inner = build_zip(&(zip_plan){PLAN(within)});
        zip_member all[] = {{.name = "labels.txt", .content = "one\n"},
                            {.name = "inner.task", .file = &inner, .deflated = deflated},
                            {.name = "idle.tflite", .file = &idle, .deflated = deflated}};
        bytes outer = build_zip(&(zip_plan){PLAN(all)});
        tq_model *model = load(outer), *result = rewritten(model, NULL);
        tq_model_free(model);
        bytes output = saved(result);
        tq_model_info info = {.struct_size = sizeof info};
        assert_int_equal(tq_get_model_info(result, &info), TQ_OK);
        assert_int_equal(info.file_size, output.size);
        assert_int_equal(tq_edit_count(tq_member_model(tq_member_model(result, 1), 0)), 6);
        assert_int_equal(tq_edit_count(tq_member_model(tq_member_model(result, 1), 1)), 0);

        /* saved, loaded, quantized; or all in memory */
        bytes expected = convert(output, "dynamic_wi8_afp32");
        tq_model *small = quantized(result, "dynamic_wi8_afp32");
        bytes direct = saved(small);
        tq_model *again = load(direct), *there = load(expected);
        bytes a = saved(tq_member_model(tq_member_model(again, 1), 0)),
              b = saved(tq_member_model(tq_member_model(there, 1), 0));
        assert_true(same_bytes(a, b));
        assert_int_equal(direct.size, expected.size);
        tq_model_free(again);
        tq_model_free(there);
        tq_model_free(small);
        tq_model_free(result);
        free_bytes(a);
        free_bytes(b);
        free_bytes(direct);
        free_bytes(expected);
        free_bytes(output);
        free_bytes(outer);
        free_bytes(inner);
    }
    free_bytes(idle);
    free_bytes(busy);
}

/* ---- failures ---- */

typedef struct outcome {
    tq_status status;
    tq_error error;
    bytes output;
} outcome;

static outcome run(bytes source, const tq_load_options *load_options,
                   const tq_rewrite_options *options) {
    outcome o = {.error = TQ_ERROR_INIT};
    tq_model *model = NULL, *result = NULL;
    void *data;
    uint64_t size;
    o.status = tq_load_memory(source.data, source.size, load_options, &model, &o.error);
    if (o.status == TQ_OK)
        o.status = tq_rewrite(model, options, &result, &o.error);
    if (o.status == TQ_OK)
        o.status = tq_save_memory(result, NULL, &data, &size, &o.error);
    if (o.status == TQ_OK) {
        o.output = (bytes){malloc((size_t)size), (size_t)size};
        memcpy(o.output.data, data, o.output.size);
        tq_memory_free(result, data, size);
    }
    tq_model_free(result);
    tq_model_free(model);
    return o;
}

static void fail_each(bytes source, const tq_rewrite_options *options) {
    outcome whole = run(source, NULL, options);
    assert_ok(whole.status, &whole.error);
    for (uint64_t n = 1;; n++) {
        watch memory = {.fail_at = n};
        tq_allocator allocator = watched(&memory);
        tq_load_options load_options = TQ_LOAD_OPTIONS_INIT;
        load_options.allocator = &allocator;
        outcome o = run(source, &load_options, options);
        assert_true(memory.held == 0);
        assert_true(memory.wrong == 0);
        if (memory.calls < n) {
            assert_ok(o.status, &o.error);
            assert_true(same_bytes(o.output, whole.output));
            free_bytes(o.output);
            assert_true(n > 4);
            break;
        }
        assert_failed(TQ_ERR_OUT_OF_MEMORY, o.status, &o.error);
    }
    free_bytes(whole.output);
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    const char *const all[] = {"fold-densify",  "fold-float16",      "fold-shapes",
                               "drop-identity", "broadcast-to-drop", "share-constants"};
    bytes models[] = {busy_model(), sample_everything(false), sample_everything(true)};
    tq_rewrite_options options = TQ_REWRITE_OPTIONS_INIT;
    for (size_t i = 0; i < COUNT(models); i++) {
        options.names = NULL;
        options.n_names = 0;
        fail_each(models[i], &options);
        options.names = all;
        options.n_names = COUNT(all);
        fail_each(models[i], &options);
        free_bytes(models[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it),
        cmocka_unit_test(edits_name_what_was_there),
        cmocka_unit_test(it_can_be_quantized),
        cmocka_unit_test(step_by_step),
        cmocka_unit_test(from_a_callback),
        cmocka_unit_test(all_that_is_idle),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(bundles),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
