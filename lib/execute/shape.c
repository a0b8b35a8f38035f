/* SPDX-License-Identifier: Apache-2.0 */
/* The same numbers in another shape, the shape as numbers, and numbers made from a few. */
#include "execute/families.h"

#include <math.h>

#include "execute/call.h"

/* ---- the same numbers ---- */

static tq_status copied(const tqi_call *call, const tqi_value *input, uint32_t rank,
                        const int64_t *shape, tq_error *error) {
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_make(call, 0, input->type, rank, shape, &output, error));
    if (output->elements != input->elements)
        return tqi_call_refuse(call, error, "its shapes have not as many elements");
    memcpy(output->data, input->data, tqi_value_bytes(input));
    return TQ_OK;
}

/* From the second input, else the options. */
static tq_status read_new_shape(const tqi_call *call, int64_t *shape, uint32_t *rank,
                                tq_error *error) {
    if (tqi_call_has(call, 1))
        return tqi_call_numbers(call, 1, TQI_MAX_RANK, shape, rank, error);
    int32_t list[TQI_MAX_RANK];
    tqi_option_list(call, tqi_call_options(call, TQI_OPTIONS_RESHAPE), 0, TQI_MAX_RANK, list, rank);
    if (*rank > TQI_MAX_RANK)
        return tqi_call_refuse(call, error, "its output has too many dimensions");
    for (uint32_t d = 0; d < *rank; d++)
        shape[d] = list[d];
    if (*rank == 1 && shape[0] == 0) /* old files write a scalar's shape so */
        *rank = 0;
    return TQ_OK;
}

tq_status tqi_run_reshape(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    int64_t shape[TQI_MAX_RANK];
    uint32_t rank = 0, open = TQI_MAX_RANK;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(read_new_shape(call, shape, &rank, error));
    uint64_t known = 1;
    for (uint32_t d = 0; d < rank; d++) {
        if (shape[d] < -1 || (shape[d] == -1 && open < TQI_MAX_RANK) || shape[d] > INT32_MAX)
            return tqi_call_refuse(call, error, "its new shape is impossible");
        if (shape[d] == -1)
            open = d;
        else
            known *= (uint64_t)shape[d];
        if (known > INT32_MAX)
            return tqi_call_refuse(call, error, "its new shape is too large");
    }
    if (open < TQI_MAX_RANK) {
        if (known == 0)
            return tqi_call_refuse(call, error, "its new shape is impossible");
        shape[open] = (int64_t)(input->elements / known);
    }
    return copied(call, input, rank, shape, error);
}

tq_status tqi_run_squeeze(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    int32_t axes[TQI_MAX_RANK];
    uint32_t count = 0, rank = 0;
    tqi_option_list(call, tqi_call_options(call, TQI_OPTIONS_SQUEEZE), 0, TQI_MAX_RANK, axes,
                    &count);
    if (count > TQI_MAX_RANK)
        return tqi_call_refuse(call, error, "it has too many dimensions");
    bool gone[TQI_MAX_RANK] = {false};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t dim = 0;
        TQI_TRY(tqi_call_axis(call, axes[i], input->rank, &dim, error));
        if (input->shape[dim] != 1)
            return tqi_call_refuse(call, error, "a dimension to be left out is not 1");
        gone[dim] = true;
    }
    int64_t shape[TQI_MAX_RANK];
    for (uint32_t d = 0; d < input->rank; d++)
        if (!gone[d] && (count > 0 || input->shape[d] != 1))
            shape[rank++] = input->shape[d];
    return copied(call, input, rank, shape, error);
}

tq_status tqi_run_expand_dims(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    int64_t axis = 0, shape[TQI_MAX_RANK];
    uint32_t dim = 0;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_number(call, 1, &axis, error));
    TQI_TRY(tqi_call_axis(call, axis, input->rank + 1, &dim, error));
    if (input->rank == TQI_MAX_RANK)
        return tqi_call_refuse(call, error, "its output has too many dimensions");
    for (uint32_t d = 0; d <= input->rank; d++)
        shape[d] = d == dim ? 1 : input->shape[d - (d > dim)];
    return copied(call, input, input->rank + 1, shape, error);
}

/* Activations are float32 here, whatever the file makes of them. */
static tq_status identity(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, &input, error));
    TQI_TRY(tqi_call_like(call, 0, TQI_TYPE_FLOAT32, input, &output, error));
    memcpy(output->data, input->data, tqi_value_bytes(input));
    return TQ_OK;
}

tq_status tqi_run_quantize(const tqi_call *call, tq_error *error) {
    return identity(call, error);
}

