/* SPDX-License-Identifier: Apache-2.0 */
/* Rules look at a graph for a target and say what they find. */
#ifndef TQI_CHECK_CHECK_H
#define TQI_CHECK_CHECK_H

#include "check/findings.h"
#include "check/shapes.h"
#include "tflite/uses.h"
#include "tflite/value_range.h"

/* A release of the runtime as one number: 2.17.1 is 217; 0: none. */
typedef uint32_t tqi_release;

typedef struct tqi_check_options {
    uint32_t target;     /* TQ_TARGET_... */
    tqi_release runtime; /* no operator version may be newer than this; 0: any */
    uint32_t flags;      /* TQ_CHECK_... */
    /* By subgraph and tensor, of float32 tensors; NULL: of none, or of none of a subgraph. */
    const tqi_value_range *const *ranges;
} tqi_check_options;

typedef struct tqi_check {
    const tqi_graph *graph;
    uint32_t target;
    tqi_release runtime;
    const tqi_value_range *const *ranges;
    tqi_uses *uses;              /* by subgraph */
    tqi_shapes *shapes;          /* by subgraph */
    bool *is_called;             /* by subgraph: control flow or a composite runs it */
    struct tqi_weights *weights; /* NULL: not looked at yet */
    uint64_t work_left; /* values that may still be looked at: parts of a file can be shared */
    tqi_findings *findings;
    tqi_arena *arena; /* of this check; findings have their own */
    tqi_heap *heap;
} tqi_check;

typedef struct tqi_check_rule {
    const char *name;    /* "broadcast-to" */
    const char *summary; /* what it is about, one line */
    uint32_t targets;    /* bits 1 << TQ_TARGET_... */
    tq_status (*run)(tqi_check *check, tq_error *error);
    bool reads_weights;
} tqi_check_rule;

enum {
    TQI_FOR_LITERT = 1 << TQ_TARGET_LITERT,
    TQI_FOR_XNNPACK = 1 << TQ_TARGET_XNNPACK,
    TQI_FOR_GPU = 1 << TQ_TARGET_GPU,
    TQI_FOR_NNAPI = 1 << TQ_TARGET_NNAPI,
    TQI_FOR_MICRO = 1 << TQ_TARGET_TFLITE_MICRO,
    TQI_FOR_INT8 = 1 << TQ_TARGET_INT8_ONLY,
    TQI_FOR_ALL = TQI_FOR_LITERT | TQI_FOR_XNNPACK | TQI_FOR_GPU | TQI_FOR_NNAPI | TQI_FOR_MICRO |
                  TQI_FOR_INT8
};

/* The rules; NULL behind the last. */
const tqi_check_rule *tqi_check_rule_at(uint32_t index);

/* "2.5" or "2.17.0"; false: it is none. */
bool tqi_read_release(const char *text, tqi_release *release);

/* Whether a rule for the target asks for ranges. */
bool tqi_check_reads_ranges(uint32_t target);

/* Runs the rules for the target; `findings` grows. */
tq_status tqi_check_graph(const tqi_graph *graph, const tqi_check_options *options, tqi_heap *heap,
                          tqi_findings *findings, tq_error *error);

/* ---- for rules ---- */

/* Where: an operator of a subgraph, one of its inputs, a tensor; -1: not about one. */
typedef struct tqi_place {
    int32_t subgraph, op, op_input, tensor;
} tqi_place;

/* `cure`: the name of the rewrite that cures it, or "". */
tq_status tqi_find(tqi_check *check, const tqi_check_rule *rule, uint32_t severity, tqi_place place,
                   const char *cure, tq_error *error, const char *format, ...) TQI_PRINTF(7, 8);

/* An operator that is looked at. */
typedef struct tqi_at {
    uint32_t subgraph_index, op_index;
    const tqi_subgraph *subgraph;
    const tqi_operator *op;
    int32_t builtin, version;
    const char *name; /* "ADD"; the custom code of a custom operator */
} tqi_at;

typedef tq_status tqi_visit(tqi_check *check, const tqi_at *at, tq_error *error);
/* All operators, subgraph by subgraph. */
tq_status tqi_each_operator(tqi_check *check, tqi_visit *visit, tq_error *error);
static inline tqi_place tqi_at_op(const tqi_at *at) {
    return (tqi_place){(int32_t)at->subgraph_index, (int32_t)at->op_index, -1, -1};
}
/* The place of an input or output of it. */
tqi_place tqi_at_input(const tqi_at *at, uint32_t input);
tqi_place tqi_at_output(const tqi_at *at, uint32_t output);
/* NULL: it is left out or not there. */
const tqi_tensor *tqi_at_in(const tqi_at *at, uint32_t input);
const tqi_tensor *tqi_at_out(const tqi_at *at, uint32_t output);

/* What a float32 tensor was seen to hold; false: that is not known. */
bool tqi_range_at(const tqi_check *check, uint32_t subgraph, int32_t tensor,
                  tqi_value_range *range);

/* Takes `count` of the work that is left; false: there is not as much. */
static inline bool tqi_work(tqi_check *check, uint64_t count) {
    if (count > check->work_left)
        return false;
    check->work_left -= count;
    return true;
}

/* "INT8"; "unknown" for a type that the schema does not have. */
const char *tqi_type_text(int32_t type);

#endif
