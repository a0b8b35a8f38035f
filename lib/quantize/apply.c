/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/apply.h"

#include <string.h>

#include "quantize/encode_blocks.h"
#include "quantize/runtime_version.h"
#include "tflite/edit.h"
#include "tflite/op_facts.h"

typedef struct applier {
    tqi_result *result;
    const tqi_plan *plan;
    const tqi_refinement *refinement;
    const tqi_graph *graph; /* as loaded */
    const tqi_kernels *kernels;
    tqi_arena *arena;
    uint32_t *same;       /* by buffer: the first with these contents */
    tqi_encoder **chains; /* by buffer: encoders of its contents */
    uint32_t **remaining; /* by subgraph and tensor: operators that still read it */
    uint32_t empty;       /* a buffer without data */
    uint64_t channels;    /* of all encoders */
    bool refused;
    tq_error *error;
} applier;

static tqi_subgraph *edited(const applier *a, const tqi_constant *c) {
    return &a->result->graph.subgraphs[c->subgraph];
}

/* ---- encoders: one for all constants that become the same ---- */

static void set_geometry(tqi_encoder *e, const tqi_tensor *tensor, int32_t dim) {
    e->outer = e->channels = e->inner = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        uint64_t size = (uint64_t)tensor->shape[i];
        if ((int32_t)i < dim)
            e->outer *= size;
        else if ((int32_t)i == dim)
            e->channels = size;
        else
            e->inner *= size;
    }
}

static bool same_encoding(const tqi_encoder *a, const tqi_encoder *b) {
    bool shape = a->elements == b->elements && a->from_type == b->from_type && !a->sparse &&
                 !b->sparse && a->to_type == b->to_type && a->block == b->block;
    return shape && (a->to_type != TQI_TYPE_INT8 ||
                     (a->outer == b->outer && a->channels == b->channels && a->inner == b->inner));
}

/* Scales are held in memory; an honest model has no more channels than weights. */
static tq_status count_channels(applier *a, const tqi_constant *c, uint64_t channels) {
    a->channels += channels;
    if (a->channels <= a->graph->source->size)
        return TQ_OK;
    tq_status status = tqi_fail(a->error, TQ_ERR_UNSUPPORTED,
                                "the same weights are used under too many different shapes");
    a->error->subgraph = (int32_t)c->subgraph;
    a->error->tensor = (int32_t)c->tensor;
    return status;
}

static const tqi_refined *refined_of(const applier *a, const tqi_constant *c) {
    if (!a->refinement->constants)
        return NULL;
    const tqi_refined *refined = &a->refinement->constants[c - a->plan->constants.list];
    return refined->codes ? refined : NULL;
}

static tq_status add_encoder(applier *a, const tqi_constant *c, const tqi_decision *decision,
                             int32_t to_type, tqi_encoder **out) {
    const tqi_subgraph *s = &a->graph->subgraphs[c->subgraph];
    const tqi_tensor *tensor = &s->tensors[c->tensor], *storage = &s->tensors[c->storage];
    tqi_encoder *e = NULL;
    TQI_NEW(a->arena, &e, 1, a->error);
    e->kernels = a->kernels;
    e->source = a->graph->source;
    e->view = &a->graph->view;
    e->sparse = c->sparse ? storage : NULL;
    e->from = *tqi_tensor_content(a->graph, storage);
    e->from_type = c->stored_type;
    e->to_type = to_type;
    e->elements = c->elements;
    e->values = c->values;
    e->block = decision->block;
    if (to_type == TQI_TYPE_INT8)
        set_geometry(e, tensor, decision->channel_dim);
    const tqi_refined *refined = refined_of(a, c);
    if (refined && e->block) {
        TQI_TRY(tqi_encoder_init_block_codes(e, refined->codes, refined->scale, refined->sums,
                                             a->arena, a->error));
        *out = e;
        return TQ_OK;
    }
    if (refined && to_type == TQI_TYPE_INT8) {
        TQI_TRY(tqi_encoder_init_codes(e, refined->codes, refined->scale, refined->sums, a->arena,
                                       a->error));
        *out = e;
        return TQ_OK;
    }
    uint32_t buffer = a->same[storage->buffer];
    for (tqi_encoder *known = a->chains[buffer]; known; known = known->next) {
        if (same_encoding(known, e)) {
            *out = known;
            return TQ_OK;
        }
    }
    if (to_type == TQI_TYPE_INT8) {
        TQI_TRY(count_channels(a, c, e->channels));
        TQI_NEW(a->arena, &e->scale, e->channels, a->error);
    }
    TQI_TRY(e->block ? tqi_encoder_init_blocks(e, a->arena, a->error)
                     : tqi_encoder_init(e, a->arena, a->error));
    e->next = a->chains[buffer];
    a->chains[buffer] = e;
    *out = e;
    return TQ_OK;
}

