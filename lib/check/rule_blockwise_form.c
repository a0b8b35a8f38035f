/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FULLY_CONNECTED with weights in blocks: what the kernels do not cover they answer with the bias,
 * or zeros, and no message.
 *
 * Seen in: litert-torch#688; tried on LiteRT 2.3.0.
 * Since: blocks came (2.20). Until: not fixed.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"

enum { LEAST_DEPTH = 32, LEAST_UNITS = 4, XNNPACK_BLOCK = 32 };

static const char *wrong(const tqi_check *check, const tqi_at *at, const tqi_tensor *weights) {
    int32_t named[2];
    tqi_details_tensors(&check->graph->view, at->subgraph, weights, named);
    uint32_t details =
        tqi_get_table(&check->graph->view, weights->old_quantization, TQI_QUANT_DETAILS);
    int32_t block =
        details ? tqi_get_i32(&check->graph->view, details, TQI_BLOCKWISE_BLOCK_SIZE, 0) : 0;
    if (weights->rank != 2 || named[0] < 0)
        return "they have not two dimensions, or no scales";
    int32_t units = weights->shape[0], depth = weights->shape[1];
    if (at->subgraph->tensors[named[0]].type != TQI_TYPE_FLOAT16)
        return "their scales are not FLOAT16";
    if (weights->type != TQI_TYPE_INT4)
        return "they are not INT4";
    if (block <= 0 || depth % block != 0)
        return "a row is not a whole number of blocks";
    if (check->target == TQ_TARGET_XNNPACK && block % XNNPACK_BLOCK != 0)
        return "their blocks are no multiple of 32, which XNNPACK leaves to the builtin kernel";
    if (depth % 2 != 0 || depth < LEAST_DEPTH || units < LEAST_UNITS)
        return "the kernel wants rows of an even length from 32 on, and four or more";
    return NULL;
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    enum { BLOCKWISE = 2 };
    const tqi_tensor *weights = tqi_at_in(at, 1);
    if (at->builtin != TQI_BUILTIN_FULLY_CONNECTED || !weights || !weights->old_quantization ||
        weights->quantization ||
        tqi_get_i8(&check->graph->view, weights->old_quantization, TQI_QUANT_DETAILS_TYPE, 0) !=
            BLOCKWISE)
        return TQ_OK;
    const char *what = wrong(check, at, weights);
    if (!what)
        return TQ_OK;
    return tqi_find(check, &tqi_rule_blockwise_form, TQ_SEVERITY_WARNING, tqi_at_input(at, 1), "",
                    error,
                    "FULLY_CONNECTED with weights in blocks: %s. It then gives its bias, or "
                    "zeros.",
                    what);
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_blockwise_form = {
    "blockwise-form", "weights in blocks that the kernel answers with zeros",
    TQI_FOR_LITERT | TQI_FOR_XNNPACK, run, false};
