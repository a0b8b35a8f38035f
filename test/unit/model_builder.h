/* SPDX-License-Identifier: Apache-2.0 */
/* Small models, described by a struct and written as a .tflite. Zero means "left out", so that
 * a description says only what it is about. */
#ifndef MODEL_BUILDER_H
#define MODEL_BUILDER_H

#include "unit.h"

enum { MB_TENSORS = 24, MB_OPS = 12, MB_LIST = 6, MB_OPTIONS = 8 };

typedef struct mb_list {
    uint32_t count;
    int32_t at[MB_LIST];
} mb_list;

typedef struct mb_buffer {
    const void *data; /* NULL with a size: zeros */
    uint32_t size;
    bool outside; /* behind the flatbuffer */
} mb_buffer;

/* One level of a sparse tensor; index arrays have elements of `width` bytes. */
typedef struct mb_level {
    int32_t dense; /* size; 0: the level is sparse */
    uint32_t width, n_segments, n_indices;
    const void *segments, *indices;
} mb_level;

typedef struct mb_sparsity {
    uint32_t n_levels, n_blocks;
    int32_t order[MB_LIST], blocks[MB_LIST];
    mb_level levels[MB_LIST];
} mb_sparsity;

typedef struct mb_tensor {
    const char *name;
    uint32_t buffer;
    int32_t type;
    mb_list shape;
    bool variable;
    uint32_t n_scales;
    const float *scales;
    bool blockwise; /* details name a tensor of scales */
    int32_t block_scales;
    const mb_sparsity *sparsity;
} mb_tensor;

typedef struct mb_op {
    uint32_t opcode;
    mb_list inputs, outputs, intermediates;
    uint8_t options_type;          /* member of the union BuiltinOptions */
    uint8_t options[MB_OPTIONS];   /* its fields, small scalars */
    uint8_t options_2_type;        /* member of BuiltinOptions2 */
    int32_t options_2[MB_OPTIONS]; /* scalar fields only */
    const void *custom;
    uint32_t custom_size;
    bool custom_outside; /* large_custom_options_offset */
} mb_op;

typedef struct mb_opcode {
    int32_t builtin, version;
    const char *custom;
    bool legacy; /* only deprecated_builtin_code */
} mb_opcode;

typedef struct mb_subgraph {
    const char *name;
    uint32_t n_tensors, n_ops;
    mb_tensor tensors[MB_TENSORS];
    mb_op ops[MB_OPS];
    mb_list inputs, outputs;
} mb_subgraph;

typedef struct mb_signature {
    const char *key;
    uint32_t subgraph;
    mb_list inputs, outputs; /* tensors, under their own names */
} mb_signature;

typedef struct mb_metadata {
    const char *name;
    uint32_t buffer;
} mb_metadata;

typedef struct mb_model {
    const char *description;
    uint32_t n_opcodes, n_subgraphs, n_buffers, n_metadata, n_signatures;
    mb_opcode opcodes[8];
    mb_subgraph subgraphs[3];
    mb_buffer buffers[16]; /* [0] is the empty one */
    mb_metadata metadata[4];
    mb_list legacy_metadata;
    mb_signature signatures[2];
    bool packed;      /* buffers anywhere, not at multiples of 16 */
    const void *tail; /* behind everything */
    uint32_t tail_size, tail_align;
    size_t tail_at; /* set by mb_build() */
} mb_model;

/* Free the data by free(). */
bytes mb_build(mb_model *model);

uint32_t mb_add_buffer(mb_model *model, const void *data, size_t size);
int32_t mb_add_tensor(mb_subgraph *subgraph, mb_tensor tensor);
mb_op *mb_add_op(mb_subgraph *subgraph, mb_op op);

/* FULLY_CONNECTED of [1, columns] with [rows, columns], no bias: input "x", "weight", "y". `data`
 * are its weights. Tensors 0, 1, 2; buffer 1. */
void mb_fully_connected(mb_model *model, const float *data, int32_t rows, int32_t columns);

/* A flexbuffer map {bytecode_offset, bytecode_size, name} as DISPATCH_OP has it; returns its
 * size. */
uint32_t mb_dispatch_options(uint8_t out[96], uint64_t offset, uint64_t size);

#endif
