/* SPDX-License-Identifier: Apache-2.0 */
#include "check/rules.h"

#include <stddef.h>

/* What fails first comes first. */
static const tqi_check_rule *const rules[] = {
    /* clang-format off */
    &tqi_rule_operator_version,
    &tqi_rule_custom_operator,
    &tqi_rule_constant_size,
    &tqi_rule_quantization_form,
    &tqi_rule_operator_order,
    &tqi_rule_shapes,
    &tqi_rule_broadcast_to,
    &tqi_rule_late_shape,
    &tqi_rule_missing_scale,
    &tqi_rule_scale_range,
    &tqi_rule_same_scales,
    &tqi_rule_fixed_scales,
    &tqi_rule_rescale_range,
    &tqi_rule_hybrid_form,
    &tqi_rule_blockwise_form,
    &tqi_rule_channel_scales,
    &tqi_rule_raw_integers,
    &tqi_rule_int16_form,
    &tqi_rule_gpu_operator,
    &tqi_rule_gpu_tensor,
    &tqi_rule_gpu_dynamic_range,
    &tqi_rule_gpu_dequantized_weights,
    &tqi_rule_gpu_relu_0_to_1,
    &tqi_rule_gpu_output_read,
    &tqi_rule_nnapi_operator,
    &tqi_rule_xnnpack_operator,
    &tqi_rule_xnnpack_half_bias,
    &tqi_rule_micro_operator,
    &tqi_rule_int8_operator,
    &tqi_rule_npu_channel_scales,
    &tqi_rule_not_finite,
    &tqi_rule_zero_channels,
    &tqi_rule_channel_spread,
    &tqi_rule_bias_overflow,
    &tqi_rule_joined_ranges,
    /* clang-format on */
};

const tqi_check_rule *tqi_check_rule_at(uint32_t index) {
    return index < sizeof rules / sizeof *rules ? rules[index] : NULL;
}

bool tqi_check_reads_ranges(uint32_t target) {
    return tqi_rule_joined_ranges.targets >> target & 1;
}
