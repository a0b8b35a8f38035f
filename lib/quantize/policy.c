/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quantize/allocation.h"
#include "tflite/op_facts.h"

enum { SCALES_BYTES = 64 }; /* the table of scales and its vectors' heads */

/* Tables of a DEQUANTIZE and its output, without the name. */
enum { DEQUANTIZE_BYTES = 160 };

/* Of float16 against int8, in the same weights: 2^-12 against 1 / 254, squared, and some. */
static const double FLOAT16_NOISE = 1e-3;

static const tqi_constant *constant_of(const tqi_policy *p, const tqi_item *item) {
    return &p->plan->constants.list[item->constant];
}

/* ---- bytes and errors ---- */

static uint64_t bytes_of(const tqi_policy *p, const tqi_item *item, tqi_form form) {
    const tqi_constant *c = constant_of(p, item);
    const tqi_tensor *tensor = &p->graph->subgraphs[c->subgraph].tensors[c->tensor];
    const tqi_decision *decision = &p->plan->decisions[item->constant];
    int32_t dim = decision->channel_dim;
    uint64_t behind = 0; /* DEQUANTIZE, where int8 is not */
    if (decision->action == TQI_ACTION_DYNAMIC)
        behind = DEQUANTIZE_BYTES + strlen(tensor->name);
    switch (form) {
    case TQI_FORM_INT8: /* zero points are stored once for all of a length */
        return c->elements + sizeof(float) * (uint64_t)tensor->shape[dim] + SCALES_BYTES;
    case TQI_FORM_INT4: /* its scales are a tensor where there was the output of DEQUANTIZE */
        return c->elements / 2 + 2 * (c->elements / TQI_BLOCK) + behind;
    case TQI_FORM_FLOAT16:
        return (c->stored_type == TQI_TYPE_FLOAT16 ? c->bytes : 2 * c->elements) + behind;
    default:
        return c->bytes;
    }
}

static bool is_allowed(const tqi_policy *p, const tqi_item *item, tqi_form form) {
    const tqi_constant *c = constant_of(p, item);
    if (form == TQI_FORM_INT8)
        return true;
    if (form == TQI_FORM_INT4)
        return item->takes_blocks;
    if (item->is_dynamic)
        return false;
    bool is_plain = c->stored_type == TQI_TYPE_FLOAT32 && !c->sparse;
    return form == TQI_FORM_FLOAT16 ? p->plan->takes_float16 || !is_plain : is_plain;
}

static double error_of(const tqi_policy *p, const tqi_item *item, tqi_form form) {
    const tqi_constant *c = constant_of(p, item);
    switch (form) {
    case TQI_FORM_INT8:
        return item->is_dynamic ? item->dynamic_error : item->error;
    case TQI_FORM_INT4:
        return item->block_error;
    case TQI_FORM_FLOAT16:
        return c->stored_type == TQI_TYPE_FLOAT16 ? 0 : item->error * FLOAT16_NOISE;
    default:
        return 0;
    }
}

uint64_t tqi_policy_least(const tqi_policy *p) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->n; i++)
        sum += bytes_of(p, &p->items[i], TQI_FORM_INT8);
    return sum;
}

