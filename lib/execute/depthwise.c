/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D: sums of products along the channels, tap by tap. */
#include <string.h>

#include "execute/window.h"

enum { OPTIONS = 2 };
enum { PADDING, STRIDE_W, STRIDE_H, MULTIPLIER, ACTIVATION, DILATION_W, DILATION_H };

typedef struct depthwise {
    const float *x, *filter, *bias;
    tqi_axis h, w;
    size_t images, image_size, in_channels, channels;
    size_t multiplier; /* outputs of an input channel */
    int32_t activation;
    const float **from, **weight; /* of the taps that lie in the image */
    float *patch;                 /* NULL: they are read where they are */
    float *image;                 /* a copy with room behind; NULL: it is not needed */
    const tqi_gemm *gemm;
} depthwise;

static tq_status set_up(const tqi_call *call, depthwise *d, float **out, tq_error *error) {
    const tqi_value *x = NULL, *filter = NULL;
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, &x, error));
    TQI_TRY(tqi_call_input(call, 1, TQI_TYPE_FLOAT32, &filter, error));
    if (x->rank != 4 || filter->rank != 4 || filter->shape[0] != 1)
        return tqi_call_refuse(call, error, "the input and the filter have unfit dimensions");
    uint32_t o = tqi_call_options(call, OPTIONS);
    d->h = (tqi_axis){.in = x->shape[1],
                      .taps = filter->shape[1],
                      .stride = tqi_option_i32(call, o, STRIDE_H, 0),
                      .dilation = tqi_option_i32(call, o, DILATION_H, 1)};
    d->w = (tqi_axis){.in = x->shape[2],
                      .taps = filter->shape[2],
                      .stride = tqi_option_i32(call, o, STRIDE_W, 0),
                      .dilation = tqi_option_i32(call, o, DILATION_W, 1)};
    int32_t padding = tqi_option_i8(call, o, PADDING, TQI_PADDING_SAME);
    d->activation = tqi_option_i8(call, o, ACTIVATION, 0);
    if (!tqi_axis_set(&d->h, padding) || !tqi_axis_set(&d->w, padding) ||
        !tqi_activation_known(d->activation))
        return tqi_call_refuse(call, error, "its options and shapes make no convolution");
    /* the option says the same, or what older files leave out */
    if (x->shape[3] == 0 || filter->shape[3] == 0 || filter->shape[3] % x->shape[3] != 0)
        return tqi_call_refuse(call, error, "the filter has another number of channels");
    d->images = (size_t)x->shape[0];
    d->in_channels = (size_t)x->shape[3];
    d->image_size = (size_t)(d->h.in * d->w.in) * d->in_channels;
    d->channels = (size_t)filter->shape[3];
    d->multiplier = d->channels / d->in_channels;
    TQI_TRY(tqi_call_bias(call, 2, d->channels, &d->bias, error));
    TQI_TRY(tqi_call_work(call, (uint64_t)d->h.out * (uint64_t)d->w.out, d->images,
                          filter->elements, error));
    tqi_value *y = NULL;
    const int64_t shape[] = {x->shape[0], d->h.out, d->w.out, filter->shape[3]};
    TQI_TRY(tqi_call_make(call, 0, TQI_TYPE_FLOAT32, 4, shape, &y, error));
    d->x = tqi_floats(x);
    d->filter = tqi_floats(filter);
    d->gemm = call->gemm;
    *out = tqi_floats(y);
    return TQ_OK;
}

/* Lists of taps, and room: where inputs make several channels each for these, where there are
 * few channels for whole vectors to be read. */
static tq_status prepare(depthwise *d, tqi_arena *arena, tq_error *error) {
    uint64_t taps = (uint64_t)d->h.taps * (uint64_t)d->w.taps;
    TQI_NEW(arena, &d->from, taps, error);
    TQI_NEW(arena, &d->weight, taps, error);
    if (d->multiplier > 1)
        TQI_TRY(tqi_floats_new(arena, taps * d->channels + TQI_GEMM_LANES, &d->patch, error));
    if (d->channels >= TQI_GEMM_LANES)
        return TQ_OK;
    if (d->multiplier == 1)
        TQI_TRY(tqi_floats_new(arena, d->image_size + TQI_GEMM_LANES, &d->image, error));
    float *filter = NULL;
    TQI_TRY(tqi_floats_new(arena, taps * d->channels + TQI_GEMM_LANES, &filter, error));
    memcpy(filter, d->filter, (size_t)taps * d->channels * sizeof *filter);
    d->filter = filter;
    return TQ_OK;
}

/* The taps of the output at (oy, ox) that lie in the image. */
static size_t list_taps(const depthwise *d, const float *image, int64_t oy, int64_t ox) {
    size_t n = 0;
    for (int64_t i = 0; i < d->h.taps; i++) {
        int64_t y = oy * d->h.stride - d->h.before + i * d->h.dilation;
        if (y < 0 || y >= d->h.in)
            continue;
        for (int64_t j = 0; j < d->w.taps; j++) {
            int64_t x = ox * d->w.stride - d->w.before + j * d->w.dilation;
            if (x < 0 || x >= d->w.in)
                continue;
            d->from[n] = image + (size_t)(y * d->w.in + x) * d->in_channels;
            d->weight[n++] = d->filter + (size_t)(i * d->w.taps + j) * d->channels;
        }
    }
    return n;
}

static void gather(const depthwise *d, size_t taps) {
    float *to = d->patch;
    for (size_t t = 0; t < taps; t++) {
        const float *from = d->from[t];
        d->from[t] = to;
        for (size_t c = 0; c < d->in_channels; c++)
            for (size_t m = 0; m < d->multiplier; m++)
                *to++ = from[c];
    }
}

/* Outputs from `ox` on that have all taps of their rows in the image; the one at `ox` at
 * least. */
static int64_t run_length(const depthwise *d, int64_t ox) {
    const tqi_axis *w = &d->w;
    int64_t first = ox * w->stride - w->before, reach = (w->taps - 1) * w->dilation;
    if (d->patch || first < 0 || first + reach >= w->in)
        return 1;
    int64_t last = (w->in - 1 - reach + w->before) / w->stride;
    return (last < w->out ? last + 1 : w->out) - ox;
}

static void run_row(const depthwise *d, const float *image, int64_t oy, float *y) {
    for (int64_t ox = 0, n; ox < d->w.out; ox += n) {
        n = run_length(d, ox);
        size_t taps = list_taps(d, image, oy, ox);
        if (d->patch)
            gather(d, taps);
        d->gemm->taps(d->from, d->weight, taps, (size_t)n, (size_t)d->w.stride * d->in_channels,
                      d->channels, y + (size_t)ox * d->channels);
    }
    tqi_finish_rows(y, d->channels, (size_t)d->w.out, d->channels, d->bias, d->activation);
}

tq_status tqi_run_depthwise_conv_2d(const tqi_call *call, tq_error *error) {
    depthwise d = {0};
    float *y = NULL;
    TQI_TRY(set_up(call, &d, &y, error));
    tqi_arena arena;
    tqi_arena_init(&arena, call->heap);
    tq_status status = prepare(&d, &arena, error);
    for (size_t i = 0; i < d.images && status == TQ_OK; i++) {
        const float *image = d.x + i * d.image_size;
        if (d.image)
            image = memcpy(d.image, image, d.image_size * sizeof *image);
        for (int64_t oy = 0; oy < d.h.out; oy++, y += (size_t)d.w.out * d.channels)
            run_row(&d, image, oy, y);
    }
    tqi_arena_free(&arena);
    return status;
}
