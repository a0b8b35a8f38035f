/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/call.h"

#include <string.h>

#include "base/checked.h"

tq_status tqi_call_refuse(const tqi_call *call, tq_error *error, const char *why) {
    const char *name = tqi_op_name(call->builtin);
    tqi_fail(error, TQ_ERR_UNSUPPORTED, "%s can't be run: %s", name ? name : "this operator", why);
    if (call->subgraph && call->graph)
        error->subgraph = (int32_t)(call->subgraph - call->graph->subgraphs);
    if (call->subgraph && call->op)
        error->op = (int32_t)(call->op - call->subgraph->operators);
    return TQ_ERR_UNSUPPORTED;
}

/* ---- work ---- */

const tqi_budget tqi_default_budget = {
    .elements = UINT64_C(1) << 28, .work = UINT64_C(1) << 42, .depth = 4};

tq_status tqi_call_work(const tqi_call *call, uint64_t a, uint64_t b, uint64_t c, tq_error *error) {
    uint64_t work;
    if (!call->budget)
        return TQ_OK;
    if (!tqi_mul_u64(a, b, &work) || !tqi_mul_u64(work, c, &work) || work > call->budget->work)
        return tqi_call_refuse(call, error, "it is too much work");
    call->budget->work -= work;
    return TQ_OK;
}

/* ---- options ---- */

uint32_t tqi_call_options(const tqi_call *call, uint8_t member) {
    if (call->options && call->op && call->op->source &&
        (uint8_t)tqi_get_i8(&call->graph->view, call->op->source, TQI_OPERATOR_BUILTIN_OPTIONS_TYPE,
                            0) != member)
        return 0;
    return call->options;
}

int32_t tqi_option_i32(const tqi_call *call, uint32_t options, uint32_t field, int32_t otherwise) {
    return options ? tqi_get_i32(&call->graph->view, options, field, otherwise) : otherwise;
}

int32_t tqi_option_i8(const tqi_call *call, uint32_t options, uint32_t field, int32_t otherwise) {
    return options ? tqi_get_i8(&call->graph->view, options, field, (int8_t)otherwise) : otherwise;
}

