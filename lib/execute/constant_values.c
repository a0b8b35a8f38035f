/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/constant_values.h"

#include <string.h>

#include "base/checked.h"
#include "execute/call.h"
#include "tflite/sparsity.h"

/* A constant that is being loaded. */
typedef struct loading {
    const tqi_graph *graph;
    uint32_t subgraph, index;
    const tqi_tensor *tensor;
    const tqi_content *content;
    const tqi_kernels *kernels;
    tqi_heap *heap;
    uint64_t stored; /* values in the file */
    tqi_vector scales, zero_points;
    uint64_t inner, channels; /* values with one scale, and scales */
    tqi_value block_scales;   /* instead, of blocks of `inner` values */
} loading;

tq_status tqi_value_new(tqi_heap *heap, int32_t type, uint32_t rank, const int32_t *shape,
                        tqi_value *value, tq_error *error) {
    tqi_value output = {0}, *made = NULL;
    const tqi_call call = {.outputs = &output, .n_outputs = 1, .heap = heap};
    TQI_TRY(tqi_call_output(&call, 0, type, rank, shape, &made, error));
    *value = output;
    return TQ_OK;
}

/* ---- where the values are ---- */

static bool is_stored(const tqi_graph *graph, const tqi_tensor *tensor) {
    uint64_t elements;
    if (tensor->is_variable || tensor->is_external)
        return false;
    return tqi_is_constant(graph, tensor) ||
           (tqi_tensor_elements(tensor, &elements) && elements == 0);
}

int32_t tqi_constant_storage(const tqi_graph *graph, uint32_t subgraph, const tqi_uses *uses,
                             uint32_t tensor) {
    enum { MOST_STEPS = 2 };
    const tqi_subgraph *s = &graph->subgraphs[subgraph];
    for (int i = 0; i < MOST_STEPS && uses->producer[tensor] >= 0; i++) {
        const tqi_operator *op = &s->operators[uses->producer[tensor]];
        int32_t builtin = tqi_builtin(graph, op);
        bool unpacks = builtin == TQI_OP_DEQUANTIZE || builtin == TQI_OP_DENSIFY;
        if (!unpacks || op->n_inputs != 1 || op->n_outputs != 1 || op->inputs[0] < 0)
            return -1;
        tensor = (uint32_t)op->inputs[0];
    }
    return uses->producer[tensor] < 0 && is_stored(graph, &s->tensors[tensor]) ? (int32_t)tensor
                                                                               : -1;
}

/* ---- failures ---- */

static tq_status blame(const loading *l, tq_status status, tq_error *error) {
    error->subgraph = (int32_t)l->subgraph;
    error->tensor = (int32_t)l->index;
    return status;
}

static tq_status contradicts(const loading *l, tq_error *error) {
    return blame(l,
                 tqi_fail(error, TQ_ERR_CORRUPT, "the data of constant '%s' contradict its shape",
                          l->tensor->name),
                 error);
}

static tq_status not_covered(const loading *l, tq_error *error) {
    const char *type = tqi_type_label(l->tensor->type);
    return blame(l,
                 tqi_fail(error, TQ_ERR_UNSUPPORTED,
                          "constant '%s' of type %s can't be read as numbers", l->tensor->name,
                          type ? type : "unknown"),
                 error);
}

/* ---- types ---- */

static bool is_quantized_type(int32_t type) {
    return type == TQI_TYPE_INT8 || type == TQI_TYPE_UINT8 || type == TQI_TYPE_INT16 ||
           type == TQI_TYPE_INT4 || type == TQI_TYPE_UINT4 || type == TQI_TYPE_INT2;
}

static bool is_float_type(int32_t type) {
    return type == TQI_TYPE_FLOAT32 || type == TQI_TYPE_FLOAT16 || type == TQI_TYPE_BFLOAT16 ||
           type == TQI_TYPE_FLOAT64;
}

static bool is_kept_type(int32_t type) {
    return type == TQI_TYPE_INT32 || type == TQI_TYPE_INT64 || type == TQI_TYPE_BOOL;
}

