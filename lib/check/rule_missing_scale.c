/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An int8 operator reads or makes a tensor without a scale, or with scales by blocks, which its
 * kernel does not know: it takes 0 for the scale. Some kernels refuse that; ADD, SUB and
 * SQUARED_DIFFERENCE end the whole program when the model is loaded.
 *
 * Seen in: LiteRT's own test model blockwise_quantized; tried on 2.3.0 for each of these operators.
 * Since: always. Until: not fixed.
 */
#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"

enum { IN = 1, IN_2 = 2, OUT = 4 };

static const struct {
    uint8_t builtin, needs;
    bool dies;
} list[] = {
    {TQI_BUILTIN_ADD, IN | IN_2 | OUT, true},
    {TQI_BUILTIN_SUB, IN | IN_2, true},
    {TQI_BUILTIN_SQUARED_DIFFERENCE, IN | IN_2 | OUT, true},
    {TQI_BUILTIN_ABS, IN | OUT, false},
    {TQI_BUILTIN_RSQRT, IN | OUT, false},
    {TQI_BUILTIN_SQRT, IN | OUT, false},
    {TQI_BUILTIN_LOG, IN | OUT, false},
    {TQI_BUILTIN_SOFTMAX, OUT, false},
    {TQI_BUILTIN_LOGISTIC, OUT, false},
    {TQI_BUILTIN_CONV_2D, IN | IN_2, false},
    {TQI_BUILTIN_DEPTHWISE_CONV_2D, IN | IN_2, false},
    {TQI_BUILTIN_FULLY_CONNECTED, IN | IN_2, false},
};

static bool lacks_scale(const tqi_check *check, const tqi_tensor *tensor) {
    tqi_scales q;
    if (!tensor || tensor->type != TQI_TYPE_INT8)
        return false;
    tqi_scales_of(check->graph, tensor, &q);
    return q.count == 0;
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_tensor *input = tqi_at_in(at, 0), *output = tqi_at_out(at, 0);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (list[i].builtin != at->builtin || !input || input->type != TQI_TYPE_INT8)
            continue;
        bool in = (list[i].needs & IN) && lacks_scale(check, input);
        bool in_2 = (list[i].needs & IN_2) && lacks_scale(check, tqi_at_in(at, 1));
        bool out = (list[i].needs & OUT) && lacks_scale(check, output);
        if (!in && !in_2 && !out)
            continue;
        return tqi_find(check, &tqi_rule_missing_scale, TQ_SEVERITY_ERROR,
                        in     ? tqi_at_input(at, 0)
                        : in_2 ? tqi_at_input(at, 1)
                               : tqi_at_output(at, 0),
                        "", error, "%s of type INT8 has %s without a scale for the tensor: %s.",
                        at->name, in || in_2 ? "an input" : "an output",
                        list[i].dies ? "the runtime ends the program when it loads the model"
                                     : "the kernel refuses it");
    }
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_missing_scale = {
    "missing-scale", "int8 operators on tensors without a scale", TQI_FOR_ALL, run, false};
