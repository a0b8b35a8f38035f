/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a subgraph of a graph as loaded, in float32, to gather statistics. It is no runtime: no
 * state from run to run, and what it can't run (most custom operators, control flow,
 * variables, quantized or float16 activations) it says. Composites run as their decomposition, of
 * which nothing is observed.
 *
 * The same bits on every machine and CPU level. Weights that are stored as float16, sparse or
 * quantized are those values as float32; the DEQUANTIZE and DENSIFY behind them do not run.
 * Activations are freed after their last use, constants too, unless there is room to keep
 * them. Operators run in the order of the file.
 */
#ifndef TQI_EXECUTE_EXECUTE_H
#define TQI_EXECUTE_EXECUTE_H

#include "base/error.h"
#include "execute/operators.h"
#include "execute/value.h"
#include "kernels/kernels.h"

typedef struct tqi_exec tqi_exec;

typedef struct tqi_exec_options {
    const tqi_kernels *kernels;
    uint32_t cpu_flags;      /* TQ_CPU_... for the products of matrices */
    const tq_runner *runner; /* NULL: all in this thread */
    tqi_heap *heap;
    /* What can't be run is skipped, and what depends on it; else it is an error. */
    bool as_far_as_possible;
    bool retain;          /* activations stay until the next run: for tqi_exec_vary() */
    uint64_t keep;        /* bytes of constants that stay loaded between runs; freed all the
                             same when memory runs out */
    tqi_budget budget;    /* of a run; all 0: tqi_default_budget */
    tq_progress progress; /* between operators: operators done, of all; or NULL */
    void *progress_opaque;
} tqi_exec_options;

/* What became of an operator in the last run. */
typedef enum tqi_op_state {
    TQI_OP_NOT_YET, /* the run ended before it */
    TQI_OP_RAN,
    TQI_OP_FOLDED,  /* part of reading a constant */
    TQI_OP_REFUSED, /* it can't be run */
    TQI_OP_STARVED, /* an input was not to be had */
} tqi_op_state;

/* An operator that just ran. Who observes may change the numbers of its outputs: what follows reads
 * those. */
typedef struct tqi_seen {
    uint32_t op;
    const tqi_value *const *inputs; /* NULL: left out */
    const tqi_value *outputs;
    uint32_t n_inputs, n_outputs;
} tqi_seen;

/* A status other than TQ_OK ends the run. */
typedef tq_status (*tqi_observe)(void *opaque, const tqi_seen *seen, tq_error *error);

/* The graph and what the options point to must outlive it. */
tq_status tqi_exec_create(tqi_exec **exec, const tqi_graph *graph, uint32_t subgraph,
                          const tqi_exec_options *options, tq_error *error);
void tqi_exec_free(tqi_exec *exec);

/* Sets type, rank, shape and elements of a graph input: dynamic dimensions are 1. */
tq_status tqi_exec_input(const tqi_exec *exec, uint32_t input, tqi_value *value, tq_error *error);

/* `inputs`: one for each graph input, copied; dense, of the graph's type, of the shape that
 * tqi_exec_input() gives except for dynamic dimensions. `data` NULL, where that is
 * allowed (as_far_as_possible): not there. `observe` may be NULL. */
tq_status tqi_exec_run(tqi_exec *exec, const tqi_value *inputs, uint32_t n_inputs,
                       tqi_observe observe, void *opaque, tq_error *error);

/* The same in steps, one operator each: begin, then step while *more. */
tq_status tqi_exec_begin(tqi_exec *exec, const tqi_value *inputs, uint32_t n_inputs,
                         tq_error *error);
tq_status tqi_exec_step(tqi_exec *exec, tqi_observe observe, void *opaque, bool *more,
                        tq_error *error);

/* Brings another executor of the same subgraph to where this one is in its run. */
tq_status tqi_exec_fork(tqi_exec *exec, const tqi_exec *from, tq_error *error);
/* An operator's input that is another than the graph's. */
typedef struct tqi_change {
    uint32_t op, input;
    const tqi_value *value; /* instead of a constant; NULL: the operator runs as a runtime runs one
                               with int8 weights, and `input` says nothing */
} tqi_change;

/* Runs again what `changes` make different in a run that was retained. Tensors that are watched,
 * and graph outputs, then have values in tqi_exec_varied(), until the next run. */
tq_status tqi_exec_vary(tqi_exec *exec, const tqi_change *changes, uint32_t n_changes,
                        tq_error *error);
tq_status tqi_exec_watch(tqi_exec *exec, uint32_t tensor, tq_error *error);
/* Another executor that varies the run which this one has retained, at the same time in another
 * thread: for tqi_exec_vary() and tqi_exec_varied() alone, in one thread, and not while this one
 * runs. Where it allows that: its constants are all loaded, and something is watched. */
tq_status tqi_exec_open_view(tqi_exec **view, const tqi_exec *exec, tq_error *error);
bool tqi_exec_allows_views(const tqi_exec *exec);
/* Ends what tqi_exec_varied() shows. */
void tqi_exec_drop_variation(tqi_exec *exec);
/* Operators that ran in all calls of tqi_exec_vary(). */
uint64_t tqi_exec_count_varied(const tqi_exec *exec);
/* NULL: nothing that it depends on was changed. */
const tqi_value *tqi_exec_varied(const tqi_exec *exec, uint32_t tensor);
/* In the run itself; data NULL: not computed, or not kept. Its numbers may be changed while the run
 * goes on in steps. */
const tqi_value *tqi_exec_value(const tqi_exec *exec, uint32_t tensor);

/* A graph output, until the next run; data NULL: it was not computed. */
const tqi_value *tqi_exec_output(const tqi_exec *exec, uint32_t output);
/* What the last run took, in the budget's unit. */
uint64_t tqi_exec_work(const tqi_exec *exec);
/* By operator: a tqi_op_state. */
const uint8_t *tqi_exec_states(const tqi_exec *exec);
/* Why the first refused operator was, with its index; status TQ_OK: there was none. */
const tq_error *tqi_exec_refusal(const tqi_exec *exec);

#endif
