/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that only give the values another shape or order. */
#include <inttypes.h>

#include "base/checked.h"
#include "check/infer.h"

/* ---- RESHAPE ---- */

/* The new shape: of the second input, where that is a vector of INT32, else of the options. */
static tqi_fit new_shape(tqi_infer *infer, int64_t dims[TQI_SHAPE_VALUES], uint32_t *rank) {
    const tqi_shape *shape = tqi_infer_input(infer, 1);
    if (infer->op->n_inputs == 2 && !shape->fixed)
        return tqi_infer_has(infer, 1) ? TQI_FIT_LATE : TQI_FIT_UNKNOWN;
    if (infer->op->n_inputs == 2 && shape->rank == 1 && shape->type == TQI_TYPE_INT32) {
        const int64_t *values = NULL;
        tqi_fit fit = tqi_infer_values(infer, 1, &values, rank);
        for (uint32_t d = 0; fit == TQI_FITS && d < *rank; d++)
            dims[d] = values[d];
        return fit;
    }
    uint32_t options = tqi_infer_options(infer, TQI_INFER_RESHAPE);
    tqi_vector list = options ? tqi_get_vector(&infer->graph->view, options, 0) : (tqi_vector){0};
    if (list.count > TQI_SHAPE_VALUES)
        return TQI_FIT_UNKNOWN;
    for (uint32_t d = 0; d < list.count; d++)
        dims[d] = tqi_load_i32(infer->graph->view.data + list.at + 4 * d);
    *rank = list.count == 1 && dims[0] == 0 ? 0 : list.count;
    return TQI_FITS;
}

/* Puts in the dimension that is left open. */
static tqi_fit resolve(tqi_infer *infer, const tqi_shape *input, uint32_t rank, int64_t *dims) {
    uint64_t in = 1, in_plain = 1, out = 1, out_plain = 1;
    uint32_t open = rank;
    for (uint32_t d = 0; d < input->rank; d++) {
        in *= (uint64_t)input->dims[d]; /* has been checked */
        in_plain *= input->dims[d] ? (uint64_t)input->dims[d] : 1;
    }
    for (uint32_t d = 0; d < rank; d++) {
        if (dims[d] == -1 && open < rank)
            return tqi_infer_refuses(infer, "its new shape leaves two dimensions open");
        if (dims[d] == -1) {
            open = d;
            continue;
        }
        if (dims[d] < 0)
            return tqi_infer_quotes(infer, "output shape contains negative dimension");
        if (!tqi_mul_u64(out_plain, dims[d] ? (uint64_t)dims[d] : 1, &out_plain))
            return tqi_infer_quotes(infer, "num_output_elements overflowed");
        out *= (uint64_t)dims[d];
    }
    if (open < rank) {
        dims[open] = in == 0 && out != 0 ? 0 : (int64_t)(in_plain / out_plain);
        if (!tqi_mul_u64(out, (uint64_t)dims[open], &out))
            return tqi_infer_quotes(infer, "num_output_elements overflowed");
    }
    if (in != out)
        return tqi_infer_quotes(
            infer, "num_input_elements != num_output_elements (%" PRIu64 " != %" PRIu64 ")", in,
            out);
    return TQI_FITS;
}

tqi_fit tqi_infer_reshape(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    int64_t dims[TQI_SHAPE_VALUES];
    uint32_t rank = 0;
    tqi_fit fit = new_shape(infer, dims, &rank);
    if (fit != TQI_FITS)
        return fit;
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    tqi_shape wanted = {.known = rank <= TQI_SHAPE_RANK, .rank = rank};
    for (uint32_t d = 0; wanted.known && d < rank; d++)
        wanted.dims[d] = (int32_t)dims[d];
    tqi_infer_show(infer, input, "to", &wanted);
    fit = resolve(infer, input, rank, dims);
    if (fit == TQI_FITS)
        fit = tqi_infer_output(infer, 0, rank, dims);
    if (fit == TQI_FITS && input->fixed) {
        uint64_t n;
        (void)tqi_shape_elements(input, &n);
        tqi_infer_fix(infer, input->values, (uint32_t)n);
    }
    return fit;
}

/* ---- BROADCAST_TO, TILE ---- */

tqi_fit tqi_infer_broadcast_to(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    const int64_t *dims = NULL;
    uint32_t rank = 0;
    tqi_fit fit = tqi_infer_values(infer, 1, &dims, &rank);
    if (fit != TQI_FITS)
        return fit;
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    tqi_shape wanted = {.known = rank <= TQI_SHAPE_RANK, .rank = rank};
    for (uint32_t d = 0; wanted.known && d < rank; d++)
        wanted.dims[d] = (int32_t)dims[d];
    tqi_infer_show(infer, input, "to", &wanted);
    if (tqi_infer_input(infer, 1)->rank != 1)
        return tqi_infer_refuses(infer, "its target shape is not a vector");
    bool fits = input->rank <= rank;
    for (uint32_t d = 0; fits && d < input->rank; d++)
        fits = input->dims[d] == 1 || input->dims[d] == dims[rank - input->rank + d];
    if (!fits)
        return tqi_infer_quotes(infer, "Output shape must be broadcastable from input shape.");
    return tqi_infer_output(infer, 0, rank, dims);
}

