/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights with a scale for each channel: some NPU compilers reject them and want one scale for a
 * tensor.
 *
 * Seen in: LiteRT#7603 (MediaTek MT6989, MT6991, MT6993, compiled ahead of time).
 * Since: MediaTek's compiler plugin. Until: being worked on in August 2026.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "check/scales.h"

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    for (uint32_t i = 0; i < at->op->n_inputs; i++) {
        const tqi_tensor *input = tqi_at_in(at, i);
        tqi_scales q;
        if (!input || !tqi_is_quantized_type(input->type))
            continue;
        tqi_scales_of(check->graph, input, &q);
        if (q.count > 1 || q.is_blockwise)
            TQI_TRY(tqi_find(check, &tqi_rule_npu_channel_scales, TQ_SEVERITY_WARNING,
                             tqi_at_input(at, i), "", error,
                             "%s has %" PRIu32
                             " scales for its weights; some NPUs (MediaTek, LiteRT#7603) take one "
                             "for a tensor only.",
                             at->name, q.count));
    }
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_npu_channel_scales = {
    "npu-channel-scales", "scales by channel, which some NPUs reject", TQI_FOR_INT8, run, false};
