/* SPDX-License-Identifier: Apache-2.0 */
/* What rounding the weights adds to a layer's outputs on average, taken out of its bias. */
#ifndef TQI_QUANTIZE_BIAS_CORRECTION_H
#define TQI_QUANTIZE_BIAS_CORRECTION_H

#include "base/error.h"
#include "quantize/weight_rows.h"

typedef struct tqi_bias_task {
    tqi_weight_rows rows;
    const float *weights; /* as the layer was */
    /* what stands for them, in the same order: codes with the scales of `rows`, or values (of
     * float16, say); one of the two is not NULL */
    const int8_t *codes;
    const float *values;
    const double *mean; /* of the inputs, [groups][taps]: a mean for every tap */
    const float *bias;  /* [groups * rows]; NULL: the layer has none, that is, zeros */
} tqi_bias_task;

typedef struct tqi_bias_change {
    double largest; /* magnitude of a change */
    double squares; /* sum of the squares of the changes */
} tqi_bias_change;

/* corrected = bias - sum over the taps of (Q - W) * mean, for every row. `corrected` may be `bias`.
 * Fails without a change to it where a number is not finite (TQ_ERR_UNSUPPORTED). `change` may
 * be NULL. Biases that layers share are to be un-shared first. */
tq_status tqi_correct_bias(const tqi_bias_task *task, float *corrected, tqi_bias_change *change,
                           tq_error *error);

#endif
