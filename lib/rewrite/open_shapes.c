/* SPDX-License-Identifier: Apache-2.0 */
#include "rewrite/rewriter.h"
#include "tflite/builtins.h"

/* What an operator's output shape depends on, beyond the shapes of its inputs. */
typedef enum shape_source {
    FROM_SHAPES,
    FROM_VALUES, /* of some input: any but constants leave it open */
    FROM_OTHERS, /* the same, but for the first input */
    FROM_DATA,   /* how many there are is only known afterwards */
    FROM_RANK,   /* not even on the shape of the input, only on its rank */
} shape_source;

static shape_source source_of(int32_t builtin) {
    switch (builtin) {
    case TQI_BUILTIN_SHAPE:
    case TQI_BUILTIN_RANK:
        return FROM_RANK;
    case TQI_BUILTIN_WHERE:
    case TQI_BUILTIN_UNIQUE:
    case TQI_BUILTIN_NON_MAX_SUPPRESSION_V4:
    case TQI_BUILTIN_NON_MAX_SUPPRESSION_V5:
    case TQI_BUILTIN_SEGMENT_SUM:
    case TQI_BUILTIN_EMBEDDING_LOOKUP_SPARSE:
    case TQI_BUILTIN_LSH_PROJECTION:
    case TQI_BUILTIN_SKIP_GRAM:
    case TQI_BUILTIN_HASHTABLE_LOOKUP:
    case TQI_BUILTIN_HASHTABLE_FIND:
    case TQI_BUILTIN_READ_VARIABLE:
        return FROM_DATA;
    case TQI_BUILTIN_RESHAPE:
    case TQI_BUILTIN_BROADCAST_TO:
    case TQI_BUILTIN_TILE:
    case TQI_BUILTIN_SLICE:
    case TQI_BUILTIN_STRIDED_SLICE:
    case TQI_BUILTIN_PAD:
    case TQI_BUILTIN_PADV2:
    case TQI_BUILTIN_MIRROR_PAD:
    case TQI_BUILTIN_RESIZE_BILINEAR:
    case TQI_BUILTIN_RESIZE_NEAREST_NEIGHBOR:
    case TQI_BUILTIN_TRANSPOSE:
    case TQI_BUILTIN_EXPAND_DIMS:
    case TQI_BUILTIN_SPLIT_V:
    case TQI_BUILTIN_TOPK_V2:
    case TQI_BUILTIN_BATCH_TO_SPACE_ND:
    case TQI_BUILTIN_SPACE_TO_BATCH_ND:
    case TQI_BUILTIN_MEAN:
    case TQI_BUILTIN_SUM:
    case TQI_BUILTIN_REDUCE_MAX:
    case TQI_BUILTIN_REDUCE_MIN:
    case TQI_BUILTIN_REDUCE_PROD:
    case TQI_BUILTIN_REDUCE_ANY:
    case TQI_BUILTIN_REDUCE_ALL:
    case TQI_BUILTIN_ARG_MAX:
    case TQI_BUILTIN_ARG_MIN:
    case TQI_BUILTIN_DILATE:
    case TQI_BUILTIN_REDUCE_WINDOW:
        return FROM_OTHERS;
    case TQI_BUILTIN_FILL:
    case TQI_BUILTIN_RANGE:
    case TQI_BUILTIN_TRANSPOSE_CONV:
    case TQI_BUILTIN_CONV_3D_TRANSPOSE:
    case TQI_BUILTIN_SPLIT:
    case TQI_BUILTIN_ONE_HOT:
    case TQI_BUILTIN_SPARSE_TO_DENSE:
    case TQI_BUILTIN_SCATTER_ND:
    case TQI_BUILTIN_UNSORTED_SEGMENT_MAX:
    case TQI_BUILTIN_UNSORTED_SEGMENT_MIN:
    case TQI_BUILTIN_UNSORTED_SEGMENT_PROD:
    case TQI_BUILTIN_UNSORTED_SEGMENT_SUM:
    case TQI_BUILTIN_RANDOM_STANDARD_NORMAL:
    case TQI_BUILTIN_RANDOM_UNIFORM:
    case TQI_BUILTIN_MULTINOMIAL:
    case TQI_BUILTIN_RFFT2D:
    case TQI_BUILTIN_BITCAST:
        return FROM_VALUES;
    default:
        return FROM_SHAPES;
    }
}

