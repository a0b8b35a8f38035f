/* SPDX-License-Identifier: Apache-2.0 */
/* How an operator is run: a function per operator, in a file per family, listed in operators.c. A
 * function checks what it needs of its inputs, makes its outputs and fills them; what it can't
 * do it refuses with TQ_ERR_UNSUPPORTED. The same sums in the same order on any machine. */
#ifndef TQI_EXECUTE_OPERATORS_H
#define TQI_EXECUTE_OPERATORS_H

#include "base/error.h"
#include "execute/value.h"
#include "kernels/kernels.h"

/* What a run may take, so that no damaged model keeps it busy for hours. */
typedef struct tqi_budget {
    uint64_t elements; /* of a value */
    uint64_t work;     /* multiply-adds, or what takes about as long; in a call: what is left */
    uint32_t depth;    /* composites that may lie in one another */
} tqi_budget;

/* More than any model asks for that a calibration can be waited for: a gigabyte of float32, and
 * about 20 times what ConvNeXt XXL does. */
extern const tqi_budget tqi_default_budget;

typedef struct tqi_call {
    const tqi_graph *graph;
    const tqi_subgraph *subgraph;
    const tqi_operator *op;
    int32_t builtin;
    uint32_t options;               /* table of its options in graph->view; 0: defaults */
    const tqi_value *const *inputs; /* NULL: an optional one that is left out */
    uint32_t n_inputs, n_outputs;
    tqi_value *outputs;
    const tqi_kernels *kernels;
    tqi_heap *heap; /* of outputs and scratch */
    const struct tqi_gemm *gemm;
    uint32_t cpu_flags;      /* that made it */
    const tq_runner *runner; /* NULL: all in this thread */
    tqi_budget *budget;      /* NULL: no bounds */
} tqi_call;

typedef tq_status tqi_run_operator(const tqi_call *call, tq_error *error);

/* NULL: it can't be run. */
tqi_run_operator *tqi_find_operator(int32_t builtin);
/* Of the file, by its name where it is a custom one. */
bool tqi_is_covered(const tqi_graph *graph, const tqi_operator *op);

/* ---- for the functions ---- */

/* Fills the error with the operator's name and index. */
tq_status tqi_call_refuse(const tqi_call *call, tq_error *error, const char *why);
/* The input, there and of this type; refuses otherwise. */
tq_status tqi_call_input(const tqi_call *call, uint32_t index, int32_t type,
                         const tqi_value **value, tq_error *error);
/* Allocates the output's data; checked against overflow and the heap's limit. */
tq_status tqi_call_output(const tqi_call *call, uint32_t index, int32_t type, uint32_t rank,
                          const int32_t *shape, tqi_value **value, tq_error *error);
/* Takes the product of the three from the budget; refuses if it has not so much left. */
tq_status tqi_call_work(const tqi_call *call, uint64_t a, uint64_t b, uint64_t c, tq_error *error);
/* Clips `n` values by a fused activation function (ActivationFunctionType of the schema: NONE 0,
 * RELU 1, RELU_N1_TO_1 2, RELU6 3, TANH 4); false: unknown. */
bool tqi_activate(float *values, uint64_t n, int32_t activation);

/* The functions of convolution.c, depthwise.c, transpose_conv.c and matrix.c; families.h has the
 * others. */
extern tqi_run_operator tqi_run_conv_2d, tqi_run_depthwise_conv_2d, tqi_run_transpose_conv,
    tqi_run_fully_connected, tqi_run_batch_matmul;

#endif
