/* SPDX-License-Identifier: Apache-2.0 */
/* tq_check(): its arguments, how long findings live, and that no model, however damaged, and no
 * allocation that fails, is too much for it. */
#include "sample_models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "zip_builder.h"

enum { BROADCAST_TO = 130, TARGETS = 6, FLOAT32 = 0, INT32 = 2 };

/* BROADCAST_TO of [1, 256, 1, 1] to [1, 32, 32, 256]. */
static bytes mismatched(void) {
    static const int32_t shape[] = {1, 32, 32, 256};
    mb_model m = {.n_opcodes = 1, .n_subgraphs = 1, .n_buffers = 1};
    m.opcodes[0] = (mb_opcode){.builtin = BROADCAST_TO, .version = 2};
    mb_subgraph *s = &m.subgraphs[0];
    uint32_t buffer = mb_add_buffer(&m, shape, sizeof shape);
    int32_t x = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = {4, {1, 256, 1, 1}}});
    int32_t to = mb_add_tensor(
        s, (mb_tensor){.name = "to", .type = INT32, .shape = {1, {4}}, .buffer = buffer});
    int32_t y = mb_add_tensor(s, (mb_tensor){.name = "y", .shape = {4, {1, 32, 32, 256}}});
    mb_add_op(s, (mb_op){.inputs = {2, {x, to}}, .outputs = {1, {y}}});
    s->inputs = (mb_list){1, {x}};
    s->outputs = (mb_list){1, {y}};
    return mb_build(&m);
}

static tq_findings *check(const tq_model *model, uint32_t target) {
    tq_check_options options = TQ_CHECK_OPTIONS_INIT;
    tq_findings *findings = NULL;
    tq_error error = TQ_ERROR_INIT;
    options.target = target;
    assert_ok(tq_check(model, &options, &findings, &error), &error);
    assert_non_null(findings);
    return findings;
}

static tq_finding at(const tq_findings *findings, uint32_t index) {
    tq_finding finding = {.struct_size = sizeof finding};
    assert_int_equal(tq_get_finding(findings, index, &finding), TQ_OK);
    return finding;
}

static void assert_mismatch(const tq_findings *findings) {
    assert_int_equal(tq_findings_count(findings), 1);
    tq_finding f = at(findings, 0);
    assert_int_equal(f.severity, TQ_SEVERITY_ERROR);
    assert_string_equal(f.rule, "shapes");
    assert_int_equal(f.subgraph, 0);
    assert_int_equal(f.op, 0);
    assert_int_equal(f.builtin_code, BROADCAST_TO);
    assert_string_equal(f.op_name, "BROADCAST_TO");
    assert_string_equal(f.tensor_name, "y");
    assert_non_null(strstr(f.message,
                           "Output shape must be broadcastable from input shape. Node number 0 "
                           "(BROADCAST_TO) failed to prepare."));
    assert_non_null(strstr(f.message, "[1,256,1,1] to [1,32,32,256]"));
}

static void findings_outlive_the_model(void **state) {
    (void)state;
    bytes source = mismatched();
    tq_model *model = load(source);
    tq_findings *findings = check(model, TQ_TARGET_LITERT);
    tq_model_free(model);
    free_bytes(source);
    assert_mismatch(findings);
    tq_findings_free(findings);
    tq_findings_free(NULL);
    assert_int_equal(tq_findings_count(NULL), 0);
}

static void bundles_are_all_their_models(void **state) {
    (void)state;
    bytes bad = mismatched(), good = float32_model();
    zip_member within[] = {{.name = "bad.tflite", .file = &bad}};
    bytes inner = build_zip(&(zip_plan){PLAN(within)});
    zip_member all[] = {{.name = "good.tflite", .file = &good, .deflated = true},
                        {.name = "folder/inner.task", .file = &inner, .deflated = true}};
    bytes outer = build_zip(&(zip_plan){PLAN(all)});
    tq_model *model = load(outer);
    tq_findings *findings = check(model, TQ_TARGET_LITERT);
    tq_model_free(model);
    assert_mismatch(findings);
    assert_string_equal(at(findings, 0).path, "folder/inner.task/bad.tflite");
    tq_findings_free(findings);
    free_bytes(bad);
    free_bytes(good);
    free_bytes(inner);
    free_bytes(outer);
}

