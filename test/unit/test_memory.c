/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's allocator: every failure is survived, nothing leaks, the ceiling holds. */
#include "sample_models.h"

#include <stdlib.h>
#include <string.h>

/* What a whole run gives. */
typedef struct outcome {
    tq_status status;
    tq_error error;
    bytes output;
    const char *changed; /* an output argument that a failed call changed */
} outcome;

static void *const canary = &(char){0};

static void run_save(tq_model *model, outcome *o) {
    void *data = canary;
    uint64_t size = 77;
    o->status = tq_save_memory(model, NULL, &data, &size, &o->error);
    if (o->status == TQ_OK) {
        o->output = (bytes){malloc((size_t)size), (size_t)size};
        memcpy(o->output.data, data, o->output.size);
        tq_memory_free(model, data, size);
    } else if (data != canary || size != 77) {
        o->changed = "tq_save_memory";
    }
}

static void run_quantize(const tq_model *model, const char *recipe_name, outcome *o) {
    tq_recipe *recipe = NULL;
    tq_model *result = (tq_model *)canary;
    assert_int_equal(tq_recipe_create(recipe_name, &recipe, NULL), TQ_OK);
    o->status = tq_quantize(model, recipe, NULL, &result, &o->error);
    if (o->status == TQ_OK) {
        run_save(result, o);
        tq_model_free(result);
    } else if (result != canary) {
        o->changed = "tq_quantize";
    }
    tq_recipe_free(recipe);
}

static outcome run(bytes source, const char *recipe, const tq_load_options *options) {
    outcome o = {.error = TQ_ERROR_INIT};
    tq_model *model = (tq_model *)canary;
    o.status = tq_load_memory(source.data, source.size, options, &model, &o.error);
    if (o.status == TQ_OK) {
        run_quantize(model, recipe, &o);
        tq_model_free(model);
    } else if (model != canary) {
        o.changed = "tq_load_memory";
    }
    return o;
}

static void fail_each(bytes source, const char *recipe) {
    bytes whole = convert(source, recipe);
    uint64_t calls = 0;
    for (uint64_t n = 1;; n++) {
        watch memory = {.fail_at = n};
        tq_allocator allocator = watched(&memory);
        tq_load_options options = TQ_LOAD_OPTIONS_INIT;
        options.allocator = &allocator;
        outcome o = run(source, recipe, &options);
        assert_true(memory.held == 0);
        assert_true(memory.wrong == 0);
        assert_null(o.changed);
        if (memory.calls < n) { /* nothing failed */
            assert_ok(o.status, &o.error);
            assert_true(same_bytes(o.output, whole));
            free(o.output.data);
            calls = memory.calls;
            break;
        }
        assert_failed(TQ_ERR_OUT_OF_MEMORY, o.status, &o.error);
    }
    assert_true(calls >= 4);
    free(whole.data);
    free(source.data);
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    for (size_t i = 0; i < UNIT_RECIPES; i++) {
        fail_each(sample_everything(false), unit_recipes[i]);
        fail_each(sample_everything(true), unit_recipes[i]);
        fail_each(sample_not_encodable(), unit_recipes[i]);
        fail_each(float32_model(), unit_recipes[i]);
        fail_each(float16_model(), unit_recipes[i]);
    }
}

/* A save that failed leaves a model that can be looked at, and saved. */
static void a_failed_save_can_be_repeated(void **state) {
    (void)state;
    bytes source = sample_not_encodable();
    bytes whole = convert(source, "dynamic_wi8_afp32");
    for (uint64_t n = 1;; n++) {
        watch memory = {0};
        tq_allocator allocator = watched(&memory);
        tq_load_options options = TQ_LOAD_OPTIONS_INIT;
        options.allocator = &allocator;
        tq_error error = TQ_ERROR_INIT;
        tq_model *model = NULL;
        assert_ok(tq_load_memory(source.data, source.size, &options, &model, &error), &error);
        tq_model *result = quantized(model, "dynamic_wi8_afp32");
        memory.fail_at = memory.calls + n;
        void *data = NULL;
        uint64_t size = 0;
        tq_status status = tq_save_memory(result, NULL, &data, &size, &error);
        if (status == TQ_OK) {
            tq_memory_free(result, data, size);
            tq_model_free(result);
            tq_model_free(model);
            break;
        }
        tq_report_totals totals = {.struct_size = sizeof totals};
        tq_model_info info = {.struct_size = sizeof info};
        assert_int_equal(tq_get_report_totals(tq_model_report(result), &totals), TQ_OK);
        assert_int_equal(totals.constants, 4);
        assert_int_equal(entry_of(result, "good").elements, 1024);
        assert_int_equal(tq_get_model_info(result, &info), TQ_OK);
        bytes again = saved(result);
        assert_true(same_bytes(again, whole));
        assert_int_equal(entry_of(result, "nan").reason, TQ_REASON_NOT_FINITE);
        free(again.data);
        tq_model_free(result);
        tq_model_free(model);
        assert_true(memory.held == 0 && memory.wrong == 0);
    }
    free(whole.data);
    free(source.data);
}

