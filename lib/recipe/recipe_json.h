/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes in JSON: see tq_recipe_parse(). */
#ifndef TQI_RECIPE_RECIPE_JSON_H
#define TQI_RECIPE_RECIPE_JSON_H

#include "base/heap.h"
#include "recipe/recipe.h"

/* The recipe is one block of `heap`, of recipe->size bytes. */
tq_status tqi_recipe_parse(const char *json, size_t size, tqi_heap *heap, tq_recipe **recipe,
                           tq_error *error);

#endif
