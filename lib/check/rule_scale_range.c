/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scale is zero, negative, denormal, infinite or NaN. XNNPACK then refuses the whole model; the
 * builtin convolutions compute something else.
 *
 * Seen in: ai-edge-quantizer#678, XNNPACK#3693, tensorflow#58376, tensorflow#77293 (channels of
 * zeros). Since: always. Until: not fixed.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "check/rules.h"
#include "check/scales.h"

static tq_status look(tqi_check *check, uint32_t s, uint32_t t, tq_error *error) {
    const tqi_tensor *tensor = &check->graph->subgraphs[s].tensors[t];
    const tqi_place place = {(int32_t)s, -1, -1, (int32_t)t};
    tqi_scales q;
    float scale = 1.0f;
    uint32_t bad = 0, first = 0;
    tqi_scales_of(check->graph, tensor, &q);
    if ((!tqi_is_quantized_type(tensor->type) && tensor->type != TQI_TYPE_INT32) ||
        !tqi_work(check, q.count))
        return TQ_OK;
    for (uint32_t i = 0; i < q.count && tqi_scale_at(&q, i, &scale); i++) {
        if (isfinite(scale) && scale >= FLT_MIN)
            continue;
        first = bad++ ? first : i;
    }
    if (bad == 0)
        return TQ_OK;
    (void)tqi_scale_at(&q, first, &scale);
    bool refused = check->target == TQ_TARGET_XNNPACK && tensor->type != TQI_TYPE_INT32;
    return tqi_find(check, &tqi_rule_scale_range, refused ? TQ_SEVERITY_ERROR : TQ_SEVERITY_WARNING,
                    place, "", error,
                    "%" PRIu32 " of its %" PRIu32 " scales can't be used, first scale %" PRIu32
                    ", %g: the least normal number is %g. XNNPACK does not load such a model.",
                    bad, q.count, first, (double)scale, (double)FLT_MIN);
}

static tq_status run(tqi_check *check, tq_error *error) {
    for (uint32_t s = 0; s < check->graph->n_subgraphs; s++)
        for (uint32_t t = 0; t < check->graph->subgraphs[s].n_tensors; t++)
            TQI_TRY(look(check, s, t, error));
    return TQ_OK;
}

const tqi_check_rule tqi_rule_scale_range = {
    "scale-range", "scales that are zero, denormal, negative or not finite", TQI_FOR_ALL, run,
    false};