static int32_t quantum(const uint8_t *bytes, uint64_t i, int32_t type) {
    enum { LOW = 15, LOWEST = 3 };
    switch (type) {
    case TQI_TYPE_INT8:
        return (int8_t)bytes[i];
    case TQI_TYPE_UINT8:
        return bytes[i];
    case TQI_TYPE_INT16:
        return (int16_t)tqi_load_u16(bytes + 2 * i);
    case TQI_TYPE_UINT4:
        return bytes[i / 2] >> (i % 2 * 4) & LOW;
    case TQI_TYPE_INT4:
        return ((bytes[i / 2] >> (i % 2 * 4) & LOW) ^ 8) - 8;
    default: /* INT2 */
        return ((bytes[i / 4] >> (i % 4 * 2) & LOWEST) ^ 2) - 2;
    }
}

/* ---- quantization ---- */

/* Where FULLY_CONNECTED reads blocks of int4, XNNPACK multiplies by scales of bfloat16. */
static void shorten_scales(loading *l) {
    const tqi_subgraph *s = &l->graph->subgraphs[l->subgraph];
    bool read = false;
    for (uint32_t i = 0; i < s->n_operators && !read; i++) {
        const tqi_operator *op = &s->operators[i];
        read = op->n_inputs > 1 && op->inputs[1] == (int32_t)l->index &&
               tqi_builtin(l->graph, op) == TQI_OP_FULLY_CONNECTED;
    }
    float *scales = tqi_floats(&l->block_scales);
    for (uint64_t i = 0; i < l->channels && read && l->tensor->type == TQI_TYPE_INT4; i++) {
        enum { HALF = 0x7fff, DROPPED = 0xffff, INFINITE = 0x7f800000 };
        uint32_t bits;
        memcpy(&bits, &scales[i], sizeof bits);
        if ((bits & INFINITE) != INFINITE)
            bits = (bits + HALF + (bits >> 16 & 1)) & ~(uint32_t)DROPPED; /* halves to even */
        memcpy(&scales[i], &bits, sizeof bits);
    }
}

static tq_status find_block_scales(loading *l, tq_error *error) {
    int32_t named[2];
    tqi_details_tensors(&l->graph->view, &l->graph->subgraphs[l->subgraph], l->tensor, named);
    uint32_t details =
        tqi_get_table(&l->graph->view, l->tensor->old_quantization, TQI_QUANT_DETAILS);
    int8_t kind =
        tqi_get_i8(&l->graph->view, l->tensor->old_quantization, TQI_QUANT_DETAILS_TYPE, 0);
    const tqi_subgraph *s = &l->graph->subgraphs[l->subgraph];
    if (kind != TQI_DETAILS_BLOCKWISE || named[0] < 0 || (uint32_t)named[0] == l->index)
        return not_covered(l, error);
    const tqi_tensor *scales = &s->tensors[named[0]];
    if (!is_float_type(scales->type) || !tqi_is_constant(l->graph, scales))
        return not_covered(l, error);
    int32_t size = tqi_get_i32(&l->graph->view, details, TQI_BLOCKWISE_BLOCK_SIZE, 0);
    TQI_TRY(tqi_constant_load(l->graph, l->subgraph, (uint32_t)named[0], l->kernels, l->heap,
                              &l->block_scales, error));
    l->inner = (uint64_t)size;
    l->channels = l->block_scales.elements;
    uint64_t covered;
    if (size <= 0 || !tqi_mul_u64(l->inner, l->channels, &covered) || covered != l->stored)
        return contradicts(l, error);
    shorten_scales(l);
    return TQ_OK;
}

