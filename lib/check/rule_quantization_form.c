/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scales without as many zero points, or whose number is neither 1 nor that of the channels, or a
 * channel dimension that is not there: the runtime does not load the model.
 *
 * Seen in: models that were edited by hand.
 * Since: always. Until: not fixed.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "check/scales.h"

static tq_status look(tqi_check *check, uint32_t s, uint32_t t, tq_error *error) {
    const tqi_tensor *tensor = &check->graph->subgraphs[s].tensors[t];
    const tqi_place place = {(int32_t)s, -1, -1, (int32_t)t};
    tqi_scales q;
    tqi_scales_of(check->graph, tensor, &q);
    if (q.count == 0 || q.is_made)
        return TQ_OK;
    if (q.zero_point.count != q.count)
        return tqi_find(check, &tqi_rule_quantization_form, TQ_SEVERITY_ERROR, place, "", error,
                        "QuantizationParam has %" PRIu32 " zero_point values and %" PRIu32
                        " scale values.",
                        q.zero_point.count, q.count);
    if (q.dim < 0 || (tensor->rank > 0 && (uint32_t)q.dim >= tensor->rank))
        return tqi_find(check, &tqi_rule_quantization_form, TQ_SEVERITY_ERROR, place, "", error,
                        "quantized_dimension must be in range [0, %" PRIu32 "). Was %" PRId32 ".",
                        tensor->rank, q.dim);
    if (q.count != 1 && tensor->rank > 0 && q.count != (uint32_t)tensor->shape[q.dim])
        return tqi_find(check, &tqi_rule_quantization_form, TQ_SEVERITY_ERROR, place, "", error,
                        "num_scales must be 1 for per-layer quantization, or %" PRId32
                        " for per-axis quantization, but got %" PRIu32 ".",
                        tensor->shape[q.dim], q.count);
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    for (uint32_t s = 0; s < check->graph->n_subgraphs; s++)
        for (uint32_t t = 0; t < check->graph->subgraphs[s].n_tensors; t++)
            TQI_TRY(look(check, s, t, error));
    return TQ_OK;
}

const tqi_check_rule tqi_rule_quantization_form = {
    "quantization-form", "numbers of scales and zero points that contradict the shape", TQI_FOR_ALL,
    run, false};
