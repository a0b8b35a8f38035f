/* SPDX-License-Identifier: Apache-2.0 */
/* BROADCAST_TO becomes MUL by ones of the shape that is missing.
 *
 * Cures: the same as broadcast-to-tile, for targets without TILE; XNNPACK takes it too, float32 and
 * int8. It costs a constant of the missing dimensions, so it runs only for such targets and when it
 * is named. The result is the same but for denormal numbers, which XNNPACK makes zero. */
#include <string.h>

#include "rewrite/broadcast.h"
#include "rewrite/rewrites.h"
#include "tflite/builtins.h"

enum { MOST_RANK = 4 }; /* that every kernel of MUL broadcasts */

static int32_t mul_version(int32_t type) {
    return type == TQI_TYPE_INT8 ? 2 : 1;
}

static bool takes(int32_t type) {
    return type == TQI_TYPE_FLOAT32 || type == TQI_TYPE_INT32 || type == TQI_TYPE_INT8 ||
           type == TQI_TYPE_UINT8;
}

static void fill_ones(uint8_t *memory, int32_t type, uint64_t elements) {
    const float one = 1.0f;
    const int32_t integer = 1;
    for (uint64_t i = 0; i < elements; i++) {
        if (type == TQI_TYPE_FLOAT32)
            memcpy(memory + i * sizeof one, &one, sizeof one);
        else if (type == TQI_TYPE_INT32)
            memcpy(memory + i * sizeof integer, &integer, sizeof integer);
        else
            memory[i] = 1;
    }
}

/* Quantized ones have the scale 1. */
static tq_status unit_scale(tqi_rewriter *ctx, tqi_quantization **out, tq_error *error) {
    float *scale = NULL;
    TQI_NEW(ctx->graph->arena, &scale, 1, error);
    TQI_NEW(ctx->graph->arena, out, 1, error);
    *scale = 1.0f;
    **out = (tqi_quantization){.count = 1, .scale = scale};
    return TQ_OK;
}

static tq_status add_ones(tqi_rewriter *ctx, const tqi_broadcast *b, int32_t *ones,
                          tq_error *error) {
    const tqi_tensor *output = tqi_net_tensor(&ctx->net, b->output);
    tqi_tensor made = {.type = output->type, .rank = b->rank};
    int32_t *shape = NULL;
    uint64_t elements, bytes;
    uint8_t *memory;
    TQI_TRY(tqi_join_name(ctx, output->name, "_ones", &made.name, error));
    TQI_NEW(ctx->graph->arena, &shape, b->rank, error);
    for (uint32_t i = 0; i < b->rank; i++)
        shape[i] = b->shape[i] == 1 ? b->target[i] : 1;
    made.shape = shape;
    if (!tqi_tensor_elements(&made, &elements) || !tqi_type_bytes(made.type, elements, &bytes))
        return tqi_fail(error, TQ_ERR_TOO_LARGE, "ones for '%s' are too many", output->name);
    TQI_TRY(tqi_new_contents(ctx, bytes, &memory, &made.buffer, error));
    fill_ones(memory, made.type, elements);
    if (made.type == TQI_TYPE_INT8 || made.type == TQI_TYPE_UINT8)
        TQI_TRY(unit_scale(ctx, &made.quantization, error));
    return tqi_net_add_tensor(&ctx->net, &made, ones, error);
}

/* An honest model has use for its ones; a target of 2^40 elements is none. */
static bool is_small(const tqi_broadcast *b) {
    enum { MOST_ONES = 1 << 24 };
    uint64_t ones = 1;
    for (uint32_t i = 0; i < b->rank && ones <= MOST_ONES; i++)
        ones *= b->shape[i] == 1 ? (uint64_t)b->target[i] : 1;
    return ones <= MOST_ONES;
}

tq_status tqi_broadcast_to_mul(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    if (!ctx->by_name && tqi_cure_broadcast(ctx->target) != TQI_CURE_MUL)
        return TQ_OK;
    for (uint32_t i = 0; i < tqi_net_graph(&ctx->net)->n_operators; i++) {
        tqi_broadcast b;
        bool is_one;
        float scale;
        TQI_TRY(tqi_find_broadcast(ctx, i, &b, &is_one, error));
        if (!is_one || !b.fits || b.rank > MOST_RANK || !is_small(&b))
            continue;
        int32_t type = tqi_net_tensor(&ctx->net, b.input)->type;
        bool bytes = type == TQI_TYPE_INT8 || type == TQI_TYPE_UINT8;
        if (!takes(type) || (bytes && !tqi_tensor_scale(ctx, b.input, &scale)))
            continue;
        int32_t inputs[2] = {b.input, -1};
        TQI_TRY(tqi_note_edit(ctx, i, b.output, applied, error));
        TQI_TRY(add_ones(ctx, &b, &inputs[1], error));
        tqi_new_operator mul = tqi_in_place_of(ctx, i, TQI_BUILTIN_MUL, mul_version(type),
                                               TQI_MUL_OPTIONS, inputs, 2, b.output);
        TQI_TRY(tqi_net_add_operator(&ctx->net, &mul, error));
        TQI_TRY(tqi_net_remove(&ctx->net, i, error));
    }
    return TQ_OK;
}
