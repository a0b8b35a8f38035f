/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the builtin operators: the two unions of the TFLite schema. A new member is
 * one TABLE and one line at the end of its union. */
#include "tflite/schema.h"
#include "tflite/schema_words.h"

TABLE(conv2d_options, "Conv2DOptions", SCALAR("padding", 1), SCALAR("stride_w", 4),
      SCALAR("stride_h", 4), SCALAR("fused_activation_function", 1), SCALAR("dilation_w_factor", 4),
      SCALAR("dilation_h_factor", 4), SCALAR("quantized_bias_type", 1));
TABLE(depthwise_conv2d_options, "DepthwiseConv2DOptions", SCALAR("padding", 1),
      SCALAR("stride_w", 4), SCALAR("stride_h", 4), SCALAR("depth_multiplier", 4),
      SCALAR("fused_activation_function", 1), SCALAR("dilation_w_factor", 4),
      SCALAR("dilation_h_factor", 4));
TABLE(concat_embeddings_options, "ConcatEmbeddingsOptions", SCALAR("num_channels", 4),
      VECTOR("num_columns_per_channel", 4, 4), VECTOR("embedding_dim_per_channel", 4, 4));
TABLE(lsh_projection_options, "LSHProjectionOptions", SCALAR("type", 1));
TABLE(pool2d_options, "Pool2DOptions", SCALAR("padding", 1), SCALAR("stride_w", 4),
      SCALAR("stride_h", 4), SCALAR("filter_width", 4), SCALAR("filter_height", 4),
      SCALAR("fused_activation_function", 1));
TABLE(svdf_options, "SVDFOptions", SCALAR("rank", 4), SCALAR("fused_activation_function", 1),
      SCALAR("asymmetric_quantize_inputs", 1));
TABLE(rnn_options, "RNNOptions", SCALAR("fused_activation_function", 1),
      SCALAR("asymmetric_quantize_inputs", 1));
TABLE(fully_connected_options, "FullyConnectedOptions", SCALAR("fused_activation_function", 1),
      SCALAR("weights_format", 1), SCALAR("keep_num_dims", 1),
      SCALAR("asymmetric_quantize_inputs", 1), SCALAR("quantized_bias_type", 1));
TABLE(softmax_options, "SoftmaxOptions", SCALAR("beta", 4));
TABLE(concatenation_options, "ConcatenationOptions", SCALAR("axis", 4),
      SCALAR("fused_activation_function", 1));
TABLE(add_options, "AddOptions", SCALAR("fused_activation_function", 1),
      SCALAR("pot_scale_int16", 1));
TABLE(l2_norm_options, "L2NormOptions", SCALAR("fused_activation_function", 1));
TABLE(local_response_normalization_options, "LocalResponseNormalizationOptions",
      SCALAR("radius", 4), SCALAR("bias", 4), SCALAR("alpha", 4), SCALAR("beta", 4));
TABLE(lstm_options, "LSTMOptions", SCALAR("fused_activation_function", 1), SCALAR("cell_clip", 4),
      SCALAR("proj_clip", 4), SCALAR("kernel_type", 1), SCALAR("asymmetric_quantize_inputs", 1));
TABLE(resize_bilinear_options, "ResizeBilinearOptions", SCALAR("new_height", 4),
      SCALAR("new_width", 4), SCALAR("align_corners", 1), SCALAR("half_pixel_centers", 1));
TABLE(call_options, "CallOptions", SCALAR("subgraph", 4));
TABLE(reshape_options, "ReshapeOptions", VECTOR("new_shape", 4, 4));
TABLE(skip_gram_options, "SkipGramOptions", SCALAR("ngram_size", 4), SCALAR("max_skip_size", 4),
      SCALAR("include_all_ngrams", 1));
TABLE(space_to_depth_options, "SpaceToDepthOptions", SCALAR("block_size", 4));
TABLE(embedding_lookup_sparse_options, "EmbeddingLookupSparseOptions", SCALAR("combiner", 1));
TABLE(mul_options, "MulOptions", SCALAR("fused_activation_function", 1));
EMPTY(pad_options, "PadOptions");
TABLE(gather_options, "GatherOptions", SCALAR("axis", 4), SCALAR("batch_dims", 4));
EMPTY(batch_to_space_nd_options, "BatchToSpaceNDOptions");
EMPTY(space_to_batch_nd_options, "SpaceToBatchNDOptions");
EMPTY(transpose_options, "TransposeOptions");
TABLE(reducer_options, "ReducerOptions", SCALAR("keep_dims", 1));
TABLE(sub_options, "SubOptions", SCALAR("fused_activation_function", 1),
      SCALAR("pot_scale_int16", 1));
