/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/execute.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "execute/constant_values.h"
#include "execute/execute_private.h"
#include "execute/hybrid.h"

typedef tqi_exec_slot slot;

/* ---- set-up ---- */

static bool is_folded(const tqi_exec *exec, const tqi_operator *op) {
    int32_t builtin = tqi_builtin(exec->graph, op);
    return (builtin == TQI_OP_DEQUANTIZE || builtin == TQI_OP_DENSIFY) && op->n_outputs == 1 &&
           op->outputs[0] >= 0 && exec->slots[op->outputs[0]].storage >= 0;
}

static void find_last_uses(tqi_exec *exec) {
    const tqi_subgraph *s = exec->s;
    for (uint32_t i = 0; i < s->n_operators; i++) {
        const tqi_operator *op = &s->operators[i];
        for (uint32_t j = 0; j < op->n_inputs && !is_folded(exec, op); j++)
            if (op->inputs[j] >= 0)
                exec->slots[op->inputs[j]].last_use = i;
    }
    for (uint32_t i = 0; i < s->n_outputs; i++)
        if (s->outputs[i] >= 0) {
            exec->slots[s->outputs[i]].last_use = TQI_KEPT;
            exec->slots[s->outputs[i]].is_output = true;
        }
}

tq_status tqi_exec_make_lists(tqi_exec *exec, tq_error *error) {
    const tqi_subgraph *s = exec->s;
    uint32_t most_inputs = 0, most_outputs = 0;
    for (uint32_t i = 0; i < s->n_operators; i++) {
        const tqi_operator *op = &s->operators[i];
        most_inputs = op->n_inputs > most_inputs ? op->n_inputs : most_inputs;
        most_outputs = op->n_outputs > most_outputs ? op->n_outputs : most_outputs;
    }
    TQI_NEW(&exec->arena, &exec->outputs, most_outputs, error);
    TQI_NEW(&exec->arena, &exec->inputs, most_inputs, error);
    return TQ_OK;
}

static tq_status prepare(tqi_exec *exec, tq_error *error) {
    const tqi_subgraph *s = exec->s;
    TQI_TRY(tqi_find_uses(exec->graph, exec->subgraph, &exec->arena, &exec->uses, error));
    TQI_TRY(tqi_exec_make_lists(exec, error));
    TQI_NEW(&exec->arena, &exec->slots, s->n_tensors, error);
    TQI_NEW(&exec->arena, &exec->states, s->n_operators, error);
    for (uint32_t i = 0; i < s->n_tensors; i++)
        exec->slots[i].storage = tqi_constant_storage(exec->graph, exec->subgraph, &exec->uses, i);
    for (uint32_t i = 0; i < s->n_inputs; i++)
        if (s->inputs[i] >= 0)
            exec->slots[s->inputs[i]].storage = -1; /* what is given wins */
    find_last_uses(exec);
    return TQ_OK;
}

tq_status tqi_exec_create(tqi_exec **out, const tqi_graph *graph, uint32_t subgraph,
                          const tqi_exec_options *options, tq_error *error) {
    if (subgraph >= graph->n_subgraphs)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "there is no subgraph %" PRIu32, subgraph);
    tqi_exec *exec = tqi_alloc(options->heap, sizeof *exec);
    if (!exec)
        return tqi_no_memory(options->heap, sizeof *exec, error);
    *exec = (tqi_exec){.graph = graph,
                       .s = &graph->subgraphs[subgraph],
                       .subgraph = subgraph,
                       .options = *options,
                       .refusal = TQ_ERROR_INIT};
    if (options->budget.elements == 0 && options->budget.work == 0)
        exec->options.budget = tqi_default_budget;
    tqi_gemm_init(&exec->gemm, options->cpu_flags);
    tqi_arena_init(&exec->arena, options->heap);
    tq_status status = prepare(exec, error);
    if (status == TQ_OK)
        *out = exec;
    else
        tqi_exec_free(exec);
    return status;
}

static void drop(tqi_exec *exec, tqi_value *value) {
    tqi_value_free(exec->options.heap, value);
}

