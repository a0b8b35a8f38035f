/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at what the library wrote, through its own verifier and graph. */
#ifndef GRAPH_READER_H
#define GRAPH_READER_H

#include "unit.h"

#include "tflite/graph.h"

typedef struct reader {
    tqi_heap heap;
    tqi_source source;
    tqi_arena arena;
    tqi_graph graph;
} reader;

/* Fails the test if the model does not load. The bytes must live as long as the reader. */
void reader_open(reader *r, bytes model);
void reader_close(reader *r);

/* Index of the tensor with this name; -1: there is none. */
int32_t reader_find(const reader *r, uint32_t subgraph, const char *name);
/* One that must be there. */
const tqi_tensor *reader_tensor(const reader *r, uint32_t subgraph, const char *name);
/* Its constant data, in place. */
bytes reader_data(const reader *r, const tqi_tensor *tensor);
/* Scales as the file has them. */
const uint8_t *reader_scales(const reader *r, const tqi_tensor *tensor, uint32_t *count);
int32_t reader_builtin(const reader *r, uint32_t subgraph, uint32_t op);

#endif
