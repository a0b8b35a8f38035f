/* SPDX-License-Identifier: Apache-2.0 */
/* A subgraph's statistics and where they come from: runs on samples that are given, or made. */
#ifndef TQI_CALIBRATE_GATHER_H
#define TQI_CALIBRATE_GATHER_H

#include "calibrate/samples.h"
#include "calibrate/statistics.h"
#include "calibrate/tensor_ranges.h"

enum { TQI_KEPT_SAMPLES = 4 };

typedef struct tqi_gathering_options {
    const tqi_kernels *kernels;
    uint32_t cpu_flags;
    const tq_runner *runner; /* NULL: all in this thread */
    tqi_heap *heap;
    bool grams;           /* second moments too */
    bool ranges;          /* those of all tensors, for tqi_gathering_ranges() */
    double work;          /* multiplications that runs on samples of our own may take in all; 0:
                             no limit */
    uint32_t fewest;      /* of these runs, whatever they take */
    tq_progress progress; /* between operators, or NULL */
    void *progress_opaque;
} tqi_gathering_options;

typedef struct tqi_gathering {
    const tqi_graph *graph;
    uint32_t subgraph;
    tqi_gathering_options options;
    tqi_exec *exec;
    tqi_statistics statistics;
    uint32_t runs;
    double work;                       /* multiplications of a run */
    tqi_sample kept[TQI_KEPT_SAMPLES]; /* the first that were given */
    uint32_t n_kept;
    uint32_t given;
    tqi_ranges ranges;
    tqi_tensor_ranges seen; /* on samples that were given */
    bool seen_is_own;       /* instead on samples of our own */
    bool finished;
    bool broken; /* adding or finishing failed half-way: it refuses to go on */
} tqi_gathering;

/* What the options point to, graph and constants must outlive it; freed also where it failed. */
tq_status tqi_gathering_begin(tqi_gathering *gathering, const tqi_graph *graph,
                              const tqi_constants *constants, uint32_t subgraph,
                              const tqi_gathering_options *options, tq_error *error);
/* Runs the model on one sample of the caller's; values are borrowed. */
tq_status tqi_gathering_add(tqi_gathering *gathering, const tqi_sample *sample, tq_error *error);
/* Runs it on `count` samples of the library's, and ends: nothing can be added then. If work
 * allows one range only it is the first, from 0 to 1, which lies in the other one. */
tq_status tqi_gathering_finish(tqi_gathering *gathering, uint32_t count, tq_error *error);
void tqi_gathering_free(tqi_gathering *gathering);

/* Ranges of the tensors, by index, on the samples that were given; where there were none on a few
 * of the library's, of which nothing else is kept. Valid until a sample is added. NULL: they are
 * not wanted. */
tq_status tqi_gathering_ranges(tqi_gathering *gathering, const tqi_value_range **ranges,
                               tq_error *error);

/* Of `count` runs, those that so many multiplications allow, but a few in any case; before the
 * first run all. */
uint32_t tqi_affordable(const tqi_gathering *gathering, uint32_t count, double work);

/* Operators that can't be run, and why the first of them can't. */
uint32_t tqi_gathering_refused(const tqi_gathering *gathering, const char **why);

#endif
