/* SPDX-License-Identifier: Apache-2.0 */
/* Rewrites of damaged files: a status, never a crash, never much memory, and what is written loads
 * again. TFQUANT_TEST_STEP in the environment tries every n-th place only. */
#include "busy_model.h"
#include "sample_models.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 32 };

static const char *names[MOST_NAMES];
static uint32_t n_names;
static watch memory;

static int set_up(void **state) {
    (void)state;
    tq_rewrite_info info = {.struct_size = sizeof info};
    for (n_names = 0; tq_get_rewrite_info(n_names, &info) == TQ_OK; n_names++)
        names[n_names] = info.name;
    return 0;
}

static size_t step(size_t otherwise) {
    const char *given = getenv("TFQUANT_TEST_STEP");
    return given ? (size_t)strtoul(given, NULL, 10) : otherwise;
}

static void check_refusal(tq_status status, const tq_error *error) {
    if (status != TQ_ERR_CORRUPT && status != TQ_ERR_UNSUPPORTED && status != TQ_ERR_TOO_LARGE)
        fail_msg("%s: %s", tq_status_name(status), error->message);
    assert_message(error);
}

static bool save_and_load(tq_model *model) {
    tq_error error = TQ_ERROR_INIT;
    tq_model *again = NULL;
    void *data = NULL;
    uint64_t size = 0;
    tq_status status = tq_save_memory(model, NULL, &data, &size, &error);
    if (status != TQ_OK) {
        check_refusal(status, &error);
        return false;
    }
    assert_ok(tq_load_memory(data, size, NULL, &again, &error), &error);
    tq_model_free(again);
    tq_memory_free(model, data, size);
    return true;
}

/* Rewritten, and its result quantized. */
static void rewrite(const tq_model *model, const tq_rewrite_options *options) {
    tq_error error = TQ_ERROR_INIT;
    tq_model *result = NULL, *small = NULL;
    tq_recipe *recipe = NULL;
    tq_status status = tq_rewrite(model, options, &result, &error);
    if (status != TQ_OK) {
        check_refusal(status, &error);
        return;
    }
    tq_edit_info edit = {.struct_size = sizeof edit};
    size_t seen = 0;
    for (uint32_t i = 0; tq_get_edit_info(result, i, &edit) == TQ_OK; i++)
        seen += strlen(edit.name) + strlen(edit.op_name);
    assert_true(seen < SIZE_MAX);
    if (save_and_load(result) && tq_edit_count(result) > 0) {
        assert_ok(tq_recipe_create("weight_only_wi8_afp32", &recipe, &error), &error);
        status = tq_quantize(result, recipe, NULL, &small, &error);
        if (status == TQ_OK)
            save_and_load(small);
        else
            check_refusal(status, &error);
        tq_model_free(small);
        tq_recipe_free(recipe);
    }
    tq_model_free(result);
}

/* `data` is an exact block, so that a sanitizer sees a read beyond it. */
static void try_all(const uint8_t *data, size_t size) {
    tq_load_options load_options = TQ_LOAD_OPTIONS_INIT;
    tq_rewrite_options options = TQ_REWRITE_OPTIONS_INIT;
    memory = (watch){.ceiling = 64 * (uint64_t)size + (64 << 20)};
    tq_allocator allocator = watched(&memory);
    load_options.allocator = &allocator;
    tq_model *model = NULL;
    if (tq_load_memory(data, size, &load_options, &model, NULL) != TQ_OK)
        return;
    rewrite(model, &options);
    options.names = names;
    options.n_names = n_names;
    rewrite(model, &options);
    tq_model_free(model);
    assert_true(memory.held == 0 && memory.wrong == 0);
}

static void change_bytes(bytes model, size_t by) {
    static const uint8_t values[] = {0, 1, 2, 0x7f, 0xff};
    for (size_t at = 0; at < model.size; at += by) {
        uint8_t old = model.data[at];
        for (size_t i = 0; i < COUNT(values); i++) {
            model.data[at] = values[i];
            if (values[i] != old)
                try_all(model.data, model.size);
        }
        model.data[at] = old;
    }
}

/* Several places at once, the same on every run. */
static void change_many(bytes model, uint32_t rounds) {
    uint64_t random = 1;
    bytes copy = {malloc(model.size), model.size};
    for (uint32_t i = 0; i < rounds; i++) {
        memcpy(copy.data, model.data, model.size);
        for (int k = 0; k < 4; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            copy.data[(random >> 33) % model.size] = (uint8_t)(random >> 24 & 7);
        }
        try_all(copy.data, copy.size);
    }
    free_bytes(copy);
}

static void damage(bytes model) {
    change_bytes(model, step(UNIT_SLOW ? 37 : 7));
    change_many(model, UNIT_SLOW ? 800 : 4000);
    free_bytes(model);
}

static void damaged_busy_model(void **state) {
    (void)state;
    damage(busy_model());
}

static void damaged_idle_model(void **state) {
    (void)state;
    damage(idle_model());
}

static void damaged_everything(void **state) {
    (void)state;
    damage(sample_everything(false));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_busy_model),
        cmocka_unit_test(damaged_idle_model),
        cmocka_unit_test(damaged_everything),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
