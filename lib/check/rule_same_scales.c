/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator that only moves or compares values has other scales before than behind. Some kernels
 * refuse that, XNNPACK refuses the model for some, and the others copy the bare integers: other
 * values.
 *
 * Seen in: models that tools have quantized tensor by tensor; tried on LiteRT 2.3.0 for each
 * operator. Since: always. Until: not fixed.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"
#include "tflite/op_support.h"

/* Inputs whose values come out: from `first` to before `end`. */
static void movers(const tqi_at *at, uint32_t *first, uint32_t *end) {
    *first = 0;
    *end = 1;
    switch (at->builtin) {
    case TQI_BUILTIN_CONCATENATION:
    case TQI_BUILTIN_PACK:
        *end = at->op->n_inputs;
        break;
    case TQI_BUILTIN_MAXIMUM:
    case TQI_BUILTIN_MINIMUM:
    case TQI_BUILTIN_DYNAMIC_UPDATE_SLICE:
        *end = 2;
        break;
    case TQI_BUILTIN_SELECT:
    case TQI_BUILTIN_SELECT_V2:
        *first = 1;
        *end = 3;
        break;
    case TQI_BUILTIN_SPLIT:
    case TQI_BUILTIN_FILL:
    case TQI_BUILTIN_EMBEDDING_LOOKUP:
    case TQI_BUILTIN_SCATTER_ND:
        *first = 1;
        *end = 2;
        break;
    default:
        break;
    }
}

static bool is_control(int32_t builtin) {
    return builtin == TQI_BUILTIN_IF || builtin == TQI_BUILTIN_WHILE ||
           builtin == TQI_BUILTIN_STABLEHLO_COMPOSITE || builtin == TQI_BUILTIN_STABLEHLO_CASE ||
           builtin == TQI_BUILTIN_ASSIGN_VARIABLE || builtin == TQI_BUILTIN_READ_VARIABLE;
}

static uint32_t severity(const tqi_check *check, const tqi_op_support *support,
                         const tqi_tensor *tensor) {
    bool refused = (support->flags & TQI_SAME_REFUSED) && tensor->type == TQI_TYPE_INT8;
    if (check->target == TQ_TARGET_XNNPACK && (support->flags & TQI_SAME_XNNPACK))
        refused = true;
    return refused ? TQ_SEVERITY_ERROR : TQ_SEVERITY_WARNING;
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_op_support *support = tqi_find_support(at->builtin);
    const tqi_tensor *output = tqi_at_out(at, 0);
    uint32_t all = TQI_SAME_REFUSED | TQI_SAME_SILENT, first, end;
    float from, to;
    int64_t from_zero, to_zero;
    if (!support || !(support->flags & all) || !output || is_control(at->builtin) ||
        !tqi_is_quantized_type(output->type) || !tqi_one_scale(check->graph, output, &to, &to_zero))
        return TQ_OK;
    movers(at, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        const tqi_tensor *input = tqi_at_in(at, i);
        if (!input || input->type != output->type ||
            !tqi_one_scale(check->graph, input, &from, &from_zero) ||
            (from == to && from_zero == to_zero))
            continue;
        TQI_TRY(tqi_find(check, &tqi_rule_same_scales, severity(check, support, output),
                         tqi_at_input(at, i), "", error,
                         "%s needs one scale and zero point on both sides: its input %" PRIu32
                         " has %.9g and %" PRId64 ", its output %.9g and %" PRId64
                         ". Kernels refuse that, or copy the integers as they are.",
                         at->name, i, (double)from, from_zero, (double)to, to_zero));
    }
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_same_scales = {
    "same-scales", "operators that move integers between different scales", TQI_FOR_ALL, run,
    false};
