/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes that run the model, with statistics and without, and goals. */
#include "stats_help.h"

#include <math.h>
#include <stdlib.h>

/* ---- with statistics ---- */

static void statistics_make_a_difference(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    tq_model *model = load(file);
    tq_stats *stats[] = {stats_of(model, 3), stats_of(model, 3), stats_of(model, 4)};
    bytes without = stats_result_of(model, "int8", NULL), made[3];
    for (uint32_t i = 0; i < 3; i++)
        made[i] = stats_result_with(model, &stats[i], 1);
    assert_true(same_bytes(made[0], made[1]));
    assert_false(same_bytes(made[0], made[2]));
    assert_false(same_bytes(made[0], without));
    bytes again = stats_result_with(model, &stats[0], 1); /* used before */
    assert_true(same_bytes(made[0], again));
    tq_error error = TQ_ERROR_INIT;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tq_stats_add(stats[0], stats_inputs(9), 2, &error),
                  &error);
    assert_int_equal(stats_info(stats[0]).sets, 3);
    for (uint32_t i = 0; i < 3; i++) {
        tq_stats_free(stats[i]);
        free(made[i].data);
    }
    free(again.data);
    free(without.data);
    tq_model_free(model);
    free(file.data);
}

static void statistics_are_for_their_model_alone(void **state) {
    (void)state;
    bytes files[] = {stats_file(1, false), stats_file(2, false)};
    tq_model *models[] = {load(files[0]), load(files[1])};
    tq_stats *stats[] = {stats_of(models[1], 3), stats_of(models[0], 3)};
    bytes without = stats_result_of(models[0], "int8", NULL);
    bytes other = stats_result_with(models[0], stats, 1),
          both = stats_result_with(models[0], stats, 2);
    bytes own = stats_result_with(models[0], stats + 1, 1);
    assert_true(same_bytes(without, other));
    assert_true(same_bytes(both, own));
    assert_false(same_bytes(both, without));
    /* what is not asked for is not ended */
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tq_stats_add(stats[0], stats_inputs(5), 2, &error), &error);
    bytes all[] = {without, other, both, own};
    for (uint32_t i = 0; i < COUNT(all); i++)
        free(all[i].data);
    for (uint32_t i = 0; i < 2; i++) {
        tq_stats_free(stats[i]);
        tq_model_free(models[i]);
        free(files[i].data);
    }
}

static void statistics_and_models_go_in_any_order(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    watch memory = {0};
    bytes first = {NULL, 0};
    for (int order = 0; order < 3; order++) {
        tq_model *model = watched_load(file, &memory, 0);
        tq_stats *stats = stats_of(model, 2);
        tq_quantize_options options = TQ_QUANTIZE_OPTIONS_INIT;
        options.stats = &stats;
        options.n_stats = 1;
        tq_model *result = stats_quantize(model, "int8", &options);
        if (order < 2)
            tq_model_free(model);
        if (order == 0)
            tq_stats_free(stats);
        if (order == 1) {
            assert_int_equal(stats_info(stats).sets, 2);
            assert_int_equal(stats_info(stats).known, 4);
        }
        bytes out = saved(result);
        assert_true(order == 0 || same_bytes(out, first));
        assert_int_equal(stats_totals_of(result).known_layers, 4);
        tq_model_free(result);
        if (order > 0)
            tq_stats_free(stats);
        if (order == 2)
            tq_model_free(model);
        assert_true(memory.held == 0 && memory.wrong == 0);
        if (order == 0)
            first = out;
        else
            free(out.data);
    }
    free(first.data);
    free(file.data);
}

static void subgraphs_have_their_own(void **state) {
    (void)state;
    bytes file = stats_file_of_two();
    tq_model *model = load(file);
    static float data[2 * N];
    tq_stats *stats[2] = {NULL, NULL};
    bytes made[4];
    for (int32_t i = 0; i < 2; i++) {
        tq_stats_options options = TQ_STATS_OPTIONS_INIT;
        tq_error error = TQ_ERROR_INIT;
        options.subgraph = (uint32_t)i;
        assert_ok(tq_stats_create(model, &options, &stats[i], &error), &error);
        for (uint32_t k = 0; k < 3; k++) {
            small_fill(data, 2 * N, k);
            tq_array array = stats_array(data, TQI_TYPE_FLOAT32, (mb_list){2, {1, (i + 1) * N}});
            assert_ok(tq_stats_add(stats[i], &array, 1, &error), &error);
        }
    }
    made[0] = stats_result_of(model, "int8", NULL);
    made[1] = stats_result_with(model, stats, 1);
    made[2] = stats_result_with(model, stats + 1, 1);
    made[3] = stats_result_with(model, stats, 2);
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t k = 0; k < i; k++)
            assert_false(same_bytes(made[i], made[k]));
    tq_model *result = stats_quantize(model, "int8", NULL);
    assert_int_equal(stats_totals_of(result).layers, 2);
    assert_int_equal(stats_totals_of(result).known_layers, 2);
    tq_model_free(result);
    for (uint32_t i = 0; i < 4; i++)
        free(made[i].data);
    for (uint32_t i = 0; i < 2; i++)
        tq_stats_free(stats[i]);
    tq_model_free(model);
    free(file.data);
}

