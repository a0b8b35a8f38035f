/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels whose weights are all zero: their output is their bias. Tools that take a channel's
 * range for its scale give these one of 0, with which XNNPACK does not load the model.
 *
 * Seen in: ai-edge-quantizer#678, XNNPACK#3693 (what such channels become).
 * Since: always. Until: not fixed.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "check/weights.h"

static tq_status run(tqi_check *check, tq_error *error) {
    const tqi_weights *weights;
    TQI_TRY(tqi_find_weights(check, &weights, error));
    for (uint32_t i = 0; i < weights->count; i++) {
        const tqi_weight *w = &weights->list[i];
        uint32_t zeros = 0, first = 0;
        for (uint32_t c = 0; c < w->channels && w->not_finite == 0; c++)
            if (w->largest[c] == 0.0f)
                first = zeros++ ? first : c;
        if (zeros > 0)
            TQI_TRY(tqi_find(check, &tqi_rule_zero_channels, TQ_SEVERITY_NOTE,
                             tqi_weight_place(check, w), "", error,
                             "%" PRIu32 " of its %" PRIu32 " channels are zero, first channel "
                             "%" PRIu32 ": they need a scale that is not.",
                             zeros, w->channels, first));
    }
    return TQ_OK;
}

const tqi_check_rule tqi_rule_zero_channels = {"zero-channels",
                                               "channels whose weights are all zero",
                                               TQI_FOR_INT8 | TQI_FOR_MICRO, run, true};