TABLE(div_options, "DivOptions", SCALAR("fused_activation_function", 1));
TABLE(squeeze_options, "SqueezeOptions", VECTOR("squeeze_dims", 4, 4));
TABLE(sequence_rnn_options, "SequenceRNNOptions", SCALAR("time_major", 1),
      SCALAR("fused_activation_function", 1), SCALAR("asymmetric_quantize_inputs", 1));
TABLE(strided_slice_options, "StridedSliceOptions", SCALAR("begin_mask", 4), SCALAR("end_mask", 4),
      SCALAR("ellipsis_mask", 4), SCALAR("new_axis_mask", 4), SCALAR("shrink_axis_mask", 4),
      SCALAR("offset", 1));
EMPTY(exp_options, "ExpOptions");
EMPTY(top_kv2_options, "TopKV2Options");
TABLE(split_options, "SplitOptions", SCALAR("num_splits", 4));
EMPTY(log_softmax_options, "LogSoftmaxOptions");
TABLE(cast_options, "CastOptions", SCALAR("in_data_type", 1), SCALAR("out_data_type", 1));
EMPTY(dequantize_options, "DequantizeOptions");
EMPTY(maximum_minimum_options, "MaximumMinimumOptions");
TABLE(arg_max_options, "ArgMaxOptions", SCALAR("output_type", 1));
EMPTY(less_options, "LessOptions");
EMPTY(neg_options, "NegOptions");
EMPTY(pad_v2_options, "PadV2Options");
EMPTY(greater_options, "GreaterOptions");
EMPTY(greater_equal_options, "GreaterEqualOptions");
EMPTY(less_equal_options, "LessEqualOptions");
EMPTY(select_options, "SelectOptions");
EMPTY(slice_options, "SliceOptions");
TABLE(transpose_conv_options, "TransposeConvOptions", SCALAR("padding", 1), SCALAR("stride_w", 4),
      SCALAR("stride_h", 4), SCALAR("fused_activation_function", 1),
      SCALAR("quantized_bias_type", 1));
TABLE(sparse_to_dense_options, "SparseToDenseOptions", SCALAR("validate_indices", 1));
EMPTY(tile_options, "TileOptions");
EMPTY(expand_dims_options, "ExpandDimsOptions");
EMPTY(equal_options, "EqualOptions");
EMPTY(not_equal_options, "NotEqualOptions");
TABLE(shape_options, "ShapeOptions", SCALAR("out_type", 1));
EMPTY(pow_options, "PowOptions");
TABLE(arg_min_options, "ArgMinOptions", SCALAR("output_type", 1));
TABLE(fake_quant_options, "FakeQuantOptions", SCALAR("min", 4), SCALAR("max", 4),
      SCALAR("num_bits", 4), SCALAR("narrow_range", 1));
TABLE(pack_options, "PackOptions", SCALAR("values_count", 4), SCALAR("axis", 4));
EMPTY(logical_or_options, "LogicalOrOptions");
TABLE(one_hot_options, "OneHotOptions", SCALAR("axis", 4));
EMPTY(logical_and_options, "LogicalAndOptions");
EMPTY(logical_not_options, "LogicalNotOptions");
TABLE(unpack_options, "UnpackOptions", SCALAR("num", 4), SCALAR("axis", 4));
EMPTY(floor_div_options, "FloorDivOptions");
EMPTY(square_options, "SquareOptions");
EMPTY(zeros_like_options, "ZerosLikeOptions");
EMPTY(fill_options, "FillOptions");
TABLE(bidirectional_sequence_lstm_options, "BidirectionalSequenceLSTMOptions",
      SCALAR("fused_activation_function", 1), SCALAR("cell_clip", 4), SCALAR("proj_clip", 4),
      SCALAR("merge_outputs", 1), SCALAR("time_major", 1), SCALAR("asymmetric_quantize_inputs", 1));
