/* SPDX-License-Identifier: Apache-2.0 */
/* What refinement does to the outputs: the model runs with changed weights. */
#include <math.h>
#include <string.h>

#include "calibrate/trials.h"
#include "execute/call.h"
#include "execute/constant_values.h"
#include "quantize/heads.h"
#include "quantize/refine_private.h"

typedef enum whole_trial { ALL_AS_REFINED, ALL_PLAIN, WHOLE_TRIALS } whole_trial;

/* Changes of a trial, by worker. */
typedef struct change_list {
    tqi_change *changes;
    uint32_t n;
    tqi_value *values; /* weights */
    tqi_value *biases;
    uint32_t n_values, n_biases;
} change_list;

typedef struct judge {
    tqi_refiner *r;
    uint32_t subgraph;
    const uint32_t *list; /* of layers, one by one; NULL: trials are WHOLE_TRIALS */
    tqi_action as;        /* what each of them is tried as */
    change_list *lists;
    tqi_heads *heads; /* to be observed, or NULL */
    tqi_exec *exec;
} judge;

static void drop_values(const judge *j, change_list *list) {
    list->n = list->n_biases = 0;
    while (list->n_values > 0)
        tqi_value_free(j->r->options->heap, &list->values[--list->n_values]);
}

static void add_bias(change_list *list, uint32_t op, uint32_t input, const float *values,
                     uint32_t channels) {
    tqi_value *bias = &list->biases[list->n_biases++];
    *bias = (tqi_value){.type = TQI_TYPE_FLOAT32,
                        .rank = 1,
                        .shape = {(int32_t)channels},
                        .elements = channels,
                        .data = (void *)(uintptr_t)values}; /* nobody writes to it */
    list->changes[list->n++] = (tqi_change){op, input, bias};
}

enum { WEIGHTS = 1 };

static tq_status add_layer(const tqi_refiner *r, change_list *list, const tqi_layer *l, bool plain,
                           bool dynamic, tq_error *error) {
    tqi_value *values = &list->values[list->n_values];
    TQI_TRY(tqi_layer_values(l, &r->context, plain, values, error));
    list->n_values++;
    list->changes[list->n++] = (tqi_change){l->op, WEIGHTS, values};
    if (dynamic)
        list->changes[list->n++] = (tqi_change){l->op, 0, NULL};
    if (l->bias && !plain)
        add_bias(list, l->op, (uint32_t)l->bias_input, l->bias, l->channels);
    return TQ_OK;
}

static tq_status add_halves(const tqi_refiner *r, change_list *list, const tqi_layer *l,
                            tq_error *error) {
    tqi_value *values = &list->values[list->n_values];
    TQI_TRY(tqi_layer_halves(l, &r->context, values, error));
    list->n_values++;
    list->changes[list->n++] = (tqi_change){l->op, WEIGHTS, values};
    return TQ_OK;
}

static tq_status change_one(const judge *j, uint32_t layer, change_list *list, tq_error *error) {
    const tqi_refiner *r = j->r;
    bool int4 = j->as == TQI_ACTION_DYNAMIC_INT4;
    const tqi_layer *l = &(int4 ? r->blocks : r->layers)[layer];
    bool dynamic = j->as != TQI_ACTION_WEIGHT_ONLY ||
                   tqi_rounds_activations(r, r->first_decisions, l->constant);
    return add_layer(r, list, l, false, dynamic, error);
}

static tq_status change_all(const judge *j, bool plain, change_list *list, tq_error *error) {
    const tqi_refiner *r = j->r;
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const tqi_layer *l = &r->layers[i];
        if (l->subgraph != j->subgraph || !l->ready)
            continue;
        bool dynamic =
            tqi_rounds_activations(r, plain ? r->first_decisions : r->plan->decisions, l->constant);
        const tqi_layer *as = plain ? l : tqi_chosen(r, i);
        if (as)
            TQI_TRY(add_layer(r, list, as, plain, dynamic, error));
        else if (r->plan->decisions[l->constant].action == TQI_ACTION_FLOAT16)
            TQI_TRY(add_halves(r, list, l, error));
    }
    for (uint32_t i = 0; !plain && i < r->n_head_biases; i++) {
        const tqi_new_bias *b = &r->head_biases[i];
        if (b->subgraph == j->subgraph)
            add_bias(list, b->op, b->input, b->values, b->count);
    }
    return TQ_OK;
}

