/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What XNNPACK leaves to the builtin kernels cuts its part of the model in two: slower, nothing
 * worse.
 *
 * Seen in: LiteRT#9663, tensorflow#52653 (DEPTHWISE_CONV_2D with int8 weights).
 * Since: always. Until: not fixed in f6745779.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"
#include "tflite/op_support.h"

enum { MOST_RANK = 6, MOST_JOINED = 5, MOST_PARTS = 4 };

static bool is_hybrid(const tqi_at *at) {
    const tqi_tensor *input = tqi_at_in(at, at->builtin == TQI_BUILTIN_TRANSPOSE_CONV ? 2 : 0);
    const tqi_tensor *weights = tqi_at_in(at, 1);
    bool layer =
        at->builtin == TQI_BUILTIN_CONV_2D || at->builtin == TQI_BUILTIN_DEPTHWISE_CONV_2D ||
        at->builtin == TQI_BUILTIN_FULLY_CONNECTED || at->builtin == TQI_BUILTIN_TRANSPOSE_CONV ||
        at->builtin == TQI_BUILTIN_BATCH_MATMUL;
    return layer && input && weights && input->type == TQI_TYPE_FLOAT32 &&
           tqi_is_quantized_type(weights->type);
}

static const char *wrong(const tqi_at *at, const tqi_op_support *support) {
    const tqi_tensor *output = tqi_at_out(at, 0), *weights = tqi_at_in(at, 1);
    bool is_float = output && output->type == TQI_TYPE_FLOAT32;
    bool is_int8 = output && output->type == TQI_TYPE_INT8;
    if (!is_float && !is_int8)
        return NULL; /* indices and shapes */
    if (is_hybrid(at) &&
        (!(support->flags & TQI_XNNPACK_HYBRID) ||
         (weights->type != TQI_TYPE_INT8 && at->builtin != TQI_BUILTIN_FULLY_CONNECTED)))
        return "has no dynamic-range form of it";
    if (!(support->flags & (is_float ? TQI_XNNPACK_FLOAT : TQI_XNNPACK_INT8)))
        return is_float ? "does not have it" : "does not have it with int8";
    if (output->rank > MOST_RANK)
        return "takes six dimensions at most";
    if (at->builtin == TQI_BUILTIN_CONCATENATION && at->op->n_inputs > MOST_JOINED)
        return "joins five tensors at most";
    if (at->builtin == TQI_BUILTIN_SPLIT && at->op->n_outputs > MOST_PARTS)
        return "splits into four parts at most";
    return NULL;
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_op_support *support = tqi_find_support(at->builtin);
    if (!support || at->builtin == TQI_BUILTIN_BROADCAST_TO)
        return TQ_OK; /* other rules */
    const char *what = wrong(at, support);
    if (!what)
        return TQ_OK;
    return tqi_find(check, &tqi_rule_xnnpack_operator, TQ_SEVERITY_NOTE, tqi_at_op(at), "", error,
                    "%s runs in a builtin kernel: XNNPACK %s.", at->name, what);
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_xnnpack_operator = {
    "xnnpack-operator", "operators that XNNPACK leaves to the builtin kernels", TQI_FOR_XNNPACK,
    run, false};
