/* SPDX-License-Identifier: Apache-2.0 */
/* The same graph on the same inputs with a few constants changed: only what depends on them runs.
 */
#include <string.h>

#include "execute/execute_private.h"
#include "execute/hybrid.h"

static tq_status open_variation(tqi_exec *exec, tq_error *error) {
    tqi_variation *v = &exec->variation;
    if (v->values)
        return TQ_OK;
    TQI_NEW(&exec->arena, &v->first, exec->s->n_operators, error);
    TQI_NEW(&exec->arena, &v->watched, exec->s->n_tensors, error);
    TQI_NEW(&exec->arena, &v->values, exec->s->n_tensors, error);
    return TQ_OK;
}

void tqi_exec_drop_variation(tqi_exec *exec) {
    for (uint32_t i = 0; exec->variation.values && i < exec->s->n_tensors; i++)
        tqi_value_free(exec->options.heap, &exec->variation.values[i]);
}

tq_status tqi_exec_watch(tqi_exec *exec, uint32_t tensor, tq_error *error) {
    TQI_TRY(open_variation(exec, error));
    exec->variation.watched[tensor] = true;
    return TQ_OK;
}

tq_status tqi_exec_open_view(tqi_exec **out, const tqi_exec *exec, tq_error *error) {
    tqi_exec *view = tqi_alloc(exec->options.heap, sizeof *view);
    if (!view)
        return tqi_no_memory(exec->options.heap, sizeof *view, error);
    *view = *exec;
    view->is_view = true;
    view->options.progress = NULL;
    view->options.runner = NULL;
    view->variation = (tqi_variation){0};
    tqi_arena_init(&view->arena, exec->options.heap);
    tq_status status = tqi_exec_make_lists(view, error);
    if (status == TQ_OK)
        status = open_variation(view, error);
    if (status != TQ_OK) {
        tqi_exec_free(view);
        return status;
    }
    view->variation.watched = exec->variation.watched;
    *out = view;
    return TQ_OK;
}

bool tqi_exec_allows_views(const tqi_exec *exec) {
    for (uint32_t i = 0; i < exec->s->n_operators; i++) {
        const tqi_operator *op = &exec->s->operators[i];
        for (uint32_t k = 0; k < op->n_inputs && exec->states[i] == TQI_OP_RAN; k++)
            if (op->inputs[k] >= 0 && !exec->slots[op->inputs[k]].value.data)
                return false;
    }
    return exec->variation.watched != NULL;
}

static tq_status take_changes(tqi_exec *exec, const tqi_change *changes, uint32_t n,
                              tq_error *error) {
    tqi_variation *v = &exec->variation;
    if (n > v->capacity) {
        tqi_free(exec->options.heap, v->next, v->capacity * sizeof *v->next);
        v->capacity = 0;
        v->next = tqi_alloc(exec->options.heap, n * sizeof *v->next);
        if (!v->next)
            return tqi_no_memory(exec->options.heap, n * sizeof *v->next, error);
        v->capacity = n;
    }
    v->changes = changes;
    memset(v->first, 0, exec->s->n_operators * sizeof *v->first);
    for (uint32_t i = n; i-- > 0;) {
        v->next[i] = v->first[changes[i].op];
        v->first[changes[i].op] = i + 1;
    }
    return TQ_OK;
}

static bool differs(const tqi_exec *exec, uint32_t index) {
    const tqi_operator *op = &exec->s->operators[index];
    bool differs = exec->variation.first[index] != 0;
    for (uint32_t i = 0; i < op->n_inputs && !differs; i++)
        differs = op->inputs[i] >= 0 && exec->variation.values[op->inputs[i]].data;
    return differs;
}

static void change_inputs(tqi_exec *exec, uint32_t index, bool *hybrid) {
    const tqi_variation *v = &exec->variation;
    const tqi_operator *op = &exec->s->operators[index];
    for (uint32_t i = 0; i < op->n_inputs; i++)
        if (op->inputs[i] >= 0 && v->values[op->inputs[i]].data)
            exec->inputs[i] = &v->values[op->inputs[i]];
    for (uint32_t i = v->first[index]; i > 0; i = v->next[i - 1]) {
        const tqi_change *change = &v->changes[i - 1];
        if (change->value)
            exec->inputs[change->input] = change->value;
        else
            *hybrid = true;
    }
}

static void take_outputs(tqi_exec *exec, const tqi_operator *op) {
    for (uint32_t i = 0; i < op->n_outputs; i++) {
        tqi_value *value = op->outputs[i] < 0 ? NULL : &exec->variation.values[op->outputs[i]];
        if (value) {
            tqi_value_free(exec->options.heap, value);
            *value = exec->outputs[i];
        } else {
            tqi_value_free(exec->options.heap, &exec->outputs[i]);
        }
    }
}

static void release(tqi_exec *exec, uint32_t index) {
    const tqi_operator *op = &exec->s->operators[index];
    for (uint32_t i = 0; i < op->n_inputs; i++)
        if (op->inputs[i] >= 0 && exec->slots[op->inputs[i]].last_use <= index &&
            !exec->variation.watched[op->inputs[i]])
            tqi_value_free(exec->options.heap, &exec->variation.values[op->inputs[i]]);
}

static tq_status try_operator(tqi_exec *exec, uint32_t index, tq_error *error) {
    const tqi_operator *op = &exec->s->operators[index];
    bool starved, hybrid = false;
    TQI_TRY(tqi_exec_gather_inputs(exec, op, &starved, error));
    change_inputs(exec, index, &hybrid);
    return tqi_exec_call(exec, index, tqi_find_operator(tqi_builtin(exec->graph, op)), hybrid,
                         error);
}

static tq_status run_operator(tqi_exec *exec, uint32_t index, tq_error *error) {
    const tqi_operator *op = &exec->s->operators[index];
    tq_status status = try_operator(exec, index, error);
    if (tqi_is_no_memory(status) && !exec->is_view) {
        tqi_exec_free_constants(exec);
        status = try_operator(exec, index, error);
    }
    if (status == TQ_OK)
        take_outputs(exec, op);
    release(exec, index);
    return status;
}

tq_status tqi_exec_vary(tqi_exec *exec, const tqi_change *changes, uint32_t n_changes,
                        tq_error *error) {
    TQI_TRY(open_variation(exec, error));
    tqi_exec_drop_variation(exec);
    TQI_TRY(take_changes(exec, changes, n_changes, error));
    for (uint32_t i = 0; i < exec->s->n_operators; i++) {
        if (exec->states[i] != TQI_OP_RAN || !differs(exec, i))
            continue;
        if (exec->options.progress &&
            exec->options.progress(exec->options.progress_opaque, i, exec->s->n_operators) != 0)
            return tqi_fail(error, TQ_ERR_CANCELLED, "cancelled");
        exec->varied++;
        TQI_TRY(run_operator(exec, i, error));
    }
    return TQ_OK;
}

uint64_t tqi_exec_count_varied(const tqi_exec *exec) {
    return exec->varied;
}

const tqi_value *tqi_exec_varied(const tqi_exec *exec, uint32_t tensor) {
    const tqi_value *value = exec->variation.values ? &exec->variation.values[tensor] : NULL;
    return value && value->data ? value : NULL;
}

const tqi_value *tqi_exec_value(const tqi_exec *exec, uint32_t tensor) {
    return &exec->slots[tensor].value;
}
