/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of small generated models through the executor. */
#ifndef SMALL_RUN_H
#define SMALL_RUN_H

#include "model_builder.h"

#include "execute/execute.h"

/* BuiltinOperator and the member of BuiltinOptions with its options. */
enum {
    OP_ADD = 0,
    OP_CONV_2D = 3,
    OP_DEPTHWISE_CONV_2D = 4,
    OP_DEQUANTIZE = 6,
    OP_FULLY_CONNECTED = 9,
    OP_RELU = 19,
    OP_CUSTOM = 32,
    OP_TRANSPOSE_CONV = 67,
    OP_DENSIFY = 124,
    OP_BATCH_MATMUL = 126,
    OPTIONS_CONV_2D = 1,
    OPTIONS_DEPTHWISE = 2,
    OPTIONS_FULLY_CONNECTED = 8,
    OPTIONS_TRANSPOSE_CONV = 49,
    OPTIONS_BATCH_MATMUL = 101,
};
enum { SAME, VALID };

/* A loaded model and its executor. */
typedef struct small_run {
    bytes file;
    tqi_heap heap;
    tqi_source source;
    tqi_arena arena;
    tqi_graph graph;
    tqi_kernels kernels;
    tqi_exec_options options; /* may be changed before small_open() */
    tqi_exec *exec;
} small_run;

/* `allocator` NULL: malloc and free. Sets the options; small_open() makes the executor. */
void small_load(small_run *run, mb_model *model, const tq_allocator *allocator, uint64_t limit);
tq_status small_open(small_run *run, tq_error *error);
void small_close(small_run *run);

/* A value of float32 over `data`. */
tqi_value small_value(mb_list shape, float *data);
/* Values from -1 to 1 that depend on the seed alone. */
void small_fill(float *data, size_t n, uint32_t seed);
size_t small_elements(mb_list shape);

/* A model of one operator: tensor 0 and the last one are input and output (the output's shape
 * is not looked at), those between constants of float32. `data` are buffers of these. */
typedef struct one_op {
    int32_t builtin;
    uint8_t options_type, options[MB_OPTIONS];
    mb_list input;
    uint32_t n_constants;
    mb_list shapes[3];
    const float *data[3];
    mb_list order; /* of the operator's inputs, by tensor; empty: 0, 1, ... */
} one_op;
mb_model small_one_op(const one_op *op);

/* Runs it on all levels of this machine and with a runner, which must give the same bits, and
 * returns the output with its shape: static, until the next call. The executor's refusal: data
 * NULL. */
tqi_value small_run_all(const one_op *op, float *input);

/* How often the runner had something to do. */
extern uint32_t small_shared;

/* The largest difference, divided by the largest magnitude of `want`. */
double small_difference(const float *got, const double *want, size_t n);

#endif
