/* SPDX-License-Identifier: Apache-2.0 */
/* A model as arrays of records that borrow from the verified file. A graph as loaded is never
 * changed; edits (edit.h) are made to a clone, whose records then differ from their
 * source tables, and the writer merges both. */
#ifndef TQI_TFLITE_GRAPH_H
#define TQI_TFLITE_GRAPH_H

#include <stdbool.h>

#include "flatbuffer/view.h"
#include "tflite/content.h"
#include "tflite/schema.h"

/* Quantization that replaces a tensor's own; zero points are 0. */
typedef struct tqi_quantization {
    uint32_t count; /* scales */
    int32_t dim;
    const float *scale; /* filled in when the tensor's content is made */
    uint32_t block;     /* or 0: elements with one scale, in order */
    int32_t scales;     /* of blocks: a tensor; `scale` is NULL */
} tqi_quantization;

typedef struct tqi_tensor {
    uint32_t source; /* position of its table; 0: a new tensor */
    uint32_t buffer;
    const char *name; /* never NULL */
    const int32_t *shape, *signature;
    uint32_t rank, signature_rank;
    int32_t type;
    uint32_t sparsity; /* position of the table, or 0 */
    uint32_t old_quantization;
    tqi_quantization *quantization; /* replaces the old one */
    bool is_variable, is_external;
    bool edited, removed;
} tqi_tensor;

typedef struct tqi_operator {
    uint32_t source;
    uint32_t opcode;
    int32_t *inputs, *outputs, *intermediates; /* -1: left out */
    uint32_t n_inputs, n_outputs, n_intermediates;
    uint32_t before; /* a new operator runs before this one */
    uint32_t origin; /* in a clone: index in what was cloned; new: of the operator it stands for */
    uint8_t options_type; /* of a new operator: member of BuiltinOptions, with defaults but for */
    const int32_t *new_shape; /* that of RESHAPE */
    uint32_t n_new_shape;
    bool removed;
} tqi_operator;

typedef struct tqi_subgraph {
    uint32_t source;
    const char *name;
    tqi_tensor *tensors;
    tqi_operator *operators;
    int32_t *inputs, *outputs;
    uint32_t n_tensors, n_operators, n_inputs, n_outputs;
    uint32_t tensor_capacity, operator_capacity;
    uint32_t n_old;      /* in a clone: operators that were there before */
    int32_t *renumbered; /* by index in the source: index now, -1 if removed; NULL: as it was */
} tqi_subgraph;

typedef struct tqi_opcode {
    uint32_t source;
    int32_t builtin;
    int32_t version;
    const char *custom; /* never NULL */
    bool edited;
} tqi_opcode;

typedef struct tqi_buffer {
    tqi_content content;
    bool was_outside;  /* in the source: behind the flatbuffer */
    bool has_data;     /* the table has a data vector, if only an empty one */
    bool unreferenced; /* in the source: by no tensor and no metadata */
} tqi_buffer;

typedef struct tqi_metadata {
    uint32_t source;
    const char *name;
    uint32_t buffer;
} tqi_metadata;

typedef struct tqi_signature {
    uint32_t source;
    const char *key;
    uint32_t subgraph, n_inputs, n_outputs;
} tqi_signature;

/* A range behind the flatbuffer that no table refers to. */
typedef struct tqi_tail {
    uint64_t offset, size;
    bool is_zip;               /* associated files, or bytes that look like that */
    const struct tqi_zip *zip; /* NULL: they can only be kept as they are */
} tqi_tail;

typedef struct tqi_graph {
    tqi_view view;
    const tqi_source *source;
    tqi_arena *arena;
    uint32_t root; /* position of the Model table */
    uint32_t schema_version;
    const char *description;
    tqi_opcode *opcodes;
    tqi_subgraph *subgraphs;
    tqi_buffer *buffers;
    tqi_metadata *metadata;
    tqi_signature *signatures;
    tqi_tail *tails;
    int32_t *legacy_metadata; /* metadata_buffer, renumbered; NULL: as in the source */
    uint32_t n_legacy_metadata;
    uint32_t n_opcodes, n_subgraphs, n_buffers, n_metadata, n_signatures, n_tails;
    uint32_t opcode_capacity, buffer_capacity;
    bool keep_buffer_numbers; /* something that is not understood may hold some */
    bool edited;              /* no longer a faithful copy: the writer may choose the form */
} tqi_graph;

/* Verifies the source and builds the graph in `arena`; both must outlive it. */
tq_status tqi_graph_load(tqi_graph *graph, tqi_source *source, tqi_arena *arena, tq_error *error);

/* The int32 elements of a vector of the file, as an array. */
tq_status tqi_borrow_i32(const tqi_view *view, tqi_vector vector, tqi_arena *arena,
                         const int32_t **array, tq_error *error);

/* Product of the shape; false if a dimension is negative or it does not fit. */
bool tqi_tensor_elements(const tqi_tensor *tensor, uint64_t *elements);
/* Bytes that `elements` of this type take; false if the type has no fixed size. */
bool tqi_type_bytes(int32_t type, uint64_t elements, uint64_t *bytes);

/* QuantizationDetails; these two are read and written. */
enum { TQI_DETAILS_CUSTOM = 1, TQI_DETAILS_BLOCKWISE = 2 };

/* Blockwise and multi-axis quantization names the tensors of its scales and zero points by index:
 * named[0] and named[1], or -1. */
void tqi_details_tensors(const tqi_view *view, const tqi_subgraph *subgraph,
                         const tqi_tensor *tensor, int32_t named[2]);

/* A tensor by its index in the source: its index now, or -1. */
static inline int32_t tqi_index_now(const tqi_subgraph *subgraph, int32_t index) {
    return index >= 0 && subgraph->renumbered ? subgraph->renumbered[index] : index;
}

static inline const tqi_content *tqi_tensor_content(const tqi_graph *graph,
                                                    const tqi_tensor *tensor) {
    return &graph->buffers[tensor->buffer].content;
}

/* Its values are in the file. */
static inline bool tqi_is_constant(const tqi_graph *graph, const tqi_tensor *tensor) {
    return !tensor->is_variable && !tensor->is_external &&
           tqi_tensor_content(graph, tensor)->size > 0;
}

/* Callers choose the dimension's size. */
static inline bool tqi_is_open(const tqi_tensor *tensor, uint32_t dim) {
    return (tensor->signature_rank == tensor->rank && tensor->signature[dim] < 0) ||
           tensor->shape[dim] < 0;
}

/* By its signature alone. */
static inline bool tqi_has_open_signature(const tqi_tensor *tensor) {
    for (uint32_t d = 0; d < tensor->signature_rank; d++)
        if (tensor->signature[d] < 0)
            return true;
    return false;
}

static inline int32_t tqi_builtin(const tqi_graph *graph, const tqi_operator *op) {
    return graph->opcodes[op->opcode].builtin;
}

/* Custom options behind the flatbuffer. */
static inline bool tqi_has_large_options(const tqi_graph *graph, const tqi_operator *op) {
    return op->source &&
           tqi_get_u64(&graph->view, op->source, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_OFFSET, 0) > 1 &&
           tqi_get_u64(&graph->view, op->source, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_SIZE, 0) > 0;
}

/* Options table of an operator of the source, or 0. */
static inline uint32_t tqi_options(const tqi_graph *graph, const tqi_operator *op) {
    return op->source ? tqi_get_table(&graph->view, op->source, TQI_OPERATOR_BUILTIN_OPTIONS) : 0;
}

#endif