void tqi_exec_free(tqi_exec *exec) {
    if (!exec)
        return;
    for (uint32_t i = 0; exec->slots && !exec->is_view && i < exec->s->n_tensors; i++)
        drop(exec, &exec->slots[i].value);
    tqi_exec_drop_variation(exec);
    tqi_free(exec->options.heap, exec->variation.next,
             exec->variation.capacity * sizeof *exec->variation.next);
    tqi_arena_free(&exec->arena);
    tqi_free(exec->options.heap, exec, sizeof *exec);
}

/* ---- inputs ---- */

static bool is_activation_type(int32_t type) {
    return type == TQI_TYPE_FLOAT32 || type == TQI_TYPE_INT32 || type == TQI_TYPE_INT64 ||
           type == TQI_TYPE_BOOL;
}

static const char *label(int32_t type) {
    const char *name = tqi_type_label(type);
    return name ? name : "unknown";
}

static tq_status wrong_input(const tqi_exec *exec, uint32_t input, const char *why,
                             tq_error *error) {
    tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "input %" PRIu32 ": %s", input, why);
    error->subgraph = (int32_t)exec->subgraph;
    error->tensor = input < exec->s->n_inputs ? exec->s->inputs[input] : TQ_NO_INDEX;
    return TQ_ERR_INVALID_ARGUMENT;
}

tq_status tqi_exec_input(const tqi_exec *exec, uint32_t input, tqi_value *value, tq_error *error) {
    if (input >= exec->s->n_inputs || exec->s->inputs[input] < 0)
        return wrong_input(exec, input, "there is none", error);
    const tqi_tensor *tensor = &exec->s->tensors[exec->s->inputs[input]];
    if (!is_activation_type(tensor->type) || tensor->rank > TQI_MAX_RANK) {
        tqi_fail(error, TQ_ERR_UNSUPPORTED,
                 "input '%s' of type %s with %" PRIu32 " dimensions is not covered", tensor->name,
                 label(tensor->type), tensor->rank);
        error->subgraph = (int32_t)exec->subgraph;
        error->tensor = exec->s->inputs[input];
        return TQ_ERR_UNSUPPORTED;
    }
    *value = (tqi_value){.type = tensor->type, .rank = tensor->rank, .elements = 1};
    for (uint32_t i = 0; i < tensor->rank; i++) {
        value->shape[i] = tqi_is_open(tensor, i) ? 1 : tensor->shape[i];
        if (!tqi_mul_u64(value->elements, (uint64_t)value->shape[i], &value->elements))
            return wrong_input(exec, input, "its shape is too large", error);
    }
    return TQ_OK;
}

static tq_status take_input(tqi_exec *exec, uint32_t input, const tqi_value *given,
                            tq_error *error) {
    tqi_value known;
    int32_t index = exec->s->inputs[input];
    if (index < 0)
        return TQ_OK;
    drop(exec, &exec->slots[index].value);
    if (!given->data && exec->options.as_far_as_possible)
        return TQ_OK;
    TQI_TRY(tqi_exec_input(exec, input, &known, error));
    if (!given->data || given->type != known.type || given->rank != known.rank)
        return wrong_input(exec, input, "it has another type or rank than the graph says", error);
    for (uint32_t i = 0; i < known.rank; i++)
        if (given->shape[i] != known.shape[i] && !tqi_is_open(&exec->s->tensors[index], i))
            return wrong_input(exec, input, "it has another shape than the graph says", error);
    tqi_value *value = &exec->slots[index].value;
    TQI_TRY(
        tqi_value_new(exec->options.heap, given->type, given->rank, given->shape, value, error));
    memcpy(value->data, given->data, tqi_value_bytes(value));
    return TQ_OK;
}

/* ---- one operator ---- */

/* Refused operators are no failure of the run where it goes as far as it can. */
static tq_status refuse(tqi_exec *exec, uint32_t op, tq_status status, tq_error *error) {
    if (status != TQ_ERR_UNSUPPORTED || !exec->options.as_far_as_possible)
        return status;
    exec->states[op] = TQI_OP_REFUSED;
    if (exec->refusal.status == TQ_OK)
        exec->refusal = *error;
    *error = (tq_error)TQ_ERROR_INIT;
    return TQ_OK;
}

