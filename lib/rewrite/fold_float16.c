/* SPDX-License-Identifier: Apache-2.0 */
/* float16 constants behind DEQUANTIZE become float32 constants.
 *
 * Cures: runtimes and converters that know no float16 (before 1.15), and kernels that want a
 * constant there. The file grows, and the values are held in memory, so it runs only when it is
 * named. */
#include "rewrite/rewrites.h"
#include "rewrite/values.h"
#include "tflite/builtins.h"

static bool is_packed(const tqi_rewriter *ctx, uint32_t index) {
    const tqi_net *net = &ctx->net;
    const tqi_operator *op = tqi_net_operator(net, index);
    if (op->removed || tqi_net_builtin(net, index) != TQI_BUILTIN_DEQUANTIZE || op->n_inputs != 1 ||
        op->n_outputs != 1 || op->inputs[0] < 0 || op->outputs[0] < 0)
        return false;
    const tqi_tensor *half = tqi_net_tensor(net, op->inputs[0]),
                     *single = tqi_net_tensor(net, op->outputs[0]);
    return half->type == TQI_TYPE_FLOAT16 && single->type == TQI_TYPE_FLOAT32 &&
           tqi_net_is_constant(net, op->inputs[0]) && !net->pinned[op->outputs[0]] &&
           !tqi_net_opaque_reader(net, op->outputs[0]);
}

tq_status tqi_fold_float16(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    for (uint32_t i = 0; i < tqi_net_graph(&ctx->net)->n_operators; i++) {
        if (!is_packed(ctx, i))
            continue;
        const tqi_operator *op = tqi_net_operator(&ctx->net, i);
        int32_t half = op->inputs[0], single = op->outputs[0];
        uint64_t elements, expected;
        const uint8_t *from;
        uint8_t *to;
        if (!tqi_tensor_elements(tqi_net_tensor(&ctx->net, half), &elements) ||
            !tqi_tensor_elements(tqi_net_tensor(&ctx->net, single), &expected) ||
            elements != expected || elements > SIZE_MAX / sizeof(float))
            continue;
        TQI_TRY(tqi_note_edit(ctx, i, single, applied, error));
        TQI_TRY(tqi_read_constant(ctx, half, 2 * elements, &from, error));
        TQI_TRY(tqi_set_contents(ctx, single, sizeof(float) * elements, &to, error));
        ctx->kernels->f16_to_f32(from, (float *)(void *)to, (size_t)elements);
        TQI_TRY(tqi_net_remove(&ctx->net, i, error));
    }
    return TQ_OK;
}
