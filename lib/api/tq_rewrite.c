/* SPDX-License-Identifier: Apache-2.0 */
#include "api/model.h"
#include "quantize/runtime_version.h"

tq_status tq_get_rewrite_info(uint32_t index, tq_rewrite_info *info) {
    const tqi_rewrite *rewrite = tqi_rewrite_at(index);
    if (!rewrite)
        return TQ_ERR_INVALID_ARGUMENT;
    tq_rewrite_info result = {
        .is_default = rewrite->is_default, .name = rewrite->name, .summary = rewrite->summary};
    return tqi_fill_struct(info, &result, sizeof result);
}

uint32_t tq_edit_count(const tq_model *model) {
    return model ? model->input->n_edits : 0;
}

tq_status tq_get_edit_info(const tq_model *model, uint32_t index, tq_edit_info *info) {
    if (index >= tq_edit_count(model))
        return TQ_ERR_INVALID_ARGUMENT;
    const tqi_edit *edit = &model->input->edits[index];
    tq_edit_info result = {.subgraph = edit->subgraph,
                           .op = edit->op,
                           .tensor = edit->tensor,
                           .rewrite = edit->rewrite,
                           .op_name = edit->op_name,
                           .name = edit->tensor_name};
    return tqi_fill_struct(info, &result, sizeof result);
}

/* ---- one model ---- */

/* An input of its own, or, where there is nothing to do, that of the model. */
static tq_status make_input(const tq_model *model, const tqi_rewrite_options *options,
                            tqi_input **out, tq_error *error) {
    tqi_input *from = model->input, *input;
    TQI_TRY(tqi_input_derive(from, &input, error));
    tqi_rewritten result;
    tq_status status = tqi_rewrite_graph(&result, &from->graph, options, &input->arena, error);
    if (status == TQ_OK && result.n_edits > 0)
        status = tqi_raise_runtime_version(&result.graph, &input->arena, error);
    if (status == TQ_OK && result.n_edits > 0)
        status = tqi_graph_compact(&result.graph, error);
    if (status == TQ_OK && result.n_edits == 0 && !from->is_rewritten) {
        atomic_fetch_add(&from->references, 1);
        *out = from;
        tqi_input_release(input);
        return TQ_OK;
    }
    if (status != TQ_OK) {
        tqi_input_release(input);
        return status;
    }
    input->graph = result.n_edits > 0 ? result.graph : from->graph;
    input->is_rewritten = true;
    input->edits = result.edits;
    input->n_edits = result.n_edits;
    *out = input;
    return TQ_OK;
}

static tq_status measure(tq_model *model, tq_error *error) {
    tqi_layout layout;
    model->file_size = model->input->source.size;
    if (!tqi_model_changed(model))
        return TQ_OK;
    tq_status status = tqi_layout_make(&layout, tqi_model_graph(model), model->input->heap, error);
    model->file_size = layout.size;
    tqi_layout_free(&layout);
    return status;
}

static tq_status rewrite_file(const tq_model *model, const tqi_rewrite_options *options,
                              tq_model **rewritten, tq_error *error) {
    tqi_input *input = NULL;
    TQI_TRY(make_input(model, options, &input, error));
    tq_model *result = NULL;
    tq_status status = tqi_model_create(input, &result, error);
    tqi_input_release(input);
    TQI_TRY(status);
    status = measure(result, error);
    if (status != TQ_OK) {
        tq_model_free(result);
        return status;
    }
    *rewritten = result;
    return TQ_OK;
}

/* ---- bundles ---- */

static tq_status rewrite_any(const tq_model *model, const tqi_rewrite_options *options,
                             tq_model **rewritten, tq_error *error);

static tq_status rewrite_members(const tq_model *bundle, const tqi_rewrite_options *options,
                                 tq_model *result, tq_error *error) {
    uint32_t n = bundle->input->container.n_members;
    TQI_NEW(&result->arena, &result->members, n, error);
    for (uint32_t i = 0; i < n; i++) {
        if (!bundle->members[i])
            continue;
        tq_status status = rewrite_any(bundle->members[i], options, &result->members[i], error);
        if (status != TQ_OK)
            return tqi_blame_member(bundle, i, status, error);
    }
    result->file_size = bundle->input->source.size;
    return tqi_model_changed(result) ? tqi_bundle_measure(result, error) : TQ_OK;
}

static tq_status rewrite_any(const tq_model *model, const tqi_rewrite_options *options,
                             tq_model **rewritten, tq_error *error) {
    tq_model *result = NULL;
    if (!tqi_is_bundle(model))
        return rewrite_file(model, options, rewritten, error);
    TQI_TRY(tqi_model_create(model->input, &result, error));
    tq_status status = rewrite_members(model, options, result, error);
    if (status != TQ_OK) {
        tq_model_free(result);
        return status;
    }
    *rewritten = result;
    return TQ_OK;
}

/* ---- the call ---- */

enum { MOST_REWRITES = 64 };

static tq_status choose(const tq_rewrite_options *options, bool chosen[MOST_REWRITES],
                        tq_error *error) {
    for (uint32_t i = 0; i < options->n_names; i++) {
        uint32_t index;
        const char *name = options->names[i];
        if (!name || !tqi_rewrite_find(name, &index))
            return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "there is no rewrite '%s'",
                            name ? name : "");
        chosen[index] = true;
    }
    return TQ_OK;
}

static tq_status rewrite(const tq_model *model, const tq_rewrite_options *given,
                         tq_model **rewritten, tq_error *error) {
    tq_rewrite_options options = TQ_REWRITE_OPTIONS_INIT;
    bool chosen[MOST_REWRITES] = {false};
    TQI_TRY(tqi_read_options(&options, sizeof options, given, "tq_rewrite_options", error));
    if (!model || !rewritten)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_rewrite() needs a model and a place for the result");
    if (model->quantized)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "this model comes from tq_quantize(): save it and load it again first");
    if (options.target > TQ_TARGET_INT8_ONLY || options.reserved != 0)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_rewrite_options.target is none");
    if (options.n_names > 0 && !options.names)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_rewrite_options lacks its names");
    TQI_TRY(choose(&options, chosen, error));
    const tqi_rewrite_options what = {.chosen = options.names ? chosen : NULL,
                                      .target = options.target,
                                      .kernels = &model->input->kernels};
    return rewrite_any(model, &what, rewritten, error);
}

tq_status tq_rewrite(const tq_model *model, const tq_rewrite_options *options, tq_model **rewritten,
                     tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, rewrite(model, options, rewritten, &local));
}
