/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel takes quantized integers for the numbers themselves, without a message: scales and
 * zero points are not looked at.
 *
 * Seen in: tried on LiteRT 2.3.0: NEG, FLOOR_DIV, FLOOR_MOD, CAST, WHERE, SCATTER_ND, MATRIX_DIAG,
 * STABLEHLO_ADD and STABLEHLO_MULTIPLY; DIV saturates small quotients, FAKE_QUANT dies.
 * Since: always. Until: not fixed.
 */
#include "check/rules.h"
#include "check/scales.h"
#include "tflite/builtins.h"
#include "tflite/op_support.h"

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_op_support *support = tqi_find_support(at->builtin);
    const tqi_tensor *input = tqi_at_in(at, at->builtin == TQI_BUILTIN_SCATTER_ND ? 1 : 0);
    tqi_scales q;
    if (!support || !(support->flags & TQI_INT8_RAW) || !input ||
        !tqi_is_quantized_type(input->type))
        return TQ_OK;
    tqi_scales_of(check->graph, input, &q);
    if (q.count == 0)
        return TQ_OK; /* plain integers */
    return tqi_find(check, &tqi_rule_raw_integers, TQ_SEVERITY_WARNING, tqi_at_op(at), "", error,
                    "%s of type %s takes the integers for the numbers themselves: scales and zero "
                    "points are not looked at.",
                    at->name, tqi_type_text(input->type));
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_raw_integers = {
    "raw-integers", "kernels that take quantized integers for the numbers themselves", TQI_FOR_ALL,
    run, false};
