/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator without a static int8 form that gives the right numbers. In a model that is to be
 * int8 all through it stays float between a DEQUANTIZE and a QUANTIZE, which accelerators with
 * nothing but int8 do not take.
 *
 * Seen in: LiteRT#136 (Whisper), google-coral/edgetpu#879, edgetpu#34, edgetpu#356,
 * ultralytics#16074. Since: always. Until: not fixed in f6745779.
 */
#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"
#include "tflite/op_support.h"

static const char *other_way(int32_t builtin) {
    switch (builtin) {
    case TQI_BUILTIN_NEG:
        return " MUL by -1 does the same.";
    case TQI_BUILTIN_SQUARE:
        return " MUL by itself does the same.";
    case TQI_BUILTIN_DIV:
        return " With a constant divisor, MUL by its inverse does the same.";
    default:
        return "";
    }
}

static bool has_numbers(const tqi_tensor *tensor) {
    return tensor && (tqi_is_float_type(tensor->type) || tqi_is_quantized_type(tensor->type));
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_op_support *support = tqi_find_support(at->builtin);
    if (at->builtin == TQI_BUILTIN_CUSTOM || !support ||
        (!has_numbers(tqi_at_out(at, 0)) && !has_numbers(tqi_at_in(at, 0))) ||
        (support->flags & (TQI_INT8 | TQI_INT8_NONE_NEEDED)))
        return TQ_OK;
    bool raw = (support->flags & TQI_INT8_RAW) != 0;
    return tqi_find(check, &tqi_rule_int8_operator, TQ_SEVERITY_ERROR, tqi_at_op(at), "", error,
                    "%s %s.%s", at->name,
                    raw ? "with int8 does not compute what it computes with float32"
                        : "has no int8 kernel",
                    other_way(at->builtin));
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_int8_operator = {
    "int8-operator", "operators that have no right static int8 form", TQI_FOR_INT8, run, false};
