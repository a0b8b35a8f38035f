/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes in JSON: what they become, and what is said of those that are wrong. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recipe/recipe.h"

/* Its presets tell. */
static bool has_executor(void) {
    bool found = false;
    for (uint32_t i = 0; tqi_preset(i); i++)
        found = found || strcmp(tqi_preset(i)->name, "int8") == 0;
    return found;
}

static tq_recipe *parsed(const char *json) {
    tq_error error = TQ_ERROR_INIT;
    tq_recipe *recipe = NULL;
    assert_ok(tq_recipe_parse(json, strlen(json), &recipe, &error), &error);
    assert_non_null(recipe);
    return recipe;
}

static void refused(tq_status expected, const char *json, const char *place, const char *what) {
    tq_error error = TQ_ERROR_INIT;
    tq_recipe *recipe = NULL;
    assert_failed(expected, tq_recipe_parse(json, strlen(json), &recipe, &error), &error);
    assert_null(recipe);
    if (strncmp(error.message, place, strlen(place)) != 0 || !strstr(error.message, what))
        fail_msg("%s: not '%s ... %s'", error.message, place, what);
    if (*place)
        assert_true(error.offset <= strlen(json));
}

static void defaults_are_the_presets(void **state) {
    (void)state;
    tq_recipe_info info = {.struct_size = sizeof info};
    for (uint32_t i = 0; tq_get_recipe_info(i, &info) == TQ_OK; i++) {
        char json[128];
        const tq_recipe *preset = tqi_preset(i);
        snprintf(json, sizeof json, "{\"recipe\": \"%s\"}", info.name);
        tq_recipe *recipe = parsed(json);
        assert_true(recipe != preset);
        assert_ptr_equal(recipe->rules, preset->rules);
        assert_int_equal(recipe->n_rules, preset->n_rules);
        assert_int_equal(recipe->rounding, preset->rounding);
        assert_int_equal(recipe->corrects_biases, preset->corrects_biases);
        assert_int_equal(recipe->mixes, preset->mixes);
        assert_int_equal(recipe->speeds, preset->speeds);
        assert_true(recipe->float_budget == preset->float_budget);
        assert_string_equal(tq_recipe_name(recipe), "");
        assert_string_equal(tq_recipe_name(preset), info.name);
        tq_recipe_free(recipe);
    }
}

static void options_are_taken(void **state) {
    (void)state;
    tq_recipe *recipe = parsed("{\"rounding\": \"plain\", \"bias_correction\": false, \"name\": "
                               "\"mine \\u00e9\", \"recipe\": \"dynamic_wi8_afp32\"}");
    assert_int_equal(recipe->rules[0].mode, TQI_MODE_DYNAMIC);
    assert_false(tqi_recipe_refines(recipe));
    assert_string_equal(tq_recipe_name(recipe), "mine \xc3\xa9");
    tq_recipe_free(recipe);
    recipe = parsed("{\"recipe\": \"weight_only_wi8_afp32\", \"float_budget\": 0}");
    assert_true(recipe->mixes && recipe->float_budget == 0);
    tq_recipe_free(recipe);
    if (!has_executor())
        return;
    recipe = parsed("{\"recipe\": \"dynamic_wi8_afp32\", \"rounding\": \"inputs\", "
                    "\"bias_correction\": true, \"float_budget\": 0.25}");
    assert_int_equal(recipe->rounding, TQI_ROUND_INPUTS);
    assert_true(recipe->corrects_biases && recipe->mixes && recipe->float_budget == 0.25);
    tq_recipe_free(recipe);
    recipe = parsed("{\"recipe\": \"int8\", \"rounding\": \"sums\", \"bias_correction\": false}");
    assert_int_equal(recipe->rounding, TQI_ROUND_SUMS);
    assert_true(!recipe->corrects_biases && recipe->mixes && recipe->float_budget > 0);
    tq_recipe_free(recipe);
}