static void wrong_arguments(void **state) {
    (void)state;
    static const char *const releases[] = {"",        "2",   "2.",    "2.x",  "v2.5", "2.5.",
                                           "2.5.0.1", "0.0", "2.100", "-2.5", " 2.5"};
    bytes source = mismatched();
    tq_model *model = load(source);
    tq_findings *findings = NULL;
    tq_error error = TQ_ERROR_INIT;
    tq_check_options options = TQ_CHECK_OPTIONS_INIT;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_check(NULL, NULL, &findings, &error), &error);
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_check(model, NULL, NULL, &error), &error);
    options.target = TARGETS;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_check(model, &options, &findings, &error), &error);
    options.target = TQ_TARGET_GPU;
    for (size_t i = 0; i < COUNT(releases); i++) {
        options.runtime = releases[i];
        assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_check(model, &options, &findings, &error),
                      &error);
    }
    options.runtime = "2.5.1";
    options.flags = TQ_CHECK_GRAPH << 1;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_check(model, &options, &findings, &error), &error);
    options.flags = 0;
    options.n_stats = 1;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_check(model, &options, &findings, &error), &error);
    tq_stats *stats = NULL;
    options.stats = &stats;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_check(model, &options, &findings, &error), &error);
    if (tq_stats_create(model, NULL, &stats, &error) == TQ_ERR_UNSUPPORTED) { /* no executor */
        stats = (void *)&source;                                              /* nobody looks */
        assert_failed(TQ_ERR_UNSUPPORTED, tq_check(model, &options, &findings, &error), &error);
    } else {
        tq_stats_free(stats);
    }
    options.n_stats = 0;
    error = (tq_error)TQ_ERROR_INIT;
    assert_null(findings);
    assert_ok(tq_check(model, &options, &findings, &error), &error);
    tq_finding finding = {.struct_size = sizeof finding};
    assert_int_equal(tq_get_finding(findings, tq_findings_count(findings), &finding),
                     TQ_ERR_INVALID_ARGUMENT);
    assert_int_equal(tq_get_finding(findings, 0, NULL), TQ_ERR_INVALID_ARGUMENT);
    tq_findings_free(findings);
    tq_model_free(model);
    free_bytes(source);
}

static void rules_and_names(void **state) {
    (void)state;
    tq_rule_info info = {.struct_size = sizeof info}, other = {.struct_size = sizeof other};
    uint32_t n = 0;
    for (; tq_get_rule_info(n, &info) == TQ_OK; n++) {
        assert_true(info.targets != 0 && info.targets < 1u << TARGETS);
        assert_true(strlen(info.name) > 0 && strlen(info.summary) > 0);
        for (uint32_t i = 0; i < n && tq_get_rule_info(i, &other) == TQ_OK; i++)
            assert_string_not_equal(info.name, other.name);
    }
    assert_true(n > 20);
    assert_string_equal(tq_target_name(TQ_TARGET_INT8_ONLY), "int8-only");
    assert_string_equal(tq_target_name(TARGETS), "unknown");
    assert_string_equal(tq_severity_name(TQ_SEVERITY_ERROR), "error");
    assert_string_equal(tq_severity_name(3), "unknown");
}

/* What was made by quantizing has scales and contents that are not there before saving. */
static void a_quantized_model(void **state) {
    (void)state;
    bytes source = float32_model();
    tq_model *model = load(source);
    for (size_t i = 0; i < UNIT_RECIPES; i++) {
        tq_model *result = quantized(model, unit_recipes[i]);
        for (uint32_t target = 0; target < TARGETS; target++)
            tq_findings_free(check(result, target));
        bytes made = saved(result);
        tq_findings_free(check(result, TQ_TARGET_XNNPACK));
        free_bytes(made);
        tq_model_free(result);
    }
    tq_model_free(model);
    free_bytes(source);
}

static bool finds(const tq_model *model, const char *rule, uint32_t flags) {
    tq_check_options options = TQ_CHECK_OPTIONS_INIT;
    tq_findings *findings = NULL;
    tq_error error = TQ_ERROR_INIT;
    bool any = false;
    options.flags = flags;
    assert_ok(tq_check(model, &options, &findings, &error), &error);
    for (uint32_t i = 0; i < tq_findings_count(findings); i++)
        any = any || strcmp(at(findings, i).rule, rule) == 0;
    tq_findings_free(findings);
    return any;
}

static void without_reading_weights(void **state) {
    (void)state;
    bytes weights = sample_not_encodable(), shapes = mismatched();
    tq_model *model = load(weights), *other = load(shapes);
    assert_true(finds(model, "not-finite", 0));
    assert_false(finds(model, "not-finite", TQ_CHECK_GRAPH));
    assert_true(finds(other, "shapes", TQ_CHECK_GRAPH));
    tq_model_free(other);
    tq_model_free(model);
    free_bytes(shapes);
    free_bytes(weights);
}

