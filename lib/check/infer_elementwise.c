/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that work element by element, with the runtime's broadcasting. */
#include "check/infer.h"
#include "tflite/builtins.h"

/* The dimension of `shape` that meets dimension `at` of `rank`, counted from the end. */
static int64_t meets(const tqi_shape *shape, uint32_t rank, uint32_t at) {
    return at + shape->rank < rank ? 1 : shape->dims[at + shape->rank - rank];
}

static tqi_fit broadcast(tqi_infer *infer, const tqi_shape *a, const tqi_shape *b) {
    char first[TQI_SHAPE_TEXT], second[TQI_SHAPE_TEXT];
    int64_t dims[TQI_SHAPE_RANK];
    uint32_t rank = a->rank > b->rank ? a->rank : b->rank;
    for (uint32_t d = 0; d < rank; d++) {
        int64_t x = meets(a, rank, d), y = meets(b, rank, d);
        if (x != y && x != 1 && y != 1)
            return tqi_infer_quotes(infer, "Given shapes, %.70s and %.70s, are not broadcastable.",
                                    tqi_shape_text(a, first), tqi_shape_text(b, second));
        dims[d] = x == 0 || y == 0 ? 0 : x > y ? x : y;
    }
    return tqi_infer_output(infer, 0, rank, dims);
}

static tqi_fit types_differ(tqi_infer *infer, const tqi_shape *a, const tqi_shape *b) {
    const char *first = tqi_type_label(a->type), *second = tqi_type_label(b->type);
    return tqi_infer_refuses(infer, "its inputs are of different types, %s and %s",
                             first ? first : "unknown", second ? second : "unknown");
}

tqi_fit tqi_infer_unary_any(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    if ((infer->builtin == TQI_BUILTIN_SOFTMAX || infer->builtin == TQI_BUILTIN_CUMSUM) &&
        input->known && input->rank == 0)
        return tqi_infer_refuses(infer, "its input has no dimensions");
    return tqi_infer_same(infer, 0, input);
}

/* Kernels that have one type for input and output. */
tqi_fit tqi_infer_unary(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    if (infer->shapes[infer->op->outputs[0]].type != input->type)
        return tqi_infer_refuses(infer, "its input and output are of different types");
    return tqi_infer_same(infer, 0, input);
}

/* MUL of two known tensors is computed when the model is loaded. */
static void multiply(tqi_infer *infer, const tqi_shape *a, const tqi_shape *b) {
    int64_t product[TQI_SHAPE_VALUES];
    uint64_t n = 0, m = 0;
    bool known = a->values && b->values && tqi_shape_elements(a, &n) && tqi_shape_elements(b, &m) &&
                 (n == m || n == 1 || m == 1);
    uint64_t count = n > m ? n : m;
    for (uint64_t i = 0; known && i < count; i++) {
        int64_t x = a->values[n == 1 ? 0 : i], y = b->values[m == 1 ? 0 : i];
        known = x > INT32_MIN && x < INT32_MAX && y > INT32_MIN && y < INT32_MAX;
        product[i] = known ? x * y : 0;
    }
    tqi_infer_fix(infer, known ? product : NULL, (uint32_t)count);
}

tqi_fit tqi_infer_binary(tqi_infer *infer) {
    const tqi_shape *a = tqi_infer_input(infer, 0), *b = tqi_infer_input(infer, 1);
    if (a->type != b->type)
        return types_differ(infer, a, b);
    if (infer->builtin != TQI_BUILTIN_ADD && infer->builtin != TQI_BUILTIN_MUL)
        tqi_infer_type(infer, 0, a->type);
    if (!a->known || !b->known)
        return TQI_FIT_UNKNOWN;
    tqi_fit fit = broadcast(infer, a, b);
    if (fit == TQI_FITS && infer->builtin == TQI_BUILTIN_MUL && a->fixed && b->fixed)
        multiply(infer, a, b);
    return fit;
}

tqi_fit tqi_infer_compare(tqi_infer *infer) {
    const tqi_shape *a = tqi_infer_input(infer, 0), *b = tqi_infer_input(infer, 1);
    if (a->type != b->type)
        return types_differ(infer, a, b);
    tqi_infer_type(infer, 0, TQI_TYPE_BOOL);
    return a->known && b->known ? broadcast(infer, a, b) : TQI_FIT_UNKNOWN;
}

