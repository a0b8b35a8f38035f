/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inputs of a CONCATENATION or PACK whose ranges are more than 16 times as wide as one another. In
 * static int8 all of them and the output have one scale, so that fewer than 4 of the 8 bits are
 * left to the narrow one. Ranges are those of float32 tensors on the inputs that statistics were
 * made of, each with 0 in it, as int8 has them; what is 0 throughout loses nothing.
 *
 * Seen in: detectors that join their heads, boxes in pixels with scores from 0 to 1; they find
 * nothing any more, and no tool says so. Since: always. Until: not fixed; two outputs, or boxes
 * scaled to the range of the scores, cure it.
 */
#include <inttypes.h>
#include <math.h>

#include "check/rules.h"
#include "tflite/builtins.h"

static const double most = 16.0, steps = 255.0;

typedef struct joined {
    uint32_t input;
    double low, high, width;
} joined;

/* false: its range is not known, or it is all zero. */
static bool look(const tqi_check *check, const tqi_at *at, uint32_t input, joined *found) {
    tqi_value_range range;
    if (!tqi_range_at(check, at->subgraph_index, at->op->inputs[input], &range))
        return false;
    *found = (joined){.input = input,
                      .low = fmin((double)range.low, 0.0) + 0.0, /* no -0 in the message */
                      .high = fmax((double)range.high, 0.0) + 0.0};
    found->width = found->high - found->low;
    return found->width > 0.0;
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    joined one, narrow = {.width = 0.0}, wide = {.width = 0.0};
    double low = 0.0, high = 0.0;
    if ((at->builtin != TQI_BUILTIN_CONCATENATION && at->builtin != TQI_BUILTIN_PACK) ||
        !tqi_work(check, at->op->n_inputs))
        return TQ_OK;
    for (uint32_t i = 0; i < at->op->n_inputs; i++) {
        if (!look(check, at, i, &one))
            continue;
        if (narrow.width == 0.0 || one.width < narrow.width)
            narrow = one;
        if (one.width > wide.width)
            wide = one;
        low = fmin(low, one.low);
        high = fmax(high, one.high);
    }
    if (!(wide.width > most * narrow.width))
        return TQ_OK;
    double scale = (high - low) / steps;
    return tqi_find(
        check, &tqi_rule_joined_ranges, TQ_SEVERITY_WARNING, tqi_at_input(at, narrow.input), "",
        error,
        "%s joins its input %" PRIu32 " '%.80s', %.4g to %.4g, with its input %" PRIu32
        " '%.80s', %.4g to %.4g, which is %.3g times as wide. In static int8 all have one scale, "
        "which leaves %.0f of 256 levels to the former.",
        at->name, narrow.input, tqi_at_in(at, narrow.input)->name, narrow.low, narrow.high,
        wide.input, tqi_at_in(at, wide.input)->name, wide.low, wide.high, wide.width / narrow.width,
        nearbyint(narrow.high / scale) - nearbyint(narrow.low / scale) + 1.0);
}

static tq_status run(tqi_check *check, tq_error *error) {
    return check->ranges ? tqi_each_operator(check, visit, error) : TQ_OK;
}

const tqi_check_rule tqi_rule_joined_ranges = {"joined-ranges",
                                               "ranges far apart that have to share one scale",
                                               TQI_FOR_INT8 | TQI_FOR_MICRO, run, false};
