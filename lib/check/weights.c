/* SPDX-License-Identifier: Apache-2.0 */
#include "check/weights.h"

#include <float.h>
#include <math.h>

#include "base/checked.h"
#include "tflite/builtins.h"
#include "tflite/op_facts.h"

const tqi_operator *tqi_weight_op(const tqi_check *check, const tqi_weight *weight) {
    return &check->graph->subgraphs[weight->subgraph].operators[weight->op];
}

tqi_place tqi_weight_place(const tqi_check *check, const tqi_weight *weight) {
    return (tqi_place){(int32_t)weight->subgraph, (int32_t)weight->op, (int32_t)weight->input,
                       tqi_weight_op(check, weight)->inputs[weight->input]};
}

float tqi_half_value(uint16_t bits) {
    uint32_t sign = bits >> 15, exponent = bits >> 10 & 31, fraction = bits & 1023;
    float value = exponent == 31 ? (fraction ? NAN : INFINITY)
                  : exponent     ? ldexpf((float)(1024 + fraction), (int)exponent - 25)
                                 : ldexpf((float)fraction, -24);
    return sign ? -value : value;
}

const tqi_tensor *tqi_stored_floats(const tqi_check *check, const tqi_at *at, uint32_t input) {
    const tqi_tensor *tensor = tqi_at_in(at, input);
    if (!tensor)
        return NULL;
    int32_t maker = check->uses[at->subgraph_index].producer[at->op->inputs[input]];
    if (maker >= 0) {
        const tqi_operator *op = &at->subgraph->operators[maker];
        if (tqi_builtin(check->graph, op) != TQI_BUILTIN_DEQUANTIZE || op->n_inputs != 1 ||
            op->inputs[0] < 0)
            return NULL;
        tensor = &at->subgraph->tensors[op->inputs[0]];
    }
    bool is_float = tensor->type == TQI_TYPE_FLOAT32 || tensor->type == TQI_TYPE_FLOAT16;
    bool plain = tqi_is_constant(check->graph, tensor) && !tensor->sparsity &&
                 tqi_tensor_content(check->graph, tensor)->kind != TQI_CONTENT_PRODUCED;
    return is_float && plain ? tensor : NULL;
}

/* ---- reading ---- */

/* Values `at` to `at + n`, of which `inner` in a row belong to a channel. */
static void look(tqi_weight *w, const uint8_t *bytes, bool is_half, uint64_t at, uint64_t n,
                 uint64_t inner) {
    uint64_t left = inner - at % inner;
    uint32_t channel = (uint32_t)(at / inner % w->channels);
    for (uint64_t i = 0; i < n; i++) {
        float x;
        if (is_half)
            x = tqi_half_value(tqi_load_u16(bytes + 2 * i));
        else
            memcpy(&x, bytes + 4 * i, sizeof x);
        x = fabsf(x);
        if (!(x <= FLT_MAX))
            w->not_finite++;
        else if (x > w->largest[channel])
            w->largest[channel] = x;
        if (--left == 0) {
            left = inner;
            channel = channel + 1 == w->channels ? 0 : channel + 1;
        }
    }
}

static tq_status read_all(tqi_check *check, tqi_weight *w, const tqi_tensor *tensor,
                          uint64_t elements, uint64_t inner, tq_error *error) {
    enum { PIECE = 1 << 14 };
    const tqi_content *content = tqi_tensor_content(check->graph, tensor);
    bool is_half = tensor->type == TQI_TYPE_FLOAT16;
    size_t size = is_half ? 2 : 4, whole = PIECE * size;
    void *scratch = tqi_alloc(check->heap, whole);
    tq_status status = TQ_OK;
    if (!scratch)
        return tqi_no_memory(check->heap, whole, error);
    for (uint64_t at = 0, n; at < elements && status == TQ_OK; at += n) {
        n = tqi_min_u64(elements - at, PIECE);
        uint64_t offset = content->offset + at * size;
        const uint8_t *bytes = content->memory;
        bool in_file = content->kind == TQI_CONTENT_FILE;
        if (!in_file)
            bytes += at * size;
        else
            status = tqi_source_fetch(check->graph->source, offset, (size_t)n * size, scratch,
                                      &bytes, error);
        if (status != TQ_OK)
            break;
        look(w, bytes, is_half, at, n, inner);
        if (in_file)
            tqi_source_done(check->graph->source, offset, (size_t)n * size);
    }
    tqi_free(check->heap, scratch, whole);
    return status;
}

/* ---- one and all ---- */

static tq_status add(tqi_check *check, const tqi_at *at, uint32_t input, bool *seen,
                     tq_error *error) {
    const tqi_tensor *tensor = tqi_stored_floats(check, at, input);
    uint64_t elements = 0, bytes = 0, inner = 1;
    if (!tensor || seen[tensor->buffer] || !tqi_tensor_elements(tensor, &elements) ||
        elements == 0 || !tqi_type_bytes(tensor->type, elements, &bytes) ||
        tqi_tensor_content(check->graph, tensor)->size < bytes)
        return TQ_OK;
    seen[tensor->buffer] = true;
    int32_t dim = tqi_channel_dim(check->graph, at->subgraph, at->op, input);
    tqi_weight *w = &check->weights->list[check->weights->count];
    *w = (tqi_weight){
        .subgraph = at->subgraph_index, .op = at->op_index, .input = input, .channels = 1};
    if (dim >= 0 && (uint32_t)dim < tensor->rank) {
        w->channels = (uint32_t)tensor->shape[dim];
        for (uint32_t d = (uint32_t)dim + 1; d < tensor->rank; d++)
            inner *= (uint64_t)tensor->shape[d];
    } else {
        inner = elements;
    }
    w->depth = elements / w->channels;
    TQI_NEW(check->arena, &w->largest, w->channels, error);
    TQI_TRY(read_all(check, w, tensor, elements, inner, error));
    check->weights->count++;
    return TQ_OK;
}

static tq_status read_weights(tqi_check *check, bool *seen, tq_error *error) {
    const tqi_graph *graph = check->graph;
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) {
        const tqi_subgraph *subgraph = &graph->subgraphs[s];
        for (uint32_t i = 0; i < subgraph->n_operators; i++) {
            const tqi_operator *op = &subgraph->operators[i];
            const tqi_at at = {.subgraph_index = s,
                               .op_index = i,
                               .subgraph = subgraph,
                               .op = op,
                               .builtin = tqi_builtin(graph, op)};
            for (uint32_t k = 0; k < op->n_inputs; k++)
                if (tqi_input_role(at.builtin, k) == TQI_ROLE_WEIGHT)
                    TQI_TRY(add(check, &at, k, seen, error));
        }
    }
    return TQ_OK;
}

tq_status tqi_find_weights(tqi_check *check, const tqi_weights **weights, tq_error *error) {
    if (!check->weights) {
        bool *seen = NULL; /* by buffer */
        TQI_NEW(check->arena, &check->weights, 1, error);
        TQI_NEW(check->arena, &seen, check->graph->n_buffers, error);
        TQI_NEW(check->arena, &check->weights->list, check->graph->n_buffers, error);
        TQI_TRY(read_weights(check, seen, error));
    }
    *weights = check->weights;
    return TQ_OK;
}
