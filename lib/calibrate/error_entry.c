/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/error_entry.h"

#include <stdlib.h>
#include <string.h>

#include "execute/call.h"

/* Bytes of layers that are held for trials; more are tried in several goes. */
static const uint64_t BUDGET = 64 << 20;

typedef struct suspect {
    uint32_t pair;
    double ratio;    /* local noise over signal */
    tqi_value value; /* of the other, given the reference's inputs */
} suspect;

typedef struct trial {
    const tqi_entry_task *task;
    suspect *list;
    uint32_t count;
    uint32_t *by_pair; /* 1 + position in the list; 0: none */
    uint32_t at, end;  /* of the list: those of this go */
    tqi_value want;    /* the output of the reference */
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
    TQI_NEW(task->arena, &t->by_pair, n, error);
    for (uint32_t i = 0; i < n; i++) {
        double ratio = tqi_difference_ratio(&task->layers[i].local[task->range]);
        if (ratio > 0)
            t->list[t->count++] = (suspect){.pair = i, .ratio = ratio};
    }
    if (t->count > 0)
        qsort(t->list, t->count, sizeof *t->list, more_first);
    if (t->count > task->n_trials)
        t->count = task->n_trials;
    for (uint32_t i = 0; i < t->count; i++)
        t->by_pair[t->list[i].pair] = i + 1;
    return TQ_OK;
}

/* ---- taking layers of the other ---- */

static tq_status take_layer(void *opaque, uint32_t pair, bool forced, const tqi_value *reference,
                            const tqi_value *other, tq_error *error) {
    trial *t = opaque;
    uint32_t at = t->by_pair[pair];
    (void)reference;
    if (!forced || at == 0 || at - 1 < t->at || at - 1 >= t->end)
        return TQ_OK;
    return tqi_value_copy(t->task->heap, other, &t->list[at - 1].value, error);
}

static uint64_t layer_bytes(const trial *t, uint32_t index) {
    const tqi_compared *layer = &t->task->layers[t->list[index].pair];
    uint64_t bytes = tqi_type_size(layer->type);
    for (uint32_t i = 0; i < layer->rank; i++)
        bytes *= (uint64_t)layer->shape[i];
    return bytes;
}

/* At least one. */
static void choose_go(trial *t) {
    uint64_t held = layer_bytes(t, t->at);
    t->end = t->at + 1;
    while (t->end < t->count && (held += layer_bytes(t, t->end)) <= BUDGET)
        t->end++;
}

static void drop_layers(trial *t) {
    for (uint32_t i = 0; i < t->count; i++)
        tqi_value_free(t->task->heap, &t->list[i].value);
    tqi_value_free(t->task->heap, &t->want);
}

/* ---- putting them into the reference ---- */

typedef struct exchange {
    const tqi_layer_place *place;
    const tqi_value *value;
    bool done;
} exchange;

static tq_status put_layer(void *opaque, const tqi_seen *seen, tq_error *error) {
    exchange *x = opaque;
    (void)error;
    if (seen->op == x->place->op && tqi_is_like(&seen->outputs[x->place->slot], x->value)) {
        memcpy(seen->outputs[x->place->slot].data, x->value->data, tqi_value_bytes(x->value));
        x->done = true;
    }
    return TQ_OK;
}

static tq_status try_layer(trial *t, uint32_t index, tq_error *error) {
    const tqi_entry_task *task = t->task;
    suspect *s = &t->list[index];
    exchange x = {&task->lockstep->pairs.list[s->pair].reference, &s->value, false};
    if (!s->value.data)
        return TQ_OK;
    TQI_TRY(tqi_exec_run(task->lockstep->reference, task->sets->values, task->sets->n_inputs,
                         put_layer, &x, error));
    const tqi_value *got = tqi_exec_output(task->lockstep->reference, task->output);
    if (x.done && tqi_is_like(&t->want, got))
        tqi_difference_add(&task->layers[s->pair].alone, &t->want, got);
    task->tried(task->opaque);
    return TQ_OK;
}

static tq_status try_go(trial *t, tq_error *error) {
    const tqi_entry_task *task = t->task;
    choose_go(t);
    TQI_TRY(tqi_lockstep_run(task->lockstep, task->sets->values, task->sets->n_inputs, false,
                             take_layer, t, error));
    const tqi_value *want = tqi_exec_output(task->lockstep->reference, task->output);
    if (want->data)
        TQI_TRY(tqi_value_copy(task->heap, want, &t->want, error));
    for (; t->at < t->end && t->want.data; t->at++)
        TQI_TRY(try_layer(t, t->at, error));
    t->at = t->end;
    drop_layers(t);
    return TQ_OK;
}

static tq_status try_all(trial *t, tq_error *error) {
    const tqi_entry_task *task = t->task;
    uint32_t runs = 0;
    for (uint32_t i = 0; i < task->sets->wanted.n_sets && runs < TQI_TRIAL_SETS; i++) {
        if (tqi_input_sets_range(task->sets, i) != task->range)
            continue;
        runs++;
        TQI_TRY(tqi_input_sets_get(task->sets, i, error));
        for (t->at = 0; t->at < t->count;)
            TQI_TRY(try_go(t, error));
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
    tq_status status = t.count > 0 ? try_all(&t, error) : TQ_OK;
    drop_layers(&t);
    *entry = choose_entry(&t);
    return status;
}
