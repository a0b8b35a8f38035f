/* SPDX-License-Identifier: Apache-2.0 */
/* Several values into one along an axis, and one into several. */
#include "execute/families.h"

#include "execute/call.h"

/* `count` blocks of `bytes`, each so far behind the one before. */
static void copy_blocks(uint8_t *to, size_t to_step, const uint8_t *from, size_t from_step,
                        size_t bytes, uint64_t count) {
    for (uint64_t i = 0; i < count && bytes > 0; i++)
        memcpy(to + i * to_step, from + i * from_step, bytes);
}

/* Bytes from one index before the axis to the next. */
static size_t block_bytes(const tqi_value *value, uint32_t axis) {
    return (size_t)tqi_extent(value, axis, value->rank) * tqi_type_size(value->type);
}

/* The inputs go into the output one behind the other. */
static void put_in(const tqi_call *call, const tqi_value *output, uint32_t axis) {
    uint8_t *to = output->data;
    size_t step = block_bytes(output, axis);
    for (uint32_t i = 0; i < call->n_inputs && output->elements > 0; i++) {
        const tqi_value *input = call->inputs[i];
        uint64_t outer = tqi_extent(output, 0, axis);
        size_t bytes = tqi_value_bytes(input) / (size_t)outer;
        copy_blocks(to, step, input->data, bytes, bytes, outer);
        to += bytes;
    }
}

tq_status tqi_run_concatenation(const tqi_call *call, tq_error *error) {
    const tqi_value *first = NULL;
    tqi_value *output = NULL;
    uint32_t axis = 0, options = tqi_call_options(call, TQI_OPTIONS_CONCATENATION);
    TQI_TRY(tqi_call_any(call, 0, &first, error));
    TQI_TRY(tqi_call_axis(call, tqi_option_i32(call, options, 0, 0), first->rank, &axis, error));
    int64_t shape[TQI_MAX_RANK];
    for (uint32_t d = 0; d < first->rank; d++)
        shape[d] = d == axis ? 0 : first->shape[d];
    for (uint32_t i = 0; i < call->n_inputs; i++) {
        const tqi_value *input = NULL;
        TQI_TRY(tqi_call_input(call, i, first->type, &input, error));
        bool fits = input->rank == first->rank;
        for (uint32_t d = 0; fits && d < first->rank; d++)
            fits = d == axis || input->shape[d] == first->shape[d];
        if (!fits)
            return tqi_call_refuse(call, error, "its inputs' shapes do not fit together");
        shape[axis] += input->shape[axis];
    }
    TQI_TRY(tqi_call_make(call, 0, first->type, first->rank, shape, &output, error));
    put_in(call, output, axis);
    int32_t activation = tqi_option_i8(call, options, 1, 0);
    bool covered = output->type == TQI_TYPE_FLOAT32
                       ? tqi_activate(output->data, output->elements, activation)
                       : activation == 0;
    return covered ? TQ_OK : tqi_call_refuse(call, error, "its activation function is not covered");
}

tq_status tqi_run_pack(const tqi_call *call, tq_error *error) {
    const tqi_value *first = NULL, *input = NULL;
    tqi_value *output = NULL;
    uint32_t axis = 0, options = tqi_call_options(call, TQI_OPTIONS_PACK);
    TQI_TRY(tqi_call_any(call, 0, &first, error));
    TQI_TRY(
        tqi_call_axis(call, tqi_option_i32(call, options, 1, 0), first->rank + 1, &axis, error));
    for (uint32_t i = 0; i < call->n_inputs; i++) {
        TQI_TRY(tqi_call_input(call, i, first->type, &input, error));
        if (!tqi_same_shape(first, input))
            return tqi_call_refuse(call, error, "its inputs differ in shape");
    }
    int64_t shape[TQI_MAX_RANK + 1];
    for (uint32_t d = 0; d <= first->rank; d++)
        shape[d] = d == axis ? (int64_t)call->n_inputs : first->shape[d - (d > axis)];
    TQI_TRY(tqi_call_make(call, 0, first->type, first->rank + 1, shape, &output, error));
    put_in(call, output, axis);
    return TQ_OK;
}

