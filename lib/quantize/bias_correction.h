/* SPDX-License-Identifier: Apache-2.0 */
/* What rounding the weights adds to a layer's outputs on average, taken out of its bias. */
#ifndef TQI_QUANTIZE_BIAS_CORRECTION_H
#define TQI_QUANTIZE_BIAS_CORRECTION_H

#include "base/error.h"
#include "quantize/weight_rows.h"

typedef struct tqi_bias_task {
    tqi_weight_rows rows;
    const float *weights; /* as the layer was */
    const int8_t *codes;  /* for them, in the same order */
    const double *mean;   /* of the inputs, [groups][taps]: a mean for every tap */
    const float *bias;    /* [groups * rows]; NULL: the layer has none, that is, zeros */
} tqi_bias_task;

/* corrected = bias - sum over the taps of (Q - W) * mean, for every row. Fails where a number is
 * not finite (TQ_ERR_UNSUPPORTED); `corrected` is of no use then. Biases that layers share are to
 * be un-shared first. */
tq_status tqi_correct_bias(const tqi_bias_task *task, float *corrected, tq_error *error);

#endif
