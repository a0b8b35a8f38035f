/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/plan.h"

#include <string.h>

#include "tflite/op_facts.h"
#include "tflite/op_support.h"

/* Unpacking a constant that is not quantized is worth its bytes up to this size: it saves an
 * operator and two tensors. Beyond, float16 and sparse forms stay. */
enum { FOLD_ELEMENTS = 4096 };

/* Up to this it is worth more than its bytes. */
enum { FOLD_GAIN = 96 };

/* Constants that are no weights become float16 from this size. */
enum { FLOAT16_ELEMENTS = 512 };

/* Tables of a DEQUANTIZE and its output tensor, without the name. */
enum { DEQUANTIZE_BYTES = 160 };

/* The table of scales and its vectors' heads. */
enum { CHANNEL_BYTES = 64 };

/* What a sparse constant takes beside its data: DENSIFY, its output, often DEQUANTIZE too. */
enum { DENSIFY_BYTES = 320 };

typedef struct planner {
    const tqi_graph *graph;
    const tq_recipe *recipe;
    uint32_t target;
    tqi_plan *plan;
    bool *in_composite; /* by subgraph: it is a decomposition */
} planner;

static const tqi_tensor *tensor_of(const tqi_graph *graph, const tqi_constant *c) {
    return &graph->subgraphs[c->subgraph].tensors[c->tensor];
}

static uint64_t channels(const tqi_graph *graph, const tqi_constant *c, int32_t dim) {
    return (uint64_t)tensor_of(graph, c)->shape[dim];
}

uint64_t tqi_planned_bytes(const tqi_graph *graph, const tqi_constant *c,
                           const tqi_decision *decision) {
    switch (decision->action) {
    case TQI_ACTION_FOLD:
        return 4 * c->elements;
    case TQI_ACTION_FLOAT16:
        return 2 * c->elements;
    case TQI_ACTION_DYNAMIC:
    case TQI_ACTION_WEIGHT_ONLY:
        return c->elements + 12 * channels(graph, c, decision->channel_dim);
    case TQI_ACTION_DYNAMIC_INT4:
        return c->elements / 2 + 2 * (c->elements / decision->block);
    default:
        return c->bytes;
    }
}

/* ---- what operators want ---- */

typedef struct demand {
    tqi_mode mode;
    int32_t channel_dim;
    bool weight, bias, other, custom; /* kinds of uses */
    bool conflict;                    /* weights of different dimensions or modes */
    bool refused;                     /* by the runtime */
    bool elsewhere;                   /* another form, or none, for the target's sake */
} demand;

/* The target takes a weight of this operator, or a constant that it unpacks, in this form. */
static bool takes(const planner *p, const tqi_subgraph *s, const tqi_operator *op, tqi_mode mode) {
    int32_t builtin = tqi_builtin(p->graph, op), version = 0;
    switch (mode) {
    case TQI_MODE_WEIGHT_ONLY:
        return tqi_target_takes(p->target, builtin, 0, TQI_WEIGHT_CHANNELS_UNPACKED);
    case TQI_MODE_FLOAT16:
        return tqi_target_takes(p->target, builtin, 0, TQI_WEIGHT_HALF_UNPACKED);
    case TQI_MODE_DYNAMIC:
        version = tqi_hybrid_version(p->graph, s, op);
        break;
    case TQI_MODE_DYNAMIC_INT4:
        version = tqi_int4_blocks_version(p->graph, op);
        break;
    default:
        return true;
    }
    return tqi_target_takes(p->target, builtin, version, TQI_WEIGHT_DIRECT);
}

/* GPU delegates (LiteRT f6745779, August 2026) take no DEQUANTIZE by channel (version 5); int8
 * filters of convolutions they take directly, and unpack them. FULLY_CONNECTED with either form
 * fails in ML Drift (LiteRT#9277, LiteRT#9523), and what is left they all take as float16. */