#define NOT_LISTED "it is not among those that are covered"

static tq_status not_covered(const tqi_exec *exec, uint32_t index, const char *why,
                             const char *name, tq_error *error) {
    const tqi_operator *op = &exec->s->operators[index];
    const char *builtin = tqi_op_name(tqi_builtin(exec->graph, op));
    const char *custom = exec->graph->opcodes[op->opcode].custom;
    bool is_custom = tqi_builtin(exec->graph, op) == TQI_OP_CUSTOM;
    tqi_fail(error, TQ_ERR_UNSUPPORTED, "operator %" PRIu32 " (%s%s) can't be run: %s%s", index,
             is_custom ? "CUSTOM " : "",
             is_custom ? custom
             : builtin ? builtin
                       : "unknown",
             why, name);
    error->subgraph = (int32_t)exec->subgraph;
    error->op = (int32_t)index;
    return TQ_ERR_UNSUPPORTED;
}

/* Types of what is computed; constants are another matter. */
static tq_status check_types(const tqi_exec *exec, uint32_t index, tq_error *error) {
    const tqi_operator *op = &exec->s->operators[index];
    for (uint32_t i = 0; i < op->n_inputs; i++)
        if (op->inputs[i] >= 0 && exec->slots[op->inputs[i]].storage < 0 &&
            !is_activation_type(exec->s->tensors[op->inputs[i]].type))
            return not_covered(exec, index, "an input is of type ",
                               label(exec->s->tensors[op->inputs[i]].type), error);
    for (uint32_t i = 0; i < op->n_outputs; i++)
        if (op->outputs[i] >= 0 && !is_activation_type(exec->s->tensors[op->outputs[i]].type))
            return not_covered(exec, index, "an output is of type ",
                               label(exec->s->tensors[op->outputs[i]].type), error);
    return TQ_OK;
}

void tqi_exec_free_constants(tqi_exec *exec) {
    for (uint32_t i = 0; i < exec->s->n_tensors; i++)
        if (exec->slots[i].storage >= 0)
            drop(exec, &exec->slots[i].value);
    exec->kept = 0;
}

tq_status tqi_exec_gather_inputs(tqi_exec *exec, const tqi_operator *op, bool *starved,
                                 tq_error *error) {
    *starved = false;
    for (uint32_t i = 0; i < op->n_inputs; i++) {
        int32_t index = op->inputs[i];
        exec->inputs[i] = index < 0 ? NULL : &exec->slots[index].value;
        if (index < 0 || exec->slots[index].value.data)
            continue;
        *starved = exec->slots[index].storage < 0;
        if (*starved)
            return TQ_OK;
        TQI_TRY(tqi_constant_load(exec->graph, exec->subgraph, (uint32_t)exec->slots[index].storage,
                                  exec->options.kernels, exec->options.heap,
                                  &exec->slots[index].value, error));
    }
    return TQ_OK;
}

static void drop_outputs(tqi_exec *exec, const tqi_operator *op) {
    for (uint32_t i = 0; i < op->n_outputs; i++)
        drop(exec, &exec->outputs[i]);
}

tq_status tqi_exec_call(tqi_exec *exec, uint32_t index, tqi_run_operator *run, bool hybrid,
                        tq_error *error) {
    const tqi_operator *op = &exec->s->operators[index];
    tqi_budget budget = exec->options.budget;
    const tqi_call call = {.graph = exec->graph,
                           .subgraph = exec->s,
                           .op = op,
                           .builtin = tqi_builtin(exec->graph, op),
                           .options = tqi_options(exec->graph, op),
                           .inputs = exec->inputs,
                           .n_inputs = op->n_inputs,
                           .n_outputs = op->n_outputs,
                           .outputs = exec->outputs,
                           .kernels = exec->options.kernels,
                           .heap = exec->options.heap,
                           .gemm = &exec->gemm,
                           .cpu_flags = exec->options.cpu_flags,
                           .runner = exec->options.runner,
                           .budget = &budget};
    memset(exec->outputs, 0, op->n_outputs * sizeof *exec->outputs);
    tq_status status = hybrid ? tqi_run_hybrid(run, &call, TQI_TYPE_INT8, error)
                              : tqi_run_as_stored(run, &call, error);
    exec->work += exec->options.budget.work - budget.work;
    if (status != TQ_OK)
        drop_outputs(exec, op);
    return status;
}

