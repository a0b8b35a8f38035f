/* SPDX-License-Identifier: Apache-2.0 */
#include "rewrite/shape_arithmetic.h"

#include "tflite/builtins.h"

enum { MOST_INPUTS = 8 };

/* A computation with all its inputs. */
typedef struct sum {
    const tqi_rewriter *ctx;
    const tqi_operator *op;
    int32_t builtin;
    uint32_t options; /* table, or 0 */
    tqi_integers in[MOST_INPUTS];
    tqi_integers *out;
} sum;

static int32_t option(const sum *s, uint32_t field) {
    return s->options ? tqi_get_i32(&s->ctx->graph->view, s->options, field, 0) : 0;
}

static bool has_activation(const sum *s, uint32_t field) {
    return s->options && tqi_get_i8(&s->ctx->graph->view, s->options, field, 0) != 0;
}

static void put(const sum *s, int64_t value) {
    if (s->out->count < TQI_MOST_INTEGERS)
        s->out->at[s->out->count] = value;
    s->out->count++; /* too many are noticed at the end */
}

static const tqi_tensor *input(const sum *s, uint32_t i) {
    return tqi_net_tensor(&s->ctx->net, s->op->inputs[i]);
}

/* ---- element by element ---- */

/* Far from the ends, so that nothing overflows here or in the runtime's int32. */
static bool is_moderate(int64_t value) {
    return value >= INT32_MIN && value <= INT32_MAX;
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static bool compute(int32_t builtin, int64_t a, int64_t b, int64_t *result) {
    if (!is_moderate(a) || !is_moderate(b))
        return false;
    switch (builtin) {
    case TQI_BUILTIN_ADD:
        *result = a + b;
        return true;
    case TQI_BUILTIN_SUB:
        *result = a - b;
        return true;
    case TQI_BUILTIN_MUL:
        *result = a * b;
        return true;
    case TQI_BUILTIN_MAXIMUM:
        *result = a > b ? a : b;
        return true;
    case TQI_BUILTIN_MINIMUM:
        *result = a < b ? a : b;
        return true;
    case TQI_BUILTIN_DIV:
        *result = b != 0 ? a / b : 0;
        return b != 0;
    case TQI_BUILTIN_FLOOR_DIV:
        *result = b != 0 ? floor_div(a, b) : 0;
        return b != 0;
    case TQI_BUILTIN_FLOOR_MOD:
        *result = b != 0 ? a - floor_div(a, b) * b : 0;
        return b != 0;
    default:
        return false;
    }
}

static bool elementwise(const sum *s) {
    const tqi_integers *a = &s->in[0], *b = &s->in[1];
    bool one_a = a->count == 1, one_b = b->count == 1;
    if (s->op->n_inputs != 2 || has_activation(s, 0) || (a->count != b->count && !one_a && !one_b))
        return false;
    uint32_t n = one_a ? b->count : a->count;
    for (uint32_t i = 0; i < n; i++) {
        int64_t result;
        if (!compute(s->builtin, a->at[one_a ? 0 : i], b->at[one_b ? 0 : i], &result))
            return false;
        put(s, result);
    }
    return true;
}

/* ---- parts of vectors, and vectors of parts ---- */

static bool same_values(const sum *s) {
    for (uint32_t i = 0; i < s->in[0].count; i++)
        put(s, s->in[0].at[i]);
    return true;
}

/* Along the first dimension, so one is written behind the other. */
static bool join(const sum *s) {
    enum { CONCATENATION_AXIS, CONCATENATION_ACTIVATION };
    enum { PACK_COUNT, PACK_AXIS };
    bool packs = s->builtin == TQI_BUILTIN_PACK;
    int32_t axis = option(s, packs ? PACK_AXIS : CONCATENATION_AXIS);
    int32_t rank = (int32_t)input(s, 0)->rank + packs;
    if ((axis != 0 && axis != -rank) || (!packs && has_activation(s, CONCATENATION_ACTIVATION)))
        return false;
    for (uint32_t i = 0; i < s->op->n_inputs; i++)
        for (uint32_t j = 0; j < s->in[i].count; j++)
            put(s, s->in[i].at[j]);
    return true;
}

static bool gather(const sum *s) {
    enum { AXIS, BATCH_DIMS };
    const tqi_integers *from = &s->in[0], *at = &s->in[1];
    int32_t axis = option(s, AXIS);
    if (s->op->n_inputs != 2 || input(s, 0)->rank != 1 || (axis != 0 && axis != -1) ||
        option(s, BATCH_DIMS) != 0)
        return false;
    for (uint32_t i = 0; i < at->count; i++) {
        if (at->at[i] < 0 || at->at[i] >= from->count)
            return false;
        put(s, from->at[at->at[i]]);
    }
    return true;
}

static bool slice(const sum *s) {
    const tqi_integers *from = &s->in[0], *begin = &s->in[1], *size = &s->in[2];
    if (s->op->n_inputs != 3 || input(s, 0)->rank != 1 || begin->count != 1 || size->count != 1 ||
        begin->at[0] < 0 || begin->at[0] > from->count)
        return false;
    int64_t left = from->count - begin->at[0], n = size->at[0] == -1 ? left : size->at[0];
    if (n < 0 || n > left)
        return false;
    for (int64_t i = 0; i < n; i++)
        put(s, from->at[begin->at[0] + i]);
    return true;
}

/* Counted from the end where negative, and brought to [least, most]. */
static int64_t place(int64_t at, int64_t count, int64_t least, int64_t most) {
    if (at < 0)
        at = at < -count ? -1 : at + count;
    return at < least ? least : at > most ? most : at;
}

static bool strided_slice(const sum *s) {
    enum { BEGIN_MASK, END_MASK, ELLIPSIS_MASK, NEW_AXIS_MASK, SHRINK_AXIS_MASK, OFFSET };
    const tqi_integers *from = &s->in[0];
    int64_t count = from->count;
    if (s->op->n_inputs != 4 || input(s, 0)->rank != 1 || !s->options || s->in[1].count != 1 ||
        s->in[2].count != 1 || s->in[3].count != 1 || option(s, ELLIPSIS_MASK) != 0 ||
        option(s, NEW_AXIS_MASK) != 0 || has_activation(s, OFFSET))
        return false;
    int64_t begin = s->in[1].at[0], end = s->in[2].at[0], stride = s->in[3].at[0];
    if ((option(s, SHRINK_AXIS_MASK) & 1) != 0) { /* one of them */
        begin += begin < 0 ? count : 0;
        if (begin < 0 || begin >= count)
            return false;
        put(s, from->at[begin]);
        return true;
    }
    if (stride <= 0)
        return false; /* backwards is no shape arithmetic */
    begin = (option(s, BEGIN_MASK) & 1) != 0 ? 0 : place(begin, count, 0, count);
    end = (option(s, END_MASK) & 1) != 0 ? count : place(end, count, 0, count);
    for (int64_t i = begin; i<end; i += stride> count ? count : stride)
        put(s, from->at[i]);
    return true;
}

/* ---- all of a vector ---- */

static bool reduce(const sum *s) {
    const tqi_integers *from = &s->in[0], *axes = &s->in[1];
    int64_t result = s->builtin == TQI_BUILTIN_REDUCE_PROD;
    if (s->op->n_inputs != 2 || input(s, 0)->rank != 1 || axes->count != 1 ||
        (axes->at[0] != 0 && axes->at[0] != -1))
        return false;
    for (uint32_t i = 0; i < from->count; i++) {
        int64_t value = from->at[i];
        if (!is_moderate(value) || !is_moderate(result))
            return false;
        result = s->builtin == TQI_BUILTIN_REDUCE_PROD ? result * value : result + value;
    }
    put(s, result);
    return true;
}

static bool fill(const sum *s) {
    uint64_t n = 1;
    if (s->op->n_inputs != 2 || s->in[1].count != 1)
        return false;
    for (uint32_t i = 0; i < s->in[0].count; i++) {
        if (s->in[0].at[i] < 0 || s->in[0].at[i] > TQI_MOST_INTEGERS)
            return false;
        n *= (uint64_t)s->in[0].at[i];
        if (n > TQI_MOST_INTEGERS)
            return false;
    }
    for (uint64_t i = 0; i < n; i++)
        put(s, s->in[1].at[0]);
    return true;
}

static bool range(const sum *s) {
    if (s->op->n_inputs != 3 || s->in[0].count != 1 || s->in[1].count != 1 || s->in[2].count != 1)
        return false;
    int64_t at = s->in[0].at[0], limit = s->in[1].at[0], step = s->in[2].at[0];
    if (step == 0 || !is_moderate(at) || !is_moderate(limit) || !is_moderate(step))
        return false;
    for (; (step > 0 ? at < limit : at > limit) && s->out->count <= TQI_MOST_INTEGERS; at += step)
        put(s, at);
    return true;
}

/* ---- which ---- */

typedef bool calculation(const sum *s);

static calculation *find(int32_t builtin) {
    switch (builtin) {
    case TQI_BUILTIN_ADD:
    case TQI_BUILTIN_SUB:
    case TQI_BUILTIN_MUL:
    case TQI_BUILTIN_DIV:
    case TQI_BUILTIN_FLOOR_DIV:
    case TQI_BUILTIN_FLOOR_MOD:
    case TQI_BUILTIN_MAXIMUM:
    case TQI_BUILTIN_MINIMUM:
        return elementwise;
    case TQI_BUILTIN_CAST:
    case TQI_BUILTIN_RESHAPE:
    case TQI_BUILTIN_SQUEEZE:
    case TQI_BUILTIN_EXPAND_DIMS:
        return same_values;
    case TQI_BUILTIN_PACK:
    case TQI_BUILTIN_CONCATENATION:
        return join;
    case TQI_BUILTIN_GATHER:
        return gather;
    case TQI_BUILTIN_SLICE:
        return slice;
    case TQI_BUILTIN_STRIDED_SLICE:
        return strided_slice;
    case TQI_BUILTIN_REDUCE_PROD:
    case TQI_BUILTIN_SUM:
        return reduce;
    case TQI_BUILTIN_FILL:
        return fill;
    case TQI_BUILTIN_RANGE:
        return range;
    default:
        return NULL;
    }
}

static bool shape_of(const tqi_rewriter *ctx, const tqi_operator *op, int32_t builtin,
                     tqi_integers *result) {
    if (op->n_inputs != 1 || op->inputs[0] < 0 || !tqi_is_static(ctx, op->inputs[0]))
        return false;
    const tqi_tensor *tensor = tqi_net_tensor(&ctx->net, op->inputs[0]);
    result->count = builtin == TQI_BUILTIN_RANK ? 1 : tensor->rank;
    if (tensor->rank == 0 || tensor->rank > TQI_MOST_INTEGERS) /* 0 also stands for "not known" */
        return false;
    for (uint32_t i = 0; i < result->count; i++)
        result->at[i] = tensor->shape[i];
    if (builtin == TQI_BUILTIN_RANK)
        result->at[0] = tensor->rank;
    return true;
}

tq_status tqi_compute_integers(const tqi_rewriter *ctx, uint32_t index, tqi_integers *result,
                               tq_error *error) {
    const tqi_operator *op = tqi_net_operator(&ctx->net, index);
    sum s = {.ctx = ctx,
             .op = op,
             .builtin = tqi_net_builtin(&ctx->net, index),
             .options = tqi_options(ctx->graph, op),
             .out = result};
    calculation *calculate = find(s.builtin);
    result->known = false;
    result->count = 0;
    if (s.builtin == TQI_BUILTIN_SHAPE || s.builtin == TQI_BUILTIN_RANK) {
        result->known = shape_of(ctx, op, s.builtin, result);
        return TQ_OK;
    }
    if (!calculate || op->n_inputs == 0 || op->n_inputs > MOST_INPUTS)
        return TQ_OK;
    for (uint32_t i = 0; i < op->n_inputs; i++) {
        TQI_TRY(tqi_read_integers(ctx, op->inputs[i], &s.in[i], error));
        if (!s.in[i].known)
            return TQ_OK;
    }
    result->known = calculate(&s) && result->count <= TQI_MOST_INTEGERS;
    return TQ_OK;
}
