/* SPDX-License-Identifier: Apache-2.0 */
/* What to run a subgraph on, one set of inputs after the other: arrays that were given, or
 * synthetic ones. Where a shape is open, these are pictures of 224 by 224, and else 1. */
#ifndef TQI_CALIBRATE_INPUT_SETS_H
#define TQI_CALIBRATE_INPUT_SETS_H

#include "calibrate/synthetic.h"
#include "execute/execute.h"

enum { TQI_SET_RANGES = 2 };

typedef struct tqi_sets_wanted {
    uint32_t n_sets;
    const tq_array *given; /* n_sets times one for each input; NULL: synthetic */
    uint32_t seed;
    double low, high; /* of pictures; both 0: as the metadata say, else both usual ranges in turn */
} tqi_sets_wanted;

typedef struct tqi_input_sets {
    tqi_sets_wanted wanted;
    tqi_heap *heap;
    tqi_value *values; /* of the set that was got last; data NULL: it can't be given */
    tqi_input_range (*ranges)[TQI_SET_RANGES]; /* by input */
    uint32_t n_inputs;
    uint32_t n_ranges; /* that pictures are tried in: 1 or 2 */
    tq_error refusal;  /* why the first one can't; status TQ_OK: all can */
} tqi_input_sets;

/* Arrays that don't fit the graph are TQ_ERR_INVALID_ARGUMENT. Lives partly in `arena`; close it
 * either way. */
tq_status tqi_input_sets_open(tqi_input_sets *sets, const tqi_exec *exec, const tqi_graph *graph,
                              uint32_t subgraph, const tqi_sets_wanted *wanted, tqi_heap *heap,
                              tqi_arena *arena, tq_error *error);
void tqi_input_sets_close(tqi_input_sets *sets);

/* Fills sets->values; set 0 to n_sets - 1. */
tq_status tqi_input_sets_get(tqi_input_sets *sets, uint32_t set, tq_error *error);
/* Which range the pictures of a set are in. */
static inline uint32_t tqi_input_sets_range(const tqi_input_sets *sets, uint32_t set) {
    return set % sets->n_ranges;
}

#endif