static tq_status try_operator(tqi_exec *exec, uint32_t index, tq_error *error) {
    const tqi_operator *op = &exec->s->operators[index];
    tqi_run_operator *run = tqi_find_operator(tqi_builtin(exec->graph, op));
    bool starved;
    if (!tqi_is_covered(exec->graph, op))
        return not_covered(exec, index, NOT_LISTED, "", error);
    if (exec->work > exec->options.budget.work)
        return not_covered(exec, index, "the graph takes too much work", "", error);
    TQI_TRY(check_types(exec, index, error));
    TQI_TRY(tqi_exec_gather_inputs(exec, op, &starved, error));
    if (starved && !exec->options.as_far_as_possible)
        return not_covered(exec, index, "an input has no value", "", error);
    if (starved) {
        exec->states[index] = TQI_OP_STARVED;
        return TQ_OK;
    }
    TQI_TRY(tqi_exec_call(exec, index, run, false, error));
    exec->states[index] = TQI_OP_RAN;
    return TQ_OK;
}

/* What nobody will ask for any more; with luck there is room to keep constants. */
static void release(tqi_exec *exec, int32_t index, uint32_t done) {
    slot *tensor = index < 0 ? NULL : &exec->slots[index];
    if (!tensor || !tensor->value.data || tensor->last_use > done)
        return;
    if (tensor->storage < 0 && exec->options.retain)
        return;
    uint64_t bytes = tqi_value_bytes(&tensor->value);
    if (tensor->storage >= 0 && tensor->last_use == done &&
        bytes <= exec->options.keep - exec->kept)
        exec->kept += bytes;
    else
        drop(exec, &tensor->value);
}

static void take_outputs(tqi_exec *exec, uint32_t index) {
    const tqi_operator *op = &exec->s->operators[index];
    for (uint32_t i = 0; i < op->n_outputs; i++) {
        slot *tensor = op->outputs[i] < 0 ? NULL : &exec->slots[op->outputs[i]];
        if (tensor)
            drop(exec, &tensor->value);
        if (tensor && tensor->storage < 0 &&
            (tensor->is_output || tensor->last_use > index || exec->options.retain))
            tensor->value = exec->outputs[i];
        else
            drop(exec, &exec->outputs[i]);
    }
}

static tq_status run_operator(tqi_exec *exec, uint32_t index, tqi_observe observe, void *opaque,
                              tq_error *error) {
    const tqi_operator *op = &exec->s->operators[index];
    if (is_folded(exec, op)) {
        exec->states[index] = TQI_OP_FOLDED;
        return TQ_OK;
    }
    tq_status status = try_operator(exec, index, error);
    if (tqi_is_no_memory(status)) {
        tqi_exec_free_constants(exec);
        status = try_operator(exec, index, error);
    }
    status = refuse(exec, index, status, error);
    bool ran = exec->states[index] == TQI_OP_RAN;
    if (ran && observe && status == TQ_OK) {
        const tqi_seen seen = {index, exec->inputs, exec->outputs, op->n_inputs, op->n_outputs};
        status = observe(opaque, &seen, error);
    }
    for (uint32_t i = 0; i < op->n_inputs; i++)
        release(exec, op->inputs[i], index);
    if (ran && status == TQ_OK)
        take_outputs(exec, index);
    else if (ran)
        drop_outputs(exec, op);
    return status;
}

/* ---- the run ---- */

/* Activations and outputs of the run before; constants stay. */
static void begin(tqi_exec *exec) {
    tqi_exec_drop_variation(exec);
    for (uint32_t i = 0; i < exec->s->n_tensors; i++)
        if (exec->slots[i].storage < 0)
            drop(exec, &exec->slots[i].value);
    memset(exec->states, TQI_OP_NOT_YET, exec->s->n_operators);
    exec->refusal = (tq_error)TQ_ERROR_INIT;
    exec->kept = 0;
    exec->work = 0;
    exec->next = 0;
}