/* ADD_N: all of one shape; ATAN2: of as many dimensions. */
tqi_fit tqi_infer_alike(tqi_infer *infer) {
    const tqi_shape *first = tqi_infer_input(infer, 0);
    for (uint32_t i = 1; i < infer->op->n_inputs; i++) {
        const tqi_shape *input = tqi_infer_input(infer, i);
        if (!first->known || !input->known)
            return TQI_FIT_UNKNOWN;
        tqi_infer_show(infer, first, "and", input);
        bool fits = infer->builtin == TQI_BUILTIN_ATAN2 ? first->rank == input->rank
                                                        : tqi_shapes_equal(first, input);
        if (!fits)
            return tqi_infer_refuses(infer, "its inputs differ in shape");
        if (first->type != input->type)
            return types_differ(infer, first, input);
    }
    return tqi_infer_same(infer, 0, first);
}

static bool is_single(const tqi_shape *shape) {
    uint64_t n;
    return tqi_shape_elements(shape, &n) && n == 1;
}

/* Of single elements: an output that is declared to be one too stays as it is declared. */
static bool stays_single(const tqi_infer *infer) {
    const tqi_tensor *output = &infer->subgraph->tensors[infer->op->outputs[0]];
    uint64_t n;
    return tqi_tensor_elements(output, &n) && n == 1 && output->rank <= TQI_SHAPE_RANK;
}

static tqi_fit single(tqi_infer *infer) {
    static const int64_t ones[TQI_SHAPE_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    return tqi_infer_output(infer, 0, infer->subgraph->tensors[infer->op->outputs[0]].rank, ones);
}

tqi_fit tqi_infer_select(tqi_infer *infer) {
    const tqi_shape *c = tqi_infer_input(infer, 0), *x = tqi_infer_input(infer, 1),
                    *y = tqi_infer_input(infer, 2);
    if (c->type != TQI_TYPE_BOOL)
        return tqi_infer_refuses(infer, "its condition is not of type BOOL");
    if (x->type != y->type)
        return types_differ(infer, x, y);
    tqi_infer_type(infer, 0, x->type);
    if (!c->known || !x->known || !y->known)
        return TQI_FIT_UNKNOWN;
    if (is_single(c) && is_single(x) && is_single(y) && stays_single(infer))
        return single(infer);
    bool low = c->rank == 0 || (c->rank == 1 && x->rank > 0 && c->dims[0] == x->dims[0]);
    tqi_infer_show(infer, x, "and", y);
    if (!tqi_shapes_equal(x, y) || (!low && !tqi_shapes_equal(c, x)))
        return tqi_infer_refuses(infer, "its condition and inputs differ in shape");
    return tqi_infer_same(infer, 0, x);
}

tqi_fit tqi_infer_select_v2(tqi_infer *infer) {
    const tqi_shape *in[3];
    int64_t dims[TQI_SHAPE_RANK];
    uint32_t rank = 0;
    bool all_single = true, known = true;
    for (uint32_t i = 0; i < 3; i++) {
        in[i] = tqi_infer_input(infer, i);
        known = known && in[i]->known;
        all_single = all_single && is_single(in[i]);
        rank = in[i]->rank > rank ? in[i]->rank : rank;
    }
    if (in[0]->type != TQI_TYPE_BOOL)
        return tqi_infer_refuses(infer, "its condition is not of type BOOL");
    if (in[1]->type != in[2]->type)
        return types_differ(infer, in[1], in[2]);
    tqi_infer_type(infer, 0, in[1]->type);
    if (!known)
        return TQI_FIT_UNKNOWN;
    if (all_single && stays_single(infer))
        return single(infer);
    for (uint32_t d = 0; d < rank; d++) {
        dims[d] = 1;
        for (uint32_t i = 0; i < 3; i++) {
            int64_t x = meets(in[i], rank, d);
            tqi_infer_show(infer, in[1], "and", in[2]);
            if (x != 1 && dims[d] != 1 && x != dims[d])
                return tqi_infer_quotes(infer, "Given shapes are not broadcastable.");
            dims[d] = x != 1 ? x : dims[d];
        }
    }
    return tqi_infer_output(infer, 0, rank, dims);
}

tqi_fit tqi_infer_prelu(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *alpha = tqi_infer_input(infer, 1);
    if (!input->known || !alpha->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_type(infer, 0, input->type);
    tqi_fit fit = broadcast(infer, input, alpha);
    tqi_infer_show(infer, alpha, "to", input);
    if (fit == TQI_FITS && !tqi_shapes_equal(input, &infer->shapes[infer->op->outputs[0]]))
        return tqi_infer_refuses(infer, "its slopes have more values than its input");
    return fit;
}
