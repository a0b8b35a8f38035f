/* SPDX-License-Identifier: Apache-2.0 */
/* What a model's metadata (the flatbuffer "M001" in its buffer TFLITE_METADATA) says of an input's
 * normalization. */
#ifndef TQI_CALIBRATE_INPUT_RANGE_H
#define TQI_CALIBRATE_INPUT_RANGE_H

#include "calibrate/synthetic.h"

/* *known: the range of values that pixels from 0 to 255 become. Metadata that is damaged or not
 * understood says nothing; only lack of memory and failed reads are errors. */
tq_status tqi_input_range_find(const tqi_graph *graph, uint32_t subgraph, uint32_t input,
                               tqi_heap *heap, tqi_input_range *range, bool *known,
                               tq_error *error);

#endif
