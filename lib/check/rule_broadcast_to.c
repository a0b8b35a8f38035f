/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No delegate has BROADCAST_TO: on a GPU it keeps the whole model off, on a CPU it cuts XNNPACK's
 * part in two. With int8 it needs version 3; converters before that had no int8 form of it, and
 * older runtimes refuse the version. TILE does the same, and both GPU delegates and int8 have it.
 *
 * Seen in: LiteRT#9191 (repeat_kv of every transformer with grouped queries), LiteRT#6851 (masks,
 * also FILL), tensorflow#46224 (int8). Since: the operator came (2.5; version 3 with int8 as well).
 * Until: not fixed in f6745779.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "tflite/builtins.h"

static tq_status say(tqi_check *check, const tqi_at *at, uint32_t severity, const char *why,
                     tq_error *error) {
    char from[TQI_SHAPE_TEXT], to[TQI_SHAPE_TEXT];
    const tqi_shape *list = check->shapes[at->subgraph_index].list;
    const tqi_shape none = {.known = false};
    bool in = tqi_at_in(at, 0) != NULL, out = tqi_at_out(at, 0) != NULL;
    return tqi_find(check, &tqi_rule_broadcast_to, severity, tqi_at_output(at, 0),
                    "broadcast-to-tile", error, "BROADCAST_TO of %s to %s: %s. TILE does the same.",
                    tqi_shape_text(in ? &list[at->op->inputs[0]] : &none, from),
                    tqi_shape_text(out ? &list[at->op->outputs[0]] : &none, to), why);
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    if (at->builtin != TQI_BUILTIN_BROADCAST_TO)
        return TQ_OK;
    switch (check->target) {
    case TQ_TARGET_GPU:
        return say(check, at, TQ_SEVERITY_ERROR,
                   "the GPU delegates do not have it, at any rank, and take a model whole or not",
                   error);
    case TQ_TARGET_NNAPI:
        return say(check, at, TQ_SEVERITY_WARNING, "NNAPI does not have it", error);
    case TQ_TARGET_INT8_ONLY:
        return say(check, at, TQ_SEVERITY_WARNING,
                   "with int8 it needs version 3, which converters did not make and runtimes "
                   "before 2.5 do not have",
                   error);
    default:
        return say(check, at, TQ_SEVERITY_NOTE, "XNNPACK leaves it to a builtin kernel", error);
    }
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_broadcast_to = {
    "broadcast-to", "BROADCAST_TO, which no delegate has",
    TQI_FOR_GPU | TQI_FOR_NNAPI | TQI_FOR_INT8 | TQI_FOR_XNNPACK, run, false};
