/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles through the public API: however a bundle is packed, read and written, the models in it
 * become what they become alone; every failure is survived. */
#include "sample_models.h"

#include <stdlib.h>
#include <string.h>

#include "bundle/zip_format.h"
#include "zip_builder.h"

static const char labels[] = "one\ntwo\n";

typedef struct parts {
    bytes good, bad; /* models: one with constants that can't be encoded */
    bytes inner, outer;
} parts;

/* outer: labels, a deflated model, a bundle with two models, of which one is refused in part. */
static parts make(bool deflated) {
    parts p = {.good = sample_everything(false), .bad = sample_not_encodable()};
    zip_member within[] = {{.name = "bad.tflite", .file = &p.bad},
                           {.name = "good.tflite", .file = &p.good, .deflated = deflated}};
    p.inner = build_zip(&(zip_plan){PLAN(within)});
    zip_member all[] = {{.name = "labels.txt", .content = labels},
                        {.name = "a.tflite", .file = &p.good, .deflated = deflated},
                        {.name = "folder/"},
                        {.name = "folder/inner.task", .file = &p.inner, .deflated = deflated}};
    p.outer = build_zip(&(zip_plan){PLAN(all), .comment = "a bundle"});
    return p;
}

static void free_parts(parts *p) {
    free_bytes(p->good);
    free_bytes(p->bad);
    free_bytes(p->inner);
    free_bytes(p->outer);
}

/* ---- what comes out ---- */

static int32_t append(void *opaque, const void *data, size_t size) {
    bytes *b = opaque;
    b->data = realloc(b->data, b->size + size + 1);
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return 0;
}

static bytes content(const tq_model *bundle, uint32_t index) {
    bytes b = {malloc(1), 0};
    tq_sink sink = {sizeof sink, 0, &b, append};
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tq_extract_member(bundle, index, &sink, &error), &error);
    return b;
}

static uint32_t find(const tq_model *bundle, const char *name) {
    tq_member_info info = {.struct_size = sizeof info};
    for (uint32_t i = 0; tq_get_member_info(bundle, i, &info) == TQ_OK; i++)
        if (strcmp(info.name, name) == 0)
            return i;
    fail_msg("no member %s", name);
    return 0;
}

static void assert_holds(const tq_model *bundle, const char *name, bytes expected) {
    bytes found = content(bundle, find(bundle, name));
    assert_true(same_bytes(found, expected));
    free_bytes(found);
}

static void check(bytes file, const parts *p, const char *recipe) {
    tq_model *outer = load(file);
    tq_model *inner = tq_member_model(outer, find(outer, "folder/inner.task"));
    bytes good = convert(p->good, recipe), bad = convert(p->bad, recipe);
    bytes text = {(uint8_t *)(uintptr_t)labels, strlen(labels)};
    assert_non_null(inner);
    assert_holds(outer, "labels.txt", text);
    assert_holds(outer, "a.tflite", good);
    assert_holds(inner, "bad.tflite", bad);
    assert_holds(inner, "good.tflite", good);
    free_bytes(good);
    free_bytes(bad);
    tq_model_free(outer);
}

static bytes save_in_order(tq_model *model) {
    bytes b = {malloc(1), 0};
    tq_sink sink = {sizeof sink, 0, &b, append};
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tq_save_sink(model, &sink, NULL, &error), &error);
    return b;
}

static bytes save_as_file(tq_model *model) {
    tq_error error = TQ_ERROR_INIT;
    scratch_begin();
    assert_ok(tq_save_file(model, scratch_path("out"), NULL, &error), &error);
    assert_int_equal(scratch_files(), 1);
    bytes b = read_file(scratch_path("out"));
    scratch_end();
    return b;
}

static tq_model *quantize_so(const tq_model *model, const char *name, uint32_t flags) {
    tq_quantize_options options = TQ_QUANTIZE_OPTIONS_INIT;
    tq_recipe *recipe = NULL;
    tq_model *result = NULL;
    tq_error error = TQ_ERROR_INIT;
    options.flags = flags;
    assert_int_equal(tq_recipe_create(name, &recipe, NULL), TQ_OK);
    assert_ok(tq_quantize(model, recipe, &options, &result, &error), &error);
    tq_recipe_free(recipe);
    return result;
}