static tq_status make_changes(void *opaque, uint32_t worker, uint32_t trial, tqi_change *changes,
                              uint32_t *n, tq_error *error) {
    const judge *j = opaque;
    change_list *list = &j->lists[worker];
    drop_values(j, list);
    list->changes = changes;
    TQI_TRY(j->list ? change_one(j, j->list[trial], list, error)
                    : change_all(j, trial == ALL_PLAIN, list, error));
    *n = list->n;
    return TQ_OK;
}

static bool tell(void *opaque, uint64_t operators) {
    const judge *j = opaque;
    return tqi_add_steps(&j->r->steps, operators);
}

static void observe_heads(void *opaque, uint32_t trial) {
    judge *j = opaque;
    if (trial == ALL_AS_REFINED)
        tqi_heads_observe(j->heads, j->exec);
}

static void end_set(tqi_trials *trials) {
    const judge *j = trials->opaque;
    tqi_trials_end_set(trials);
    if (j->heads)
        tqi_heads_end_set(j->heads);
}

/* None of these have statistics seen, and the whole is judged on what no choice was made by. */
enum { JUDGING_SEED = 2, HEADS_SEED = 3, WHOLE_SEED = 4 };

static tq_status run_samples(tqi_refiner *r, const tqi_gathering *g, tqi_trials *trials,
                             uint32_t seed, uint32_t count) {
    if (g->n_kept > 0) {
        for (uint32_t i = 0; i < g->n_kept; i++)
            TQI_TRY(tqi_trials_run(trials, &g->kept[i], r->error));
        end_set(trials);
        return TQ_OK;
    }
    tqi_sample sample;
    TQI_TRY(tqi_sample_open(&sample, g->exec, &r->graph->subgraphs[g->subgraph], r->options->heap,
                            r->error));
    tq_status status = TQ_OK;
    for (uint32_t k = 0; k < g->ranges.n && status == TQ_OK; k++) {
        tqi_synthetic synthetic = {seed, g->ranges.list[k], 2};
        for (uint32_t i = 0; i < count / g->ranges.n && status == TQ_OK; i++) {
            status = tqi_sample_fill(&sample, &synthetic, i, r->options->heap, r->error);
            if (status == TQ_OK)
                status = tqi_trials_run(trials, &sample, r->error);
        }
        end_set(trials);
    }
    tqi_sample_close(&sample, r->options->heap);
    return status;
}

static tq_status new_lists(change_list **lists, uint32_t n, uint32_t layers, uint32_t biases,
                           tqi_arena *arena, tq_error *error) {
    change_list *made = NULL;
    TQI_NEW(arena, &made, n, error);
    for (uint32_t i = 0; i < n; i++) {
        TQI_NEW(arena, &made[i].values, layers, error);
        TQI_NEW(arena, &made[i].biases, biases, error);
    }
    *lists = made;
    return TQ_OK;
}

