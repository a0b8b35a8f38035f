/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights that are NaN or infinite: no scale can hold them, and the layer's outputs are hardly what
 * was meant with float32 either.
 *
 * Seen in: models saved after a training that had diverged.
 * Since: always. Until: not fixed; it is the model that is wrong.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "check/weights.h"

static tq_status run(tqi_check *check, tq_error *error) {
    const tqi_weights *weights;
    TQI_TRY(tqi_find_weights(check, &weights, error));
    for (uint32_t i = 0; i < weights->count; i++) {
        const tqi_weight *w = &weights->list[i];
        if (w->not_finite > 0)
            TQI_TRY(tqi_find(check, &tqi_rule_not_finite, TQ_SEVERITY_WARNING,
                             tqi_weight_place(check, w), "", error,
                             "%" PRIu64 " of its %" PRIu64 " weights are NaN or infinite.",
                             w->not_finite, w->depth * w->channels));
    }
    return TQ_OK;
}

const tqi_check_rule tqi_rule_not_finite = {"not-finite", "weights that are NaN or infinite",
                                            TQI_FOR_ALL, run, true};