/* ---- one into several ---- */

/* The outputs, made already, come one behind the other from the input. */
static void take_out(const tqi_call *call, const tqi_value *input, uint32_t axis) {
    const uint8_t *from = input->data;
    uint64_t outer = tqi_extent(input, 0, axis);
    size_t step = block_bytes(input, axis);
    for (uint32_t i = 0; i < call->n_outputs && input->elements > 0; i++) {
        size_t bytes = tqi_value_bytes(&call->outputs[i]) / (size_t)outer;
        copy_blocks(call->outputs[i].data, bytes, from, step, bytes, outer);
        from += bytes;
    }
}

tq_status tqi_run_unpack(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    uint32_t axis = 0, options = tqi_call_options(call, TQI_OPTIONS_UNPACK);
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_axis(call, tqi_option_i32(call, options, 1, 0), input->rank, &axis, error));
    if (call->n_outputs != (uint32_t)input->shape[axis])
        return tqi_call_refuse(call, error, "it has not as many outputs as parts");
    int64_t shape[TQI_MAX_RANK];
    for (uint32_t d = 0, to = 0; d < input->rank; d++)
        if (d != axis)
            shape[to++] = input->shape[d];
    for (uint32_t i = 0; i < call->n_outputs; i++) {
        tqi_value *output = NULL;
        TQI_TRY(tqi_call_make(call, i, input->type, input->rank - 1, shape, &output, error));
    }
    take_out(call, input, axis);
    return TQ_OK;
}

/* Part i has sizes[i] along the axis, or `equal` where there are no sizes. */
static tq_status split(const tqi_call *call, const tqi_value *input, uint32_t axis,
                       const tqi_value *sizes, int64_t equal, tq_error *error) {
    int64_t shape[TQI_MAX_RANK], rest = input->shape[axis], open = -1;
    for (uint32_t d = 0; d < input->rank; d++)
        shape[d] = input->shape[d];
    for (uint32_t i = 0; i < call->n_outputs; i++) {
        int64_t size = sizes ? tqi_integer(sizes, i) : equal;
        if (size < -1 || size > rest || (size == -1 && open >= 0))
            return tqi_call_refuse(call, error, "its parts do not fit to its input");
        if (size == -1)
            open = i;
        else
            rest -= size;
    }
    if (open < 0 && rest != 0)
        return tqi_call_refuse(call, error, "its parts do not fit to its input");
    for (uint32_t i = 0; i < call->n_outputs; i++) {
        tqi_value *output = NULL;
        shape[axis] = i == open ? rest : sizes ? tqi_integer(sizes, i) : equal;
        TQI_TRY(tqi_call_make(call, i, input->type, input->rank, shape, &output, error));
    }
    take_out(call, input, axis);
    return TQ_OK;
}

tq_status tqi_run_split(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    int64_t axis = 0;
    uint32_t dim = 0;
    TQI_TRY(tqi_call_number(call, 0, &axis, error));
    TQI_TRY(tqi_call_any(call, 1, &input, error));
    TQI_TRY(tqi_call_axis(call, axis, input->rank, &dim, error));
    if (call->n_outputs == 0 || (uint32_t)input->shape[dim] % call->n_outputs != 0)
        return tqi_call_refuse(call, error, "its parts do not fit to its input");
    return split(call, input, dim, NULL, input->shape[dim] / (int64_t)call->n_outputs, error);
}

tq_status tqi_run_split_v(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL, *sizes = NULL;
    int64_t axis = 0;
    uint32_t dim = 0;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_any(call, 1, &sizes, error));
    TQI_TRY(tqi_call_number(call, 2, &axis, error));
    TQI_TRY(tqi_call_axis(call, axis, input->rank, &dim, error));
    if (!tqi_is_integer(sizes) || sizes->elements != call->n_outputs)
        return tqi_call_refuse(call, error, "it has not as many outputs as parts");
    return split(call, input, dim, sizes, 0, error);
}
