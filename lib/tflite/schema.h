/* SPDX-License-Identifier: Apache-2.0 */
/* Field ids of the tables that code reads or writes by name, and TensorType and
 * BuiltinOperator values that it asks for. Facts of the TFLite schema, version 3. */
#ifndef TQI_TFLITE_SCHEMA_H
#define TQI_TFLITE_SCHEMA_H

#include "flatbuffer/schema_types.h"

extern const tqi_table tqi_model_table;
extern const tqi_table tqi_operator_code_table;
extern const tqi_table tqi_subgraph_table;
extern const tqi_table tqi_tensor_table;
extern const tqi_table tqi_operator_table;
extern const tqi_table tqi_buffer_table;
extern const tqi_table tqi_quantization_parameters_table;
extern const tqi_table tqi_blockwise_quantization_table;
extern const tqi_table tqi_multi_axis_quantization_table;
extern const tqi_table tqi_metadata_table;
extern const tqi_table tqi_signature_def_table;
extern const tqi_table tqi_tensor_map_table;
extern const tqi_table tqi_builtin_options;
extern const tqi_table tqi_builtin_options_2;

enum {
    TQI_MODEL_VERSION,
    TQI_MODEL_OPERATOR_CODES,
    TQI_MODEL_SUBGRAPHS,
    TQI_MODEL_DESCRIPTION,
    TQI_MODEL_BUFFERS,
    TQI_MODEL_METADATA_BUFFER,
    TQI_MODEL_METADATA,
    TQI_MODEL_SIGNATURE_DEFS,
    TQI_MODEL_EXTERNAL_BUFFER_GROUPS,
    TQI_MODEL_EXTERNAL_BUFFERS
};
enum {
    TQI_OPCODE_DEPRECATED_BUILTIN_CODE,
    TQI_OPCODE_CUSTOM_CODE,
    TQI_OPCODE_VERSION,
    TQI_OPCODE_BUILTIN_CODE
};
enum {
    TQI_SUBGRAPH_TENSORS,
    TQI_SUBGRAPH_INPUTS,
    TQI_SUBGRAPH_OUTPUTS,
    TQI_SUBGRAPH_OPERATORS,
    TQI_SUBGRAPH_NAME,
    TQI_SUBGRAPH_DEBUG_METADATA_INDEX
};
enum {
    TQI_TENSOR_SHAPE,
    TQI_TENSOR_TYPE,
    TQI_TENSOR_BUFFER,
    TQI_TENSOR_NAME,
    TQI_TENSOR_QUANTIZATION,
    TQI_TENSOR_IS_VARIABLE,
    TQI_TENSOR_SPARSITY,
    TQI_TENSOR_SHAPE_SIGNATURE,
    TQI_TENSOR_HAS_RANK,
    TQI_TENSOR_VARIANT_TENSORS,
    TQI_TENSOR_EXTERNAL_BUFFER
};
enum {
    TQI_OPERATOR_OPCODE_INDEX,
    TQI_OPERATOR_INPUTS,
    TQI_OPERATOR_OUTPUTS,
    TQI_OPERATOR_BUILTIN_OPTIONS_TYPE,
    TQI_OPERATOR_BUILTIN_OPTIONS,
    TQI_OPERATOR_CUSTOM_OPTIONS,
    TQI_OPERATOR_CUSTOM_OPTIONS_FORMAT,
    TQI_OPERATOR_MUTATING_VARIABLE_INPUTS,
    TQI_OPERATOR_INTERMEDIATES,
    TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_OFFSET,
    TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_SIZE,
    TQI_OPERATOR_BUILTIN_OPTIONS_2_TYPE,
    TQI_OPERATOR_BUILTIN_OPTIONS_2,
    TQI_OPERATOR_DEBUG_METADATA_INDEX
};
enum { TQI_BUFFER_DATA, TQI_BUFFER_OFFSET, TQI_BUFFER_SIZE };
enum {
    TQI_QUANT_MIN,
    TQI_QUANT_MAX,
    TQI_QUANT_SCALE,
    TQI_QUANT_ZERO_POINT,
    TQI_QUANT_DETAILS_TYPE,
    TQI_QUANT_DETAILS,
    TQI_QUANT_QUANTIZED_DIMENSION
};
enum { TQI_BLOCKWISE_SCALES, TQI_BLOCKWISE_ZERO_POINTS, TQI_BLOCKWISE_BLOCK_SIZE };
enum {
    TQI_MULTI_AXIS_SCALES,
    TQI_MULTI_AXIS_ZERO_POINTS,
    TQI_MULTI_AXIS_BLOCK_SIZE,
    TQI_MULTI_AXIS_QUANTIZED_DIMENSIONS
};
enum { TQI_METADATA_NAME, TQI_METADATA_BUFFER };
enum {
    TQI_SIGNATURE_INPUTS,
    TQI_SIGNATURE_OUTPUTS,
    TQI_SIGNATURE_SIGNATURE_KEY,
    TQI_SIGNATURE_DEPRECATED_TAG,
    TQI_SIGNATURE_SUBGRAPH_INDEX
};
enum { TQI_MAP_NAME, TQI_MAP_TENSOR_INDEX };
enum { TQI_SPARSITY_TRAVERSAL_ORDER, TQI_SPARSITY_BLOCK_MAP, TQI_SPARSITY_DIM_METADATA };
enum {
    TQI_DIMENSION_FORMAT,
    TQI_DIMENSION_DENSE_SIZE,
    TQI_DIMENSION_ARRAY_SEGMENTS_TYPE,
    TQI_DIMENSION_ARRAY_SEGMENTS,
    TQI_DIMENSION_ARRAY_INDICES_TYPE,
    TQI_DIMENSION_ARRAY_INDICES
};

