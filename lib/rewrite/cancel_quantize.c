/* SPDX-License-Identifier: Apache-2.0 */
/* QUANTIZE of what DEQUANTIZE made, with the same type, scale and zero point: its readers read the
 * integers themselves.
 *
 * Cures: pairs that tools leave between quantized parts of a graph. (q - z) * s, divided by s
 * again, is less than 0.01 from q - z for up to 16 bits, so rounding gives q. The other way
 * round, DEQUANTIZE of QUANTIZE, changes values, and stays. */
#include "rewrite/rewrites.h"
#include "rewrite/values.h"
#include "tflite/builtins.h"

static bool is_integer(int32_t type) {
    return type == TQI_TYPE_INT8 || type == TQI_TYPE_UINT8 || type == TQI_TYPE_INT16;
}

/* The tensor of integers that operator `index` gives back, or -1. */
static int32_t gives_back(const tqi_rewriter *ctx, uint32_t index) {
    const tqi_net *net = &ctx->net;
    const tqi_operator *quantize = tqi_net_operator(net, index);
    float scale;
    if (quantize->removed || tqi_net_builtin(net, index) != TQI_BUILTIN_QUANTIZE ||
        quantize->n_inputs != 1 || quantize->n_outputs != 1 || quantize->inputs[0] < 0 ||
        quantize->outputs[0] < 0)
        return -1;
    int32_t producer = net->producer[quantize->inputs[0]];
    if (producer < 0 || net->entry[quantize->inputs[0]] ||
        tqi_net_tensor(net, quantize->inputs[0])->type != TQI_TYPE_FLOAT32)
        return -1;
    const tqi_operator *dequantize = tqi_net_operator(net, (uint32_t)producer);
    if (tqi_net_builtin(net, (uint32_t)producer) != TQI_BUILTIN_DEQUANTIZE ||
        dequantize->n_inputs != 1 || dequantize->inputs[0] < 0)
        return -1;
    int32_t from = dequantize->inputs[0], to = quantize->outputs[0];
    bool same = is_integer(tqi_net_tensor(net, from)->type) && tqi_same_kind(ctx, from, to) &&
                tqi_tensor_scale(ctx, from, &scale) && tqi_tensor_scale(ctx, to, &scale);
    return same ? from : -1;
}

tq_status tqi_cancel_quantize(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    for (uint32_t i = 0; i < tqi_net_graph(&ctx->net)->n_operators; i++) {
        int32_t from = gives_back(ctx, i);
        if (from < 0)
            continue;
        int32_t to = tqi_net_operator(&ctx->net, i)->outputs[0];
        /* what is an output of the graph keeps its operator: the integers have other readers */
        if (ctx->net.pinned[to] || tqi_net_opaque_reader(&ctx->net, to))
            continue;
        bool done;
        TQI_TRY(tqi_note_edit(ctx, i, to, applied, error));
        TQI_TRY(tqi_net_bypass(&ctx->net, i, from, to, &done, error));
    }
    return TQ_OK;
}