static void all_ways_give_the_same(void **state) {
    (void)state;
    for (int deflated = 0; deflated < 2; deflated++) {
        parts p = make(deflated);
        tq_model *model = load(p.outer);
        for (size_t r = 0; r < UNIT_RECIPES; r++)
            for (uint32_t flags = 0; flags < 2; flags++) {
                tq_model *first = quantize_so(model, unit_recipes[r], flags);
                tq_model *second = quantize_so(model, unit_recipes[r], flags);
                bytes whole = saved(first), sunk = save_in_order(second), filed;
                tq_model_info info = {.struct_size = sizeof info};
                filed = save_as_file(second);
                assert_true(same_bytes(whole, sunk));
                assert_true(same_bytes(whole, filed));
                assert_int_equal(tq_get_model_info(second, &info), TQ_OK);
                assert_int_equal(info.file_size, whole.size);
                if (r == UNIT_NONE)
                    assert_true(same_bytes(whole, p.outer));
                else
                    check(whole, &p, unit_recipes[r]);
                free_bytes(filed);
                free_bytes(sunk);
                free_bytes(whole);
                tq_model_free(second);
                tq_model_free(first);
            }
        tq_model_free(model);
        free_parts(&p);
    }
}

static void models_are_aligned_or_stay_deflated(void **state) {
    (void)state;
    for (int deflated = 0; deflated < 2; deflated++)
        for (uint32_t flags = 0; flags < 2; flags++) {
            parts p = make(deflated);
            tq_model *model = load(p.outer), *result = quantize_so(model, unit_recipes[0], flags);
            bytes file = saved(result);
            opened_zip o;
            assert_int_equal(open_whole_zip(&o, &file), TQ_OK);
            const tqi_zip_member *m = tqi_zip_find(&o.zip, "a.tflite");
            bool stays = flags == TQ_QUANTIZE_KEEP_STORAGE && deflated;
            assert_int_equal(m->method, stays ? ZIP_DEFLATED : ZIP_STORED);
            if (flags == 0)
                assert_int_equal(m->data.offset % 16, 0);
            close_zip(&o);
            free_bytes(file);
            tq_model_free(result);
            tq_model_free(model);
            free_parts(&p);
        }
}

static void members_have_reports(void **state) {
    (void)state;
    parts p = make(true);
    tq_model *model = load(p.outer), *result = quantized(model, unit_recipes[0]);
    free_bytes(saved(result));
    tq_model *inner = tq_member_model(result, find(result, "folder/inner.task"));
    tq_model *bad = tq_member_model(inner, find(inner, "bad.tflite"));
    tq_report_totals of_bad = {.struct_size = sizeof of_bad}, of_all = of_bad;
    assert_int_equal(tq_get_report_totals(tq_model_report(bad), &of_bad), TQ_OK);
    assert_int_equal(tq_get_report_totals(tq_model_report(result), &of_all), TQ_OK);
    assert_int_equal(entry_of(bad, "good").verdict, TQ_VERDICT_QUANTIZED);
    assert_int_equal(entry_of(bad, "nan").reason, TQ_REASON_NOT_FINITE);
    assert_true(of_all.quantized > of_bad.quantized && of_bad.quantized > 0);
    assert_int_equal(of_all.file_bytes_before, p.outer.size);
    assert_null(tq_member_model(result, find(result, "labels.txt")));
    assert_null(tq_member_model(result, 99));
    /* models that come from it outlive it */
    tq_model *member = tq_member_model(model, find(model, "a.tflite"));
    tq_model *alone = quantized(member, unit_recipes[0]);
    tq_model_free(result);
    tq_model_free(model);
    bytes expected = convert(p.good, unit_recipes[0]), found = saved(alone);
    assert_true(same_bytes(expected, found));
    free_bytes(expected);
    free_bytes(found);
    tq_model_free(alone);
    free_parts(&p);
}

/* ---- recipes by pattern ---- */