/* Small results are made at once: only so can equal ones be found that come from different
 * constants, as the codes of channels with one weight do. */
static tq_status add_made(applier *a, tqi_producer *producer, const void *known, uint32_t *buffer) {
    enum { SMALL = 4096 };
    tqi_content content = {TQI_CONTENT_PRODUCED, producer->size, 0, NULL, producer};
    if (known) {
        content = (tqi_content){TQI_CONTENT_MEMORY, producer->size, 0, known, NULL};
    } else if (producer->size <= SMALL && producer->tiles == 1) {
        uint8_t *memory = NULL;
        TQI_NEW(a->arena, &memory, producer->size, a->error);
        TQI_TRY(tqi_producer_run(producer, a->arena->heap, memory, a->error));
        content = (tqi_content){TQI_CONTENT_MEMORY, producer->size, 0, memory, NULL};
    }
    return tqi_add_buffer(&a->result->graph, &content, buffer, a->error);
}

static tq_status add_result(applier *a, tqi_encoder *e) {
    if (e->buffer != 0)
        return TQ_OK;
    TQI_TRY(add_made(a, &e->producer, e->codes, &e->buffer));
    return e->block ? add_made(a, &e->scales.producer, e->block_scales, &e->scales_buffer) : TQ_OK;
}

/* ---- the way to the stored data goes ---- */

static void remove_operator(applier *a, const tqi_constant *c, int32_t index) {
    tqi_subgraph *s = edited(a, c);
    tqi_operator *op = &s->operators[index];
    uint32_t *remaining = a->remaining[c->subgraph];
    uint32_t input = (uint32_t)op->inputs[0];
    if (op->removed)
        return;
    op->removed = true;
    if (--remaining[input] > 0 || a->plan->constants.uses[c->subgraph].boundary[input])
        return;
    s->tensors[input].removed = true;
    int32_t maker = a->plan->constants.uses[c->subgraph].producer[input];
    if (maker >= 0)
        remove_operator(a, c, maker);
}

/* ---- the constant's new form ---- */

static tq_status name_with(applier *a, const char *name, const char *suffix, const char **out) {
    *out = "";
    if (!name[0])
        return TQ_OK;
    char *text = NULL;
    size_t length = strlen(name), more = strlen(suffix) + 1;
    TQI_NEW(a->arena, &text, length + more, a->error);
    memcpy(text, name, length);
    memcpy(text + length, suffix, more);
    *out = text;
    return TQ_OK;
}

static tq_status put_dequantize(applier *a, const tqi_constant *c, int32_t version) {
    const tqi_uses *uses = &a->plan->constants.uses[c->subgraph];
    const tqi_tensor *tensor = &edited(a, c)->tensors[c->tensor];
    tqi_tensor plain = {
        .shape = tensor->shape, .rank = tensor->rank, .type = TQI_TYPE_FLOAT32, .buffer = a->empty};
    TQI_TRY(name_with(a, tensor->name, "_dequant", &plain.name));
    int32_t index;
    TQI_TRY(tqi_add_tensor(&a->result->graph, c->subgraph, &plain, &index, a->error));
    uint32_t first = uses->first[c->tensor], end = uses->first[c->tensor + 1];
    for (uint32_t i = first; i < end; i++)
        edited(a, c)->operators[uses->list[i].op].inputs[uses->list[i].input] = index;
    return tqi_add_operator(&a->result->graph, c->subgraph, TQI_OP_DEQUANTIZE, version,
                            uses->list[first].op, (int32_t)c->tensor, index, a->error);
}

