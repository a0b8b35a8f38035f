/* SPDX-License-Identifier: Apache-2.0 */
/* Parts by their indices, and indices by their values. */
#include "execute/families.h"

#include "execute/call.h"

/* An input of indices; refuses another type. */
static tq_status read_indices(const tqi_call *call, uint32_t input, const tqi_value **indices,
                              tq_error *error) {
    TQI_TRY(tqi_call_any(call, input, indices, error));
    return tqi_is_integer(*indices) ? TQ_OK
                                    : tqi_call_refuse(call, error, "its indices are no integers");
}

static tq_status check_indices(const tqi_call *call, const tqi_value *indices, int64_t end,
                               tq_error *error) {
    for (uint64_t i = 0; i < indices->elements; i++)
        if (tqi_integer(indices, i) < 0 || tqi_integer(indices, i) >= end)
            return tqi_call_refuse(call, error, "an index leads out of its table");
    return TQ_OK;
}

/* The table is [batch][outer][axis][inner], the indices [batch][indices]. */
static tq_status gather(const tqi_call *call, const tqi_value *table, const tqi_value *indices,
                        uint32_t axis, uint32_t batch_dims, tq_error *error) {
    tqi_value *output = NULL;
    int64_t shape[2 * TQI_MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t d = 0; d < axis; d++)
        shape[rank++] = table->shape[d];
    for (uint32_t d = batch_dims; d < indices->rank; d++)
        shape[rank++] = indices->shape[d];
    for (uint32_t d = axis + 1; d < table->rank; d++)
        shape[rank++] = table->shape[d];
    TQI_TRY(check_indices(call, indices, table->shape[axis], error));
    TQI_TRY(tqi_call_make(call, 0, table->type, rank, shape, &output, error));
    if (output->elements == 0)
        return TQ_OK;
    uint64_t batches = tqi_extent(table, 0, batch_dims);
    uint64_t outer = tqi_extent(table, batch_dims, axis), size = (uint64_t)table->shape[axis];
    uint64_t n = tqi_extent(indices, batch_dims, indices->rank);
    size_t bytes = (size_t)tqi_extent(table, axis + 1, table->rank) * tqi_type_size(table->type);
    const uint8_t *from = table->data;
    uint8_t *to = output->data;
    for (uint64_t b = 0; b < batches; b++)
        for (uint64_t o = 0; o < outer; o++, from += size * bytes)
            for (uint64_t i = 0; i < n; i++, to += bytes)
                memcpy(to, from + (uint64_t)tqi_integer(indices, b * n + i) * bytes, bytes);
    return TQ_OK;
}

tq_status tqi_run_gather(const tqi_call *call, tq_error *error) {
    const tqi_value *table = NULL, *indices = NULL;
    uint32_t options = tqi_call_options(call, TQI_OPTIONS_GATHER), axis = 0;
    TQI_TRY(tqi_call_any(call, 0, &table, error));
    TQI_TRY(read_indices(call, 1, &indices, error));
    TQI_TRY(tqi_call_axis(call, tqi_option_i32(call, options, 0, 0), table->rank, &axis, error));
    int64_t batch_dims = tqi_option_i32(call, options, 1, 0);
    if (batch_dims < 0)
        batch_dims += indices->rank;
    if (batch_dims < 0 || batch_dims > indices->rank || batch_dims > axis)
        return tqi_call_refuse(call, error, "its batch dimensions are impossible");
    for (uint32_t d = 0; d < batch_dims; d++)
        if (table->shape[d] != indices->shape[d])
            return tqi_call_refuse(call, error, "its batch dimensions do not fit together");
    return gather(call, table, indices, axis, (uint32_t)batch_dims, error);
}

tq_status tqi_run_embedding_lookup(const tqi_call *call, tq_error *error) {
    const tqi_value *table = NULL, *indices = NULL;
    TQI_TRY(read_indices(call, 0, &indices, error));
    TQI_TRY(tqi_call_any(call, 1, &table, error));
    if (table->rank == 0)
        return tqi_call_refuse(call, error, "its table has no rows");
    return gather(call, table, indices, 0, 0, error);
}

