/* SPDX-License-Identifier: Apache-2.0 */
/* DISPATCH_OP, the custom operator of models compiled for an accelerator: its options are a
 * flexbuffer map with the place of its byte code, counted from the start of the file,
 * so the place must be followed when the byte code moves. */
#ifndef TQI_TFLITE_DISPATCH_H
#define TQI_TFLITE_DISPATCH_H

#include "tflite/graph.h"

typedef struct tqi_dispatch {
    tqi_vector options;    /* the custom options */
    uint32_t offset_at;    /* where in them bytecode_offset is, */
    uint32_t offset_size;  /* and how many bytes it has */
    uint64_t offset, size; /* of the byte code */
} tqi_dispatch;

/* false: not such an operator, or it has no byte code behind the flatbuffer. */
bool tqi_dispatch_find(const tqi_graph *graph, const tqi_operator *op, tqi_dispatch *dispatch);

#endif
