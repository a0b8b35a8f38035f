/* SPDX-License-Identifier: Apache-2.0 */
/* BROADCAST_TO whose input is laid out NCHW and whose target is NHWC, or the other way round: the
 * input is brought to the target's layout first.
 *
 * Cures: "BROADCAST_TO failed to prepare: output shape must be broadcastable from input shape"
 * after a layout change that forgot it, as [1,256,1,1] to [1,32,32,256] in a VideoSeal embedder.
 * Such a model does not run at all. Only where the intent is unambiguous: all numbers lie along one
 * dimension, and just one of the target has that size; or just one of the two changes of layout
 * makes the input fit, and does not leave the place of a dimension to chance. */
#include "rewrite/broadcast.h"
#include "rewrite/rewrites.h"
#include "tflite/builtins.h"

/* Where the only dimension that is not 1 goes; -1: there is no such, or it could go elsewhere. */
static int32_t only_place(const tqi_broadcast *b) {
    int32_t size = 1, place = -1;
    for (uint32_t i = 0; i < b->rank; i++) {
        if (b->shape[i] == 1)
            continue;
        if (size != 1)
            return -1;
        size = b->shape[i];
    }
    for (uint32_t i = 0; i < b->rank && size > 1; i++) {
        if (b->target[i] != size)
            continue;
        if (place >= 0)
            return -1;
        place = (int32_t)i;
    }
    return place;
}

enum { LAYOUT_RANK = 4 };
static const int32_t layouts[2][LAYOUT_RANK] = {{0, 2, 3, 1}, {0, 3, 1, 2}};

static bool fits_as(const tqi_broadcast *b, const int32_t *order) {
    for (uint32_t i = 0; i < LAYOUT_RANK; i++)
        if (b->shape[order[i]] != 1 && b->shape[order[i]] != b->target[i])
            return false;
    return true;
}

/* Two dimensions of one size could be meant the other way round. */
static bool sizes_differ(const tqi_broadcast *b) {
    for (uint32_t i = 0; i < LAYOUT_RANK; i++)
        for (uint32_t j = 0; j < LAYOUT_RANK; j++)
            if (b->shape[i] != 1 && i != j &&
                (b->shape[i] == b->shape[j] ||
                 (b->target[i] == b->target[j] && b->target[i] == b->shape[i])))
                return false;
    return true;
}

static const int32_t *only_layout(const tqi_broadcast *b) {
    if (b->rank != LAYOUT_RANK || b->grows || !sizes_differ(b))
        return NULL;
    bool first = fits_as(b, layouts[0]), second = fits_as(b, layouts[1]);
    if (first == second)
        return NULL;
    return layouts[first ? 0 : 1];
}

static tq_status transpose(tqi_rewriter *ctx, uint32_t op, const tqi_broadcast *b,
                           const int32_t *order, int32_t *mended, tq_error *error) {
    const tqi_tensor *input = tqi_net_tensor(&ctx->net, b->input),
                     *output = tqi_net_tensor(&ctx->net, b->output);
    const char *name = output->name;
    tqi_tensor made = {.type = input->type,
                       .rank = LAYOUT_RANK,
                       .old_quantization = input->old_quantization,
                       .buffer = output->buffer};
    int32_t version = input->type == TQI_TYPE_INT8 ? 2 : 1, *shape = NULL;
    int32_t inputs[2] = {b->input, -1};
    TQI_NEW(ctx->graph->arena, &shape, LAYOUT_RANK, error);
    for (uint32_t i = 0; i < LAYOUT_RANK; i++)
        shape[i] = b->shape[order[i]];
    made.shape = shape;
    TQI_TRY(tqi_join_name(ctx, name, "_transposed", &made.name, error));
    TQI_TRY(tqi_net_add_tensor(&ctx->net, &made, mended, error));
    TQI_TRY(tqi_add_vector(ctx, name, "_order", order, LAYOUT_RANK, &inputs[1], NULL, error));
    tqi_new_operator made_op = tqi_in_place_of(ctx, op, TQI_BUILTIN_TRANSPOSE, version,
                                               TQI_TRANSPOSE_OPTIONS, inputs, 2, *mended);
    return tqi_net_add_operator(&ctx->net, &made_op, error);
}

static tq_status mend(tqi_rewriter *ctx, uint32_t op, const tqi_broadcast *b, uint32_t *applied,
                      tq_error *error) {
    int32_t place = only_place(b), mended;
    const int32_t *order = place < 0 ? only_layout(b) : NULL;
    if (place < 0 && !order)
        return TQ_OK;
    TQI_TRY(tqi_note_edit(ctx, op, b->output, applied, error));
    if (order) {
        TQI_TRY(transpose(ctx, op, b, order, &mended, error));
    } else {
        int32_t shape[TQI_BROADCAST_RANK];
        for (uint32_t i = 0; i < b->rank; i++)
            shape[i] = (int32_t)i == place ? b->target[i] : 1;
        const char *name = tqi_net_tensor(&ctx->net, b->output)->name;
        TQI_TRY(tqi_reshaped(ctx, op, b->input, name, shape, b->rank, &mended, error));
    }
    return tqi_net_change_input(&ctx->net, op, 0, mended, error);
}

tq_status tqi_broadcast_layout(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    for (uint32_t i = 0; i < tqi_net_graph(&ctx->net)->n_operators; i++) {
        tqi_broadcast b;
        bool is_one;
        TQI_TRY(tqi_find_broadcast(ctx, i, &b, &is_one, error));
        if (is_one && !b.fits)
            TQI_TRY(mend(ctx, i, &b, applied, error));
    }
    return TQ_OK;
}