/* `n` layers or, if `list` is NULL, the first `n` of WHOLE_TRIALS; `results` has `n` elements. */
static tq_status run_trials(tqi_refiner *r, const tqi_gathering *g, const uint32_t *list,
                            uint32_t n, tqi_action as, tqi_heads *heads, uint32_t count,
                            tqi_trial *results) {
    tqi_heap *heap = r->options->heap;
    judge j = {.r = r, .subgraph = g->subgraph, .list = list, .as = as, .heads = heads};
    uint32_t layers = list ? 1 : r->n_layers, biases = layers + (list ? 0 : r->n_head_biases);
    tqi_trials trials = {.n_trials = n,
                         .most = 3 * layers + biases,
                         .runner = r->options->runner,
                         .make = make_changes,
                         .observe = heads ? observe_heads : NULL,
                         .tell = r->steps.progress ? tell : NULL,
                         .opaque = &j,
                         .results = results};
    tqi_exec_options how = {.kernels = r->options->kernels,
                            .cpu_flags = r->options->cpu_flags,
                            .runner = r->options->runner,
                            .heap = heap,
                            .as_far_as_possible = true,
                            .retain = true,
                            .keep = UINT64_MAX,
                            .progress = r->steps.progress ? tqi_step : NULL,
                            .progress_opaque = &r->steps};
    uint32_t workers = trials.runner ? trials.runner->workers : 1;
    tqi_arena arena;
    tqi_arena_init(&arena, heap);
    tq_status status = new_lists(&j.lists, workers, layers, biases, &arena, r->error);
    if (status == TQ_OK)
        status = tqi_exec_create(&j.exec, r->graph, g->subgraph, &how, r->error);
    for (uint32_t i = 0; heads && i < heads->n && status == TQ_OK; i++)
        status = tqi_exec_watch(j.exec, heads->list[i].tensor, r->error);
    if (status == TQ_OK)
        status = tqi_trials_begin(&trials, j.exec, r->graph, g->subgraph, heap, r->error);
    if (status == TQ_OK)
        status = run_samples(r, g, &trials,
                             heads  ? HEADS_SEED
                             : list ? JUDGING_SEED
                                    : WHOLE_SEED,
                             count);
    tqi_trials_finish(&trials);
    for (uint32_t i = 0; j.lists && i < workers; i++)
        drop_values(&j, &j.lists[i]);
    tqi_trials_free(&trials);
    tqi_exec_free(j.exec);
    tqi_arena_free(&arena);
    return status;
}

/* Each of n layers runs what is behind it again: half of all, on average. */
static uint32_t trials_for(const tqi_refiner *r, const tqi_gathering *g, uint32_t n) {
    double all = g->work * n / 2;
    double most = 2 * r->pace->work;
    if (all * g->ranges.n > most)
        return 0;
    uint32_t count = all * r->pace->trials > most ? (uint32_t)(most / all) : r->pace->trials;
    return count - count % g->ranges.n;
}

/* `n` layers, one by one; *results is NULL where that would take too long, or there is none. */
static tq_status judge_each(tqi_refiner *r, const tqi_gathering *g, const uint32_t *list,
                            uint32_t n, tqi_action as, tqi_trial **results) {
    uint32_t count = trials_for(r, g, n);
    *results = NULL;
    if (n == 0 || count == 0)
        return TQ_OK;
    TQI_NEW(r->arena, results, n, r->error);
    return run_trials(r, g, list, n, as, NULL, count, *results);
}

tq_status tqi_judge_layers(tqi_refiner *r, const tqi_gathering *g) {
    uint32_t *list = NULL, n = 0;
    tqi_trial *results;
    TQI_NEW(r->arena, &list, r->n_layers, r->error);
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (r->layers[i].subgraph == g->subgraph && r->layers[i].ready)
            list[n++] = i;
    TQI_TRY(judge_each(r, g, list, n, TQI_ACTION_WEIGHT_ONLY, &results));
    for (uint32_t i = 0; results && i < n; i++) {
        r->items[list[i]].error = results[i].sum;
        r->worst[list[i]] = results[i].worst;
    }
    return TQ_OK;
}

/* Those that int8 arithmetic makes faster are tried with it. */
tq_status tqi_judge_dynamic(tqi_refiner *r, const tqi_gathering *g) {
    const tqi_subgraph *s = &r->graph->subgraphs[g->subgraph];
    uint32_t *list = NULL, n = 0;
    tqi_trial *results;
    TQI_NEW(r->arena, &list, r->n_layers, r->error);
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const tqi_layer *l = &r->layers[i];
        const tqi_layer_statistics *known = tqi_statistics_layer(&g->statistics, l->op);
        if (l->subgraph != g->subgraph || !l->ready)
            continue;
        uint64_t weights = r->plan->constants.list[l->constant].elements;
        r->items[i].gain = tqi_dynamic_gain(r->graph, s, &s->operators[l->op], known, weights);
        if (r->items[i].gain > 0)
            list[n++] = i;
    }
    TQI_TRY(judge_each(r, g, list, n, TQI_ACTION_DYNAMIC, &results));
    for (uint32_t i = 0; results && i < n; i++)
        r->items[list[i]].dynamic_error = results[i].sum;
    return TQ_OK;
}

