/* SPDX-License-Identifier: Apache-2.0 */
/* Constants of a model as values: dense, floats and quantized numbers as FLOAT32. */
#ifndef TQI_EXECUTE_CONSTANT_VALUES_H
#define TQI_EXECUTE_CONSTANT_VALUES_H

#include "execute/value.h"
#include "kernels/kernels.h"
#include "tflite/uses.h"

/* The tensor that holds the values of `tensor`: itself, or what is behind DEQUANTIZE and DENSIFY;
 * -1: it is no constant. */
int32_t tqi_constant_storage(const tqi_graph *graph, uint32_t subgraph, const tqi_uses *uses,
                             uint32_t tensor);

/* Loads what tqi_constant_storage() gave; to be freed by tqi_value_free(). */
tq_status tqi_constant_load(const tqi_graph *graph, uint32_t subgraph, uint32_t storage,
                            const tqi_kernels *kernels, tqi_heap *heap, tqi_value *value,
                            tq_error *error);

/* Allocates a value's data. */
tq_status tqi_value_new(tqi_heap *heap, int32_t type, uint32_t rank, const int32_t *shape,
                        tqi_value *value, tq_error *error);

#endif
