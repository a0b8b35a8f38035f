/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/lockstep.h"

#include <string.h>

#include "calibrate/difference.h"
#include "execute/call.h"
#include "execute/constant_values.h"

tq_status tqi_value_copy(tqi_heap *heap, const tqi_value *from, tqi_value *to, tq_error *error) {
    TQI_TRY(tqi_value_new(heap, from->type, from->rank, from->shape, to, error));
    memcpy(to->data, from->data, tqi_value_bytes(from));
    return TQ_OK;
}

/* ---- set-up ---- */

static tq_status index_pairs(tqi_lockstep *l, uint32_t n_reference, tqi_arena *arena,
                             tq_error *error) {
    const tqi_layer_pair *list = l->pairs.list;
    uint32_t *at;
    TQI_NEW(arena, &l->first, (uint64_t)n_reference + 1, error);
    TQI_NEW(arena, &l->other_first, (uint64_t)l->n_other + 1, error);
    TQI_NEW(arena, &at, l->n_other, error);
    TQI_NEW(arena, &l->by_other, l->pairs.count, error);
    TQI_NEW(arena, &l->kept, l->pairs.count, error);
    for (uint32_t i = 0; i < l->pairs.count; i++) {
        l->first[list[i].reference.op + 1]++;
        l->other_first[list[i].other.op + 1]++;
    }
    for (uint32_t i = 0; i < n_reference; i++)
        l->first[i + 1] += l->first[i];
    for (uint32_t i = 0; i < l->n_other; i++) {
        l->other_first[i + 1] += l->other_first[i];
        at[i] = l->other_first[i];
    }
    for (uint32_t i = 0; i < l->pairs.count; i++)
        l->by_other[at[list[i].other.op]++] = i;
    return TQ_OK;
}

tq_status tqi_lockstep_open(tqi_lockstep *l, const tqi_graph *reference, uint32_t subgraph,
                            const tqi_graph *other, uint32_t other_subgraph,
                            const tqi_exec_options *options, tqi_arena *arena, tq_error *error) {
    *l = (tqi_lockstep){.heap = options->heap,
                        .n_other = other->subgraphs[other_subgraph].n_operators};
    TQI_TRY(tqi_match_layers(reference, subgraph, other, other_subgraph, arena, &l->pairs, error));
    TQI_TRY(index_pairs(l, reference->subgraphs[subgraph].n_operators, arena, error));
    TQI_TRY(tqi_exec_create(&l->reference, reference, subgraph, options, error));
    TQI_TRY(tqi_exec_create(&l->other, other, other_subgraph, options, error));
    return tqi_exec_create(&l->forced, other, other_subgraph, options, error);
}

static void drop_all(tqi_lockstep *l) {
    for (uint32_t i = 0; l->kept && i < l->pairs.count; i++)
        tqi_value_free(l->heap, &l->kept[i]);
}

void tqi_lockstep_close(tqi_lockstep *l) {
    drop_all(l);
    tqi_exec_free(l->reference);
    tqi_exec_free(l->other);
    tqi_exec_free(l->forced);
}

/* ---- the reference ---- */

static tq_status keep_layers(void *opaque, const tqi_seen *seen, tq_error *error) {
    tqi_lockstep *l = opaque;
    for (uint32_t i = l->first[seen->op]; i < l->first[seen->op + 1]; i++) {
        const tqi_value *value = &seen->outputs[l->pairs.list[i].reference.slot];
        if (l->pairs.list[i].other.op >= l->other_done && value->data)
            TQI_TRY(tqi_value_copy(l->heap, value, &l->kept[i], error));
    }
    return TQ_OK;
}

/* Runs it until this operator is done. */
static tq_status advance(tqi_lockstep *l, uint32_t op, tq_error *error) {
    while (l->more && l->done <= op) {
        TQI_TRY(tqi_exec_step(l->reference, keep_layers, l, &l->more, error));
        l->done++;
    }
    return TQ_OK;
}

/* ---- the other ---- */

static tq_status compare_layers(void *opaque, const tqi_seen *seen, tq_error *error) {
    tqi_lockstep *l = opaque;
    for (uint32_t i = l->other_first[seen->op]; i < l->other_first[seen->op + 1]; i++) {
        uint32_t pair = l->by_other[i];
        const tqi_layer_pair *p = &l->pairs.list[pair];
        const tqi_value *value = &seen->outputs[p->other.slot];
        TQI_TRY(advance(l, p->reference.op, error));
        if (!tqi_is_like(&l->kept[pair], value))
            continue;
        TQI_TRY(l->visit(l->opaque, pair, l->is_forced, &l->kept[pair], value, error));
        if (l->is_forced)
            memcpy(value->data, l->kept[pair].data, tqi_value_bytes(value));
    }
    return TQ_OK;
}

static tq_status run_operator(tqi_lockstep *l, uint32_t op, bool freely, tq_error *error) {
    bool more;
    l->is_forced = false;
    if (freely)
        TQI_TRY(tqi_exec_step(l->other, compare_layers, l, &more, error));
    l->is_forced = true;
    TQI_TRY(tqi_exec_step(l->forced, compare_layers, l, &more, error));
    for (uint32_t i = l->other_first[op]; i < l->other_first[op + 1]; i++)
        tqi_value_free(l->heap, &l->kept[l->by_other[i]]);
    l->other_done = op + 1;
    return TQ_OK;
}

static tq_status run(tqi_lockstep *l, const tqi_value *inputs, uint32_t n_inputs, bool freely,
                     tq_error *error) {
    bool more;
    TQI_TRY(tqi_exec_begin(l->reference, inputs, n_inputs, error));
    TQI_TRY(tqi_exec_begin(l->forced, inputs, n_inputs, error));
    if (freely)
        TQI_TRY(tqi_exec_begin(l->other, inputs, n_inputs, error));
    for (uint32_t i = 0; i < l->n_other; i++)
        TQI_TRY(run_operator(l, i, freely, error));
    if (l->n_other == 0 && freely) /* outputs that are constants */
        TQI_TRY(tqi_exec_step(l->other, NULL, NULL, &more, error));
    return advance(l, UINT32_MAX, error);
}

tq_status tqi_lockstep_run(tqi_lockstep *l, const tqi_value *inputs, uint32_t n_inputs, bool freely,
                           tqi_lockstep_visit visit, void *opaque, tq_error *error) {
    l->done = l->other_done = 0;
    l->more = true;
    l->visit = visit;
    l->opaque = opaque;
    tq_status status = run(l, inputs, n_inputs, freely, error);
    drop_all(l);
    return status;
}