tq_status tqi_judge_blocks(tqi_refiner *r, const tqi_gathering *g) {
    uint32_t *list = NULL, n = 0;
    tqi_trial *results;
    TQI_NEW(r->arena, &list, r->n_layers, r->error);
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (r->blocks[i].ready && r->blocks[i].subgraph == g->subgraph)
            list[n++] = i;
    TQI_TRY(judge_each(r, g, list, n, TQI_ACTION_DYNAMIC_INT4, &results));
    for (uint32_t i = 0; results && i < n; i++) {
        r->items[list[i]].block_error = results[i].sum;
        r->block_worst[list[i]] = results[i].worst;
    }
    return TQ_OK;
}

tq_status tqi_judge_whole(tqi_refiner *r, const tqi_gathering *g) {
    tqi_trial results[WHOLE_TRIALS];
    if (r->pace->wholes == 0)
        return TQ_OK;
    uint32_t count = tqi_affordable(g, r->pace->wholes, r->pace->work / (1 + WHOLE_TRIALS));
    bool first = isnan(r->out->plain_error); /* it is the same in every plan */
    uint32_t n = first ? WHOLE_TRIALS : ALL_AS_REFINED + 1;
    TQI_TRY(run_trials(r, g, NULL, n, TQI_ACTION_WEIGHT_ONLY, NULL, count, results));
    r->out->error = results[ALL_AS_REFINED].worst;
    if (first)
        r->out->plain_error = results[ALL_PLAIN].worst;
    return TQ_OK;
}

/* ---- heads ---- */

/* The bias as it is to be, to be changed; NULL: it has a strange type or size. */
static tq_status head_bias(tqi_refiner *r, uint32_t subgraph, const tqi_head *head,
                           float **values) {
    *values = NULL;
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const tqi_layer *l = tqi_chosen(r, i);
        if (l && l->subgraph == subgraph && l->op == head->op && l->bias) {
            *values = l->bias;
            return TQ_OK;
        }
    }
    tqi_value bias;
    TQI_TRY(tqi_constant_load(r->graph, subgraph, (uint32_t)head->storage, r->options->kernels,
                              r->options->heap, &bias, r->error));
    tq_status status = TQ_OK;
    if (bias.type == TQI_TYPE_FLOAT32 && bias.elements == head->channels) {
        status = tqi_arena_alloc(r->arena, head->channels, sizeof **values, values, r->error);
        if (status == TQ_OK) {
            memcpy(*values, bias.data, head->channels * sizeof **values);
            r->head_biases[r->n_head_biases++] =
                (tqi_new_bias){subgraph, head->op, head->input, *values, head->channels};
        }
    }
    tqi_value_free(r->options->heap, &bias);
    return status;
}

tq_status tqi_correct_heads(tqi_refiner *r, const tqi_gathering *g) {
    tqi_heads heads;
    tqi_trial result;
    if (!r->context.corrects_bias)
        return TQ_OK;
    TQI_TRY(tqi_heads_find(&heads, r->graph, g->subgraph, &r->plan->constants.uses[g->subgraph],
                           r->arena, r->error));
    if (heads.n == 0 || r->pace->wholes == 0)
        return TQ_OK;
    uint32_t count = tqi_affordable(g, r->pace->samples, r->pace->work / 2);
    TQI_TRY(
        run_trials(r, g, NULL, ALL_AS_REFINED + 1, TQI_ACTION_WEIGHT_ONLY, &heads, count, &result));
    for (uint32_t i = 0; i < heads.n; i++) {
        const tqi_head *head = &heads.list[i];
        float *values;
        TQI_TRY(head_bias(r, g->subgraph, head, &values));
        for (uint32_t c = 0; values && c < head->channels; c++)
            values[c] = (float)((double)values[c] + head->correction[c]);
    }
    return TQ_OK;
}
