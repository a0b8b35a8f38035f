/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel that knows one scale for a tensor has weights with a scale for each channel: it reads 0
 * for it, and gives zeros without a message.
 *
 * Seen in: tried on LiteRT 2.3.0: LSTM, the RNNs, SVDF, BATCH_MATMUL with int8 on both sides,
 * GATHER. Since: always. Until: not fixed.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"

static bool knows_one_scale(const tqi_at *at, uint32_t input) {
    const tqi_tensor *first = tqi_at_in(at, 0);
    switch (at->builtin) {
    case TQI_BUILTIN_LSTM:
    case TQI_BUILTIN_RNN:
    case TQI_BUILTIN_SVDF:
    case TQI_BUILTIN_UNIDIRECTIONAL_SEQUENCE_RNN:
    case TQI_BUILTIN_BIDIRECTIONAL_SEQUENCE_RNN:
    case TQI_BUILTIN_UNIDIRECTIONAL_SEQUENCE_LSTM:
    case TQI_BUILTIN_BIDIRECTIONAL_SEQUENCE_LSTM:
        return true;
    case TQI_BUILTIN_BATCH_MATMUL:
        return input == 1 && first && first->type == TQI_TYPE_INT8;
    case TQI_BUILTIN_GATHER:
        return input == 0;
    default:
        return false;
    }
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    for (uint32_t i = 0; i < at->op->n_inputs; i++) {
        const tqi_tensor *input = tqi_at_in(at, i);
        tqi_scales q;
        if (!input || !knows_one_scale(at, i) || !tqi_is_quantized_type(input->type))
            continue;
        tqi_scales_of(check->graph, input, &q);
        if (q.count > 1)
            TQI_TRY(tqi_find(check, &tqi_rule_channel_scales, TQ_SEVERITY_ERROR,
                             tqi_at_input(at, i), "", error,
                             "%s knows one scale for a tensor, and this has %" PRIu32
                             ": the kernel takes it for 0 and gives zeros.",
                             at->name, q.count));
    }
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_channel_scales = {
    "channel-scales", "scales by channel for kernels that know one, and give zeros",
    TQI_FOR_LITERT | TQI_FOR_XNNPACK, run, false};
