/* SPDX-License-Identifier: Apache-2.0 */
/* The same numbers in other places: each operator is one walk, or one for each block. */
#include "execute/families.h"
#include "execute/walk.h"

tq_status tqi_run_transpose(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    int64_t order[TQI_MAX_RANK], shape[TQI_MAX_RANK], to[TQI_MAX_RANK], from[TQI_MAX_RANK];
    uint32_t count = 0, seen = 0, dims[TQI_MAX_RANK];
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_numbers(call, 1, TQI_MAX_RANK, order, &count, error));
    if (count != input->rank)
        return tqi_call_refuse(call, error, "its permutation has another length");
    for (uint32_t d = 0; d < count; d++) {
        TQI_TRY(tqi_call_axis(call, order[d], count, &dims[d], error));
        shape[d] = input->shape[dims[d]];
        seen |= 1u << dims[d];
    }
    if (seen != (1u << count) - 1)
        return tqi_call_refuse(call, error, "its permutation is none");
    TQI_TRY(tqi_call_make(call, 0, input->type, count, shape, &output, error));
    tqi_steps(input, from);
    tqi_steps(output, to);
    tqi_walk walk = {.at = {output->data, input->data}};
    for (uint32_t d = 0; d < count; d++)
        tqi_walk_dim(&walk, shape[d], to[d], from[dims[d]]);
    tqi_walk_copy(&walk, tqi_type_size(input->type));
    return TQ_OK;
}

tq_status tqi_run_broadcast_to(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    int64_t shape[TQI_MAX_RANK], to[TQI_MAX_RANK], from[TQI_MAX_RANK];
    uint32_t rank = 0;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_numbers(call, 1, TQI_MAX_RANK, shape, &rank, error));
    if (rank < input->rank)
        return tqi_call_refuse(call, error, "its new shape has fewer dimensions");
    uint32_t more = rank - input->rank;
    for (uint32_t d = 0; d < input->rank; d++)
        if (input->shape[d] != 1 && input->shape[d] != shape[more + d])
            return tqi_call_refuse(call, error, "its new shape does not fit");
    TQI_TRY(tqi_call_make(call, 0, input->type, rank, shape, &output, error));
    tqi_steps(input, from);
    tqi_steps(output, to);
    tqi_walk walk = {.at = {output->data, input->data}};
    for (uint32_t d = 0; d < rank; d++)
        tqi_walk_dim(&walk, shape[d], to[d],
                     d < more || input->shape[d - more] == 1 ? 0 : from[d - more]);
    tqi_walk_copy(&walk, tqi_type_size(input->type));
    return TQ_OK;
}

/* Each dimension is two: which copy, and where in it. */
tq_status tqi_run_tile(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    int64_t times[TQI_MAX_RANK], shape[TQI_MAX_RANK], to[TQI_MAX_RANK], from[TQI_MAX_RANK];
    uint32_t count = 0;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_numbers(call, 1, TQI_MAX_RANK, times, &count, error));
    if (count != input->rank)
        return tqi_call_refuse(call, error, "its list of copies has another length");
    for (uint32_t d = 0; d < count; d++) {
        if (times[d] < 0 || times[d] > INT32_MAX)
            return tqi_call_refuse(call, error, "a number of copies is impossible");
        shape[d] = times[d] * input->shape[d];
    }
    TQI_TRY(tqi_call_make(call, 0, input->type, count, shape, &output, error));
    tqi_steps(input, from);
    tqi_steps(output, to);
    tqi_walk walk = {.at = {output->data, input->data}};
    for (uint32_t d = 0; d < count; d++) {
        tqi_walk_dim(&walk, times[d], to[d] * input->shape[d], 0);
        tqi_walk_dim(&walk, input->shape[d], to[d], from[d]);
    }
    tqi_walk_copy(&walk, tqi_type_size(input->type));
    return TQ_OK;
}

