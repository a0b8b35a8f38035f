/* SPDX-License-Identifier: Apache-2.0 */
#include "check/shapes.h"

#include <inttypes.h>
#include <stdio.h>

#include "check/infer.h"
#include "tflite/builtins.h"

/* How an operator is understood. Others have outputs of unknown shape. */
typedef struct kind {
    uint8_t builtin;
    uint8_t least, most; /* inputs */
    uint8_t outputs;     /* 0: as many as it has */
    tqi_infer_operator *run;
} kind;

enum { MANY = 255 };
#define KIND(name, least, most, outputs, run)                                                      \
    { TQI_BUILTIN_##name, least, most, outputs, run }

static tqi_infer_operator infer_composite;

static const kind kinds[] = {
    KIND(ADD, 2, 2, 1, tqi_infer_binary),
    KIND(AVERAGE_POOL_2D, 1, 1, 1, tqi_infer_pool),
    KIND(CONCATENATION, 1, MANY, 1, tqi_infer_concatenation),
    KIND(CONV_2D, 2, 3, 1, tqi_infer_conv_2d),
    KIND(DEPTHWISE_CONV_2D, 2, 3, 1, tqi_infer_depthwise),
    KIND(DEPTH_TO_SPACE, 1, 1, 1, tqi_infer_depth_to_space),
    KIND(DEQUANTIZE, 1, 1, 1, tqi_infer_unary_any),
    KIND(EMBEDDING_LOOKUP, 2, 2, 1, tqi_infer_embedding),
    KIND(FLOOR, 1, 1, 1, tqi_infer_unary_any),
    KIND(FULLY_CONNECTED, 2, 3, 1, tqi_infer_fully_connected),
    KIND(L2_NORMALIZATION, 1, 1, 1, tqi_infer_unary_any),
    KIND(L2_POOL_2D, 1, 1, 1, tqi_infer_pool),
    KIND(LOGISTIC, 1, 1, 1, tqi_infer_unary),
    KIND(MAX_POOL_2D, 1, 1, 1, tqi_infer_pool),
    KIND(MUL, 2, 2, 1, tqi_infer_binary),
    KIND(RELU, 1, 1, 1, tqi_infer_unary),
    KIND(RELU_N1_TO_1, 1, 1, 1, tqi_infer_unary),
    KIND(RELU6, 1, 1, 1, tqi_infer_unary),
    KIND(RESHAPE, 1, 2, 1, tqi_infer_reshape),
    KIND(RESIZE_BILINEAR, 2, 2, 1, tqi_infer_resize),
    KIND(SOFTMAX, 1, 1, 1, tqi_infer_unary_any),
    KIND(SPACE_TO_DEPTH, 1, 1, 1, tqi_infer_space_to_depth),
    KIND(TANH, 1, 1, 1, tqi_infer_unary),
    KIND(PAD, 2, 2, 1, tqi_infer_pad),
    KIND(GATHER, 2, 2, 1, tqi_infer_gather),
    KIND(TRANSPOSE, 2, 2, 1, tqi_infer_transpose),
    KIND(MEAN, 2, 2, 1, tqi_infer_reduce),
    KIND(SUB, 2, 2, 1, tqi_infer_binary),
    KIND(DIV, 2, 2, 1, tqi_infer_binary),
    KIND(SQUEEZE, 1, 1, 1, tqi_infer_squeeze),
    KIND(STRIDED_SLICE, 4, 4, 1, tqi_infer_strided_slice),
    KIND(EXP, 1, 1, 1, tqi_infer_unary_any),
    KIND(TOPK_V2, 2, 2, 2, tqi_infer_topk),
    KIND(SPLIT, 2, 2, 0, tqi_infer_split),
    KIND(LOG_SOFTMAX, 1, 1, 1, tqi_infer_unary_any),
    KIND(CAST, 1, 1, 1, tqi_infer_unary_any),
    KIND(PRELU, 2, 2, 1, tqi_infer_prelu),
    KIND(MAXIMUM, 2, 2, 1, tqi_infer_binary),
    KIND(ARG_MAX, 2, 2, 1, tqi_infer_arg),
    KIND(MINIMUM, 2, 2, 1, tqi_infer_binary),
    KIND(LESS, 2, 2, 1, tqi_infer_compare),
    KIND(NEG, 1, 1, 1, tqi_infer_unary_any),
    KIND(PADV2, 3, 3, 1, tqi_infer_pad),
    KIND(GREATER, 2, 2, 1, tqi_infer_compare),
    KIND(GREATER_EQUAL, 2, 2, 1, tqi_infer_compare),
    KIND(LESS_EQUAL, 2, 2, 1, tqi_infer_compare),
    KIND(SELECT, 3, 3, 1, tqi_infer_select),
    KIND(SLICE, 3, 3, 1, tqi_infer_slice),
    KIND(SIN, 1, 1, 1, tqi_infer_unary),
    KIND(TRANSPOSE_CONV, 3, 4, 1, tqi_infer_transpose_conv),
    KIND(TILE, 2, 2, 1, tqi_infer_tile),
    KIND(EXPAND_DIMS, 2, 2, 1, tqi_infer_expand_dims),
    KIND(EQUAL, 2, 2, 1, tqi_infer_compare),
    KIND(NOT_EQUAL, 2, 2, 1, tqi_infer_compare),
    KIND(LOG, 1, 1, 1, tqi_infer_unary),
    KIND(SUM, 2, 2, 1, tqi_infer_reduce),
    KIND(SQRT, 1, 1, 1, tqi_infer_unary),
    KIND(RSQRT, 1, 1, 1, tqi_infer_unary),
    KIND(SHAPE, 1, 1, 1, tqi_infer_shape),
    KIND(POW, 2, 2, 1, tqi_infer_binary),
    KIND(ARG_MIN, 2, 2, 1, tqi_infer_arg),
    KIND(REDUCE_PROD, 2, 2, 1, tqi_infer_reduce),
    KIND(REDUCE_MAX, 2, 2, 1, tqi_infer_reduce),
    KIND(PACK, 1, MANY, 1, tqi_infer_pack),
    KIND(LOGICAL_OR, 2, 2, 1, tqi_infer_compare),
    KIND(LOGICAL_AND, 2, 2, 1, tqi_infer_compare),
    KIND(LOGICAL_NOT, 1, 1, 1, tqi_infer_unary_any),
    KIND(UNPACK, 1, 1, 0, tqi_infer_unpack),
    KIND(REDUCE_MIN, 2, 2, 1, tqi_infer_reduce),
    KIND(FLOOR_DIV, 2, 2, 1, tqi_infer_binary),
    KIND(REDUCE_ANY, 2, 2, 1, tqi_infer_reduce),
    KIND(SQUARE, 1, 1, 1, tqi_infer_unary),
    KIND(ZEROS_LIKE, 1, 1, 1, tqi_infer_unary_any),
    KIND(FILL, 2, 2, 1, tqi_infer_fill),
    KIND(FLOOR_MOD, 2, 2, 1, tqi_infer_binary),
    KIND(RESIZE_NEAREST_NEIGHBOR, 2, 2, 1, tqi_infer_resize),
    KIND(LEAKY_RELU, 1, 1, 1, tqi_infer_unary),
    KIND(SQUARED_DIFFERENCE, 2, 2, 1, tqi_infer_binary),
    KIND(MIRROR_PAD, 2, 2, 1, tqi_infer_mirror_pad),
    KIND(ABS, 1, 1, 1, tqi_infer_unary),
    KIND(SPLIT_V, 3, 3, 0, tqi_infer_split_v),
    KIND(CEIL, 1, 1, 1, tqi_infer_unary_any),
    KIND(ADD_N, 2, MANY, 1, tqi_infer_alike),
    KIND(GATHER_ND, 2, 2, 1, tqi_infer_gather_nd),
    KIND(COS, 1, 1, 1, tqi_infer_unary),
    KIND(RANK, 1, 1, 1, tqi_infer_rank),
    KIND(ELU, 1, 1, 1, tqi_infer_unary),
    KIND(QUANTIZE, 1, 1, 1, tqi_infer_unary_any),
    KIND(ROUND, 1, 1, 1, tqi_infer_unary_any),
    KIND(HARD_SWISH, 1, 1, 1, tqi_infer_unary),
    KIND(SCATTER_ND, 3, 3, 1, tqi_infer_scatter_nd),
    KIND(SELECT_V2, 3, 3, 1, tqi_infer_select_v2),
    KIND(DENSIFY, 1, 1, 1, tqi_infer_unary_any),
    KIND(BATCH_MATMUL, 2, 2, 1, tqi_infer_batch_matmul),
    KIND(CUMSUM, 2, 2, 1, tqi_infer_unary_any),
    KIND(BROADCAST_TO, 2, 2, 1, tqi_infer_broadcast_to),
    KIND(REDUCE_ALL, 2, 2, 1, tqi_infer_reduce),
    KIND(GELU, 1, 1, 1, tqi_infer_unary),
    KIND(DYNAMIC_UPDATE_SLICE, 3, 3, 1, tqi_infer_update_slice),
    KIND(RELU_0_TO_1, 1, 1, 1, tqi_infer_unary),
    KIND(ATAN2, 2, 2, 1, tqi_infer_alike),
    KIND(SPACE_TO_BATCH_ND, 3, 3, 1, tqi_infer_space_to_batch),
    KIND(BATCH_TO_SPACE_ND, 3, 3, 1, tqi_infer_batch_to_space),
    KIND(REVERSE_V2, 2, 2, 1, tqi_infer_reverse),
    KIND(WHERE, 1, 1, 1, tqi_infer_where),
    KIND(ONE_HOT, 4, 4, 1, tqi_infer_one_hot),
    KIND(RANGE, 3, 3, 1, tqi_infer_range),
    KIND(SIGN, 1, 1, 1, tqi_infer_unary_any),
    KIND(STABLEHLO_COMPOSITE, 0, MANY, 0, infer_composite),
};

static const kind *find_kind(int32_t builtin) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].builtin == builtin)
            return &kinds[i];
    return NULL;
}

