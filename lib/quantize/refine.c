/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/refine.h"

#include <math.h>
#include <string.h>

#include "calibrate/gather.h"
#include "calibrate/trials.h"
#include "execute/call.h"
#include "execute/constant_values.h"
#include "quantize/heads.h"
#include "quantize/layer.h"
#include "quantize/policy.h"

/* By effort. */
typedef struct pace {
    uint32_t samples; /* that statistics are gathered from */
    uint32_t trials;  /* samples that layers are judged on, one by one */
    uint32_t wholes;  /* samples that the whole is judged on */
    tqi_rounding rounding;
    double work; /* multiplications that each of the four steps may take */
} pace;

static const pace paces[] = {
    [TQ_EFFORT_NORMAL] = {32, 4, 8, TQI_ROUND_INPUTS, 1e11},
    [TQ_EFFORT_FAST] = {2, 0, 0, TQI_ROUND_SUMS, 0},
    [TQ_EFFORT_BEST] = {64, 16, 32, TQI_ROUND_INPUTS, 1e13},
};

/* Steps are operators that ran: how many there will be is a guess. */
typedef struct steps {
    tq_progress progress;
    void *opaque;
    uint64_t done, total;
    bool cancelled;
} steps;

typedef struct refiner {
    const tqi_graph *graph;
    tqi_plan *plan;
    const tqi_refine_options *options;
    const pace *pace;
    tqi_refinement *out;
    tqi_layer_context context;
    tqi_layer *layers;
    uint32_t n_layers;
    int32_t *same; /* by layer: the first with its weights, or -1 */
    tqi_item *items;
    steps steps;
    tqi_cancel cancel;         /* the same for rounding */
    tqi_new_bias *head_biases; /* of heads that are no int8 layers */
    uint32_t n_head_biases;
    tqi_arena *arena;
    tq_error *error;
} refiner;

static bool is_int8(const refiner *r, uint32_t constant) {
    tqi_action action = r->plan->decisions[constant].action;
    return action == TQI_ACTION_DYNAMIC || action == TQI_ACTION_WEIGHT_ONLY;
}

/* ---- steps ---- */

static int32_t tell(steps *s) {
    s->cancelled = s->cancelled || s->progress(s->opaque, s->done, s->total) != 0;
    return s->cancelled;
}

static int32_t step(void *opaque, uint64_t done, uint64_t total) {
    (void)done, (void)total;
    steps *s = opaque;
    s->done += s->done < s->total;
    return tell(s);
}

static bool is_cancelled(void *opaque) {
    return tell(opaque) != 0;
}

static void count_steps(refiner *r) {
    for (uint32_t i = 0; i < r->graph->n_subgraphs; i++) {
        uint64_t layers = 0;
        for (uint32_t k = 0; k < r->n_layers; k++)
            layers += r->layers[k].subgraph == i;
        uint64_t runs = r->pace->samples + r->pace->trials * (1 + layers / 2);
        if (r->pace->wholes)
            runs += 2 * (uint64_t)r->pace->samples + 3 * (uint64_t)r->pace->wholes;
        r->steps.total += layers ? runs * r->graph->subgraphs[i].n_operators : 0;
    }
    if (r->steps.progress)
        r->context.cancel = &r->cancel;
}

/* ---- layers ---- */

static bool same_weights(const refiner *r, const tqi_layer *a, const tqi_layer *b) {
    const tqi_constant *x = &r->plan->constants.list[a->constant];
    const tqi_constant *y = &r->plan->constants.list[b->constant];
    const tqi_tensor *p = &r->graph->subgraphs[x->subgraph].tensors[x->storage];
    const tqi_tensor *q = &r->graph->subgraphs[y->subgraph].tensors[y->storage];
    return p->buffer == q->buffer && x->elements == y->elements && a->channels == b->channels &&
           x->stored_type == y->stored_type && !x->sparse && !y->sparse &&
           r->plan->decisions[a->constant].channel_dim ==
               r->plan->decisions[b->constant].channel_dim;
}

