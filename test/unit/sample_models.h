/* SPDX-License-Identifier: Apache-2.0 */
/* Models that several tests look at. */
#ifndef SAMPLE_MODELS_H
#define SAMPLE_MODELS_H

#include "model_builder.h"

/* A little of everything in 8 KiB: float, float16, sparse, int4 in blocks; shared buffers, some
 * behind the flatbuffer; two subgraphs; signatures, metadata; a DISPATCH_OP with byte code, or a
 * custom operator with its options behind the flatbuffer. */
bytes sample_everything(bool byte_code);

/* FULLY_CONNECTED layers "good", "nan", "inf", "huge" of [32, 32], one behind the other; the last
 * three hold one such value each (huge: the first beyond float16). */
bytes sample_not_encodable(void);

#endif
