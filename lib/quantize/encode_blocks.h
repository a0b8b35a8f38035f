/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders of int4 with a float16 scale for every block of weights: two producers, of the codes
 * and of the scales, which both read the source. Numbers as litert-quantizer has them, but that no
 * scale is below the normal numbers of float16: XNNPACK refuses 0. */
#ifndef TQI_QUANTIZE_ENCODE_BLOCKS_H
#define TQI_QUANTIZE_ENCODE_BLOCKS_H

#include "quantize/encoder.h"

/* As tqi_encoder_init(); `to_type` is INT4, and `block` divides `elements`. Weights that are all
 * too small for float16 scales, or some too large, turn out not to be encodable. */
tq_status tqi_encoder_init_blocks(tqi_encoder *encoder, tqi_arena *arena, tq_error *error);
/* For codes that are known, one to a byte, and scales, one for each block, as tqi_block_scales()
 * gives them; both are copied into `arena`. */
tq_status tqi_encoder_init_block_codes(tqi_encoder *encoder, const int8_t *codes,
                                       const float *scales, tqi_sums sums, tqi_arena *arena,
                                       tq_error *error);
/* The scales that plain rounding takes for `n` weights, a multiple of `block`; false: they are not
 * all finite. */
bool tqi_block_scales(const tqi_kernels *kernels, const float *weights, uint64_t n, uint32_t block,
                      float *scales);

#endif