/* Where the index list `i` points to in the table, in elements; false: out of it. */
static bool locate(const tqi_value *table, const tqi_value *indices, uint64_t i, uint32_t depth,
                   uint64_t *at) {
    *at = 0;
    for (uint32_t d = 0; d < depth; d++) {
        int64_t index = tqi_integer(indices, i * depth + d);
        if (index < 0 || index >= table->shape[d])
            return false;
        *at = *at * (uint64_t)table->shape[d] + (uint64_t)index;
    }
    *at *= tqi_extent(table, depth, table->rank);
    return true;
}

tq_status tqi_run_gather_nd(const tqi_call *call, tq_error *error) {
    const tqi_value *table = NULL, *indices = NULL;
    tqi_value *output = NULL;
    int64_t shape[2 * TQI_MAX_RANK];
    TQI_TRY(tqi_call_any(call, 0, &table, error));
    TQI_TRY(read_indices(call, 1, &indices, error));
    uint32_t last = indices->rank ? indices->rank - 1 : 0, rank = 0;
    if (indices->rank == 0 || indices->shape[last] > (int64_t)table->rank)
        return tqi_call_refuse(call, error, "its indices do not fit to its table");
    uint32_t depth = (uint32_t)indices->shape[last];
    for (uint32_t d = 0; d < last; d++)
        shape[rank++] = indices->shape[d];
    for (uint32_t d = depth; d < table->rank; d++)
        shape[rank++] = table->shape[d];
    TQI_TRY(tqi_call_make(call, 0, table->type, rank, shape, &output, error));
    uint64_t n = tqi_extent(indices, 0, last), at = 0;
    size_t element = tqi_type_size(table->type);
    size_t bytes = (size_t)tqi_extent(table, depth, table->rank) * element;
    uint8_t *to = output->data;
    for (uint64_t i = 0; i < n && output->elements > 0; i++, to += bytes) {
        if (table->elements == 0 || !locate(table, indices, i, depth, &at))
            return tqi_call_refuse(call, error, "an index leads out of its table");
        memcpy(to, (const uint8_t *)table->data + at * element, bytes);
    }
    return TQ_OK;
}

/* The output is [outer][depth][inner], the indices are [outer][inner]. */
tq_status tqi_run_one_hot(const tqi_call *call, tq_error *error) {
    const tqi_value *indices = NULL, *on = NULL, *off = NULL;
    tqi_value *output = NULL;
    int64_t depth = 0, shape[TQI_MAX_RANK + 1];
    uint32_t axis = 0;
    TQI_TRY(read_indices(call, 0, &indices, error));
    TQI_TRY(tqi_call_number(call, 1, &depth, error));
    TQI_TRY(tqi_call_any(call, 2, &on, error));
    TQI_TRY(tqi_call_input(call, 3, on->type, &off, error));
    int32_t option = tqi_option_i32(call, tqi_call_options(call, TQI_OPTIONS_ONE_HOT), 0, 0);
    TQI_TRY(tqi_call_axis(call, option, indices->rank + 1, &axis, error));
    if (on->elements != 1 || off->elements != 1)
        return tqi_call_refuse(call, error, "its values are no single ones");
    for (uint32_t d = 0; d <= indices->rank; d++)
        shape[d] = d == axis ? depth : indices->shape[d - (d > axis)];
    TQI_TRY(tqi_call_make(call, 0, on->type, indices->rank + 1, shape, &output, error));
    tqi_fill(output, off->data);
    if (output->elements == 0)
        return TQ_OK;
    uint64_t inner = tqi_extent(output, axis + 1, output->rank);
    size_t element = tqi_type_size(on->type);
    for (uint64_t i = 0; i < indices->elements; i++) {
        int64_t index = tqi_integer(indices, i);
        if (index < 0 || index >= depth)
            continue;
        uint64_t at = (i / inner * (uint64_t)depth + (uint64_t)index) * inner + i % inner;
        memcpy((uint8_t *)output->data + at * element, on->data, element);
    }
    return TQ_OK;
}
