/* SPDX-License-Identifier: Apache-2.0 */
#include "rewrite/values.h"

#include <string.h>

#include "base/checked.h"
#include "tflite/builtins.h"

/* ---- reading ---- */

tq_status tqi_read_constant(const tqi_rewriter *ctx, int32_t tensor, uint64_t size,
                            const uint8_t **bytes, tq_error *error) {
    const tqi_content *content = tqi_tensor_content(ctx->graph, tqi_net_tensor(&ctx->net, tensor));
    if (content->kind == TQI_CONTENT_MEMORY) {
        *bytes = content->memory;
        return TQ_OK;
    }
    const tqi_source *source = ctx->graph->source, *whole = source;
    uint8_t *scratch = NULL;
    while (whole->whole)
        whole = whole->whole;
    if (whole->user.read) /* else it is in memory, or mapped */
        TQI_NEW(ctx->graph->arena, &scratch, size, error);
    return tqi_source_fetch(source, content->offset, (size_t)size, scratch, bytes, error);
}

tq_status tqi_read_integers(const tqi_rewriter *ctx, int32_t index, tqi_integers *integers,
                            tq_error *error) {
    uint64_t elements = 0;
    uint8_t scratch[TQI_MOST_INTEGERS * sizeof(int64_t)];
    integers->known = false;
    integers->count = 0;
    if (index < 0 || !tqi_net_is_constant(&ctx->net, index))
        return TQ_OK;
    const tqi_tensor *tensor = tqi_net_tensor(&ctx->net, index);
    bool wide = tensor->type == TQI_TYPE_INT64;
    if ((!wide && tensor->type != TQI_TYPE_INT32) || !tqi_tensor_elements(tensor, &elements) ||
        elements > TQI_MOST_INTEGERS)
        return TQ_OK;
    const tqi_content *content = tqi_tensor_content(ctx->graph, tensor);
    const uint8_t *bytes = content->memory;
    if (content->kind == TQI_CONTENT_FILE)
        TQI_TRY(tqi_source_fetch(ctx->graph->source, content->offset,
                                 (size_t)elements * (wide ? 8 : 4), scratch, &bytes, error));
    for (uint32_t i = 0; i < elements; i++)
        integers->at[i] = wide ? (int64_t)tqi_load_u64(bytes + 8 * i) : tqi_load_i32(bytes + 4 * i);
    integers->known = true;
    integers->count = (uint32_t)elements;
    return TQ_OK;
}

/* ---- making ---- */

tq_status tqi_new_contents(tqi_rewriter *ctx, uint64_t size, uint8_t **memory, uint32_t *buffer,
                           tq_error *error) {
    /* no honest model comes near; many operators on one constant would */
    enum { MOST_GROWTH = 64, SMALL = 16 << 20 };
    uint64_t left = SMALL + MOST_GROWTH * tqi_min_u64(ctx->graph->source->size, UINT64_MAX / 128);
    if (ctx->made > left || size > left - ctx->made)
        return tqi_fail(error, TQ_ERR_TOO_LARGE,
                        "the constants that rewriting makes are too large");
    ctx->made += size;
    TQI_NEW(ctx->graph->arena, memory, size, error);
    tqi_content content = {.kind = TQI_CONTENT_MEMORY, .size = size, .memory = *memory};
    return tqi_add_buffer(ctx->graph, &content, buffer, error);
}

tq_status tqi_set_contents(tqi_rewriter *ctx, int32_t tensor, uint64_t size, uint8_t **memory,
                           tq_error *error) {
    uint32_t buffer;
    TQI_TRY(tqi_new_contents(ctx, size, memory, &buffer, error));
    tqi_net_tensor(&ctx->net, tensor)->buffer = buffer;
    return TQ_OK;
}

tq_status tqi_join_name(tqi_rewriter *ctx, const char *name, const char *suffix, const char **out,
                        tq_error *error) {
    char *text = NULL;
    size_t length = strlen(name), more = strlen(suffix) + 1;
    *out = "";
    if (length == 0)
        return TQ_OK;
    TQI_NEW(ctx->graph->arena, &text, (uint64_t)length + more, error);
    memcpy(text, name, length);
    memcpy(text + length, suffix, more);
    *out = text;
    return TQ_OK;
}

