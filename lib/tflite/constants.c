/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite/constants.h"

#include "base/checked.h"
#include "tflite/sparsity.h"

/* The operator of this kind that makes `tensor` from one input alone, or -1. */
static int32_t made_by(const tqi_graph *graph, const tqi_subgraph *s, const tqi_uses *uses,
                       uint32_t tensor, int32_t builtin) {
    int32_t index = uses->producer[tensor];
    if (index < 0)
        return -1;
    const tqi_operator *op = &s->operators[index];
    bool fits = tqi_builtin(graph, op) == builtin && op->n_inputs == 1 && op->n_outputs == 1 &&
                op->inputs[0] >= 0;
    return fits ? index : -1;
}

/* Follows `tensor` back to where its values are stored; false: it is not a constant. */
static bool trace(const tqi_graph *graph, const tqi_subgraph *s, const tqi_uses *uses,
                  uint32_t tensor, tqi_constant *c) {
    c->tensor = c->storage = tensor;
    c->middle = c->densify = c->dequantize = -1;
    if (uses->producer[tensor] >= 0 && s->tensors[tensor].type != TQI_TYPE_FLOAT32)
        return false;
    c->dequantize = made_by(graph, s, uses, tensor, TQI_OP_DEQUANTIZE);
    if (c->dequantize >= 0) {
        c->storage = (uint32_t)s->operators[c->dequantize].inputs[0];
        if (s->tensors[c->storage].type != TQI_TYPE_FLOAT16)
            return false; /* integers that are dequantized stay as they are */
    }
    c->densify = made_by(graph, s, uses, c->storage, TQI_OP_DENSIFY);
    if (c->densify >= 0) {
        c->middle = c->dequantize >= 0 ? (int32_t)c->storage : -1;
        c->storage = (uint32_t)s->operators[c->densify].inputs[0];
    }
    return uses->producer[c->storage] < 0 && tqi_is_constant(graph, &s->tensors[c->storage]);
}

static uint64_t quantization_bytes(const tqi_view *view, uint32_t quantization) {
    if (!quantization)
        return 0;
    return 4 * (uint64_t)tqi_get_vector(view, quantization, TQI_QUANT_SCALE).count +
           8 * (uint64_t)tqi_get_vector(view, quantization, TQI_QUANT_ZERO_POINT).count;
}

static void measure(const tqi_graph *graph, const tqi_subgraph *s, const tqi_uses *uses,
                    tqi_constant *c) {
    const tqi_tensor *tensor = &s->tensors[c->tensor], *storage = &s->tensors[c->storage];
    uint64_t stored = tqi_tensor_content(graph, storage)->size, needed = 0;
    c->stored_type = storage->type;
    c->sparse = storage->sparsity != 0;
    c->has_uses = tqi_use_count(uses, c->tensor) > 0;
    c->bytes = stored + quantization_bytes(&graph->view, storage->old_quantization);
    c->well_formed = tqi_tensor_elements(tensor, &c->elements);
    c->values = c->elements;
    if (c->sparse) {
        uint32_t bits = tqi_type_bits(storage->type);
        uint64_t elements;
        c->values = bits >= 8 ? stored / (bits / 8) : 0;
        c->bytes += tqi_sparsity_bytes(&graph->view, storage->sparsity);
        /* a hostile file counts the same index vector many times */
        c->bytes = tqi_min_u64(c->bytes, graph->source->size);
        c->well_formed = c->well_formed && tqi_tensor_elements(storage, &elements) &&
                         elements == c->elements && c->values <= c->elements;
    } else if (tqi_type_bytes(storage->type, c->elements, &needed)) {
        c->well_formed = c->well_formed && stored >= needed;
    }
}

/* The data of a tensor that is reported under the name of what it becomes. */
static bool is_raw_material(const tqi_graph *graph, const tqi_subgraph *s, const tqi_uses *uses,
                            uint32_t tensor, bool follow) {
    uint32_t n = tqi_use_count(uses, tensor), raw = 0;
    int32_t type = s->tensors[tensor].type;
    for (uint32_t i = uses->first[tensor]; i < uses->first[tensor + 1]; i++) {
        const tqi_operator *op = &s->operators[uses->list[i].op];
        int32_t builtin = tqi_builtin(graph, op);
        if (op->n_inputs != 1 || op->n_outputs != 1 || op->outputs[0] < 0)
            continue;
        bool float_out = s->tensors[op->outputs[0]].type == TQI_TYPE_FLOAT32;
        if (builtin == TQI_OP_DEQUANTIZE && type == TQI_TYPE_FLOAT16 && float_out)
            raw++;
        if (builtin == TQI_OP_DENSIFY &&
            (float_out ||
             (follow && is_raw_material(graph, s, uses, (uint32_t)op->outputs[0], false))))
            raw++;
    }
    return n > 0 && raw == n;
}

static bool densified_twice(const tqi_subgraph *s, const tqi_constant *c) {
    return c->densify >= 0 && !s->tensors[c->storage].sparsity;
}

tq_status tqi_find_constants(const tqi_graph *graph, tqi_arena *arena, tqi_constants *constants,
                             tq_error *error) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        most += graph->subgraphs[i].n_tensors;
    TQI_NEW(arena, &constants->uses, graph->n_subgraphs, error);
    TQI_NEW(arena, &constants->list, most, error);
    constants->count = 0;
    for (uint32_t i = 0; i < graph->n_subgraphs; i++) {
        const tqi_subgraph *s = &graph->subgraphs[i];
        tqi_uses *uses = &constants->uses[i];
        TQI_TRY(tqi_find_uses(graph, i, arena, uses, error));
        for (uint32_t j = 0; j < s->n_tensors; j++) {
            tqi_constant c = {.subgraph = i};
            if (!trace(graph, s, uses, j, &c) || densified_twice(s, &c) ||
                is_raw_material(graph, s, uses, j, true))
                continue;
            measure(graph, s, uses, &c);
            constants->list[constants->count++] = c;
        }
    }
    return TQ_OK;
}
