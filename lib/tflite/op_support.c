/* SPDX-License-Identifier: Apache-2.0 */
/* What each target takes of each builtin operator: a line an operator, in the order of their
 * numbers. A new operator, or a new version of one, is one line here and one in op_releases.c.
 *
 * Read on 2026-11-21 from: LiteRT f6745779 (2026-08-21): what its resolver registers, its XNNPACK,
 * NNAPI and GPU delegates (the classic one, and ML Drift); tried on its release 2.3.0 where a CPU
 * can show it. tflite-micro 90b983c2 (2026-08-20): what its resolver can be given. */
#include "tflite/op_support.h"

#include <stddef.h>

#include "tflite/builtins.h"
#include "tfquant/tfquant.h"

enum {
    XF = TQI_XNNPACK_FLOAT,
    XQ = TQI_XNNPACK_INT8,
    XH = TQI_XNNPACK_HYBRID,
    MC = TQI_MICRO,
    I8 = TQI_INT8,
    RW = TQI_INT8_RAW,
    NN = TQI_INT8_NONE_NEEDED,
    SR = TQI_SAME_REFUSED,
    SW = TQI_SAME_SILENT,
    SX = TQI_SAME_XNNPACK,
    ANY = TQI_ANY_VERSION,
};
#define OP(name, newest, classic, drift, nnapi, flags)                                             \
    { TQI_BUILTIN_##name, newest, classic, drift, nnapi, flags }

/* Greatest versions: that LiteRT registers, of the classic GPU delegate, ML Drift, NNAPI; 0: none.
 */
static const tqi_op_support table[] = {
    /* clang-format off */
    OP(ADD, 6, 2, 6, 2, XF | XQ | MC | I8),
    OP(AVERAGE_POOL_2D, 3, 2, 2, 2, XF | MC | I8 | SW),
    OP(CONCATENATION, 7, 2, 6, 2, XF | XQ | MC | I8 | SR | SX),
    OP(CONV_2D, 8, 6, 6, 5, XF | XQ | XH | MC | I8),
    OP(DEPTHWISE_CONV_2D, 7, 6, 6, 3, XF | XQ | MC | I8),
    OP(DEPTH_TO_SPACE, 2, ANY, ANY, ANY, XF | XQ | MC | I8 | SW | SX),
    OP(DEQUANTIZE, 9, 3, 3, 2, XF | XQ | MC | I8),
    OP(EMBEDDING_LOOKUP, 5, 0, ANY, 1, MC | I8 | SW),
    OP(FLOOR, 1, 2, 2, 1, XF | MC),
    OP(FULLY_CONNECTED, 14, 9, 14, 5, XF | XQ | XH | MC | I8),
    OP(HASHTABLE_LOOKUP, 1, 0, 0, 1, 0),
    OP(L2_NORMALIZATION, 2, 0, 0, 2, MC | I8),
    OP(L2_POOL_2D, 1, 0, 0, 1, MC),
    OP(LOCAL_RESPONSE_NORMALIZATION, 1, 0, 0, 1, 0),
    OP(LOGISTIC, 3, 2, 2, 2, XF | XQ | MC | I8),
    OP(LSH_PROJECTION, 1, 0, 0, 1, NN),
    OP(LSTM, 4, 4, 4, 3, I8),
    OP(MAX_POOL_2D, 3, 2, 2, 2, XF | XQ | MC | I8 | SW | SX),
    OP(MUL, 8, 3, 8, 3, XF | XQ | MC | I8),
    OP(RELU, 3, 2, 2, 2, XF | MC | I8),
    OP(RELU_N1_TO_1, 1, 2, 2, 2, XF | I8),
    OP(RELU6, 3, 2, 2, 2, XF | MC | I8),
    OP(RESHAPE, 1, 1, 1, 1, XF | XQ | MC | I8 | SW),
    OP(RESIZE_BILINEAR, 4, 3, 3, 3, XF | XQ | MC | I8 | SW | SX),
    OP(RNN, 3, 0, 0, 1, 0),
    OP(SOFTMAX, 4, 2, 4, 2, XF | MC | I8),
    OP(SPACE_TO_DEPTH, 2, 2, 2, 2, XF | XQ | MC | I8 | SW | SX),
    OP(SVDF, 4, 0, 0, 1, MC | I8),
    OP(TANH, 3, 2, 2, 2, XF | XQ | MC | I8),
    OP(SKIP_GRAM, 1, 0, 0, 0, NN),
    OP(EMBEDDING_LOOKUP_SPARSE, 1, 0, 0, 0, 0),
    OP(PAD, 6, 2, 5, 2, XF | XQ | MC | I8 | SW | SX),
    OP(UNIDIRECTIONAL_SEQUENCE_RNN, 3, 0, 0, 1, 0),
    OP(GATHER, 8, 1, ANY, 2, MC | I8 | SW),
    OP(BATCH_TO_SPACE_ND, 4, 0, 0, 2, MC | I8 | SR),
    OP(SPACE_TO_BATCH_ND, 4, 0, 0, 2, MC | I8 | SR),
    OP(TRANSPOSE, 9, 4, 9, 2, XF | XQ | MC | I8 | SW | SX),
    OP(MEAN, 3, ANY, ANY, 2, XF | XQ | MC | I8),
    OP(SUB, 5, 2, 2, 3, XF | XQ | MC | I8),
    OP(DIV, 2, 2, 2, 1, XF | MC | RW),
    OP(SQUEEZE, 2, 0, 0, 1, MC | I8 | SW),
    OP(UNIDIRECTIONAL_SEQUENCE_LSTM, 4, 0, 0, 2, MC | I8),
    OP(STRIDED_SLICE, 8, 4, 2, 2, XF | XQ | MC | I8 | SW | SX),
    OP(BIDIRECTIONAL_SEQUENCE_RNN, 3, 0, 0, 0, 0),
    OP(EXP, 2, 2, 2, 1, XF | MC | I8),
    OP(TOPK_V2, 3, 0, 1, 2, I8 | SW),
    OP(SPLIT, 5, ANY, ANY, 3, XF | XQ | MC | I8 | SW | SX),
    OP(LOG_SOFTMAX, 2, 0, 0, 1, MC | I8),
    OP(BIDIRECTIONAL_SEQUENCE_LSTM, 3, 0, 0, 1, 0),
    OP(CAST, 9, ANY, ANY, 1, MC | RW),
    OP(PRELU, 1, 1, 1, 1, XF | MC | I8),
    OP(MAXIMUM, 4, 2, 4, 3, XF | MC | I8 | SW),
    OP(ARG_MAX, 3, 0, ANY, 2, MC | I8),
    OP(MINIMUM, 4, 2, 4, 3, XF | MC | I8 | SW),
    OP(LESS, 3, 2, 2, 2, MC | I8),
    OP(NEG, 1, 2, 2, 2, XF | MC | RW | SW),
    OP(PADV2, 6, 2, 5, 2, MC | I8 | SR),
    OP(GREATER, 2, 2, 2, 2, MC | I8),
    OP(GREATER_EQUAL, 3, 2, 2, 2, MC | I8),
    OP(LESS_EQUAL, 2, 2, 2, 2, MC | I8),
    OP(SELECT, 4, 1, 1, 2, I8 | SW),
    OP(SLICE, 8, 2, 8, 2, XF | XQ | MC | I8 | SW | SX),
    OP(SIN, 2, 2, 2, 1, XF | MC),
    OP(TRANSPOSE_CONV, 5, 3, 3, 4, XF | XQ | XH | MC | I8),
    OP(SPARSE_TO_DENSE, 3, 0, 0, 0, I8 | SW),
    OP(TILE, 3, ANY, ANY, 1, I8 | SW),
    OP(EXPAND_DIMS, 1, 0, 0, 1, MC | I8 | SR),
    OP(EQUAL, 5, 2, 2, 2, MC | I8),
    OP(NOT_EQUAL, 4, 2, 2, 2, MC | I8),
    OP(LOG, 2, 2, 2, 1, XF | MC | I8),
    OP(SUM, 2, ANY, ANY, 1, XF | XQ | MC | I8),
    OP(SQRT, 2, 2, 2, 1, XF | MC | I8),
    OP(RSQRT, 3, 2, 2, 2, XF | MC | I8),
    OP(SHAPE, 1, 0, 0, 0, MC | I8),
    OP(POW, 1, 2, 2, 1, 0),
    OP(ARG_MIN, 3, 0, 0, 2, MC | I8),
    OP(FAKE_QUANT, 2, 0, 0, 0, RW),
    OP(REDUCE_PROD, 2, ANY, ANY, 1, I8),
    OP(REDUCE_MAX, 3, ANY, ANY, 2, XF | XQ | MC | I8 | SR),
    OP(PACK, 5, ANY, ANY, 2, MC | I8 | SR),
    OP(LOGICAL_OR, 1, 0, 2, 1, MC | NN),
    OP(ONE_HOT, 1, 1, 1, 0, I8 | SW),
    OP(LOGICAL_AND, 1, 2, 2, 1, MC | NN),
    OP(LOGICAL_NOT, 1, 0, 2, 1, MC | NN),
    OP(UNPACK, 6, ANY, ANY, 2, MC | I8 | SR),
    OP(REDUCE_MIN, 3, ANY, ANY, 2, XF | XQ | MC | I8 | SR),
    OP(FLOOR_DIV, 3, 2, 3, 0, MC | RW),
    OP(REDUCE_ANY, 1, 0, ANY, 2, NN),
    OP(SQUARE, 1, 2, 2, 0, XF | MC),
    OP(ZEROS_LIKE, 1, 0, 0, 0, MC),
    OP(FILL, 5, 0, 0, 1, MC | I8 | SR),
    OP(FLOOR_MOD, 2, 2, 2, 0, MC | RW),
    OP(RANGE, 2, 0, 0, 0, 0),
    OP(RESIZE_NEAREST_NEIGHBOR, 4, 3, 3, 3, MC | I8 | SW),
    OP(LEAKY_RELU, 2, 2, 2, 1, XF | XQ | MC | I8),
    OP(SQUARED_DIFFERENCE, 2, 2, 2, 2, XF | MC | I8),
    OP(MIRROR_PAD, 3, 2, 5, 2, MC | I8 | SR),
    OP(ABS, 5, 2, 5, 1, XF | MC | I8),
    OP(SPLIT_V, 3, ANY, ANY, 2, MC | I8 | SW),
    OP(UNIQUE, 1, 0, 0, 0, I8 | SW),
    OP(CEIL, 1, 0, 2, 0, XF | MC),
    OP(REVERSE_V2, 4, 0, ANY, 3, MC | I8 | SW),
    OP(ADD_N, 1, 2, 2, 0, MC),
    OP(GATHER_ND, 6, 0, 0, 0, MC | I8 | SW),
    OP(COS, 2, 2, 2, 1, XF | MC),
    OP(WHERE, 2, 0, 0, 0, RW),
    OP(RANK, 1, 0, 0, 0, I8),
    OP(ELU, 1, 2, 2, 1, XF | XQ | MC | I8),
    OP(REVERSE_SEQUENCE, 1, 0, 0, 0, 0),
    OP(MATRIX_DIAG, 1, 0, 0, 0, RW | SW),
    OP(QUANTIZE, 6, 2, 2, 2, XF | XQ | MC | I8),
    OP(MATRIX_SET_DIAG, 1, 0, 0, 0, I8 | SW),
    OP(ROUND, 1, 0, 2, 0, XF | MC),
    OP(HARD_SWISH, 1, ANY, ANY, ANY, XF | MC | I8),
    OP(IF, 1, 0, 0, 0, MC | I8 | SW),
    OP(WHILE, 1, 0, 0, 0, MC | I8 | SW),
    OP(NON_MAX_SUPPRESSION_V4, 1, 0, 0, 0, 0),
    OP(NON_MAX_SUPPRESSION_V5, 1, 0, 0, 0, 0),
    OP(SCATTER_ND, 1, 0, 0, 0, RW | SW),
    OP(SELECT_V2, 2, 1, 1, 0, MC | I8 | SW),
    OP(DENSIFY, 1, 1, 0, 1, I8 | SW),
    OP(SEGMENT_SUM, 1, 0, 0, 0, 0),
    OP(BATCH_MATMUL, 4, ANY, ANY, 2, XF | XQ | XH | MC | I8),
    OP(CUMSUM, 1, 1, 1, 0, MC),
    OP(CALL_ONCE, 1, 0, 0, 0, MC | NN),
    OP(BROADCAST_TO, 4, 0, 0, 0, MC | I8 | SW),
    OP(RFFT2D, 1, 0, 0, 0, 0),
    OP(CONV_3D, 1, 0, 0, 0, 0),
    OP(IMAG, 1, 0, 0, 0, NN),
    OP(REAL, 1, 0, 0, 0, NN),
    OP(COMPLEX_ABS, 1, 0, 0, 0, NN),
    OP(HASHTABLE, 1, 0, 0, 0, NN),
    OP(HASHTABLE_FIND, 1, 0, 0, 0, NN),
    OP(HASHTABLE_IMPORT, 1, 0, 0, 0, NN),
    OP(HASHTABLE_SIZE, 1, 0, 0, 0, NN),
    OP(REDUCE_ALL, 1, 0, ANY, 0, MC | NN),
    OP(CONV_3D_TRANSPOSE, 1, 0, 0, 0, 0),
    OP(VAR_HANDLE, 1, 0, 0, 0, XF | MC | NN),
    OP(READ_VARIABLE, 1, 0, 0, 0, XF | XQ | MC | I8 | SW),
    OP(ASSIGN_VARIABLE, 1, 0, 0, 0, XF | XQ | MC | I8 | SW),
    OP(BROADCAST_ARGS, 1, 0, 0, 0, MC | NN),
    OP(RANDOM_STANDARD_NORMAL, 1, 0, 0, 0, 0),
    OP(BUCKETIZE, 1, 0, 0, 0, 0),
    OP(RANDOM_UNIFORM, 1, 0, 0, 0, 0),
    OP(MULTINOMIAL, 1, 0, 0, 0, 0),
    OP(GELU, 3, 2, 3, 0, XF | I8),
    OP(DYNAMIC_UPDATE_SLICE, 6, 0, ANY, 0, MC | I8 | SW),
    OP(RELU_0_TO_1, 1, 2, 2, 0, I8),
    OP(UNSORTED_SEGMENT_PROD, 1, 0, 0, 0, 0),
    OP(UNSORTED_SEGMENT_MAX, 1, 0, 0, 0, 0),
    OP(UNSORTED_SEGMENT_SUM, 1, 0, 0, 0, 0),
    OP(ATAN2, 1, 0, 2, 0, 0),
    OP(UNSORTED_SEGMENT_MIN, 1, 0, 0, 0, 0),
    OP(SIGN, 2, 2, 2, 0, 0),
    OP(BITCAST, 1, 0, ANY, 0, I8),
    OP(BITWISE_XOR, 1, 0, 2, 0, NN),
    OP(RIGHT_SHIFT, 1, 0, 2, 0, NN),
    OP(STABLEHLO_ADD, 1, 0, 0, 0, RW),
    OP(STABLEHLO_MULTIPLY, 1, 0, 0, 0, RW),
    OP(STABLEHLO_MAXIMUM, 1, 0, 0, 0, I8 | SW),
    OP(STABLEHLO_AND, 1, 0, 0, 0, NN),
    OP(STABLEHLO_MINIMUM, 1, 0, 0, 0, I8 | SW),
    OP(STABLEHLO_SCATTER, 1, 0, 0, 0, 0),
    OP(STABLEHLO_PAD, 1, 0, 0, 0, I8 | SW),
    OP(STABLEHLO_REDUCE_WINDOW, 1, 0, 0, 0, 0),
    OP(STABLEHLO_GATHER, 1, 0, 0, 0, 0),
    OP(DILATE, 1, 0, 0, 0, I8 | SW),
    OP(STABLEHLO_RNG_BIT_GENERATOR, 1, 0, 0, 0, NN),
    OP(REDUCE_WINDOW, 1, 0, 0, 0, RW | SW),
    OP(STABLEHLO_COMPOSITE, 1, 0, ANY, 0, I8 | SW),
    OP(STABLEHLO_SHIFT_LEFT, 1, 0, 2, 0, NN),
    OP(STABLEHLO_CASE, 1, 0, 0, 0, I8 | SW),
    /* clang-format on */
};

const tqi_op_support *tqi_find_support(int32_t builtin) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].builtin == builtin)
            return &table[i];
    return NULL;
}

