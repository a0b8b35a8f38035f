/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of inputs for a subgraph: of the library's own making, or given. */
#ifndef TQI_CALIBRATE_SAMPLES_H
#define TQI_CALIBRATE_SAMPLES_H

#include "calibrate/synthetic.h"
#include "execute/execute.h"

/* One value for each graph input, the memory of which is owned. */
typedef struct tqi_sample {
    tqi_value *values;
    uint32_t n;
} tqi_sample;

/* The array as a value that must not be written to. NULL, or what it does that is wrong: "has no
 * ...". The executor compares types and shapes with the graph's. */
const char *tqi_view_array(const tq_array *array, tqi_value *value);

/* The tensor's shape, with dimensions that are open as a caller might choose them. */
void tqi_close_dimensions(const tqi_tensor *tensor, int32_t *shape);

/* Memory for what tqi_exec_input() says, with dimensions that are open given some size; the values
 * are not set. An input that the executor does not cover has no data. */
tq_status tqi_sample_open(tqi_sample *sample, const tqi_exec *exec, const tqi_subgraph *subgraph,
                          tqi_heap *heap, tq_error *error);
void tqi_sample_close(tqi_sample *sample, tqi_heap *heap);
/* Synthetic set `number`. */
tq_status tqi_sample_fill(tqi_sample *sample, const tqi_synthetic *synthetic, uint32_t number,
                          tqi_heap *heap, tq_error *error);

/* What pixels may be in: where the model does not say, both are tried. */
typedef struct tqi_ranges {
    tqi_input_range list[2];
    uint32_t n;
} tqi_ranges;

/* Of the subgraph's first input that is a picture. */
tq_status tqi_ranges_find(tqi_ranges *ranges, const tqi_graph *graph, uint32_t subgraph,
                          tqi_heap *heap, tq_error *error);

#endif
