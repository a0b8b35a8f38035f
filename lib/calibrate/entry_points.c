/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/entry_points.h"

#include <inttypes.h>
#include <string.h>

typedef struct search {
    const tqi_graph *reference, *other;
    tqi_entry_point *list;
    uint32_t count;
} search;

tq_status tqi_differs(const tqi_graph *reference, uint32_t subgraph, int32_t tensor,
                      const char *what, uint32_t index, tq_error *error) {
    const char *name = tensor < 0 ? "" : reference->subgraphs[subgraph].tensors[tensor].name;
    tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
             "%s %" PRIu32 " ('%s') is of another type or shape in the other model", what, index,
             name);
    error->subgraph = (int32_t)subgraph;
    error->tensor = tensor;
    return TQ_ERR_INVALID_ARGUMENT;
}

static bool same_kind(const tqi_tensor *a, const tqi_tensor *b) {
    bool same = a->type == b->type && a->rank == b->rank;
    for (uint32_t i = 0; same && i < a->rank; i++)
        same = tqi_is_open(a, i) == tqi_is_open(b, i) &&
               (tqi_is_open(a, i) || a->shape[i] == b->shape[i]);
    return same;
}

/* Outputs are compared once their shapes are known. */
static tq_status check(const search *s, const tqi_entry_point *e, tq_error *error) {
    const tqi_subgraph *a = &s->reference->subgraphs[e->subgraph];
    const tqi_subgraph *b = &s->other->subgraphs[e->other_subgraph];
    if (a->n_inputs != b->n_inputs || a->n_outputs != b->n_outputs) {
        tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                 "the models have %" PRIu32 " and %" PRIu32 " inputs, %" PRIu32 " and %" PRIu32
                 " outputs",
                 a->n_inputs, b->n_inputs, a->n_outputs, b->n_outputs);
        error->subgraph = (int32_t)e->subgraph;
        return TQ_ERR_INVALID_ARGUMENT;
    }
    for (uint32_t i = 0; i < a->n_inputs; i++) {
        bool none = a->inputs[i] < 0 || b->inputs[i] < 0;
        if (none ? a->inputs[i] != b->inputs[i]
                 : !same_kind(&a->tensors[a->inputs[i]], &b->tensors[b->inputs[i]]))
            return tqi_differs(s->reference, e->subgraph, a->inputs[i], "input", i, error);
    }
    return TQ_OK;
}

static bool is_there(const search *s, uint32_t subgraph) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->list[i].subgraph == subgraph)
            return true;
    return false;
}

/* The subgraph with the same signature, or, without signatures, of the same index. */
static tq_status add(search *s, uint32_t subgraph, const char *key, tq_error *error) {
    const tqi_graph *other = s->other;
    tqi_entry_point e = {subgraph, subgraph};
    bool found = !key || other->n_signatures == 0;
    for (uint32_t i = 0; key && i < other->n_signatures && !found; i++)
        if (strcmp(other->signatures[i].key, key) == 0) {
            e.other_subgraph = other->signatures[i].subgraph;
            found = true;
        }
    if (!found)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "the other model has no signature '%s'",
                        key);
    if (e.other_subgraph >= other->n_subgraphs)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "the other model has no subgraph %" PRIu32,
                        subgraph);
    TQI_TRY(check(s, &e, error));
    if (!is_there(s, subgraph))
        s->list[s->count++] = e;
    return TQ_OK;
}

tq_status tqi_find_entry_points(const tqi_graph *reference, const tqi_graph *other,
                                const char *signature, tqi_arena *arena, tqi_entry_point **list,
                                uint32_t *count, tq_error *error) {
    search s = {.reference = reference, .other = other};
    TQI_NEW(arena, &s.list, (uint64_t)reference->n_signatures + 1, error);
    for (uint32_t i = 0; i < reference->n_signatures; i++) {
        const tqi_signature *found = &reference->signatures[i];
        if ((!signature || strcmp(found->key, signature) == 0) &&
            found->subgraph < reference->n_subgraphs)
            TQI_TRY(add(&s, found->subgraph, found->key, error));
    }
    if (signature && s.count == 0)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "there is no signature '%s'", signature);
    if (s.count == 0 && reference->n_subgraphs > 0)
        TQI_TRY(add(&s, 0, NULL, error));
    *list = s.list;
    *count = s.count;
    return TQ_OK;
}
