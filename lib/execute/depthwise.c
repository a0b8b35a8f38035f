/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D: sums of products along the channels, tap by tap. */
#include <string.h>

#include "execute/share.h"
#include "execute/window.h"

enum { OPTIONS = 2 };
enum { PADDING, STRIDE_W, STRIDE_H, MULTIPLIER, ACTIVATION, DILATION_W, DILATION_H };

typedef struct depthwise {
    const float *x, *filter, *bias;
    tqi_axis h, w;
    size_t images, image_size, in_channels, channels;
    size_t multiplier; /* outputs of an input channel */
    int32_t activation;
    float *image; /* a copy with room behind; NULL: it is not needed */
    const tqi_gemm *gemm;
} depthwise;

/* Of a worker. */
typedef struct taps {
    const float **from, **weight; /* of those that lie in the image */
    float *patch;                 /* NULL: they are read where they are */
} taps;

/* Rows of the output of one image. */
typedef struct rows {
    const depthwise *d;
    taps *of_workers;
    const float *image;
    float *y;
} rows;

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

/* Floats with room behind them for a vector that starts at the last. */
static tq_status new_padded(tqi_arena *arena, uint64_t count, float **out, tq_error *error) {
    TQI_TRY(tqi_floats_new(arena, count + TQI_GEMM_LANES, out, error));
    memset(*out + count, 0, TQI_GEMM_LANES * sizeof **out);
    return TQ_OK;
}

/* Lists of taps, and room where inputs make several channels each. */
static tq_status new_taps(const depthwise *d, uint32_t workers, taps *list, tqi_arena *arena,
                          tq_error *error) {
    uint64_t count = (uint64_t)d->h.taps * (uint64_t)d->w.taps;
    for (uint32_t i = 0; i < workers; i++) {
        TQI_NEW(arena, &list[i].from, count, error);
        TQI_NEW(arena, &list[i].weight, count, error);
        if (d->multiplier > 1)
            TQI_TRY(new_padded(arena, count * d->channels, &list[i].patch, error));
    }
    return TQ_OK;
}

/* Room where there are few channels for whole vectors to be read. */
static tq_status pad(depthwise *d, tqi_arena *arena, tq_error *error) {
    uint64_t weights = (uint64_t)d->h.taps * (uint64_t)d->w.taps * d->channels;
    if (d->channels >= TQI_GEMM_LANES)
        return TQ_OK;
    if (d->multiplier == 1)
        TQI_TRY(new_padded(arena, d->image_size, &d->image, error));
    float *filter = NULL;
    TQI_TRY(new_padded(arena, weights, &filter, error));
    memcpy(filter, d->filter, (size_t)weights * sizeof *filter);
    d->filter = filter;
    return TQ_OK;
}

/* The taps of the output at (oy, ox) that lie in the image. */
static size_t list_taps(const depthwise *d, const taps *list, const float *image, int64_t oy,
                        int64_t ox) {
    size_t n = 0;
    for (int64_t i = 0; i < d->h.taps; i++) {
        int64_t y = oy * d->h.stride - d->h.before + i * d->h.dilation;
        if (y < 0 || y >= d->h.in)
            continue;
        for (int64_t j = 0; j < d->w.taps; j++) {
            int64_t x = ox * d->w.stride - d->w.before + j * d->w.dilation;
            if (x < 0 || x >= d->w.in)
                continue;
            list->from[n] = image + (size_t)(y * d->w.in + x) * d->in_channels;
            list->weight[n++] = d->filter + (size_t)(i * d->w.taps + j) * d->channels;
        }
    }
    return n;
}

static void gather(const depthwise *d, const taps *list, size_t n) {
    float *to = list->patch;
    for (size_t t = 0; t < n; t++) {
        const float *from = list->from[t];
        list->from[t] = to;
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
    if (d->multiplier > 1 || first < 0 || first + reach >= w->in)
        return 1;
    int64_t last = (w->in - 1 - reach + w->before) / w->stride;
    return (last < w->out ? last + 1 : w->out) - ox;
}

static void run_row(const depthwise *d, const taps *list, const float *image, int64_t oy,
                    float *y) {
    for (int64_t ox = 0, n; ox < d->w.out; ox += n) {
        n = run_length(d, ox);
        size_t count = list_taps(d, list, image, oy, ox);
        if (d->multiplier > 1)
            gather(d, list, count);
        d->gemm->taps(list->from, list->weight, count, (size_t)n,
                      (size_t)d->w.stride * d->in_channels, d->channels,
                      y + (size_t)ox * d->channels);
    }
    tqi_finish_rows(y, d->channels, (size_t)d->w.out, d->channels, d->bias, d->activation);
}

static void run_rows(void *data, size_t first, size_t n, uint32_t worker) {
    const rows *r = data;
    size_t row = (size_t)r->d->w.out * r->d->channels;
    for (size_t i = first; i < first + n; i++)
        run_row(r->d, &r->of_workers[worker], r->image, (int64_t)i, r->y + i * row);
}

static tq_status run(const tqi_call *call, depthwise *d, float *y, tqi_arena *arena,
                     tq_error *error) {
    size_t height = (size_t)d->h.out, image = height * (size_t)d->w.out * d->channels;
    uint32_t workers = tqi_workers(call, (uint64_t)image * (uint64_t)(d->h.taps * d->w.taps));
    rows r = {.d = d};
    TQI_NEW(arena, &r.of_workers, workers, error);
    TQI_TRY(new_taps(d, workers, r.of_workers, arena, error));
    TQI_TRY(pad(d, arena, error));
    for (size_t i = 0; i < d->images; i++) {
        r.image = d->x + i * d->image_size;
        r.y = y + i * image;
        if (d->image)
            r.image = memcpy(d->image, r.image, d->image_size * sizeof *r.image);
        tqi_share_rows(call, workers, height, height, 1, run_rows, &r);
    }
    return TQ_OK;
}

tq_status tqi_run_depthwise_conv_2d(const tqi_call *call, tq_error *error) {
    depthwise d = {0};
    float *y = NULL;
    TQI_TRY(set_up(call, &d, &y, error));
    tqi_arena arena;
    tqi_arena_init(&arena, call->heap);
    tq_status status = run(call, &d, y, &arena, error);
    tqi_arena_free(&arena);
    return status;
}
