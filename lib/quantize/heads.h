/* SPDX-License-Identifier: Apache-2.0 */
/* Heads are the layers that no other layer comes behind. What all changes together do to their
 * outputs on average, beyond what each layer's own correction takes back, their biases can take
 * back too: nothing is behind them that it could upset. */
#ifndef TQI_QUANTIZE_HEADS_H
#define TQI_QUANTIZE_HEADS_H

#include "execute/execute.h"
#include "kernels/kernels.h"
#include "tflite/uses.h"

typedef struct tqi_head {
    uint32_t op, input; /* of its bias */
    uint32_t tensor;    /* its output */
    int32_t storage;    /* of its bias */
    uint32_t channels;
    double *sum, *squares; /* of the mean error by sample of the open set, by channel */
    double *correction;    /* that all sets agree on */
} tqi_head;

typedef struct tqi_heads {
    tqi_head *list;
    uint32_t n;
    uint32_t samples; /* of the open set */
    uint32_t sets;
} tqi_heads;

/* CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED with a constant bias and no activation. */
tq_status tqi_heads_find(tqi_heads *heads, const tqi_graph *graph, uint32_t subgraph,
                         const tqi_uses *uses, tqi_arena *arena, tq_error *error);
/* After tqi_exec_vary() with all changes, their outputs being watched. */
void tqi_heads_observe(tqi_heads *heads, const tqi_exec *exec);
/* Ends a set of samples, with inputs in another range than the others'. What is then in
 * `correction` is to be added to the bias: less than the mean error where samples disagree, and
 * nothing where sets do. */
void tqi_heads_end_set(tqi_heads *heads);

#endif
