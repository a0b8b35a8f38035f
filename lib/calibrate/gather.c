/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/gather.h"

#include <math.h>
#include <string.h>

#include "execute/call.h"
#include "execute/constant_values.h"

/* Covariances of longer patches take too long to factor; rarely more patches help. */
enum { MAX_PATCH = 1280, PATCHES = 6000 };
/* Nobody knows how many samples will be given: the first few count as all. */
enum { GIVEN_AT_LEAST = 8, FEWEST_PATCHES = 64 };
/* Small models, of a single matrix perhaps, give few patches a run, and run fast. */
enum { CHEAP_WORK = 100 * 1000 * 1000, MOST_SAMPLES = 256 };
static const uint64_t GRAM_BUDGET = 192 << 20;
/* For ranges: more samples than one of each kind are for models that run in a second or so. */
enum { RANGE_SAMPLES = 4 };
static const uint64_t ENOUGH_WORK = UINT64_C(10) * 1000 * 1000 * 1000;
/* Of samples that are made, beside given ones. */
static const double SYNTHETIC_WEIGHT = 0.5;

tq_status tqi_gathering_begin(tqi_gathering *g, const tqi_graph *graph,
                              const tqi_constants *constants, uint32_t subgraph,
                              const tqi_gathering_options *options, tq_error *error) {
    *g = (tqi_gathering){.graph = graph, .subgraph = subgraph, .options = *options};
    tqi_statistics_options wanted = {.max_length = options->grams ? MAX_PATCH : 0,
                                     .patches_per_run = PATCHES,
                                     .gram_budget = GRAM_BUDGET,
                                     .cpu_flags = options->cpu_flags};
    tqi_exec_options how = {.kernels = options->kernels,
                            .cpu_flags = options->cpu_flags,
                            .runner = options->runner,
                            .heap = options->heap,
                            .as_far_as_possible = true,
                            .keep = UINT64_MAX,
                            .progress = options->progress,
                            .progress_opaque = options->progress_opaque};
    TQI_TRY(tqi_ranges_find(&g->ranges, graph, subgraph, options->heap, error));
    TQI_TRY(tqi_exec_create(&g->exec, graph, subgraph, &how, error));
    if (options->ranges)
        TQI_TRY(tqi_tensor_ranges_open(&g->seen, &graph->subgraphs[subgraph], options->cpu_flags,
                                       options->heap, error));
    return tqi_statistics_begin(&g->statistics, graph, constants, subgraph, &wanted, options->heap,
                                error);
}

void tqi_gathering_free(tqi_gathering *g) {
    if (!g->graph)
        return;
    for (uint32_t i = 0; i < g->n_kept; i++)
        tqi_sample_close(&g->kept[i], g->options.heap);
    tqi_tensor_ranges_close(&g->seen);
    tqi_statistics_free(&g->statistics);
    tqi_exec_free(g->exec);
    *g = (tqi_gathering){0};
}

static tq_status observe(void *opaque, const tqi_seen *seen, tq_error *error) {
    tqi_gathering *g = opaque;
    return tqi_statistics_observe(&g->statistics, seen->op, seen->inputs, seen->outputs, error);
}

static tq_status observe_ranges(void *opaque, const tqi_seen *seen, tq_error *error) {
    tqi_gathering *g = opaque;
    (void)error;
    tqi_tensor_ranges_observe(&g->seen, seen);
    return TQ_OK;
}

static tq_status observe_all(void *opaque, const tqi_seen *seen, tq_error *error) {
    TQI_TRY(observe_ranges(opaque, seen, error));
    return observe(opaque, seen, error);
}

static tq_status run(tqi_gathering *g, const tqi_sample *sample, uint32_t patches, tqi_observe how,
                     tq_error *error) {
    g->statistics.options.patches_per_run = patches > FEWEST_PATCHES ? patches : FEWEST_PATCHES;
    TQI_TRY(tqi_exec_run(g->exec, sample->values, sample->n, how, g, error));
    g->work = (double)tqi_exec_work(g->exec);
    g->runs++;
    return TQ_OK;
}

/* ---- given samples ---- */