/* The tensor of the scales that the constant's blocks have. */
static tq_status put_scales(applier *a, const tqi_constant *c, const tqi_encoder *e) {
    tqi_tensor *tensor = &edited(a, c)->tensors[c->tensor];
    tqi_quantization *q = tensor->quantization;
    tqi_tensor scales = {
        .rank = tensor->rank, .type = TQI_TYPE_FLOAT16, .buffer = e->scales_buffer};
    int32_t *shape = NULL;
    TQI_NEW(a->arena, &shape, tensor->rank, a->error);
    memcpy(shape, tensor->shape, tensor->rank * sizeof *shape);
    shape[tensor->rank - 1] /= (int32_t)e->block;
    scales.shape = shape;
    TQI_TRY(name_with(a, tensor->name, "_scales", &scales.name));
    *q = (tqi_quantization){.count = (uint32_t)(e->elements / e->block), .block = e->block};
    return tqi_add_tensor(&a->result->graph, c->subgraph, &scales, &q->scales, a->error);
}

static tq_status raise_versions(applier *a, const tqi_constant *c, bool blocks) {
    const tqi_subgraph *s = &a->graph->subgraphs[c->subgraph];
    const tqi_uses *uses = &a->plan->constants.uses[c->subgraph];
    for (uint32_t i = uses->first[c->tensor]; i < uses->first[c->tensor + 1]; i++) {
        uint32_t op = uses->list[i].op;
        int32_t version = blocks ? tqi_int4_blocks_version(a->graph, &s->operators[op])
                                 : tqi_hybrid_version(a->graph, s, &s->operators[op]);
        TQI_TRY(
            tqi_raise_version(&a->result->graph, &edited(a, c)->operators[op], version, a->error));
    }
    return TQ_OK;
}

static tq_status apply_one(applier *a, uint32_t index) {
    static const int32_t types[] = {[TQI_ACTION_FOLD] = TQI_TYPE_FLOAT32,
                                    [TQI_ACTION_DYNAMIC] = TQI_TYPE_INT8,
                                    [TQI_ACTION_WEIGHT_ONLY] = TQI_TYPE_INT8,
                                    [TQI_ACTION_FLOAT16] = TQI_TYPE_FLOAT16,
                                    [TQI_ACTION_DYNAMIC_INT4] = TQI_TYPE_INT4};
    const tqi_constant *c = &a->plan->constants.list[index];
    const tqi_decision *decision = &a->plan->decisions[index];
    if (decision->action == TQI_ACTION_KEEP)
        return TQ_OK;
    tqi_encoder *e;
    TQI_TRY(add_encoder(a, c, decision, types[decision->action], &e));
    a->result->encoders[index] = e;
    tq_status status = add_result(a, e);
    if (status == (tq_status)TQI_NOT_ENCODABLE) {
        a->refused = true; /* go on: all such constants are found in one go */
        return TQ_OK;
    }
    TQI_TRY(status);
    a->result->changed = true;

    tqi_tensor *tensor = &edited(a, c)->tensors[c->tensor];
    tensor->edited = true;
    tensor->type = e->to_type;
    tensor->buffer = e->buffer;
    tensor->sparsity = 0;
    if (e->scale || e->block)
        TQI_NEW(a->arena, &tensor->quantization, 1, a->error);
    if (e->scale)
        *tensor->quantization = (tqi_quantization){
            .count = (uint32_t)e->channels, .dim = decision->channel_dim, .scale = e->scale};
    if (e->block)
        TQI_TRY(put_scales(a, c, e));
    if (c->dequantize >= 0)
        remove_operator(a, c, c->dequantize);
    else if (c->densify >= 0)
        remove_operator(a, c, c->densify);

    switch (decision->action) {
    case TQI_ACTION_DYNAMIC:
        return raise_versions(a, c, false);
    case TQI_ACTION_DYNAMIC_INT4:
        return raise_versions(a, c, true);
    case TQI_ACTION_WEIGHT_ONLY:
        return put_dequantize(a, c, TQI_DEQUANTIZE_CHANNEL_VERSION);
    case TQI_ACTION_FLOAT16:
        return put_dequantize(a, c, TQI_DEQUANTIZE_FLOAT16_VERSION);
    default:
        return TQ_OK;
    }
}

