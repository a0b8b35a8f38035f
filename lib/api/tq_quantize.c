/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "api/stats.h"
#include "quantize/refine.h"

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
           (status = tqi_apply(&model->result, &model->plan, &model->refinement, &input->graph,
                               &input->kernels, &model->edits, error)) ==
               (tq_status)TQI_NOT_ENCODABLE)
        refuse_failed(model);
    if (status != TQ_OK)
        return status;
    tqi_layout layout;
    status = tqi_layout_make(&layout, tqi_model_graph(model), input->heap, error);
    model->has_crc = model->is_packed = false;
    model->file_size = layout.size;
    tqi_layout_free(&layout);
    return status;
}

static bool has_failed(const tq_model *model) {
    for (uint32_t i = 0; i < model->plan.constants.count; i++) {
        const tqi_encoder *e = model->result.encoders[i];
        if (e && atomic_load(&e->failed) != TQ_REASON_NONE)
            return true;
    }
    return false;
}

tq_status tqi_model_refuse(tq_model *model, tq_error *error) {
    if (!tqi_is_bundle(model)) {
        if (!has_failed(model))
            return TQ_OK;
        refuse_failed(model);
        return tqi_model_apply(model, error);
    }
    for (uint32_t i = 0; i < model->input->container.n_members; i++)
        if (model->members[i])
            TQI_TRY(tqi_model_refuse(model->members[i], error));
    model->has_crc = model->is_packed = false;
    return tqi_bundle_measure(model, error);
}

/* ---- recipes for members ---- */

typedef struct recipe_choice {
    const tq_recipe *usual;
    const tq_quantize_options *options;
    const tq_member_recipe *others;
    uint32_t n_others;
    bool *used;         /* by others */
    uint64_t in_models; /* bytes of a bundle's models */
    uint64_t besides;   /* and of all else in it */
    uint64_t *done;     /* of in_models */
} recipe_choice;

static bool fits(const char *pattern, const char *path) {
    const char *star = NULL, *retry = NULL;
    while (*path) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = path;
        } else if (*pattern == '?' || *pattern == *path) {
            pattern++;
            path++;
        } else if (star) {
            pattern = star;
            path = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static const tq_recipe *choose(const recipe_choice *choices, const char *path) {
    const tq_recipe *recipe = NULL;
    for (uint32_t i = 0; i < choices->n_others; i++) {
        if (!fits(choices->others[i].pattern, path))
            continue;
        choices->used[i] = true;
        recipe = recipe ? recipe : choices->others[i].recipe;
    }
    return recipe ? recipe : choices->usual;
}

static tq_status quantize_model(const tq_model *model, const recipe_choice *choices,
                                tq_model **quantized, tq_error *error);

static tq_status quantize_members(const tq_model *bundle, const recipe_choice *choices,
                                  tq_model *result, tq_error *error) {
    uint32_t n = bundle->input->container.n_members;
    TQI_NEW(&result->arena, &result->members, n, error);
    result->flags = choices->options->flags;
    result->target_size = choices->options->target_size;
    for (uint32_t i = 0; i < n; i++) {
        if (!bundle->members[i])
            continue;
        tq_status status = quantize_model(bundle->members[i], choices, &result->members[i], error);
        if (status != TQ_OK)
            return tqi_blame_member(bundle, i, status, error);
    }
    return tqi_bundle_measure(result, error);
}

static uint64_t bytes_in_models(const tq_model *model) {
    uint64_t sum = 0;
    if (!tqi_is_bundle(model))
        return model->input->source.size;
    for (uint32_t i = 0; i < model->input->container.n_members; i++)
        if (model->members[i])
            sum += bytes_in_models(model->members[i]);
    return sum;
}

/* The models of a bundle share what is left for them by their sizes. */
static uint64_t target_of(const tq_model *model, const recipe_choice *choices) {
    uint64_t target = choices->options->target_size;
    if (target == 0 || !model->input->outer)
        return target;
    double share = (double)model->input->source.size / (double)choices->in_models;
    double left = (double)target - (double)choices->besides;
    return left > 0 ? (uint64_t)(left * share) + 1 : 1;
}

/* The steps of one model of a bundle, as its share of all. */
typedef struct part {
    const recipe_choice *choices;
    uint64_t size;
} part;

static int32_t tell_part(void *opaque, uint64_t done, uint64_t total) {
    const part *p = opaque;
    const tq_quantize_options *options = p->choices->options;
    double share = total > 0 ? (double)done / (double)total : 1;
    return options->progress(options->progress_opaque,
                             *p->choices->done + (uint64_t)(share * (double)p->size),
                             p->choices->in_models);
}

static tq_status measure(void *opaque, uint64_t *size, tq_error *error) {
    tq_model *model = opaque;
    TQI_TRY(tqi_model_apply(model, error));
    *size = model->file_size;
    return TQ_OK;
}

static tq_status refine(tq_model *model, const tq_recipe *recipe, const recipe_choice *choices,
                        tq_error *error) {
    part steps = {choices, model->input->source.size};
    tqi_refine_options options = {.kernels = &model->input->kernels,
                                  .cpu_flags = model->input->cpu_flags,
                                  .heap = model->input->heap,
                                  .recipe = recipe,
                                  .effort = choices->options->effort,
                                  .target = choices->options->target,
                                  .target_size = target_of(model, choices),
                                  .min_snr_db = choices->options->min_snr_db,
                                  .measure = measure,
                                  .measure_opaque = model,
                                  .runner = choices->options->runner,
                                  .progress = choices->options->progress,
                                  .progress_opaque = choices->options->progress_opaque};
    if (options.progress && model->input->outer) {
        options.progress = tell_part;
        options.progress_opaque = &steps;
    }
    model->target_size = choices->options->target_size;
    model->refinement = (tqi_refinement){.error = NAN, .plain_error = NAN, .refusal = ""};
    if (!tqi_recipe_refines(recipe))
        return TQ_OK;
    TQI_TRY(tqi_stats_find(choices->options->stats, choices->options->n_stats, model->input,
                           &model->arena, &options.given, error));
    return tqi_refine(&model->refinement, &model->plan, &model->input->graph, &options,
                      &model->arena, error);
}

/* No error is no error whoever looks; recipes that don't look can't promise one. */
static void settle_goal(tq_model *model, const recipe_choice *choices) {
    if (!(choices->options->min_snr_db > 0))
        return;
    if (!model->result.changed)
        model->refinement.goal = TQ_GOAL_REACHED;
    else if (model->refinement.goal == TQ_GOAL_NONE)
        model->refinement.goal = TQ_GOAL_MISSED;
}

static tq_status plan_and_apply(const tq_model *model, const recipe_choice *choices,
                                tq_model *result, tq_error *error) {
    if (tqi_is_bundle(model))
        return quantize_members(model, choices, result, error);
    const tq_recipe *recipe = choose(choices, model->input->path);
    TQI_TRY(tqi_plan_make(&result->plan, &model->input->graph, recipe, choices->options->target,
                          &result->arena, error));
    TQI_TRY(refine(result, recipe, choices, error));
    TQI_TRY(tqi_model_apply(result, error));
    settle_goal(result, choices);
    *choices->done += model->input->source.size;
    return TQ_OK;
}

static tq_status quantize_model(const tq_model *model, const recipe_choice *choices,
                                tq_model **quantized, tq_error *error) {
    tq_model *result = NULL;
    TQI_TRY(tqi_model_create(model->input, &result, error));
    result->quantized = true;
    tq_status status = plan_and_apply(model, choices, result, error);
    if (status != TQ_OK) {
        tq_model_free(result);
        return status;
    }
    *quantized = result;
    return TQ_OK;
}

/* ---- the call ---- */

static tq_status read_options(const tq_quantize_options *given, tq_quantize_options *options,
                              tq_error *error) {
    TQI_TRY(tqi_read_options(options, sizeof *options, given, "tq_quantize_options", error));
    if (options->flags & ~(uint32_t)TQ_QUANTIZE_KEEP_STORAGE)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_quantize_options.flags has unknown bits");
    if (options->effort > TQ_EFFORT_BEST || options->target > TQ_TARGET_INT8_ONLY)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_quantize_options.effort or target is none");
    TQI_TRY(tqi_read_stats(options->stats, options->n_stats, "tq_quantize_options", error));
    if (!(options->min_snr_db >= 0) || (options->target_size > 0 && options->min_snr_db > 0))
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_quantize_options has two goals, or a min_snr_db that is none");
    for (uint32_t i = 0; i < options->n_member_recipes; i++)
        if (!options->member_recipes || !options->member_recipes[i].pattern ||
            !options->member_recipes[i].recipe)
            return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                            "tq_member_recipe lacks a pattern or a recipe");
    return TQ_OK;
}