TABLE(bidirectional_sequence_rnn_options, "BidirectionalSequenceRNNOptions",
      SCALAR("time_major", 1), SCALAR("fused_activation_function", 1), SCALAR("merge_outputs", 1),
      SCALAR("asymmetric_quantize_inputs", 1));
TABLE(unidirectional_sequence_lstm_options, "UnidirectionalSequenceLSTMOptions",
      SCALAR("fused_activation_function", 1), SCALAR("cell_clip", 4), SCALAR("proj_clip", 4),
      SCALAR("time_major", 1), SCALAR("asymmetric_quantize_inputs", 1),
      SCALAR("diagonal_recurrent_tensors", 1));
EMPTY(floor_mod_options, "FloorModOptions");
EMPTY(range_options, "RangeOptions");
TABLE(resize_nearest_neighbor_options, "ResizeNearestNeighborOptions", SCALAR("align_corners", 1),
      SCALAR("half_pixel_centers", 1));
TABLE(leaky_relu_options, "LeakyReluOptions", SCALAR("alpha", 4));
EMPTY(squared_difference_options, "SquaredDifferenceOptions");
TABLE(mirror_pad_options, "MirrorPadOptions", SCALAR("mode", 1));
EMPTY(abs_options, "AbsOptions");
TABLE(split_v_options, "SplitVOptions", SCALAR("num_splits", 4));
TABLE(unique_options, "UniqueOptions", SCALAR("idx_out_type", 1));
EMPTY(reverse_v2_options, "ReverseV2Options");
EMPTY(add_n_options, "AddNOptions");
EMPTY(gather_nd_options, "GatherNdOptions");
EMPTY(cos_options, "CosOptions");
EMPTY(where_options, "WhereOptions");
EMPTY(rank_options, "RankOptions");
TABLE(reverse_sequence_options, "ReverseSequenceOptions", SCALAR("seq_dim", 4),
      SCALAR("batch_dim", 4));
EMPTY(matrix_diag_options, "MatrixDiagOptions");
EMPTY(quantize_options, "QuantizeOptions");
EMPTY(matrix_set_diag_options, "MatrixSetDiagOptions");
EMPTY(hard_swish_options, "HardSwishOptions");
TABLE(if_options, "IfOptions", SCALAR("then_subgraph_index", 4), SCALAR("else_subgraph_index", 4));
TABLE(while_options, "WhileOptions", SCALAR("cond_subgraph_index", 4),
      SCALAR("body_subgraph_index", 4));
TABLE(depth_to_space_options, "DepthToSpaceOptions", SCALAR("block_size", 4));
EMPTY(non_max_suppression_v4_options, "NonMaxSuppressionV4Options");
EMPTY(non_max_suppression_v5_options, "NonMaxSuppressionV5Options");
EMPTY(scatter_nd_options, "ScatterNdOptions");
EMPTY(select_v2_options, "SelectV2Options");
EMPTY(densify_options, "DensifyOptions");
EMPTY(segment_sum_options, "SegmentSumOptions");
TABLE(batch_mat_mul_options, "BatchMatMulOptions", SCALAR("adj_x", 1), SCALAR("adj_y", 1),
      SCALAR("asymmetric_quantize_inputs", 1));
TABLE(cumsum_options, "CumsumOptions", SCALAR("exclusive", 1), SCALAR("reverse", 1));
TABLE(call_once_options, "CallOnceOptions", SCALAR("init_subgraph_index", 4));
EMPTY(broadcast_to_options, "BroadcastToOptions");
EMPTY(rfft2d_options, "Rfft2dOptions");
TABLE(conv3d_options, "Conv3DOptions", SCALAR("padding", 1), SCALAR("stride_d", 4),
      SCALAR("stride_w", 4), SCALAR("stride_h", 4), SCALAR("fused_activation_function", 1),
      SCALAR("dilation_d_factor", 4), SCALAR("dilation_w_factor", 4),
      SCALAR("dilation_h_factor", 4));
TABLE(hashtable_options, "HashtableOptions", SCALAR("table_id", 4), SCALAR("key_dtype", 1),
      SCALAR("value_dtype", 1));
