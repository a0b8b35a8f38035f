/* SPDX-License-Identifier: Apache-2.0 */
/* Several tensors into one along an axis, and one into several. */
#include <inttypes.h>

#include "check/infer.h"
#include "tflite/builtins.h"

/* ---- CONCATENATION, PACK ---- */

/* Values one behind the other, of tensors with at most one dimension. */
static void fix_joined(tqi_infer *infer) {
    int64_t values[TQI_SHAPE_VALUES];
    uint32_t count = 0;
    bool known = true;
    for (uint32_t i = 0; i < infer->op->n_inputs; i++) {
        const tqi_shape *input = tqi_infer_input(infer, i);
        uint64_t n = 0;
        if (!input->fixed)
            return;
        known = known && input->values && input->rank <= 1 && tqi_shape_elements(input, &n) &&
                count + n <= TQI_SHAPE_VALUES;
        for (uint64_t k = 0; known && k < n; k++)
            values[count++] = input->values[k];
    }
    tqi_infer_fix(infer, known ? values : NULL, count);
}

static bool all_fixed(tqi_infer *infer) {
    for (uint32_t i = 0; i < infer->op->n_inputs; i++)
        if (!tqi_infer_input(infer, i)->fixed)
            return false;
    return true;
}

tqi_fit tqi_infer_concatenation(tqi_infer *infer) {
    const tqi_shape *first = tqi_infer_input(infer, 0);
    uint32_t axis, options = tqi_infer_options(infer, TQI_INFER_CONCATENATION);
    int64_t dims[TQI_SHAPE_RANK];
    for (uint32_t i = 0; i < infer->op->n_inputs; i++)
        if (!tqi_infer_input(infer, i)->known)
            return TQI_FIT_UNKNOWN;
    if (tqi_infer_i8(infer, options, 1, 0) != 0)
        return tqi_infer_refuses(infer, "it has an activation function");
    if (first->rank == 0)
        return all_fixed(infer)
                   ? TQI_FIT_UNKNOWN
                   : tqi_infer_refuses(infer, "its inputs have no dimension to be joined along");
    if (!tqi_infer_axis(tqi_infer_i32(infer, options, 0, 0), first->rank, &axis))
        return tqi_infer_refuses(infer, "there is no axis %" PRId32 " in its inputs",
                                 tqi_infer_i32(infer, options, 0, 0));
    for (uint32_t d = 0; d < first->rank; d++)
        dims[d] = d == axis ? 0 : first->dims[d];
    for (uint32_t i = 0; i < infer->op->n_inputs; i++) {
        const tqi_shape *input = tqi_infer_input(infer, i);
        bool fits = input->rank == first->rank;
        for (uint32_t d = 0; fits && d < first->rank; d++)
            fits = d == axis || input->dims[d] == first->dims[d];
        tqi_infer_show(infer, first, "and", input);
        if (!fits)
            return tqi_infer_refuses(
                infer, "inputs 0 and %" PRIu32 " can't be joined along axis %" PRIu32, i, axis);
        if (input->type != first->type)
            return tqi_infer_refuses(infer, "inputs 0 and %" PRIu32 " are of different types", i);
        dims[axis] += input->dims[axis];
    }
    if (infer->shapes[infer->op->outputs[0]].type != first->type)
        return tqi_infer_refuses(infer, "its inputs and output are of different types");
    tqi_fit fit = tqi_infer_output(infer, 0, first->rank, dims);
    if (fit == TQI_FITS && all_fixed(infer))
        fix_joined(infer);
    return fit;
}

tqi_fit tqi_infer_pack(tqi_infer *infer) {
    const tqi_shape *first = tqi_infer_input(infer, 0);
    uint32_t axis, options = tqi_infer_options(infer, TQI_INFER_PACK);
    int32_t count = tqi_infer_i32(infer, options, 0, 0);
    int64_t dims[TQI_SHAPE_RANK + 1];
    if (count < 0 || (uint32_t)count != infer->op->n_inputs)
        return tqi_infer_refuses(infer, "it is to take %" PRId32 " inputs and has %" PRIu32, count,
                                 infer->op->n_inputs);
    for (uint32_t i = 0; i < infer->op->n_inputs; i++)
        if (!tqi_infer_input(infer, i)->known)
            return TQI_FIT_UNKNOWN;
    if (!tqi_infer_axis(tqi_infer_i32(infer, options, 1, 0), first->rank + 1, &axis))
        return tqi_infer_refuses(infer, "there is no place %" PRId32 " for a new dimension",
                                 tqi_infer_i32(infer, options, 1, 0));
    for (uint32_t i = 1; i < infer->op->n_inputs; i++) {
        const tqi_shape *input = tqi_infer_input(infer, i);
        tqi_infer_show(infer, first, "and", input);
        if (!tqi_shapes_equal(first, input) || first->type != input->type)
            return tqi_infer_refuses(infer, "inputs 0 and %" PRIu32 " differ", i);
    }
    for (uint32_t d = 0; d <= first->rank; d++)
        dims[d] = d == axis ? count : first->dims[d - (d > axis)];
    return tqi_infer_output(infer, 0, first->rank + 1, dims);
}

