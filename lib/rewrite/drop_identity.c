/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that give their input as it is go; their readers read the input.
 *
 * Cures: RESHAPE to the same shape, TRANSPOSE that moves nothing, CAST to the same type, TILE by
 * ones, PAD by zeros, SLICE of all and their like, which converters leave behind. Each costs a
 * copy, and may split a delegate's part of the graph. */
#include "rewrite/rewrites.h"
#include "rewrite/values.h"
#include "tflite/builtins.h"

static bool all_are(const tqi_integers *integers, int64_t value) {
    for (uint32_t i = 0; i < integers->count; i++)
        if (integers->at[i] != value)
            return false;
    return integers->known;
}

static bool counts_up(const tqi_integers *order) {
    for (uint32_t i = 0; i < order->count; i++)
        if (order->at[i] != i && order->at[i] != (int64_t)i - order->count)
            return false;
    return order->known;
}

static tq_status input_is(const tqi_rewriter *ctx, const tqi_operator *op, uint32_t input,
                          int64_t value, bool *so, tq_error *error) {
    tqi_integers integers;
    TQI_TRY(
        tqi_read_integers(ctx, input < op->n_inputs ? op->inputs[input] : -1, &integers, error));
    *so = all_are(&integers, value);
    return TQ_OK;
}

/* From the beginning, and as much as there is. */
static tq_status slices_all(const tqi_rewriter *ctx, const tqi_operator *op, bool is_static,
                            bool *so, tq_error *error) {
    enum { INPUT, BEGIN, SIZE };
    const tqi_tensor *input = tqi_net_tensor(&ctx->net, op->inputs[INPUT]);
    tqi_integers begin, size;
    TQI_TRY(tqi_read_integers(ctx, op->n_inputs > BEGIN ? op->inputs[BEGIN] : -1, &begin, error));
    TQI_TRY(tqi_read_integers(ctx, op->n_inputs > SIZE ? op->inputs[SIZE] : -1, &size, error));
    *so = all_are(&begin, 0) && size.known && size.count == input->rank;
    for (uint32_t i = 0; i < size.count && *so; i++)
        *so = size.at[i] == -1 || (is_static && size.at[i] == input->shape[i]);
    return TQ_OK;
}

static tq_status strides_over_all(const tqi_rewriter *ctx, const tqi_operator *op, bool is_static,
                                  bool *so, tq_error *error) {
    enum { INPUT, BEGIN, END, STRIDES, INPUTS };
    enum { BEGIN_MASK, END_MASK, ELLIPSIS_MASK, NEW_AXIS_MASK, SHRINK_AXIS_MASK, OFFSET };
    const tqi_tensor *input = tqi_net_tensor(&ctx->net, op->inputs[INPUT]);
    const tqi_view *view = &ctx->graph->view;
    uint32_t options = tqi_options(ctx->graph, op);
    tqi_integers begin, end, strides;
    *so = false;
    if (op->n_inputs != INPUTS || !options || input->rank > 8 ||
        tqi_get_i32(view, options, ELLIPSIS_MASK, 0) != 0 ||
        tqi_get_i32(view, options, NEW_AXIS_MASK, 0) != 0 ||
        tqi_get_i32(view, options, SHRINK_AXIS_MASK, 0) != 0 ||
        tqi_get_i8(view, options, OFFSET, 0) != 0)
        return TQ_OK;
    uint32_t begin_mask = tqi_get_u32(view, options, BEGIN_MASK, 0),
             end_mask = tqi_get_u32(view, options, END_MASK, 0);
    TQI_TRY(tqi_read_integers(ctx, op->inputs[BEGIN], &begin, error));
    TQI_TRY(tqi_read_integers(ctx, op->inputs[END], &end, error));
    TQI_TRY(tqi_read_integers(ctx, op->inputs[STRIDES], &strides, error));
    *so = begin.known && end.known && all_are(&strides, 1) && begin.count == input->rank &&
          end.count == input->rank && strides.count == input->rank;
    for (uint32_t i = 0; i < input->rank && *so; i++)
        *so = ((begin_mask >> i & 1) != 0 || begin.at[i] == 0) &&
              ((end_mask >> i & 1) != 0 || (is_static && end.at[i] >= input->shape[i]));
    return TQ_OK;
}

