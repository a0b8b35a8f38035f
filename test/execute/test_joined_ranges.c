/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of tensors as runs show them, and the rule of tq_check() that asks for them. */
#include "stats_help.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/stats.h"
#include "calibrate/tensor_ranges.h"
#include "cpu/cpu.h"

enum { OP_CONCATENATION = 2, OP_PACK = 83, OPTIONS_CONCATENATION = 10, OPTIONS_PACK = 59 };
enum { WIDTH = 8 };
static const mb_list ROW = {2, {1, WIDTH}};

/* ---- recording ---- */

static void assert_range(const tqi_value_range *range, float low, float high) {
    assert_true(tqi_is_known(range));
    assert_true(range->low == low && range->high == high);
}

/* Of a graph of one RELU, all of whose values are what is given. */
static tqi_value_range seen_of(const float *data, size_t n, uint32_t cpu_flags) {
    static int32_t index[] = {0, 1};
    static tqi_tensor tensors[2];
    static tqi_operator op = {.inputs = index, .outputs = index + 1, .n_inputs = 1, .n_outputs = 1};
    tqi_subgraph s = {.tensors = tensors, .n_tensors = 2, .operators = &op, .n_operators = 1};
    tqi_heap heap;
    tqi_heap_init(&heap, NULL, 0);
    tqi_tensor_ranges ranges;
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tqi_tensor_ranges_open(&ranges, &s, cpu_flags, &heap, &error), &error);
    const tqi_value value = {.type = TQI_TYPE_FLOAT32,
                             .rank = 1,
                             .shape = {(int32_t)n},
                             .elements = n,
                             .data = (void *)(uintptr_t)data};
    const tqi_value *inputs[] = {NULL};
    tqi_tensor_ranges_observe(&ranges, &(tqi_seen){0, inputs, &value, 1, 1});
    tqi_value_range range = ranges.list[1];
    assert_false(tqi_is_known(&ranges.list[0]));
    tqi_tensor_ranges_close(&ranges);
    return range;
}

static void only_finite_values_count(void **state) {
    (void)state;
    enum { MOST = 70 };
    static const uint32_t levels[] = {0, TQ_CPU_AVX2, TQ_CPU_AVX2 | TQ_CPU_AVX512, TQ_CPU_NEON};
    static const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f, -3e38f};
    float data[MOST];
    for (size_t level = 0; level < COUNT(levels); level++) {
        uint32_t flags = levels[level] & tqi_cpu_flags();
        for (uint32_t n = 1; n <= MOST; n++) {
            float low = FLT_MAX, high = -FLT_MAX;
            small_fill(data, n, n);
            for (uint32_t i = 0; i < 5 && i < n; i++)
                data[(i * 13 + n) % n] = odd[(i + n) % COUNT(odd)];
            for (uint32_t i = 0; i < n; i++)
                if (isfinite(data[i])) {
                    low = data[i] < low ? data[i] : low;
                    high = data[i] > high ? data[i] : high;
                }
            tqi_value_range range = seen_of(data, n, flags);
            assert_true(range.low == low && range.high == high);
        }
        for (uint32_t i = 0; i < MOST; i++)
            data[i] = NAN;
        tqi_value_range range = seen_of(data, MOST, flags);
        assert_false(tqi_is_known(&range));
    }
}

static const tqi_value_range *ranges_of(tq_stats *stats) {
    const tqi_value_range *ranges = NULL;
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tqi_gathering_ranges(&stats->gathering, &ranges, &error), &error);
    assert_non_null(ranges);
    return ranges;
}

