/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of an operator's output depends on values that only a run has. Delegates for tensors of
 * fixed size then refuse the whole graph ("Attempting to use a delegate that only supports
 * static-sized tensors with a graph that has dynamic-sized tensors"), and tflite-micro has no
 * memory for it.
 *
 * Seen in: tensorflow#47168, tensorflow#62867 (Whisper on a GPU).
 * Since: always. Until: not fixed; XNNPACK works around it, operator by operator.
 */
#include "check/rules.h"

static tq_status run(tqi_check *check, tq_error *error) {
    uint32_t severity = check->target == TQ_TARGET_XNNPACK ? TQ_SEVERITY_NOTE
                        : check->target == TQ_TARGET_NNAPI ? TQ_SEVERITY_WARNING
                                                           : TQ_SEVERITY_ERROR;
    for (uint32_t s = 0; s < check->graph->n_subgraphs; s++) {
        uint32_t late = check->shapes[s].first_late;
        if (late == UINT32_MAX)
            continue;
        const tqi_operator *op = &check->graph->subgraphs[s].operators[late];
        const char *name = tqi_op_name(tqi_builtin(check->graph, op));
        const tqi_place place = {(int32_t)s, (int32_t)late, -1,
                                 op->n_outputs > 0 ? op->outputs[0] : -1};
        TQI_TRY(tqi_find(check, &tqi_rule_late_shape, severity, place, "", error,
                         "The shape of what %s makes is known in a run only: the target works with "
                         "tensors of fixed size. Nothing behind it could be checked.",
                         name ? name : "unknown"));
    }
    return TQ_OK;
}

const tqi_check_rule tqi_rule_late_shape = {
    "late-shape", "shapes that only a run knows, for targets with tensors of fixed size",
    TQI_FOR_GPU | TQI_FOR_NNAPI | TQI_FOR_MICRO | TQI_FOR_XNNPACK, run, false};
