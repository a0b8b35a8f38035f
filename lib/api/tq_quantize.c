/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/model.h"

tq_status tq_get_recipe_info(uint32_t index, tq_recipe_info *info) {
    const tq_recipe *recipe = tqi_preset(index);
    if (!recipe)
        return TQ_ERR_INVALID_ARGUMENT;
    tq_recipe_info result = {
        .is_default = index == 0, .name = recipe->name, .summary = recipe->summary};
    return tqi_fill_struct(info, &result, sizeof result);
}

static tq_status find_recipe(const char *name, tq_recipe **recipe, tq_error *error) {
    if (!recipe)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_recipe_create() needs a recipe");
    const tq_recipe *preset;
    for (uint32_t i = 0; (preset = tqi_preset(i)) != NULL; i++) {
        if (!name || strcmp(name, preset->name) == 0) {
            /* callers hold a handle that they may free; presets are not on the heap */
            *recipe = (tq_recipe *)(uintptr_t)preset;
            return TQ_OK;
        }
    }
    return tqi_fail(error, TQ_ERR_UNKNOWN_RECIPE, "there is no recipe '%s'", name);
}

tq_status tq_recipe_create(const char *name, tq_recipe **recipe, tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, find_recipe(name, recipe, &local));
}

void tq_recipe_free(tq_recipe *recipe) {
    (void)recipe; /* presets are static */
}

/* Constants whose encoder met values that can't be encoded are left alone from now on. */
static void refuse_failed(tq_model *model) {
    for (uint32_t i = 0; i < model->plan.constants.count; i++) {
        const tqi_encoder *e = model->result.encoders[i];
        uint32_t reason = e ? atomic_load(&e->failed) : TQ_REASON_NONE;
        if (reason != TQ_REASON_NONE)
            tqi_plan_refuse(&model->plan, i, reason);
    }
}

tq_status tqi_model_apply(tq_model *model, tq_error *error) {
    tqi_input *input = model->input;
    tq_status status;
    while (tqi_arena_free(&model->edits),
           (status = tqi_apply(&model->result, &model->plan, &input->graph, &input->kernels,
                               &model->edits, error)) == (tq_status)TQI_NOT_ENCODABLE)
        refuse_failed(model);
    if (status != TQ_OK)
        return status;
    tqi_layout layout;
    status = tqi_layout_make(&layout, tqi_model_graph(model), &input->heap, error);
    model->file_size = layout.size;
    tqi_layout_free(&layout);
    return status;
}

tq_status tqi_model_refuse(tq_model *model, tq_error *error) {
    refuse_failed(model);
    return tqi_model_apply(model, error);
}

static tq_status quantize(const tq_model *model, const tq_recipe *recipe,
                          const tq_quantize_options *given, tq_model **quantized, tq_error *error) {
    tq_quantize_options options = TQ_QUANTIZE_OPTIONS_INIT;
    TQI_TRY(tqi_read_options(&options, sizeof options, given, "tq_quantize_options", error));
    if (!model || !recipe || !quantized)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_quantize() needs a model, a recipe and a result");
    if (model->quantized)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "this model comes from tq_quantize(): save it and load it again first");
    tq_model *result = NULL;
    TQI_TRY(tqi_model_create(model->input, &result, error));
    result->quantized = true;
    tq_status status =
        tqi_plan_make(&result->plan, &model->input->graph, recipe, &result->arena, error);
    if (status == TQ_OK)
        status = tqi_model_apply(result, error);
    if (status != TQ_OK) {
        tq_model_free(result);
        return status;
    }
    *quantized = result;
    return TQ_OK;
}

tq_status tq_quantize(const tq_model *model, const tq_recipe *recipe,
                      const tq_quantize_options *options, tq_model **quantized, tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, quantize(model, recipe, options, quantized, &local));
}