/* ---- options ---- */

static void options_that_make_no_sense(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    tq_model *model = load(file);
    tq_stats *none = NULL;
    const tq_quantize_options plain = TQ_QUANTIZE_OPTIONS_INIT;
    tq_quantize_options cases[8];
    for (uint32_t i = 0; i < COUNT(cases); i++)
        cases[i] = plain;
    cases[0].n_stats = 1;
    cases[1].n_stats = 1;
    cases[1].stats = &none;
    cases[2].min_snr_db = -1;
    cases[3].min_snr_db = (double)NAN;
    cases[4].min_snr_db = 30;
    cases[4].target_size = 1000;
    cases[5].effort = 3;
    cases[6].target = TQ_TARGET_INT8_ONLY + 1;
    cases[7].flags = 1u << 20;
    for (uint32_t i = 0; i < COUNT(cases); i++) {
        tq_model *result;
        tq_error error;
        assert_failed(TQ_ERR_INVALID_ARGUMENT,
                      stats_try_quantize(model, "int8", &cases[i], &result, &error), &error);
    }
    tq_model_free(model);
    free(file.data);
}

/* ---- goals ---- */

static tq_report_totals aim(const tq_model *model, const char *recipe, uint64_t size, double db) {
    tq_quantize_options options = TQ_QUANTIZE_OPTIONS_INIT;
    options.target_size = size;
    options.min_snr_db = db;
    tq_model *result = stats_quantize(model, recipe, &options);
    tq_report_totals totals = stats_totals_of(result);
    bytes out = saved(result);
    assert_int_equal(totals.file_bytes_after, out.size);
    free(out.data);
    tq_model_free(result);
    totals.refusal = NULL;
    return totals;
}

static void goals_are_reached_or_missed(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    tq_model *model = load(file);
    uint64_t least = aim(model, "int8", 1, 0).file_bytes_after;
    assert_int_equal(aim(model, "int8", 0, 0).goal, TQ_GOAL_NONE);
    assert_int_equal(aim(model, "int8", 1, 0).goal, TQ_GOAL_MISSED);
    assert_int_equal(aim(model, "int8", least - 1, 0).goal, TQ_GOAL_MISSED);
    assert_int_equal(aim(model, "int8", least, 0).goal, TQ_GOAL_REACHED);
    double before = 0;
    for (uint64_t size = least; size < file.size + 2000; size += 1500) {
        tq_report_totals totals = aim(model, "int8", size, 0);
        assert_int_equal(totals.goal, TQ_GOAL_REACHED);
        assert_true(totals.file_bytes_after <= size);
        assert_true(totals.output_snr_db > before - 1);
        before = totals.output_snr_db;
    }
    assert_true(isinf(before)); /* all is as it was */
    uint64_t smaller = 0;
    for (double db = 10; db < 130; db += 20) {
        tq_report_totals totals = aim(model, "int8", 0, db);
        assert_int_equal(totals.goal, TQ_GOAL_REACHED);
        assert_true(totals.output_snr_db >= db);
        assert_true(totals.file_bytes_after >= smaller);
        smaller = totals.file_bytes_after;
    }
    tq_model_free(model);
    free(file.data);
}

/* Recipes that know no goals say what came of it all the same. */
static void other_recipes_miss_goals(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    tq_model *model = load(file);
    assert_int_equal(aim(model, "fp16", file.size, 0).goal, TQ_GOAL_REACHED);
    assert_int_equal(aim(model, "fp16", file.size / 4, 0).goal, TQ_GOAL_MISSED);
    assert_int_equal(aim(model, "weight_only_wi8_afp32", 0, 20).goal, TQ_GOAL_MISSED);
    assert_int_equal(aim(model, "none", 0, 20).goal, TQ_GOAL_REACHED); /* it is the same */
    tq_model_free(model);
    free(file.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_make_a_difference),
        cmocka_unit_test(statistics_are_for_their_model_alone),
        cmocka_unit_test(statistics_and_models_go_in_any_order),
        cmocka_unit_test(subgraphs_have_their_own),
        cmocka_unit_test(options_that_make_no_sense),
        cmocka_unit_test(goals_are_reached_or_missed),
        cmocka_unit_test(other_recipes_miss_goals),
    };
    return cmocka_run_group_tests_name("stats_quantize", tests, NULL, NULL);
}