enum {
    TQI_TYPE_FLOAT32 = 0,
    TQI_TYPE_FLOAT16 = 1,
    TQI_TYPE_INT32 = 2,
    TQI_TYPE_UINT8 = 3,
    TQI_TYPE_INT64 = 4,
    TQI_TYPE_STRING = 5,
    TQI_TYPE_BOOL = 6,
    TQI_TYPE_INT16 = 7,
    TQI_TYPE_COMPLEX64 = 8,
    TQI_TYPE_INT8 = 9,
    TQI_TYPE_FLOAT64 = 10,
    TQI_TYPE_COMPLEX128 = 11,
    TQI_TYPE_UINT64 = 12,
    TQI_TYPE_RESOURCE = 13,
    TQI_TYPE_VARIANT = 14,
    TQI_TYPE_UINT32 = 15,
    TQI_TYPE_UINT16 = 16,
    TQI_TYPE_INT4 = 17,
    TQI_TYPE_BFLOAT16 = 18,
    TQI_TYPE_INT2 = 19,
    TQI_TYPE_UINT4 = 20,
    TQI_TYPE_FLOAT8_E4M3FN = 21,
    TQI_TYPE_FLOAT8_E5M2 = 22
};

enum {
    TQI_OP_ADD = 0,
    TQI_OP_CONV_2D = 3,
    TQI_OP_DEPTHWISE_CONV_2D = 4,
    TQI_OP_DEQUANTIZE = 6,
    TQI_OP_EMBEDDING_LOOKUP = 7,
    TQI_OP_FULLY_CONNECTED = 9,
    TQI_OP_SOFTMAX = 25,
    TQI_OP_CUSTOM = 32,
    TQI_OP_TRANSPOSE_CONV = 67,
    TQI_OP_DENSIFY = 124,
    TQI_OP_BATCH_MATMUL = 126,
    TQI_OP_PLACEHOLDER_FOR_GREATER_OP_CODES = 127,
    TQI_OP_STABLEHLO_COMPOSITE = 206
};

/* "CONV_2D", or NULL for a value that the schema does not have. */
const char *tqi_op_name(int32_t builtin_code);
/* "FLOAT32", or NULL. */
const char *tqi_type_label(int32_t type);
/* Bits of one element; 0 where there is no fixed size (strings, unknown types). */
uint32_t tqi_type_bits(int32_t type);

#endif
