/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata "min_runtime_version": the oldest TensorFlow Lite that has all operators in the
 * versions that the model asks for. */
#ifndef TQI_QUANTIZE_RUNTIME_VERSION_H
#define TQI_QUANTIZE_RUNTIME_VERSION_H

#include "tflite/edit.h"

/* Raises what it says, where it is there, to what the operators that quantization changes need. */
tq_status tqi_raise_runtime_version(tqi_graph *graph, tqi_arena *arena, tq_error *error);

#endif
