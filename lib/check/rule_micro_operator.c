/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tflite-micro does not have: operators that its resolver can't be given, dynamic-range
 * operators, which its kernels refuse, constants of float16, and of int8 by channel behind
 * DEQUANTIZE.
 *
 * Seen in: tflite-micro#757, tflite-micro#1556, tensorflow#43386 (hybrid models are not supported).
 * Since: always. Until: not fixed in 90b983c2.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"
#include "tflite/op_support.h"

static bool is_hybrid(const tqi_at *at) {
    const tqi_tensor *input = tqi_at_in(at, at->builtin == TQI_BUILTIN_TRANSPOSE_CONV ? 2 : 0);
    const tqi_tensor *weights = tqi_at_in(at, 1);
    bool layer = at->builtin == TQI_BUILTIN_CONV_2D || at->builtin == TQI_BUILTIN_SVDF ||
                 at->builtin == TQI_BUILTIN_DEPTHWISE_CONV_2D ||
                 at->builtin == TQI_BUILTIN_FULLY_CONNECTED ||
                 at->builtin == TQI_BUILTIN_TRANSPOSE_CONV ||
                 at->builtin == TQI_BUILTIN_BATCH_MATMUL;
    return layer && input && weights && input->type == TQI_TYPE_FLOAT32 &&
           tqi_is_quantized_type(weights->type);
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_op_support *support = tqi_find_support(at->builtin);
    const tqi_tensor *input = tqi_at_in(at, 0);
    if (at->builtin == TQI_BUILTIN_CUSTOM || !support)
        return TQ_OK; /* other rules */
    if (!(support->flags & TQI_MICRO))
        return tqi_find(check, &tqi_rule_micro_operator, TQ_SEVERITY_ERROR, tqi_at_op(at), "",
                        error, "tflite-micro does not have %s.", at->name);
    if (is_hybrid(at))
        return tqi_find(check, &tqi_rule_micro_operator, TQ_SEVERITY_ERROR, tqi_at_input(at, 1), "",
                        error,
                        "Hybrid models are not supported on TFLite Micro: %s has float32 input and "
                        "%s weights.",
                        at->name, tqi_type_text(tqi_at_in(at, 1)->type));
    if (at->builtin == TQI_BUILTIN_DEQUANTIZE && input && input->type == TQI_TYPE_FLOAT16)
        return tqi_find(check, &tqi_rule_micro_operator, TQ_SEVERITY_ERROR, tqi_at_input(at, 0),
                        "fold-float16", error, "tflite-micro does not unpack FLOAT16.");
    tqi_scales q = {.count = 0};
    if (at->builtin == TQI_BUILTIN_DEQUANTIZE && input)
        tqi_scales_of(check->graph, input, &q);
    if (q.count > 1)
        return tqi_find(check, &tqi_rule_micro_operator, TQ_SEVERITY_ERROR, tqi_at_input(at, 0), "",
                        error,
                        "DEQUANTIZE of tflite-micro knows one scale for a tensor, and this has "
                        "%" PRIu32 ": it takes the first for all.",
                        q.count);
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_micro_operator = {
    "micro-operator", "operators, and forms of them, that tflite-micro does not have",
    TQI_FOR_MICRO, run, false};
