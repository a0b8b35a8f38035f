/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/error_entry.h"

#include <stdlib.h>
#include <string.h>

#include "execute/call.h"

typedef struct suspect {
    uint32_t pair;
    double ratio; /* local noise over signal */
} suspect;

typedef struct trial {
    const tqi_entry_task *task;
    suspect *list; /* those to try come first */
    uint32_t count;
    bool *tried;     /* by pair */
    tqi_exec *alone; /* of the reference's graph */
    tqi_value want;  /* the output of the reference */
} trial;

static int more_first(const void *a, const void *b) {
    const suspect *x = a, *y = b;
    if (x->ratio != y->ratio)
        return x->ratio > y->ratio ? -1 : 1;
    return x->pair < y->pair ? -1 : x->pair > y->pair;
}

static tq_status find_suspects(trial *t, tq_error *error) {
    const tqi_entry_task *task = t->task;
    uint32_t n = task->lockstep->pairs.count;
    TQI_NEW(task->arena, &t->list, n, error);
    TQI_NEW(task->arena, &t->tried, n, error);
    for (uint32_t i = 0; i < n; i++) {
        double ratio = tqi_difference_ratio(&task->layers[i].local[task->range]);
        if (ratio > 0)
            t->list[t->count++] = (suspect){i, ratio};
    }
    if (t->count > 0)
        qsort(t->list, t->count, sizeof *t->list, more_first);
    if (t->count > task->n_trials)
        t->count = task->n_trials;
    for (uint32_t i = 0; i < t->count; i++)
        t->tried[t->list[i].pair] = true;
    return TQ_OK;
}

/* ---- one layer ---- */

typedef struct exchange {
    const tqi_layer_place *place;
    const tqi_value *value;
} exchange;

static void put(const tqi_value *to, const tqi_value *value) {
    if (tqi_is_like(to, value))
        memcpy(to->data, value->data, tqi_value_bytes(value));
}

static tq_status put_layer(void *opaque, const tqi_seen *seen, tq_error *error) {
    const exchange *x = opaque;
    (void)error;
    if (seen->op == x->place->op)
        put(&seen->outputs[x->place->slot], x->value);
    return TQ_OK;
}

/* The reference from this layer on, with what the other has made of it. */
static tq_status run_with(trial *t, const tqi_layer_place *place, const tqi_value *value,
                          tq_error *error) {
    const tqi_entry_task *task = t->task;
    exchange x = {place, value};
    bool more = true;
    if (task->lockstep->done != place->op + 1) /* it is further: the other has another order */
        return tqi_exec_run(t->alone, task->sets->values, task->sets->n_inputs, put_layer, &x,
                            error);
    TQI_TRY(tqi_exec_fork(t->alone, task->lockstep->reference, error));
    put(tqi_exec_value(t->alone, place->tensor), value);
    while (more)
        TQI_TRY(tqi_exec_step(t->alone, NULL, NULL, &more, error));
    return TQ_OK;
}

static tq_status try_layer(void *opaque, uint32_t pair, bool forced, const tqi_value *reference,
                           const tqi_value *other, tq_error *error) {
    trial *t = opaque;
    const tqi_entry_task *task = t->task;
    (void)reference;
    if (!forced || !t->tried[pair])
        return TQ_OK;
    TQI_TRY(run_with(t, &task->lockstep->pairs.list[pair].reference, other, error));
    const tqi_value *got = tqi_exec_output(t->alone, task->output);
    if (tqi_is_like(&t->want, got))
        tqi_difference_add(&task->layers[pair].alone, &t->want, got);
    task->tried(task->opaque);
    return TQ_OK;
}

/* ---- all layers ---- */

static tq_status try_all(trial *t, tq_error *error) {
    const tqi_entry_task *task = t->task;
    const tqi_value *values = task->sets->values;
    uint32_t n = task->sets->n_inputs;
    TQI_TRY(tqi_exec_run(t->alone, values, n, NULL, NULL, error));
    const tqi_value *want = tqi_exec_output(t->alone, task->output);
    if (!want->data)
        return TQ_OK;
    TQI_TRY(tqi_value_copy(task->heap, want, &t->want, error));
    tq_status status = tqi_lockstep_run(task->lockstep, values, n, false, try_layer, t, error);
    tqi_value_free(task->heap, &t->want);
    return status;
}

static tq_status try_sets(trial *t, tq_error *error) {
    const tqi_entry_task *task = t->task;
    uint32_t runs = 0;
    for (uint32_t i = 0; i < task->sets->wanted.n_sets && runs < TQI_TRIAL_SETS; i++) {
        if (tqi_input_sets_range(task->sets, i) != task->range)
            continue;
        runs++;
        TQI_TRY(tqi_input_sets_get(task->sets, i, error));
        TQI_TRY(try_all(t, error));
    }
    return TQ_OK;
}

static int32_t choose_entry(const trial *t) {
    int32_t entry = -1;
    double most = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        double ratio = tqi_difference_ratio(&t->task->layers[t->list[i].pair].alone);
        if (ratio > most) {
            most = ratio;
            entry = (int32_t)t->list[i].pair;
        }
    }
    return entry < 0 && t->count > 0 ? (int32_t)t->list[0].pair : entry;
}

tq_status tqi_find_entry(const tqi_entry_task *task, int32_t *entry, tq_error *error) {
    trial t = {.task = task};
    TQI_TRY(find_suspects(&t, error));
    if (t.count > 0) {
        TQI_TRY(tqi_exec_create(&t.alone, task->graph, task->subgraph, task->how, error));
        tq_status status = try_sets(&t, error);
        tqi_exec_free(t.alone);
        if (status != TQ_OK)
            return status;
    }
    *entry = choose_entry(&t);
    return TQ_OK;
}
