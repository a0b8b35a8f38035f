/* SPDX-License-Identifier: Apache-2.0 */
/* tq_stats through the public API: what is wrong is refused and named, nothing leaks. */
#include "stats_help.h"

#include <stdlib.h>
#include <string.h>

#include "zip_builder.h"

typedef struct fixture {
    bytes file;
    tq_model *model;
    tq_stats *stats;
} fixture;

static int set_up(void **state) {
    static fixture f;
    f.file = stats_file(1, false);
    f.model = load(f.file);
    f.stats = stats_of(f.model, 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    tq_stats_free(f->stats);
    tq_model_free(f->model);
    free(f->file.data);
    return 0;
}

/* ---- arrays ---- */

static void wrong_arrays_are_named(void **state) {
    const fixture *f = *state;
    static float data[2 * N];
    static const int32_t negative[] = {1, -N}, zero[] = {1, 0}, huge[] = {1 << 30, 1 << 30};
    tq_array good[2], wrong;
    memcpy(good, stats_inputs(0), sizeof good);
    const tq_array x = good[0];
    struct {
        tq_array array;
        uint32_t at;
    } cases[20] = {0};
    uint32_t n = 0;
#define CASE(index, change)                                                                        \
    (wrong = good[index], change, cases[n].at = index, cases[n++].array = wrong)
    CASE(0, wrong.data = NULL);
    CASE(0, wrong.shape = NULL);
    CASE(0, wrong.bytes--);
    CASE(0, wrong.bytes++);
    CASE(0, wrong.bytes = 0);
    CASE(0, wrong.rank = 1);
    CASE(0, wrong.rank = 9);
    CASE(0, wrong.rank = UINT32_MAX);
    CASE(0, wrong.rank = 0);
    CASE(0, wrong.shape = negative);
    CASE(0, wrong.shape = zero);
    CASE(0, (wrong.shape = huge, wrong.bytes = UINT64_C(1) << 62));
    CASE(0, wrong.type = TQI_TYPE_INT32);
    CASE(0, wrong.type = 77);
    CASE(0, wrong.type = -1);
    CASE(0, wrong = stats_array(data, TQI_TYPE_FLOAT32, (mb_list){2, {1, 2 * N}}));
    CASE(0, wrong = stats_array(data, TQI_TYPE_FLOAT32, (mb_list){2, {N, 1}}));
    CASE(0, wrong = stats_array(data, TQI_TYPE_FLOAT32, (mb_list){1, {N}}));
    CASE(1, wrong = stats_array(data, TQI_TYPE_FLOAT32, (mb_list){2, {1, IDS}}));
    CASE(1, wrong = stats_array(data, TQI_TYPE_INT64, (mb_list){2, {1, IDS}}));
#undef CASE
    assert_int_equal(n, COUNT(cases));
    for (uint32_t i = 0; i < n; i++) {
        tq_array arrays[] = {good[0], good[1]};
        tq_error error = TQ_ERROR_INIT;
        arrays[cases[i].at] = cases[i].array;
        tq_status status = tq_stats_add(f->stats, arrays, 2, &error);
        if (status != TQ_ERR_INVALID_ARGUMENT)
            fail_msg("case %u: %s", i, tq_status_name(status));
        assert_message(&error);
        assert_int_equal(error.subgraph, 0);
        assert_int_equal(error.tensor, cases[i].at);
        assert_int_equal(tq_stats_add(f->stats, arrays, 2, NULL), TQ_ERR_INVALID_ARGUMENT);
    }
    for (uint32_t count = 0; count < 5; count++) {
        tq_array arrays[] = {x, good[1], x, x};
        tq_error error = TQ_ERROR_INIT;
        if (count == 2)
            continue;
        assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_stats_add(f->stats, arrays, count, &error),
                      &error);
    }
    assert_int_equal(stats_info(f->stats).sets, 0);
    assert_int_equal(stats_info(f->stats).known, 0);
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tq_stats_add(f->stats, good, 2, &error), &error);
    assert_int_equal(stats_info(f->stats).sets, 1);
}

