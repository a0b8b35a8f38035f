/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator's shapes do not fit, by the condition that its builtin kernel has when the model is
 * loaded. Delegates ask the same, or fall back to that kernel.
 *
 * Seen in: a video watermarking model that could not be made int8, "Node number 36 (BROADCAST_TO)
 * failed to prepare", after a layout change had left [1,256,1,1] to be broadcast to [1,32,32,256].
 * Since: always. Until: not fixed; it is the model that is wrong.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "tflite/builtins.h"

/* Inputs of unknown size count as 1 until a program resizes them. */
static bool has_open_input(const tqi_subgraph *subgraph) {
    for (uint32_t i = 0; i < subgraph->n_inputs; i++) {
        const tqi_tensor *input =
            subgraph->inputs[i] < 0 ? NULL : &subgraph->tensors[subgraph->inputs[i]];
        if (input && tqi_has_open_signature(input))
            return true;
    }
    return false;
}

static const char *when(const tqi_misfit *misfit, const tqi_subgraph *subgraph) {
    if (!misfit->when_loaded)
        return " It shows in the first run.";
    return has_open_input(subgraph) ? " That is with 1 for the open dimensions of its inputs." : "";
}

/* BROADCAST_TO whose input has all its values along one dimension, and whose target has just one of
 * that size: it is clear where they are meant to go. */
static bool is_layout(const tqi_check *check, uint32_t s, const tqi_operator *op) {
    if (tqi_builtin(check->graph, op) != TQI_BUILTIN_BROADCAST_TO || op->n_inputs != 2 ||
        op->inputs[0] < 0 || op->inputs[1] < 0)
        return false;
    const tqi_shape *from = &check->shapes[s].list[op->inputs[0]];
    const tqi_shape *to = &check->shapes[s].list[op->inputs[1]];
    int64_t size = 1;
    uint32_t places = 0;
    if (!from->known || !to->known || !to->values || to->rank != 1 ||
        (uint32_t)to->dims[0] < from->rank)
        return false;
    for (uint32_t d = 0; d < from->rank; d++) {
        if (from->dims[d] != 1 && size != 1)
            return false;
        size = from->dims[d] != 1 ? from->dims[d] : size;
    }
    for (int32_t d = 0; d < to->dims[0]; d++)
        places += to->values[d] == size;
    return size > 1 && places == 1;
}

static tq_status report(tqi_check *check, uint32_t s, const tqi_misfit *m, tq_error *error) {
    const tqi_subgraph *subgraph = &check->graph->subgraphs[s];
    const tqi_operator *op = &subgraph->operators[m->op];
    const char *name = tqi_op_name(tqi_builtin(check->graph, op));
    const tqi_place place = {(int32_t)s, (int32_t)m->op, -1,
                             op->n_outputs > 0 ? op->outputs[0] : -1};
    return tqi_find(check, &tqi_rule_shapes, TQ_SEVERITY_ERROR, place,
                    is_layout(check, s, op) ? "broadcast-layout" : "", error,
                    "%s%s Node number %" PRIu32 " (%s) failed to prepare.%s%s%s%s", m->text,
                    m->is_runtimes ? "" : ".", m->op, name ? name : "unknown",
                    *m->shapes ? " It has " : "", m->shapes, *m->shapes ? "." : "",
                    when(m, subgraph));
}

static tq_status run(tqi_check *check, tq_error *error) {
    for (uint32_t s = 0; s < check->graph->n_subgraphs; s++)
        for (const tqi_misfit *m = check->shapes[s].misfits; m; m = m->next)
            TQI_TRY(report(check, s, m, error));
    return TQ_OK;
}

const tqi_check_rule tqi_rule_shapes = {
    "shapes", "shapes that an operator's kernel refuses when the model is loaded", TQI_FOR_ALL, run,
    false};
