/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FULLY_CONNECTED whose int8 weights come through an explicit DEQUANTIZE: ML Drift maps the matrix
 * in two ways and fails ("Shape mismatch: {bhwc, {576, 1, 1, 576}} vs {bhwc, {1, 1, 576, 576}}"),
 * and with it the whole model.
 *
 * Seen in: LiteRT#9523 (Metal, OpenCL, WebGPU).
 * Since: 2.1.6 at the latest. Until: not known to be fixed.
 */
#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_tensor *weights = tqi_at_in(at, 1);
    if (at->builtin != TQI_BUILTIN_FULLY_CONNECTED || !weights)
        return TQ_OK;
    int32_t maker = check->uses[at->subgraph_index].producer[at->op->inputs[1]];
    const tqi_operator *op = maker < 0 ? NULL : &at->subgraph->operators[maker];
    if (!op || tqi_builtin(check->graph, op) != TQI_BUILTIN_DEQUANTIZE || op->n_inputs != 1 ||
        op->inputs[0] < 0)
        return TQ_OK;
    const tqi_tensor *stored = &at->subgraph->tensors[op->inputs[0]];
    if (!tqi_is_quantized_type(stored->type) || !tqi_is_constant(check->graph, stored))
        return TQ_OK;
    return tqi_find(check, &tqi_rule_gpu_dequantized_weights, TQ_SEVERITY_ERROR,
                    tqi_at_input(at, 1), "", error,
                    "FULLY_CONNECTED has %s weights through a DEQUANTIZE: ML Drift fails with a "
                    "shape mismatch (LiteRT#9523). Weights of float16 through one are taken.",
                    tqi_type_text(stored->type));
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_gpu_dequantized_weights = {
    "gpu-dequantized-weights", "FULLY_CONNECTED with int8 weights through DEQUANTIZE, on a GPU",
    TQI_FOR_GPU, run, false};