static tq_status load_constant_outputs(tqi_exec *exec, tq_error *error) {
    for (uint32_t i = 0; i < exec->s->n_outputs; i++) {
        int32_t index = exec->s->outputs[i];
        slot *tensor = index < 0 ? NULL : &exec->slots[index];
        if (tensor && tensor->storage >= 0 && !tensor->value.data)
            TQI_TRY(tqi_constant_load(exec->graph, exec->subgraph, (uint32_t)tensor->storage,
                                      exec->options.kernels, exec->options.heap, &tensor->value,
                                      error));
    }
    return TQ_OK;
}

/* Where it is an error, that is better said at once. */
static tq_status check_operators(const tqi_exec *exec, tq_error *error) {
    for (uint32_t i = 0; i < exec->s->n_operators; i++) {
        const tqi_operator *op = &exec->s->operators[i];
        if (!is_folded(exec, op) && !tqi_is_covered(exec->graph, op))
            return not_covered(exec, i, NOT_LISTED, "", error);
    }
    return TQ_OK;
}

tq_status tqi_exec_begin(tqi_exec *exec, const tqi_value *inputs, uint32_t n_inputs,
                         tq_error *error) {
    begin(exec);
    if (n_inputs != exec->s->n_inputs)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "%" PRIu32 " inputs are given, the graph has %" PRIu32, n_inputs,
                        exec->s->n_inputs);
    for (uint32_t i = 0; i < n_inputs; i++)
        TQI_TRY(take_input(exec, i, &inputs[i], error));
    return exec->options.as_far_as_possible ? TQ_OK : check_operators(exec, error);
}

tq_status tqi_exec_step(tqi_exec *exec, tqi_observe observe, void *opaque, bool *more,
                        tq_error *error) {
    uint32_t i = exec->next, n = exec->s->n_operators;
    if (i < n) {
        if (exec->options.progress &&
            exec->options.progress(exec->options.progress_opaque, i, n) != 0)
            return tqi_fail(error, TQ_ERR_CANCELLED, "cancelled");
        TQI_TRY(run_operator(exec, i, observe, opaque, error));
        exec->next++;
    }
    *more = exec->next < n;
    return *more ? TQ_OK : load_constant_outputs(exec, error);
}

tq_status tqi_exec_run(tqi_exec *exec, const tqi_value *inputs, uint32_t n_inputs,
                       tqi_observe observe, void *opaque, tq_error *error) {
    bool more = true;
    TQI_TRY(tqi_exec_begin(exec, inputs, n_inputs, error));
    while (more)
        TQI_TRY(tqi_exec_step(exec, observe, opaque, &more, error));
    return TQ_OK;
}

tq_status tqi_exec_fork(tqi_exec *exec, const tqi_exec *from, tq_error *error) {
    begin(exec);
    for (uint32_t i = 0; i < exec->s->n_tensors; i++) {
        const tqi_value *value = &from->slots[i].value;
        if (!value->data || from->slots[i].storage >= 0)
            continue;
        tqi_value *copy = &exec->slots[i].value;
        TQI_TRY(
            tqi_value_new(exec->options.heap, value->type, value->rank, value->shape, copy, error));
        memcpy(copy->data, value->data, tqi_value_bytes(value));
    }
    exec->next = from->next;
    exec->work = from->work;
    return TQ_OK;
}

const tqi_value *tqi_exec_output(const tqi_exec *exec, uint32_t output) {
    static const tqi_value none;
    bool there = output < exec->s->n_outputs && exec->s->outputs[output] >= 0;
    return there ? &exec->slots[exec->s->outputs[output]].value : &none;
}

uint64_t tqi_exec_work(const tqi_exec *exec) {
    return exec->work;
}

const uint8_t *tqi_exec_states(const tqi_exec *exec) {
    return exec->states;
}

const tq_error *tqi_exec_refusal(const tqi_exec *exec) {
    return &exec->refusal;
}