tq_status tqi_run_reverse_v2(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    int64_t axes[TQI_MAX_RANK], to[TQI_MAX_RANK], from[TQI_MAX_RANK];
    uint32_t count = 0;
    bool reversed[TQI_MAX_RANK] = {false};
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_numbers(call, 1, TQI_MAX_RANK, axes, &count, error));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t dim = 0;
        TQI_TRY(tqi_call_axis(call, axes[i], input->rank, &dim, error));
        reversed[dim] = true;
    }
    TQI_TRY(tqi_call_like(call, 0, input->type, input, &output, error));
    if (output->elements == 0)
        return TQ_OK;
    tqi_steps(input, from);
    tqi_steps(output, to);
    uint8_t *start = input->data;
    tqi_walk walk = {.at = {output->data}};
    for (uint32_t d = 0; d < input->rank; d++) {
        start += reversed[d] ? from[d] * (input->shape[d] - 1) : 0;
        tqi_walk_dim(&walk, input->shape[d], to[d], reversed[d] ? -from[d] : from[d]);
    }
    walk.at[1] = start;
    tqi_walk_copy(&walk, tqi_type_size(input->type));
    return TQ_OK;
}

/* ---- between depth and space ---- */

/* `wide` is [b][h][block][w][block][c], `deep` is [b][h][w][block][block][c]. */
static void exchange(const tqi_value *wide, const tqi_value *deep, int64_t block, bool to_deep) {
    int64_t element = (int64_t)tqi_type_size(wide->type), c = wide->shape[3] * element;
    int64_t h = deep->shape[1], w = deep->shape[2];
    const int64_t dims[6][3] = {
        {wide->shape[0], h * w * block * block * c, h * w * block * block * c},
        {h, w * block * block * c, w * block * block * c},
        {block, w * block * c, block * c},
        {w, block * c, block * block * c},
        {block, c, c},
        {wide->shape[3], element, element}};
    tqi_walk walk = {.at = {to_deep ? deep->data : wide->data, to_deep ? wide->data : deep->data}};
    for (int d = 0; d < 6; d++)
        tqi_walk_dim(&walk, dims[d][0], dims[d][to_deep ? 2 : 1], dims[d][to_deep ? 1 : 2]);
    tqi_walk_copy(&walk, (size_t)element);
}

static tq_status read_block(const tqi_call *call, uint8_t member, const tqi_value **input,
                            int64_t *block, tq_error *error) {
    TQI_TRY(tqi_call_any(call, 0, input, error));
    *block = tqi_option_i32(call, tqi_call_options(call, member), 0, 0);
    if ((*input)->rank != 4 || *block < 1 || *block > 1 << 15)
        return tqi_call_refuse(call, error, "its block or its input is impossible");
    return TQ_OK;
}

tq_status tqi_run_space_to_depth(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    int64_t block = 0;
    TQI_TRY(read_block(call, TQI_OPTIONS_SPACE_TO_DEPTH, &input, &block, error));
    const int32_t *in = input->shape;
    if (in[1] % block != 0 || in[2] % block != 0)
        return tqi_call_refuse(call, error, "its input is no multiple of the block");
    int64_t shape[4] = {in[0], in[1] / block, in[2] / block, in[3] * block * block};
    TQI_TRY(tqi_call_make(call, 0, input->type, 4, shape, &output, error));
    exchange(input, output, block, true);
    return TQ_OK;
}

tq_status tqi_run_depth_to_space(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    int64_t block = 0;
    TQI_TRY(read_block(call, TQI_OPTIONS_DEPTH_TO_SPACE, &input, &block, error));
    const int32_t *in = input->shape;
    if (in[3] % (block * block) != 0)
        return tqi_call_refuse(call, error, "its input is no multiple of the block");
    int64_t shape[4] = {in[0], in[1] * block, in[2] * block, in[3] / (block * block)};
    TQI_TRY(tqi_call_make(call, 0, input->type, 4, shape, &output, error));
    exchange(output, input, block, false);
    return TQ_OK;
}

/* ---- between batch and space ---- */

/* Dimensions 1 to `dims` of the input or output with few batches have blocks; element i of a block
 * lies in batch i * batches + b of the other, at position (own position + before) / block. */
typedef struct blocks {
    uint32_t dims;
    int64_t size[TQI_MAX_RANK], before[TQI_MAX_RANK], after[TQI_MAX_RANK], product;
} blocks;