/* Names come from files: what is said of them stays one line. */
static void messages_are_one_line(void **state) {
    (void)state;
    mb_model m = {.n_opcodes = 1, .n_subgraphs = 1, .n_buffers = 1};
    m.opcodes[0] = (mb_opcode){.builtin = 32, .custom = "My\nOp\xff"};
    mb_subgraph *s = &m.subgraphs[0];
    int32_t x = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = {1, {4}}});
    int32_t y = mb_add_tensor(s, (mb_tensor){.name = "y", .shape = {1, {4}}});
    mb_add_op(s, (mb_op){.inputs = {1, {x}}, .outputs = {1, {y}}});
    s->inputs = (mb_list){1, {x}};
    s->outputs = (mb_list){1, {y}};
    bytes source = mb_build(&m);
    tq_model *model = load(source);
    tq_findings *findings = check(model, TQ_TARGET_LITERT);
    assert_int_equal(tq_findings_count(findings), 1);
    assert_non_null(strstr(at(findings, 0).message, "custom op: My?Op?."));
    tq_findings_free(findings);
    tq_model_free(model);
    free_bytes(source);
}

/* ---- failures ---- */

static void each_allocation_may_fail(void **state) {
    (void)state;
    bytes source = sample_everything(false);
    for (uint64_t n = 1;; n++) {
        watch memory = {0};
        tq_error error = TQ_ERROR_INIT;
        tq_model *model = watched_load(source, &memory, 0);
        tq_findings *findings = NULL;
        tq_check_options options = TQ_CHECK_OPTIONS_INIT;
        options.target = TQ_TARGET_INT8_ONLY;
        uint64_t held = memory.held;
        memory.fail_at = memory.calls + n;
        tq_status status = tq_check(model, &options, &findings, &error);
        bool failed = memory.calls >= memory.fail_at;
        memory.fail_at = 0;
        if (failed) {
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
            assert_null(findings);
            assert_true(memory.held == held);
        }
        tq_findings_free(findings);
        tq_model_free(model);
        assert_true(memory.held == 0 && memory.wrong == 0);
        if (!failed) {
            assert_ok(status, &error);
            assert_true(n > 4);
            break;
        }
    }
    free_bytes(source);
}

/* Bytes that are others here and there: a model that still loads can be checked, in memory that the
 * file's size bounds. */
static void damaged_models(void **state) {
    (void)state;
    const bytes sources[] = {sample_everything(false), sample_everything(true), mismatched(),
                             sample_not_encodable()};
    uint32_t seed = 1, loaded = 0;
    const uint32_t tries = UNIT_SLOW ? 400 : 2000;
    for (size_t i = 0; i < COUNT(sources); i++) {
        uint8_t *copy = malloc(sources[i].size);
        for (uint32_t n = 0; n < tries; n++) {
            memcpy(copy, sources[i].data, sources[i].size);
            for (int k = 0; k < 3; k++) {
                seed = seed * 1664525u + 1013904223u;
                copy[(seed >> 8) % sources[i].size] = (uint8_t)(k == 2 ? seed >> 29 : seed >> 24);
            }
            watch memory = {.ceiling = 256 * (uint64_t)sources[i].size + (16 << 20)};
            tq_allocator allocator = watched(&memory);
            tq_load_options options = TQ_LOAD_OPTIONS_INIT;
            options.allocator = &allocator;
            tq_model *model = NULL;
            if (tq_load_memory(copy, sources[i].size, &options, &model, NULL) != TQ_OK)
                continue;
            loaded++;
            for (uint32_t target = 0; target < TARGETS; target++) {
                tq_findings *findings = check(model, target);
                for (uint32_t f = 0; f < tq_findings_count(findings); f++)
                    assert_true(strlen(at(findings, f).message) > 0);
                tq_findings_free(findings);
            }
            tq_model_free(model);
            assert_true(memory.held == 0);
        }
        free(copy);
        free_bytes(sources[i]);
    }
    assert_true(loaded > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings_outlive_the_model),
        cmocka_unit_test(bundles_are_all_their_models),
        cmocka_unit_test(wrong_arguments),
        cmocka_unit_test(rules_and_names),
        cmocka_unit_test(a_quantized_model),
        cmocka_unit_test(without_reading_weights),
        cmocka_unit_test(messages_are_one_line),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(damaged_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
