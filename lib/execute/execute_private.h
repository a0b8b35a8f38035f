/* SPDX-License-Identifier: Apache-2.0 */
/* What execute.c and vary.c share. */
#ifndef TQI_EXECUTE_EXECUTE_PRIVATE_H
#define TQI_EXECUTE_EXECUTE_PRIVATE_H

#include "execute/call.h"
#include "execute/execute.h"
#include "execute/gemm.h"
#include "tflite/uses.h"

/* Never the last operator that uses something. */
#define TQI_KEPT UINT32_MAX

typedef struct tqi_exec_slot {
    tqi_value value;   /* data NULL: not there */
    int32_t storage;   /* of a constant, or -1 */
    uint32_t last_use; /* operator; TQI_KEPT: a graph output */
    bool is_output;
} tqi_exec_slot;

/* Where a run differs from the one that was retained. */
typedef struct tqi_variation {
    tqi_value *values;         /* by tensor; data NULL: as in the retained run */
    const tqi_change *changes; /* of the run that is under way */
    uint32_t *first;           /* by operator: index of its first change plus 1, or 0 */
    uint32_t *next;            /* by change: of the next one, likewise */
    uint32_t capacity;         /* of `next` */
    bool *watched;             /* by tensor */
} tqi_variation;

struct tqi_exec {
    const tqi_graph *graph;
    const tqi_subgraph *s;
    uint32_t subgraph;
    tqi_exec_options options;
    tqi_gemm gemm;
    tqi_arena arena;
    tqi_uses uses;
    tqi_exec_slot *slots; /* by tensor */
    uint8_t *states;
    tqi_value *outputs; /* of an operator */
    const tqi_value **inputs;
    tq_error refusal;
    uint32_t next; /* operator */
    uint64_t work; /* of this run, up to now */
    uint64_t kept; /* bytes of constants that are loaded and not needed any more in this run */
    tqi_variation variation;
    uint64_t varied; /* operators that ran to vary a run */
    bool is_view;    /* slots, states, uses and what is watched belong to another executor */
};

/* Loads what is constant into `inputs`; *starved: something else is not there. */
tq_status tqi_exec_gather_inputs(tqi_exec *exec, const tqi_operator *op, bool *starved,
                                 tq_error *error);
/* Runs it on `inputs`; results are in `outputs` then. `hybrid`: as if its weights were integers. */
tq_status tqi_exec_call(tqi_exec *exec, uint32_t op, tqi_run_operator *run, bool hybrid,
                        tq_error *error);
/* Of an operator's inputs and outputs. */
tq_status tqi_exec_make_lists(tqi_exec *exec, tq_error *error);
/* For the sake of memory: they can be loaded again. */
void tqi_exec_free_constants(tqi_exec *exec);

static inline bool tqi_is_no_memory(tq_status status) {
    return status == TQ_ERR_OUT_OF_MEMORY || status == TQ_ERR_MEMORY_LIMIT;
}

#endif
