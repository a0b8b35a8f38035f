/* SPDX-License-Identifier: Apache-2.0 */
/* A plan turned into edits: the graph as it is to be saved, with an encoder behind every
 * constant that changes. */
#ifndef TQI_QUANTIZE_APPLY_H
#define TQI_QUANTIZE_APPLY_H

#include "quantize/encoder.h"
#include "recipe/plan.h"

typedef struct tqi_result {
    tqi_graph graph;        /* edited and compact */
    tqi_encoder **encoders; /* by constant; NULL: it is left alone */
    bool changed;
} tqi_result;

/* A constant whose codes are known already; `codes` NULL: they are made while saving. */
typedef struct tqi_refined {
    const int8_t *codes;
    float *scale;
    tqi_sums sums;
} tqi_refined;

typedef struct tqi_new_bias {
    uint32_t subgraph, op, input;
    const float *values;
    uint32_t count;
} tqi_new_bias;

/* What was found out about a plan's constants; all of it outlives the result. */
typedef struct tqi_refinement {
    tqi_refined *constants; /* by constant; NULL: nothing */
    tqi_new_bias *biases;
    uint32_t n_biases;
    double
        *errors; /* by constant: noise over signal of the outputs, were it alone changed; or NULL */
    double error, plain_error; /* of the worst output with all changes; NaN: not measured */
    uint32_t layers, known;    /* operators that statistics were wanted of, and are there of */
    const char *refusal;       /* why the first operator that can't be run can't; or "" */
} tqi_refinement;

tq_status tqi_apply(tqi_result *result, const tqi_plan *plan, const tqi_refinement *refinement,
                    const tqi_graph *graph, const tqi_kernels *kernels, tqi_arena *arena,
                    tq_error *error);

#endif