EMPTY(hashtable_find_options, "HashtableFindOptions");
EMPTY(hashtable_import_options, "HashtableImportOptions");
EMPTY(hashtable_size_options, "HashtableSizeOptions");
TABLE(var_handle_options, "VarHandleOptions", STRING("container"), STRING("shared_name"));
EMPTY(read_variable_options, "ReadVariableOptions");
EMPTY(assign_variable_options, "AssignVariableOptions");
TABLE(random_options, "RandomOptions", SCALAR("seed", 8), SCALAR("seed2", 8));
TABLE(bucketize_options, "BucketizeOptions", VECTOR("boundaries", 4, 4));
TABLE(gelu_options, "GeluOptions", SCALAR("approximate", 1));
EMPTY(dynamic_update_slice_options, "DynamicUpdateSliceOptions");
EMPTY(unsorted_segment_prod_options, "UnsortedSegmentProdOptions");
EMPTY(unsorted_segment_max_options, "UnsortedSegmentMaxOptions");
EMPTY(unsorted_segment_min_options, "UnsortedSegmentMinOptions");
EMPTY(unsorted_segment_sum_options, "UnsortedSegmentSumOptions");
EMPTY(a_tan2_options, "ATan2Options");
EMPTY(sign_options, "SignOptions");
EMPTY(bitcast_options, "BitcastOptions");
EMPTY(bitwise_xor_options, "BitwiseXorOptions");
EMPTY(right_shift_options, "RightShiftOptions");
TABLE(stablehlo_concatenate_options, "StablehloConcatenateOptions", SCALAR("dimension", 8));
TABLE(stablehlo_broadcast_in_dim_options, "StablehloBroadcastInDimOptions",
      VECTOR("broadcast_dimensions", 8, 8));
TABLE(stablehlo_slice_options, "StablehloSliceOptions", VECTOR("start_indices", 8, 8),
      VECTOR("limit_indices", 8, 8), VECTOR("strides", 8, 8));
TABLE(stablehlo_convolution_options, "StablehloConvolutionOptions", VECTOR("window_strides", 8, 8),
      VECTOR("padding", 8, 8), VECTOR("lhs_dilation", 8, 8), VECTOR("rhs_dilation", 8, 8),
      VECTOR("window_reversal", 1, 1), SCALAR("input_batch_dimension", 8),
      SCALAR("input_feature_dimension", 8), VECTOR("input_spatial_dimensions", 8, 8),
      SCALAR("kernel_input_feature_dimension", 8), SCALAR("kernel_output_feature_dimension", 8),
      VECTOR("kernel_spatial_dimensions", 8, 8), SCALAR("output_batch_dimension", 8),
      SCALAR("output_feature_dimension", 8), VECTOR("output_spatial_dimensions", 8, 8),
      SCALAR("feature_group_count", 8), SCALAR("batch_group_count", 8),
      VECTOR("precision_config", 4, 4));
TABLE(stablehlo_custom_call_options, "StablehloCustomCallOptions", STRING("call_target_name"),
      SCALAR("has_side_effect", 1), STRING("backend_config"), SCALAR("api_version", 4),
      VECTOR("called_computations", 4, 4), VECTOR("custom_attributes", 1, 1));
TABLE(stablehlo_reduce_options, "StablehloReduceOptions", VECTOR("dimensions", 8, 8),
      SCALAR("body_subgraph_index", 4));
TABLE(stablehlo_scatter_options, "StablehloScatterOptions", SCALAR("indices_are_sorted", 1),
      VECTOR("update_window_dims", 8, 8), VECTOR("inserted_window_dims", 8, 8),
      VECTOR("scatter_dims_to_operand_dims", 8, 8), SCALAR("index_vector_dim", 8),
      SCALAR("unique_indices", 1), SCALAR("update_computation_subgraph_index", 4));
TABLE(stablehlo_compare_options, "StablehloCompareOptions", SCALAR("comparison_direction", 4),
      SCALAR("compare_type", 4));
TABLE(stablehlo_dynamic_slice_options, "StablehloDynamicSliceOptions", VECTOR("slice_sizes", 8, 8));
TABLE(stablehlo_pad_options, "StablehloPadOptions", VECTOR("edge_padding_low", 8, 8),
      VECTOR("edge_padding_high", 8, 8), VECTOR("interior_padding", 8, 8));
