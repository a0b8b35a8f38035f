/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding by the inputs' second moments: GPTQ (Frantar et al., arXiv 2210.17323), centred, as
 * bias correction takes the mean part of the error away. A pure function of arrays: the
 * same bits on every machine. */
#ifndef TQI_QUANTIZE_ROUNDING_GPTQ_H
#define TQI_QUANTIZE_ROUNDING_GPTQ_H

#include "base/error.h"
#include "base/heap.h"
#include "quantize/weight_rows.h"

/* What a layer's inputs were, x being the taps' inputs for one output value. */
typedef struct tqi_gptq_moments {
    /* E[x x^T], [groups][taps][taps]; one of the two is not NULL. Symmetric: only the upper
     * triangle (second index not below the first) is read. */
    const double *second;
    const float *second_f32;
    const double *mean; /* E[x], [groups][taps]; NULL: as if 0, which is uncentred GPTQ */
} tqi_gptq_moments;

typedef struct tqi_gptq {
    tqi_weight_rows rows;
    const float *weights;
    tqi_gptq_moments moments;
    int min, max;   /* codes; -127 and 127 for int8 */
    double damping; /* lambda, relative to the mean variance; TQI_GPTQ_DAMPING. Where the matrix has
                       no factor, more is tried */
    bool signal;    /* fill in tqi_gptq_result.signal: as long again as the rounding */
    const tqi_cancel *cancel;
    uint32_t cpu_flags; /* TQ_CPU_... bits of what may be used */
} tqi_gptq;

#define TQI_GPTQ_DAMPING 0.03

/* Groups by what became of them, and errors: the sums of d C d^T over the rows of those fitted,
 * that is, the variance of what the outputs are off by. */
typedef struct tqi_gptq_result {
    size_t fitted;
    size_t constant;    /* inputs without variance: plain rounding, whose noise is 0 */
    size_t refused;     /* statistics not finite, or no factor: plain rounding, not in the sums */
    double noise_plain; /* of plain rounding */
    double noise;       /* of `codes`; never above noise_plain */
    double signal;      /* the same with the weights for d: the outputs' variance */
} tqi_gptq_result;

/* `codes` has the order of `weights`. Fails without a change to it where a weight or a scale is no
 * good (TQ_ERR_UNSUPPORTED) or memory is short; where cancelled, what is not done yet
 * is rounded plainly. Takes about 8 * taps * (taps + 64) bytes. */
tq_status tqi_round_gptq(const tqi_gptq *task, int8_t *codes, tqi_gptq_result *result,
                         tqi_heap *heap, tq_error *error);

#endif
