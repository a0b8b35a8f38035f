/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SOFTMAX, LOGISTIC, LOG_SOFTMAX, L2_NORMALIZATION and, with int16, TANH have outputs of one
 * certain scale; with another, the kernel refuses them when the model is loaded.
 *
 * Seen in: models whose outputs were quantized by observed ranges; tried on LiteRT 2.3.0.
 * Since: always. Until: not fixed.
 */
#include <inttypes.h>
#include <math.h>

#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"

typedef struct fixed {
    uint8_t builtin, type;
    float scale;
    int16_t zero_point;
    bool any_zero_point; /* it is not looked at */
    float tolerance;     /* of the scale */
} fixed;

static const fixed list[] = {
    {TQI_BUILTIN_SOFTMAX, TQI_TYPE_INT8, 1.0f / 256, -128, false, 1e-3f},
    {TQI_BUILTIN_SOFTMAX, TQI_TYPE_INT16, 1.0f / 32768, 0, false, 1e-3f},
    {TQI_BUILTIN_LOGISTIC, TQI_TYPE_INT8, 1.0f / 256, -128, true, 0},
    {TQI_BUILTIN_LOGISTIC, TQI_TYPE_UINT8, 1.0f / 256, 0, true, 0},
    {TQI_BUILTIN_LOGISTIC, TQI_TYPE_INT16, 1.0f / 32768, 0, false, 0},
    {TQI_BUILTIN_LOG_SOFTMAX, TQI_TYPE_INT8, 16.0f / 256, 127, false, 0},
    {TQI_BUILTIN_LOG_SOFTMAX, TQI_TYPE_UINT8, 16.0f / 256, 255, false, 0},
    {TQI_BUILTIN_L2_NORMALIZATION, TQI_TYPE_INT8, 1.0f / 128, 0, false, 0},
    {TQI_BUILTIN_L2_NORMALIZATION, TQI_TYPE_UINT8, 1.0f / 128, 128, false, 0},
    {TQI_BUILTIN_TANH, TQI_TYPE_INT16, 1.0f / 32768, 0, false, 0},
};

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_tensor *output = tqi_at_out(at, 0), *input = tqi_at_in(at, 0);
    float scale;
    int64_t zero;
    if (!output || !input || input->type != output->type ||
        !tqi_one_scale(check->graph, output, &scale, &zero))
        return TQ_OK;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const fixed *f = &list[i];
        if (f->builtin != at->builtin || f->type != output->type)
            continue;
        if (fabsf(scale - f->scale) <= f->tolerance * f->scale &&
            (f->any_zero_point || zero == f->zero_point))
            return TQ_OK;
        return tqi_find(
            check, &tqi_rule_fixed_scales, TQ_SEVERITY_ERROR, tqi_at_output(at, 0), "", error,
            "%s of type %s has scale %.9g and zero point %" PRId64
            ", its kernel takes %.9g and %d only. Node number %" PRIu32 " (%s) failed to prepare.",
            at->name, tqi_type_text(output->type), (double)scale, zero, (double)f->scale,
            f->zero_point, at->op_index, at->name);
    }
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_fixed_scales = {
    "fixed-scales", "outputs whose kernels take one scale only, and have another", TQI_FOR_ALL, run,
    false};
