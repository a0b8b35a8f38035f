/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quantize/islands.h"

enum { SCALES_BYTES = 64 }; /* the table of scales and its vectors' heads */

static bool is_int8(const tqi_decision *decision) {
    return decision->action == TQI_ACTION_WEIGHT_ONLY || decision->action == TQI_ACTION_DYNAMIC;
}

static uint64_t int8_bytes(const tqi_policy *p, uint32_t constant) {
    const tqi_constant *c = &p->plan->constants.list[constant];
    const tqi_tensor *tensor = &p->graph->subgraphs[c->subgraph].tensors[c->tensor];
    uint64_t channels = (uint64_t)tensor->shape[p->plan->decisions[constant].channel_dim];
    /* zero points are stored once for all of a length */
    return c->elements + sizeof(float) * channels + SCALES_BYTES;
}

static uint64_t float16_bytes(const tqi_constant *c) {
    return c->stored_type == TQI_TYPE_FLOAT16 ? c->bytes : 2 * c->elements;
}

static uint64_t budget_of(const tqi_policy *p) {
    uint64_t size = p->graph->source->size;
    for (uint32_t i = 0; i < p->plan->constants.count; i++) {
        const tqi_constant *c = &p->plan->constants.list[i];
        if (!is_int8(&p->plan->decisions[i]))
            continue;
        uint64_t saved = c->bytes > int8_bytes(p, i) ? c->bytes - int8_bytes(p, i) : 0;
        size -= saved < size ? saved : size;
    }
    return (uint64_t)((double)size * p->float_budget);
}

static int by_ratio(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* What is not known is taken to be as for the others: so many times the weights' own error. */
static tq_status fill_in(const tqi_policy *p, tqi_item *items, uint32_t n, tq_error *error) {
    double *ratios = tqi_alloc(p->heap, n * sizeof *ratios), typical = 1;
    uint32_t known = 0;
    if (!ratios)
        return tqi_no_memory(p->heap, n * sizeof *ratios, error);
    for (uint32_t i = 0; i < n; i++)
        if (isfinite(items[i].error) && items[i].weight_error > 0)
            ratios[known++] = items[i].error / items[i].weight_error;
    qsort(ratios, known, sizeof *ratios, by_ratio);
    if (known > 0)
        typical = ratios[known / 2];
    for (uint32_t i = 0; i < n; i++)
        if (!isfinite(items[i].error))
            items[i].error = isfinite(items[i].weight_error) ? typical * items[i].weight_error : 0;
    tqi_free(p->heap, ratios, n * sizeof *ratios);
    return TQ_OK;
}

static void make_float(const tqi_policy *p, uint32_t constant) {
    const tqi_constant *c = &p->plan->constants.list[constant];
    tqi_action action =
        c->stored_type == TQI_TYPE_FLOAT16 || c->sparse ? TQI_ACTION_KEEP : TQI_ACTION_FLOAT16;
    p->plan->decisions[constant] = (tqi_decision){action, TQ_REASON_TOO_NOISY, -1, 0};
}

static tq_status choose(const tqi_policy *p, const tqi_item *items, uint32_t n, tqi_island *islands,
                        tqi_island_choice *choices, tq_error *error) {
    tqi_islands result;
    for (uint32_t i = 0; i < n; i++) {
        const tqi_constant *c = &p->plan->constants.list[items[i].constant];
        islands[i] = (tqi_island){int8_bytes(p, items[i].constant), float16_bytes(c),
                                  items[i].error, true, true};
    }
    TQI_TRY(tqi_choose_islands(islands, n, budget_of(p), choices, &result, p->heap, error));
    for (uint32_t i = 0; i < n; i++)
        if (choices[i] == TQI_ISLAND_FLOAT16)
            make_float(p, items[i].constant);
    return TQ_OK;
}

tq_status tqi_policy_islands(const tqi_policy *policy, tqi_item *items, uint32_t n,
                             tq_error *error) {
    tqi_arena arena;
    tqi_island *islands = NULL;
    tqi_island_choice *choices = NULL;
    TQI_TRY(fill_in(policy, items, n, error));
    tqi_arena_init(&arena, policy->heap);
    tq_status status = tqi_arena_alloc(&arena, n, sizeof *islands, &islands, error);
    if (status == TQ_OK)
        status = tqi_arena_alloc(&arena, n, sizeof *choices, &choices, error);
    if (status == TQ_OK)
        status = choose(policy, items, n, islands, choices, error);
    tqi_arena_free(&arena);
    return status;
}
