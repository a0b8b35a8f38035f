/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator, or its version, that the GPU delegates do not take. CompiledModel wants every
 * operator on the GPU: one that is not keeps the whole model off. The classic delegate
 * (GpuDelegateV2) leaves it to the CPU, and takes older versions.
 *
 * Seen in: LiteRT#2146 (FULLY_CONNECTED 12, where the classic delegate ends at 9), LiteRT#6851
 * (FILL), tensorflow#76743. Since: always. Until: not fixed in f6745779; shipped accelerators can
 * differ from the open source.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "tflite/builtins.h"
#include "tflite/op_support.h"

/* Operators that these do in place of others. */
static const char *other_way(int32_t builtin, const char **cure) {
    *cure = "";
    switch (builtin) {
    case TQI_BUILTIN_EXPAND_DIMS:
    case TQI_BUILTIN_SQUEEZE:
        return " RESHAPE does the same.";
    case TQI_BUILTIN_GATHER_ND:
        return " With constant indices SLICE, STRIDED_SLICE or GATHER may do the same.";
    case TQI_BUILTIN_FILL:
        return " With a known shape and value its output is a constant.";
    case TQI_BUILTIN_SHAPE:
    case TQI_BUILTIN_RANK:
        *cure = "fold-shapes";
        return " With known shapes it is a constant.";
    case TQI_BUILTIN_DENSIFY:
        *cure = "fold-densify";
        return " Its result is a constant.";
    default:
        return "";
    }
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_op_support *support = tqi_find_support(at->builtin);
    const char *cure;
    if (at->builtin == TQI_BUILTIN_CUSTOM || at->builtin == TQI_BUILTIN_BROADCAST_TO || !support)
        return TQ_OK; /* other rules */
    const char *other = other_way(at->builtin, &cure);
    if (support->gpu == 0)
        return tqi_find(check, &tqi_rule_gpu_operator, TQ_SEVERITY_ERROR, tqi_at_op(at), cure,
                        error, "%s: Operation is not supported by the GPU delegates.%s", at->name,
                        other);
    if (support->gpu != TQI_ANY_VERSION && at->version > support->gpu)
        return tqi_find(check, &tqi_rule_gpu_operator, TQ_SEVERITY_ERROR, tqi_at_op(at), cure,
                        error, "%s: Max version supported: %d. Requested version %" PRId32 ".%s",
                        at->name, support->gpu, at->version, other);
    if (support->classic_gpu == 0)
        return tqi_find(check, &tqi_rule_gpu_operator, TQ_SEVERITY_NOTE, tqi_at_op(at), cure, error,
                        "%s: the classic GPU delegate leaves it to the CPU; ML Drift takes it.",
                        at->name);
    if (support->classic_gpu != TQI_ANY_VERSION && at->version > support->classic_gpu)
        return tqi_find(check, &tqi_rule_gpu_operator, TQ_SEVERITY_WARNING, tqi_at_op(at), cure,
                        error,
                        "%s: Max version supported: %d. Requested version %" PRId32
                        ". That is the classic GPU delegate; ML Drift takes it.",
                        at->name, support->classic_gpu, at->version);
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_gpu_operator = {
    "gpu-operator", "operators, and versions of them, that the GPU delegates do not take",
    TQI_FOR_GPU, run, false};
