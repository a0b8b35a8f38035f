/* SPDX-License-Identifier: Apache-2.0 */
/* What changes of weights do to a subgraph's outputs, one trial for each set of changes. */
#ifndef TQI_CALIBRATE_TRIALS_H
#define TQI_CALIBRATE_TRIALS_H

#include "calibrate/samples.h"

/* Noise over signal, that is sum (y - y')^2 over sum y^2, by trial; a mean over sets of samples.
 * NaN: not measured; very large where something is not finite, or can't be run. */
typedef struct tqi_trial {
    double sum;   /* over the outputs */
    double worst; /* of the outputs */
} tqi_trial;

/* Makes the changes of a trial: they, and what they point to, are used until the next call for this
 * worker, below `n_workers`. Others may be at it at the same time. `changes` has room for `most` of
 * them. */
typedef tq_status (*tqi_make_changes)(void *opaque, uint32_t worker, uint32_t trial,
                                      tqi_change *changes, uint32_t *n, tq_error *error);

/* What a worker has for itself. */
typedef struct tqi_trial_worker {
    tqi_exec *exec; /* a view; NULL: none is open */
    tqi_change *changes;
    uint64_t told; /* operators that ran */
} tqi_trial_worker;

typedef struct tqi_trials {
    tqi_exec *exec; /* that retains */
    const tqi_graph *graph;
    uint32_t subgraph;
    tqi_arena arena;         /* of all that is below */
    uint32_t n_trials, most; /* changes of a trial */
    const tq_runner *runner; /* for several trials at once; NULL: one after the other */
    tqi_make_changes make;
    /* what is in `exec` after a trial, of which there is one at a time then; or NULL */
    void (*observe)(void *opaque, uint32_t trial);
    /* operators that ran, for which the executor says nothing; false: cancelled; or NULL */
    bool (*tell)(void *opaque, uint64_t operators);
    void *opaque;
    tqi_trial *results; /* by trial */
    /* outputs are what the graph gives, or what is the input of an operator that can't be run */
    uint32_t *targets;
    uint32_t n_targets;
    double *signal; /* of a set, by target */
    double *noise;  /* [trial][target] */
    uint32_t n_workers;
    tqi_trial_worker *workers;
    tq_error *errors; /* of trials at once */
    uint32_t sets;
} tqi_trials;

/* For the trials `make` gives; `results` has an element for each. */
tq_status tqi_trials_begin(tqi_trials *trials, tqi_exec *exec, const tqi_graph *graph,
                           uint32_t subgraph, tqi_heap *heap, tq_error *error);
/* All trials on one sample. */
tq_status tqi_trials_run(tqi_trials *trials, const tqi_sample *sample, tq_error *error);
/* What was run since the last call becomes a set, which counts as much as any other. */
void tqi_trials_end_set(tqi_trials *trials);
/* Completes the results. */
void tqi_trials_finish(tqi_trials *trials);
void tqi_trials_free(tqi_trials *trials);

#endif