static tq_status find_scales(loading *l, tq_error *error) {
    const tqi_view *view = &l->graph->view;
    uint32_t q = l->tensor->old_quantization;
    if (!q)
        return not_covered(l, error);
    l->scales = tqi_get_vector(view, q, TQI_QUANT_SCALE);
    l->zero_points = tqi_get_vector(view, q, TQI_QUANT_ZERO_POINT);
    if (l->scales.count == 0)
        return find_block_scales(l, error);
    l->channels = l->scales.count;
    l->inner = l->stored;
    if (l->channels > 1) {
        int32_t dim = tqi_get_i32(view, q, TQI_QUANT_QUANTIZED_DIMENSION, 0);
        if (dim < 0 || (uint32_t)dim >= l->tensor->rank ||
            (uint64_t)l->tensor->shape[dim] != l->channels)
            return contradicts(l, error);
        l->inner = 1;
        for (uint32_t i = (uint32_t)dim + 1; i < l->tensor->rank; i++)
            l->inner *= (uint64_t)l->tensor->shape[i];
    }
    if (l->zero_points.count > 1 && l->zero_points.count != l->channels)
        return contradicts(l, error);
    return TQ_OK;
}

static float scale_of(const loading *l, uint64_t c) {
    if (l->block_scales.data)
        return tqi_floats(&l->block_scales)[c];
    uint32_t bits = tqi_load_u32(l->graph->view.data + l->scales.at + 4 * c);
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return scale;
}

static float zero_point_of(const loading *l, uint64_t c) {
    if (l->zero_points.count == 0)
        return 0.0f;
    uint64_t at = l->zero_points.count == 1 ? 0 : c;
    return (float)(int64_t)tqi_load_u64(l->graph->view.data + l->zero_points.at + 8 * at);
}

/* Values `at` to `at + n` of the tensor, whose first is in bytes[0]. */
static void dequantize(const loading *l, const uint8_t *bytes, uint64_t at, uint64_t n, float *y) {
    int32_t type = l->tensor->type;
    for (uint64_t done = 0, run; done < n; done += run) {
        run = tqi_min_u64(n - done, l->inner - (at + done) % l->inner);
        uint64_t c = (at + done) / l->inner % l->channels;
        float scale = scale_of(l, c), zero = zero_point_of(l, c);
        if (type == TQI_TYPE_INT8 && zero == 0.0f)
            l->kernels->dequantize_s8_f32(bytes + done, y + done, (size_t)run, scale);
        else
            for (uint64_t i = done; i < done + run; i++)
                y[i] = ((float)quantum(bytes, i, type) - zero) * scale;
    }
}

/* ---- reading ---- */

static void convert(const loading *l, const uint8_t *bytes, uint64_t at, uint64_t n, void *to) {
    switch (l->tensor->type) {
    case TQI_TYPE_FLOAT16:
        l->kernels->f16_to_f32(bytes, (float *)to + at, (size_t)n);
        break;
    case TQI_TYPE_BFLOAT16:
        l->kernels->bf16_to_f32(bytes, (float *)to + at, (size_t)n);
        break;
    case TQI_TYPE_FLOAT64:
        for (uint64_t i = 0; i < n; i++) {
            double x;
            memcpy(&x, bytes + i * sizeof x, sizeof x);
            ((float *)to)[at + i] = (float)x;
        }
        break;
    default:
        if (is_quantized_type(l->tensor->type)) {
            dequantize(l, bytes, at, n, (float *)to + at);
        } else {
            size_t size = tqi_type_size(l->tensor->type);
            memcpy((uint8_t *)to + at * size, bytes, (size_t)n * size);
        }
    }
}

/* All stored values, a piece at a time, so that little scratch memory is needed. */
static tq_status read_values(const loading *l, void *to, tq_error *error) {
    enum { PIECE = 1 << 16, MOST_BYTES = 8 };
    uint64_t whole = tqi_min_u64(l->stored, PIECE) * MOST_BYTES;
    void *scratch = tqi_alloc(l->heap, (size_t)whole);
    if (!scratch)
        return tqi_no_memory(l->heap, whole, error);
    tq_status status = TQ_OK;
    for (uint64_t at = 0, n; at < l->stored && status == TQ_OK; at += n) {
        uint64_t before = 0, size = 0;
        n = tqi_min_u64(l->stored - at, PIECE);
        (void)tqi_type_bytes(l->tensor->type, at, &before);
        (void)tqi_type_bytes(l->tensor->type, n, &size);
        const uint8_t *bytes = l->content->memory;
        uint64_t offset = l->content->offset + before;
        bool in_file = l->content->kind == TQI_CONTENT_FILE;
        if (!in_file)
            bytes += before;
        else
            status =
                tqi_source_fetch(l->graph->source, offset, (size_t)size, scratch, &bytes, error);
        if (status == TQ_OK)
            convert(l, bytes, at, n, to);
        if (status == TQ_OK && in_file)
            tqi_source_done(l->graph->source, offset, (size_t)size);
    }
    tqi_free(l->heap, scratch, (size_t)whole);
    return status;
}