static bool reaches(uint8_t newest, int32_t version) {
    return newest == TQI_ANY_VERSION || version <= newest;
}

/* By what the target has of one operator. */
static bool has(uint32_t target, int32_t builtin, int32_t version) {
    const tqi_op_support *support = tqi_find_support(builtin);
    if (!support)
        return false;
    switch (target) {
    case TQ_TARGET_GPU:
        /* the classic delegate's word counts only where it has the operator at all */
        return reaches(support->gpu, version) &&
               (support->classic_gpu == 0 || reaches(support->classic_gpu, version));
    case TQ_TARGET_NNAPI:
        return reaches(support->nnapi, version);
    default:
        return reaches(support->newest, version);
    }
}

bool tqi_target_takes(uint32_t target, int32_t builtin, int32_t version, tqi_weight_form form) {
    /* LiteRT's versions of DEQUANTIZE with these inputs */
    enum { HALF = 3, CHANNELS = 5 };
    if (target == TQ_TARGET_TFLITE_MICRO || target == TQ_TARGET_INT8_ONLY)
        return false; /* the one has no such kernels, the other no float arithmetic */
    if (form == TQI_WEIGHT_DIRECT)
        return has(target, builtin, version);
    return has(target, TQI_BUILTIN_DEQUANTIZE, form == TQI_WEIGHT_HALF_UNPACKED ? HALF : CHANNELS);
}