static void the_ceiling_holds(void **state) {
    (void)state;
    bytes source = float32_model();
    bytes whole = convert(source, "dynamic_wi8_afp32");
    watch all = {0};
    tq_allocator allocator = watched(&all);
    tq_load_options options = TQ_LOAD_OPTIONS_INIT;
    options.allocator = &allocator;
    outcome o = run(source, "dynamic_wi8_afp32", &options);
    assert_ok(o.status, &o.error);
    free(o.output.data);
    unsigned refusals = 0;
    for (uint64_t limit = 1; limit < all.peak; limit += all.peak / 64) {
        watch memory = {0};
        allocator = watched(&memory);
        options.max_memory = limit;
        o = run(source, "dynamic_wi8_afp32", &options);
        assert_failed(TQ_ERR_MEMORY_LIMIT, o.status, &o.error);
        assert_null(o.changed);
        assert_true(memory.peak <= limit);
        assert_true(memory.held == 0);
        refusals++;
    }
    assert_true(refusals >= 60);
    allocator = watched(&all);
    options.max_memory = all.peak;
    o = run(source, "dynamic_wi8_afp32", &options);
    assert_ok(o.status, &o.error);
    assert_true(same_bytes(o.output, whole));
    free(o.output.data);
    free(whole.data);
    free(source.data);
}

/* Models of one load share its ceiling. */
static void models_share_the_ceiling(void **state) {
    (void)state;
    bytes source = float32_model();
    watch memory = {0};
    tq_allocator allocator = watched(&memory);
    tq_load_options options = TQ_LOAD_OPTIONS_INIT;
    options.allocator = &allocator;
    options.max_memory = 1 << 20;
    tq_error error = TQ_ERROR_INIT;
    tq_model *models[64] = {NULL};
    tq_recipe *recipe = NULL;
    assert_ok(tq_load_memory(source.data, source.size, &options, &models[0], &error), &error);
    assert_ok(tq_recipe_create("fp16", &recipe, &error), &error);
    tq_status status = TQ_OK;
    size_t n = 1;
    while (n < COUNT(models) &&
           (status = tq_quantize(models[0], recipe, NULL, &models[n], &error)) == TQ_OK)
        n++;
    assert_failed(TQ_ERR_MEMORY_LIMIT, status, &error);
    assert_true(n > 1);
    assert_true(memory.peak <= options.max_memory);
    while (n-- > 0)
        tq_model_free(models[n]);
    tq_recipe_free(recipe);
    assert_true(memory.held == 0);
    free(source.data);
}

static void models_go_in_any_order(void **state) {
    (void)state;
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    bytes source = float16_model();
    bytes whole = convert(source, "dynamic_wi8_afp32");
    for (size_t i = 0; i < COUNT(orders); i++) {
        watch memory = {0};
        tq_allocator allocator = watched(&memory);
        tq_load_options options = TQ_LOAD_OPTIONS_INIT;
        options.allocator = &allocator;
        tq_error error = TQ_ERROR_INIT;
        tq_model *models[3];
        assert_ok(tq_load_memory(source.data, source.size, &options, &models[0], &error), &error);
        models[1] = quantized(models[0], "dynamic_wi8_afp32");
        models[2] = quantized(models[0], "dynamic_wi8_afp32");
        memset(&allocator, 0, sizeof allocator); /* it was copied */
        for (size_t j = 0; j < COUNT(models); j++) {
            if (orders[i][j] > 0) {
                bytes output = saved(models[orders[i][j]]);
                assert_true(same_bytes(output, whole));
                free(output.data);
            }
            tq_model_free(models[orders[i][j]]);
            assert_true((memory.held == 0) == (j == 2));
        }
        assert_true(memory.wrong == 0);
    }
    tq_model_free(NULL);
    free(whole.data);
    free(source.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail), cmocka_unit_test(a_failed_save_can_be_repeated),
        cmocka_unit_test(the_ceiling_holds),        cmocka_unit_test(models_share_the_ceiling),
        cmocka_unit_test(models_go_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
