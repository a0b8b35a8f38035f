/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int16 activations: zero points must be 0; convolutions want biases of INT64 unless their options
 * say INT32, and DEPTHWISE_CONV_2D takes INT64 only. Kernels refuse some, and read past the others.
 *
 * Seen in: tried on LiteRT 2.3.0.
 * Since: int16 activations came (2.3). Until: not fixed.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"

/* The options say that the bias is INT32. */
static bool says_int32(const tqi_check *check, const tqi_at *at) {
    static const struct {
        uint8_t builtin, member, field;
    } fields[] = {{TQI_BUILTIN_CONV_2D, 1, 6}, {TQI_BUILTIN_TRANSPOSE_CONV, 49, 4}};
    const tqi_view *view = &check->graph->view;
    uint32_t options = tqi_options(check->graph, at->op);
    for (size_t i = 0; options && i < sizeof fields / sizeof *fields; i++)
        if (fields[i].builtin == at->builtin &&
            tqi_get_i8(view, at->op->source, TQI_OPERATOR_BUILTIN_OPTIONS_TYPE, 0) ==
                fields[i].member)
            return tqi_get_i8(view, options, fields[i].field, 0) == TQI_TYPE_INT32;
    return false;
}

static tq_status check_bias(tqi_check *check, const tqi_at *at, tq_error *error) {
    uint32_t index = at->builtin == TQI_BUILTIN_TRANSPOSE_CONV ? 3 : 2;
    const tqi_tensor *bias = tqi_at_in(at, index);
    bool depthwise = at->builtin == TQI_BUILTIN_DEPTHWISE_CONV_2D;
    if (!bias || bias->type != TQI_TYPE_INT32 ||
        (at->builtin != TQI_BUILTIN_CONV_2D && at->builtin != TQI_BUILTIN_TRANSPOSE_CONV &&
         !depthwise) ||
        (!depthwise && says_int32(check, at)))
        return TQ_OK;
    return tqi_find(check, &tqi_rule_int16_form, TQ_SEVERITY_ERROR, tqi_at_input(at, index), "",
                    error, "%s of type INT16 reads its bias as INT64, and it is INT32%s.", at->name,
                    depthwise ? "" : " (quantized_bias_type does not say so)");
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_tensor *output = tqi_at_out(at, 0);
    const tqi_tensor *input = tqi_at_in(at, at->builtin == TQI_BUILTIN_TRANSPOSE_CONV ? 2 : 0);
    float scale;
    int64_t zero;
    if (!input || input->type != TQI_TYPE_INT16 ||
        !tqi_one_scale(check->graph, input, &scale, &zero))
        return TQ_OK;
    if (zero == 0 && output && output->type == TQI_TYPE_INT16)
        (void)tqi_one_scale(check->graph, output, &scale, &zero);
    if (zero != 0)
        TQI_TRY(tqi_find(check, &tqi_rule_int16_form, TQ_SEVERITY_WARNING, tqi_at_op(at), "", error,
                         "%s of type INT16 has a zero point of %" PRId64 ": it must be 0.",
                         at->name, zero));
    return check_bias(check, at, error);
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_int16_form = {
    "int16-form", "int16 activations with zero points, or biases of another type",
    TQI_FOR_LITERT | TQI_FOR_XNNPACK | TQI_FOR_MICRO, run, false};
