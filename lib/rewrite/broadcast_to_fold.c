/* SPDX-License-Identifier: Apache-2.0 */
/* BROADCAST_TO of a small constant: its output becomes a constant.
 *
 * Cures: the same as broadcast-to-drop, where some reader does not broadcast by itself
 * (CONCATENATION, say). Only where the file hardly grows: a large one is for TILE. */
#include <string.h>

#include "rewrite/broadcast.h"
#include "rewrite/rewrites.h"

/* The operator and its target take some 250 bytes themselves. */
enum { MOST_BYTES = 1024 };

static void spread(const tqi_broadcast *b, const uint8_t *from, uint8_t *to, size_t size,
                   uint64_t elements) {
    for (uint64_t i = 0; i < elements; i++) {
        uint64_t rest = i, at = 0, stride = 1;
        for (uint32_t d = b->rank; d-- > 0;) {
            uint64_t place = rest % (uint64_t)b->target[d];
            rest /= (uint64_t)b->target[d];
            at += b->shape[d] == 1 ? 0 : place * stride;
            stride *= (uint64_t)b->shape[d];
        }
        memcpy(to + i * size, from + at * size, size);
    }
}

static tq_status fold(tqi_rewriter *ctx, uint32_t op, const tqi_broadcast *b, uint64_t elements,
                      uint64_t bytes, uint32_t *applied, tq_error *error) {
    const uint8_t *from;
    uint8_t *to;
    uint64_t input_elements, input_bytes;
    const tqi_tensor *input = tqi_net_tensor(&ctx->net, b->input);
    if (!tqi_tensor_elements(input, &input_elements) ||
        !tqi_type_bytes(input->type, input_elements, &input_bytes))
        return TQ_OK;
    TQI_TRY(tqi_note_edit(ctx, op, b->output, applied, error));
    TQI_TRY(tqi_read_constant(ctx, b->input, input_bytes, &from, error));
    TQI_TRY(tqi_set_contents(ctx, b->output, bytes, &to, error));
    spread(b, from, to, tqi_type_bits(input->type) / 8, elements);
    return tqi_net_remove(&ctx->net, op, error);
}

tq_status tqi_broadcast_to_fold(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    for (uint32_t i = 0; i < tqi_net_graph(&ctx->net)->n_operators; i++) {
        tqi_broadcast b;
        bool is_one;
        uint64_t elements, bytes;
        TQI_TRY(tqi_find_broadcast(ctx, i, &b, &is_one, error));
        if (!is_one || !b.fits || ctx->net.pinned[b.output] ||
            !tqi_net_is_constant(&ctx->net, b.input) || tqi_net_is_weight(&ctx->net, b.output) ||
            tqi_net_opaque_reader(&ctx->net, b.output))
            continue;
        const tqi_tensor *output = tqi_net_tensor(&ctx->net, b.output);
        if (tqi_tensor_elements(output, &elements) &&
            tqi_type_bytes(output->type, elements, &bytes) && bytes <= MOST_BYTES)
            TQI_TRY(fold(ctx, i, &b, elements, bytes, applied, error));
    }
    return TQ_OK;
}