static void tensors_of_a_run(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    tq_model *model = load(file);
    tq_stats *stats = stats_of(model, 3);
    const tqi_subgraph *s = &stats->gathering.graph->subgraphs[0];
    const tqi_value_range *ranges = ranges_of(stats);
    float low = FLT_MAX, high = -FLT_MAX;
    for (uint32_t k = 0; k < 3; k++)
        for (uint32_t i = 0; i < N; i++) {
            float x = ((const float *)stats_inputs(k)[0].data)[i];
            low = x < low ? x : low;
            high = x > high ? x : high;
        }
    assert_range(&ranges[0], low, high);
    for (uint32_t i = 0; i < s->n_tensors; i++) /* weights, too, but not what is of integers */
        assert_true(tqi_is_known(&ranges[i]) == (s->tensors[i].type == TQI_TYPE_FLOAT32));
    const tqi_operator *cast = &s->operators[s->n_operators - 1];
    assert_range(&ranges[cast->outputs[0]], 1, 3);
    tq_stats_free(stats);
    tq_model_free(model);
    free(file.data);
}

/* What the library makes up does not mix with what is given. */
static void given_samples_count_alone(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    tq_model *model = load(file);
    tq_stats *stats = stats_of(model, 0), *other = stats_of(model, 1);
    size_t size = stats->gathering.graph->subgraphs[0].n_tensors * sizeof(tqi_value_range);
    tqi_value_range *own = malloc(size);
    assert_non_null(own);
    memcpy(own, ranges_of(stats), size);
    assert_memory_equal(own, ranges_of(stats), size);
    assert_memory_not_equal(own, ranges_of(other), size);
    tq_error error = TQ_ERROR_INIT;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_stats_add(stats, stats_inputs(0), 1, &error), &error);
    assert_memory_equal(own, ranges_of(stats), size);
    error = (tq_error)TQ_ERROR_INIT;
    assert_ok(tq_stats_add(stats, stats_inputs(0), 2, &error), &error);
    assert_memory_equal(ranges_of(stats), ranges_of(other), size);
    free(stats_result_with(model, &other, 1).data); /* which runs it on synthetic inputs as well */
    assert_memory_equal(ranges_of(stats), ranges_of(other), size);
    free(own);
    tq_stats_free(other);
    tq_stats_free(stats);
    tq_model_free(model);
    free(file.data);
}

/* ---- the rule ---- */

/* Two inputs that an operator joins. */
static bytes joining(int32_t builtin) {
    mb_model m = small_graph(ROW);
    mb_subgraph *s = &m.subgraphs[0];
    int32_t b = mb_add_tensor(s, (mb_tensor){.name = "b", .shape = ROW});
    int32_t y = mb_add_tensor(s, (mb_tensor){.name = "y", .shape = {2, {1, 2 * WIDTH}}});
    mb_op op = {.opcode = small_opcode(&m, builtin), .inputs = {2, {0, b}}, .outputs = {1, {y}}};
    op.options_type = builtin == OP_PACK ? OPTIONS_PACK : OPTIONS_CONCATENATION;
    op.options[0] = builtin == OP_PACK ? 2 : 1;
    if (builtin == OP_PACK)
        s->tensors[y].shape = (mb_list){3, {2, 1, WIDTH}};
    mb_add_op(s, op);
    s->inputs.at[s->inputs.count++] = b;
    s->outputs = (mb_list){1, {y}};
    return mb_build(&m);
}

/* Adds inputs from -x to x and from `low` to `high`; one of each is NaN. */
static void add_inputs(tq_stats *stats, float x, float low, float high) {
    float a[WIDTH] = {-x, 0, x, 0, NAN, x / 2}, b[WIDTH] = {low, NAN, high, low, high};
    for (uint32_t i = 5; i < WIDTH; i++)
        b[i] = low;
    const tq_array inputs[] = {stats_array(a, TQI_TYPE_FLOAT32, ROW),
                               stats_array(b, TQI_TYPE_FLOAT32, ROW)};
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tq_stats_add(stats, inputs, 2, &error), &error);
}

static tq_findings *check_with(const tq_model *model, uint32_t target, tq_stats *stats) {
    tq_check_options options = TQ_CHECK_OPTIONS_INIT;
    tq_findings *findings = NULL;
    tq_error error = TQ_ERROR_INIT;
    options.target = target;
    options.stats = &stats;
    options.n_stats = stats ? 1 : 0;
    assert_ok(tq_check(model, &options, &findings, &error), &error);
    return findings;
}