TABLE(stablehlo_iota_options, "StablehloIotaOptions", SCALAR("iota_dimension", 8));
TABLE(stablehlo_dot_general_options, "StablehloDotGeneralOptions",
      VECTOR("lhs_batching_dimensions", 8, 8), VECTOR("rhs_batching_dimensions", 8, 8),
      VECTOR("lhs_contracting_dimensions", 8, 8), VECTOR("rhs_contracting_dimensions", 8, 8),
      VECTOR("precision_config", 4, 4));
TABLE(stablehlo_reduce_window_options, "StablehloReduceWindowOptions",
      VECTOR("window_dimensions", 8, 8), VECTOR("window_strides", 8, 8),
      VECTOR("base_dilations", 8, 8), VECTOR("window_dilations", 8, 8), VECTOR("padding", 8, 8),
      SCALAR("body_subgraph_index", 4));
TABLE(stablehlo_sort_options, "StablehloSortOptions", SCALAR("dimension", 8),
      SCALAR("is_stable", 1), SCALAR("comparator_subgraph_index", 4));
TABLE(stablehlo_while_options, "StablehloWhileOptions", SCALAR("cond_subgraph_index", 4),
      SCALAR("body_subgraph_index", 4));
TABLE(stablehlo_gather_options, "StablehloGatherOptions", VECTOR("offset_dims", 8, 8),
      VECTOR("collapsed_slice_dims", 8, 8), VECTOR("start_index_map", 8, 8),
      SCALAR("index_vector_dim", 8), VECTOR("slice_sizes", 8, 8), SCALAR("indices_are_sorted", 1));
TABLE(stablehlo_transpose_options, "StablehloTransposeOptions", VECTOR("permutation", 8, 8));
EMPTY(dilate_options, "DilateOptions");
TABLE(stablehlo_rng_bit_generator_options, "StablehloRngBitGeneratorOptions",
      SCALAR("algorithm", 1));
TABLE(reduce_window_options, "ReduceWindowOptions", SCALAR("reduce_function", 4));
TABLE(stablehlo_composite_options, "StableHLOCompositeOptions", STRING("name"),
      SCALAR("decomposition_subgraph_index", 4), VECTOR("composite_attributes", 1, 1),
      SCALAR("composite_attributes_format", 1), SCALAR("version", 4));
EMPTY(stablehlo_shift_left_options, "StablehloShiftLeftOptions");
TABLE(stablehlo_case_options, "StablehloCaseOptions", VECTOR("branch_subgraph_indices", 4, 4));