static void patterns_choose_recipes(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        bool a, good; /* fits */
    } cases[] = {{"a.tflite", true, false},
                 {"*", true, true},
                 {"*good*", false, true},
                 {"folder/*/good.??????", false, true},
                 {"folder/inner.task/good.tflite", false, true},
                 {"?.tflite", true, false},
                 {"good.tflite", false, false},
                 {"a.tflite?", false, false},
                 {"", false, false}};
    parts p = make(false);
    tq_model *model = load(p.outer);
    tq_recipe *none = NULL, *usual = NULL;
    assert_int_equal(tq_recipe_create("none", &none, NULL), TQ_OK);
    assert_int_equal(tq_recipe_create(NULL, &usual, NULL), TQ_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        tq_member_recipe choice = {cases[i].pattern, usual};
        tq_quantize_options options = TQ_QUANTIZE_OPTIONS_INIT;
        tq_error error = TQ_ERROR_INIT;
        tq_model *result = NULL;
        options.member_recipes = &choice;
        options.n_member_recipes = 1;
        tq_status status = tq_quantize(model, none, &options, &result, &error);
        if (!cases[i].a && !cases[i].good) {
            assert_failed(TQ_ERR_INVALID_ARGUMENT, status, &error);
            assert_null(result);
            continue;
        }
        assert_ok(status, &error);
        tq_model *inner = tq_member_model(result, find(result, "folder/inner.task"));
        tq_report_totals a = {.struct_size = sizeof a}, good = a;
        tq_get_report_totals(tq_model_report(tq_member_model(result, find(result, "a.tflite"))),
                             &a);
        tq_get_report_totals(tq_model_report(tq_member_model(inner, find(inner, "good.tflite"))),
                             &good);
        assert_int_equal(a.changed, cases[i].a);
        assert_int_equal(good.changed, cases[i].good);
        tq_model_free(result);
    }
    tq_recipe_free(none);
    tq_recipe_free(usual);
    tq_model_free(model);
    free_parts(&p);
}

/* ---- failures ---- */

static tq_status run(bytes file, const tq_load_options *options, const tq_save_options *saving,
                     uint32_t flags, tq_error *error) {
    tq_model *model = NULL, *result = NULL;
    tq_recipe *recipe = NULL;
    tq_quantize_options how = TQ_QUANTIZE_OPTIONS_INIT;
    void *data = NULL;
    uint64_t size = 0;
    how.flags = flags;
    assert_int_equal(tq_recipe_create(NULL, &recipe, NULL), TQ_OK);
    tq_status status = tq_load_memory(file.data, file.size, options, &model, error);
    if (status == TQ_OK)
        status = tq_quantize(model, recipe, &how, &result, error);
    if (status == TQ_OK)
        status = tq_save_memory(result, saving, &data, &size, error);
    if (status == TQ_OK)
        tq_memory_free(result, data, size);
    tq_model_free(result);
    tq_model_free(model);
    tq_recipe_free(recipe);
    return status;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    parts p = make(true);
    for (uint32_t flags = 0; flags < 2; flags++) {
        tq_status status = TQ_ERR_OUT_OF_MEMORY;
        for (uint64_t call = 1; status != TQ_OK; call += UNIT_SLOW ? 7 : 1) {
            watch memory = {.fail_at = call};
            tq_allocator allocator = watched(&memory);
            tq_load_options options = TQ_LOAD_OPTIONS_INIT;
            tq_error error = TQ_ERROR_INIT;
            options.allocator = &allocator;
            status = run(p.outer, &options, NULL, flags, &error);
            if (status != TQ_OK)
                assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
            assert_true(memory.held == 0 && memory.wrong == 0);
        }
    }
    free_parts(&p);
}

static int32_t cancel_at(void *opaque, uint64_t done, uint64_t total) {
    uint64_t *at = opaque;
    assert_true(done <= total);
    return done >= *at;
}

