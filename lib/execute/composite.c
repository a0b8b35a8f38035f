/* SPDX-License-Identifier: Apache-2.0 */
/* STABLEHLO_COMPOSITE: runs the subgraph that says what it computes. */
#include <string.h>

#include "execute/call.h"
#include "execute/execute.h"
#include "execute/families.h"

enum { DECOMPOSITION = 1 };

/* What setting up a run costs for each tensor and operator, in multiply-adds. */
enum { OF_A_TENSOR = 1 << 14 };

static tq_status find_body(const tqi_call *call, uint32_t *body, tq_error *error) {
    uint32_t options = 0;
    if (call->op && call->op->source)
        options =
            tqi_get_table(&call->graph->view, call->op->source, TQI_OPERATOR_BUILTIN_OPTIONS_2);
    int32_t index = tqi_option_i32(call, options, DECOMPOSITION, 0);
    if (options == 0 || index < 0 || (uint32_t)index >= call->graph->n_subgraphs)
        return tqi_call_refuse(call, error, "there is no subgraph that says what it computes");
    const tqi_subgraph *s = &call->graph->subgraphs[index];
    if (s->n_inputs != call->n_inputs || s->n_outputs != call->n_outputs)
        return tqi_call_refuse(call, error, "its subgraph has other inputs or outputs");
    *body = (uint32_t)index;
    return TQ_OK;
}

/* What is given must be what the subgraph says of it; this is no error of the caller then. */
static tq_status check_inputs(const tqi_call *call, const tqi_exec *exec, const tqi_value *inputs,
                              tq_error *error) {
    for (uint32_t i = 0; i < call->n_inputs; i++) {
        tqi_value known;
        TQI_TRY(tqi_exec_input(exec, i, &known, error));
        if (known.type != inputs[i].type || !inputs[i].data)
            return tqi_call_refuse(call, error, "an input does not fit to its subgraph");
    }
    return TQ_OK;
}

static tq_status take_outputs(const tqi_call *call, const tqi_exec *exec, tq_error *error) {
    for (uint32_t i = 0; i < call->n_outputs; i++) {
        const tqi_value *result = tqi_exec_output(exec, i);
        tqi_value *output = NULL;
        if (!result->data)
            return tqi_call_refuse(call, error, "its subgraph has no result");
        TQI_TRY(tqi_call_like(call, i, result->type, result, &output, error));
        memcpy(output->data, result->data, tqi_value_bytes(result));
    }
    return TQ_OK;
}

static tq_status run_body(const tqi_call *call, tqi_exec *exec, tqi_arena *arena, tq_error *error) {
    tqi_value *inputs = NULL;
    TQI_NEW(arena, &inputs, call->n_inputs, error);
    for (uint32_t i = 0; i < call->n_inputs; i++)
        inputs[i] = call->inputs[i] ? *call->inputs[i] : (tqi_value){0};
    TQI_TRY(check_inputs(call, exec, inputs, error));
    tq_status status = tqi_exec_run(exec, inputs, call->n_inputs, NULL, NULL, error);
    if (status == TQ_ERR_INVALID_ARGUMENT)
        return tqi_call_refuse(call, error, "an input does not fit to its subgraph");
    return status == TQ_OK ? take_outputs(call, exec, error) : status;
}

tq_status tqi_run_composite(const tqi_call *call, tq_error *error) {
    uint32_t body = 0;
    tqi_exec *exec = NULL;
    TQI_TRY(find_body(call, &body, error));
    const tqi_subgraph *s = &call->graph->subgraphs[body];
    TQI_TRY(
        tqi_call_work(call, (uint64_t)s->n_tensors + s->n_operators + 1, OF_A_TENSOR, 1, error));
    tqi_budget budget = call->budget ? *call->budget : tqi_default_budget;
    if (budget.depth == 0)
        return tqi_call_refuse(call, error, "composites lie in one another too deep");
    budget.depth--;
    const tqi_exec_options options = {.kernels = call->kernels,
                                      .cpu_flags = call->cpu_flags,
                                      .runner = call->runner,
                                      .heap = call->heap,
                                      .budget = budget};
    TQI_TRY(tqi_exec_create(&exec, call->graph, body, &options, error));
    tqi_arena arena;
    tqi_arena_init(&arena, call->heap);
    tq_status status = run_body(call, exec, &arena, error);
    tqi_arena_free(&arena);
    if (call->budget) {
        uint64_t work = tqi_exec_work(exec);
        call->budget->work -= work < call->budget->work ? work : call->budget->work;
    }
    tqi_exec_free(exec);
    return status;
}