/* The rule's only finding; false: there is none. */
static bool found_by(const tq_findings *findings, tq_finding *found) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < tq_findings_count(findings); i++) {
        tq_finding f = {.struct_size = sizeof f};
        assert_int_equal(tq_get_finding(findings, i, &f), TQ_OK);
        if (strcmp(f.rule, "joined-ranges") == 0) {
            *found = f;
            n++;
        }
    }
    assert_true(n <= 1);
    return n == 1;
}

static bool finds(const tq_model *model, uint32_t target, tq_stats *stats) {
    tq_finding found;
    tq_findings *findings = check_with(model, target, stats);
    bool any = found_by(findings, &found);
    tq_findings_free(findings);
    return any;
}

static tq_stats *joined_stats(const tq_model *model, float x, float low, float high) {
    tq_stats *stats = stats_of(model, 0);
    add_inputs(stats, x, low, high);
    return stats;
}

static void ranges_far_apart(void **state) {
    (void)state;
    static const struct {
        float x, low, high;
        bool far;
    } cases[] = {
        {1, -15, 15, false}, {1, -16, 16, false},      {1, -16.5f, 16, true},
        {1, 0, 33, true},    {1, 31, 32, false},       {1, 32, 33, true}, /* int8 has to hold 0 */
        {100, -1, 1, true},  {100, -7, 7, false},      {1, 0, 0, false},
        {0, 5, 6, false},    {1e-30f, 0, 1e30f, true},
    };
    static const int32_t builtins[] = {OP_CONCATENATION, OP_PACK};
    for (size_t b = 0; b < COUNT(builtins); b++) {
        bytes file = joining(builtins[b]);
        tq_model *model = load(file);
        for (size_t i = 0; i < COUNT(cases); i++) {
            tq_stats *stats = joined_stats(model, cases[i].x, cases[i].low, cases[i].high);
            if (finds(model, TQ_TARGET_INT8_ONLY, stats) != cases[i].far)
                fail_msg("builtin %d, case %zu", (int)builtins[b], i);
            assert_true(finds(model, TQ_TARGET_TFLITE_MICRO, stats) == cases[i].far);
            for (uint32_t target = 0; target < TQ_TARGET_TFLITE_MICRO; target++)
                assert_false(finds(model, target, stats));
            tq_stats_free(stats);
        }
        tq_model_free(model);
        free(file.data);
    }
}

static void what_the_finding_says(void **state) {
    (void)state;
    bytes file = joining(OP_CONCATENATION);
    tq_model *model = load(file);
    tq_stats *stats = joined_stats(model, 0.5f, -20, 235);
    tq_findings *findings = check_with(model, TQ_TARGET_INT8_ONLY, stats);
    tq_finding found;
    assert_true(found_by(findings, &found));
    assert_int_equal(found.severity, TQ_SEVERITY_WARNING);
    assert_int_equal(found.op, 0);
    assert_int_equal(found.op_input, 0);
    assert_string_equal(found.tensor_name, "x");
    assert_string_equal(found.cure, "");
    static const char *const parts[] = {"input 0 'x', -0.5 to 0.5", "input 1 'b', -20 to 235",
                                        "255 times", "leaves 1 of 256 levels"};
    for (size_t i = 0; i < COUNT(parts); i++)
        if (!strstr(found.message, parts[i]))
            fail_msg("'%s' is not in: %s", parts[i], found.message);
    tq_findings_free(findings);
    tq_stats_free(stats);
    tq_model_free(model);
    free(file.data);
}