float tqi_option_f32(const tqi_call *call, uint32_t options, uint32_t field, float otherwise) {
    uint32_t bits;
    memcpy(&bits, &otherwise, sizeof bits);
    if (options)
        bits = tqi_get_u32(&call->graph->view, options, field, bits);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void tqi_option_list(const tqi_call *call, uint32_t options, uint32_t field, uint32_t most,
                     int32_t *list, uint32_t *count) {
    *count = 0;
    if (!options)
        return;
    const tqi_view *view = &call->graph->view;
    tqi_vector vector = tqi_get_vector(view, options, field);
    *count = vector.count;
    for (uint32_t i = 0; i < vector.count && i < most; i++)
        list[i] = tqi_load_i32(view->data + vector.at + 4 * i);
}

int32_t tqi_declared_type(const tqi_call *call, uint32_t output) {
    if (!call->op || !call->subgraph || output >= call->op->n_outputs ||
        call->op->outputs[output] < 0)
        return -1;
    return call->subgraph->tensors[call->op->outputs[output]].type;
}

/* ---- inputs ---- */

/* Elements of a shape. Those of any of its parts are few enough too, so that nobody has to
 * check again. */
static bool count_elements(uint32_t rank, const int32_t *shape, uint64_t *elements) {
    uint64_t product = 1;
    bool empty = false;
    for (uint32_t i = 0; i < rank; i++) {
        empty = empty || shape[i] == 0;
        product *= shape[i] == 0 ? 1 : (uint64_t)shape[i];
        if (shape[i] < 0 || product > INT32_MAX)
            return false;
    }
    *elements = empty ? 0 : product;
    return true;
}

bool tqi_call_has(const tqi_call *call, uint32_t index) {
    return index < call->n_inputs && call->inputs[index] && call->inputs[index]->data;
}

tq_status tqi_call_any(const tqi_call *call, uint32_t index, const tqi_value **value,
                       tq_error *error) {
    if (!tqi_call_has(call, index))
        return tqi_call_refuse(call, error, "an input is missing");
    *value = call->inputs[index];
    uint64_t elements;
    if ((*value)->rank > TQI_MAX_RANK ||
        !count_elements((*value)->rank, (*value)->shape, &elements))
        return tqi_call_refuse(call, error, "an input is too large");
    return TQ_OK;
}

tq_status tqi_call_input(const tqi_call *call, uint32_t index, int32_t type,
                         const tqi_value **value, tq_error *error) {
    TQI_TRY(tqi_call_any(call, index, value, error));
    if ((*value)->type != type)
        return tqi_call_refuse(call, error, "an input is of a type that is not covered");
    return TQ_OK;
}

tq_status tqi_call_numbers(const tqi_call *call, uint32_t index, uint32_t most, int64_t *numbers,
                           uint32_t *count, tq_error *error) {
    const tqi_value *value = NULL;
    TQI_TRY(tqi_call_any(call, index, &value, error));
    if (!tqi_is_integer(value) || value->elements > most)
        return tqi_call_refuse(call, error, "an input is no short list of integers");
    *count = (uint32_t)value->elements;
    for (uint32_t i = 0; i < *count; i++)
        numbers[i] = tqi_integer(value, i);
    return TQ_OK;
}

tq_status tqi_call_number(const tqi_call *call, uint32_t index, int64_t *number, tq_error *error) {
    uint32_t count = 0;
    TQI_TRY(tqi_call_numbers(call, index, 1, number, &count, error));
    return count == 1 ? TQ_OK : tqi_call_refuse(call, error, "an input is no single integer");
}

tq_status tqi_call_axis(const tqi_call *call, int64_t axis, uint32_t rank, uint32_t *dim,
                        tq_error *error) {
    if (axis < -(int64_t)rank || axis >= (int64_t)rank)
        return tqi_call_refuse(call, error, "there is no such axis");
    *dim = (uint32_t)(axis < 0 ? axis + (int64_t)rank : axis);
    return TQ_OK;
}

/* ---- outputs ---- */

size_t tqi_type_size(int32_t type) {
    return tqi_type_bits(type) / 8;
}

size_t tqi_value_bytes(const tqi_value *value) {
    return (size_t)value->elements * tqi_type_size(value->type);
}

/* Multiply-adds that take about as long as to read or make an element. */
enum { OF_AN_ELEMENT = 16 };

/* The byte before the data says how far the block's start is. */
enum { ALIGNMENT = 64 };

tq_status tqi_call_output(const tqi_call *call, uint32_t index, int32_t type, uint32_t rank,
                          const int32_t *shape, tqi_value **value, tq_error *error) {
    if (index >= call->n_outputs)
        return tqi_call_refuse(call, error, "an output is missing");
    if (rank > TQI_MAX_RANK)
        return tqi_call_refuse(call, error, "an output has too many dimensions");
    tqi_value *output = &call->outputs[index];
    uint64_t elements;
    if (!count_elements(rank, shape, &elements))
        return tqi_call_refuse(call, error, "an output has an impossible shape");
    if (call->budget && elements > call->budget->elements)
        return tqi_call_refuse(call, error, "an output is too large");
    TQI_TRY(tqi_call_work(call, elements, OF_AN_ELEMENT, 1, error));
    uint64_t bytes = elements * tqi_type_size(type) + ALIGNMENT;
    uint8_t *block = bytes <= SIZE_MAX ? tqi_alloc(call->heap, (size_t)bytes) : NULL;
    if (!block)
        return tqi_no_memory(call->heap, bytes, error);
    size_t skip = ALIGNMENT - (uintptr_t)block % ALIGNMENT;
    block[skip - 1] = (uint8_t)skip;
    output->type = type;
    output->rank = rank;
    if (rank > 0)
        memmove(output->shape, shape, rank * sizeof *shape);
    output->elements = elements;
    output->data = block + skip;
    *value = output;
    return TQ_OK;
}

void tqi_value_free(tqi_heap *heap, tqi_value *value) {
    uint8_t *data = value->data;
    if (data)
        tqi_free(heap, data - data[-1], tqi_value_bytes(value) + ALIGNMENT);
    value->data = NULL;
}

tq_status tqi_call_make(const tqi_call *call, uint32_t index, int32_t type, uint32_t rank,
                        const int64_t *shape, tqi_value **value, tq_error *error) {
    int32_t narrow[TQI_MAX_RANK];
    for (uint32_t i = 0; i < rank && i < TQI_MAX_RANK; i++) {
        if (shape[i] < 0 || shape[i] > INT32_MAX)
            return tqi_call_refuse(call, error, "an output has an impossible dimension");
        narrow[i] = (int32_t)shape[i];
    }
    return tqi_call_output(call, index, type, rank, narrow, value, error);
}

tq_status tqi_call_like(const tqi_call *call, uint32_t index, int32_t type, const tqi_value *like,
                        tqi_value **value, tq_error *error) {
    return tqi_call_output(call, index, type, like->rank, like->shape, value, error);
}

void tqi_fill(tqi_value *output, const void *element) {
    size_t size = tqi_type_size(output->type);
    uint8_t *to = output->data;
    if (size == 4)
        for (uint64_t i = 0; i < output->elements; i++)
            memcpy(to + i * 4, element, 4);
    else
        for (uint64_t i = 0; i < output->elements; i++)
            memcpy(to + i * size, element, size);
}

tq_status tqi_call_scratch(const tqi_call *call, uint64_t count, size_t size, void *out,
                           size_t *bytes, tq_error *error) {
    uint64_t wanted;
    if (!tqi_mul_u64(count, size, &wanted) || wanted > SIZE_MAX / 2)
        return tqi_fail(error, TQ_ERR_OUT_OF_MEMORY, "a scratch array is too large");
    void *memory = tqi_alloc(call->heap, (size_t)wanted);
    if (!memory)
        return tqi_no_memory(call->heap, wanted, error);
    memcpy(out, &memory, sizeof memory);
    *bytes = (size_t)wanted;
    return TQ_OK;
}