tqi_fit tqi_infer_tile(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    const int64_t *times = NULL;
    int64_t dims[TQI_SHAPE_RANK];
    uint32_t count = 0;
    tqi_fit fit = tqi_infer_values(infer, 1, &times, &count);
    if (fit != TQI_FITS)
        return fit;
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "with multiples of shape", tqi_infer_input(infer, 1));
    if (count != input->rank)
        return tqi_infer_refuses(infer, "it has %" PRIu32 " multiples for %" PRIu32 " dimensions",
                                 count, input->rank);
    for (uint32_t d = 0; d < count; d++) {
        if (times[d] < 0)
            return tqi_infer_quotes(infer, "Multipliers must be non-negative.");
        if (times[d] > INT32_MAX)
            return tqi_infer_refuses(infer, "its multiple %" PRId64 " is impossible", times[d]);
        dims[d] = input->dims[d] * times[d];
    }
    fit = tqi_infer_output(infer, 0, count, dims);
    if (fit == TQI_FITS && input->fixed)
        tqi_infer_fix(infer, NULL, 0);
    return fit;
}

/* ---- dimensions of one ---- */

tqi_fit tqi_infer_squeeze(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    uint32_t options = tqi_infer_options(infer, TQI_INFER_SQUEEZE), rank = 0;
    tqi_vector axes = options ? tqi_get_vector(&infer->graph->view, options, 0) : (tqi_vector){0};
    bool gone[TQI_SHAPE_RANK] = {false};
    int64_t dims[TQI_SHAPE_RANK];
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    if (axes.count > TQI_SHAPE_VALUES)
        return TQI_FIT_UNKNOWN;
    for (uint32_t i = 0; i < axes.count; i++) {
        int32_t axis = tqi_load_i32(infer->graph->view.data + axes.at + 4 * i);
        uint32_t dim;
        tqi_infer_show(infer, input, "and", input);
        if (!tqi_infer_axis(axis, input->rank, &dim) || input->dims[dim] != 1)
            return tqi_infer_refuses(infer, "dimension %" PRId32 " is not one that can go", axis);
        gone[dim] = true;
    }
    for (uint32_t d = 0; d < input->rank; d++)
        if (!gone[d] && (axes.count > 0 || input->dims[d] != 1))
            dims[rank++] = input->dims[d];
    return tqi_infer_output(infer, 0, rank, dims);
}

tqi_fit tqi_infer_expand_dims(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    const int64_t *axis = NULL;
    int64_t dims[TQI_SHAPE_RANK + 1];
    uint32_t count = 0, dim;
    tqi_infer_type(infer, 0, input->type);
    tqi_fit fit = tqi_infer_values(infer, 1, &axis, &count);
    if (fit != TQI_FITS)
        return fit;
    if (!input->known || count == 0)
        return TQI_FIT_UNKNOWN;
    if (!tqi_infer_axis(axis[0], input->rank + 1, &dim))
        return tqi_infer_refuses(infer, "there is no place %" PRId64 " for a new dimension",
                                 axis[0]);
    for (uint32_t d = 0; d <= input->rank; d++)
        dims[d] = d == dim ? 1 : input->dims[d - (d > dim)];
    return tqi_infer_output(infer, 0, input->rank + 1, dims);
}

/* ---- other orders ---- */

tqi_fit tqi_infer_transpose(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *order = tqi_infer_input(infer, 1);
    const int64_t *from = NULL;
    int64_t dims[TQI_SHAPE_RANK];
    uint32_t count = 0, dim;
    tqi_fit fit = tqi_infer_values(infer, 1, &from, &count);
    if (fit != TQI_FITS)
        return fit;
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "by an order of shape", order);
    if (order->rank != 1 || count != input->rank)
        return tqi_infer_refuses(infer, "its order does not name each dimension");
    for (uint32_t d = 0; d < count; d++) {
        if (!tqi_infer_axis(from[d], count, &dim))
            return tqi_infer_quotes(infer, "Transpose op permutations array is out of bounds.");
        dims[d] = input->dims[dim];
    }
    return tqi_infer_output(infer, 0, count, dims);
}

static tqi_fit not_an_image(tqi_infer *infer) {
    return tqi_infer_refuses(infer, "its input has not four dimensions");
}

tqi_fit tqi_infer_depth_to_space(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    uint32_t options = tqi_infer_options(infer, TQI_INFER_DEPTH_TO_SPACE);
    int64_t block = tqi_infer_i32(infer, options, 0, 0);
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "and", input);
    if (input->rank != 4)
        return not_an_image(infer);
    if (block <= 0 || input->dims[3] % (block * block) != 0)
        return tqi_infer_refuses(infer, "its channels can't be spread over blocks of %" PRId64,
                                 block);
    return tqi_infer_output(infer, 0, 4,
                            (int64_t[]){input->dims[0], input->dims[1] * block,
                                        input->dims[2] * block, input->dims[3] / (block * block)});
}

tqi_fit tqi_infer_space_to_depth(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    uint32_t options = tqi_infer_options(infer, TQI_INFER_SPACE_TO_DEPTH);
    int64_t block = tqi_infer_i32(infer, options, 0, 0), depth;
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "and", input);
    if (input->rank != 4)
        return not_an_image(infer);
    if (block <= 0 || input->dims[1] % block != 0 || input->dims[2] % block != 0)
        return tqi_infer_refuses(infer, "its input can't be cut into blocks of %" PRId64, block);
    if (block > INT16_MAX)
        return TQI_FIT_UNKNOWN;
    depth = input->dims[3] * block;
    if (depth > INT32_MAX)
        return tqi_infer_refuses(infer, "its output would be too large");
    return tqi_infer_output(
        infer, 0, 4,
        (int64_t[]){input->dims[0], input->dims[1] / block, input->dims[2] / block, depth * block});
}
