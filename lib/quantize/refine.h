/* SPDX-License-Identifier: Apache-2.0 */
/* Int8 for the outputs' sake: the float model runs on samples, and what is then known of each
 * layer's inputs decides how its weights are rounded, what its bias takes back of the error, and
 * which constants are better left float. */
#ifndef TQI_QUANTIZE_REFINE_H
#define TQI_QUANTIZE_REFINE_H

#include "calibrate/gather.h"
#include "quantize/apply.h"

typedef struct tqi_refine_options {
    const tqi_kernels *kernels;
    uint32_t cpu_flags;
    tqi_heap *heap;
    const tq_runner *runner; /* NULL: all in this thread */
    const tq_recipe *recipe;
    uint32_t effort;             /* TQ_EFFORT_... */
    uint32_t target;             /* TQ_TARGET_... */
    tqi_gathering *const *given; /* statistics by subgraph, instead of synthetic samples; NULLs, or
                                    NULL */
    uint64_t target_size;        /* of the file; 0: none */
    double min_snr_db;           /* of the worst output; 0: none */
    /* The size of the file as plan and refinement are now. */
    tq_status (*measure)(void *opaque, uint64_t *size, tq_error *error);
    void *measure_opaque;
    tq_progress progress;
    void *progress_opaque;
} tqi_refine_options;

/* Fills in codes, scales and biases for what the plan makes int8, as far as the graph can be run;
 * what it says nothing of is rounded plainly. Changes the plan where the recipe mixes types. All of
 * it lives in `arena`. */
tq_status tqi_refine(tqi_refinement *refinement, tqi_plan *plan, const tqi_graph *graph,
                     const tqi_refine_options *options, tqi_arena *arena, tq_error *error);

#endif