static const tqi_field builtin_options_members[] = {
    CHILD("Conv2DOptions", conv2d_options),
    CHILD("DepthwiseConv2DOptions", depthwise_conv2d_options),
    CHILD("ConcatEmbeddingsOptions", concat_embeddings_options),
    CHILD("LSHProjectionOptions", lsh_projection_options),
    CHILD("Pool2DOptions", pool2d_options),
    CHILD("SVDFOptions", svdf_options),
    CHILD("RNNOptions", rnn_options),
    CHILD("FullyConnectedOptions", fully_connected_options),
    CHILD("SoftmaxOptions", softmax_options),
    CHILD("ConcatenationOptions", concatenation_options),
    CHILD("AddOptions", add_options),
    CHILD("L2NormOptions", l2_norm_options),
    CHILD("LocalResponseNormalizationOptions", local_response_normalization_options),
    CHILD("LSTMOptions", lstm_options),
    CHILD("ResizeBilinearOptions", resize_bilinear_options),
    CHILD("CallOptions", call_options),
    CHILD("ReshapeOptions", reshape_options),
    CHILD("SkipGramOptions", skip_gram_options),
    CHILD("SpaceToDepthOptions", space_to_depth_options),
    CHILD("EmbeddingLookupSparseOptions", embedding_lookup_sparse_options),
    CHILD("MulOptions", mul_options),
    CHILD("PadOptions", pad_options),
    CHILD("GatherOptions", gather_options),
    CHILD("BatchToSpaceNDOptions", batch_to_space_nd_options),
    CHILD("SpaceToBatchNDOptions", space_to_batch_nd_options),
    CHILD("TransposeOptions", transpose_options),
    CHILD("ReducerOptions", reducer_options),
    CHILD("SubOptions", sub_options),
    CHILD("DivOptions", div_options),
    CHILD("SqueezeOptions", squeeze_options),
    CHILD("SequenceRNNOptions", sequence_rnn_options),
    CHILD("StridedSliceOptions", strided_slice_options),
    CHILD("ExpOptions", exp_options),
    CHILD("TopKV2Options", top_kv2_options),
    CHILD("SplitOptions", split_options),
    CHILD("LogSoftmaxOptions", log_softmax_options),
    CHILD("CastOptions", cast_options),
    CHILD("DequantizeOptions", dequantize_options),
    CHILD("MaximumMinimumOptions", maximum_minimum_options),
    CHILD("ArgMaxOptions", arg_max_options),
    CHILD("LessOptions", less_options),
    CHILD("NegOptions", neg_options),
    CHILD("PadV2Options", pad_v2_options),
    CHILD("GreaterOptions", greater_options),
    CHILD("GreaterEqualOptions", greater_equal_options),
    CHILD("LessEqualOptions", less_equal_options),
    CHILD("SelectOptions", select_options),
    CHILD("SliceOptions", slice_options),
    CHILD("TransposeConvOptions", transpose_conv_options),
    CHILD("SparseToDenseOptions", sparse_to_dense_options),
    CHILD("TileOptions", tile_options),
    CHILD("ExpandDimsOptions", expand_dims_options),
    CHILD("EqualOptions", equal_options),
    CHILD("NotEqualOptions", not_equal_options),
    CHILD("ShapeOptions", shape_options),
    CHILD("PowOptions", pow_options),
    CHILD("ArgMinOptions", arg_min_options),
    CHILD("FakeQuantOptions", fake_quant_options),
    CHILD("PackOptions", pack_options),
    CHILD("LogicalOrOptions", logical_or_options),
    CHILD("OneHotOptions", one_hot_options),
    CHILD("LogicalAndOptions", logical_and_options),
    CHILD("LogicalNotOptions", logical_not_options),
    CHILD("UnpackOptions", unpack_options),
    CHILD("FloorDivOptions", floor_div_options),
    CHILD("SquareOptions", square_options),
    CHILD("ZerosLikeOptions", zeros_like_options),
    CHILD("FillOptions", fill_options),
    CHILD("BidirectionalSequenceLSTMOptions", bidirectional_sequence_lstm_options),
    CHILD("BidirectionalSequenceRNNOptions", bidirectional_sequence_rnn_options),
    CHILD("UnidirectionalSequenceLSTMOptions", unidirectional_sequence_lstm_options),
    CHILD("FloorModOptions", floor_mod_options),
    CHILD("RangeOptions", range_options),
    CHILD("ResizeNearestNeighborOptions", resize_nearest_neighbor_options),
    CHILD("LeakyReluOptions", leaky_relu_options),
    CHILD("SquaredDifferenceOptions", squared_difference_options),
    CHILD("MirrorPadOptions", mirror_pad_options),
    CHILD("AbsOptions", abs_options),
    CHILD("SplitVOptions", split_v_options),
    CHILD("UniqueOptions", unique_options),
    CHILD("ReverseV2Options", reverse_v2_options),
    CHILD("AddNOptions", add_n_options),
    CHILD("GatherNdOptions", gather_nd_options),
    CHILD("CosOptions", cos_options),
    CHILD("WhereOptions", where_options),
    CHILD("RankOptions", rank_options),
    CHILD("ReverseSequenceOptions", reverse_sequence_options),
    CHILD("MatrixDiagOptions", matrix_diag_options),
    CHILD("QuantizeOptions", quantize_options),
    CHILD("MatrixSetDiagOptions", matrix_set_diag_options),
    CHILD("HardSwishOptions", hard_swish_options),
    CHILD("IfOptions", if_options),
    CHILD("WhileOptions", while_options),
    CHILD("DepthToSpaceOptions", depth_to_space_options),
    CHILD("NonMaxSuppressionV4Options", non_max_suppression_v4_options),
    CHILD("NonMaxSuppressionV5Options", non_max_suppression_v5_options),
    CHILD("ScatterNdOptions", scatter_nd_options),
    CHILD("SelectV2Options", select_v2_options),
    CHILD("DensifyOptions", densify_options),
    CHILD("SegmentSumOptions", segment_sum_options),
    CHILD("BatchMatMulOptions", batch_mat_mul_options),
    CHILD("CumsumOptions", cumsum_options),
    CHILD("CallOnceOptions", call_once_options),
    CHILD("BroadcastToOptions", broadcast_to_options),
    CHILD("Rfft2dOptions", rfft2d_options),
    CHILD("Conv3DOptions", conv3d_options),
    CHILD("HashtableOptions", hashtable_options),
    CHILD("HashtableFindOptions", hashtable_find_options),
    CHILD("HashtableImportOptions", hashtable_import_options),
    CHILD("HashtableSizeOptions", hashtable_size_options),
    CHILD("VarHandleOptions", var_handle_options),
    CHILD("ReadVariableOptions", read_variable_options),
    CHILD("AssignVariableOptions", assign_variable_options),
    CHILD("RandomOptions", random_options),
    CHILD("BucketizeOptions", bucketize_options),
    CHILD("GeluOptions", gelu_options),
    CHILD("DynamicUpdateSliceOptions", dynamic_update_slice_options),
    CHILD("UnsortedSegmentProdOptions", unsorted_segment_prod_options),
    CHILD("UnsortedSegmentMaxOptions", unsorted_segment_max_options),
    CHILD("UnsortedSegmentMinOptions", unsorted_segment_min_options),
    CHILD("UnsortedSegmentSumOptions", unsorted_segment_sum_options),
    CHILD("ATan2Options", a_tan2_options),
    CHILD("SignOptions", sign_options),
    CHILD("BitcastOptions", bitcast_options),
    CHILD("BitwiseXorOptions", bitwise_xor_options),
    CHILD("RightShiftOptions", right_shift_options),
};
const tqi_table tqi_builtin_options = {"BuiltinOptions", builtin_options_members,
                                       sizeof builtin_options_members /
                                           sizeof builtin_options_members[0]};

