/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bias of float16 beside a filter that is not: XNNPACK then leaves the convolution to the builtin
 * kernel. A bias is small; in float32 it costs nothing.
 *
 * Seen in: LiteRT#9663 (convolutions that stayed undelegated); tried on 2.3.0.
 * Since: XNNPACK takes float16 constants. Until: not fixed.
 */
#include "check/rules.h"
#include "tflite/builtins.h"

/* The type that a constant is stored in. */
static int32_t stored_type(const tqi_check *check, const tqi_at *at, uint32_t input) {
    const tqi_tensor *tensor = tqi_at_in(at, input);
    int32_t maker = tensor ? check->uses[at->subgraph_index].producer[at->op->inputs[input]] : -1;
    if (!tensor || maker < 0)
        return tensor ? tensor->type : -1;
    const tqi_operator *op = &at->subgraph->operators[maker];
    bool dequantizes = tqi_builtin(check->graph, op) == TQI_BUILTIN_DEQUANTIZE &&
                       op->n_inputs == 1 && op->inputs[0] >= 0;
    return dequantizes ? at->subgraph->tensors[op->inputs[0]].type : tensor->type;
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    if ((at->builtin != TQI_BUILTIN_CONV_2D && at->builtin != TQI_BUILTIN_DEPTHWISE_CONV_2D &&
         at->builtin != TQI_BUILTIN_FULLY_CONNECTED) ||
        stored_type(check, at, 2) != TQI_TYPE_FLOAT16 ||
        stored_type(check, at, 1) == TQI_TYPE_FLOAT16)
        return TQ_OK;
    return tqi_find(check, &tqi_rule_xnnpack_half_bias, TQ_SEVERITY_NOTE, tqi_at_input(at, 2), "",
                    error,
                    "%s has a bias of FLOAT16 and weights that are not: XNNPACK leaves it to a "
                    "builtin kernel. Keep the bias FLOAT32.",
                    at->name);
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_xnnpack_half_bias = {
    "xnnpack-half-bias", "float16 biases beside weights that are not", TQI_FOR_XNNPACK, run, false};
