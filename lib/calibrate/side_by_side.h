/* SPDX-License-Identifier: Apache-2.0 */
/* Two graphs on the same inputs: how far outputs and layers are apart, and where that comes from.
 */
#ifndef TQI_CALIBRATE_SIDE_BY_SIDE_H
#define TQI_CALIBRATE_SIDE_BY_SIDE_H

#include "calibrate/difference.h"
#include "calibrate/input_sets.h"

typedef struct tqi_compare_options {
    const tqi_kernels *kernels;
    uint32_t cpu_flags;
    const tq_runner *runner; /* NULL: all in this thread */
    tqi_heap *heap;
    tqi_sets_wanted sets;
    const char *signature; /* NULL: all */
    uint32_t n_trials;
    tq_progress progress; /* or NULL */
    void *progress_opaque;
} tqi_compare_options;

/* An output or a layer. */
typedef struct tqi_compared {
    uint32_t subgraph, other_subgraph;
    int32_t op, other_op; /* -1: none makes it */
    int32_t tensor, other_tensor;
    int32_t output; /* position; -1: a layer */
    int32_t type;
    uint32_t rank;
    uint32_t range, n_ranges; /* the range of pictures whose numbers count, of so many */
    int32_t shape[TQI_MAX_RANK];
    tqi_difference whole[TQI_SET_RANGES], local[TQI_SET_RANGES];
    tqi_difference alone; /* of the worst output, with this layer alone from the other graph */
} tqi_compared;

typedef struct tqi_side_by_side {
    tqi_compared *outputs, *layers;
    uint32_t n_outputs, n_layers, n_sets;
    int32_t worst_output, entry_layer; /* -1: none */
    uint32_t unmatched, other_unmatched;
    uint32_t skipped, other_skipped; /* operators */
    tq_error refusal;                /* status TQ_OK: all ran */
} tqi_side_by_side;

/* All of it lives in `arena`. TQ_ERR_INVALID_ARGUMENT: inputs or outputs are not the same. */
tq_status tqi_run_side_by_side(tqi_side_by_side *result, const tqi_graph *reference,
                               const tqi_graph *other, const tqi_compare_options *options,
                               tqi_arena *arena, tq_error *error);

#endif
