/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/samples.h"

#include <string.h>

#include "base/checked.h"
#include "calibrate/input_range.h"
#include "execute/call.h"
#include "execute/constant_values.h"

const char *tqi_view_array(const tq_array *array, tqi_value *value) {
    uint64_t bytes, each = tqi_type_size(array->type);
    tqi_value made = {.type = array->type, .rank = array->rank, .elements = 1};
    if (!array->data || array->rank > TQI_MAX_RANK || (array->rank > 0 && !array->shape))
        return "has no data or no shape";
    for (uint32_t i = 0; i < made.rank; i++) {
        made.shape[i] = array->shape[i];
        if (made.shape[i] < 0 ||
            !tqi_mul_u64(made.elements, (uint64_t)made.shape[i], &made.elements))
            return "has a shape that is none";
    }
    if (each == 0 || !tqi_mul_u64(made.elements, each, &bytes) || bytes != array->bytes)
        return "has other bytes than its type and shape say";
    made.data = (void *)(uintptr_t)array->data;
    *value = made;
    return NULL;
}

void tqi_close_dimensions(const tqi_tensor *tensor, int32_t *shape) {
    enum { SIDE = 224, LENGTH = 32 };
    bool picture = tensor->rank == 4 && (tensor->shape[3] == 1 || tensor->shape[3] == 3);
    for (uint32_t i = 0; i < tensor->rank; i++)
        shape[i] = !tqi_is_open(tensor, i) ? tensor->shape[i]
                   : i == 0                ? 1
                   : picture               ? SIDE
                                           : LENGTH;
}

static tq_status open_value(const tqi_exec *exec, const tqi_tensor *tensor, uint32_t input,
                            tqi_value *value, tqi_heap *heap, tq_error *error) {
    tq_status status = tqi_exec_input(exec, input, value, error);
    if (status == TQ_OK && tensor)
        tqi_close_dimensions(tensor, value->shape);
    if (status == TQ_ERR_UNSUPPORTED) {
        *error = (tq_error)TQ_ERROR_INIT;
        *value = (tqi_value){0};
        return TQ_OK;
    }
    TQI_TRY(status);
    return tqi_value_new(heap, value->type, value->rank, value->shape, value, error);
}

static const tqi_tensor *input_tensor(const tqi_subgraph *s, uint32_t input) {
    return s->inputs[input] < 0 ? NULL : &s->tensors[s->inputs[input]];
}

tq_status tqi_sample_open(tqi_sample *sample, const tqi_exec *exec, const tqi_subgraph *subgraph,
                          tqi_heap *heap, tq_error *error) {
    uint32_t n_inputs = subgraph->n_inputs;
    size_t size = n_inputs * sizeof *sample->values;
    *sample = (tqi_sample){tqi_alloc(heap, size), n_inputs};
    if (!sample->values)
        return tqi_no_memory(heap, size, error);
    memset(sample->values, 0, size);
    tq_status status = TQ_OK;
    for (uint32_t i = 0; i < n_inputs && status == TQ_OK; i++)
        status = open_value(exec, input_tensor(subgraph, i), i, &sample->values[i], heap, error);
    if (status != TQ_OK)
        tqi_sample_close(sample, heap);
    return status;
}

void tqi_sample_close(tqi_sample *sample, tqi_heap *heap) {
    for (uint32_t i = 0; sample->values && i < sample->n; i++)
        tqi_value_free(heap, &sample->values[i]);
    tqi_free(heap, sample->values, sample->n * sizeof *sample->values);
    *sample = (tqi_sample){NULL, 0};
}

tq_status tqi_sample_fill(tqi_sample *sample, const tqi_synthetic *synthetic, uint32_t number,
                          tqi_heap *heap, tq_error *error) {
    for (uint32_t i = 0; i < sample->n; i++)
        if (sample->values[i].data)
            TQI_TRY(tqi_synthetic_fill(synthetic, number * sample->n + i, &sample->values[i], heap,
                                       error));
    return TQ_OK;
}

tq_status tqi_ranges_find(tqi_ranges *ranges, const tqi_graph *graph, uint32_t subgraph,
                          tqi_heap *heap, tq_error *error) {
    static const tqi_input_range unit = TQI_RANGE_UNIT, both_signs = TQI_RANGE_SIGNED;
    const tqi_subgraph *s = &graph->subgraphs[subgraph];
    *ranges = (tqi_ranges){{unit, both_signs}, 2};
    for (uint32_t i = 0; i < s->n_inputs; i++) {
        const tqi_tensor *tensor = input_tensor(s, i);
        bool known = false;
        int32_t shape[4];
        if (!tensor || tensor->type != TQI_TYPE_FLOAT32 || tensor->rank != 4)
            continue;
        tqi_close_dimensions(tensor, shape);
        if (!tqi_is_picture(4, shape))
            continue;
        TQI_TRY(tqi_input_range_find(graph, subgraph, i, heap, &ranges->list[0], &known, error));
        if (known)
            ranges->n = 1;
        return TQ_OK;
    }
    ranges->n = 1; /* other inputs have no range */
    return TQ_OK;
}
