/* SPDX-License-Identifier: Apache-2.0 */
/* Which layer brings in most of the error of an output: each suspect alone is put in the place of
 * the reference's own layer, and what follows runs once more. */
#ifndef TQI_CALIBRATE_ERROR_ENTRY_H
#define TQI_CALIBRATE_ERROR_ENTRY_H

#include "calibrate/lockstep.h"
#include "calibrate/side_by_side.h"

typedef struct tqi_entry_task {
    const tqi_graph *graph; /* the reference */
    uint32_t subgraph;
    const tqi_exec_options *how;
    tqi_lockstep *lockstep;
    tqi_input_sets *sets;
    tqi_compared *layers;        /* by pair of the lockstep; `local` is known */
    uint32_t output;             /* position */
    uint32_t range;              /* of pictures */
    uint32_t n_trials;           /* most layers to try: those with most local error */
    void (*tried)(void *opaque); /* a run is over */
    void *opaque;
    tqi_heap *heap;
    tqi_arena *arena;
} tqi_entry_task;

/* Runs for a layer, at most. */
enum { TQI_TRIAL_SETS = 2 };

/* Fills in `alone`; *entry: the layer with most error in the output, or with most error of its own
 * if none could be tried; -1: none has any. */
tq_status tqi_find_entry(const tqi_entry_task *task, int32_t *entry, tq_error *error);

#endif
