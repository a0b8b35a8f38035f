/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RELU_0_TO_1 on a GPU: released accelerators reject it, though the open source takes it.
 *
 * Seen in: LiteRT#8598.
 * Since: 2.1.5 (2.1.3 took it), also 2.1.6. Until: not known to be fixed.
 */
#include "check/rules.h"
#include "tflite/builtins.h"

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    if (at->builtin != TQI_BUILTIN_RELU_0_TO_1)
        return TQ_OK;
    return tqi_find(check, &tqi_rule_gpu_relu_0_to_1, TQ_SEVERITY_WARNING, tqi_at_op(at), "", error,
                    "RELU_0_TO_1: rejected by the GPU accelerators of LiteRT 2.1.5 and 2.1.6. RELU "
                    "and MINIMUM with 1 do the same.");
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_gpu_relu_0_to_1 = {
    "gpu-relu-0-to-1", "RELU_0_TO_1, which released GPU accelerators reject", TQI_FOR_GPU, run,
    false};
