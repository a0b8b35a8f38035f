/* SPDX-License-Identifier: Apache-2.0 */
/* Scales and zero points of a tensor, of the file or as they will be written. */
#ifndef TQI_CHECK_SCALES_H
#define TQI_CHECK_SCALES_H

#include "tflite/graph.h"

typedef struct tqi_scales {
    const tqi_view *view;
    tqi_vector scale, zero_point; /* of the file */
    const float *made;            /* instead; NULL: not computed yet */
    bool is_made;
    bool is_blockwise; /* or multi-axis: its scales are a tensor of their own */
    uint32_t count;    /* of scales; 0: not quantized, or by blocks */
    int32_t dim;
} tqi_scales;

void tqi_scales_of(const tqi_graph *graph, const tqi_tensor *tensor, tqi_scales *scales);
/* false: it is not known yet. */
bool tqi_scale_at(const tqi_scales *scales, uint32_t index, float *scale);
int64_t tqi_zero_point_at(const tqi_scales *scales, uint32_t index);

/* One scale, and it is known. */
bool tqi_one_scale(const tqi_graph *graph, const tqi_tensor *tensor, float *scale,
                   int64_t *zero_point);

/* INT8, UINT8, INT16, and the smaller ones. */
bool tqi_is_quantized_type(int32_t type);
/* FLOAT32 and smaller floats. */
bool tqi_is_float_type(int32_t type);

#endif