/* ---- what the file says ---- */

static tq_status read_values(tqi_shape *shape, const tqi_graph *graph, const tqi_tensor *tensor,
                             tqi_arena *arena, tq_error *error) {
    const tqi_content *content = tqi_tensor_content(graph, tensor);
    uint8_t scratch[TQI_SHAPE_VALUES * sizeof(int64_t)];
    const uint8_t *bytes = content->memory;
    int64_t *values = NULL;
    uint64_t n;
    size_t size = shape->type == TQI_TYPE_INT64 ? 8 : 4;
    if ((shape->type != TQI_TYPE_INT32 && shape->type != TQI_TYPE_INT64) || tensor->sparsity ||
        !tqi_shape_elements(shape, &n) || n > TQI_SHAPE_VALUES || content->size < n * size ||
        content->kind == TQI_CONTENT_PRODUCED)
        return TQ_OK;
    if (content->kind == TQI_CONTENT_FILE)
        TQI_TRY(tqi_source_fetch(graph->source, content->offset, (size_t)n * size, scratch, &bytes,
                                 error));
    TQI_NEW(arena, &values, n, error);
    for (uint64_t i = 0; i < n; i++)
        values[i] = size == 8 ? (int64_t)tqi_load_u64(bytes + 8 * i) : tqi_load_i32(bytes + 4 * i);
    if (content->kind == TQI_CONTENT_FILE)
        tqi_source_done(graph->source, content->offset, (size_t)n * size);
    shape->values = values;
    return TQ_OK;
}

