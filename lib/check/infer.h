/* SPDX-License-Identifier: Apache-2.0 */
/* What the families of operators share to find the shapes of their outputs. */
#ifndef TQI_CHECK_INFER_H
#define TQI_CHECK_INFER_H

#include "base/error.h"
#include "check/shapes.h"

typedef enum tqi_fit {
    TQI_FITS,
    TQI_FIT_UNKNOWN, /* a shape or value that it depends on is not known */
    TQI_FIT_LATE,    /* it depends on values that only a run has */
    TQI_FIT_NONE,    /* the kernel refuses it; `why` says so */
} tqi_fit;

/* All subgraphs. */
typedef struct tqi_inference {
    const tqi_graph *graph;
    tqi_arena *arena;
    tqi_shapes *shapes; /* by subgraph; `list` NULL: not looked at yet */
    uint32_t depth;     /* composites within each other */
} tqi_inference;

typedef struct tqi_infer {
    tqi_inference *whole;
    const tqi_graph *graph;
    const tqi_subgraph *subgraph;
    const tqi_operator *op;
    int32_t builtin;
    tqi_shape *shapes;
    tqi_arena *arena;
    tq_status status; /* not TQ_OK: memory is out */
    tq_error *error;
    bool is_runtimes;
    char why[160], what[2 * TQI_SHAPE_TEXT + 48];
} tqi_infer;

typedef tqi_fit tqi_infer_operator(tqi_infer *infer);

/* Members of the union BuiltinOptions. */
enum {
    TQI_INFER_CONV_2D = 1,
    TQI_INFER_DEPTHWISE_CONV_2D = 2,
    TQI_INFER_POOL_2D = 5,
    TQI_INFER_FULLY_CONNECTED = 8,
    TQI_INFER_CONCATENATION = 10,
    TQI_INFER_RESIZE_BILINEAR = 15,
    TQI_INFER_RESHAPE = 17,
    TQI_INFER_SPACE_TO_DEPTH = 19,
    TQI_INFER_GATHER = 23,
    TQI_INFER_REDUCER = 27,
    TQI_INFER_SQUEEZE = 30,
    TQI_INFER_STRIDED_SLICE = 32,
    TQI_INFER_SPLIT = 35,
    TQI_INFER_ARG_MAX = 40,
    TQI_INFER_TRANSPOSE_CONV = 49,
    TQI_INFER_SHAPE = 55,
    TQI_INFER_ARG_MIN = 57,
    TQI_INFER_PACK = 59,
    TQI_INFER_ONE_HOT = 61,
    TQI_INFER_UNPACK = 64,
    TQI_INFER_MIRROR_PAD = 77,
    TQI_INFER_SPLIT_V = 79,
    TQI_INFER_DEPTH_TO_SPACE = 94,
    TQI_INFER_BATCH_MATMUL = 101,
};

/* Position of the options, 0 if the operator has none of this kind. */
uint32_t tqi_infer_options(const tqi_infer *infer, int8_t member);
int32_t tqi_infer_i32(const tqi_infer *infer, uint32_t options, uint32_t field, int32_t otherwise);
int32_t tqi_infer_i8(const tqi_infer *infer, uint32_t options, uint32_t field, int32_t otherwise);

/* An input; of one that is left out nothing is known. */
const tqi_shape *tqi_infer_input(const tqi_infer *infer, uint32_t index);
bool tqi_infer_has(const tqi_infer *infer, uint32_t index);
/* The values of an input: at most TQI_SHAPE_VALUES. */
tqi_fit tqi_infer_values(const tqi_infer *infer, uint32_t index, const int64_t **values,
                         uint32_t *count);
/* A dimension of `rank` that an axis may count from the end; false: there is none. */
bool tqi_infer_axis(int64_t axis, uint32_t rank, uint32_t *dim);

/* Gives output `index` its shape; refuses dimensions that the runtime can't allocate. */
tqi_fit tqi_infer_output(tqi_infer *infer, uint32_t index, uint32_t rank, const int64_t *dims);
tqi_fit tqi_infer_same(tqi_infer *infer, uint32_t index, const tqi_shape *shape);
void tqi_infer_type(tqi_infer *infer, uint32_t index, int32_t type);
/* The output can be had when the model is loaded; `values` may be NULL. */
void tqi_infer_fix(tqi_infer *infer, const int64_t *values, uint32_t count);

/* The kernel refuses: in words of our own, or (tqi_infer_quotes) in its own. */
tqi_fit tqi_infer_refuses(tqi_infer *infer, const char *format, ...) TQI_PRINTF(2, 3);
tqi_fit tqi_infer_quotes(tqi_infer *infer, const char *format, ...) TQI_PRINTF(2, 3);
/* The shapes that it is about, for the report: "A to B". */
void tqi_infer_show(tqi_infer *infer, const tqi_shape *a, const char *between, const tqi_shape *b);

bool tqi_shapes_equal(const tqi_shape *a, const tqi_shape *b);

/* ---- one function a kind of operator ---- */

tqi_infer_operator tqi_infer_unary, tqi_infer_unary_any, tqi_infer_binary, tqi_infer_compare,
    tqi_infer_alike, tqi_infer_select, tqi_infer_select_v2, tqi_infer_prelu;
tqi_infer_operator tqi_infer_reshape, tqi_infer_broadcast_to, tqi_infer_tile, tqi_infer_squeeze,
    tqi_infer_expand_dims, tqi_infer_transpose, tqi_infer_depth_to_space, tqi_infer_space_to_depth;
tqi_infer_operator tqi_infer_concatenation, tqi_infer_pack, tqi_infer_unpack, tqi_infer_split,
    tqi_infer_split_v;
tqi_infer_operator tqi_infer_pad, tqi_infer_mirror_pad, tqi_infer_slice, tqi_infer_strided_slice,
    tqi_infer_gather, tqi_infer_gather_nd, tqi_infer_scatter_nd, tqi_infer_update_slice;
tqi_infer_operator tqi_infer_conv_2d, tqi_infer_depthwise, tqi_infer_transpose_conv, tqi_infer_pool,
    tqi_infer_resize;
tqi_infer_operator tqi_infer_space_to_batch, tqi_infer_batch_to_space, tqi_infer_reverse,
    tqi_infer_where, tqi_infer_one_hot, tqi_infer_range;
tqi_infer_operator tqi_infer_fully_connected, tqi_infer_batch_matmul, tqi_infer_embedding;
tqi_infer_operator tqi_infer_reduce, tqi_infer_arg, tqi_infer_topk, tqi_infer_shape, tqi_infer_rank,
    tqi_infer_fill;

#endif
