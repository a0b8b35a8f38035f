/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A custom operator is there only where the program brings it: without, the model does not load.
 * The GPU, NNAPI and int8 accelerators take none.
 *
 * Seen in: LiteRT#7936, litert-samples#257 (TFLite_Detection_PostProcess on a GPU).
 * Since: always. Until: not fixed.
 */
#include <string.h>

#include "check/rules.h"
#include "tflite/builtins.h"

/* What LiteRT's resolver has besides the builtin operators. */
static bool is_registered(const char *name) {
    static const char *const names[] = {"NumericVerify", "Mfcc", "AudioSpectrogram",
                                        "TFLite_Detection_PostProcess", "aeq.hadamard_rotation"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* XNNPACK takes these by their names. */
static bool is_delegated(const char *name) {
    static const char *const names[] = {"Convolution2DTransposeBias", "MaxPoolingWithArgmax2D",
                                        "MaxUnpooling2D"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    if (at->builtin != TQI_BUILTIN_CUSTOM)
        return TQ_OK;
    bool on_cpu = check->target == TQ_TARGET_LITERT || check->target == TQ_TARGET_XNNPACK;
    bool delegated = check->target == TQ_TARGET_XNNPACK && is_delegated(at->name);
    if (on_cpu && (delegated || is_registered(at->name)))
        return TQ_OK;
    if (on_cpu)
        return tqi_find(check, &tqi_rule_custom_operator, TQ_SEVERITY_ERROR, tqi_at_op(at), "",
                        error,
                        "Encountered unresolved custom op: %.80s. The program that runs it has to "
                        "bring it along.",
                        at->name);
    return tqi_find(check, &tqi_rule_custom_operator,
                    check->target == TQ_TARGET_NNAPI ? TQ_SEVERITY_WARNING : TQ_SEVERITY_ERROR,
                    tqi_at_op(at), "", error,
                    "The custom operator %.80s runs on a CPU only, where the program brings it.",
                    at->name);
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_custom_operator = {
    "custom-operator", "custom operators, which the program has to bring along", TQI_FOR_ALL, run,
    false};