/* A vector of no dimensions, say: its buffer has a data vector without bytes. */
static bool is_empty_constant(const tqi_graph *graph, const tqi_tensor *tensor) {
    uint64_t elements;
    const tqi_buffer *buffer = &graph->buffers[tensor->buffer];
    return buffer->has_data && buffer->content.size == 0 && !tensor->is_variable &&
           tqi_tensor_elements(tensor, &elements) && elements == 0;
}

static void declare(tqi_shape *shape, const tqi_tensor *tensor) {
    uint64_t elements;
    shape->type = tensor->type;
    shape->rank = tensor->rank;
    shape->known = tensor->rank <= TQI_SHAPE_RANK && tqi_tensor_elements(tensor, &elements);
    for (uint32_t d = 0; shape->known && d < tensor->rank; d++)
        shape->dims[d] = tensor->shape[d];
}

/* `caller`: the operator that runs the subgraph, with `given` shapes by tensor of its own; NULL:
 * none. */
static tq_status start(tqi_inference *whole, uint32_t index, const tqi_operator *caller,
                       const tqi_shape *given, tq_error *error) {
    const tqi_subgraph *subgraph = &whole->graph->subgraphs[index];
    tqi_shapes *shapes = &whole->shapes[index];
    TQI_NEW(whole->arena, &shapes->list, (uint64_t)subgraph->n_tensors + 1, error);
    for (uint32_t t = 0; t < subgraph->n_tensors; t++) {
        const tqi_tensor *tensor = &subgraph->tensors[t];
        tqi_shape *shape = &shapes->list[t];
        declare(shape, tensor);
        if (!tqi_is_constant(whole->graph, tensor) && !is_empty_constant(whole->graph, tensor))
            continue;
        shape->fixed = true;
        TQI_TRY(read_values(shape, whole->graph, tensor, whole->arena, error));
    }
    for (uint32_t i = 0; caller && i < subgraph->n_inputs; i++) {
        int32_t t = subgraph->inputs[i];
        bool there = i < caller->n_inputs && caller->inputs[i] >= 0;
        if (t < 0)
            continue;
        int32_t type = shapes->list[t].type;
        shapes->list[t] = there && given ? given[caller->inputs[i]] : (tqi_shape){.known = false};
        shapes->list[t].type = type;
        shapes->list[t].fixed = false;
        shapes->list[t].values = NULL;
    }
    return TQ_OK;
}

