/* SPDX-License-Identifier: Apache-2.0 */
/* BROADCAST_TO becomes TILE with a constant vector of multiples, after a RESHAPE where the rank
 * grows.
 *
 * Cures: GPU delegates, NNAPI and the quantizers of several tools refuse BROADCAST_TO (LiteRT#9191,
 * LiteRT#6851), and runtimes before 2.5 don't have it; TILE they have. Both only copy. */
#include "rewrite/broadcast.h"
#include "rewrite/rewrites.h"
#include "tflite/builtins.h"

static int32_t tile_version(int32_t type) {
    return type == TQI_TYPE_INT8 ? 3 : 1;
}

static bool takes(int32_t type) {
    switch (type) {
    case TQI_TYPE_FLOAT32:
    case TQI_TYPE_INT8:
    case TQI_TYPE_UINT8:
    case TQI_TYPE_INT16:
    case TQI_TYPE_INT32:
    case TQI_TYPE_INT64:
    case TQI_TYPE_BOOL:
        return true;
    default:
        return false;
    }
}

static tq_status put_tile(tqi_rewriter *ctx, uint32_t op, const tqi_broadcast *b, tq_error *error) {
    const tqi_tensor *output = tqi_net_tensor(&ctx->net, b->output);
    const char *name = output->name;
    int32_t version = tile_version(output->type), multiples[TQI_BROADCAST_RANK];
    int32_t inputs[2] = {b->input, -1};
    for (uint32_t i = 0; i < b->rank; i++)
        multiples[i] = b->target[i] / b->shape[i];
    if (b->grows)
        TQI_TRY(tqi_reshaped(ctx, op, b->input, name, b->shape, b->rank, &inputs[0], error));
    TQI_TRY(tqi_add_vector(ctx, name, "_multiples", multiples, b->rank, &inputs[1], NULL, error));
    tqi_new_operator tile =
        tqi_in_place_of(ctx, op, TQI_BUILTIN_TILE, version, TQI_TILE_OPTIONS, inputs, 2, b->output);
    return tqi_net_add_operator(&ctx->net, &tile, error);
}

tq_status tqi_broadcast_to_tile(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    if (!ctx->by_name && tqi_cure_broadcast(ctx->target) != TQI_CURE_TILE)
        return TQ_OK;
    for (uint32_t i = 0; i < tqi_net_graph(&ctx->net)->n_operators; i++) {
        tqi_broadcast b;
        bool is_one;
        TQI_TRY(tqi_find_broadcast(ctx, i, &b, &is_one, error));
        if (!is_one || !b.fits || !takes(tqi_net_tensor(&ctx->net, b.input)->type))
            continue;
        TQI_TRY(tqi_note_edit(ctx, i, b.output, applied, error));
        TQI_TRY(put_tile(ctx, i, &b, error));
        TQI_TRY(tqi_net_remove(&ctx->net, i, error));
    }
    return TQ_OK;
}
