/* SPDX-License-Identifier: Apache-2.0 */
/* Two subgraphs run side by side on the same inputs, operator by operator, so that of the
 * reference's layers only those are held that the other is still to come to. */
#ifndef TQI_CALIBRATE_LOCKSTEP_H
#define TQI_CALIBRATE_LOCKSTEP_H

#include "calibrate/layer_match.h"
#include "execute/execute.h"

/* A layer that both have, of the same type and shape. `forced`: the other's operators up to it got
 * what the reference gives its layers, so that the difference is of this layer's own making. */
typedef tq_status (*tqi_lockstep_visit)(void *opaque, uint32_t pair, bool forced,
                                        const tqi_value *reference, const tqi_value *other,
                                        tq_error *error);

typedef struct tqi_lockstep {
    tqi_exec *reference, *other, *forced;
    tqi_layer_pairs pairs;
    tqi_heap *heap;
    uint32_t *first;       /* by operator of the reference: pairs[first[op]] up to first[op + 1] */
    uint32_t *other_first; /* by operator of the other: in `by_other` */
    uint32_t *by_other;
    uint32_t n_other; /* operators */
    tqi_value *kept;  /* by pair: of the reference, until the other has come there */
    /* of the run */
    uint32_t done, other_done; /* operators */
    bool more;                 /* of the reference */
    bool is_forced;
    tqi_lockstep_visit visit;
    void *opaque;
} tqi_lockstep;

/* Lives partly in `arena`; close it either way. */
tq_status tqi_lockstep_open(tqi_lockstep *lockstep, const tqi_graph *reference, uint32_t subgraph,
                            const tqi_graph *other, uint32_t other_subgraph,
                            const tqi_exec_options *options, tqi_arena *arena, tq_error *error);
void tqi_lockstep_close(tqi_lockstep *lockstep);

/* Runs the reference and the other with forced inputs, and with `freely` the other as it is, too.
 * Layers are visited in the order of the other, first as they are. */
tq_status tqi_lockstep_run(tqi_lockstep *lockstep, const tqi_value *inputs, uint32_t n_inputs,
                           bool freely, tqi_lockstep_visit visit, void *opaque, tq_error *error);

/* A copy, to be freed by tqi_value_free(). */
tq_status tqi_value_copy(tqi_heap *heap, const tqi_value *from, tqi_value *to, tq_error *error);

#endif
