/* SPDX-License-Identifier: Apache-2.0 */
/* Constants with the same bytes share one buffer.
 *
 * Cures: files that hold weights twice, as tied embeddings and several signatures do. */
#include "rewrite/rewrites.h"

tq_status tqi_share_constants(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    const tqi_subgraph *s = tqi_net_graph(&ctx->net);
    if (ctx->n_same != ctx->graph->n_buffers) {
        ctx->n_same = ctx->graph->n_buffers;
        TQI_NEW(ctx->graph->arena, &ctx->same, ctx->n_same, error);
        TQI_TRY(tqi_equal_buffers(ctx->graph, ctx->same, error));
    }
    const uint32_t *same = ctx->same;
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        tqi_tensor *tensor = &s->tensors[i];
        if (tensor->removed || same[tensor->buffer] == tensor->buffer)
            continue;
        if (tensor->source) /* else it is not in what was loaded */
            TQI_TRY(tqi_note_tensor(ctx, (int32_t)i, applied, error));
        tensor->buffer = same[tensor->buffer];
    }
    return TQ_OK;
}