uint64_t tqi_policy_file(const tqi_policy *p) {
    uint64_t size = p->graph->source->size;
    for (uint32_t i = 0; i < p->n; i++) {
        uint64_t before = constant_of(p, &p->items[i])->bytes;
        uint64_t after = bytes_of(p, &p->items[i], TQI_FORM_INT8);
        uint64_t saved = before > after ? before - after : 0;
        size -= saved < size ? saved : size;
    }
    return size;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Of what no output that was looked at depends on, against others: it comes last. */
static const double UNSEEN = 1e-6;

/* Above it, what is left is not the weights: too small for the scales that there are, mostly. */
static const double MOST_BLOCK_NOISE = 0.1;

/* int4 is no better than int8: what says so has seen too little of it. */
static void fill_in_blocks(tqi_item *item) {
    double worse = item->weight_error > 0 ? item->block_weight_error / item->weight_error : 1;
    if (!(item->block_error > item->error))
        item->block_error = item->error * worse;
    item->takes_blocks = item->takes_blocks && isfinite(item->block_error) &&
                         item->block_weight_error <= MOST_BLOCK_NOISE;
}

/* What is not known is taken to be as for the others: so many times the weights' own error. */
tq_status tqi_policy_fill_in(const tqi_policy *p, tq_error *error) {
    size_t size = p->n * sizeof(double);
    double *ratios = tqi_alloc(p->heap, size), typical = 1;
    uint32_t known = 0;
    if (!ratios)
        return tqi_no_memory(p->heap, size, error);
    for (uint32_t i = 0; i < p->n; i++)
        if (isfinite(p->items[i].error) && p->items[i].weight_error > 0)
            ratios[known++] = p->items[i].error / p->items[i].weight_error;
    qsort(ratios, known, sizeof *ratios, by_size);
    if (known > 0)
        typical = ratios[known / 2];
    for (uint32_t i = 0; i < p->n; i++) {
        tqi_item *item = &p->items[i];
        double usual = isfinite(item->weight_error) ? typical * item->weight_error : 0;
        if (!isfinite(item->error))
            item->error = usual;
        else if (item->error == 0)
            item->error = UNSEEN * usual;
        fill_in_blocks(item);
    }
    tqi_free(p->heap, ratios, size);
    return TQ_OK;
}

/* ---- dynamic ---- */

double tqi_dynamic_gain(const tqi_graph *graph, const tqi_subgraph *subgraph,
                        const tqi_operator *op, const tqi_layer_statistics *known,
                        uint64_t weights) {
    const double speed = 3, rounding = 48, call = 1e5;
    int32_t builtin = tqi_builtin(graph, op);
    if ((builtin != TQI_OP_CONV_2D && builtin != TQI_OP_FULLY_CONNECTED) ||
        !tqi_runs_hybrid(graph, subgraph, op) || !known || known->runs == 0 || known->groups != 1)
        return 0;
    double work = (double)known->total.positions / known->runs * (double)weights;
    double inputs = (double)known->inputs / known->runs;
    return work * (1 - 1 / speed) - inputs * rounding - call;
}

typedef struct candidate {
    uint32_t item;
    double more, price; /* error, and the same by multiplication gained */
} candidate;

static int by_price(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->price != y->price)
        return x->price < y->price ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

tq_status tqi_policy_dynamic(const tqi_policy *p, double bound, double factor, tq_error *error) {
    size_t size = p->n * sizeof(candidate);
    candidate *list = tqi_alloc(p->heap, size);
    uint32_t n = 0;
    double sum = 0;
    if (!list)
        return tqi_no_memory(p->heap, size, error);
    for (uint32_t i = 0; i < p->n; i++) {
        const tqi_item *item = &p->items[i];
        sum += item->error;
        if (isnan(item->dynamic_error) || !(item->gain > 0))
            continue;
        double more = item->dynamic_error > item->error ? item->dynamic_error - item->error : 0;
        list[n++] = (candidate){i, more, more / item->gain};
    }
    qsort(list, n, sizeof *list, by_price);
    double most = sum * factor > bound ? sum * factor : bound;
    for (uint32_t i = 0; i < n; i++) {
        if (sum + list[i].more > most)
            continue;
        sum += list[i].more;
        tqi_item *item = &p->items[list[i].item];
        item->is_dynamic = true;
        p->plan->decisions[item->constant].action = TQI_ACTION_DYNAMIC;
    }
    tqi_free(p->heap, list, size);
    return TQ_OK;
}

/* ---- forms ---- */

static void set_form(const tqi_policy *p, const tqi_item *item, tqi_form form) {
    const tqi_constant *c = constant_of(p, item);
    tqi_decision *decision = &p->plan->decisions[item->constant];
    bool stays = form == TQI_FORM_FLOAT32 || c->stored_type == TQI_TYPE_FLOAT16 || c->sparse;
    if (form == TQI_FORM_INT4)
        *decision = (tqi_decision){TQI_ACTION_DYNAMIC_INT4, TQ_REASON_NONE, decision->channel_dim,
                                   TQI_BLOCK};
    else if (form != TQI_FORM_INT8)
        *decision = (tqi_decision){stays ? TQI_ACTION_KEEP : TQI_ACTION_FLOAT16,
                                   TQ_REASON_TOO_NOISY, -1, 0};
}

static tq_status allocate(const tqi_policy *p, uint64_t bytes, double most, bool *reached,
                          tq_error *error) {
    tqi_arena arena;
    tqi_option *options = NULL;
    size_t *choices = NULL;
    tqi_allocated result = {0, 0, false};
    tqi_arena_init(&arena, p->heap);
    tq_status status =
        tqi_arena_alloc(&arena, (uint64_t)p->n * TQI_FORMS, sizeof *options, &options, error);
    if (status == TQ_OK)
        status = tqi_arena_alloc(&arena, p->n, sizeof *choices, &choices, error);
    for (uint32_t i = 0; i < p->n && status == TQ_OK; i++)
        for (uint32_t f = 0; f < TQI_FORMS; f++)
            options[i * TQI_FORMS + f] =
                (tqi_option){bytes_of(p, &p->items[i], f), error_of(p, &p->items[i], f),
                             is_allowed(p, &p->items[i], f)};
    tqi_allocation task = {options, p->n, TQI_FORMS};
    if (status == TQ_OK)
        status = most >= 0 ? tqi_allocate_error(&task, most, choices, &result, p->heap, error)
                           : tqi_allocate_bytes(&task, bytes, choices, &result, p->heap, error);
    for (uint32_t i = 0; i < p->n && status == TQ_OK; i++)
        set_form(p, &p->items[i], (tqi_form)choices[i]);
    *reached = result.reached;
    tqi_arena_free(&arena);
    return status;
}

tq_status tqi_policy_bytes(const tqi_policy *policy, uint64_t most, bool *reached,
                           tq_error *error) {
    return allocate(policy, most, -1, reached, error);
}

tq_status tqi_policy_error(const tqi_policy *policy, double most, bool *reached, tq_error *error) {
    return allocate(policy, 0, most, reached, error);
}
