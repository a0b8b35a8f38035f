/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/tensor_ranges.h"

#include <math.h>

static size_t bytes_of(const tqi_tensor_ranges *ranges) {
    return ranges->subgraph->n_tensors * sizeof *ranges->list;
}

tq_status tqi_tensor_ranges_open(tqi_tensor_ranges *ranges, const tqi_subgraph *subgraph,
                                 uint32_t cpu_flags, tqi_heap *heap, tq_error *error) {
    *ranges = (tqi_tensor_ranges){.subgraph = subgraph, .heap = heap};
    tqi_algebra_init(&ranges->algebra, cpu_flags);
    ranges->list = tqi_alloc(heap, bytes_of(ranges));
    if (!ranges->list)
        return tqi_no_memory(heap, bytes_of(ranges), error);
    tqi_tensor_ranges_clear(ranges);
    return TQ_OK;
}

void tqi_tensor_ranges_close(tqi_tensor_ranges *ranges) {
    if (ranges->list)
        tqi_free(ranges->heap, ranges->list, bytes_of(ranges));
    *ranges = (tqi_tensor_ranges){0};
}

void tqi_tensor_ranges_clear(tqi_tensor_ranges *ranges) {
    for (uint32_t i = 0; i < ranges->subgraph->n_tensors; i++)
        ranges->list[i] = (tqi_value_range)TQI_NO_RANGE;
}

static void widen(tqi_value_range *range, float low, float high) {
    range->low = low < range->low ? low : range->low;
    range->high = high > range->high ? high : range->high;
}

static void look(tqi_tensor_ranges *ranges, int32_t tensor, const tqi_value *value) {
    if (tensor < 0 || value->type != TQI_TYPE_FLOAT32 || !value->data)
        return;
    const float *values = tqi_floats(value);
    tqi_value_range *range = &ranges->list[tensor];
    float ends[2] = {range->low, range->high};
    ranges->algebra.sum_squares(values, (size_t)value->elements, ends);
    if (isfinite(ends[0]) && isfinite(ends[1])) {
        widen(range, ends[0], ends[1]);
        return;
    }
    for (uint64_t i = 0; i < value->elements; i++) /* few models have infinities */
        if (isfinite(values[i]))
            widen(range, values[i], values[i]);
}

void tqi_tensor_ranges_inputs(tqi_tensor_ranges *ranges, const tqi_sample *sample) {
    for (uint32_t i = 0; i < sample->n; i++)
        look(ranges, ranges->subgraph->inputs[i], &sample->values[i]);
}

void tqi_tensor_ranges_observe(tqi_tensor_ranges *ranges, const tqi_seen *seen) {
    const tqi_operator *op = &ranges->subgraph->operators[seen->op];
    /* What was not seen when it came to be is a constant: once is enough. */
    for (uint32_t i = 0; i < seen->n_inputs; i++)
        if (seen->inputs[i] && op->inputs[i] >= 0 && !tqi_is_known(&ranges->list[op->inputs[i]]))
            look(ranges, op->inputs[i], seen->inputs[i]);
    for (uint32_t i = 0; i < seen->n_outputs; i++)
        look(ranges, op->outputs[i], &seen->outputs[i]);
}