/* Integers to the same integers. */
static bool requantizes_nothing(const tqi_rewriter *ctx, const tqi_operator *op) {
    float scale;
    int32_t type = tqi_net_tensor(&ctx->net, op->inputs[0])->type;
    return (type == TQI_TYPE_INT8 || type == TQI_TYPE_UINT8 || type == TQI_TYPE_INT16) &&
           tqi_tensor_scale(ctx, op->inputs[0], &scale);
}

/* The input that the output is equal to, or -1. Type, shape and scales are compared by the caller.
 */
static tq_status same_as(const tqi_rewriter *ctx, uint32_t index, int32_t *same, tq_error *error) {
    enum { FUSED_ACTIVATION = 1 };
    const tqi_operator *op = tqi_net_operator(&ctx->net, index);
    int32_t builtin = tqi_net_builtin(&ctx->net, index);
    uint32_t options = tqi_options(ctx->graph, op), from = 0;
    bool so = false;
    *same = -1;
    if (op->n_outputs != 1 || op->outputs[0] < 0)
        return TQ_OK;
    if (builtin == TQI_BUILTIN_SPLIT)
        from = 1;
    if (from >= op->n_inputs || op->inputs[from] < 0)
        return TQ_OK;
    bool is_static = tqi_is_static(ctx, op->inputs[from]) && tqi_is_static(ctx, op->outputs[0]);
    switch (builtin) {
    case TQI_BUILTIN_RESHAPE:
    case TQI_BUILTIN_SQUEEZE:
    case TQI_BUILTIN_BROADCAST_TO:
        so = is_static;
        break;
    case TQI_BUILTIN_CAST:
    case TQI_BUILTIN_SPLIT:
    case TQI_BUILTIN_SPLIT_V:
        so = builtin == TQI_BUILTIN_CAST ? op->n_inputs == 1 : is_static;
        break;
    case TQI_BUILTIN_QUANTIZE:
        so = op->n_inputs == 1 && requantizes_nothing(ctx, op);
        break;
    case TQI_BUILTIN_CONCATENATION:
        so = op->n_inputs == 1 && options &&
             tqi_get_i8(&ctx->graph->view, options, FUSED_ACTIVATION, 0) == 0;
        break;
    case TQI_BUILTIN_TILE:
        TQI_TRY(input_is(ctx, op, 1, 1, &so, error));
        break;
    case TQI_BUILTIN_PAD:
    case TQI_BUILTIN_PADV2:
    case TQI_BUILTIN_MIRROR_PAD:
        TQI_TRY(input_is(ctx, op, 1, 0, &so, error));
        break;
    case TQI_BUILTIN_TRANSPOSE: {
        tqi_integers order;
        TQI_TRY(tqi_read_integers(ctx, op->n_inputs > 1 ? op->inputs[1] : -1, &order, error));
        so = counts_up(&order);
        break;
    }
    case TQI_BUILTIN_SLICE:
        TQI_TRY(slices_all(ctx, op, is_static, &so, error));
        break;
    case TQI_BUILTIN_STRIDED_SLICE:
        TQI_TRY(strides_over_all(ctx, op, is_static, &so, error));
        break;
    default:
        break;
    }
    if (so)
        *same = op->inputs[from];
    return TQ_OK;
}

tq_status tqi_drop_identity(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    for (uint32_t i = 0; i < tqi_net_graph(&ctx->net)->n_operators; i++) {
        const tqi_operator *op = tqi_net_operator(&ctx->net, i);
        int32_t same = -1;
        bool done;
        if (!op->removed)
            TQI_TRY(same_as(ctx, i, &same, error));
        if (same < 0 || tqi_type_bits(tqi_net_tensor(&ctx->net, same)->type) == 0 ||
            !tqi_same_kind(ctx, same, op->outputs[0]) ||
            (tqi_net_is_constant(&ctx->net, same) && tqi_net_is_weight(&ctx->net, op->outputs[0])))
            continue;
        uint32_t n_edits = ctx->n_edits, n_applied = *applied;
        TQI_TRY(tqi_note_edit(ctx, i, op->outputs[0], applied, error));
        TQI_TRY(tqi_net_bypass(&ctx->net, i, same, op->outputs[0], &done, error));
        if (!done) {
            ctx->n_edits = n_edits;
            *applied = n_applied;
        }
    }
    return TQ_OK;
}
