/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, pooling and resizing of images [batch, height, width, channels]. */
#include <inttypes.h>
#include <stdio.h>

#include "check/infer.h"
#include "tflite/builtins.h"

typedef struct window {
    int32_t padding; /* 0: SAME, 1: VALID */
    int32_t stride[2], dilation[2];
    int32_t size[2]; /* height, width */
} window;

/* Height (0) or width (1) of the output; what is wrong, or NULL. */
static const char *slide_one(int64_t in, const window *w, int i, int64_t *out) {
    int64_t step = w->stride[i], reach = ((int64_t)w->size[i] - 1) * w->dilation[i] + 1;
    if (step <= 0 || w->dilation[i] <= 0)
        return "its stride or dilation is not above zero";
    if (w->size[i] <= 0 || w->padding < 0 || w->padding > 1)
        return "its window or padding is impossible";
    *out = w->padding == 0 ? (in + step - 1) / step : (in + step - reach) / step;
    return *out < 0 ? "its window is larger than its input" : NULL;
}

static tqi_fit slide(tqi_infer *infer, const tqi_shape *input, const window *w, int64_t out[2]) {
    for (int i = 0; i < 2; i++) {
        const char *wrong = slide_one(input->dims[1 + i], w, i, &out[i]);
        if (wrong)
            return tqi_infer_refuses(infer, "%s", wrong);
    }
    return TQI_FITS;
}

/* A bias has one value for each channel of the output; one that is left out is no matter here. */
static tqi_fit check_bias(tqi_infer *infer, uint32_t index, int64_t channels) {
    const tqi_shape *bias = tqi_infer_input(infer, index);
    uint64_t n;
    if (index < infer->op->n_inputs && tqi_shape_elements(bias, &n) && n != (uint64_t)channels)
        return tqi_infer_refuses(infer, "its bias has %" PRIu64 " values for %" PRId64 " channels",
                                 n, channels);
    return TQI_FITS;
}

/* true: all dimensions from the second on are above zero */
static bool is_image(const tqi_shape *shape) {
    return shape->rank == 4 && shape->dims[1] > 0 && shape->dims[2] > 0 && shape->dims[3] > 0;
}

static tqi_fit images(tqi_infer *infer, const tqi_shape *input, const tqi_shape *filter) {
    if (!input->known || !filter->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "with weights", filter);
    if (!is_image(input) || !is_image(filter))
        return tqi_infer_refuses(infer,
                                 "its input and weights must have four dimensions, none empty");
    return TQI_FITS;
}

static tqi_fit same_types(tqi_infer *infer, const tqi_shape *input) {
    if (infer->shapes[infer->op->outputs[0]].type != input->type)
        return tqi_infer_refuses(infer, "its input and output are of different types");
    return TQI_FITS;
}

tqi_fit tqi_infer_conv_2d(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *filter = tqi_infer_input(infer, 1);
    uint32_t o = tqi_infer_options(infer, TQI_INFER_CONV_2D);
    int64_t out[2] = {0, 0};
    tqi_fit fit = images(infer, input, filter);
    if (fit != TQI_FITS)
        return fit;
    if (filter->dims[0] <= 0 || input->dims[3] % filter->dims[3] != 0)
        return tqi_infer_refuses(infer,
                                 "its input has %" PRId32 " channels, its weights are for %" PRId32,
                                 input->dims[3], filter->dims[3]);
    if (filter->dims[0] % (input->dims[3] / filter->dims[3]) != 0)
        return tqi_infer_refuses(infer, "its output channels can't be shared out to its groups");
    if (infer->op->n_inputs < 3 || !tqi_infer_has(infer, 2))
        return tqi_infer_refuses(infer, "it has no bias");
    const window w = {tqi_infer_i8(infer, o, 0, 0),
                      {tqi_infer_i32(infer, o, 2, 0), tqi_infer_i32(infer, o, 1, 0)},
                      {tqi_infer_i32(infer, o, 5, 1), tqi_infer_i32(infer, o, 4, 1)},
                      {filter->dims[1], filter->dims[2]}};
    fit = slide(infer, input, &w, out);
    if (fit == TQI_FITS)
        fit = check_bias(infer, 2, filter->dims[0]);
    if (fit == TQI_FITS)
        fit = same_types(infer, input);
    if (fit != TQI_FITS)
        return fit;
    return tqi_infer_output(infer, 0, 4,
                            (int64_t[]){input->dims[0], out[0], out[1], filter->dims[0]});
}