static tqi_mode mode_for_gpu(const planner *p, const tqi_subgraph *s, const tqi_operator *op) {
    int32_t builtin = tqi_builtin(p->graph, op);
    bool convolution = builtin == TQI_OP_CONV_2D || builtin == TQI_OP_DEPTHWISE_CONV_2D;
    return convolution && tqi_runs_hybrid(p->graph, s, op) && takes(p, s, op, TQI_MODE_DYNAMIC)
               ? TQI_MODE_DYNAMIC
               : TQI_MODE_FLOAT16;
}

/* What becomes of a weight there; COPY: the target takes none of it. */
static tqi_mode mode_for_target(const planner *p, const tqi_subgraph *s, const tqi_operator *op,
                                tqi_mode wanted) {
    if (p->target == TQ_TARGET_GPU && wanted != TQI_MODE_COPY && wanted != TQI_MODE_FLOAT16)
        return mode_for_gpu(p, s, op);
    return takes(p, s, op, wanted) ? wanted : TQI_MODE_COPY;
}

static void add_weight(const planner *p, const tqi_subgraph *s, const tqi_operator *op,
                       uint32_t input, demand *d) {
    tqi_mode wanted = tqi_recipe_mode(p->recipe, tqi_builtin(p->graph, op));
    tqi_mode mode = mode_for_target(p, s, op, wanted);
    d->elsewhere =
        d->elsewhere || (mode != wanted && (mode == TQI_MODE_FLOAT16 || mode == TQI_MODE_COPY));
    int32_t dim = tqi_channel_dim(p->graph, s, op, input);
    if (d->weight && (mode != d->mode || dim != d->channel_dim))
        d->conflict = true;
    d->weight = true;
    d->mode = mode;
    d->channel_dim = dim;
    if (mode == TQI_MODE_DYNAMIC && !tqi_runs_hybrid(p->graph, s, op))
        d->refused = true;
    if (mode == TQI_MODE_DYNAMIC_INT4 && !tqi_runs_int4_blocks(p->graph, s, op, TQI_BLOCK))
        d->refused = true;
    if (dim < 0 && mode != TQI_MODE_FLOAT16)
        d->refused = true;
}

/* What is no weight becomes float16 or nothing. */
static void add_other(const planner *p, const tqi_subgraph *s, const tqi_operator *op, demand *d) {
    tqi_mode wanted = tqi_recipe_mode(p->recipe, tqi_builtin(p->graph, op));
    if (d->weight)
        return;
    d->mode = wanted == TQI_MODE_FLOAT16 && !takes(p, s, op, wanted) ? TQI_MODE_COPY : wanted;
    d->elsewhere = d->elsewhere || d->mode != wanted;
}

static demand find_demand(const planner *p, const tqi_constant *c) {
    const tqi_subgraph *s = &p->graph->subgraphs[c->subgraph];
    const tqi_uses *uses = &p->plan->constants.uses[c->subgraph];
    demand d = {.mode = TQI_MODE_COPY, .channel_dim = -1};
    for (uint32_t i = uses->first[c->tensor]; i < uses->first[c->tensor + 1]; i++) {
        const tqi_operator *op = &s->operators[uses->list[i].op];
        int32_t builtin = tqi_builtin(p->graph, op);
        tqi_role role = tqi_input_role(builtin, uses->list[i].input);
        if (role == TQI_ROLE_WEIGHT)
            add_weight(p, s, op, uses->list[i].input, &d);
        else if (builtin == TQI_OP_CUSTOM)
            d.custom = true;
        else {
            d.bias = d.bias || role == TQI_ROLE_BIAS;
            d.other = d.other || role == TQI_ROLE_OTHER;
            add_other(p, s, op, &d);
        }
    }
    return d;
}

/* ---- decisions ---- */

static tqi_decision keep(uint32_t reason) {
    return (tqi_decision){TQI_ACTION_KEEP, reason, -1, 0};
}