static void not_without_statistics_of_the_model(void **state) {
    (void)state;
    bytes files[] = {joining(OP_CONCATENATION), joining(OP_PACK)};
    tq_model *models[] = {load(files[0]), load(files[1])};
    tq_stats *stats = joined_stats(models[0], 1, 0, 100);
    assert_true(finds(models[0], TQ_TARGET_INT8_ONLY, stats));
    assert_false(finds(models[0], TQ_TARGET_INT8_ONLY, NULL));
    assert_false(finds(models[1], TQ_TARGET_INT8_ONLY, stats));
    tq_model *copy = quantized(models[0], "none");
    assert_false(finds(copy, TQ_TARGET_INT8_ONLY, stats));
    tq_model_free(copy);
    /* on synthetic inputs both are alike; then on what is given, for they are not ended */
    tq_stats *empty = stats_of(models[0], 0);
    assert_false(finds(models[0], TQ_TARGET_INT8_ONLY, empty));
    assert_int_equal(stats_info(empty).sets, 0);
    add_inputs(empty, 1, 0, 100);
    assert_true(finds(models[0], TQ_TARGET_INT8_ONLY, empty));
    add_inputs(empty, 50, 0, 1);
    assert_false(finds(models[0], TQ_TARGET_INT8_ONLY, empty));
    tq_stats *none = NULL;
    tq_check_options options = TQ_CHECK_OPTIONS_INIT;
    tq_findings *findings = NULL;
    tq_error error = TQ_ERROR_INIT;
    options.stats = &none;
    options.n_stats = 1;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_check(models[0], &options, &findings, &error),
                  &error);
    assert_null(findings);
    tq_stats_free(empty);
    tq_stats_free(stats);
    for (int i = 0; i < 2; i++) {
        tq_model_free(models[i]);
        free(files[i].data);
    }
}

/* tq_quantize() makes the same of statistics that were checked with in between. */
static void nothing_else_changes(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    tq_model *model = load(file);
    for (uint32_t sets = 0; sets < 3; sets += 2) {
        tq_stats *stats[] = {stats_of(model, sets), stats_of(model, sets)};
        finds(model, TQ_TARGET_INT8_ONLY, stats[1]);
        bytes plain = stats_result_with(model, stats, 1);
        bytes checked = stats_result_with(model, stats + 1, 1);
        assert_true(same_bytes(plain, checked));
        finds(model, TQ_TARGET_INT8_ONLY, stats[1]); /* ended by now */
        free(plain.data);
        free(checked.data);
        tq_stats_free(stats[0]);
        tq_stats_free(stats[1]);
    }
    tq_model_free(model);
    free(file.data);
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    bytes file = joining(OP_CONCATENATION);
    for (uint64_t n = 1;; n++) {
        watch memory = {0};
        tq_error error = TQ_ERROR_INIT;
        tq_model *model = watched_load(file, &memory, 0);
        tq_findings *findings = NULL;
        tq_stats *stats = NULL;
        memory.fail_at = memory.calls + n;
        tq_status status = tq_stats_create(model, NULL, &stats, &error);
        tq_check_options options = TQ_CHECK_OPTIONS_INIT;
        options.target = TQ_TARGET_INT8_ONLY;
        options.stats = &stats;
        options.n_stats = 1;
        if (status == TQ_OK)
            status = tq_check(model, &options, &findings, &error);
        bool failed = memory.calls >= memory.fail_at;
        memory.fail_at = 0;
        if (!failed) {
            assert_ok(status, &error);
            assert_true(n > 20);
        } else if (status != TQ_OK) { /* constants may also be let go, and it goes on */
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
            assert_null(findings);
            if (stats) { /* they are as good as before */
                add_inputs(stats, 1, 0, 100);
                assert_true(finds(model, TQ_TARGET_INT8_ONLY, stats));
            }
        }
        tq_findings_free(findings);
        tq_stats_free(stats);
        tq_model_free(model);
        assert_true(memory.held == 0 && memory.wrong == 0);
        if (!failed)
            break;
    }
    free(file.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_finite_values_count),
        cmocka_unit_test(tensors_of_a_run),
        cmocka_unit_test(given_samples_count_alone),
        cmocka_unit_test(ranges_far_apart),
        cmocka_unit_test(what_the_finding_says),
        cmocka_unit_test(not_without_statistics_of_the_model),
        cmocka_unit_test(nothing_else_changes),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