static void can_be_cancelled(void **state) {
    (void)state;
    parts p = make(true);
    for (uint64_t at = 0; at < 4000; at += 500)
        for (uint32_t flags = 0; flags < 2; flags++) {
            watch memory = {.fail_at = 0};
            tq_allocator allocator = watched(&memory);
            tq_load_options options = TQ_LOAD_OPTIONS_INIT;
            tq_save_options saving = TQ_SAVE_OPTIONS_INIT;
            tq_error error = TQ_ERROR_INIT;
            options.allocator = &allocator;
            saving.progress = cancel_at;
            saving.progress_opaque = &at;
            assert_failed(TQ_ERR_CANCELLED, run(p.outer, &options, &saving, flags, &error), &error);
            assert_true(memory.held == 0 && memory.wrong == 0);
        }
    free_parts(&p);
}

static void limits_hold(void **state) {
    (void)state;
    parts p = make(true);
    tq_load_options options = TQ_LOAD_OPTIONS_INIT;
    tq_error error = TQ_ERROR_INIT;
    options.max_output = p.good.size / 2;
    assert_failed(TQ_ERR_TOO_LARGE, run(p.outer, &options, NULL, 0, &error), &error);
    assert_non_null(strstr(error.message, "a.tflite"));
    options = (tq_load_options)TQ_LOAD_OPTIONS_INIT;
    options.max_memory = 4000;
    assert_failed(TQ_ERR_MEMORY_LIMIT, run(p.outer, &options, NULL, 0, &error), &error);
    free_parts(&p);
}

/* Bundles in bundles in bundles: an end, however deep. */
static void depth_is_bounded(void **state) {
    (void)state;
    bytes file = sample_everything(false);
    for (int depth = 0; depth < 12; depth++) {
        zip_member member = {
            .name = depth ? "b.task" : "m.tflite", .file = &file, .deflated = depth % 2};
        bytes around = build_zip(&(zip_plan){.members = &member, .n = 1});
        tq_error error = TQ_ERROR_INIT;
        free_bytes(file);
        file = around;
        tq_status status = run(file, NULL, NULL, 0, &error);
        if (depth < 4)
            assert_ok(status, &error);
        else
            assert_failed(TQ_ERR_UNSUPPORTED, status, &error);
    }
    free_bytes(file);
}

static void damage_is_survived(void **state) {
    (void)state;
    for (int deflated = 0; deflated < 2; deflated++) {
        parts p = make(deflated);
        size_t step = UNIT_SLOW ? 61 : 11;
        for (size_t at = 0; at < p.outer.size; at += step) {
            tq_error error = TQ_ERROR_INIT;
            bytes cut = {malloc(at + 1), at};
            memcpy(cut.data, p.outer.data, at);
            tq_status status = run(cut, NULL, NULL, 0, &error);
            if (status == TQ_OK)
                fail_msg("%zu bytes of %zu are taken for a bundle", at, p.outer.size);
            assert_message(&error);
            free_bytes(cut);
            p.outer.data[at] ^= (uint8_t)(1u << at % 8);
            if (run(p.outer, NULL, NULL, 1, &error) != TQ_OK)
                assert_message(&error);
            p.outer.data[at] ^= (uint8_t)(1u << at % 8);
        }
        free_parts(&p);
    }
}

/* A model in it is damaged, its checksum right: the message says which, and where in the file. */
static void a_damaged_model_is_named(void **state) {
    (void)state;
    parts p = make(false);
    p.good.data[5] = 'F', p.good.data[9] ^= 0xff;
    memset(p.good.data + 40, 0xff, 200);
    zip_member all[] = {{.name = "labels.txt", .content = labels},
                        {.name = "x.tflite", .file = &p.good}};
    bytes file = build_zip(&(zip_plan){PLAN(all)});
    tq_error error = TQ_ERROR_INIT;
    assert_failed(TQ_ERR_CORRUPT, run(file, NULL, NULL, 0, &error), &error);
    assert_non_null(strstr(error.message, "member 'x.tflite'"));
    assert_true(error.offset > sizeof labels && error.offset < file.size);
    free_bytes(file);
    free_parts(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_give_the_same),
        cmocka_unit_test(models_are_aligned_or_stay_deflated),
        cmocka_unit_test(members_have_reports),
        cmocka_unit_test(patterns_choose_recipes),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(can_be_cancelled),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(a_damaged_model_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
