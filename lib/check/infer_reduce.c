/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions, and operators that make something of a shape. */
#include <inttypes.h>

#include "check/infer.h"
#include "tflite/builtins.h"

tqi_fit tqi_infer_reduce(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    uint32_t o = tqi_infer_options(infer, TQI_INFER_REDUCER), count = 0, rank = 0, dim;
    bool keeps = tqi_infer_i8(infer, o, 0, 0) != 0, gone[TQI_SHAPE_RANK] = {false};
    const int64_t *axes = NULL;
    int64_t dims[TQI_SHAPE_RANK];
    if (tqi_infer_has(infer, 1) && tqi_infer_input(infer, 1)->type != TQI_TYPE_INT32)
        return tqi_infer_refuses(infer, "its axes are not of type INT32");
    tqi_fit fit = tqi_infer_values(infer, 1, &axes, &count);
    if (fit != TQI_FITS)
        return fit;
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "by axes of shape", tqi_infer_input(infer, 1));
    for (uint32_t i = 0; i < count && input->rank > 0; i++) {
        if (!tqi_infer_axis(axes[i], input->rank, &dim))
            return tqi_infer_quotes(infer, "Invalid axis index.");
        gone[dim] = true;
    }
    for (uint32_t d = 0; d < input->rank; d++)
        if (!gone[d] || keeps)
            dims[rank++] = gone[d] ? 1 : input->dims[d];
    fit = tqi_infer_output(infer, 0, rank, dims);
    if (fit == TQI_FITS && input->fixed)
        tqi_infer_fix(infer, NULL, 0);
    return fit;
}

tqi_fit tqi_infer_arg(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    bool max = infer->builtin == TQI_BUILTIN_ARG_MAX;
    uint32_t o = tqi_infer_options(infer, max ? TQI_INFER_ARG_MAX : TQI_INFER_ARG_MIN);
    uint32_t axis, count = 0, rank = 0;
    const int64_t *at = NULL;
    int64_t dims[TQI_SHAPE_RANK];
    int32_t type = tqi_infer_i8(infer, o, 0, TQI_TYPE_FLOAT32);
    if (type == TQI_TYPE_INT32 || type == TQI_TYPE_INT64)
        tqi_infer_type(infer, 0, type);
    tqi_fit fit = tqi_infer_values(infer, 1, &at, &count);
    if (fit != TQI_FITS)
        return fit;
    if (!input->known || count != 1)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "and", input);
    if (!tqi_infer_axis(at[0], input->rank, &axis))
        return tqi_infer_refuses(infer, "there is no axis %" PRId64 " in its input", at[0]);
    for (uint32_t d = 0; d < input->rank; d++)
        if (d != axis)
            dims[rank++] = input->dims[d];
    return tqi_infer_output(infer, 0, rank, dims);
}

tqi_fit tqi_infer_topk(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    const int64_t *k = NULL;
    uint32_t count = 0;
    int64_t dims[TQI_SHAPE_RANK];
    tqi_fit fit = tqi_infer_values(infer, 1, &k, &count);
    if (fit != TQI_FITS)
        return fit;
    if (!input->known || count != 1)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "and", input);
    if (input->rank < 1)
        return tqi_infer_quotes(infer, "TopK k input must have 1 or more dimensions.");
    if (k[0] > input->dims[input->rank - 1])
        return tqi_infer_quotes(infer, "TopK k is higher than the internal dimension.");
    for (uint32_t d = 0; d < input->rank; d++)
        dims[d] = input->dims[d];
    dims[input->rank - 1] = k[0] < 0 ? 0 : k[0];
    fit = tqi_infer_output(infer, 0, input->rank, dims);
    return fit == TQI_FITS ? tqi_infer_output(infer, 1, input->rank, dims) : fit;
}

/* ---- the shape as numbers ---- */

tqi_fit tqi_infer_shape(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    uint32_t o = tqi_infer_options(infer, TQI_INFER_SHAPE), rank = input->rank;
    int32_t type = tqi_infer_i8(infer, o, 0, TQI_TYPE_FLOAT32);
    int64_t values[TQI_SHAPE_RANK];
    if (type != TQI_TYPE_INT32 && type != TQI_TYPE_INT64)
        return tqi_infer_refuses(infer, "its output is to be neither INT32 nor INT64");
    tqi_infer_type(infer, 0, type);
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    for (uint32_t d = 0; d < rank; d++)
        values[d] = input->dims[d];
    tqi_fit fit = tqi_infer_output(infer, 0, 1, (int64_t[]){rank});
    if (fit == TQI_FITS)
        tqi_infer_fix(infer, values, rank);
    return fit;
}

tqi_fit tqi_infer_rank(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    tqi_infer_type(infer, 0, TQI_TYPE_INT32);
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    int64_t rank = input->rank;
    tqi_fit fit = tqi_infer_output(infer, 0, 0, NULL);
    if (fit == TQI_FITS)
        tqi_infer_fix(infer, &rank, 1);
    return fit;
}

tqi_fit tqi_infer_fill(tqi_infer *infer) {
    const int64_t *dims = NULL;
    uint32_t rank = 0;
    const tqi_shape *value = tqi_infer_input(infer, 1);
    tqi_infer_type(infer, 0, value->type);
    if (value->known && value->rank != 0)
        return tqi_infer_refuses(infer, "its value is no scalar");
    if (tqi_infer_input(infer, 0)->known && tqi_infer_input(infer, 0)->rank != 1)
        return tqi_infer_refuses(infer, "its shape is no vector");
    tqi_fit fit = tqi_infer_values(infer, 0, &dims, &rank);
    if (fit != TQI_FITS)
        return fit;
    for (uint32_t d = 0; d < rank; d++)
        if (dims[d] < 0)
            return tqi_infer_refuses(infer, "Fill dimensions must be >= 0");
    fit = tqi_infer_output(infer, 0, rank, dims);
    if (fit == TQI_FITS && value->fixed)
        tqi_infer_fix(infer, NULL, 0);
    return fit;
}