static void missing_arguments(void **state) {
    const fixture *f = *state;
    tq_stats *stats = NULL;
    tq_stats_info info = {.struct_size = sizeof info};
    const tq_array *inputs = stats_inputs(0);
    const tq_status statuses[] = {
        tq_stats_create(NULL, NULL, &stats, NULL),
        tq_stats_create(f->model, NULL, NULL, NULL),
        tq_stats_add(NULL, inputs, 2, NULL),
        tq_stats_add(f->stats, NULL, 2, NULL),
        tq_get_stats_info(NULL, &info),
        tq_get_stats_info(f->stats, NULL),
    };
    for (size_t i = 0; i < COUNT(statuses); i++)
        if (statuses[i] != TQ_ERR_INVALID_ARGUMENT)
            fail_msg("call %zu: %s", i, tq_status_name(statuses[i]));
    assert_null(stats);
    tq_stats_free(NULL);
}

/* ---- structs of any age ---- */

static void options_of_any_age(void **state) {
    const fixture *f = *state;
    uint8_t options[64] = {0};
    for (uint32_t size = 0; size <= sizeof options; size += 2) {
        tq_stats *stats = NULL;
        tq_error error = TQ_ERROR_INIT;
        memcpy(options, &size, sizeof size);
        tq_status status = tq_stats_create(f->model, (void *)options, &stats, &error);
        if (size < sizeof size)
            assert_failed(TQ_ERR_INVALID_ARGUMENT, status, &error);
        else
            assert_ok(status, &error);
        assert_true((stats != NULL) == (status == TQ_OK));
        tq_stats_free(stats);
    }
    tq_stats *stats = NULL;
    options[0] = sizeof(tq_stats_options) + 4;
    options[sizeof(tq_stats_options)] = 1;
    assert_int_equal(tq_stats_create(f->model, (void *)options, &stats, NULL),
                     TQ_ERR_INVALID_ARGUMENT);
    assert_null(stats);
}

static void info_of_any_age(void **state) {
    const fixture *f = *state;
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tq_stats_add(f->stats, stats_inputs(0), 2, &error), &error);
    tq_stats_info whole = stats_info(f->stats);
    assert_int_equal(whole.sets, 1);
    assert_int_equal(whole.layers, 4);
    assert_int_equal(whole.known, 4);
    assert_int_equal(whole.operators, 5);
    assert_int_equal(whole.refused, 0);
    assert_string_equal(whole.refusal, "");
    for (uint32_t size = 0; size <= sizeof whole + 16; size += 4) {
        uint8_t info[128];
        memset(info, 0x5a, sizeof info);
        memcpy(info, &size, sizeof size);
        tq_status status = tq_get_stats_info(f->stats, (void *)info);
        assert_int_equal(status, size < 4 ? TQ_ERR_INVALID_ARGUMENT : TQ_OK);
        uint32_t known = size < sizeof whole ? size : sizeof whole;
        if (size > 4)
            assert_memory_equal(info + 4, (const uint8_t *)&whole + 4, known - 4);
        for (uint32_t i = known > 4 ? known : 4; i < sizeof info; i++)
            assert_int_equal(info[i], i < size ? 0 : 0x5a);
    }
}

/* ---- whose ---- */

static void statistics_are_of_loaded_models(void **state) {
    const fixture *f = *state;
    tq_error error = TQ_ERROR_INIT;
    tq_stats *stats = NULL;
    tq_model *small = quantized(f->model, "int8");
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_stats_create(small, NULL, &stats, &error), &error);
    assert_non_null(strstr(error.message, "quantized"));
    tq_model_free(small);
    const zip_member members[] = {{.name = "note.txt", .content = "text"},
                                  {.name = "a.tflite", .file = &f->file}};
    zip_plan plan = {PLAN(members)};
    bytes zip = build_zip(&plan);
    tq_model *bundle = load(zip);
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_stats_create(bundle, NULL, &stats, &error), &error);
    assert_non_null(strstr(error.message, "bundle"));
    assert_null(stats);
    /* but of what is in it, which they outlive */
    stats = stats_of(tq_member_model(bundle, 1), 2);
    tq_model_free(bundle);
    assert_ok(tq_stats_add(stats, stats_inputs(3), 2, &error), &error);
    assert_int_equal(stats_info(stats).sets, 3);
    tq_stats_free(stats);
    free(zip.data);
}

