/* SPDX-License-Identifier: Apache-2.0 */
/* Int8 that is rounded for the outputs' sake: the float model runs on synthetic inputs, and what is
 * then known of each layer's inputs decides how its weights are rounded and what its bias takes
 * back of the error. */
#ifndef TQI_QUANTIZE_REFINE_H
#define TQI_QUANTIZE_REFINE_H

#include "quantize/apply.h"

typedef struct tqi_refine_options {
    const tqi_kernels *kernels;
    uint32_t cpu_flags;
    uint32_t images; /* inputs that the model runs on */
    bool rounding;   /* weights by their inputs' covariance; else plainly */
    tqi_heap *heap;
} tqi_refine_options;

/* Fills in codes, scales and biases for what the plan makes int8, as far as the graph can be run;
 * what it says nothing of is rounded plainly. All of it lives in `arena`. */
tq_status tqi_refine(tqi_refinement *refinement, const tqi_plan *plan, const tqi_graph *graph,
                     const tqi_refine_options *options, tqi_arena *arena, tq_error *error);

#endif
