/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks to batches and back, and operators whose output's size is among their values. */
#include <inttypes.h>

#include "check/infer.h"
#include "tflite/builtins.h"

/* ---- SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND ---- */

static tqi_fit read_blocks(tqi_infer *infer, const int64_t **block, const int64_t **edges) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *blocks = tqi_infer_input(infer, 1),
                    *matrix = tqi_infer_input(infer, 2);
    uint32_t n = 0, m = 0;
    if (!input->known || !blocks->known || !matrix->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "with blocks of shape", blocks);
    if (input->rank < 3 || input->rank > 4)
        return tqi_infer_refuses(infer, "its input has not three or four dimensions");
    tqi_fit fit = tqi_infer_values(infer, 1, block, &n);
    if (fit == TQI_FITS)
        fit = tqi_infer_values(infer, 2, edges, &m);
    if (fit != TQI_FITS)
        return fit;
    int32_t spatial = (int32_t)input->rank - 2;
    bool fits = blocks->rank == 1 && blocks->dims[0] == spatial && matrix->rank == 2 &&
                matrix->dims[0] == spatial && matrix->dims[1] == 2;
    if (!fits)
        return tqi_infer_refuses(infer, "its blocks and edges are not for each inner dimension");
    for (int32_t i = 0; i < spatial; i++)
        for (int k = 0; k < 3; k++) {
            int64_t value = k == 2 ? (*block)[i] : (*edges)[2 * i + k];
            if (value < INT16_MIN || value > INT16_MAX)
                return TQI_FIT_UNKNOWN;
        }
    return TQI_FITS;
}

tqi_fit tqi_infer_space_to_batch(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    const int64_t *block = NULL, *pads = NULL;
    int64_t dims[TQI_SHAPE_RANK];
    tqi_fit fit = read_blocks(infer, &block, &pads);
    if (fit != TQI_FITS)
        return fit;
    dims[0] = input->dims[0];
    dims[input->rank - 1] = input->dims[input->rank - 1];
    for (uint32_t i = 0; i + 2 < input->rank; i++) {
        int64_t size = input->dims[i + 1] + pads[2 * i] + pads[2 * i + 1];
        if (block[i] == 0 || size % block[i] != 0)
            return tqi_infer_refuses(infer, "dimension %" PRIu32 " is not a whole number of blocks",
                                     i + 1);
        dims[i + 1] = size / block[i];
        dims[0] *= block[i];
    }
    return tqi_infer_output(infer, 0, input->rank, dims);
}

tqi_fit tqi_infer_batch_to_space(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    const int64_t *block = NULL, *crops = NULL;
    int64_t dims[TQI_SHAPE_RANK];
    tqi_fit fit = read_blocks(infer, &block, &crops);
    if (fit != TQI_FITS)
        return fit;
    dims[0] = input->dims[0];
    dims[input->rank - 1] = input->dims[input->rank - 1];
    for (uint32_t i = 0; i + 2 < input->rank; i++) {
        if (crops[2 * i] < 0 || crops[2 * i + 1] < 0)
            return tqi_infer_refuses(infer, "it is to crop less than nothing");
        if (block[i] == 0 || dims[0] % block[i] != 0)
            return tqi_infer_refuses(infer, "its batch is not a whole number of blocks");
        dims[0] /= block[i];
        dims[i + 1] = input->dims[i + 1] * block[i] - crops[2 * i] - crops[2 * i + 1];
    }
    return tqi_infer_output(infer, 0, input->rank, dims);
}

/* ---- others ---- */

tqi_fit tqi_infer_reverse(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *axes = tqi_infer_input(infer, 1);
    if (!input->known || !axes->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "by axes of shape", axes);
    if (axes->rank != 1 || axes->dims[0] > (int32_t)input->rank)
        return tqi_infer_refuses(infer, "its axes are no vector, or more than there are");
    return tqi_infer_unary(infer);
}

tqi_fit tqi_infer_where(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    tqi_infer_type(infer, 0, TQI_TYPE_INT64);
    return input->known && !input->fixed ? TQI_FIT_LATE : TQI_FIT_UNKNOWN;
}

tqi_fit tqi_infer_one_hot(tqi_infer *infer) {
    enum { DEPTH = 1, ON = 2 };
    const tqi_shape *places = tqi_infer_input(infer, 0);
    uint32_t o = tqi_infer_options(infer, TQI_INFER_ONE_HOT), count = 0;
    int32_t axis = tqi_infer_i32(infer, o, 0, 0);
    const int64_t *depth = NULL;
    int64_t dims[TQI_SHAPE_RANK + 1];
    tqi_infer_type(infer, 0, tqi_infer_input(infer, ON)->type);
    tqi_fit fit = tqi_infer_values(infer, DEPTH, &depth, &count);
    if (fit != TQI_FITS)
        return fit;
    if (!places->known)
        return TQI_FIT_UNKNOWN;
    axis = axis == -1 ? (int32_t)places->rank : axis;
    if (count != 1 || axis < 0 || axis > (int32_t)places->rank || depth[0] < 0)
        return tqi_infer_refuses(infer, "its depth or axis is impossible");
    for (uint32_t d = 0; d <= places->rank; d++)
        dims[d] = d == (uint32_t)axis ? depth[0] : places->dims[d - (d > (uint32_t)axis)];
    return tqi_infer_output(infer, 0, places->rank + 1, dims);
}

tqi_fit tqi_infer_range(tqi_infer *infer) {
    const int64_t *end[3] = {NULL, NULL, NULL};
    int64_t values[TQI_SHAPE_VALUES];
    int32_t type = tqi_infer_input(infer, 0)->type;
    bool known = true;
    tqi_infer_type(infer, 0, type);
    for (uint32_t i = 0; i < 3; i++) {
        const tqi_shape *input = tqi_infer_input(infer, i);
        if (!input->known)
            return TQI_FIT_UNKNOWN;
        if (input->rank != 0 || input->type != type)
            return tqi_infer_refuses(infer, "its ends and step are not scalars of one type");
        if (!input->fixed)
            return TQI_FIT_LATE;
        known = known && input->values;
        end[i] = input->values;
    }
    if (!known)
        return TQI_FIT_UNKNOWN;
    int64_t from = end[0][0], to = end[1][0], step = end[2][0];
    if (from < INT32_MIN || from > INT32_MAX || to < INT32_MIN || to > INT32_MAX ||
        step < INT32_MIN || step > INT32_MAX)
        return TQI_FIT_UNKNOWN;
    if (step == 0 || (step > 0 ? from > to : from < to))
        return tqi_infer_refuses(infer, "its step leads away from its end");
    int64_t distance = to > from ? to - from : from - to, stride = step > 0 ? step : -step;
    int64_t count = (distance + stride - 1) / stride;
    for (int64_t i = 0; i < count && i < TQI_SHAPE_VALUES; i++)
        values[i] = from + i * step;
    tqi_fit fit = tqi_infer_output(infer, 0, 1, &count);
    if (fit == TQI_FITS)
        tqi_infer_fix(infer, count <= TQI_SHAPE_VALUES ? values : NULL, (uint32_t)count);
    return fit;
}
