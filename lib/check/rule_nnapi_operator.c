/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What NNAPI does not take stays on the CPU: operators, versions, more than four dimensions, open
 * shapes.
 *
 * Seen in: tensorflow#47905 (QUANTIZE and DEQUANTIZE refused one by one).
 * Since: always. Until: never; Android deprecates NNAPI (15).
 */
#include <inttypes.h>

#include "check/rules.h"
#include "tflite/builtins.h"
#include "tflite/op_support.h"

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    enum { MOST_RANK = 4 };
    const tqi_op_support *support = tqi_find_support(at->builtin);
    const tqi_tensor *output = tqi_at_out(at, 0);
    if (at->builtin == TQI_BUILTIN_CUSTOM || at->builtin == TQI_BUILTIN_BROADCAST_TO || !support)
        return TQ_OK; /* other rules */
    if (support->nnapi == 0)
        return tqi_find(check, &tqi_rule_nnapi_operator, TQ_SEVERITY_WARNING, tqi_at_op(at), "",
                        error, "NNAPI does not have %s: it stays on the CPU.", at->name);
    if (support->nnapi != TQI_ANY_VERSION && at->version > support->nnapi)
        return tqi_find(
            check, &tqi_rule_nnapi_operator, TQ_SEVERITY_WARNING, tqi_at_op(at), "", error,
            "NNAPI takes %s up to version %d, this is %" PRId32 ": it stays on the CPU.", at->name,
            support->nnapi, at->version);
    if (output && output->rank > MOST_RANK)
        return tqi_find(
            check, &tqi_rule_nnapi_operator, TQ_SEVERITY_WARNING, tqi_at_output(at, 0), "", error,
            "The output of %s has %" PRIu32 " dimensions, NNAPI takes four: it stays on the CPU.",
            at->name, output->rank);
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_nnapi_operator = {
    "nnapi-operator", "operators that NNAPI leaves to the CPU", TQI_FOR_NNAPI, run, false};
