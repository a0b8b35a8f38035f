/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding that keeps the sum of each kernel, for weights whose inputs nothing is known about
 * but that neighbouring taps see much the same: the kernel level of SQuant (Guo et al., arXiv
 * 2202.07471). */
#ifndef TQI_QUANTIZE_ROUNDING_SUMS_H
#define TQI_QUANTIZE_ROUNDING_SUMS_H

#include "base/error.h"
#include "base/heap.h"
#include "quantize/weight_rows.h"

/* Weights [outer][taps][inner] in row-major order; a kernel is all taps of one outer and one inner
 * index: of CONV_2D [out][kh * kw][in], of DEPTHWISE_CONV_2D [1][kh * kw][out]. */
typedef struct tqi_kernel_sums {
    const float *weights;
    size_t outer, taps, inner;
    const float *scales; /* by inner index where outer is 1 and scale_by_inner, else by outer */
    bool scale_by_inner;
    int min, max; /* codes; -127 and 127 for int8 */
} tqi_kernel_sums;

/* Plain rounding, then as many codes of a kernel a step back as its sum is steps off: the ones that
 * had been rounded the furthest that way, the first of equals. Where no weight is beyond
 * min * scale and max * scale, the sum of q * scale is then at most half a step off. Fails without
 * a change to `codes` where a weight or a scale is no good (TQ_ERR_UNSUPPORTED), or memory is
 * short. `moved`, the number of codes changed, may be NULL. */
tq_status tqi_round_sums(const tqi_kernel_sums *task, int8_t *codes, size_t *moved, tqi_heap *heap,
                         tq_error *error);

#endif