tqi_fit tqi_infer_depthwise(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *filter = tqi_infer_input(infer, 1);
    uint32_t o = tqi_infer_options(infer, TQI_INFER_DEPTHWISE_CONV_2D);
    int64_t out[2] = {0, 0};
    tqi_fit fit = images(infer, input, filter);
    if (fit != TQI_FITS)
        return fit;
    if (filter->dims[0] != 1 || filter->dims[3] % input->dims[3] != 0)
        return tqi_infer_refuses(infer,
                                 "its input has %" PRId32 " channels, its weights are for %" PRId32,
                                 input->dims[3], filter->dims[3]);
    const window w = {tqi_infer_i8(infer, o, 0, 0),
                      {tqi_infer_i32(infer, o, 2, 0), tqi_infer_i32(infer, o, 1, 0)},
                      {tqi_infer_i32(infer, o, 6, 1), tqi_infer_i32(infer, o, 5, 1)},
                      {filter->dims[1], filter->dims[2]}};
    fit = slide(infer, input, &w, out);
    if (fit == TQI_FITS)
        fit = check_bias(infer, 2, filter->dims[3]);
    if (fit == TQI_FITS)
        fit = same_types(infer, input);
    if (fit == TQI_FITS && infer->op->n_inputs == 3 && tqi_infer_input(infer, 2)->known &&
        tqi_infer_input(infer, 2)->rank != 1)
        return tqi_infer_refuses(infer, "its bias is not a vector");
    if (fit != TQI_FITS)
        return fit;
    return tqi_infer_output(infer, 0, 4,
                            (int64_t[]){input->dims[0], out[0], out[1], filter->dims[3]});
}

/* A convolution of the output must give the input's height and width. */
static tqi_fit slides_back(tqi_infer *infer, const tqi_shape *input, const tqi_shape *filter,
                           const int64_t *dims) {
    uint32_t o = tqi_infer_options(infer, TQI_INFER_TRANSPOSE_CONV);
    const window w = {tqi_infer_i8(infer, o, 0, 0),
                      {tqi_infer_i32(infer, o, 2, 0), tqi_infer_i32(infer, o, 1, 0)},
                      {1, 1},
                      {filter->dims[1], filter->dims[2]}};
    for (int i = 0; i < 2; i++) {
        int64_t in = 0;
        if (dims[1 + i] <= 0 || dims[1 + i] > INT32_MAX)
            return tqi_infer_refuses(infer, "its output would be empty");
        if (slide_one(dims[1 + i], &w, i, &in) != NULL || in != input->dims[1 + i])
            return tqi_infer_refuses(infer,
                                     "an output of %" PRId64
                                     " does not come of an input of %" PRId32 " along dimension %d",
                                     dims[1 + i], input->dims[1 + i], 1 + i);
    }
    return TQI_FITS;
}

