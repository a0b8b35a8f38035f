/* SPDX-License-Identifier: Apache-2.0 */
/* Structs of callers of any age, missing arguments, names. */
#include "sample_models.h"

#include <stdlib.h>
#include <string.h>

enum { TAIL = 24 };

typedef struct fixture {
    bytes source;
    tq_model *model, *result;
    tq_recipe *recipe;
} fixture;

static int set_up(void **state) {
    static fixture f;
    f.source = sample_everything(false);
    f.model = load(f.source);
    f.result = quantized(f.model, NULL);
    assert_int_equal(tq_recipe_create(NULL, &f.recipe, NULL), TQ_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    tq_recipe_free(f->recipe);
    tq_model_free(f->result);
    tq_model_free(f->model);
    free(f->source.data);
    return 0;
}

/* ---- options: what goes in ---- */

typedef tq_status use_options(const fixture *f, const void *options, tq_error *error);

static tq_status use_load(const fixture *f, const void *options, tq_error *error) {
    tq_model *model = NULL;
    tq_status status = tq_load_memory(f->source.data, f->source.size, options, &model, error);
    assert_true((model != NULL) == (status == TQ_OK));
    tq_model_free(model);
    return status;
}

static tq_status use_quantize(const fixture *f, const void *options, tq_error *error) {
    tq_model *model = NULL;
    tq_status status = tq_quantize(f->model, f->recipe, options, &model, error);
    assert_true((model != NULL) == (status == TQ_OK));
    tq_model_free(model);
    return status;
}

static tq_status use_save(const fixture *f, const void *options, tq_error *error) {
    return tq_save_sink(f->result, NULL, options, error);
}

static tq_status use_check(const fixture *f, const void *options, tq_error *error) {
    tq_findings *findings = NULL;
    tq_status status = tq_check(f->model, options, &findings, error);
    assert_true((findings != NULL) == (status == TQ_OK));
    tq_findings_free(findings);
    return status;
}

static int32_t write_nothing(void *opaque, const void *data, size_t size) {
    (void)opaque;
    (void)data;
    (void)size;
    return 0;
}

static tq_status use_sink(const fixture *f, const void *sink, tq_error *error) {
    return tq_save_sink(f->result, sink, NULL, error);
}

static tq_status use_allocator(const fixture *f, const void *allocator, tq_error *error) {
    tq_load_options options = TQ_LOAD_OPTIONS_INIT;
    options.allocator = allocator;
    return use_load(f, &options, error);
}

static tq_status use_runner(const fixture *f, const void *runner, tq_error *error) {
    tq_save_options options = TQ_SAVE_OPTIONS_INIT;
    options.runner = runner;
    return use_save(f, &options, error);
}

static void run_plainly(void *opaque, tq_task task, void *data, uint32_t count) {
    (void)opaque;
    for (uint32_t i = 0; i < count; i++)
        task(data, i, 0);
}

static void *plain_alloc(void *opaque, size_t size) {
    (void)opaque;
    return malloc(size);
}

static void plain_free(void *opaque, void *memory, size_t size) {
    (void)opaque;
    (void)size;
    free(memory);
}

static void options_of_any_age(void **state) {
    const fixture *f = *state;
    static const tq_load_options load_options = TQ_LOAD_OPTIONS_INIT;
    static const tq_quantize_options quantize_options = TQ_QUANTIZE_OPTIONS_INIT;
    static const tq_save_options save_options = TQ_SAVE_OPTIONS_INIT;
    static const tq_check_options check_options = TQ_CHECK_OPTIONS_INIT;
    static const tq_sink sink = {sizeof sink, 0, NULL, write_nothing};
    static const tq_allocator allocator = {sizeof allocator, 0, NULL, plain_alloc, plain_free};
    static const tq_runner runner = {sizeof runner, 1, NULL, run_plainly};
    const struct {
        const void *plain;
        uint32_t size;
        use_options *use;
        bool optional; /* all of it: a header that knew less is enough */
    } cases[] = {
        {&load_options, sizeof load_options, use_load, true},
        {&quantize_options, sizeof quantize_options, use_quantize, true},
        {&save_options, sizeof save_options, use_save, true},
        {&check_options, sizeof check_options, use_check, true},
        {&sink, sizeof sink, use_sink, false},
        {&allocator, sizeof allocator, use_allocator, false},
        {&runner, sizeof runner, use_runner, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t size = cases[i].size;
        tq_error error = TQ_ERROR_INIT;
        /* an exact block: a sanitizer sees a read beyond what the caller has */
        for (uint32_t given = 8; given <= size; given += 8) {
            uint8_t *block = malloc(given);
            memcpy(block, cases[i].plain, given);
            memcpy(block, &given, sizeof given);
            tq_status status = cases[i].use(f, block, &error);
            if (cases[i].optional || given == size)
                assert_ok(status, &error);
            else if (status != TQ_OK)
                assert_failed(TQ_ERR_INVALID_ARGUMENT, status, &error);
            free(block);
        }
        uint8_t *newer = calloc(size + TAIL, 1);
        memcpy(newer, cases[i].plain, size);
        uint32_t given = size + TAIL;
        memcpy(newer, &given, sizeof given);
        assert_ok(cases[i].use(f, newer, &error), &error);
        for (uint32_t at = size; at < given; at++) {
            newer[at] = 1;
            assert_failed(TQ_ERR_INVALID_ARGUMENT, cases[i].use(f, newer, &error), &error);
            newer[at] = 0;
        }
        for (given = 0; given < 4; given++) {
            memcpy(newer, &given, sizeof given);
            assert_failed(TQ_ERR_INVALID_ARGUMENT, cases[i].use(f, newer, &error), &error);
        }
        free(newer);
    }
}

static void options_that_make_no_sense(void **state) {
    const fixture *f = *state;
    tq_error error = TQ_ERROR_INIT;
    tq_save_options save = TQ_SAVE_OPTIONS_INIT;
    save.flags = 1u << 31;
    assert_failed(TQ_ERR_INVALID_ARGUMENT, use_save(f, &save, &error), &error);
    tq_runner runner = {sizeof runner, 0, NULL, run_plainly};
    assert_failed(TQ_ERR_INVALID_ARGUMENT, use_runner(f, &runner, &error), &error);
    runner = (tq_runner){sizeof runner, 1, NULL, NULL};
    assert_failed(TQ_ERR_INVALID_ARGUMENT, use_runner(f, &runner, &error), &error);
    tq_sink sink = {sizeof sink, 0, NULL, NULL};
    assert_failed(TQ_ERR_INVALID_ARGUMENT, use_sink(f, &sink, &error), &error);
    tq_allocator half = {sizeof half, 0, NULL, plain_alloc, NULL};
    assert_failed(TQ_ERR_INVALID_ARGUMENT, use_allocator(f, &half, &error), &error);
}

/* ---- results: what comes out ---- */

typedef tq_status get_info(const fixture *f, void *info);

static tq_status get_model(const fixture *f, void *info) {
    return tq_get_model_info(f->model, info);
}
static tq_status get_subgraph(const fixture *f, void *info) {
    return tq_get_subgraph_info(f->model, 0, info);
}
static tq_status get_tensor(const fixture *f, void *info) {
    return tq_get_tensor_info(f->model, 0, 1, info);
}
static tq_status get_operator(const fixture *f, void *info) {
    return tq_get_operator_info(f->model, 0, 0, info);
}
static tq_status get_metadata(const fixture *f, void *info) {
    return tq_get_metadata_info(f->model, 0, info);
}
static tq_status get_signature(const fixture *f, void *info) {
    return tq_get_signature_info(f->model, 0, info);
}
static tq_status get_recipe(const fixture *f, void *info) {
    (void)f;
    return tq_get_recipe_info(0, info);
}
static tq_status get_entry(const fixture *f, void *info) {
    return tq_get_report_entry(tq_model_report(f->result), 0, info);
}
static tq_status get_totals(const fixture *f, void *info) {
    return tq_get_report_totals(tq_model_report(f->result), info);
}
static tq_status get_error(const fixture *f, void *info) {
    (void)f;
    tq_model *model = NULL;
    assert_int_equal(tq_load_memory("no model", 8, NULL, &model, info), TQ_ERR_NOT_A_MODEL);
    return TQ_OK;
}

static void results_of_any_age(void **state) {
    const fixture *f = *state;
    static const struct {
        get_info *get;
        uint32_t size;
    } cases[] = {
        {get_model, sizeof(tq_model_info)},       {get_subgraph, sizeof(tq_subgraph_info)},
        {get_tensor, sizeof(tq_tensor_info)},     {get_operator, sizeof(tq_operator_info)},
        {get_metadata, sizeof(tq_metadata_info)}, {get_signature, sizeof(tq_signature_info)},
        {get_recipe, sizeof(tq_recipe_info)},     {get_entry, sizeof(tq_report_entry)},
        {get_totals, sizeof(tq_report_totals)},   {get_error, sizeof(tq_error)},
    };
    enum { ROOM = 1024 };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t full[ROOM], info[ROOM];
        uint32_t size = cases[i].size;
        memset(full, 0x5a, sizeof full);
        memcpy(full, &size, sizeof size);
        assert_int_equal(cases[i].get(f, full), TQ_OK);
        for (uint32_t given = 4; given <= size + TAIL; given += 4) {
            memset(info, 0x5a, sizeof info);
            memcpy(info, &given, sizeof given);
            assert_int_equal(cases[i].get(f, info), TQ_OK);
            uint32_t known = given < size ? given : size, kept;
            memcpy(&kept, info, sizeof kept);
            assert_int_equal(kept, given);
            /* a text that is cut must still end */
            bool cut = cases[i].get == get_error && given < size;
            assert_memory_equal(info + 4, full + 4, known - 4 - (cut && known > 44));
            for (uint32_t at = known; at < given; at++)
                assert_int_equal(info[at], 0);
            for (uint32_t at = given; at < ROOM; at++)
                assert_int_equal(info[at], 0x5a);
        }
        for (uint32_t given = 0; given < 4; given++) {
            memset(info, 0x5a, sizeof info);
            memcpy(info, &given, sizeof given);
            tq_status status = cases[i].get(f, info);
            assert_int_equal(status, cases[i].get == get_error ? TQ_OK : TQ_ERR_INVALID_ARGUMENT);
            for (uint32_t at = 4; at < ROOM; at++)
                assert_int_equal(info[at], 0x5a);
        }
    }
}

static void an_error_is_left_alone_on_success(void **state) {
    const fixture *f = *state;
    tq_error error = TQ_ERROR_INIT, before;
    error.status = 12345;
    before = error;
    assert_int_equal(use_load(f, NULL, &error), TQ_OK);
    assert_int_equal(use_quantize(f, NULL, &error), TQ_OK);
    assert_int_equal(use_save(f, NULL, &error), TQ_OK);
    assert_memory_equal(&error, &before, sizeof error);
    assert_int_equal(tq_load_memory("no model", 8, NULL, &(tq_model *){NULL}, NULL),
                     TQ_ERR_NOT_A_MODEL);
}

/* What can't be seen from here stays in one line of UTF-8, cut between characters. */
static void messages_are_text(void **state) {
    (void)state;
    static const char *const pieces[] = {
        "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x88", "\n", "\x7f", "\xff\xfe", "\xc3"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        for (size_t first = 0; first < 4; first++) {
            char name[600];
            size_t length = strlen(pieces[i]), at = first;
            memset(name, 'a', first);
            for (; at + length < sizeof name; at += length)
                memcpy(name + at, pieces[i], length);
            name[at] = 0;
            tq_recipe *recipe = NULL;
            tq_error error = TQ_ERROR_INIT;
            assert_failed(TQ_ERR_UNKNOWN_RECIPE, tq_recipe_create(name, &recipe, &error), &error);
            assert_null(recipe);
        }
    }
}

/* ---- arguments that are not there ---- */

static void missing_arguments(void **state) {
    const fixture *f = *state;
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = NULL;
    tq_recipe *recipe = NULL;
    void *data = NULL;
    uint64_t size = 0;
    tq_source source = {sizeof source, 0, NULL, 0, NULL};
    const tq_status statuses[] = {
        tq_load_file(NULL, NULL, &model, &error),
        tq_load_file("x", NULL, NULL, &error),
        tq_load_memory(NULL, 10, NULL, &model, &error),
        tq_load_memory("0123456789", 10, NULL, NULL, &error),
        tq_load_source(NULL, NULL, &model, &error),
        tq_load_source(&source, NULL, &model, &error),
        tq_recipe_create(NULL, NULL, &error),
        tq_quantize(NULL, f->recipe, NULL, &model, &error),
        tq_quantize(f->model, NULL, NULL, &model, &error),
        tq_quantize(f->model, f->recipe, NULL, NULL, &error),
        tq_quantize(f->result, f->recipe, NULL, &model, &error), /* twice */
        tq_save_file(NULL, "x", NULL, &error),
        tq_save_file(f->result, NULL, NULL, &error),
        tq_save_sink(NULL, NULL, NULL, &error),
        tq_save_memory(NULL, NULL, &data, &size, &error),
        tq_save_memory(f->result, NULL, NULL, &size, &error),
        tq_save_memory(f->result, NULL, &data, NULL, &error),
    };
    (void)recipe;
    for (size_t i = 0; i < COUNT(statuses); i++)
        if (statuses[i] != TQ_ERR_INVALID_ARGUMENT)
            fail_msg("call %zu: %s", i, tq_status_name(statuses[i]));
    assert_failed(TQ_ERR_INVALID_ARGUMENT, error.status, &error);
    assert_null(model);
    assert_null(data);
    tq_model_free(NULL);
    tq_recipe_free(NULL);
    tq_memory_free(NULL, NULL, 0);
    tq_memory_free(f->model, NULL, 0);
    assert_null(tq_model_report(NULL));
    assert_null(tq_model_report(f->model));
}

static void missing_things(void **state) {
    const fixture *f = *state;
    const tq_report *report = tq_model_report(f->result);
    union {
        uint32_t struct_size;
        uint8_t room[512];
    } info = {512};
    memset(info.room + 4, 0x5a, sizeof info.room - 4);
    const tq_status statuses[] = {
        tq_get_model_info(NULL, (void *)&info),
        tq_get_model_info(f->model, NULL),
        tq_get_subgraph_info(NULL, 0, (void *)&info),
        tq_get_subgraph_info(f->model, 2, (void *)&info),
        tq_get_subgraph_info(f->model, 0, NULL),
        tq_get_tensor_info(NULL, 0, 0, (void *)&info),
        tq_get_tensor_info(f->model, 2, 0, (void *)&info),
        tq_get_tensor_info(f->model, 0, 1000, (void *)&info),
        tq_get_tensor_info(f->model, 0, 0, NULL),
        tq_get_operator_info(NULL, 0, 0, (void *)&info),
        tq_get_operator_info(f->model, UINT32_MAX, 0, (void *)&info),
        tq_get_operator_info(f->model, 0, UINT32_MAX, (void *)&info),
        tq_get_operator_info(f->model, 0, 0, NULL),
        tq_get_metadata_info(NULL, 0, (void *)&info),
        tq_get_metadata_info(f->model, 1, (void *)&info),
        tq_get_metadata_info(f->model, 0, NULL),
        tq_get_signature_info(NULL, 0, (void *)&info),
        tq_get_signature_info(f->model, 1, (void *)&info),
        tq_get_signature_info(f->model, 0, NULL),
        tq_get_recipe_info(1000, (void *)&info),
        tq_get_recipe_info(UINT32_MAX, (void *)&info),
        tq_get_recipe_info(0, NULL),
        tq_get_report_entry(NULL, 0, (void *)&info),
        tq_get_report_entry(report, UINT32_MAX, (void *)&info),
        tq_get_report_entry(report, 0, NULL),
        tq_get_report_totals(NULL, (void *)&info),
        tq_get_report_totals(report, NULL),
    };
    for (size_t i = 0; i < COUNT(statuses); i++)
        if (statuses[i] != TQ_ERR_INVALID_ARGUMENT)
            fail_msg("call %zu: %s", i, tq_status_name(statuses[i]));
    for (size_t i = 4; i < sizeof info.room; i++)
        assert_int_equal(info.room[i], 0x5a);
}

/* ---- names ---- */

static void every_value_has_a_name(void **state) {
    (void)state;
#define STATUS(value) assert_string_equal(tq_status_name(value), #value)
    STATUS(TQ_OK);
    STATUS(TQ_ERR_INVALID_ARGUMENT);
    STATUS(TQ_ERR_OUT_OF_MEMORY);
    STATUS(TQ_ERR_MEMORY_LIMIT);
    STATUS(TQ_ERR_CANCELLED);
    STATUS(TQ_ERR_OPEN);
    STATUS(TQ_ERR_READ);
    STATUS(TQ_ERR_WRITE);
    STATUS(TQ_ERR_EXISTS);
    STATUS(TQ_ERR_SAME_FILE);
    STATUS(TQ_ERR_NOT_A_MODEL);
    STATUS(TQ_ERR_CORRUPT);
    STATUS(TQ_ERR_UNSUPPORTED);
    STATUS(TQ_ERR_TOO_LARGE);
    STATUS(TQ_ERR_UNKNOWN_RECIPE);
    STATUS(TQ_ERR_INTERNAL);
    static const tq_status others[] = {-1, 5, 15, 25, 91, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < COUNT(others); i++)
        assert_string_equal(tq_status_name(others[i]), "unknown status");

    static const char *const verdicts[] = {"kept", "quantized", "float16", "folded", "unknown"};
    for (uint32_t i = 0; i < COUNT(verdicts); i++)
        assert_string_equal(tq_verdict_name(i), verdicts[i]);
    for (uint32_t i = 0; i <= TQ_REASON_TARGET_REFUSES; i++) {
        assert_true(strcmp(tq_reason_name(i), "unknown") != 0);
        assert_true((tq_reason_text(i)[0] == 0) == (i == TQ_REASON_NONE));
        for (uint32_t j = 0; j < i; j++)
            assert_true(strcmp(tq_reason_name(i), tq_reason_name(j)) != 0);
    }
    assert_string_equal(tq_reason_name(TQ_REASON_NOT_COVERED), "NOT_COVERED");
    assert_string_equal(tq_reason_name(TQ_REASON_FLOAT16_ALREADY), "FLOAT16_ALREADY");
    assert_string_equal(tq_reason_name(UINT32_MAX), "unknown");
    assert_string_equal(tq_reason_text(UINT32_MAX), "unknown");
    assert_string_equal(tq_type_name(0), "FLOAT32");
    assert_string_equal(tq_type_name(1), "FLOAT16");
    assert_string_equal(tq_type_name(9), "INT8");
    assert_string_equal(tq_type_name(17), "INT4");
    assert_string_equal(tq_type_name(77), "unknown");
    assert_string_equal(tq_type_name(-1), "unknown");
}

static void recipes_have_names(void **state) {
    (void)state;
    uint32_t defaults = 0;
    tq_recipe_info info = {.struct_size = sizeof info};
    for (uint32_t i = 0; i < UNIT_RECIPES; i++) {
        tq_recipe *recipe = NULL;
        assert_int_equal(tq_get_recipe_info(i, &info), TQ_OK);
        assert_int_equal(tq_recipe_create(info.name, &recipe, NULL), TQ_OK);
        assert_true(info.summary[0] != 0 && !strchr(info.summary, '\n'));
        defaults += info.is_default;
        tq_recipe_free(recipe);
    }
    assert_int_equal(defaults, 1);
    assert_int_equal(tq_abi_version(), TQ_ABI_VERSION);
    assert_int_equal(tq_version(),
                     TQ_VERSION_MAJOR << 16 | TQ_VERSION_MINOR << 8 | TQ_VERSION_PATCH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(options_of_any_age), TEST(options_that_make_no_sense),
        TEST(results_of_any_age), TEST(an_error_is_left_alone_on_success),
        TEST(messages_are_text),  TEST(missing_arguments),
        TEST(missing_things),     TEST(every_value_has_a_name),
        TEST(recipes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
