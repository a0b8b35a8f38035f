/* SPDX-License-Identifier: Apache-2.0 */
#include "rewrite/broadcast.h"

#include "tflite/builtins.h"

static bool copy_target(const tqi_integers *target, tqi_broadcast *b) {
    if (!target->known || target->count == 0 || target->count > TQI_BROADCAST_RANK)
        return false;
    b->rank = target->count;
    for (uint32_t i = 0; i < b->rank; i++) {
        if (target->at[i] < 1 || target->at[i] > INT32_MAX)
            return false;
        b->target[i] = (int32_t)target->at[i];
    }
    return true;
}

static bool copy_shapes(const tqi_tensor *input, const tqi_tensor *output, tqi_broadcast *b) {
    if (input->rank > b->rank || output->rank != b->rank)
        return false;
    uint32_t missing = b->rank - input->rank;
    b->grows = missing > 0;
    b->fits = true;
    for (uint32_t i = 0; i < b->rank; i++) {
        b->shape[i] = i < missing ? 1 : input->shape[i - missing];
        if (output->shape[i] != b->target[i] || b->shape[i] < 1)
            return false;
        b->fits = b->fits && (b->shape[i] == 1 || b->shape[i] == b->target[i]);
    }
    return true;
}

tq_status tqi_find_broadcast(const tqi_rewriter *ctx, uint32_t index, tqi_broadcast *found,
                             bool *is_one, tq_error *error) {
    enum { INPUT, TARGET };
    const tqi_operator *op = tqi_net_operator(&ctx->net, index);
    tqi_integers target;
    *is_one = false;
    if (op->removed || tqi_net_builtin(&ctx->net, index) != TQI_BUILTIN_BROADCAST_TO ||
        op->n_inputs != 2 || op->n_outputs != 1 || op->inputs[INPUT] < 0 || op->outputs[0] < 0)
        return TQ_OK;
    found->input = op->inputs[INPUT];
    found->output = op->outputs[0];
    const tqi_tensor *input = tqi_net_tensor(&ctx->net, found->input),
                     *output = tqi_net_tensor(&ctx->net, found->output);
    if (ctx->net.entry[found->output] || input->is_variable || input->is_external ||
        input->sparsity || !tqi_is_static(ctx, found->input) ||
        !tqi_is_static(ctx, found->output) || input->type != output->type ||
        tqi_type_bits(input->type) < 8 ||
        !tqi_same_quantization(ctx, found->input, found->output) ||
        !tqi_simple_quantization(ctx, found->input))
        return TQ_OK;
    TQI_TRY(tqi_read_integers(ctx, op->inputs[TARGET], &target, error));
    *is_one = copy_target(&target, found) && copy_shapes(input, output, found);
    return TQ_OK;
}

/* TILE copies bytes, and is in both GPU delegates, NNAPI and the builtin kernels. XNNPACK has
 * neither, but gains nothing from MUL. TFLite Micro has BROADCAST_TO, but no TILE. */
tqi_broadcast_cure tqi_cure_broadcast(uint32_t target) {
    return target == TQ_TARGET_TFLITE_MICRO ? TQI_CURE_NONE : TQI_CURE_TILE;
}
