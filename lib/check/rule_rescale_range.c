/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scales of an int8 convolution or matrix are so far apart that one step of its sums is 256 of
 * its output or more: XNNPACK does not load the model.
 *
 * Seen in: google-coral/edgetpu#453; tried on LiteRT 2.3.0 (s_in * s_w / s_out >= 256 in any
 * channel). Since: XNNPACK's signed kernels (2.4). Until: not fixed.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const float most = 256.0f;
    const tqi_tensor *input = tqi_at_in(at, 0), *weights = tqi_at_in(at, 1),
                     *output = tqi_at_out(at, 0);
    bool is_layer = at->builtin == TQI_BUILTIN_CONV_2D ||
                    at->builtin == TQI_BUILTIN_DEPTHWISE_CONV_2D ||
                    at->builtin == TQI_BUILTIN_FULLY_CONNECTED;
    float in, out, scale;
    int64_t zero;
    tqi_scales q;
    if (!is_layer || !weights || !input || input->type != TQI_TYPE_INT8 ||
        !tqi_one_scale(check->graph, input, &in, &zero) ||
        !tqi_one_scale(check->graph, output, &out, &zero))
        return TQ_OK;
    tqi_scales_of(check->graph, weights, &q);
    if (!tqi_work(check, q.count))
        return TQ_OK;
    for (uint32_t i = 0; i < q.count && tqi_scale_at(&q, i, &scale); i++) {
        float ratio = in * scale / out;
        if (!(ratio >= most))
            continue;
        return tqi_find(check, &tqi_rule_rescale_range,
                        check->target == TQ_TARGET_XNNPACK ? TQ_SEVERITY_ERROR
                                                           : TQ_SEVERITY_WARNING,
                        tqi_at_output(at, 0), "", error,
                        "In channel %" PRIu32 " a step of its sums is %.4g steps of its output: "
                        "XNNPACK takes less than 256. The range of its output was too small.",
                        i, (double)ratio);
    }
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_rescale_range = {
    "rescale-range", "int8 layers whose output scale is far too small for their sums",
    TQI_FOR_XNNPACK | TQI_FOR_LITERT, run, false};
