/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that operators.c lists, by file; those of convolutions and matrices are in
 * operators.h. */
#ifndef TQI_EXECUTE_FAMILIES_H
#define TQI_EXECUTE_FAMILIES_H

#include "execute/operators.h"

/* elementwise.c: two inputs, broadcast */
extern tqi_run_operator tqi_run_add, tqi_run_sub, tqi_run_mul, tqi_run_div,
    tqi_run_squared_difference, tqi_run_maximum, tqi_run_minimum, tqi_run_pow, tqi_run_floor_div,
    tqi_run_floor_mod, tqi_run_add_n;

/* compare.c: conditions and what is chosen by them */
extern tqi_run_operator tqi_run_equal, tqi_run_not_equal, tqi_run_less, tqi_run_less_equal,
    tqi_run_greater, tqi_run_greater_equal, tqi_run_logical_and, tqi_run_logical_or,
    tqi_run_logical_not, tqi_run_select, tqi_run_select_v2, tqi_run_where;

/* unary.c: one number to one number */
extern tqi_run_operator tqi_run_abs, tqi_run_neg, tqi_run_square, tqi_run_sqrt, tqi_run_rsqrt,
    tqi_run_exp, tqi_run_log, tqi_run_sin, tqi_run_cos, tqi_run_floor, tqi_run_ceil, tqi_run_round,
    tqi_run_sign, tqi_run_cast;

/* activation.c */
extern tqi_run_operator tqi_run_relu, tqi_run_relu6, tqi_run_relu_n1_to_1, tqi_run_relu_0_to_1,
    tqi_run_leaky_relu, tqi_run_prelu, tqi_run_elu, tqi_run_gelu, tqi_run_hard_swish,
    tqi_run_logistic, tqi_run_tanh, tqi_run_softmax, tqi_run_log_softmax, tqi_run_l2_normalization;

/* pooling.c */
extern tqi_run_operator tqi_run_average_pool_2d, tqi_run_max_pool_2d, tqi_run_l2_pool_2d;

/* reduce.c */
extern tqi_run_operator tqi_run_mean, tqi_run_sum, tqi_run_reduce_max, tqi_run_reduce_min,
    tqi_run_reduce_prod, tqi_run_reduce_any, tqi_run_reduce_all;

/* along_axis.c */
extern tqi_run_operator tqi_run_arg_max, tqi_run_arg_min, tqi_run_cumsum;

/* shape.c: the same numbers in another shape, or the shape as numbers */
extern tqi_run_operator tqi_run_reshape, tqi_run_squeeze, tqi_run_expand_dims, tqi_run_shape,
    tqi_run_rank, tqi_run_fill, tqi_run_range, tqi_run_zeros_like, tqi_run_quantize,
    tqi_run_dequantize;

/* rearrange.c: the same numbers in other places */
extern tqi_run_operator tqi_run_transpose, tqi_run_broadcast_to, tqi_run_tile, tqi_run_reverse_v2,
    tqi_run_space_to_depth, tqi_run_depth_to_space, tqi_run_space_to_batch_nd,
    tqi_run_batch_to_space_nd;

/* join.c: values into one, and one into several */
extern tqi_run_operator tqi_run_concatenation, tqi_run_pack, tqi_run_unpack, tqi_run_split,
    tqi_run_split_v;

/* slice.c: parts, and parts in something larger */
extern tqi_run_operator tqi_run_slice, tqi_run_strided_slice, tqi_run_dynamic_update_slice,
    tqi_run_pad, tqi_run_padv2, tqi_run_mirror_pad;

/* resize.c */
extern tqi_run_operator tqi_run_resize_bilinear, tqi_run_resize_nearest_neighbor;

/* lookup.c */
extern tqi_run_operator tqi_run_gather, tqi_run_gather_nd, tqi_run_embedding_lookup,
    tqi_run_one_hot;

/* composite.c */
extern tqi_run_operator tqi_run_composite;

/* custom.c: whichever is known by its name */
extern tqi_run_operator tqi_run_custom;

/* topk.c */
extern tqi_run_operator tqi_run_topk_v2;

#endif
