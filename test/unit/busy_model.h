/* SPDX-License-Identifier: Apache-2.0 */
/* Models with something for each rewrite. */
#ifndef BUSY_MODEL_H
#define BUSY_MODEL_H

#include "model_builder.h"

/* A RESHAPE that does nothing, two BROADCAST_TO, a computed shape, dead parts; and weights, float32
 * and float16, to quantize. */
bytes busy_model(void);

/* Integers: DEQUANTIZE and QUANTIZE back; TRANSPOSE, SLICE, STRIDED_SLICE, PAD and TILE that do
 * nothing, a BROADCAST_TO of another layout, and one of a constant. */
bytes idle_model(void);

#endif