/* ---- UNPACK, SPLIT ---- */

static tqi_fit outputs(tqi_infer *infer, uint32_t rank, const int64_t *dims) {
    for (uint32_t i = 0; i < infer->op->n_outputs; i++) {
        tqi_fit fit = tqi_infer_output(infer, i, rank, dims);
        if (fit != TQI_FITS)
            return fit;
    }
    return TQI_FITS;
}

static bool has_parts(const tqi_infer *infer, int32_t parts) {
    return parts >= 0 && (uint32_t)parts == infer->op->n_outputs;
}

tqi_fit tqi_infer_unpack(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    uint32_t axis, options = tqi_infer_options(infer, TQI_INFER_UNPACK), rank = 0;
    int32_t parts = tqi_infer_i32(infer, options, 0, 0);
    int64_t dims[TQI_SHAPE_RANK];
    if (!has_parts(infer, parts))
        return tqi_infer_refuses(infer, "it has not as many outputs as parts");
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "and", input);
    if (!tqi_infer_axis(tqi_infer_i32(infer, options, 1, 0), input->rank, &axis) ||
        input->dims[axis] != parts)
        return tqi_infer_refuses(infer, "its input has not %" PRId32 " parts along that axis",
                                 parts);
    for (uint32_t d = 0; d < input->rank; d++) {
        if (input->dims[d] == 0)
            return tqi_infer_refuses(infer, "its input is empty");
        if (d != axis)
            dims[rank++] = input->dims[d];
    }
    return outputs(infer, rank, dims);
}

static void dims_of(const tqi_shape *shape, int64_t *dims) {
    for (uint32_t d = 0; d < shape->rank; d++)
        dims[d] = shape->dims[d];
}

tqi_fit tqi_infer_split(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 1);
    uint32_t axis, count = 0, options = tqi_infer_options(infer, TQI_INFER_SPLIT);
    int32_t parts = tqi_infer_i32(infer, options, 0, 0);
    const int64_t *at = NULL;
    int64_t dims[TQI_SHAPE_RANK];
    if (!has_parts(infer, parts))
        return tqi_infer_refuses(infer, "it has not as many outputs as parts");
    for (uint32_t i = 0; i < infer->op->n_outputs; i++)
        tqi_infer_type(infer, i, input->type);
    tqi_fit fit = tqi_infer_values(infer, 0, &at, &count);
    if (fit != TQI_FITS)
        return fit;
    if (!input->known || count == 0)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "and", input);
    if (!tqi_infer_axis(at[0], input->rank, &axis))
        return tqi_infer_refuses(infer, "there is no axis %" PRId64 " in its input", at[0]);
    if (parts == 0 || input->dims[axis] % parts != 0)
        return tqi_infer_quotes(infer, "Not an even split");
    dims_of(input, dims);
    dims[axis] = input->dims[axis] / parts;
    return outputs(infer, input->rank, dims);
}

tqi_fit tqi_infer_split_v(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    uint32_t axis, n_sizes = 0, count = 0, options = tqi_infer_options(infer, TQI_INFER_SPLIT_V);
    const int64_t *at = NULL, *sizes = NULL;
    int64_t dims[TQI_SHAPE_RANK], sum = 0, open = -1;
    if (!has_parts(infer, tqi_infer_i32(infer, options, 0, 0)))
        return tqi_infer_refuses(infer, "it has not as many outputs as parts");
    tqi_fit fit = tqi_infer_values(infer, 1, &sizes, &n_sizes);
    if (fit == TQI_FITS)
        fit = tqi_infer_values(infer, 2, &at, &count);
    if (fit != TQI_FITS)
        return fit;
    if (n_sizes != infer->op->n_outputs)
        return tqi_infer_refuses(infer, "it has not as many sizes as parts");
    if (!input->known || count == 0)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "and", input);
    if (!tqi_infer_axis(at[0], input->rank, &axis))
        return tqi_infer_refuses(infer, "there is no axis %" PRId64 " in its input", at[0]);
    for (uint32_t i = 0; i < n_sizes; i++) {
        if (sizes[i] < INT32_MIN || sizes[i] > INT32_MAX)
            return TQI_FIT_UNKNOWN;
        if (sizes[i] == -1 && open >= 0)
            return tqi_infer_quotes(infer, "The size_splits contains more than one -1.");
        open = sizes[i] == -1 ? (int64_t)i : open;
        sum += sizes[i] == -1 ? 0 : sizes[i];
    }
    if (open >= 0 && sum > input->dims[axis])
        return tqi_infer_quotes(infer,
                                "The sum of size_splits must be less than the dimension of value.");
    if (open < 0 && sum != input->dims[axis])
        return tqi_infer_quotes(infer,
                                "The size_splits must sum to the dimension of value along axis.");
    dims_of(input, dims);
    for (uint32_t i = 0; i < n_sizes; i++) {
        dims[axis] = (int64_t)i == open ? input->dims[axis] - sum : sizes[i];
        fit = tqi_infer_output(infer, i, input->rank, dims);
        if (fit != TQI_FITS)
            return fit;
    }
    return TQI_FITS;
}
