/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/refine.h"

#include <math.h>
#include <string.h>

#include "execute/approximate.h"
#include "execute/call.h"
#include "quantize/refine_private.h"

static const tqi_pace paces[] = {
    [TQ_EFFORT_NORMAL] = {32, 8, 8, TQI_ROUND_INPUTS, 1e11, 4},
    [TQ_EFFORT_FAST] = {2, 0, 0, TQI_ROUND_SUMS, 2e8, 1},
    [TQ_EFFORT_BEST] = {64, 16, 32, TQI_ROUND_INPUTS, 1e13, 4},
};

/* ---- steps ---- */

static int32_t tell(tqi_steps *s) {
    s->cancelled = s->cancelled || s->progress(s->opaque, s->done, s->total) != 0;
    return s->cancelled;
}

bool tqi_add_steps(tqi_steps *s, uint64_t n) {
    s->done += n < s->total - s->done ? n : s->total - s->done;
    return tell(s) == 0;
}

int32_t tqi_step(void *opaque, uint64_t done, uint64_t total) {
    (void)done, (void)total;
    return !tqi_add_steps(opaque, 1);
}

static bool is_cancelled(void *opaque) {
    return tell(opaque) != 0;
}

static void count_steps(tqi_refiner *r) {
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

/* Only the delegate for CPUs rounds activations. */
static bool speeds(const tqi_refiner *r) {
    return r->options->recipe->speeds && r->options->target == TQ_TARGET_XNNPACK;
}

/* ---- layers ---- */

static bool same_weights(const tqi_refiner *r, const tqi_layer *a, const tqi_layer *b) {
    const tqi_constant *x = &r->plan->constants.list[a->constant];
    const tqi_constant *y = &r->plan->constants.list[b->constant];
    const tqi_tensor *p = &r->graph->subgraphs[x->subgraph].tensors[x->storage];
    const tqi_tensor *q = &r->graph->subgraphs[y->subgraph].tensors[y->storage];
    return p->buffer == q->buffer && x->elements == y->elements && a->channels == b->channels &&
           x->stored_type == y->stored_type && !x->sparse && !y->sparse &&
           r->plan->decisions[a->constant].channel_dim ==
               r->plan->decisions[b->constant].channel_dim;
}

/* Only who asks for a size or an error gets int4, and only where it is fast. */
static bool takes_blocks(const tqi_refiner *r) {
    const tqi_refine_options *o = r->options;
    return o->recipe->mixes && o->target == TQ_TARGET_XNNPACK &&
           (o->target_size > 0 || o->min_snr_db > 0);
}

static tq_status find_layers(tqi_refiner *r) {
    uint32_t count = r->plan->constants.count;
    TQI_NEW(r->arena, &r->layers, count, r->error);
    TQI_NEW(r->arena, &r->blocks, count, r->error);
    TQI_NEW(r->arena, &r->same, count, r->error);
    TQI_NEW(r->arena, &r->items, count, r->error);
    for (uint32_t i = 0; i < count; i++) {
        bool is_one = false;
        if (tqi_is_int8(r, i))
            TQI_TRY(tqi_layer_open(&r->layers[r->n_layers], &is_one, &r->context, i, r->arena,
                                   r->error));
        bool as_blocks = false;
        if (is_one && takes_blocks(r))
            TQI_TRY(tqi_layer_open_blocks(&r->blocks[r->n_layers], &as_blocks,
                                          &r->layers[r->n_layers], &r->context, r->arena,
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

static tq_status round_layers(tqi_refiner *r, const tqi_gathering *g) {
    for (uint32_t i = 0; i < r->n_layers; i++) {
        tqi_layer *l = &r->layers[i];
        if (l->subgraph != g->subgraph)
            continue;
        const tqi_layer_statistics *known = tqi_statistics_layer(&g->statistics, l->op);
        const tqi_layer *same = r->same[i] >= 0 ? &r->layers[r->same[i]] : NULL;
        TQI_TRY(tqi_layer_round(l, &r->context, known, same, r->error));
        if (l->ready && r->blocks[i].block)
            TQI_TRY(tqi_layer_round(&r->blocks[i], &r->context, known,
                                    same ? &r->blocks[r->same[i]] : NULL, r->error));
        r->out->layers++;
        r->out->known += l->ready;
    }
    return TQ_OK;
}

/* ---- choosing ---- */

static double weight_error(const tqi_layer *l) {
    return l->ready && l->sums.signal > 0 ? l->sums.noise / l->sums.signal : 0;
}

/* Layers with the same weights are one item. */
static tq_status make_items(tqi_refiner *r) {
    tqi_policy *p = &r->policy;
    *p = (tqi_policy){r->graph, r->plan, r->options->heap, NULL, 0};
    TQI_NEW(r->arena, &p->items, r->n_layers, r->error);
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const tqi_layer *l = &r->layers[i];
        tqi_item *item = &r->items[i];
        item->constant = l->constant;
        item->weight_error = weight_error(l);
        item->block_weight_error = weight_error(&r->blocks[i]);
        item->takes_blocks = r->blocks[i].ready;
        if (r->same[i] < 0)
            continue;
        tqi_item *first = &r->items[r->same[i]];
        first->error += item->error;
        first->dynamic_error += item->dynamic_error;
        first->gain += item->gain;
        first->block_error += item->block_error;
        first->takes_blocks = first->takes_blocks && item->takes_blocks;
    }
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (r->same[i] < 0)
            p->items[p->n++] = r->items[i];
    return tqi_policy_fill_in(p, r->error);
}

/* From the plan as it was made. */
static void reset_decisions(tqi_refiner *r) {
    memcpy(r->plan->decisions, r->first_decisions,
           r->plan->constants.count * sizeof *r->first_decisions);
}

static void follow_first(tqi_refiner *r) {
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (r->same[i] >= 0)
            r->plan->decisions[r->layers[i].constant] =
                r->plan->decisions[r->layers[r->same[i]].constant];
}

/* What dynamic operators may add to the error, noise over signal: as much as is there without them,
 * or what nobody will mind. */
static const double DYNAMIC_ERROR = 1e-3, DYNAMIC_FACTOR = 2;

static tq_status choose(tqi_refiner *r, uint64_t most_bytes, double most_error, bool *reached) {
    const tqi_policy *p = &r->policy;
    reset_decisions(r);
    for (uint32_t i = 0; i < p->n; i++)
        p->items[i].is_dynamic = false;
    if (speeds(r))
        TQI_TRY(tqi_policy_dynamic(p, DYNAMIC_ERROR, DYNAMIC_FACTOR, r->error));
    TQI_TRY(most_error > 0 ? tqi_policy_error(p, most_error, reached, r->error)
                           : tqi_policy_bytes(p, most_bytes, reached, r->error));
    follow_first(r);
    return TQ_OK;
}

static void hand_over(tqi_refiner *r) {
    r->out->n_biases = 0;
    memset(r->out->constants, 0, r->plan->constants.count * sizeof *r->out->constants);
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const tqi_layer *l = tqi_chosen(r, i);
        r->out->errors[r->layers[i].constant] = l && l->block ? r->block_worst[i] : r->worst[i];
        if (!l)
            continue;
        r->out->constants[l->constant] = (tqi_refined){l->codes, l->scales, l->sums};
        if (l->bias)
            r->out->biases[r->out->n_biases++] =
                (tqi_new_bias){l->subgraph, l->op, (uint32_t)l->bias_input, l->bias, l->channels};
    }
    for (uint32_t i = 0; i < r->n_head_biases; i++)
        r->out->biases[r->out->n_biases++] = r->head_biases[i];
}

/* ---- subgraphs ---- */

static tq_status keep_refusal(tqi_refiner *r, const tqi_gathering *g) {
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

static tq_status refine_with(tqi_refiner *r, tqi_gathering *g) {
    TQI_TRY(tqi_gathering_finish(g, r->pace->samples, r->error));
    TQI_TRY(keep_refusal(r, g));
    TQI_TRY(round_layers(r, g));
    TQI_TRY(tqi_judge_layers(r, g));
    TQI_TRY(tqi_judge_blocks(r, g));
    return speeds(r) ? tqi_judge_dynamic(r, g) : TQ_OK;
}

static tqi_gathering *given_for(const tqi_refiner *r, uint32_t subgraph) {
    return r->options->given ? r->options->given[subgraph] : NULL;
}

static tq_status open_gathering(tqi_refiner *r, uint32_t subgraph, tqi_gathering *g) {
    tqi_gathering_options how = {.kernels = r->options->kernels,
                                 .cpu_flags = r->options->cpu_flags,
                                 .runner = r->options->runner,
                                 .heap = r->options->heap,
                                 .grams = r->context.rounding == TQI_ROUND_INPUTS,
                                 .work = r->pace->work,
                                 .fewest = r->pace->fewest,
                                 .progress = r->steps.progress ? tqi_step : NULL,
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

static bool has_work(const tqi_refiner *r, uint32_t subgraph) {
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (r->layers[i].subgraph == subgraph)
            return true;
    return false;
}

static tq_status gather_all(tqi_refiner *r, tqi_gathering *made) {
    for (uint32_t i = 0; i < r->graph->n_subgraphs; i++) {
        tqi_gathering *g = given_for(r, i);
        if (!is_entry(r->graph, i) || !has_work(r, i))
            continue;
        if (!g) {
            g = &made[i];
            TQI_TRY(open_gathering(r, i, g));
        }
        r->gathered[i] = g;
        TQI_TRY(refine_with(r, g));
    }
    return TQ_OK;
}

static tq_status keep_biases(tqi_refiner *r, const tqi_layer *layers, float **kept) {
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (layers[i].bias) {
            TQI_NEW(r->arena, &kept[i], layers[i].channels, r->error);
            memcpy(kept[i], layers[i].bias, layers[i].channels * sizeof(float));
        }
    return TQ_OK;
}

static void restore_biases(const tqi_refiner *r, const tqi_layer *layers, float *const *kept) {
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (layers[i].bias)
            memcpy(layers[i].bias, kept[i], layers[i].channels * sizeof(float));
}

/* Then plain rounding, which is to int8, is nothing to compare with. */
static bool has_blocks(const tqi_refiner *r) {
    for (uint32_t i = 0; i < r->n_layers; i++)
        if (r->plan->decisions[r->layers[i].constant].action == TQI_ACTION_DYNAMIC_INT4)
            return true;
    return false;
}

/* Samples may mislead: then nothing is made of them but what stays float. */
static void round_all_plainly(tqi_refiner *r) {
    for (uint32_t i = 0; i < r->n_layers; i++)
        r->layers[i].ready = r->blocks[i].ready = false;
    for (uint32_t i = 0; i < r->policy.n; i++)
        r->policy.items[i].takes_blocks = false;
    r->n_head_biases = 0;
    r->out->error = r->out->plain_error;
}

/* Heads are corrected, and the whole is judged, for the decisions as they are now. */
static tq_status judge(tqi_refiner *r) {
    r->n_head_biases = 0;
    r->out->error = NAN;
    restore_biases(r, r->layers, r->own_biases);
    restore_biases(r, r->blocks, r->own_block_biases);
    for (uint32_t i = 0; i < r->graph->n_subgraphs; i++) {
        const tqi_gathering *g = r->gathered[i];
        if (!g)
            continue;
        TQI_TRY(tqi_correct_heads(r, g));
        if (isnan(r->out->error)) /* the first one stands for all */
            TQI_TRY(tqi_judge_whole(r, g));
    }
    return TQ_OK;
}

static void conclude(tqi_refiner *r) {
    if (r->out->error > r->out->plain_error && !has_blocks(r))
        round_all_plainly(r);
    hand_over(r);
}

static tq_status settle(tqi_refiner *r) {
    TQI_TRY(judge(r));
    conclude(r);
    return TQ_OK;
}

static tq_status measure(tqi_refiner *r, uint64_t *size) {
    hand_over(r);
    return r->options->measure(r->options->measure_opaque, size, r->error);
}

/* The sizes of a plan's constants are known exactly, that of the file around them only when it is
 * laid out. */
static tq_status aim_at_size(tqi_refiner *r) {
    enum { ROUNDS = 12 };
    uint64_t target = r->options->target_size, size = 0, best = 0, best_bytes = 0;
    uint64_t file = tqi_policy_file(&r->policy), least = tqi_policy_least(&r->policy);
    uint64_t most = target > file - least ? target - (file - least) : 0;
    bool reached;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        TQI_TRY(choose(r, most, 0, &reached));
        TQI_TRY(measure(r, &size));
        if (size <= target && size > best) {
            best = size;
            best_bytes = most;
        }
        if (size > target && size - target < most)
            most -= size - target;
        else if (size < target && target - size > target / 200 && i < ROUNDS / 2)
            most += target - size;
        else
            break;
    }
    if (best > 0 && size != best)
        TQI_TRY(choose(r, best_bytes, 0, &reached));
    r->out->goal = best > 0 ? TQ_GOAL_REACHED : TQ_GOAL_MISSED;
    return settle(r);
}

/* Errors of layers only add up nearly. */
static tq_status aim_at_error(tqi_refiner *r) {
    enum { ROUNDS = 6 };
    /* Not pow(): C libraries round it otherwise, and the target tells what is written. */
    double wanted = r->options->min_snr_db < 400 ? r->options->min_snr_db : 400;
    double target = (double)tqi_pow(10.0f, (float)(-wanted / 10)), most = target;
    bool reached = false;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        TQI_TRY(choose(r, 0, most, &reached));
        TQI_TRY(judge(r));
        if (isnan(r->out->error) || !reached || r->out->error <= target)
            break;
        most *= 0.8 * target / r->out->error;
    }
    conclude(r);
    r->out->goal = r->out->error <= target ? TQ_GOAL_REACHED : TQ_GOAL_MISSED;
    return TQ_OK;
}

static tq_status refine_all(tqi_refiner *r, tqi_gathering *made) {
    bool reached;
    TQI_TRY(gather_all(r, made));
    TQI_TRY(keep_biases(r, r->layers, r->own_biases));
    TQI_TRY(keep_biases(r, r->blocks, r->own_block_biases));
    if (!r->options->recipe->mixes)
        return settle(r);
    TQI_TRY(make_items(r));
    if (r->options->target_size > 0)
        return aim_at_size(r);
    if (r->options->min_snr_db > 0)
        return aim_at_error(r);
    uint64_t budget =
        (uint64_t)((double)tqi_policy_file(&r->policy) * r->options->recipe->float_budget);
    TQI_TRY(choose(r, tqi_policy_least(&r->policy) + budget, 0, &reached));
    return settle(r);
}

tq_status tqi_refine(tqi_refinement *refinement, tqi_plan *plan, const tqi_graph *graph,
                     const tqi_refine_options *options, tqi_arena *arena, tq_error *error) {
    tqi_refiner r = {.graph = graph,
                     .plan = plan,
                     .options = options,
                     .pace = &paces[options->effort],
                     .out = refinement,
                     .arena = arena,
                     .error = error};
    tqi_rounding rounding = options->recipe->rounding;
    r.context = (tqi_layer_context){graph,
                                    plan,
                                    options->kernels,
                                    options->cpu_flags,
                                    options->heap,
                                    rounding < r.pace->rounding ? rounding : r.pace->rounding,
                                    options->recipe->corrects_biases,
                                    NULL};
    *refinement = (tqi_refinement){.error = NAN, .plain_error = NAN, .refusal = ""};
    uint32_t operators = 0;
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        operators += graph->subgraphs[i].n_operators;
    TQI_NEW(arena, &refinement->constants, plan->constants.count, error);
    TQI_NEW(arena, &refinement->biases, (uint64_t)plan->constants.count + operators, error);
    TQI_NEW(arena, &refinement->errors, plan->constants.count, error);
    TQI_NEW(arena, &r.first_decisions, plan->constants.count, error);
    TQI_NEW(arena, &r.own_biases, plan->constants.count, error);
    TQI_NEW(arena, &r.own_block_biases, plan->constants.count, error);
    TQI_NEW(arena, &r.worst, plan->constants.count, error);
    TQI_NEW(arena, &r.block_worst, plan->constants.count, error);
    TQI_NEW(arena, &r.head_biases, operators, error);
    TQI_NEW(arena, &r.gathered, graph->n_subgraphs, error);
    memcpy(r.first_decisions, plan->decisions, plan->constants.count * sizeof *plan->decisions);
    for (uint32_t i = 0; i < plan->constants.count; i++)
        refinement->errors[i] = r.worst[i] = r.block_worst[i] = NAN;
    TQI_TRY(find_layers(&r));
    r.steps = (tqi_steps){options->progress, options->progress_opaque, 0, 0, false};
    r.cancel = (tqi_cancel){is_cancelled, &r.steps};
    count_steps(&r);
    for (uint32_t i = 0; i < r.n_layers; i++)
        r.items[i].error = r.items[i].dynamic_error = r.items[i].block_error = NAN;
    tqi_gathering *made = NULL;
    TQI_NEW(arena, &made, graph->n_subgraphs, error);
    tq_status status = refine_all(&r, made);
    r.steps.done = r.steps.total;
    if (status == TQ_OK && r.steps.progress && tell(&r.steps))
        status = tqi_fail(error, TQ_ERR_CANCELLED, "cancelled");
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        tqi_gathering_free(&made[i]);
    return status;
}