static const tqi_field builtin_options_2_members[] = {
    CHILD("StablehloConcatenateOptions", stablehlo_concatenate_options),
    CHILD("StablehloBroadcastInDimOptions", stablehlo_broadcast_in_dim_options),
    CHILD("StablehloSliceOptions", stablehlo_slice_options),
    CHILD("StablehloConvolutionOptions", stablehlo_convolution_options),
    CHILD("StablehloCustomCallOptions", stablehlo_custom_call_options),
    CHILD("StablehloReduceOptions", stablehlo_reduce_options),
    CHILD("StablehloScatterOptions", stablehlo_scatter_options),
    CHILD("StablehloCompareOptions", stablehlo_compare_options),
    CHILD("StablehloDynamicSliceOptions", stablehlo_dynamic_slice_options),
    CHILD("StablehloPadOptions", stablehlo_pad_options),
    CHILD("StablehloIotaOptions", stablehlo_iota_options),
    CHILD("StablehloDotGeneralOptions", stablehlo_dot_general_options),
    CHILD("StablehloReduceWindowOptions", stablehlo_reduce_window_options),
    CHILD("StablehloSortOptions", stablehlo_sort_options),
    CHILD("StablehloWhileOptions", stablehlo_while_options),
    CHILD("StablehloGatherOptions", stablehlo_gather_options),
    CHILD("StablehloTransposeOptions", stablehlo_transpose_options),
    CHILD("DilateOptions", dilate_options),
    CHILD("StablehloRngBitGeneratorOptions", stablehlo_rng_bit_generator_options),
    CHILD("ReduceWindowOptions", reduce_window_options),
    CHILD("StableHLOCompositeOptions", stablehlo_composite_options),
    CHILD("StablehloShiftLeftOptions", stablehlo_shift_left_options),
    CHILD("StablehloCaseOptions", stablehlo_case_options),
};
const tqi_table tqi_builtin_options_2 = {"BuiltinOptions2", builtin_options_2_members,
                                         sizeof builtin_options_2_members /
                                             sizeof builtin_options_2_members[0]};