/* A float constant that is not to be quantized: as it is, or plain float32. */
static tqi_decision leave(const planner *p, const tqi_constant *c, uint32_t reason) {
    bool packed = c->dequantize >= 0 || c->densify >= 0;
    bool smaller = 4 * c->elements <= c->bytes;
    uint64_t most = p->recipe->mixes ? FOLD_GAIN : FOLD_ELEMENTS;
    if (packed && c->well_formed && (c->elements <= most || reason == TQ_REASON_BIAS) &&
        (!c->sparse || smaller))
        return (tqi_decision){TQI_ACTION_FOLD, reason, -1, 0};
    return keep(reason);
}

static tqi_decision decide_float16(const planner *p, const tqi_constant *c, const demand *d) {
    uint64_t saved = 2 * c->elements;
    if (c->stored_type == TQI_TYPE_FLOAT16)
        return keep(TQ_REASON_FLOAT16_ALREADY);
    if (d->custom)
        return keep(TQ_REASON_CUSTOM_OPERATOR);
    if (d->bias)
        return keep(TQ_REASON_BIAS);
    if (c->sparse)
        return keep(TQ_REASON_SPARSE_IS_SMALLER);
    if (saved <= DEQUANTIZE_BYTES + strlen(tensor_of(p->graph, c)->name) ||
        (!d->weight && c->elements < FLOAT16_ELEMENTS))
        return keep(TQ_REASON_NOT_SMALLER);
    return (tqi_decision){TQI_ACTION_FLOAT16, TQ_REASON_NONE, -1, 0};
}

static tqi_decision quantized(const demand *d) {
    switch (d->mode) {
    case TQI_MODE_DYNAMIC:
        return (tqi_decision){TQI_ACTION_DYNAMIC, TQ_REASON_NONE, d->channel_dim, 0};
    case TQI_MODE_DYNAMIC_INT4:
        return (tqi_decision){TQI_ACTION_DYNAMIC_INT4, TQ_REASON_NONE, d->channel_dim, TQI_BLOCK};
    default:
        return (tqi_decision){TQI_ACTION_WEIGHT_ONLY, TQ_REASON_NONE, d->channel_dim, 0};
    }
}

static tqi_decision decide_integers(const planner *p, const tqi_constant *c, const demand *d) {
    if (!d->weight)
        return leave(p, c,
                     d->bias     ? TQ_REASON_BIAS
                     : d->custom ? TQ_REASON_CUSTOM_OPERATOR
                                 : TQ_REASON_NOT_COVERED);
    if (d->refused)
        return leave(p, c, TQ_REASON_RUNTIME_REFUSES);
    if (d->bias || d->other || d->custom || d->conflict)
        return leave(p, c, TQ_REASON_FLOAT_USE);
    tqi_decision decision = quantized(d);
    /* zero points don't count: equal vectors are stored once. int8 behind DENSIFY would be smaller
     * still, but XNNPACK computes garbage from it, or refuses the model (LiteRT 2.3). */
    uint64_t dense = decision.block
                         ? tqi_planned_bytes(p->graph, c, &decision)
                         : c->elements + sizeof(float) * channels(p->graph, c, d->channel_dim);
    uint64_t as_float16 = c->stored_type == TQI_TYPE_FLOAT16 ? c->bytes : 2 * c->elements;
    if (p->recipe->mixes && dense + CHANNEL_BYTES >= as_float16)
        return c->stored_type == TQI_TYPE_FLOAT16 || c->sparse || !p->plan->takes_float16
                   ? leave(p, c, TQ_REASON_NOT_SMALLER)
                   : decide_float16(p, c, d);
    if (p->recipe->mixes && c->dequantize < 0 && !c->sparse &&
        dense + DEQUANTIZE_BYTES + strlen(tensor_of(p->graph, c)->name) >= c->bytes)
        return leave(p, c, TQ_REASON_NOT_SMALLER);
    if (c->sparse && dense >= c->bytes + DENSIFY_BYTES)
        return keep(TQ_REASON_SPARSE_IS_SMALLER);
    return decision;
}

