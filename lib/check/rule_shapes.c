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
        for (uint32_t d = 0; input && d < input->signature_rank; d++)
            if (input->signature[d] < 0)
                return true;
    }
    return false;
}

static const char *when(const tqi_misfit *misfit, const tqi_subgraph *subgraph) {
    if (!misfit->when_loaded)
        return " It shows in the first run.";
    return has_open_input(subgraph) ? " That is with 1 for the open dimensions of its inputs." : "";
}

static tq_status run(tqi_check *check, tq_error *error) {
    for (uint32_t s = 0; s < check->graph->n_subgraphs; s++) {
        const tqi_subgraph *subgraph = &check->graph->subgraphs[s];
        for (const tqi_misfit *m = check->shapes[s].misfits; m; m = m->next) {
            int32_t builtin = tqi_builtin(check->graph, &subgraph->operators[m->op]);
            const char *name = tqi_op_name(builtin);
            const tqi_place place = {(int32_t)s, (int32_t)m->op, -1,
                                     subgraph->operators[m->op].n_outputs > 0
                                         ? subgraph->operators[m->op].outputs[0]
                                         : -1};
            bool is_broadcast = builtin == TQI_BUILTIN_BROADCAST_TO;
            TQI_TRY(tqi_find(check, &tqi_rule_shapes, TQ_SEVERITY_ERROR, place,
                             is_broadcast ? "broadcast-layout" : "", error,
                             "%s%s Node number %" PRIu32 " (%s) failed to prepare.%s%s%s%s",
                             m->text, m->is_runtimes ? "" : ".", m->op, name ? name : "unknown",
                             *m->shapes ? " It has " : "", m->shapes, *m->shapes ? "." : "",
                             when(m, subgraph)));
        }
    }
    return TQ_OK;
}

const tqi_check_rule tqi_rule_shapes = {
    "shapes", "shapes that an operator's kernel refuses when the model is loaded", TQI_FOR_ALL,
    run};