static void subgraphs_are_chosen(void **state) {
    (void)state;
    bytes file = stats_file_of_two();
    tq_model *model = load(file);
    static float data[2 * N];
    small_fill(data, 2 * N, 1);
    for (uint32_t i = 0; i < 3; i++) {
        tq_stats_options options = TQ_STATS_OPTIONS_INIT;
        tq_error error = TQ_ERROR_INIT;
        tq_stats *stats = NULL;
        options.subgraph = i;
        tq_status status = tq_stats_create(model, &options, &stats, &error);
        if (i == 2) {
            assert_failed(TQ_ERR_INVALID_ARGUMENT, status, &error);
            assert_null(stats);
            break;
        }
        assert_ok(status, &error);
        for (int32_t k = 0; k < 2; k++) {
            tq_array array = stats_array(data, TQI_TYPE_FLOAT32, (mb_list){2, {1, (k + 1) * N}});
            status = tq_stats_add(stats, &array, 1, &error);
            if (k == (int32_t)i)
                assert_ok(status, &error);
            else
                assert_failed(TQ_ERR_INVALID_ARGUMENT, status, &error);
        }
        assert_int_equal(error.subgraph, i);
        assert_int_equal(stats_info(stats).sets, 1);
        assert_int_equal(stats_info(stats).layers, 1);
        tq_stats_free(stats);
    }
    tq_model_free(model);
    free(file.data);
}

static void what_can_not_be_run_is_told(void **state) {
    (void)state;
    bytes file = stats_file(1, true);
    tq_model *model = load(file);
    tq_stats *stats = stats_of(model, 0);
    assert_int_equal(stats_info(stats).refused, 0); /* nothing was tried */
    tq_stats_free(stats);
    stats = stats_of(model, 1);
    tq_stats_info info = stats_info(stats);
    assert_int_equal(info.refused, 1);
    assert_int_equal(info.known, 2);
    assert_int_equal(info.layers, 4);
    assert_non_null(strstr(info.refusal, "Mystery"));
    tq_stats_free(stats);
    tq_model_free(model);
    free(file.data);
}

/* ---- memory ---- */

static tq_status whole_life(const tq_model *model, tq_error *error) {
    tq_stats *stats = NULL;
    tq_status status = tq_stats_create(model, NULL, &stats, error);
    assert_true((stats != NULL) == (status == TQ_OK));
    for (uint32_t i = 0; i < 6 && status == TQ_OK; i++)
        status = tq_stats_add(stats, stats_inputs(i), 2, error);
    tq_stats_free(stats);
    return status;
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    for (uint64_t n = 1;; n++) {
        watch memory = {0};
        tq_error error = TQ_ERROR_INIT;
        tq_model *model = watched_load(file, &memory, 0);
        uint64_t held = memory.held;
        memory.fail_at = memory.calls + n;
        tq_status status = whole_life(model, &error);
        assert_true(memory.held == held && memory.wrong == 0);
        if (status != TQ_OK)
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
        bool all = memory.calls < memory.fail_at;
        tq_model_free(model);
        assert_true(memory.held == 0);
        if (all)
            break;
    }
    free(file.data);
}

static void the_ceiling_holds(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    assert_true(stats_refused_within(file, whole_life, 40) > 20);
    free(file.data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(wrong_arrays_are_named),
        TEST(missing_arguments),
        TEST(options_of_any_age),
        TEST(info_of_any_age),
        TEST(statistics_are_of_loaded_models),
        cmocka_unit_test(subgraphs_are_chosen),
        cmocka_unit_test(what_can_not_be_run_is_told),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(the_ceiling_holds),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