static tq_status copy_shape(tqi_rewriter *ctx, const int32_t *shape, uint32_t rank,
                            const int32_t **copy, tq_error *error) {
    int32_t *made = NULL;
    TQI_NEW(ctx->graph->arena, &made, rank, error);
    if (rank > 0)
        memcpy(made, shape, rank * sizeof *made);
    *copy = made;
    return TQ_OK;
}

tq_status tqi_add_vector(tqi_rewriter *ctx, const char *name, const char *suffix,
                         const int32_t *values, uint32_t count, int32_t *tensor,
                         const int32_t **copy, tq_error *error) {
    const int32_t length = (int32_t)count;
    tqi_tensor made = {.type = TQI_TYPE_INT32, .rank = 1};
    uint8_t *memory;
    TQI_TRY(copy_shape(ctx, &length, 1, &made.shape, error));
    TQI_TRY(tqi_join_name(ctx, name, suffix, &made.name, error));
    TQI_TRY(tqi_new_contents(ctx, count * sizeof *values, &memory, &made.buffer, error));
    memcpy(memory, values, count * sizeof *values);
    if (copy)
        TQI_TRY(copy_shape(ctx, values, count, copy, error));
    return tqi_net_add_tensor(&ctx->net, &made, tensor, error);
}

tqi_new_operator tqi_in_place_of(const tqi_rewriter *ctx, uint32_t index, int32_t builtin,
                                 int32_t version, uint8_t options_type, const int32_t *inputs,
                                 uint32_t n_inputs, int32_t output) {
    const tqi_operator *op = tqi_net_operator(&ctx->net, index);
    bool is_new = index >= tqi_net_graph(&ctx->net)->n_old;
    return (tqi_new_operator){.builtin = builtin,
                              .version = version,
                              .before = is_new ? op->before : index,
                              .origin = op->origin,
                              .inputs = inputs,
                              .n_inputs = n_inputs,
                              .output = output,
                              .options_type = options_type};
}

/* A buffer without data. */
static tq_status no_contents(tqi_rewriter *ctx, uint32_t *buffer, tq_error *error) {
    const tqi_content none = {0};
    *buffer = 0;
    if (ctx->graph->n_buffers > 0 && ctx->graph->buffers[0].content.size == 0)
        return TQ_OK;
    TQI_TRY(tqi_add_buffer(ctx->graph, &none, buffer, error));
    ctx->graph->buffers[*buffer].has_data = false;
    return TQ_OK;
}

tq_status tqi_reshaped(tqi_rewriter *ctx, uint32_t op, int32_t tensor, const char *name,
                       const int32_t *shape, uint32_t rank, int32_t *reshaped, tq_error *error) {
    const tqi_tensor *from = tqi_net_tensor(&ctx->net, tensor);
    bool constant = tqi_net_is_constant(&ctx->net, tensor);
    tqi_tensor made = {.type = from->type,
                       .rank = rank,
                       .old_quantization = from->old_quantization,
                       .quantization = from->quantization,
                       .buffer = from->buffer};
    TQI_TRY(copy_shape(ctx, shape, rank, &made.shape, error));
    TQI_TRY(tqi_join_name(ctx, name, "_reshaped", &made.name, error));
    if (!constant)
        TQI_TRY(no_contents(ctx, &made.buffer, error));
    TQI_TRY(tqi_net_add_tensor(&ctx->net, &made, reshaped, error));
    if (constant)
        return TQ_OK;
    int32_t inputs[2] = {tensor, -1};
    const int32_t *options;
    TQI_TRY(tqi_add_vector(ctx, name, "_shape", shape, rank, &inputs[1], &options, error));
    tqi_new_operator made_op =
        tqi_in_place_of(ctx, op, TQI_BUILTIN_RESHAPE, 1, TQI_RESHAPE_OPTIONS, inputs, 2, *reshaped);
    made_op.new_shape = options;
    made_op.n_new_shape = rank;
    return tqi_net_add_operator(&ctx->net, &made_op, error);
}

/* ---- comparing ---- */

