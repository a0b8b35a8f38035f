/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator with float32 activations has small weights in a form that its kernel takes and
 * computes garbage from, or dies of.
 *
 * Seen in: tensorflow#41637 (DEPTHWISE_CONV_2D without a bias crashes); the others by trying them
 * on LiteRT 2.3.0: DEPTHWISE_CONV_2D with one scale, CONV_2D with int2 or float16 filters gives
 * NaN, weights by columns in FULLY_CONNECTED. Since: always. Until: not fixed.
 */
#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"

static const char *wrong_depthwise(const tqi_at *at, const tqi_tensor *weights,
                                   const tqi_scales *q) {
    enum { CHANNELS = 3 };
    if (weights->type != TQI_TYPE_INT8)
        return weights->type == TQI_TYPE_INT4 ? "int4 weights fail in the first run" : NULL;
    if (!tqi_at_in(at, 2))
        return "it has no bias, and the kernel reads one";
    if (q->count <= 1 || q->dim != CHANNELS)
        return "its weights must have a scale for each channel, on dimension 3: the kernel reads "
               "past others";
    return NULL;
}

static const char *wrong_conv(const tqi_at *at, const tqi_tensor *weights, const tqi_scales *q) {
    const tqi_tensor *input = tqi_at_in(at, 0);
    if (weights->type == TQI_TYPE_INT2 || weights->type == TQI_TYPE_FLOAT16)
        return "the kernel takes weights of that type and computes NaN";
    bool grouped = input->rank == 4 && weights->rank == 4 && input->shape[3] != weights->shape[3];
    if (weights->type == TQI_TYPE_INT8 && grouped && q->count == 1)
        return "groups need a scale for each channel: with one, the kernel refuses";
    return NULL;
}

static const char *wrong(const tqi_at *at, const tqi_tensor *weights, const tqi_scales *q) {
    switch (at->builtin) {
    case TQI_BUILTIN_DEPTHWISE_CONV_2D:
        return wrong_depthwise(at, weights, q);
    case TQI_BUILTIN_CONV_2D:
        return wrong_conv(at, weights, q);
    case TQI_BUILTIN_FULLY_CONNECTED:
        if (tqi_is_quantized_type(weights->type) && q->count > 1 && q->dim != 0)
            return "its weights have their scales on dimension 1, the kernel uses them on "
                   "dimension 0";
        return NULL;
    default:
        return NULL;
    }
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_tensor *input = tqi_at_in(at, 0), *weights = tqi_at_in(at, 1);
    tqi_scales q;
    if (!input || !weights || input->type != TQI_TYPE_FLOAT32)
        return TQ_OK;
    tqi_scales_of(check->graph, weights, &q);
    const char *what = wrong(at, weights, &q);
    if (!what)
        return TQ_OK;
    return tqi_find(check, &tqi_rule_hybrid_form, TQ_SEVERITY_ERROR, tqi_at_input(at, 1), "", error,
                    "%s with float32 input and %s weights: %s.", at->name,
                    tqi_type_text(weights->type), what);
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_hybrid_form = {
    "hybrid-form", "dynamic-range operators in a form that their kernels compute garbage from",
    TQI_FOR_LITERT | TQI_FOR_XNNPACK, run, false};