/* ---- operators ---- */

/* Before it is known what an operator makes. */
static void forget_outputs(tqi_shape *list, const tqi_operator *op) {
    for (uint32_t i = 0; i < op->n_outputs; i++) {
        int32_t t = op->outputs[i];
        if (t < 0)
            continue;
        list[t].known = list[t].fixed = false;
        list[t].values = NULL;
    }
}

static tqi_fit run(tqi_infer *infer) {
    const tqi_operator *op = infer->op;
    const kind *k = find_kind(infer->builtin);
    if (!k)
        return TQI_FIT_UNKNOWN;
    if (op->n_inputs < k->least || (k->most != MANY && op->n_inputs > k->most))
        return tqi_infer_refuses(infer, "it has %" PRIu32 " inputs", op->n_inputs);
    if (k->outputs != 0 && op->n_outputs != k->outputs)
        return infer->builtin == TQI_BUILTIN_FULLY_CONNECTED
                   ? TQI_FIT_UNKNOWN
                   : tqi_infer_refuses(infer, "it has %" PRIu32 " outputs", op->n_outputs);
    for (uint32_t i = 0; i < op->n_outputs; i++)
        if (op->outputs[i] < 0)
            return TQI_FIT_UNKNOWN;
    for (uint32_t i = 0; i < k->least; i++)
        if (op->inputs[i] < 0)
            return tqi_infer_refuses(infer, "its input %" PRIu32 " is left out", i);
    return k->run(infer);
}

static tq_status note(tqi_misfit ***last, const tqi_infer *infer, uint32_t op, bool when_loaded,
                      tqi_arena *arena, tq_error *error) {
    char *text = NULL, *what = NULL;
    tqi_misfit *misfit = NULL;
    TQI_NEW(arena, &misfit, 1, error);
    TQI_NEW(arena, &text, sizeof infer->why, error);
    TQI_NEW(arena, &what, sizeof infer->what, error);
    memcpy(text, infer->why, sizeof infer->why);
    memcpy(what, infer->what, sizeof infer->what);
    *misfit = (tqi_misfit){.op = op,
                           .when_loaded = when_loaded,
                           .is_runtimes = infer->is_runtimes,
                           .text = text,
                           .shapes = what};
    **last = misfit;
    *last = &misfit->next;
    return TQ_OK;
}