/* Integers that some operator computes, and that say how large something is to be. Operators with
 * such inputs read them as int32 or int64 vectors or scalars. */
static bool values_are_open(const tqi_net *net, const tqi_operator *op, uint32_t first) {
    for (uint32_t i = first; i < op->n_inputs; i++) {
        int32_t index = op->inputs[i];
        if (index < 0)
            continue;
        const tqi_tensor *tensor = tqi_net_tensor(net, index);
        bool numbers = tensor->type == TQI_TYPE_INT32 || tensor->type == TQI_TYPE_INT64;
        if (numbers && tensor->rank <= 2 && !tqi_net_is_constant(net, index))
            return true;
    }
    return false;
}

static bool is_open_itself(const tqi_tensor *tensor) {
    if (tqi_has_open_signature(tensor))
        return true;
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] < 0)
            return true;
    return tensor->type == TQI_TYPE_STRING || tensor->type == TQI_TYPE_RESOURCE ||
           tensor->type == TQI_TYPE_VARIANT;
}

typedef struct finder {
    const tqi_net *net;
    bool *open;
    int32_t *stack;
    uint32_t n;
} finder;

static void open(finder *f, int32_t tensor) {
    if (tensor < 0 || f->open[tensor])
        return;
    f->open[tensor] = true;
    f->stack[f->n++] = tensor;
}

static void open_outputs(finder *f, uint32_t index) {
    const tqi_operator *op = tqi_net_operator(f->net, index);
    for (uint32_t i = 0; i < op->n_outputs; i++)
        open(f, op->outputs[i]);
}

/* The target says it all, wherever the input comes from. */
static bool states_its_shape(const tqi_net *net, uint32_t index) {
    const tqi_operator *op = tqi_net_operator(net, index);
    return tqi_net_builtin(net, index) == TQI_BUILTIN_BROADCAST_TO && op->n_inputs == 2 &&
           op->inputs[1] >= 0 && tqi_net_is_constant(net, op->inputs[1]);
}

tq_status tqi_find_open_shapes(tqi_rewriter *ctx, tq_error *error) {
    const tqi_net *net = &ctx->net;
    const tqi_subgraph *s = tqi_net_graph(net);
    finder f = {.net = net};
    TQI_NEW(ctx->graph->arena, &f.open, s->n_tensors, error);
    TQI_NEW(ctx->graph->arena, &f.stack, s->n_tensors, error);
    for (uint32_t i = 0; i < s->n_tensors; i++)
        if (!s->tensors[i].removed && is_open_itself(&s->tensors[i]))
            open(&f, (int32_t)i);
    for (uint32_t i = 0; i < s->n_operators; i++) {
        const tqi_operator *op = &s->operators[i];
        if (op->removed)
            continue;
        int32_t builtin = tqi_net_builtin(net, i);
        shape_source source = source_of(builtin);
        if (tqi_is_opaque(builtin) || source == FROM_DATA ||
            (source == FROM_VALUES && values_are_open(net, op, 0)) ||
            (source == FROM_OTHERS && values_are_open(net, op, 1)))
            open_outputs(&f, i);
    }
    while (f.n > 0) {
        int32_t tensor = f.stack[--f.n];
        for (int32_t e = net->readers[tensor]; e >= 0; e = net->edges[e].next) {
            uint32_t op = net->edges[e].op;
            if (source_of(tqi_net_builtin(net, op)) != FROM_RANK && !states_its_shape(net, op))
                open_outputs(&f, op);
        }
    }
    ctx->open = f.open;
    ctx->n_open = s->n_tensors;
    return TQ_OK;
}

bool tqi_is_static(const tqi_rewriter *ctx, int32_t tensor) {
    /* tensors that rewrites add are static */
    return (uint32_t)tensor >= ctx->n_open || !ctx->open[tensor];
}
