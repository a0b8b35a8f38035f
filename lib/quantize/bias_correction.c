/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/bias_correction.h"

/* What usually is: codes side by side with one scale. Sums in lanes, which have an order too. */
static double correction_of_codes(const float *weights, const int8_t *codes, double scale,
                                  const double *mean, size_t taps) {
    enum { LANES = 8 };
    double lanes[LANES] = {0}, sum = 0;
    size_t t = 0;
    for (; t + LANES <= taps; t += LANES)
        for (size_t l = 0; l < LANES; l++)
            lanes[l] += (scale * codes[t + l] - (double)weights[t + l]) * mean[t + l];
    for (; t < taps; t++)
        sum += (scale * codes[t] - (double)weights[t]) * mean[t];
    for (size_t l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

static double correction(const tqi_bias_task *task, size_t group, size_t row) {
    const tqi_weight_rows *at = &task->rows;
    const double *mean = task->mean + group * at->taps;
    double sum = 0;
    if (at->tap_stride == 1 && at->scale_block == 0) {
        size_t first = tqi_weight_at(at, group, row, 0);
        return correction_of_codes(task->weights + first, task->codes + first,
                                   (double)tqi_scale_at(at, group, row, 0), mean, at->taps);
    }
    for (size_t t = 0; t < at->taps; t++) {
        size_t i = tqi_weight_at(at, group, row, t);
        double used = (double)tqi_scale_at(at, group, row, t) * (double)task->codes[i];
        sum += (used - (double)task->weights[i]) * mean[t];
    }
    return sum;
}

tq_status tqi_correct_bias(const tqi_bias_task *task, float *corrected, tq_error *error) {
    for (size_t g = 0; g < task->rows.groups; g++)
        for (size_t r = 0; r < task->rows.rows; r++) {
            size_t i = g * task->rows.rows + r;
            double bias = task->bias ? (double)task->bias[i] : 0;
            corrected[i] = (float)(bias - correction(task, g, r));
            if (!isfinite(corrected[i]))
                return tqi_fail(error, TQ_ERR_UNSUPPORTED,
                                "bias %zu would not be finite: no correction", i);
        }
    return TQ_OK;
}