/* In `packed` the stored values come one behind the other. */
static tq_status spread(const loading *l, const uint8_t *packed, tqi_value *value,
                        tq_error *error) {
    uint64_t bytes = l->stored * sizeof(uint64_t);
    uint64_t *place = tqi_alloc(l->heap, (size_t)bytes);
    if (!place)
        return tqi_no_memory(l->heap, bytes, error);
    size_t size = tqi_type_size(value->type);
    uint8_t *to = value->data;
    bool fits = tqi_sparsity_places(&l->graph->view, l->tensor, l->stored, place);
    if (fits) {
        memset(to, 0, tqi_value_bytes(value));
        for (uint64_t i = 0; i < l->stored; i++)
            memcpy(to + place[i] * size, packed + i * size, size);
    }
    tqi_free(l->heap, place, (size_t)bytes);
    return fits ? TQ_OK : contradicts(l, error);
}

static tq_status read_sparse(const loading *l, tqi_value *value, tq_error *error) {
    uint64_t bytes = l->stored * tqi_type_size(value->type);
    uint8_t *packed = tqi_alloc(l->heap, (size_t)bytes);
    if (!packed)
        return tqi_no_memory(l->heap, bytes, error);
    tq_status status = read_values(l, packed, error);
    if (status == TQ_OK)
        status = spread(l, packed, value, error);
    tqi_free(l->heap, packed, (size_t)bytes);
    return status;
}

/* ---- all of it ---- */

static tq_status measure(loading *l, uint64_t elements, tq_error *error) {
    uint32_t bits = tqi_type_bits(l->tensor->type);
    uint64_t needed = 0;
    l->stored = elements;
    if (l->tensor->sparsity) {
        if (bits < 8 || is_quantized_type(l->tensor->type))
            return not_covered(l, error);
        l->stored = l->content->size / (bits / 8);
    }
    if (!tqi_type_bytes(l->tensor->type, l->stored, &needed) || l->content->size < needed ||
        l->stored > elements)
        return contradicts(l, error);
    if (l->content->kind == TQI_CONTENT_PRODUCED)
        return not_covered(l, error);
    return is_quantized_type(l->tensor->type) && elements > 0 ? find_scales(l, error) : TQ_OK;
}

tq_status tqi_constant_load(const tqi_graph *graph, uint32_t subgraph, uint32_t storage,
                            const tqi_kernels *kernels, tqi_heap *heap, tqi_value *value,
                            tq_error *error) {
    const tqi_tensor *tensor = &graph->subgraphs[subgraph].tensors[storage];
    loading l = {.graph = graph,
                 .subgraph = subgraph,
                 .index = storage,
                 .tensor = tensor,
                 .content = tqi_tensor_content(graph, tensor),
                 .kernels = kernels,
                 .heap = heap};
    uint64_t elements;
    bool kept = is_kept_type(tensor->type);
    tqi_value made = {0};
    if (!kept && !is_float_type(tensor->type) && !is_quantized_type(tensor->type))
        return not_covered(&l, error);
    if (tensor->rank > TQI_MAX_RANK || !tqi_tensor_elements(tensor, &elements))
        return not_covered(&l, error);
    tq_status status = measure(&l, elements, error);
    if (status == TQ_OK)
        status = tqi_value_new(heap, kept ? tensor->type : TQI_TYPE_FLOAT32, tensor->rank,
                               tensor->shape, &made, error);
    if (status == TQ_OK)
        status =
            tensor->sparsity ? read_sparse(&l, &made, error) : read_values(&l, made.data, error);
    tqi_value_free(heap, &l.block_scales);
    if (status == TQ_OK)
        *value = made;
    else
        tqi_value_free(heap, &made);
    return status;
}
