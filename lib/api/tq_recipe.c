/* SPDX-License-Identifier: Apache-2.0 */
#include "api/model.h"
#include "recipe/recipe_json.h"

static tq_status parse(const char *json, size_t size, tq_recipe **recipe, tq_error *error) {
    if (!json || !recipe)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_recipe_parse() needs a text and a recipe");
    tqi_heap heap;
    tqi_heap_init(&heap, NULL, 0);
    return tqi_recipe_parse(json, size, &heap, recipe, error);
}

tq_status tq_recipe_parse(const char *json, size_t size, tq_recipe **recipe, tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, parse(json, size, recipe, &local));
}

const char *tq_recipe_name(const tq_recipe *recipe) {
    return recipe ? recipe->name : "";
}

void tq_recipe_free(tq_recipe *recipe) {
    tqi_heap heap;
    if (!recipe || recipe->size == 0)
        return; /* presets are static */
    tqi_heap_init(&heap, NULL, 0);
    tqi_heap_charge(&heap, recipe->size);
    tqi_free(&heap, recipe, recipe->size);
}
