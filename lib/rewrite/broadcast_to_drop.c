/* SPDX-License-Identifier: Apache-2.0 */
/* BROADCAST_TO whose every reader broadcasts by itself: it goes, and they read its input.
 *
 * Cures: no delegate takes BROADCAST_TO (LiteRT#9191, LiteRT#6851), and it takes memory and time
 * for copies of the same numbers. Converters write it before ADD, MUL, SELECT_V2 and the like,
 * whose kernels broadcast up to rank 4 (some further) in every version. */
#include "rewrite/broadcast.h"
#include "rewrite/rewrites.h"
#include "tflite/builtins.h"

enum {
    MOST_RANK = 4, /* that all of these kernels, and GPU delegates, broadcast */
    FLOATS = 1 << TQI_TYPE_FLOAT32,
    INTEGERS = 1 << TQI_TYPE_INT32 | 1 << TQI_TYPE_INT64,
    BYTES = 1 << TQI_TYPE_INT8 | 1 << TQI_TYPE_UINT8,
    BOOLS = 1 << TQI_TYPE_BOOL,
};

/* Operators that broadcast, with the types of their inputs that they do so for. */
static const struct {
    int32_t builtin;
    uint32_t n_inputs;
    uint32_t types;
} broadcasters[] = {
    {TQI_BUILTIN_ADD, 2, FLOATS | INTEGERS | BYTES},
    {TQI_BUILTIN_SUB, 2, FLOATS | INTEGERS | BYTES},
    {TQI_BUILTIN_MUL, 2, FLOATS | INTEGERS | BYTES},
    {TQI_BUILTIN_DIV, 2, FLOATS | 1 << TQI_TYPE_INT32},
    {TQI_BUILTIN_MAXIMUM, 2, FLOATS | INTEGERS},
    {TQI_BUILTIN_MINIMUM, 2, FLOATS | INTEGERS},
    {TQI_BUILTIN_POW, 2, FLOATS | 1 << TQI_TYPE_INT32},
    {TQI_BUILTIN_FLOOR_DIV, 2, FLOATS | 1 << TQI_TYPE_INT32},
    {TQI_BUILTIN_FLOOR_MOD, 2, FLOATS | INTEGERS},
    {TQI_BUILTIN_SQUARED_DIFFERENCE, 2, FLOATS | 1 << TQI_TYPE_INT32},
    {TQI_BUILTIN_EQUAL, 2, FLOATS | INTEGERS},
    {TQI_BUILTIN_NOT_EQUAL, 2, FLOATS | INTEGERS},
    {TQI_BUILTIN_LESS, 2, FLOATS | INTEGERS},
    {TQI_BUILTIN_LESS_EQUAL, 2, FLOATS | INTEGERS},
    {TQI_BUILTIN_GREATER, 2, FLOATS | INTEGERS},
    {TQI_BUILTIN_GREATER_EQUAL, 2, FLOATS | INTEGERS},
    {TQI_BUILTIN_LOGICAL_AND, 2, BOOLS},
    {TQI_BUILTIN_LOGICAL_OR, 2, BOOLS},
    {TQI_BUILTIN_SELECT_V2, 3, FLOATS | INTEGERS | BYTES | BOOLS},
};

static bool broadcasts(const tqi_rewriter *ctx, uint32_t index, int32_t type) {
    const tqi_operator *op = tqi_net_operator(&ctx->net, index);
    for (size_t i = 0; i < sizeof broadcasters / sizeof *broadcasters; i++)
        if (broadcasters[i].builtin == tqi_net_builtin(&ctx->net, index))
            return op->n_inputs == broadcasters[i].n_inputs && op->n_outputs == 1 &&
                   op->outputs[0] >= 0 && (broadcasters[i].types >> type & 1) != 0;
    return false;
}

/* The shape of `tensor` joins what was broadcast so far. */
static bool join(int32_t shape[MOST_RANK], const int32_t *other, uint32_t rank) {
    for (uint32_t i = 0; i < rank; i++) {
        int32_t *mine = &shape[MOST_RANK - rank + i];
        if (*mine != other[i] && *mine != 1 && other[i] != 1)
            return false;
        if (*mine == 1)
            *mine = other[i];
    }
    return true;
}

/* The reader makes the same shape from the input of the BROADCAST_TO. */
static bool does_it_itself(const tqi_rewriter *ctx, const tqi_broadcast *b, uint32_t index) {
    const tqi_operator *op = tqi_net_operator(&ctx->net, index);
    int32_t shape[MOST_RANK] = {1, 1, 1, 1};
    for (uint32_t i = 0; i < op->n_inputs; i++) {
        if (op->inputs[i] < 0 || !tqi_is_static(ctx, op->inputs[i]))
            return false;
        const tqi_tensor *input = tqi_net_tensor(&ctx->net, op->inputs[i]);
        bool moved = op->inputs[i] == b->output;
        if (input->rank > MOST_RANK ||
            !join(shape, moved ? b->shape : input->shape, moved ? b->rank : input->rank))
            return false;
    }
    const tqi_tensor *output = tqi_net_tensor(&ctx->net, op->outputs[0]);
    if (output->rank > MOST_RANK || output->rank < b->rank || !tqi_is_static(ctx, op->outputs[0]))
        return false;
    for (uint32_t i = 0; i < MOST_RANK; i++) {
        uint32_t missing = MOST_RANK - output->rank;
        if (shape[i] != (i < missing ? 1 : output->shape[i - missing]))
            return false;
    }
    return true;
}

static bool can_go(const tqi_rewriter *ctx, const tqi_broadcast *b) {
    const tqi_net *net = &ctx->net;
    int32_t type = tqi_net_tensor(net, b->input)->type;
    if (!b->fits || b->rank > MOST_RANK || net->pinned[b->output] || net->n_readers[b->output] == 0)
        return false;
    for (int32_t i = net->readers[b->output]; i >= 0; i = net->edges[i].next)
        if (!broadcasts(ctx, net->edges[i].op, type) || !does_it_itself(ctx, b, net->edges[i].op))
            return false;
    return true;
}

tq_status tqi_broadcast_to_drop(tqi_rewriter *ctx, uint32_t *applied, tq_error *error) {
    for (uint32_t i = 0; i < tqi_net_graph(&ctx->net)->n_operators; i++) {
        tqi_broadcast b;
        bool is_one;
        TQI_TRY(tqi_find_broadcast(ctx, i, &b, &is_one, error));
        if (!is_one || !can_go(ctx, &b))
            continue;
        TQI_TRY(tqi_note_edit(ctx, i, b.output, applied, error));
        int32_t input = b.input;
        /* delegates want equal ranks */
        if (b.grows)
            TQI_TRY(tqi_reshaped(ctx, i, b.input, tqi_net_tensor(&ctx->net, b.input)->name, b.shape,
                                 b.rank, &input, error));
        tqi_net_move_readers(&ctx->net, b.output, input);
        TQI_TRY(tqi_net_remove(&ctx->net, i, error));
    }
    return TQ_OK;
}