static tq_status find_layers(refiner *r) {
    uint32_t count = r->plan->constants.count;
    TQI_NEW(r->arena, &r->layers, count, r->error);
    TQI_NEW(r->arena, &r->same, count, r->error);
    TQI_NEW(r->arena, &r->items, count, r->error);
    for (uint32_t i = 0; i < count; i++) {
        bool is_one = false;
        if (is_int8(r, i))
            TQI_TRY(tqi_layer_open(&r->layers[r->n_layers], &is_one, &r->context, i, r->arena,
                                   r->error));
        r->n_layers += is_one;
    }
    for (uint32_t i = 0; i < r->n_layers; i++) {
        r->same[i] = -1;
        for (uint32_t k = 0; k < i && r->same[i] < 0; k++)
            if (r->same[k] < 0 && same_weights(r, &r->layers[k], &r->layers[i]))
                r->same[i] = (int32_t)k;
    }
    return TQ_OK;
}

static tq_status round_layers(refiner *r, const tqi_gathering *g) {
    for (uint32_t i = 0; i < r->n_layers; i++) {
        tqi_layer *l = &r->layers[i];
        if (l->subgraph != g->subgraph)
            continue;
        const tqi_layer_statistics *known = tqi_statistics_layer(&g->statistics, l->op);
        const tqi_layer *same = r->same[i] >= 0 ? &r->layers[r->same[i]] : NULL;
        TQI_TRY(tqi_layer_round(l, &r->context, known, same, r->error));
        r->out->layers++;
        r->out->known += l->ready;
    }
    return TQ_OK;
}

/* ---- judging ---- */

typedef enum whole_trial { ALL_AS_REFINED, ALL_PLAIN, WHOLE_TRIALS } whole_trial;

typedef struct judge {
    refiner *r;
    uint32_t subgraph;
    const uint32_t *list; /* of layers, one by one; NULL: trials are WHOLE_TRIALS */
    uint32_t n;
    tqi_value *values; /* of the changes */
    tqi_value *biases;
    uint32_t n_values, n_biases;
    tqi_heads *heads; /* to be observed, or NULL */
    tqi_exec *exec;
} judge;

static void drop_values(judge *j) {
    j->n_biases = 0;
    while (j->n_values > 0)
        tqi_value_free(j->r->options->heap, &j->values[--j->n_values]);
}

static void add_bias(judge *j, uint32_t op, uint32_t input, const float *values, uint32_t channels,
                     tqi_change *changes, uint32_t *n) {
    tqi_value *bias = &j->biases[j->n_biases++];
    *bias = (tqi_value){.type = TQI_TYPE_FLOAT32,
                        .rank = 1,
                        .shape = {(int32_t)channels},
                        .elements = channels,
                        .data = (void *)(uintptr_t)values}; /* nobody writes to it */
    changes[(*n)++] = (tqi_change){op, input, bias};
}

static tq_status add_layer(judge *j, const tqi_layer *l, bool plain, tqi_change *changes,
                           uint32_t *n, tq_error *error) {
    enum { WEIGHTS = 1 };
    tqi_value *values = &j->values[j->n_values];
    TQI_TRY(tqi_layer_values(l, &j->r->context, plain, values, error));
    changes[(*n)++] = (tqi_change){l->op, WEIGHTS, values};
    if (l->bias && !plain)
        add_bias(j, l->op, (uint32_t)l->bias_input, l->bias, l->channels, changes, n);
    j->n_values++;
    return TQ_OK;
}

static tq_status make_changes(void *opaque, uint32_t trial, tqi_change *changes, uint32_t *n,
                              tq_error *error) {
    judge *j = opaque;
    refiner *r = j->r;
    drop_values(j);
    if (j->list)
        return add_layer(j, &r->layers[j->list[trial]], false, changes, n, error);
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const tqi_layer *l = &r->layers[i];
        if (l->subgraph == j->subgraph && l->ready &&
            (trial == ALL_PLAIN || is_int8(r, l->constant)))
            TQI_TRY(add_layer(j, l, trial == ALL_PLAIN, changes, n, error));
    }
    for (uint32_t i = 0; trial != ALL_PLAIN && i < r->n_head_biases; i++) {
        const tqi_new_bias *b = &r->head_biases[i];
        if (b->subgraph == j->subgraph)
            add_bias(j, b->op, b->input, b->values, b->count, changes, n);
    }
    return TQ_OK;
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

/* None of these have statistics seen. */
enum { JUDGING_SEED = 2, HEADS_SEED = 3 };

