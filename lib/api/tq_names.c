/* SPDX-License-Identifier: Apache-2.0 */
/* Texts for the values of the public enums. */
#include <stddef.h>

#include "tflite/schema.h"
#include "tfquant/tfquant.h"

uint32_t tq_version(void) {
    return (uint32_t)TQ_VERSION_MAJOR << 16 | TQ_VERSION_MINOR << 8 | TQ_VERSION_PATCH;
}

uint32_t tq_abi_version(void) {
    return TQ_ABI_VERSION;
}

const char *tq_status_name(tq_status status) {
#define NAME(value)                                                                                \
    case value:                                                                                    \
        return #value
    switch (status) {
        NAME(TQ_OK);
        NAME(TQ_ERR_INVALID_ARGUMENT);
        NAME(TQ_ERR_OUT_OF_MEMORY);
        NAME(TQ_ERR_MEMORY_LIMIT);
        NAME(TQ_ERR_CANCELLED);
        NAME(TQ_ERR_OPEN);
        NAME(TQ_ERR_READ);
        NAME(TQ_ERR_WRITE);
        NAME(TQ_ERR_EXISTS);
        NAME(TQ_ERR_SAME_FILE);
        NAME(TQ_ERR_NOT_A_MODEL);
        NAME(TQ_ERR_CORRUPT);
        NAME(TQ_ERR_UNSUPPORTED);
        NAME(TQ_ERR_TOO_LARGE);
        NAME(TQ_ERR_UNKNOWN_RECIPE);
        NAME(TQ_ERR_BAD_RECIPE);
        NAME(TQ_ERR_INTERNAL);
    default:
        return "unknown status";
    }
#undef NAME
}

const char *tq_type_name(int32_t type) {
    const char *label = tqi_type_label(type);
    return label ? label : "unknown";
}

const char *tq_verdict_name(uint32_t verdict) {
    static const char *const names[] = {"kept", "quantized", "float16", "folded"};
    return verdict < sizeof names / sizeof *names ? names[verdict] : "unknown";
}

static const struct {
    const char *name, *text;
} reasons[] = {
    [TQ_REASON_NONE] = {"NONE", ""},
    [TQ_REASON_RECIPE_COPIES] = {"RECIPE_COPIES", "the recipe changes nothing"},
    [TQ_REASON_NOT_FLOAT] = {"NOT_FLOAT", "not floating point"},
    [TQ_REASON_QUANTIZED_ALREADY] = {"QUANTIZED_ALREADY", "quantized already"},
    [TQ_REASON_NOT_COVERED] = {"NOT_COVERED", "the recipe does not cover this input"},
    [TQ_REASON_BIAS] = {"BIAS", "biases stay float32"},
    [TQ_REASON_NOT_SMALLER] = {"NOT_SMALLER", "too small to gain anything"},
    [TQ_REASON_FLOAT_USE] = {"FLOAT_USE", "another operator needs the float values"},
    [TQ_REASON_GRAPH_BOUNDARY] = {"GRAPH_BOUNDARY", "an input or output of the graph"},
    [TQ_REASON_COMPOSITE] = {"COMPOSITE", "inside the decomposition of a composite"},
    [TQ_REASON_RUNTIME_REFUSES] = {"RUNTIME_REFUSES", "the runtime has no kernel for the result"},
    [TQ_REASON_NOT_FINITE] = {"NOT_FINITE", "holds NaN or infinity"},
    [TQ_REASON_OUT_OF_RANGE] = {"OUT_OF_RANGE", "holds values that float16 does not"},
    [TQ_REASON_SPARSE_IS_SMALLER] = {"SPARSE_IS_SMALLER", "its sparse form is smaller"},
    [TQ_REASON_UNUSED] = {"UNUSED", "no operator reads it"},
    [TQ_REASON_BAD_SIZE] = {"BAD_SIZE", "its buffer does not hold its shape"},
    [TQ_REASON_CUSTOM_OPERATOR] = {"CUSTOM_OPERATOR", "read by a custom operator"},
    [TQ_REASON_FLOAT16_ALREADY] = {"FLOAT16_ALREADY", "float16 already"},
    [TQ_REASON_TOO_NOISY] = {"TOO_NOISY", "int8 would cost more accuracy than its bytes are worth"},
    [TQ_REASON_TARGET_REFUSES] = {"TARGET_REFUSES", "the target does not take the result"},
};

const char *tq_reason_name(uint32_t reason) {
    return reason < sizeof reasons / sizeof *reasons ? reasons[reason].name : "unknown";
}

const char *tq_reason_text(uint32_t reason) {
    return reason < sizeof reasons / sizeof *reasons ? reasons[reason].text : "unknown";
}