static tq_status check_used(const recipe_choice *choices, tq_error *error) {
    for (uint32_t i = 0; i < choices->n_others; i++)
        if (!choices->used[i])
            return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "there is no model that '%s' fits",
                            choices->others[i].pattern);
    return TQ_OK;
}

/* What takes no steps may come last in a bundle. */
static tq_status tell_end(const tq_model *model, const recipe_choice *choices, tq_error *error) {
    const tq_quantize_options *options = choices->options;
    if (tqi_is_bundle(model) && options->progress &&
        options->progress(options->progress_opaque, choices->in_models, choices->in_models) != 0)
        return tqi_fail(error, TQ_ERR_CANCELLED, "cancelled");
    return TQ_OK;
}

static tq_status quantize(const tq_model *model, const tq_recipe *recipe,
                          const tq_quantize_options *given, tq_model **quantized, tq_error *error) {
    tq_quantize_options options = TQ_QUANTIZE_OPTIONS_INIT;
    tq_runner runner;
    TQI_TRY(read_options(given, &options, error));
    TQI_TRY(tqi_read_runner(options.runner, &runner, &options.runner, error));
    if (!model || !recipe || !quantized)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_quantize() needs a model, a recipe and a result");
    if (model->quantized)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "this model comes from tq_quantize(): save it and load it again first");
    uint64_t done = 0;
    recipe_choice choices = {.usual = recipe,
                             .options = &options,
                             .others = options.member_recipes,
                             .n_others = options.n_member_recipes,
                             .in_models = bytes_in_models(model),
                             .done = &done};
    choices.besides = model->input->source.size > choices.in_models
                          ? model->input->source.size - choices.in_models
                          : 0;
    tqi_arena arena;
    tq_model *result = NULL;
    tqi_arena_init(&arena, model->input->heap);
    tq_status status =
        tqi_arena_alloc(&arena, choices.n_others, sizeof *choices.used, &choices.used, error);
    if (status == TQ_OK)
        status = quantize_model(model, &choices, &result, error);
    if (status == TQ_OK)
        status = check_used(&choices, error);
    if (status == TQ_OK)
        status = tell_end(model, &choices, error);
    tqi_arena_free(&arena);
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
