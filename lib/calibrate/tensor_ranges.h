/* SPDX-License-Identifier: Apache-2.0 */
/* Lowest and highest value of each float32 tensor that runs of a subgraph show: its inputs, what
 * operators give, and constants that they read. */
#ifndef TQI_CALIBRATE_TENSOR_RANGES_H
#define TQI_CALIBRATE_TENSOR_RANGES_H

#include "calibrate/algebra.h"
#include "calibrate/samples.h"
#include "tflite/value_range.h"

typedef struct tqi_tensor_ranges {
    const tqi_subgraph *subgraph;
    tqi_heap *heap;
    tqi_algebra algebra;
    tqi_value_range *list; /* by tensor, TQI_NO_RANGE where nothing finite was seen */
} tqi_tensor_ranges;

/* The subgraph must outlive it. */
tq_status tqi_tensor_ranges_open(tqi_tensor_ranges *ranges, const tqi_subgraph *subgraph,
                                 uint32_t cpu_flags, tqi_heap *heap, tq_error *error);
void tqi_tensor_ranges_close(tqi_tensor_ranges *ranges);
/* As if nothing had been seen. */
void tqi_tensor_ranges_clear(tqi_tensor_ranges *ranges);

/* The inputs of a run that was made. */
void tqi_tensor_ranges_inputs(tqi_tensor_ranges *ranges, const tqi_sample *sample);
/* After an operator has run. */
void tqi_tensor_ranges_observe(tqi_tensor_ranges *ranges, const tqi_seen *seen);

#endif