static tq_status read_blocks(const tqi_call *call, const tqi_value *input, blocks *b,
                             tq_error *error) {
    int64_t edges[2 * TQI_MAX_RANK];
    uint32_t n_edges = 0;
    TQI_TRY(tqi_call_numbers(call, 1, TQI_MAX_RANK - 1, b->size, &b->dims, error));
    TQI_TRY(tqi_call_numbers(call, 2, 2 * TQI_MAX_RANK, edges, &n_edges, error));
    if (b->dims + 1 > input->rank || n_edges != 2 * b->dims)
        return tqi_call_refuse(call, error, "its blocks do not fit to its input");
    b->product = 1;
    for (uint32_t d = 0; d < b->dims; d++) {
        b->before[d] = edges[2 * d];
        b->after[d] = edges[2 * d + 1];
        bool sane = b->size[d] >= 1 && b->size[d] <= INT32_MAX && b->before[d] >= 0 &&
                    b->before[d] <= INT32_MAX && b->after[d] >= 0 && b->after[d] <= INT32_MAX;
        b->product *= sane ? b->size[d] : 1;
        if (!sane || b->product > INT32_MAX)
            return tqi_call_refuse(call, error, "its blocks are impossible");
    }
    return TQ_OK;
}

/* `number` is that of an element of the block; `flat` has few batches, `stacked` many. */
static void move_one(const tqi_value *flat, const tqi_value *stacked, const blocks *b,
                     int64_t number, bool to_flat) {
    int64_t flat_steps[TQI_MAX_RANK], stacked_steps[TQI_MAX_RANK], at[TQI_MAX_RANK];
    tqi_steps(flat, flat_steps);
    tqi_steps(stacked, stacked_steps);
    uint8_t *flat_at = flat->data, *stacked_at = stacked->data;
    stacked_at += number * flat->shape[0] * stacked_steps[0];
    for (uint32_t d = b->dims; d-- > 0;) {
        at[d] = number % b->size[d];
        number /= b->size[d];
    }
    tqi_walk walk = {0};
    for (uint32_t d = 0; d < flat->rank; d++) {
        int64_t from = flat_steps[d], size = flat->shape[d];
        if (d >= 1 && d <= b->dims) {
            int64_t block = b->size[d - 1], shift = at[d - 1] - b->before[d - 1];
            int64_t first = shift >= 0 ? 0 : (-shift + block - 1) / block; /* first inside */
            int64_t end = (size - shift + block - 1) / block;
            end = end > stacked->shape[d] ? stacked->shape[d] : end;
            if (end <= first)
                return;
            flat_at += (first * block + shift) * from;
            stacked_at += first * stacked_steps[d];
            size = end - first;
            from *= block;
        }
        tqi_walk_dim(&walk, size, to_flat ? from : stacked_steps[d],
                     to_flat ? stacked_steps[d] : from);
    }
    walk.at[0] = to_flat ? flat_at : stacked_at;
    walk.at[1] = to_flat ? stacked_at : flat_at;
    tqi_walk_copy(&walk, tqi_type_size(flat->type));
}

tq_status tqi_run_space_to_batch_nd(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    blocks b = {0};
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(read_blocks(call, input, &b, error));
    int64_t shape[TQI_MAX_RANK];
    for (uint32_t d = 0; d < input->rank; d++)
        shape[d] = input->shape[d];
    shape[0] *= b.product;
    for (uint32_t d = 0; d < b.dims; d++) {
        shape[d + 1] += b.before[d] + b.after[d];
        if (shape[d + 1] % b.size[d] != 0)
            return tqi_call_refuse(call, error, "its input is no multiple of the block");
        shape[d + 1] /= b.size[d];
    }
    TQI_TRY(tqi_call_make(call, 0, input->type, input->rank, shape, &output, error));
    memset(output->data, 0, tqi_value_bytes(output));
    for (int64_t i = 0; i < b.product && output->elements > 0; i++)
        move_one(input, output, &b, i, false);
    return TQ_OK;
}

tq_status tqi_run_batch_to_space_nd(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    blocks b = {0};
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(read_blocks(call, input, &b, error));
    int64_t shape[TQI_MAX_RANK];
    for (uint32_t d = 0; d < input->rank; d++)
        shape[d] = input->shape[d];
    if (shape[0] % b.product != 0)
        return tqi_call_refuse(call, error, "its input is no multiple of the block");
    shape[0] /= b.product;
    for (uint32_t d = 0; d < b.dims; d++)
        shape[d + 1] = shape[d + 1] * b.size[d] - b.before[d] - b.after[d];
    TQI_TRY(tqi_call_make(call, 0, input->type, input->rank, shape, &output, error));
    for (int64_t i = 0; i < b.product && output->elements > 0; i++)
        move_one(output, input, &b, i, true);
    return TQ_OK;
}