static tq_status infer_subgraph(tqi_inference *whole, uint32_t index, const tqi_operator *caller,
                                const tqi_shape *given, tq_error *error) {
    enum { MOST_MISFITS = 256 };
    const tqi_graph *graph = whole->graph;
    const tqi_subgraph *s = &graph->subgraphs[index];
    tqi_shapes *shapes = &whole->shapes[index];
    uint32_t misfits = 0;
    *shapes = (tqi_shapes){.first_late = UINT32_MAX};
    tqi_misfit **last = &shapes->misfits;
    TQI_TRY(start(whole, index, caller, given, error));
    for (uint32_t i = 0; i < s->n_operators; i++) {
        const tqi_operator *op = &s->operators[i];
        tqi_infer infer = {.whole = whole,
                           .graph = graph,
                           .subgraph = s,
                           .op = op,
                           .builtin = tqi_builtin(graph, op),
                           .shapes = shapes->list,
                           .arena = whole->arena,
                           .error = error};
        forget_outputs(shapes->list, op);
        tqi_fit fit = run(&infer);
        if (infer.status != TQ_OK)
            return infer.status;
        if (fit != TQI_FITS)
            forget_outputs(shapes->list, op);
        if (fit == TQI_FIT_NONE && misfits++ < MOST_MISFITS)
            TQI_TRY(note(&last, &infer, i, shapes->first_late == UINT32_MAX, whole->arena, error));
        if (fit == TQI_FIT_LATE && shapes->first_late == UINT32_MAX)
            shapes->first_late = i;
    }
    return TQ_OK;
}

/* The body is prepared with the composite; what does not fit is found there. */
static tqi_fit infer_composite(tqi_infer *infer) {
    enum { OPTIONS = 21, BODY = 1, MOST_DEPTH = 8 };
    const tqi_view *view = &infer->graph->view;
    uint32_t op = infer->op->source;
    if (!op || tqi_get_i8(view, op, TQI_OPERATOR_BUILTIN_OPTIONS_2_TYPE, 0) != OPTIONS ||
        infer->whole->depth == MOST_DEPTH)
        return TQI_FIT_UNKNOWN;
    uint32_t options = tqi_get_table(view, op, TQI_OPERATOR_BUILTIN_OPTIONS_2);
    uint32_t body = options ? tqi_get_u32(view, options, BODY, 0) : 0;
    if (body >= infer->graph->n_subgraphs || infer->whole->shapes[body].list)
        return TQI_FIT_UNKNOWN;
    infer->whole->depth++;
    infer->status = infer_subgraph(infer->whole, body, infer->op, infer->shapes, infer->error);
    infer->whole->depth--;
    const tqi_subgraph *s = &infer->graph->subgraphs[body];
    for (uint32_t i = 0; i < infer->op->n_outputs && infer->status == TQ_OK; i++) {
        int32_t t = i < s->n_outputs ? s->outputs[i] : -1;
        if (t < 0 || !infer->whole->shapes[body].list[t].known)
            return TQI_FIT_UNKNOWN;
        tqi_fit fit = tqi_infer_same(infer, i, &infer->whole->shapes[body].list[t]);
        if (fit != TQI_FITS)
            return fit;
    }
    return TQI_FITS;
}

tq_status tqi_infer_shapes(const tqi_graph *graph, const bool *is_called, tqi_arena *arena,
                           tqi_shapes *shapes, tq_error *error) {
    static const tqi_operator unknown_caller; /* without inputs */
    tqi_inference whole = {graph, arena, shapes, 0};
    for (uint32_t s = 0; s < graph->n_subgraphs; s++)
        if (s == 0 || !is_called[s])
            TQI_TRY(infer_subgraph(&whole, s, NULL, NULL, error));
    for (uint32_t s = 0; s < graph->n_subgraphs; s++)
        if (!shapes[s].list)
            TQI_TRY(infer_subgraph(&whole, s, &unknown_caller, NULL, error));
    return TQ_OK;
}
