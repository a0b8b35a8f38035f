/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "recipe/recipe.h"
#include "tflite/schema.h"

static const tqi_rule weight_only[] = {{TQI_ANY_OP, TQI_MODE_WEIGHT_ONLY}};
static const tqi_rule dynamic[] = {{TQI_ANY_OP, TQI_MODE_DYNAMIC}};
static const tqi_rule float16[] = {{TQI_ANY_OP, TQI_MODE_FLOAT16}};
static const tqi_rule int4_blocks[] = {{TQI_OP_FULLY_CONNECTED, TQI_MODE_DYNAMIC_INT4},
                                       {TQI_OP_EMBEDDING_LOOKUP, TQI_MODE_DYNAMIC_INT4}};

/* A new recipe is a list of rules and a line here. */
static const tq_recipe presets[] = {
#ifdef TQI_HAVE_EXECUTOR
    {.name = "int8",
     .summary =
         "int8 weights per channel, rounded for what layers see, with float16 among them "
         "where that pays, float32 arithmetic: a quarter of the size, as accurate as it gets; "
         "runs the model for some seconds",
     .rules = weight_only,
     .n_rules = 1,
     .corrects_biases = true,
     .rounding = TQI_ROUND_INPUTS,
     .mixes = true,
     .float_budget = 0.054},
    {.name = "int8-fast",
     .summary = "as int8, with activations quantized by the runtime for the operators that are "
                "faster by it, as far as accuracy allows",
     .rules = weight_only,
     .n_rules = 1,
     .corrects_biases = true,
     .rounding = TQI_ROUND_INPUTS,
     .mixes = true,
     .float_budget = 0.054,
     .speeds = true},
#endif
    {.name = "weight_only_wi8_afp32",
     .summary = "int8 weights per channel behind DEQUANTIZE, float32 arithmetic: a quarter of the "
                "size, same speed",
     .rules = weight_only,
     .n_rules = 1},
    {.name = "dynamic_wi8_afp32",
     .summary = "int8 weights per channel, activations quantized by the runtime: a quarter of the "
                "size, less memory; faster for large matrices, slower for depthwise convolutions",
     .rules = dynamic,
     .n_rules = 1},
    {.name = "fp16",
     .summary = "float16 constants behind DEQUANTIZE: half the size, hardly any error",
     .rules = float16,
     .n_rules = 1},
    {.name = "dynamic_wi4b32_afp32",
     .summary = "int4 weights of FULLY_CONNECTED and EMBEDDING_LOOKUP with a scale for every 32, "
                "activations quantized by the runtime: a seventh of their size; all else float",
     .rules = int4_blocks,
     .n_rules = sizeof int4_blocks / sizeof *int4_blocks},
    {.name = "none", .summary = "copies the model as it is"},
};

const tq_recipe *tqi_preset(uint32_t index) {
    return index < sizeof presets / sizeof *presets ? &presets[index] : NULL;
}

tqi_mode tqi_recipe_mode(const tq_recipe *recipe, int32_t builtin) {
    for (uint32_t i = recipe->n_rules; i-- > 0;)
        if (recipe->rules[i].builtin == TQI_ANY_OP || recipe->rules[i].builtin == builtin)
            return recipe->rules[i].mode;
    return TQI_MODE_COPY;
}

bool tqi_recipe_makes_int8(const tq_recipe *recipe) {
    for (uint32_t i = 0; i < recipe->n_rules; i++)
        if (recipe->rules[i].mode == TQI_MODE_DYNAMIC ||
            recipe->rules[i].mode == TQI_MODE_WEIGHT_ONLY)
            return true;
    return false;
}

bool tqi_recipe_refines(const tq_recipe *recipe) {
    return recipe->corrects_biases || recipe->rounding != TQI_ROUND_PLAIN || recipe->mixes;
}

int tqi_recipe_copies(const tq_recipe *recipe) {
    for (uint32_t i = 0; i < recipe->n_rules; i++)
        if (recipe->rules[i].mode != TQI_MODE_COPY)
            return 0;
    return 1;
}