tq_status tqi_run_dequantize(const tqi_call *call, tq_error *error) {
    return identity(call, error);
}

/* ---- the shape as numbers ---- */

tq_status tqi_run_shape(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    int32_t type = tqi_option_i8(call, tqi_call_options(call, TQI_OPTIONS_SHAPE), 0, 0);
    if (type != TQI_TYPE_INT64)
        type = TQI_TYPE_INT32;
    TQI_TRY(tqi_call_make(call, 0, type, 1, (int64_t[]){input->rank}, &output, error));
    for (uint32_t d = 0; d < input->rank; d++)
        if (type == TQI_TYPE_INT64)
            ((int64_t *)output->data)[d] = input->shape[d];
        else
            ((int32_t *)output->data)[d] = input->shape[d];
    return TQ_OK;
}

tq_status tqi_run_rank(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_output(call, 0, TQI_TYPE_INT32, 0, NULL, &output, error));
    *(int32_t *)output->data = (int32_t)input->rank;
    return TQ_OK;
}

/* ---- many numbers of a few ---- */

tq_status tqi_run_fill(const tqi_call *call, tq_error *error) {
    int64_t shape[TQI_MAX_RANK];
    uint32_t rank = 0;
    const tqi_value *value = NULL;
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_numbers(call, 0, TQI_MAX_RANK, shape, &rank, error));
    TQI_TRY(tqi_call_any(call, 1, &value, error));
    if (value->elements != 1)
        return tqi_call_refuse(call, error, "its value is no single one");
    TQI_TRY(tqi_call_make(call, 0, value->type, rank, shape, &output, error));
    tqi_fill(output, value->data);
    return TQ_OK;
}

tq_status tqi_run_zeros_like(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_like(call, 0, input->type, input, &output, error));
    memset(output->data, 0, tqi_value_bytes(output));
    return TQ_OK;
}

static tq_status float_range(const tqi_call *call, float start, float limit, float delta,
                             tq_error *error) {
    tqi_value *output = NULL;
    float count = ceilf(fabsf((limit - start) / delta));
    if (!(delta > 0.0f ? start <= limit : start >= limit) || !(count < 2147483648.0f))
        return tqi_call_refuse(call, error, "its range is impossible");
    TQI_TRY(
        tqi_call_make(call, 0, TQI_TYPE_FLOAT32, 1, (int64_t[]){(int64_t)count}, &output, error));
    for (uint64_t i = 0; i < output->elements; i++, start += delta)
        tqi_floats(output)[i] = start;
    return TQ_OK;
}

static tq_status integer_range(const tqi_call *call, int32_t type, int64_t start, int64_t limit,
                               int64_t delta, tq_error *error) {
    tqi_value *output = NULL;
    if (delta == 0 || (delta > 0 ? start > limit : start < limit))
        return tqi_call_refuse(call, error, "its range is impossible");
    uint64_t distance =
        delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    uint64_t count = distance / step + (distance % step != 0);
    if (count > INT32_MAX)
        return tqi_call_refuse(call, error, "its range is too large");
    TQI_TRY(tqi_call_make(call, 0, type, 1, (int64_t[]){(int64_t)count}, &output, error));
    for (uint64_t i = 0; i < count; i++) {
        int64_t value = (int64_t)((uint64_t)start + i * (uint64_t)delta);
        if (type == TQI_TYPE_INT64)
            ((int64_t *)output->data)[i] = value;
        else
            ((int32_t *)output->data)[i] = (int32_t)value;
    }
    return TQ_OK;
}

tq_status tqi_run_range(const tqi_call *call, tq_error *error) {
    const tqi_value *ends[3] = {NULL, NULL, NULL};
    TQI_TRY(tqi_call_any(call, 0, &ends[0], error));
    int32_t type = ends[0]->type;
    for (uint32_t i = 0; i < 3; i++) {
        TQI_TRY(tqi_call_input(call, i, type, &ends[i], error));
        if (ends[i]->elements != 1)
            return tqi_call_refuse(call, error, "an end of its range is no single number");
    }
    if (type == TQI_TYPE_FLOAT32)
        return float_range(call, *tqi_floats(ends[0]), *tqi_floats(ends[1]), *tqi_floats(ends[2]),
                           error);
    if (!tqi_is_integer(ends[0]))
        return tqi_call_refuse(call, error, "its type is not covered");
    return integer_range(call, type, tqi_integer(ends[0], 0), tqi_integer(ends[1], 0),
                         tqi_integer(ends[2], 0), error);
}