static tq_status copy_sample(const tqi_sample *sample, tqi_sample *copy, tqi_heap *heap,
                             tq_error *error) {
    size_t size = sample->n * sizeof *copy->values;
    *copy = (tqi_sample){tqi_alloc(heap, size), sample->n};
    if (!copy->values)
        return tqi_no_memory(heap, size, error);
    memset(copy->values, 0, size);
    tq_status status = TQ_OK;
    for (uint32_t i = 0; i < sample->n && status == TQ_OK; i++) {
        const tqi_value *from = &sample->values[i];
        status = tqi_value_new(heap, from->type, from->rank, from->shape, &copy->values[i], error);
        if (status == TQ_OK)
            memcpy(copy->values[i].data, from->data, tqi_value_bytes(from));
    }
    if (status != TQ_OK)
        tqi_sample_close(copy, heap);
    return status;
}

/* The pixels' range, so that samples that are made are like those that are given. */
static void widen_range(tqi_gathering *g, const tqi_sample *sample) {
    for (uint32_t i = 0; i < sample->n; i++) {
        const tqi_value *value = &sample->values[i];
        if (value->type != TQI_TYPE_FLOAT32 || !tqi_is_picture(value->rank, value->shape))
            continue;
        float low = g->given ? g->ranges.list[0].low[0] : 0;
        float high = g->given ? g->ranges.list[0].high[0] : 0;
        for (uint64_t k = 0; k < value->elements; k++) {
            float v = tqi_floats(value)[k];
            if (!isfinite(v))
                continue;
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        for (uint32_t c = 0; c < TQI_RANGE_CHANNELS; c++) {
            g->ranges.list[0].low[c] = low;
            g->ranges.list[0].high[c] = high;
        }
        g->ranges.n = 1;
        return;
    }
}

/* Sums that a run added to up to some operator can't be taken back. */
static tq_status check_whole(const tqi_gathering *g, tq_error *error) {
    return g->broken ? tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                                "these statistics are incomplete, since a call failed that used "
                                "them: make new ones")
                     : TQ_OK;
}

static void forget_ranges(tqi_gathering *g) {
    tqi_tensor_ranges_clear(&g->seen);
    g->seen_is_own = false;
}

static tq_status add(tqi_gathering *g, const tqi_sample *sample, tq_error *error) {
    uint32_t expected = g->given < GIVEN_AT_LEAST ? GIVEN_AT_LEAST : g->given + 1;
    if (g->seen_is_own)
        forget_ranges(g);
    TQI_TRY(run(g, sample, PATCHES / expected, g->seen.list ? observe_all : observe, error));
    if (g->seen.list)
        tqi_tensor_ranges_inputs(&g->seen, sample);
    widen_range(g, sample);
    if (g->n_kept < TQI_KEPT_SAMPLES) {
        TQI_TRY(copy_sample(sample, &g->kept[g->n_kept], g->options.heap, error));
        g->n_kept++;
    }
    g->given++;
    return TQ_OK;
}

tq_status tqi_gathering_add(tqi_gathering *g, const tqi_sample *sample, tq_error *error) {
    if (g->finished)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "these statistics are in use: nothing can be added to them");
    TQI_TRY(check_whole(g, error));
    tq_status status = add(g, sample, error);
    /* wrong samples are refused before anything runs */
    g->broken =
        status != TQ_OK && status != TQ_ERR_INVALID_ARGUMENT && status != TQ_ERR_UNSUPPORTED;
    return status;
}

/* ---- samples of our own ---- */

uint32_t tqi_affordable(const tqi_gathering *g, uint32_t count, double work) {
    uint32_t fewest = (g->options.fewest + g->ranges.n - 1) / g->ranges.n;
    if (!(work > 0) || g->runs == 0)
        return count;
    double cheap = CHEAP_WORK / (g->work + 1);
    if (cheap > count)
        return cheap < MOST_SAMPLES ? (uint32_t)cheap : MOST_SAMPLES;
    if (!(g->work * count > work))
        return count;
    uint32_t can = (uint32_t)(work / g->work);
    uint32_t most = can > fewest ? can : fewest;
    return most < count ? most : count;
}

