/* SPDX-License-Identifier: Apache-2.0 */
#include "check/scales.h"

void tqi_scales_of(const tqi_graph *graph, const tqi_tensor *tensor, tqi_scales *scales) {
    enum { CUSTOM = 1 };
    *scales = (tqi_scales){.view = &graph->view};
    if (tensor->quantization) {
        scales->is_made = true;
        scales->made = tensor->quantization->scale;
        scales->count = tensor->quantization->count;
        scales->dim = tensor->quantization->dim;
        return;
    }
    uint32_t q = tensor->old_quantization;
    if (!q)
        return;
    scales->is_blockwise = tqi_get_i8(scales->view, q, TQI_QUANT_DETAILS_TYPE, 0) > CUSTOM;
    scales->scale = tqi_get_vector(scales->view, q, TQI_QUANT_SCALE);
    scales->zero_point = tqi_get_vector(scales->view, q, TQI_QUANT_ZERO_POINT);
    scales->count = scales->is_blockwise ? 0 : scales->scale.count;
    scales->dim = tqi_get_i32(scales->view, q, TQI_QUANT_QUANTIZED_DIMENSION, 0);
}

bool tqi_scale_at(const tqi_scales *scales, uint32_t index, float *scale) {
    if (index >= scales->count || (scales->is_made && !scales->made))
        return false;
    if (scales->is_made) {
        *scale = scales->made[index];
        return true;
    }
    memcpy(scale, scales->view->data + scales->scale.at + 4 * index, sizeof *scale);
    return true;
}

int64_t tqi_zero_point_at(const tqi_scales *scales, uint32_t index) {
    if (scales->is_made || index >= scales->zero_point.count)
        return 0;
    return (int64_t)tqi_load_u64(scales->view->data + scales->zero_point.at + 8 * index);
}

bool tqi_one_scale(const tqi_graph *graph, const tqi_tensor *tensor, float *scale,
                   int64_t *zero_point) {
    tqi_scales scales;
    if (!tensor)
        return false;
    tqi_scales_of(graph, tensor, &scales);
    *zero_point = tqi_zero_point_at(&scales, 0);
    return scales.count == 1 && tqi_scale_at(&scales, 0, scale);
}

bool tqi_is_quantized_type(int32_t type) {
    return type == TQI_TYPE_INT8 || type == TQI_TYPE_UINT8 || type == TQI_TYPE_INT16 ||
           type == TQI_TYPE_INT4 || type == TQI_TYPE_UINT4 || type == TQI_TYPE_INT2;
}

bool tqi_is_float_type(int32_t type) {
    return type == TQI_TYPE_FLOAT32 || type == TQI_TYPE_FLOAT16 || type == TQI_TYPE_BFLOAT16;
}
