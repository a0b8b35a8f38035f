/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dynamic-range operator on a GPU: ML Drift fails to create the kernel of FULLY_CONNECTED with
 * int8 weights by channel on an input of three dimensions whose result an ADD reads (the residual
 * of every transformer), and with it the whole model. Others run, with weights unpacked to float.
 *
 * Seen in: LiteRT#9277 ("Unable to parse bc coord for BATCH axis", Mali).
 * Since: 2.1.3 at the latest, also 2.1.5. Until: not known to be fixed.
 */
#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"

static bool is_layer(int32_t builtin) {
    return builtin == TQI_BUILTIN_FULLY_CONNECTED || builtin == TQI_BUILTIN_CONV_2D ||
           builtin == TQI_BUILTIN_DEPTHWISE_CONV_2D || builtin == TQI_BUILTIN_TRANSPOSE_CONV ||
           builtin == TQI_BUILTIN_BATCH_MATMUL;
}

static bool an_add_reads(tqi_check *check, const tqi_at *at) {
    const tqi_uses *uses = &check->uses[at->subgraph_index];
    int32_t t = at->op->n_outputs > 0 ? at->op->outputs[0] : -1;
    for (uint32_t u = t < 0 ? 0 : uses->first[t];
         t >= 0 && u < uses->first[t + 1] && tqi_work(check, 1); u++)
        if (tqi_builtin(check->graph, &at->subgraph->operators[uses->list[u].op]) ==
            TQI_BUILTIN_ADD)
            return true;
    return false;
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    enum { ROWS = 3 };
    const tqi_tensor *input = tqi_at_in(at, at->builtin == TQI_BUILTIN_TRANSPOSE_CONV ? 2 : 0);
    const tqi_tensor *weights = tqi_at_in(at, 1);
    tqi_scales q;
    if (!is_layer(at->builtin) || !input || !weights || input->type != TQI_TYPE_FLOAT32 ||
        !tqi_is_quantized_type(weights->type))
        return TQ_OK;
    tqi_scales_of(check->graph, weights, &q);
    bool fails = at->builtin == TQI_BUILTIN_FULLY_CONNECTED && q.count > 1 && input->rank == ROWS &&
                 an_add_reads(check, at);
    if (fails)
        return tqi_find(check, &tqi_rule_gpu_dynamic_range, TQ_SEVERITY_ERROR, tqi_at_input(at, 1),
                        "", error,
                        "FULLY_CONNECTED with int8 weights by channel and an input of three "
                        "dimensions, read by an ADD: ML Drift can't make its kernel on Mali "
                        "(LiteRT#9277). Keep its weights float16.");
    return tqi_find(check, &tqi_rule_gpu_dynamic_range, TQ_SEVERITY_NOTE, tqi_at_input(at, 1), "",
                    error,
                    "%s with float32 input and %s weights: a GPU delegate that takes it unpacks "
                    "the weights; float16 is the form that all of them take.",
                    at->name, tqi_type_text(weights->type));
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_gpu_dynamic_range = {
    "gpu-dynamic-range", "dynamic-range operators on a GPU, some of which fail", TQI_FOR_GPU, run,
    false};
