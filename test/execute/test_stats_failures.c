/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes that run the model: progress to the end, cancelled anywhere, out of memory anywhere. */
#include "stats_help.h"

#include <stdlib.h>
#include <string.h>

#include "zip_builder.h"

/* ---- progress ---- */

typedef struct steps {
    uint64_t calls, cancel_at, done, total;
} steps;

static int32_t note(void *opaque, uint64_t done, uint64_t total) {
    steps *s = opaque;
    assert_true(s->calls == 0 || total == s->total);
    assert_true(done >= s->done && done <= total);
    s->done = done;
    s->total = total;
    return ++s->calls == s->cancel_at;
}

static tq_quantize_options watched_options(steps *s) {
    tq_quantize_options options = TQ_QUANTIZE_OPTIONS_INIT;
    options.progress = note;
    options.progress_opaque = s;
    return options;
}

static void progress_ends_at_the_end(void **state) {
    (void)state;
    bytes file = stats_file(1, false), two = stats_file_of_two();
    const zip_member members[] = {{.name = "a.tflite", .file = &file},
                                  {.name = "note.txt", .content = "text"},
                                  {.name = "b.tflite", .file = &two}};
    zip_plan plan = {PLAN(members)};
    bytes zip = build_zip(&plan);
    const bytes files[] = {file, two, zip};
    static const char *const recipes[] = {"int8", "int8-fast", "fp16"};
    for (uint32_t i = 0; i < COUNT(files); i++)
        for (uint32_t r = 0; r < COUNT(recipes); r++)
            for (uint32_t effort = 0; effort < 2; effort++) {
                tq_model *model = load(files[i]);
                steps s = {0};
                tq_quantize_options options = watched_options(&s);
                options.effort = effort;
                tq_model_free(stats_quantize(model, recipes[r], &options));
                assert_true(r == 2 || s.calls > 2);
                assert_int_equal(s.done, s.total);
                tq_model_free(model);
            }
    free(zip.data);
    free(two.data);
    free(file.data);
}

static void it_can_be_cancelled_anywhere(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    watch memory = {0};
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = watched_load(file, &memory, 0), *result;
    uint64_t held = memory.held;
    static const struct {
        const char *recipe;
        uint64_t size;
        double db;
    } cases[] = {{"int8", 0, 0}, {"int8-fast", 0, 0}, {"int8", 12000, 0}, {"int8", 0, 50}};
    for (uint32_t i = 0; i < COUNT(cases); i++) {
        steps s = {0};
        tq_quantize_options options = watched_options(&s);
        options.target_size = cases[i].size;
        options.min_snr_db = cases[i].db;
        tq_model_free(stats_quantize(model, cases[i].recipe, &options));
        uint64_t all = s.calls, stride = all / (UNIT_SLOW ? 10 : 40) + 1;
        for (uint64_t k = 1; k <= all; k += k < 8 || k + 8 > all ? 1 : stride) {
            s = (steps){.cancel_at = k};
            assert_failed(TQ_ERR_CANCELLED,
                          stats_try_quantize(model, cases[i].recipe, &options, &result, &error),
                          &error);
            assert_true(s.calls == k); /* nobody asks again */
            assert_true(memory.held == held && memory.wrong == 0);
        }
    }
    tq_model_free(model);
    assert_true(memory.held == 0);
    free(file.data);
}

/* Statistics stay what they were if the call that used them was cancelled. */
static void cancelling_does_not_change_statistics(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    tq_model *model = load(file), *result;
    tq_error error;
    tq_stats *fresh = stats_of(model, 3);
    steps s = {0};
    tq_quantize_options options = watched_options(&s);
    options.n_stats = 1;
    options.stats = &fresh;
    bytes want = stats_result_of(model, "int8", &options);
    uint64_t all = s.calls;
    for (uint64_t k = 1; k < all; k += k < 4 ? 1 : all / 12) {
        tq_stats *stats = stats_of(model, 3);
        options.stats = &stats;
        s = (steps){.cancel_at = k};
        assert_failed(TQ_ERR_CANCELLED,
                      stats_try_quantize(model, "int8", &options, &result, &error), &error);
        s = (steps){0};
        bytes got = stats_result_of(model, "int8", &options);
        assert_true(same_bytes(got, want));
        free(got.data);
        tq_stats_free(stats);
    }
    tq_stats_free(fresh);
    free(want.data);
    tq_model_free(model);
    free(file.data);
}

/* ---- memory ---- */

/* Statistics that a lack of memory spoiled say so; else they give what they would have given. */
static void check_again(const tq_model *model, const tq_quantize_options *options, bytes want) {
    tq_model *result;
    tq_error error;
    tq_status status = stats_try_quantize(model, "int8", options, &result, &error);
    if (status == TQ_OK) {
        bytes got = saved(result);
        assert_true(same_bytes(got, want));
        free(got.data);
        tq_model_free(result);
    } else {
        assert_failed(TQ_ERR_INVALID_ARGUMENT, status, &error);
        assert_non_null(strstr(error.message, "incomplete"));
    }
}

/* What runs out may leave a simpler way, else it is an error. */
static void memory_may_fail_anywhere(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    uint64_t stride = UNIT_SLOW ? 97 : 13;
    uint64_t failed = 0;
    tq_model *plain = load(file);
    tq_stats *one = stats_of(plain, 1);
    bytes want = stats_result_with(plain, &one, 1);
    tq_stats_free(one);
    tq_model_free(plain);
    for (uint64_t n = 1;; n += n < 60 ? 1 : stride) {
        watch memory = {0};
        tq_error error = TQ_ERROR_INIT;
        tq_model *model = watched_load(file, &memory, 0), *result;
        tq_stats *stats = stats_of(model, 1);
        tq_quantize_options options = TQ_QUANTIZE_OPTIONS_INIT;
        options.stats = &stats;
        options.n_stats = n % 2;
        uint64_t held = memory.held;
        memory.fail_at = memory.calls + n;
        tq_status status = stats_try_quantize(model, "int8", &options, &result, &error);
        bool all = memory.calls < memory.fail_at;
        if (status != TQ_OK) {
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
            failed++;
            memory.fail_at = 0;
            if (n % 2)
                check_again(model, &options, want);
        }
        assert_true(all <= (status == TQ_OK));
        tq_model_free(result);
        assert_true(n % 2 || memory.held == held);
        tq_stats_free(stats);
        tq_model_free(model);
        assert_true(memory.held == 0 && memory.wrong == 0);
        if (all)
            break;
    }
    assert_true(failed > 20);
    free(want.data);
    free(file.data);
}

static tq_status quantize_to_int8(const tq_model *model, tq_error *error) {
    tq_model *result;
    tq_status status = stats_try_quantize(model, "int8", NULL, &result, error);
    tq_model_free(result);
    return status;
}

static void the_ceiling_holds(void **state) {
    (void)state;
    bytes file = stats_file(1, false);
    assert_true(stats_refused_within(file, quantize_to_int8, 25) > 5);
    free(file.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_ends_at_the_end),
        cmocka_unit_test(it_can_be_cancelled_anywhere),
        cmocka_unit_test(cancelling_does_not_change_statistics),
        cmocka_unit_test(memory_may_fail_anywhere),
        cmocka_unit_test(the_ceiling_holds),
    };
    return cmocka_run_group_tests_name("stats_failures", tests, NULL, NULL);
}
