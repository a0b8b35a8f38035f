/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/side_by_side.h"

#include <math.h>
#include <string.h>

#include "calibrate/entry_points.h"
#include "calibrate/error_entry.h"
#include "calibrate/lockstep.h"

/* Where the results of an entry point are. */
typedef struct entry {
    tqi_entry_point point;
    uint32_t first_output, first_layer;
} entry;

typedef struct comparer {
    const tqi_graph *reference, *other;
    const tqi_compare_options *options;
    tqi_side_by_side *result;
    tqi_arena *arena;
    tq_error *error;
    entry *entries;
    uint32_t n_entries;
    uint64_t done, total; /* runs, for progress */
    /* of the entry at hand */
    const entry *entry;
    tqi_exec_options how;
    tqi_lockstep lockstep;
    tqi_input_sets sets;
    tqi_compared *layers;
    uint32_t range;
} comparer;

/* ---- progress ---- */

static int32_t report(void *opaque, uint64_t done, uint64_t total) {
    const comparer *c = opaque;
    (void)done, (void)total; /* operators of one run */
    return c->options->progress(c->options->progress_opaque, c->done, c->total);
}

static void count_run(void *opaque) {
    comparer *c = opaque;
    c->done += c->done < c->total;
}

/* ---- one entry ---- */

static tq_status open_entry(comparer *c, const entry *e) {
    static const uint64_t KEEP = 64 << 20;
    const tqi_compare_options *options = c->options;
    /* what one executor keeps, another can't have: with a limit it is better not to */
    c->how = (tqi_exec_options){.kernels = options->kernels,
                                .cpu_flags = options->cpu_flags,
                                .runner = options->runner,
                                .heap = options->heap,
                                .as_far_as_possible = true,
                                .keep = options->heap->limit ? 0 : KEEP,
                                .progress = options->progress ? report : NULL,
                                .progress_opaque = c};
    c->entry = e;
    c->sets = (tqi_input_sets){.n_inputs = 0};
    TQI_TRY(tqi_lockstep_open(&c->lockstep, c->reference, e->point.subgraph, c->other,
                              e->point.other_subgraph, &c->how, c->arena, c->error));
    return tqi_input_sets_open(&c->sets, c->lockstep.reference, c->reference, e->point.subgraph,
                               &options->sets, options->heap, c->arena, c->error);
}

static void close_entry(comparer *c) {
    tqi_input_sets_close(&c->sets);
    tqi_lockstep_close(&c->lockstep);
}

static void note_shape(tqi_compared *compared, const tqi_value *value) {
    compared->type = value->type;
    compared->rank = value->rank;
    memcpy(compared->shape, value->shape, value->rank * sizeof *value->shape);
}

static tq_status visit_layer(void *opaque, uint32_t pair, bool forced, const tqi_value *reference,
                             const tqi_value *other, tq_error *error) {
    comparer *c = opaque;
    tqi_compared *layer = &c->layers[pair];
    (void)error;
    note_shape(layer, reference);
    tqi_difference_add(forced ? &layer->local[c->range] : &layer->whole[c->range], reference,
                       other);
    return TQ_OK;
}

static tq_status compare_outputs(comparer *c) {
    const tqi_subgraph *s = &c->reference->subgraphs[c->entry->point.subgraph];
    tqi_compared *outputs = c->result->outputs + c->entry->first_output;
    for (uint32_t i = 0; i < s->n_outputs; i++) {
        const tqi_value *y = tqi_exec_output(c->lockstep.reference, i);
        const tqi_value *z = tqi_exec_output(c->lockstep.other, i);
        if (!y->data || !z->data)
            continue;
        if (!tqi_is_like(y, z))
            return tqi_differs(c->reference, c->entry->point.subgraph, s->outputs[i], "output", i,
                               c->error);
        note_shape(&outputs[i], y);
        tqi_difference_add(&outputs[i].whole[c->range], y, z);
    }
    return TQ_OK;
}

static uint32_t count_skipped(const tqi_exec *exec, uint32_t n) {
    uint32_t skipped = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t state = tqi_exec_states(exec)[i];
        skipped += state == TQI_OP_REFUSED || state == TQI_OP_STARVED;
    }
    return skipped;
}

static void note_skipped(comparer *c) {
    tqi_side_by_side *r = c->result;
    const entry *e = c->entry;
    const tq_error *why[] = {&c->sets.refusal, tqi_exec_refusal(c->lockstep.reference),
                             tqi_exec_refusal(c->lockstep.other)};
    r->skipped += count_skipped(c->lockstep.reference,
                                c->reference->subgraphs[e->point.subgraph].n_operators);
    r->other_skipped +=
        count_skipped(c->lockstep.other, c->other->subgraphs[e->point.other_subgraph].n_operators);
    for (size_t i = 0; i < sizeof why / sizeof *why && r->refusal.status == TQ_OK; i++)
        r->refusal = *why[i];
}