/* A bias of its own for an operator, as others may share the old one. */
static tq_status put_bias(applier *a, const tqi_new_bias *bias) {
    tqi_subgraph *s = &a->result->graph.subgraphs[bias->subgraph];
    const tqi_uses *uses = &a->plan->constants.uses[bias->subgraph];
    uint32_t old =
        (uint32_t)a->graph->subgraphs[bias->subgraph].operators[bias->op].inputs[bias->input];
    tqi_content content = {TQI_CONTENT_MEMORY, sizeof(float) * (uint64_t)bias->count, 0,
                           bias->values, NULL};
    int32_t *shape = NULL, index;
    TQI_NEW(a->arena, &shape, 1, a->error);
    shape[0] = (int32_t)bias->count;
    tqi_tensor tensor = {
        .name = s->tensors[old].name, .shape = shape, .rank = 1, .type = TQI_TYPE_FLOAT32};
    TQI_TRY(tqi_add_buffer(&a->result->graph, &content, &tensor.buffer, a->error));
    TQI_TRY(tqi_add_tensor(&a->result->graph, bias->subgraph, &tensor, &index, a->error));
    s->operators[bias->op].inputs[bias->input] = index;
    if (--a->remaining[bias->subgraph][old] == 0 && !uses->boundary[old])
        s->tensors[old].removed = true;
    return TQ_OK;
}

static tq_status prepare(applier *a) {
    const tqi_graph *graph = a->graph;
    tqi_result *result = a->result;
    TQI_TRY(tqi_graph_clone(&result->graph, graph, a->arena, a->error));
    TQI_NEW(a->arena, &result->encoders, a->plan->constants.count, a->error);
    TQI_NEW(a->arena, &a->same, graph->n_buffers, a->error);
    TQI_NEW(a->arena, &a->chains, graph->n_buffers, a->error);
    TQI_NEW(a->arena, &a->remaining, graph->n_subgraphs, a->error);
    TQI_TRY(tqi_equal_buffers(&result->graph, a->same, a->error));
    for (uint32_t i = 0; i < graph->n_subgraphs; i++) {
        uint32_t n = graph->subgraphs[i].n_tensors;
        TQI_NEW(a->arena, &a->remaining[i], n, a->error);
        for (uint32_t j = 0; j < n; j++)
            a->remaining[i][j] = tqi_use_count(&a->plan->constants.uses[i], j);
    }
    if (graph->n_buffers > 0 && graph->buffers[0].content.size == 0)
        return TQ_OK;
    tqi_content none = {0};
    TQI_TRY(tqi_add_buffer(&result->graph, &none, &a->empty, a->error));
    result->graph.buffers[a->empty].has_data = false;
    return TQ_OK;
}

tq_status tqi_apply(tqi_result *result, const tqi_plan *plan, const tqi_refinement *refinement,
                    const tqi_graph *graph, const tqi_kernels *kernels, tqi_arena *arena,
                    tq_error *error) {
    *result = (tqi_result){0};
    applier a = {.result = result,
                 .plan = plan,
                 .refinement = refinement,
                 .graph = graph,
                 .kernels = kernels,
                 .arena = arena,
                 .error = error};
    TQI_TRY(prepare(&a));
    for (uint32_t i = 0; i < plan->constants.count; i++)
        TQI_TRY(apply_one(&a, i));
    if (a.refused)
        return (tq_status)TQI_NOT_ENCODABLE;
    for (uint32_t i = 0; i < refinement->n_biases; i++)
        TQI_TRY(put_bias(&a, &refinement->biases[i]));
    if (result->changed)
        TQI_TRY(tqi_raise_runtime_version(&result->graph, arena, error));
    return tqi_graph_compact(&result->graph, error);
}