static tqi_decision decide(const planner *p, const tqi_constant *c) {
    const tqi_tensor *storage = &p->graph->subgraphs[c->subgraph].tensors[c->storage];
    if (storage->old_quantization &&
        tqi_get_vector(&p->graph->view, storage->old_quantization, TQI_QUANT_SCALE).count > 0)
        return keep(TQ_REASON_QUANTIZED_ALREADY);
    if (!tqi_is_float(c)) {
        int32_t type = c->stored_type;
        bool small = type == TQI_TYPE_INT4 || type == TQI_TYPE_INT2 || type == TQI_TYPE_UINT4;
        return keep(small ? TQ_REASON_QUANTIZED_ALREADY : TQ_REASON_NOT_FLOAT);
    }
    if (!c->well_formed || c->elements == 0)
        return keep(TQ_REASON_BAD_SIZE);
    if (p->in_composite[c->subgraph])
        return keep(TQ_REASON_COMPOSITE);
    const tqi_uses *uses = &p->plan->constants.uses[c->subgraph];
    if (uses->boundary[c->tensor] || uses->boundary[c->storage] ||
        (c->middle >= 0 && uses->boundary[c->middle]))
        return keep(TQ_REASON_GRAPH_BOUNDARY);
    if (!c->has_uses)
        return keep(TQ_REASON_UNUSED);
    demand d = find_demand(p, c);
    if (d.mode == TQI_MODE_COPY)
        return keep(d.elsewhere           ? TQ_REASON_TARGET_REFUSES
                    : d.weight || d.other ? TQ_REASON_NOT_COVERED
                    : d.custom            ? TQ_REASON_CUSTOM_OPERATOR
                                          : TQ_REASON_BIAS);
    if (d.mode == TQI_MODE_FLOAT16) {
        tqi_decision decision = decide_float16(p, c, &d);
        if (d.elsewhere &&
            (decision.reason == TQ_REASON_NONE || decision.reason == TQ_REASON_FLOAT16_ALREADY))
            decision.reason = TQ_REASON_TARGET_REFUSES;
        return decision;
    }
    return decide_integers(p, c, &d);
}

/* Decompositions stand for an operator that delegates know by name: they stay as they are. */
static tq_status find_composites(planner *p, tqi_arena *arena, tq_error *error) {
    enum { DECOMPOSITION = 1 };
    TQI_NEW(arena, &p->in_composite, p->graph->n_subgraphs, error);
    for (uint32_t i = 0; i < p->graph->n_subgraphs; i++) {
        const tqi_subgraph *s = &p->graph->subgraphs[i];
        for (uint32_t j = 0; j < s->n_operators; j++) {
            const tqi_operator *op = &s->operators[j];
            if (tqi_builtin(p->graph, op) != TQI_OP_STABLEHLO_COMPOSITE)
                continue;
            uint32_t options =
                tqi_get_table(&p->graph->view, op->source, TQI_OPERATOR_BUILTIN_OPTIONS_2);
            int32_t body = options ? tqi_get_i32(&p->graph->view, options, DECOMPOSITION, 0) : -1;
            if (body >= 0 && (uint32_t)body < p->graph->n_subgraphs)
                p->in_composite[body] = true;
        }
    }
    return TQ_OK;
}

tq_status tqi_plan_make(tqi_plan *plan, const tqi_graph *graph, const tq_recipe *recipe,
                        uint32_t target, tqi_arena *arena, tq_error *error) {
    planner p = {graph, recipe, target, plan, NULL};
    TQI_TRY(tqi_find_constants(graph, arena, &plan->constants, error));
    TQI_TRY(find_composites(&p, arena, error));
    plan->takes_float16 = tqi_target_takes(target, TQI_OP_DEQUANTIZE, 0, TQI_WEIGHT_HALF_UNPACKED);
    TQI_NEW(arena, &plan->decisions, plan->constants.count, error);
    bool copies = tqi_recipe_copies(recipe);
    for (uint32_t i = 0; i < plan->constants.count; i++)
        plan->decisions[i] =
            copies ? keep(TQ_REASON_RECIPE_COPIES) : decide(&p, &plan->constants.list[i]);
    return TQ_OK;
}

void tqi_plan_refuse(tqi_plan *plan, uint32_t constant, uint32_t reason) {
    plan->decisions[constant] = keep(reason);
}