static int32_t maker_of(const tqi_subgraph *s, int32_t tensor) {
    for (uint32_t i = 0; i < s->n_operators; i++)
        for (uint32_t j = 0; j < s->operators[i].n_outputs; j++)
            if (tensor >= 0 && s->operators[i].outputs[j] == tensor)
                return (int32_t)i;
    return -1;
}

static tqi_compared about(const comparer *c, int32_t output, int32_t op, int32_t other_op,
                          int32_t tensor, int32_t other_tensor) {
    tqi_compared compared = {.subgraph = c->entry->point.subgraph,
                             .other_subgraph = c->entry->point.other_subgraph,
                             .op = op,
                             .other_op = other_op,
                             .tensor = tensor,
                             .other_tensor = other_tensor,
                             .output = output,
                             .n_ranges = c->sets.n_ranges};
    const tqi_subgraph *s = &c->reference->subgraphs[compared.subgraph];
    compared.type = tensor >= 0 ? s->tensors[tensor].type : TQI_TYPE_FLOAT32;
    return compared;
}

/* The lists of the result become longer; what lives in the arena is not moved often. */
static tq_status append(comparer *c, tqi_compared **list, uint32_t *count, uint32_t more) {
    tqi_compared *longer;
    TQI_NEW(c->arena, &longer, (uint64_t)*count + more, c->error);
    if (*count > 0)
        memcpy(longer, *list, *count * sizeof *longer);
    *list = longer;
    *count += more;
    return TQ_OK;
}

static tq_status add_records(comparer *c, entry *e) {
    tqi_side_by_side *r = c->result;
    const tqi_subgraph *a = &c->reference->subgraphs[e->point.subgraph];
    const tqi_subgraph *b = &c->other->subgraphs[e->point.other_subgraph];
    const tqi_layer_pairs *pairs = &c->lockstep.pairs;
    e->first_output = r->n_outputs;
    e->first_layer = r->n_layers;
    TQI_TRY(append(c, &r->outputs, &r->n_outputs, a->n_outputs));
    TQI_TRY(append(c, &r->layers, &r->n_layers, pairs->count));
    for (uint32_t i = 0; i < a->n_outputs; i++)
        r->outputs[e->first_output + i] =
            about(c, (int32_t)i, maker_of(a, a->outputs[i]), maker_of(b, b->outputs[i]),
                  a->outputs[i], b->outputs[i]);
    c->layers = r->layers + e->first_layer;
    for (uint32_t i = 0; i < pairs->count; i++) {
        const tqi_layer_place *x = &pairs->list[i].reference, *y = &pairs->list[i].other;
        c->layers[i] =
            about(c, -1, (int32_t)x->op, (int32_t)y->op, (int32_t)x->tensor, (int32_t)y->tensor);
    }
    r->unmatched += pairs->unmatched;
    r->other_unmatched += pairs->other_unmatched;
    return TQ_OK;
}

static tq_status compare_entry(comparer *c, entry *e) {
    TQI_TRY(open_entry(c, e));
    TQI_TRY(add_records(c, e));
    for (uint32_t set = 0; set < c->options->sets.n_sets; set++) {
        c->range = tqi_input_sets_range(&c->sets, set);
        TQI_TRY(tqi_input_sets_get(&c->sets, set, c->error));
        TQI_TRY(tqi_lockstep_run(&c->lockstep, c->sets.values, c->sets.n_inputs, true, visit_layer,
                                 c, c->error));
        TQI_TRY(compare_outputs(c));
        count_run(c);
    }
    note_skipped(c);
    return TQ_OK;
}

/* ---- what it all says ---- */

static void choose_range(tqi_compared *compared) {
    for (uint32_t i = 1; i < TQI_SET_RANGES; i++)
        if (tqi_difference_ratio(&compared->whole[i]) >
            tqi_difference_ratio(&compared->whole[compared->range]))
            compared->range = i;
}

static bool is_single(const tqi_compared *compared) {
    const tqi_difference *d = &compared->whole[compared->range];
    return d->elements <= d->sets;
}