static tq_status run_samples(refiner *r, const tqi_gathering *g, tqi_trials *trials, uint32_t seed,
                             uint32_t count) {
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

/* NULL `list`: the whole model; `results` has an element for each trial. */
static tq_status run_trials(refiner *r, const tqi_gathering *g, const uint32_t *list, uint32_t n,
                            tqi_heads *heads, uint32_t count, tqi_trial *results) {
    tqi_heap *heap = r->options->heap;
    judge j = {.r = r, .subgraph = g->subgraph, .list = list, .n = n, .heads = heads};
    uint32_t layers = list ? 1 : r->n_layers, biases = layers + (list ? 0 : r->n_head_biases);
    tqi_trials trials = {.n_trials = list    ? n
                                     : heads ? 1
                                             : (uint32_t)WHOLE_TRIALS,
                         .most = 2 * layers + biases,
                         .make = make_changes,
                         .observe = heads ? observe_heads : NULL,
                         .opaque = &j,
                         .results = results};
    tqi_exec_options how = {.kernels = r->options->kernels,
                            .cpu_flags = r->options->cpu_flags,
                            .heap = heap,
                            .as_far_as_possible = true,
                            .retain = true,
                            .keep = UINT64_MAX,
                            .progress = r->steps.progress ? step : NULL,
                            .progress_opaque = &r->steps};
    tqi_arena arena;
    tqi_arena_init(&arena, heap);
    tq_status status = tqi_arena_alloc(&arena, layers, sizeof *j.values, &j.values, r->error);
    if (status == TQ_OK)
        status = tqi_arena_alloc(&arena, biases, sizeof *j.biases, &j.biases, r->error);
    if (status == TQ_OK)
        status = tqi_exec_create(&j.exec, r->graph, g->subgraph, &how, r->error);
    for (uint32_t i = 0; heads && i < heads->n && status == TQ_OK; i++)
        status = tqi_exec_watch(j.exec, heads->list[i].tensor, r->error);
    if (status == TQ_OK)
        status = tqi_trials_begin(&trials, j.exec, r->graph, g->subgraph, heap, r->error);
    if (status == TQ_OK)
        status = run_samples(r, g, &trials, heads ? HEADS_SEED : JUDGING_SEED, count);
    tqi_trials_finish(&trials);
    drop_values(&j);
    tqi_trials_free(&trials);
    tqi_exec_free(j.exec);
    tqi_arena_free(&arena);
    return status;
}

/* Each of n layers runs what is behind it again: half of all, on average. */
static uint32_t trials_for(const refiner *r, const tqi_gathering *g, uint32_t n) {
    double all = g->work * n / 2;
    if (all * g->ranges.n > 3 * r->pace->work)
        return 0;
    return all * r->pace->trials > r->pace->work ? g->ranges.n : r->pace->trials;
}

static tq_status judge_layers(refiner *r, const tqi_gathering *g) {
    uint32_t *list = NULL, n = 0;
    tqi_trial *results = NULL;
    TQI_NEW(r->arena, &list, r->n_layers, r->error);
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (r->layers[i].subgraph == g->subgraph && r->layers[i].ready)
            list[n++] = i;
    uint32_t count = trials_for(r, g, n);
    if (n == 0 || count == 0)
        return TQ_OK;
    TQI_NEW(r->arena, &results, n, r->error);
    TQI_TRY(run_trials(r, g, list, n, NULL, count, results));
    for (uint32_t i = 0; i < n; i++) {
        r->items[list[i]].error = results[i].sum;
        r->out->errors[r->layers[list[i]].constant] = results[i].worst;
    }
    return TQ_OK;
}

static tq_status judge_whole(refiner *r, const tqi_gathering *g) {
    tqi_trial results[WHOLE_TRIALS];
    if (r->pace->wholes == 0)
        return TQ_OK;
    uint32_t count = tqi_affordable(g, r->pace->wholes, r->pace->work / (1 + WHOLE_TRIALS));
    TQI_TRY(run_trials(r, g, NULL, 0, NULL, count, results));
    r->out->error = results[ALL_AS_REFINED].worst;
    r->out->plain_error = results[ALL_PLAIN].worst;
    return TQ_OK;
}

/* ---- heads ---- */

/* The bias as it is to be, to be changed; NULL: it has a strange type or size. */
static tq_status head_bias(refiner *r, uint32_t subgraph, const tqi_head *head, float **values) {
    *values = NULL;
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const tqi_layer *l = &r->layers[i];
        if (l->subgraph == subgraph && l->op == head->op && l->ready && l->bias &&
            is_int8(r, l->constant)) {
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

static tq_status correct_heads(refiner *r, const tqi_gathering *g) {
    tqi_heads heads;
    tqi_trial results[WHOLE_TRIALS];
    TQI_TRY(tqi_heads_find(&heads, r->graph, g->subgraph, &r->plan->constants.uses[g->subgraph],
                           r->arena, r->error));
    if (heads.n == 0 || r->pace->wholes == 0)
        return TQ_OK;
    uint32_t count = tqi_affordable(g, r->pace->samples, r->pace->work / 2);
    TQI_NEW(r->arena, &r->head_biases, heads.n, r->error);
    r->n_head_biases = 0;
    TQI_TRY(run_trials(r, g, NULL, 0, &heads, count, results));
    for (uint32_t i = 0; i < heads.n; i++) {
        const tqi_head *head = &heads.list[i];
        float *values;
        TQI_TRY(head_bias(r, g->subgraph, head, &values));
        for (uint32_t c = 0; values && c < head->channels; c++)
            values[c] = (float)((double)values[c] + head->correction[c]);
    }
    return TQ_OK;
}

/* ---- choosing ---- */

static tq_status choose(refiner *r) {
    uint32_t n = 0;
    tqi_item *items = NULL;
    tqi_policy policy = {r->graph, r->plan, r->options->recipe->float_budget, r->options->heap};
    TQI_NEW(r->arena, &items, r->n_layers, r->error);
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const tqi_layer *l = &r->layers[i];
        tqi_item *item = &r->items[i];
        item->constant = l->constant;
        item->weight_error = l->ready && l->sums.signal > 0 ? l->sums.noise / l->sums.signal : 0;
        if (r->same[i] >= 0)
            r->items[r->same[i]].error += item->error;
    }
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (r->same[i] < 0)
            items[n++] = r->items[i];
    TQI_TRY(tqi_policy_islands(&policy, items, n, r->error));
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (r->same[i] >= 0) {
            const tqi_decision *first = &r->plan->decisions[r->layers[r->same[i]].constant];
            if (first->reason == TQ_REASON_TOO_NOISY)
                r->plan->decisions[r->layers[i].constant] = *first;
        }
    return TQ_OK;
}

static void hand_over(refiner *r) {
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const tqi_layer *l = &r->layers[i];
        if (!l->ready || !is_int8(r, l->constant))
            continue;
        r->out->constants[l->constant] = (tqi_refined){l->codes, l->scales, l->sums};
        if (l->bias)
            r->out->biases[r->out->n_biases++] =
                (tqi_new_bias){l->subgraph, l->op, (uint32_t)l->bias_input, l->bias, l->channels};
    }
}

static tq_status hand_over_heads(refiner *r) {
    tqi_refinement *out = r->out;
    tqi_new_bias *all = NULL;
    if (r->n_head_biases == 0)
        return TQ_OK;
    TQI_NEW(r->arena, &all, out->n_biases + r->n_head_biases + r->plan->constants.count, r->error);
    memcpy(all, out->biases, out->n_biases * sizeof *all);
    memcpy(all + out->n_biases, r->head_biases, r->n_head_biases * sizeof *all);
    out->biases = all;
    out->n_biases += r->n_head_biases;
    return TQ_OK;
}

/* ---- subgraphs ---- */

static tq_status keep_refusal(refiner *r, const tqi_gathering *g) {
    const char *why;
    if (r->out->refusal[0] || tqi_gathering_refused(g, &why) == 0)
        return TQ_OK;
    char *copy = NULL;
    size_t size = strlen(why) + 1;
    TQI_NEW(r->arena, &copy, size, r->error);
    memcpy(copy, why, size);
    r->out->refusal = copy;
    return TQ_OK;
}

static tq_status refine_with(refiner *r, tqi_gathering *g) {
    TQI_TRY(tqi_gathering_finish(g, r->pace->samples, r->error));
    TQI_TRY(keep_refusal(r, g));
    TQI_TRY(round_layers(r, g));
    return judge_layers(r, g);
}

static tqi_gathering *given_for(const refiner *r, uint32_t subgraph) {
    return r->options->given ? r->options->given[subgraph] : NULL;
}

static tq_status open_gathering(refiner *r, uint32_t subgraph, tqi_gathering *g) {
    tqi_gathering_options how = {.kernels = r->options->kernels,
                                 .cpu_flags = r->options->cpu_flags,
                                 .heap = r->options->heap,
                                 .grams = r->pace->rounding == TQI_ROUND_INPUTS,
                                 .work = r->pace->work,
                                 .progress = r->steps.progress ? step : NULL,
                                 .progress_opaque = &r->steps};
    return tqi_gathering_begin(g, r->graph, &r->plan->constants, subgraph, &how, r->error);
}

/* Bodies of control flow and compositions get inputs that nobody knows. */
static bool is_entry(const tqi_graph *graph, uint32_t subgraph) {
    for (uint32_t i = 0; i < graph->n_signatures; i++)
        if (graph->signatures[i].subgraph == subgraph)
            return true;
    return subgraph == 0;
}

static bool has_work(const refiner *r, uint32_t subgraph) {
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (r->layers[i].subgraph == subgraph)
            return true;
    return false;
}

static tq_status refine_all(refiner *r, tqi_gathering *made) {
    for (uint32_t i = 0; i < r->graph->n_subgraphs; i++) {
        tqi_gathering *g = given_for(r, i);
        if (!is_entry(r->graph, i) || !has_work(r, i))
            continue;
        if (!g) {
            g = &made[i];
            TQI_TRY(open_gathering(r, i, g));
        }
        TQI_TRY(refine_with(r, g));
    }
    if (r->options->recipe->mixes)
        TQI_TRY(choose(r));
    for (uint32_t i = 0; i < r->graph->n_subgraphs; i++) {
        const tqi_gathering *g = given_for(r, i) ? given_for(r, i) : &made[i];
        if (!g->graph)
            continue;
        TQI_TRY(correct_heads(r, g));
        TQI_TRY(hand_over_heads(r));
        if (isnan(r->out->error)) /* the first one stands for all */
            TQI_TRY(judge_whole(r, g));
    }
    return TQ_OK;
}

tq_status tqi_refine(tqi_refinement *refinement, tqi_plan *plan, const tqi_graph *graph,
                     const tqi_refine_options *options, tqi_arena *arena, tq_error *error) {
    refiner r = {.graph = graph,
                 .plan = plan,
                 .options = options,
                 .pace = &paces[options->effort],
                 .out = refinement,
                 .arena = arena,
                 .error = error};
    r.context =
        (tqi_layer_context){graph,
                            plan,
                            options->kernels,
                            options->cpu_flags,
                            options->heap,
                            options->recipe->rounds_by_inputs ? r.pace->rounding : TQI_ROUND_PLAIN,
                            options->recipe->corrects_biases,
                            NULL};
    *refinement = (tqi_refinement){.error = NAN, .plain_error = NAN, .refusal = ""};
    TQI_NEW(arena, &refinement->constants, plan->constants.count, error);
    TQI_NEW(arena, &refinement->biases, plan->constants.count, error);
    TQI_NEW(arena, &refinement->errors, plan->constants.count, error);
    for (uint32_t i = 0; i < plan->constants.count; i++)
        refinement->errors[i] = NAN;
    TQI_TRY(find_layers(&r));
    r.steps = (steps){options->progress, options->progress_opaque, 0, 0, false};
    r.cancel = (tqi_cancel){is_cancelled, &r.steps};
    count_steps(&r);
    for (uint32_t i = 0; i < r.n_layers; i++)
        r.items[i].error = NAN;
    tqi_gathering *made = NULL;
    TQI_NEW(arena, &made, graph->n_subgraphs, error);
    tq_status status = refine_all(&r, made);
    if (status == TQ_OK)
        hand_over(&r);
    r.steps.done = r.steps.total;
    if (status == TQ_OK && r.steps.progress && tell(&r.steps))
        status = tqi_fail(error, TQ_ERR_CANCELLED, "cancelled");
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        tqi_gathering_free(&made[i]);
    return status;
}