tqi_fit tqi_infer_transpose_conv(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 2), *filter = tqi_infer_input(infer, 1);
    uint32_t o = tqi_infer_options(infer, TQI_INFER_TRANSPOSE_CONV), count = 0;
    const int64_t *dims = NULL;
    tqi_fit fit = images(infer, input, filter);
    if (fit != TQI_FITS)
        return fit;
    if (filter->dims[0] <= 0 || input->dims[3] != filter->dims[3])
        return tqi_infer_refuses(infer,
                                 "its input has %" PRId32 " channels, its weights are for %" PRId32,
                                 input->dims[3], filter->dims[3]);
    if (tqi_infer_i32(infer, o, 1, 0) <= 0 || tqi_infer_i32(infer, o, 2, 0) <= 0)
        return tqi_infer_refuses(infer, "its stride is not above zero");
    if (tqi_infer_input(infer, 0)->known && tqi_infer_input(infer, 0)->rank != 1)
        return tqi_infer_refuses(infer, "its output shape is not a vector");
    fit = check_bias(infer, 3, filter->dims[0]);
    if (fit == TQI_FITS)
        fit = same_types(infer, input);
    if (fit == TQI_FITS)
        fit = tqi_infer_values(infer, 0, &dims, &count);
    if (fit != TQI_FITS)
        return fit;
    if (count != 4)
        return tqi_infer_refuses(infer, "its output shape has %" PRIu32 " dimensions", count);
    fit = slides_back(infer, input, filter, dims);
    return fit == TQI_FITS ? tqi_infer_output(infer, 0, 4, dims) : fit;
}

tqi_fit tqi_infer_pool(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    uint32_t o = tqi_infer_options(infer, TQI_INFER_POOL_2D);
    int64_t out[2] = {0, 0};
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    const window w = {tqi_infer_i8(infer, o, 0, 0),
                      {tqi_infer_i32(infer, o, 2, 0), tqi_infer_i32(infer, o, 1, 0)},
                      {1, 1},
                      {tqi_infer_i32(infer, o, 4, 0), tqi_infer_i32(infer, o, 3, 0)}};
    char text[TQI_SHAPE_TEXT];
    snprintf(infer->what, sizeof infer->what, "%s with a window of %" PRId32 " times %" PRId32,
             tqi_shape_text(input, text), w.size[0], w.size[1]);
    if (input->rank != 4)
        return tqi_infer_refuses(infer, "its input has not four dimensions");
    if (w.stride[0] <= 0 || w.stride[1] <= 0)
        return tqi_infer_refuses(infer, "its stride is not above zero");
    /* nothing comes of a window that does not fit */
    for (int i = 0; i < 2; i++)
        if (slide_one(input->dims[1 + i], &w, i, &out[i]) != NULL)
            out[i] = 0;
    tqi_fit fit = same_types(infer, input);
    if (fit != TQI_FITS)
        return fit;
    return tqi_infer_output(infer, 0, 4,
                            (int64_t[]){input->dims[0], out[0], out[1], input->dims[3]});
}

tqi_fit tqi_infer_resize(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *sizes = tqi_infer_input(infer, 1);
    const int64_t *size = NULL;
    uint32_t count = 0;
    tqi_infer_type(infer, 0, input->type);
    if (!input->known || !sizes->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "to a size of shape", sizes);
    if (input->rank != 4)
        return tqi_infer_refuses(infer, "its input has not four dimensions");
    if (sizes->rank != 1 || sizes->dims[0] != 2 || sizes->type != TQI_TYPE_INT32)
        return tqi_infer_refuses(infer, "its size is not two values of INT32");
    tqi_fit fit = tqi_infer_values(infer, 1, &size, &count);
    if (fit != TQI_FITS)
        return fit;
    uint32_t o = tqi_infer_options(infer, TQI_INFER_RESIZE_BILINEAR);
    if (tqi_infer_i8(infer, o, 2, 0) && tqi_infer_i8(infer, o, 3, 0))
        return tqi_infer_quotes(infer,
                                "If half_pixel_centers is True, align_corners must be False.");
    if (infer->builtin == TQI_BUILTIN_RESIZE_BILINEAR && (size[0] <= 0 || size[1] <= 0))
        return tqi_infer_refuses(infer, "its size is not above zero");
    return tqi_infer_output(infer, 0, 4,
                            (int64_t[]){input->dims[0], size[0], size[1], input->dims[3]});
}