static void wrong_ones_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *json, *place, *what;
    } cases[] = {
        {"", "line 1, column 1: ", "ends"},
        {"\"int8\"", "line 1, column 1: ", "an object"},
        {"{}", "line 1, column 1: ", "\"recipe\" is missing"},
        {"{\"recipe\": \"none\",\n  \"roundng\": 1}",
         "line 2, column 3: ", "\"roundng\"; did you mean \"rounding\"?"},
        {"{\"Recipe\": \"none\"}", "line 1, column 2: ", "did you mean \"recipe\"?"},
        {"{\"recipe\\u0000\": \"none\"}", "line 1, column 2: ", "there is no key"},
        {"{\"recipe\": \"none\", \"bias\\n_corection\": 1}",
         "line 1, column 20: ", "\"bias_correction\"?"},
        {"{\"recipe\": \"fp61\"}", "line 1, column 12: ", "'fp61'; did you mean 'fp16'?"},
        {"{\"recipe\": \"fp16\\u0000\"}", "line 1, column 12: ", "built-in"},
        {"{\"recipe\": 8}", "line 1, column 12: ", "\"recipe\" has to be the name"},
        {"{\"recipe\": \"fp16\", \"recipe\": \"none\"}", "line 1, column 20: ", "twice"},
        {"{\"recipe\": \"fp16\", \"rounding\": \"plain\"}", "line 1, column 20: ", "'fp16'"},
        {"{\"recipe\": \"none\", \"float_budget\": 0}", "line 1, column 20: ", "'none'"},
        {"{\"recipe\": \"dynamic_wi8_afp32\", \"rounding\": \"input\"}",
         "line 1, column 45: ", "\"inputs\""},
        {"{\"recipe\": \"dynamic_wi8_afp32\", \"bias_correction\": 1}",
         "line 1, column 52: ", "true or false"},
        {"{\"recipe\": \"dynamic_wi8_afp32\", \"float_budget\": 1.01}",
         "line 1, column 49: ", "from 0 to 1"},
        {"{\"recipe\": \"dynamic_wi8_afp32\", \"float_budget\": -0.1}",
         "line 1, column 49: ", "from 0 to 1"},
        {"{\"recipe\": \"dynamic_wi8_afp32\", \"float_budget\": \"5%\"}",
         "line 1, column 49: ", "from 0 to 1"},
        {"{\"recipe\": \"none\", \"name\": null}", "line 1, column 28: ", "\"name\" has to be"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        refused(TQ_ERR_BAD_RECIPE, cases[i].json, cases[i].place, cases[i].what);
    refused(TQ_ERR_UNSUPPORTED, " [{\"regex\": \".*\", \"operation\": \"*\"}]",
            "line 1, column 2: ", "litert-quantizer");
    static const char *const run[] = {"\"rounding\": \"inputs\"", "\"rounding\": \"sums\"",
                                      "\"bias_correction\": true", "\"float_budget\": 0.1"};
    for (size_t i = 0; !has_executor() && i < COUNT(run); i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"recipe\": \"dynamic_wi8_afp32\", %s}", run[i]);
        refused(TQ_ERR_UNSUPPORTED, json, "line 1, column ", "executor");
    }
}

static void sizes_are_bounded(void **state) {
    (void)state;
    enum { LARGE = (1 << 20) + 1 };
    char *json = malloc(LARGE + 1), long_name[400];
    assert_non_null(json);
    memset(json, ' ', LARGE + 1);
    memcpy(json, "{\"recipe\":\"none\"}", 17);
    json[LARGE] = '\0';
    refused(TQ_ERR_BAD_RECIPE, json, "", "too large");
    json[LARGE - 1] = '\0';
    tq_recipe_free(parsed(json));
    free(json);
    snprintf(long_name, sizeof long_name, "{\"recipe\": \"none\", \"name\": \"%0256d\"}", 0);
    refused(TQ_ERR_BAD_RECIPE, long_name, "line 1, column 28: ", "255 bytes");
    snprintf(long_name, sizeof long_name, "{\"recipe\": \"none\", \"%0300d\": 1}", 0);
    refused(TQ_ERR_BAD_RECIPE, long_name, "line 1, column 20: ", "did you mean");
}

static void calls_that_are_wrong(void **state) {
    (void)state;
    tq_error error = TQ_ERROR_INIT;
    tq_recipe *recipe = NULL;
    assert_int_equal(tq_recipe_parse(NULL, 0, &recipe, &error), TQ_ERR_INVALID_ARGUMENT);
    assert_int_equal(tq_recipe_parse("{}", 2, NULL, &error), TQ_ERR_INVALID_ARGUMENT);
    assert_int_equal(tq_recipe_parse("{}", 2, &recipe, NULL), TQ_ERR_BAD_RECIPE);
    assert_null(recipe);
    assert_string_equal(tq_status_name(TQ_ERR_BAD_RECIPE), "TQ_ERR_BAD_RECIPE");
    assert_string_equal(tq_recipe_name(NULL), "");
    tq_recipe_free(NULL);
}

/* Freed before the result is saved, it is needed no more. */
static void quantizes_as_its_preset(void **state) {
    (void)state;
    bytes source = float32_model(), expected = convert(source, "dynamic_wi8_afp32");
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = load(source), *result = NULL;
    tq_recipe *recipe = parsed("{\"recipe\": \"dynamic_wi8_afp32\", \"rounding\": \"plain\"}");
    assert_ok(tq_quantize(model, recipe, NULL, &result, &error), &error);
    tq_recipe_free(recipe);
    bytes output = saved(result);
    assert_true(same_bytes(output, expected));
    free_bytes(output);
    free_bytes(expected);
    tq_model_free(result);
    tq_model_free(model);
    free_bytes(source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_presets), cmocka_unit_test(options_are_taken),
        cmocka_unit_test(wrong_ones_are_refused),   cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(calls_that_are_wrong),     cmocka_unit_test(quantizes_as_its_preset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
