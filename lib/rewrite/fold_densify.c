/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse constants behind DENSIFY become dense ones.
 *
 * Cures: delegates refuse DENSIFY, and XNNPACK computes NaN from DENSIFY behind DEQUANTIZE (LiteRT
 * 2.3). The file grows, and the values are held in memory, so it runs only when it is named. */
#include <string.h>

#include "base/checked.h"
#include "rewrite/rewrites.h"
#include "rewrite/values.h"
#include "tflite/builtins.h"
#include "tflite/sparsity.h"

/* A dense tensor may be this many times as large as what is stored of it: files that claim more are
 * made to fill memory. */
enum { MOST_GROWTH = 1024 };

typedef struct sparse_constant {
    uint64_t stored; /* values */
    uint64_t bytes;  /* of the dense tensor */
    uint32_t width;  /* of a value */
} sparse_constant;

static bool measure(const tqi_rewriter *ctx, const tqi_operator *op, sparse_constant *c) {
    const tqi_net *net = &ctx->net;
    const tqi_tensor *sparse = tqi_net_tensor(net, op->inputs[0]),
                     *dense = tqi_net_tensor(net, op->outputs[0]);
    const tqi_content *content = tqi_tensor_content(ctx->graph, sparse);
    uint32_t bits = tqi_type_bits(sparse->type);
    uint64_t elements, expected;
    if (!sparse->sparsity || dense->sparsity || bits < 8 || sparse->type != dense->type ||
        net->producer[op->inputs[0]] >= 0 || net->entry[op->inputs[0]] ||
        !tqi_is_constant(ctx->graph, sparse) || content->kind == TQI_CONTENT_PRODUCED ||
        !tqi_tensor_elements(sparse, &elements) || !tqi_tensor_elements(dense, &expected))
        return false;
    c->width = bits / 8;
    c->stored = content->size / c->width;
    return elements == expected && elements > 0 && c->stored > 0 && c->stored <= elements &&
           elements / c->stored <= MOST_GROWTH && tqi_mul_u64(elements, c->width, &c->bytes) &&
           c->bytes <= SIZE_MAX;
}

static bool is_densify(const tqi_rewriter *ctx, uint32_t index) {
    const tqi_operator *op = tqi_net_operator(&ctx->net, index);
    return !op->removed && tqi_net_builtin(&ctx->net, index) == TQI_BUILTIN_DENSIFY &&
           op->n_inputs == 1 && op->n_outputs == 1 && op->inputs[0] >= 0 && op->outputs[0] >= 0 &&
           !ctx->net.pinned[op->outputs[0]] && !tqi_net_opaque_reader(&ctx->net, op->outputs[0]);
}

static tq_status unpack(tqi_rewriter *ctx, uint32_t index, const sparse_constant *c,
                        uint64_t *place, uint32_t *applied, tq_error *error) {
    const tqi_operator *op = tqi_net_operator(&ctx->net, index);
    int32_t sparse = op->inputs[0], dense = op->outputs[0];
    const uint8_t *from;
    uint8_t *to;
    if (!tqi_sparsity_places(&ctx->graph->view, tqi_net_tensor(&ctx->net, sparse), c->stored,
                             place))
        return TQ_OK;
    TQI_TRY(tqi_note_edit(ctx, index, dense, applied, error));
    TQI_TRY(tqi_read_constant(ctx, sparse, c->stored * c->width, &from, error));
    TQI_TRY(tqi_set_contents(ctx, dense, c->bytes, &to, error));
    for (uint64_t i = 0; i < c->stored; i++)
        memcpy(to + place[i] * c->width, from + i * c->width, c->width);
    return tqi_net_remove(&ctx->net, index, error);
}

tq_status tqi_fold_densify(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    for (uint32_t i = 0; i < tqi_net_graph(&ctx->net)->n_operators; i++) {
        sparse_constant c;
        if (!is_densify(ctx, i) || !measure(ctx, tqi_net_operator(&ctx->net, i), &c))
            continue;
        tqi_heap *heap = ctx->graph->arena->heap;
        uint64_t *place = c.stored <= SIZE_MAX / sizeof *place
                              ? tqi_alloc(heap, (size_t)c.stored * sizeof *place)
                              : NULL;
        if (!place)
            return tqi_no_memory(heap, c.stored * sizeof *place, error);
        tq_status status = unpack(ctx, i, &c, place, applied, error);
        tqi_free(heap, place, (size_t)c.stored * sizeof *place);
        TQI_TRY(status);
    }
    return TQ_OK;
}
