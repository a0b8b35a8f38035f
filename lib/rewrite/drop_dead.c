/* SPDX-License-Identifier: Apache-2.0 */
/* Operators whose outputs nothing reads go, and tensors that no operator makes or reads.
 *
 * Cures: what training and conversion leave behind; runtimes compute and plan memory for it, and it
 * keeps constants in the file. Operators that may do something else than compute stay. */
#include "rewrite/rewrites.h"

static bool is_dead(const tqi_net *net, uint32_t index) {
    const tqi_operator *op = tqi_net_operator(net, index);
    bool makes_any = false;
    for (uint32_t i = 0; i < op->n_outputs; i++) {
        int32_t tensor = op->outputs[i];
        if (tensor < 0)
            continue;
        if (net->pinned[tensor] || net->n_readers[tensor] > 0)
            return false;
        makes_any = true;
    }
    return makes_any && !op->removed && tqi_net_is_pure(net, index);
}

tq_status tqi_drop_dead(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    tqi_net *net = &ctx->net;
    /* what an operator reads is dropped with it */
    for (uint32_t i = tqi_net_graph(net)->n_operators; i-- > 0;) {
        if (!is_dead(net, i))
            continue;
        TQI_TRY(tqi_note_edit(ctx, i, -1, applied, error));
        TQI_TRY(tqi_net_remove(net, i, error));
    }
    for (uint32_t i = 0; i < tqi_net_graph(net)->n_tensors; i++) {
        tqi_tensor *tensor = tqi_net_tensor(net, (int32_t)i);
        if (tensor->removed || net->pinned[i] || net->entry[i] || net->producer[i] >= 0 ||
            net->n_readers[i] > 0)
            continue;
        TQI_TRY(tqi_note_tensor(ctx, (int32_t)i, applied, error));
        tensor->removed = true;
    }
    return TQ_OK;
}
