/* SPDX-License-Identifier: Apache-2.0 */
#include "api/stats.h"

#include <string.h>

#include "execute/call.h"

/* ---- making ---- */

static tq_status check_model(const tq_model *model, uint32_t subgraph, tq_error *error) {
    if (tqi_is_bundle(model))
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "statistics are of one model: take them of a bundle's members");
    if (model->quantized)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "statistics are of a model that was loaded, not of a quantized one");
    if (subgraph >= model->input->graph.n_subgraphs)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "there is no subgraph %u",
                        (unsigned)subgraph);
    return TQ_OK;
}

static tq_status begin(tq_stats *stats, const tq_stats_options *options, tq_error *error) {
    tqi_input *input = stats->model->input;
    tqi_gathering_options how = {.kernels = &input->kernels,
                                 .cpu_flags = input->cpu_flags,
                                 .heap = input->heap,
                                 .grams = true,
                                 .ranges = true,
                                 .fewest = 4};
    TQI_TRY(tqi_read_runner(options->runner, &stats->runner, &how.runner, error));
    TQI_TRY(tqi_find_constants(&input->graph, &stats->arena, &stats->constants, error));
    return tqi_gathering_begin(&stats->gathering, &input->graph, &stats->constants,
                               options->subgraph, &how, error);
}

static tq_status create(const tq_model *model, const tq_stats_options *given, tq_stats **out,
                        tq_error *error) {
    tq_stats_options options = TQ_STATS_OPTIONS_INIT;
    tq_model *own = NULL;
    TQI_TRY(tqi_read_options(&options, sizeof options, given, "tq_stats_options", error));
    if (!model || !out)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_stats_create() needs a model and a result");
    TQI_TRY(check_model(model, options.subgraph, error));
    TQI_TRY(tqi_model_create(model->input, &own, error));
    tq_stats *stats = tqi_alloc(model->input->heap, sizeof *stats);
    if (!stats) {
        tq_model_free(own);
        return tqi_no_memory(model->input->heap, sizeof *stats, error);
    }
    *stats = (tq_stats){.model = own};
    tqi_arena_init(&stats->arena, model->input->heap);
    tq_status status = begin(stats, &options, error);
    if (status == TQ_OK)
        *out = stats;
    else
        tq_stats_free(stats);
    return status;
}

tq_status tq_stats_create(const tq_model *model, const tq_stats_options *options, tq_stats **stats,
                          tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, create(model, options, stats, &local));
}

void tq_stats_free(tq_stats *stats) {
    if (!stats)
        return;
    tq_model *model = stats->model;
    tqi_gathering_free(&stats->gathering);
    tqi_arena_free(&stats->arena);
    tqi_free(model->input->heap, stats, sizeof *stats);
    tq_model_free(model);
}

/* ---- adding ---- */

static tq_status read_array(const tq_stats *stats, uint32_t index, const tq_array *array,
                            tqi_value *value, tq_error *error) {
    const tqi_gathering *g = &stats->gathering;
    const char *wrong = tqi_view_array(array, value);
    if (!wrong && value->elements == 0)
        wrong = "has no elements";
    if (!wrong)
        return TQ_OK;
    tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "array %u %s", (unsigned)index, wrong);
    error->subgraph = (int32_t)g->subgraph;
    error->tensor = g->graph->subgraphs[g->subgraph].inputs[index];
    return TQ_ERR_INVALID_ARGUMENT;
}

static tq_status add(tq_stats *stats, const tq_array *inputs, uint32_t n_inputs, tq_error *error) {
    if (!stats || (n_inputs > 0 && !inputs))
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_stats_add() needs statistics and arrays");
    const tqi_gathering *g = &stats->gathering;
    uint32_t wanted = g->graph->subgraphs[g->subgraph].n_inputs;
    if (n_inputs != wanted)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "%u inputs are given, the model has %u",
                        (unsigned)n_inputs, (unsigned)wanted);
    tqi_arena arena;
    tqi_sample sample = {NULL, n_inputs};
    tqi_arena_init(&arena, stats->model->input->heap);
    tq_status status =
        tqi_arena_alloc(&arena, n_inputs, sizeof *sample.values, &sample.values, error);
    for (uint32_t i = 0; i < n_inputs && status == TQ_OK; i++)
        status = read_array(stats, i, &inputs[i], &sample.values[i], error);
    if (status == TQ_OK)
        status = tqi_gathering_add(&stats->gathering, &sample, error);
    tqi_arena_free(&arena);
    return status;
}

tq_status tq_stats_add(tq_stats *stats, const tq_array *inputs, uint32_t n_inputs,
                       tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, add(stats, inputs, n_inputs, &local));
}

/* ---- reading ---- */

tq_status tq_get_stats_info(const tq_stats *stats, tq_stats_info *info) {
    if (!stats)
        return TQ_ERR_INVALID_ARGUMENT;
    const tqi_gathering *g = &stats->gathering;
    tq_stats_info result = {.sets = g->given,
                            .layers = g->statistics.n_layers,
                            .operators = g->graph->subgraphs[g->subgraph].n_operators,
                            .refusal = ""};
    for (uint32_t i = 0; i < g->statistics.n_layers; i++)
        result.known += g->statistics.layers[i].runs > 0;
    result.refused = g->runs || g->seen_is_own ? tqi_gathering_refused(g, &result.refusal) : 0;
    return tqi_fill_struct(info, &result, sizeof result);
}

/* ---- for tq_quantize() and tq_check() ---- */

tq_status tqi_stats_allowed(tq_error *error) {
    (void)error;
    return TQ_OK;
}

tq_status tqi_stats_find(tq_stats *const *stats, uint32_t n, const tqi_input *input,
                         tqi_arena *arena, tqi_gathering *const **given, tq_error *error) {
    tqi_gathering **list = NULL;
    *given = NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (stats[i]->model->input != input)
            continue;
        if (!list)
            TQI_NEW(arena, &list, input->graph.n_subgraphs, error);
        list[stats[i]->gathering.subgraph] = &stats[i]->gathering;
    }
    *given = list;
    return TQ_OK;
}

tq_status tqi_stats_ranges(tq_stats *const *stats, uint32_t n, const tqi_input *input,
                           tqi_arena *arena, const tqi_value_range *const **ranges,
                           tq_error *error) {
    tqi_gathering *const *given = NULL;
    const tqi_value_range **list = NULL;
    *ranges = NULL;
    TQI_TRY(tqi_stats_find(stats, n, input, arena, &given, error));
    if (!given)
        return TQ_OK;
    TQI_NEW(arena, &list, input->graph.n_subgraphs, error);
    for (uint32_t i = 0; i < input->graph.n_subgraphs; i++)
        if (given[i])
            TQI_TRY(tqi_gathering_ranges(given[i], &list[i], error));
    *ranges = list;
    return TQ_OK;
}
