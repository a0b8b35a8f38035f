/* SPDX-License-Identifier: Apache-2.0 */
/* The TFLite schema, version 3, as of LiteRT 2.3 (August 2026): every table with its fields in
 * the order of their ids. Verifier, view and writer work from it; a new field is one
 * line here (and its id in schema.h if code reads it). */
#include "tflite/schema.h"
#include "tflite/schema_words.h"

TABLE_EXTERN(tqi_operator_code_table, "OperatorCode", SCALAR("deprecated_builtin_code", 1),
             STRING("custom_code"), SCALAR("version", 4), SCALAR("builtin_code", 4));

TABLE(custom_quantization, "CustomQuantization", VECTOR("custom", 1, 16));

TABLE_EXTERN(tqi_blockwise_quantization_table, "BlockwiseQuantization", SCALAR("scales", 4),
             SCALAR("zero_points", 4), SCALAR("block_size", 4));

TABLE_EXTERN(tqi_multi_axis_quantization_table, "MultiAxisQuantization", SCALAR("scales", 4),
             SCALAR("zero_points", 4), SCALAR("block_size", 4),
             VECTOR("quantized_dimensions", 4, 4));

TABLE(quantization_details, "QuantizationDetails", CHILD("CustomQuantization", custom_quantization),
      CHILD("BlockwiseQuantization", tqi_blockwise_quantization_table),
      CHILD("MultiAxisQuantization", tqi_multi_axis_quantization_table));

TABLE_EXTERN(tqi_quantization_parameters_table, "QuantizationParameters", VECTOR("min", 4, 4),
             VECTOR("max", 4, 4), VECTOR("scale", 4, 4), VECTOR("zero_point", 8, 8),
             SCALAR("details_type", 1), UNION("details", quantization_details),
             SCALAR("quantized_dimension", 4));

TABLE(int32_vector, "Int32Vector", VECTOR("values", 4, 4));

TABLE(uint16_vector, "Uint16Vector", VECTOR("values", 2, 4));

TABLE(uint8_vector, "Uint8Vector", VECTOR("values", 1, 4));

TABLE(sparse_index_vector, "SparseIndexVector", CHILD("Int32Vector", int32_vector),
      CHILD("Uint16Vector", uint16_vector), CHILD("Uint8Vector", uint8_vector));

TABLE(dimension_metadata, "DimensionMetadata", SCALAR("format", 1), SCALAR("dense_size", 4),
      SCALAR("array_segments_type", 1), UNION("array_segments", sparse_index_vector),
      SCALAR("array_indices_type", 1), UNION("array_indices", sparse_index_vector));

TABLE(sparsity_parameters, "SparsityParameters", VECTOR("traversal_order", 4, 4),
      VECTOR("block_map", 4, 4), TABLES("dim_metadata", dimension_metadata));

TABLE(variant_sub_type, "VariantSubType", VECTOR("shape", 4, 4), SCALAR("type", 1),
      SCALAR("has_rank", 1));

TABLE_EXTERN(tqi_tensor_table, "Tensor", VECTOR("shape", 4, 4), SCALAR("type", 1),
             SCALAR("buffer", 4), STRING("name"),
             CHILD("quantization", tqi_quantization_parameters_table), SCALAR("is_variable", 1),
             CHILD("sparsity", sparsity_parameters), VECTOR("shape_signature", 4, 4),
             SCALAR("has_rank", 1), TABLES("variant_tensors", variant_sub_type),
             SCALAR("external_buffer", 4));

TABLE_EXTERN(tqi_operator_table, "Operator", SCALAR("opcode_index", 4), VECTOR("inputs", 4, 4),
             VECTOR("outputs", 4, 4), SCALAR("builtin_options_type", 1),
             UNION("builtin_options", tqi_builtin_options), VECTOR("custom_options", 1, 1),
             SCALAR("custom_options_format", 1), VECTOR("mutating_variable_inputs", 1, 1),
             VECTOR("intermediates", 4, 4), SCALAR("large_custom_options_offset", 8),
             SCALAR("large_custom_options_size", 8), SCALAR("builtin_options_2_type", 1),
             UNION("builtin_options_2", tqi_builtin_options_2), SCALAR("debug_metadata_index", 4));

TABLE_EXTERN(tqi_subgraph_table, "SubGraph", TABLES("tensors", tqi_tensor_table),
             VECTOR("inputs", 4, 4), VECTOR("outputs", 4, 4),
             TABLES("operators", tqi_operator_table), STRING("name"),
             SCALAR("debug_metadata_index", 4));

TABLE_EXTERN(tqi_buffer_table, "Buffer", BULK("data", 1, 16), SCALAR("offset", 8),
             SCALAR("size", 8));

TABLE_EXTERN(tqi_metadata_table, "Metadata", STRING("name"), SCALAR("buffer", 4));

TABLE_EXTERN(tqi_tensor_map_table, "TensorMap", STRING("name"), SCALAR("tensor_index", 4));

TABLE_EXTERN(tqi_signature_def_table, "SignatureDef", TABLES("inputs", tqi_tensor_map_table),
             TABLES("outputs", tqi_tensor_map_table), STRING("signature_key"),
             STRING("deprecated_tag"), SCALAR("subgraph_index", 4));

TABLE(external_buffer_group, "ExternalBufferGroup", STRING("name"));

TABLE(external_buffer, "ExternalBuffer", SCALAR("id", 4), SCALAR("group", 4), SCALAR("offset", 8),
      SCALAR("length", 8), STRING("packing"));

TABLE_EXTERN(tqi_model_table, "Model", SCALAR("version", 4),
             TABLES("operator_codes", tqi_operator_code_table),
             TABLES("subgraphs", tqi_subgraph_table), STRING("description"),
             TABLES("buffers", tqi_buffer_table), VECTOR("metadata_buffer", 4, 4),
             TABLES("metadata", tqi_metadata_table),
             TABLES("signature_defs", tqi_signature_def_table),
             TABLES("external_buffer_groups", external_buffer_group),
             TABLES("external_buffers", external_buffer));