static bool same_vector(const tqi_view *view, uint32_t a, uint32_t b, uint32_t field, size_t size) {
    tqi_vector x = tqi_get_vector(view, a, field), y = tqi_get_vector(view, b, field);
    return x.count == y.count &&
           (x.count == 0 || memcmp(view->data + x.at, view->data + y.at, x.count * size) == 0);
}

static bool has_scales(const tqi_view *view, uint32_t quantization) {
    return quantization && (tqi_get_vector(view, quantization, TQI_QUANT_SCALE).count > 0 ||
                            tqi_get_i8(view, quantization, TQI_QUANT_DETAILS_TYPE, 0) != 0);
}

bool tqi_same_quantization(const tqi_rewriter *ctx, int32_t a, int32_t b) {
    const tqi_tensor *x = tqi_net_tensor(&ctx->net, a), *y = tqi_net_tensor(&ctx->net, b);
    const tqi_view *view = &ctx->graph->view;
    uint32_t p = x->old_quantization, q = y->old_quantization;
    if (x->quantization || y->quantization)
        return x->quantization == y->quantization;
    if (!has_scales(view, p) && !has_scales(view, q))
        return true;
    if (p == q)
        return true;
    if (!p || !q || tqi_get_i8(view, p, TQI_QUANT_DETAILS_TYPE, 0) != 0 ||
        tqi_get_i8(view, q, TQI_QUANT_DETAILS_TYPE, 0) != 0)
        return false;
    bool one = tqi_get_vector(view, p, TQI_QUANT_SCALE).count == 1;
    return same_vector(view, p, q, TQI_QUANT_SCALE, sizeof(float)) &&
           same_vector(view, p, q, TQI_QUANT_ZERO_POINT, sizeof(int64_t)) &&
           (one || tqi_get_i32(view, p, TQI_QUANT_QUANTIZED_DIMENSION, 0) ==
                       tqi_get_i32(view, q, TQI_QUANT_QUANTIZED_DIMENSION, 0));
}

bool tqi_tensor_scale(const tqi_rewriter *ctx, int32_t tensor, float *scale) {
    static const float least = 1e-30f, most = 1e30f;
    const tqi_tensor *t = tqi_net_tensor(&ctx->net, tensor);
    const tqi_view *view = &ctx->graph->view;
    if (t->quantization || !t->old_quantization)
        return false;
    tqi_vector scales = tqi_get_vector(view, t->old_quantization, TQI_QUANT_SCALE);
    tqi_vector zeros = tqi_get_vector(view, t->old_quantization, TQI_QUANT_ZERO_POINT);
    if (scales.count != 1 || zeros.count != 1 ||
        tqi_get_i8(view, t->old_quantization, TQI_QUANT_DETAILS_TYPE, 0) != 0)
        return false;
    memcpy(scale, view->data + scales.at, sizeof *scale);
    return *scale >= least && *scale <= most;
}

bool tqi_simple_quantization(const tqi_rewriter *ctx, int32_t tensor) {
    const tqi_tensor *t = tqi_net_tensor(&ctx->net, tensor);
    if (t->quantization)
        return t->quantization->count == 1;
    if (!has_scales(&ctx->graph->view, t->old_quantization))
        return true;
    return tqi_get_i8(&ctx->graph->view, t->old_quantization, TQI_QUANT_DETAILS_TYPE, 0) == 0 &&
           tqi_get_vector(&ctx->graph->view, t->old_quantization, TQI_QUANT_SCALE).count == 1;
}

static bool same_list(const int32_t *a, uint32_t n_a, const int32_t *b, uint32_t n_b) {
    return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof *a) == 0);
}

bool tqi_same_kind(const tqi_rewriter *ctx, int32_t a, int32_t b) {
    const tqi_tensor *x = tqi_net_tensor(&ctx->net, a), *y = tqi_net_tensor(&ctx->net, b);
    return x->type == y->type && !x->sparsity && !y->sparsity &&
           same_list(x->shape, x->rank, y->shape, y->rank) &&
           same_list(x->signature, x->signature_rank, y->signature, y->signature_rank) &&
           tqi_same_quantization(ctx, a, b);
}
