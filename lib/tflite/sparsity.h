/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse constants: the levels of TFLite's SparsityParameters, and where in the dense tensor
 * each stored value belongs. */
#ifndef TQI_TFLITE_SPARSITY_H
#define TQI_TFLITE_SPARSITY_H

#include "tflite/graph.h"

/* Bytes of index arrays. */
uint64_t tqi_sparsity_bytes(const tqi_view *view, uint32_t sparsity);

/* The places of the stored values in the dense tensor (row-major, in elements), in the order in
 * which they are stored. false: the description contradicts itself, the shape, or
 * `stored`, the number of values. `place` gets `stored` entries. */
bool tqi_sparsity_places(const tqi_view *view, const tqi_tensor *tensor, uint64_t stored,
                         uint64_t *place);

#endif