/* Of floats; a single number says little as long as there is another output. */
static void choose_worst(tqi_side_by_side *r) {
    for (int singles = 0; singles < 2 && r->worst_output < 0; singles++) {
        double most = -1;
        for (uint32_t i = 0; i < r->n_outputs; i++) {
            const tqi_compared *output = &r->outputs[i];
            const tqi_difference *d = &output->whole[output->range];
            if (d->sets == 0 || !d->is_float || is_single(output) != (singles == 1) ||
                tqi_difference_ratio(d) <= most)
                continue;
            most = tqi_difference_ratio(d);
            r->worst_output = (int32_t)i;
        }
    }
}

static entry *entry_of(const comparer *c, const tqi_compared *compared) {
    for (uint32_t i = 0; i < c->n_entries; i++)
        if (c->entries[i].point.subgraph == compared->subgraph)
            return &c->entries[i];
    return NULL;
}

static tq_status find_in_entry(comparer *c, entry *e, const tqi_compared *worst) {
    int32_t found = -1;
    TQI_TRY(open_entry(c, e));
    c->layers = c->result->layers + e->first_layer;
    tqi_entry_task task = {.graph = c->reference,
                           .subgraph = e->point.subgraph,
                           .how = &c->how,
                           .lockstep = &c->lockstep,
                           .sets = &c->sets,
                           .layers = c->layers,
                           .output = (uint32_t)worst->output,
                           .range = worst->range,
                           .n_trials = c->options->n_trials,
                           .tried = count_run,
                           .opaque = c,
                           .heap = c->options->heap,
                           .arena = c->arena};
    TQI_TRY(tqi_find_entry(&task, &found, c->error));
    if (found >= 0)
        c->result->entry_layer = (int32_t)e->first_layer + found;
    return TQ_OK;
}

/* No output tells: the layer with most error of its own. */
static void find_by_local(tqi_side_by_side *r) {
    double most = 0;
    for (uint32_t i = 0; i < r->n_layers; i++) {
        double ratio = tqi_difference_ratio(&r->layers[i].local[r->layers[i].range]);
        if (ratio > most) {
            most = ratio;
            r->entry_layer = (int32_t)i;
        }
    }
}

static tq_status conclude(comparer *c) {
    tqi_side_by_side *r = c->result;
    for (uint32_t i = 0; i < r->n_outputs; i++)
        choose_range(&r->outputs[i]);
    choose_worst(r);
    const tqi_compared *worst = r->worst_output < 0 ? NULL : &r->outputs[r->worst_output];
    for (uint32_t i = 0; i < r->n_layers; i++) {
        if (worst && worst->subgraph == r->layers[i].subgraph)
            r->layers[i].range = worst->range;
        else
            choose_range(&r->layers[i]);
    }
    if (!worst) {
        find_by_local(r);
        return TQ_OK;
    }
    if (tqi_difference_ratio(&worst->whole[worst->range]) == 0)
        return TQ_OK;
    tq_status status = find_in_entry(c, entry_of(c, worst), worst);
    close_entry(c);
    return status;
}

static tq_status open_entries(comparer *c) {
    tqi_entry_point *points;
    TQI_TRY(tqi_find_entry_points(c->reference, c->other, c->options->signature, c->arena, &points,
                                  &c->n_entries, c->error));
    if (c->options->sets.given && c->n_entries > 1)
        return tqi_fail(c->error, TQ_ERR_INVALID_ARGUMENT,
                        "the model has several signatures: which one are the inputs for?");
    TQI_NEW(c->arena, &c->entries, c->n_entries, c->error);
    for (uint32_t i = 0; i < c->n_entries; i++)
        c->entries[i].point = points[i];
    return TQ_OK;
}

tq_status tqi_run_side_by_side(tqi_side_by_side *result, const tqi_graph *reference,
                               const tqi_graph *other, const tqi_compare_options *options,
                               tqi_arena *arena, tq_error *error) {
    comparer c = {.reference = reference,
                  .other = other,
                  .options = options,
                  .result = result,
                  .arena = arena,
                  .error = error};
    *result = (tqi_side_by_side){.n_sets = options->sets.n_sets,
                                 .worst_output = -1,
                                 .entry_layer = -1,
                                 .refusal = TQ_ERROR_INIT};
    TQI_TRY(open_entries(&c));
    c.total =
        (uint64_t)c.n_entries * options->sets.n_sets + (uint64_t)TQI_TRIAL_SETS * options->n_trials;
    for (uint32_t i = 0; i < c.n_entries; i++) {
        tq_status status = compare_entry(&c, &c.entries[i]);
        close_entry(&c);
        if (status != TQ_OK)
            return status;
    }
    TQI_TRY(conclude(&c));
    if (options->progress && options->progress(options->progress_opaque, c.total, c.total) != 0)
        return tqi_fail(error, TQ_ERR_CANCELLED, "cancelled");
    return TQ_OK;
}
