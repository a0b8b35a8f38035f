/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of a few layers, added one after the other to an mb_model. */
#ifndef SMALL_LAYERS_H
#define SMALL_LAYERS_H

#include "small_run.h"

enum { OP_SOFTMAX = 25, OP_CAST = 53, OP_RESHAPE = 22, OP_SLICE = 65, OPTIONS_SOFTMAX = 9 };
enum { NO_ACTIVATION, RELU };

/* A convolution (3x3 or whatever the filter is, padding SAME, stride 1) or FULLY_CONNECTED. */
typedef struct small_layer {
    int32_t builtin;
    int32_t x; /* tensor */
    mb_list filter;
    const void *weights;
    const float *scales; /* one for each channel: the weights are int8 */
    const float *bias;   /* NULL: none */
    uint8_t activation;
    int32_t weights_tensor; /* not 0: these weights, which are there already */
} small_layer;

/* The graph's input, tensor 0. */
mb_model small_graph(mb_list input);
/* The layer's output; weights and bias are the tensors before it. */
int32_t small_add_layer(mb_model *model, const small_layer *layer);
/* An operator without options; its output of `type` and `shape`. */
int32_t small_add_op(mb_model *model, int32_t builtin, mb_list inputs, int32_t type, mb_list shape);
int32_t small_add_constant(mb_model *model, const void *data, int32_t type, mb_list shape);
uint32_t small_opcode(mb_model *model, int32_t builtin);

#endif
