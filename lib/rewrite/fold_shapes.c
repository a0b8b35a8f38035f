/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes and indices that are computed from what is known beforehand become constants: SHAPE of a
 * tensor whose shape does not depend on the inputs', and what STRIDED_SLICE, PACK, GATHER, MUL and
 * the like make of small constants.
 *
 * Cures: a RESHAPE whose shape is computed is "dynamic" for runtimes: delegates leave it, memory is
 * planned anew while the model runs (tensorflow#38036, tensorflow#46388). Converters leave such
 * chains where the batch was open when they ran. Subgraphs whose inputs have an open dimension
 * keep what depends on it. */
#include "rewrite/rewrites.h"
#include "rewrite/shape_arithmetic.h"

static bool fits(const tqi_tensor *tensor, const tqi_integers *values) {
    uint64_t elements;
    if (!tqi_tensor_elements(tensor, &elements) || elements != values->count || elements == 0 ||
        (tensor->type != TQI_TYPE_INT32 && tensor->type != TQI_TYPE_INT64))
        return false;
    for (uint32_t i = 0; i < values->count; i++)
        if (tensor->type == TQI_TYPE_INT32 &&
            (values->at[i] < INT32_MIN || values->at[i] > INT32_MAX))
            return false;
    return true;
}

static tq_status set_values(tqi_rewriter *ctx, int32_t tensor, const tqi_integers *values,
                            tq_error *error) {
    bool wide = tqi_net_tensor(&ctx->net, tensor)->type == TQI_TYPE_INT64;
    uint8_t *to;
    TQI_TRY(tqi_set_contents(ctx, tensor, (uint64_t)values->count * (wide ? 8 : 4), &to, error));
    for (uint32_t i = 0; i < values->count; i++) {
        if (wide)
            tqi_store_u64(to + 8 * (size_t)i, (uint64_t)values->at[i]);
        else
            tqi_store_u32(to + 4 * (size_t)i, (uint32_t)values->at[i]);
    }
    return TQ_OK;
}

tq_status tqi_fold_shapes(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    for (uint32_t i = 0; i < tqi_net_graph(&ctx->net)->n_operators; i++) {
        const tqi_operator *op = tqi_net_operator(&ctx->net, i);
        if (op->removed || op->n_outputs != 1 || op->outputs[0] < 0)
            continue;
        int32_t output = op->outputs[0];
        tqi_integers values;
        if (ctx->net.pinned[output] || ctx->net.entry[output] ||
            tqi_net_tensor(&ctx->net, output)->sparsity || !tqi_simple_quantization(ctx, output) ||
            tqi_net_opaque_reader(&ctx->net, output))
            continue;
        TQI_TRY(tqi_compute_integers(ctx, i, &values, error));
        if (!values.known || !fits(tqi_net_tensor(&ctx->net, output), &values))
            continue;
        TQI_TRY(tqi_note_edit(ctx, i, output, applied, error));
        TQI_TRY(set_values(ctx, output, &values, error));
        TQI_TRY(tqi_net_remove(&ctx->net, i, error));
    }
    return TQ_OK;
}
