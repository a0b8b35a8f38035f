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

tq_status tqi_apply(tqi_result *result, const tqi_plan *plan, const tqi_graph *graph,
                    const tqi_kernels *kernels, tqi_arena *arena, tq_error *error);

#endif
