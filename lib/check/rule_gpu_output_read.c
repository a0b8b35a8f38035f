/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An output of the model that an operator of it reads as well: GPU delegates have given wrong or
 * empty values for one of the two.
 *
 * Seen in: LiteRT#8599, tensorflow#53781, tensorflow#53780, tensorflow#44802.
 * Since: always. Until: not known to be fixed.
 */
#include "check/rules.h"

static tq_status run(tqi_check *check, tq_error *error) {
    for (uint32_t s = 0; s < check->graph->n_subgraphs; s++) {
        const tqi_subgraph *subgraph = &check->graph->subgraphs[s];
        for (uint32_t i = 0; i < subgraph->n_outputs; i++) {
            int32_t t = subgraph->outputs[i];
            if (t < 0 || check->uses[s].producer[t] < 0 ||
                tqi_use_count(&check->uses[s], (uint32_t)t) == 0)
                continue;
            const tqi_place place = {(int32_t)s, check->uses[s].producer[t], -1, t};
            TQI_TRY(tqi_find(check, &tqi_rule_gpu_output_read, TQ_SEVERITY_WARNING, place, "",
                             error,
                             "It is an output of the model, and operators read it too: GPU "
                             "delegates have given wrong values then. Give the output a tensor of "
                             "its own."));
        }
    }
    return TQ_OK;
}

const tqi_check_rule tqi_rule_gpu_output_read = {
    "gpu-output-read", "outputs of the model that operators of it read as well", TQI_FOR_GPU, run,
    false};