static tq_status run_range(tqi_gathering *g, tqi_sample *sample, const tqi_input_range *range,
                           uint32_t count, tq_error *error) {
    tqi_synthetic synthetic = {1, *range, 2};
    uint32_t all = count * g->ranges.n;
    for (uint32_t i = 0; i < tqi_affordable(g, count, g->options.work / g->ranges.n); i++) {
        TQI_TRY(tqi_sample_fill(sample, &synthetic, i, g->options.heap, error));
        TQI_TRY(run(g, sample, PATCHES / all, observe, error));
    }
    double weight = g->given ? SYNTHETIC_WEIGHT : 1;
    return tqi_statistics_end_set(&g->statistics, weight, error);
}

/* For another run. */
static bool has_time(const tqi_gathering *g) {
    const tqi_gathering_options *o = &g->options;
    return g->runs < o->fewest || !(o->work > 0) || g->work * (g->runs + 1) <= o->work;
}

static tq_status finish(tqi_gathering *g, uint32_t count, tq_error *error) {
    tqi_sample sample;
    if (g->given)
        TQI_TRY(tqi_statistics_end_set(&g->statistics, 1, error));
    TQI_TRY(tqi_sample_open(&sample, g->exec, &g->graph->subgraphs[g->subgraph], g->options.heap,
                            error));
    tq_status status = TQ_OK;
    for (uint32_t i = 0; i < g->ranges.n && status == TQ_OK; i++)
        if (i == 0 || has_time(g))
            status = run_range(g, &sample, &g->ranges.list[i], count / g->ranges.n, error);
    tqi_sample_close(&sample, g->options.heap);
    if (status == TQ_OK)
        status = tqi_statistics_finish(&g->statistics, error);
    return status;
}

tq_status tqi_gathering_finish(tqi_gathering *g, uint32_t count, tq_error *error) {
    if (g->finished)
        return TQ_OK;
    TQI_TRY(check_whole(g, error));
    tq_status status = finish(g, count, error);
    g->finished = status == TQ_OK;
    g->broken = status != TQ_OK;
    return status;
}

/* Neither counted nor timed: what is gathered later is as if they had not been. */
static tq_status run_for_ranges(tqi_gathering *g, tqi_sample *sample, tq_error *error) {
    uint64_t work = 0;
    for (uint32_t i = 0; i < RANGE_SAMPLES && (i < g->ranges.n || work < ENOUGH_WORK); i++) {
        tqi_synthetic synthetic = {1, g->ranges.list[i % g->ranges.n], 2};
        TQI_TRY(tqi_sample_fill(sample, &synthetic, i / g->ranges.n, g->options.heap, error));
        TQI_TRY(tqi_exec_run(g->exec, sample->values, sample->n, observe_ranges, g, error));
        tqi_tensor_ranges_inputs(&g->seen, sample);
        work += tqi_exec_work(g->exec);
    }
    return TQ_OK;
}

tq_status tqi_gathering_ranges(tqi_gathering *g, const tqi_value_range **ranges, tq_error *error) {
    *ranges = NULL;
    TQI_TRY(check_whole(g, error));
    if (g->seen.list && g->given == 0 && !g->seen_is_own) {
        tqi_sample sample;
        TQI_TRY(tqi_sample_open(&sample, g->exec, &g->graph->subgraphs[g->subgraph],
                                g->options.heap, error));
        tq_status status = run_for_ranges(g, &sample, error);
        tqi_sample_close(&sample, g->options.heap);
        if (status != TQ_OK)
            forget_ranges(g);
        TQI_TRY(status);
        g->seen_is_own = true;
    }
    *ranges = g->seen.list;
    return TQ_OK;
}

uint32_t tqi_gathering_refused(const tqi_gathering *g, const char **why) {
    const uint8_t *states = tqi_exec_states(g->exec);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < g->graph->subgraphs[g->subgraph].n_operators; i++)
        refused += states[i] == TQI_OP_REFUSED;
    *why = refused ? tqi_exec_refusal(g->exec)->message : "";
    return refused;
}
