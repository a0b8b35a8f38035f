/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D: rows of patches times the filters. */
#include <string.h>

#include "execute/share.h"
#include "execute/window.h"

enum { OPTIONS = 1 };
enum { PADDING, STRIDE_W, STRIDE_H, ACTIVATION, DILATION_W, DILATION_H };

typedef struct conv {
    const float *x, *filter, *bias;
    tqi_axis h, w;
    size_t pixels; /* of all outputs */
    size_t in_channels;
    size_t channels;           /* that a filter reads: those of its group */
    size_t filters, in_groups; /* in all; of a group */
    size_t depth;              /* of a patch */
    int32_t activation;
    float *y;
} conv;

static tq_status set_up(const tqi_call *call, conv *c, tq_error *error) {
    const tqi_value *x = NULL, *filter = NULL;
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, &x, error));
    TQI_TRY(tqi_call_input(call, 1, TQI_TYPE_FLOAT32, &filter, error));
    if (x->rank != 4 || filter->rank != 4)
        return tqi_call_refuse(call, error, "the input and the filter must have 4 dimensions");
    uint32_t o = tqi_call_options(call, OPTIONS);
    c->h = (tqi_axis){.in = x->shape[1],
                      .taps = filter->shape[1],
                      .stride = tqi_option_i32(call, o, STRIDE_H, 0),
                      .dilation = tqi_option_i32(call, o, DILATION_H, 1)};
    c->w = (tqi_axis){.in = x->shape[2],
                      .taps = filter->shape[2],
                      .stride = tqi_option_i32(call, o, STRIDE_W, 0),
                      .dilation = tqi_option_i32(call, o, DILATION_W, 1)};
    int32_t padding = tqi_option_i8(call, o, PADDING, TQI_PADDING_SAME);
    c->activation = tqi_option_i8(call, o, ACTIVATION, 0);
    if (!tqi_axis_set(&c->h, padding) || !tqi_axis_set(&c->w, padding) ||
        !tqi_activation_known(c->activation))
        return tqi_call_refuse(call, error, "its options and shapes make no convolution");
    if (filter->shape[0] == 0 || filter->shape[3] == 0 || x->shape[3] % filter->shape[3] != 0 ||
        x->shape[3] == 0 || filter->shape[0] % (x->shape[3] / filter->shape[3]) != 0)
        return tqi_call_refuse(call, error, "the channels do not fall into groups");
    c->pixels = (size_t)x->shape[0] * (size_t)c->h.out * (size_t)c->w.out;
    c->in_channels = (size_t)x->shape[3];
    c->channels = (size_t)filter->shape[3];
    c->filters = (size_t)filter->shape[0];
    c->in_groups = c->filters / (c->in_channels / c->channels);
    c->depth = (size_t)(filter->elements / c->filters);
    TQI_TRY(tqi_call_bias(call, 2, c->filters, &c->bias, error));
    TQI_TRY(tqi_call_work(call, c->pixels, c->depth, c->filters, error));
    tqi_value *y = NULL;
    const int64_t shape[] = {x->shape[0], c->h.out, c->w.out, filter->shape[0]};
    TQI_TRY(tqi_call_make(call, 0, TQI_TYPE_FLOAT32, 4, shape, &y, error));
    c->x = tqi_floats(x);
    c->filter = tqi_floats(filter);
    c->y = tqi_floats(y);
    return TQ_OK;
}

/* ---- patches ---- */

static float *put_zeros(float *to, size_t n) {
    memset(to, 0, n * sizeof *to);
    return to + n;
}

static float *put(float *to, const float *from, size_t n) {
    memcpy(to, from, n * sizeof *to);
    return to + n;
}

/* A row of taps: `row` is its row of the image. */
static float *put_row(const conv *c, const float *row, int64_t first, float *to) {
    const tqi_axis *w = &c->w;
    size_t n = c->channels;
    if (w->dilation == 1 && n == c->in_channels) { /* all one behind the other */
        int64_t left = first < 0 ? -first : 0;
        int64_t right = w->in - first < w->taps ? w->in - first : w->taps;
        left = left > w->taps ? w->taps : left;
        right = right < left ? left : right;
        if (left > 0)
            to = put_zeros(to, (size_t)left * n);
        to = put(to, row + (first + left) * (int64_t)n, (size_t)(right - left) * n);
        return right < w->taps ? put_zeros(to, (size_t)(w->taps - right) * n) : to;
    }
    for (int64_t k = 0; k < w->taps; k++) {
        int64_t at = first + k * w->dilation;
        if (at < 0 || at >= w->in)
            to = put_zeros(to, n);
        else
            to = put(to, row + (size_t)at * c->in_channels, n);
    }
    return to;
}

/* `pixel` counts the outputs of all images. */
static void put_patch(const conv *c, size_t pixel, size_t group, float *to) {
    size_t width = (size_t)c->w.out, height = (size_t)c->h.out;
    size_t image = pixel / width / height;
    int64_t y = (int64_t)(pixel / width % height) * c->h.stride - c->h.before;
    int64_t x = (int64_t)(pixel % width) * c->w.stride - c->w.before;
    size_t line = (size_t)c->w.in * c->in_channels;
    const float *from = c->x + image * (size_t)c->h.in * line + group * c->channels;
    for (int64_t k = 0; k < c->h.taps; k++) {
        int64_t at = y + k * c->h.dilation;
        if (at < 0 || at >= c->h.in)
            to = put_zeros(to, (size_t)c->w.taps * c->channels);
        else
            to = put_row(c, from + (size_t)at * line, x, to);
    }
}

/* ---- the product ---- */

/* Patches are just the pixels of the input. */
static bool reads_pixels(const conv *c) {
    return c->h.taps == 1 && c->w.taps == 1 && c->h.stride == 1 && c->w.stride == 1;
}

/* A group of channels. */
typedef struct group {
    const tqi_call *call;
    const conv *c;
    size_t index;
    const float *panels;
    float *patches; /* `rows` for each worker; NULL: not needed */
    size_t rows;
} group;

static void run_pixels(void *data, size_t first, size_t n, uint32_t worker) {
    const group *g = data;
    const conv *c = g->c;
    size_t filter = g->index * c->in_groups;
    float *y = c->y + first * c->filters + filter;
    float *patches = g->patches ? g->patches + worker * g->rows * c->depth : NULL;
    const float *x = patches;
    for (size_t i = 0; i < n && patches; i++)
        put_patch(c, first + i, g->index, patches + i * c->depth);
    if (!patches)
        x = c->x + first * c->in_channels + g->index * c->channels;
    tqi_multiply(g->call->gemm, x, patches ? c->depth : c->in_channels, n, g->panels, c->depth,
                 c->in_groups, y, c->filters);
    tqi_finish_rows(y, c->filters, n, c->in_groups, c->bias ? c->bias + filter : NULL,
                    c->activation);
}

static tq_status run_group(group *g, uint32_t workers, tqi_arena *arena, tq_error *error) {
    const conv *c = g->c;
    float *panels = NULL;
    TQI_TRY(tqi_panels_new(arena, c->filter + g->index * c->in_groups * c->depth, 1, c->depth,
                           c->depth, c->in_groups, &panels, error));
    g->panels = panels;
    tqi_share_rows(g->call, workers, c->pixels, g->rows, TQI_GEMM_STEP, run_pixels, g);
    return TQ_OK;
}

static tq_status run(const tqi_call *call, const conv *c, tq_error *error) {
    tqi_arena arena, of_group;
    tqi_arena_init(&arena, call->heap);
    group g = {.call = call, .c = c, .rows = tqi_rows_at_once(c->depth, c->pixels)};
    uint32_t workers = tqi_workers(call, (uint64_t)c->pixels * c->depth * c->in_groups);
    tq_status status = TQ_OK;
    if (!reads_pixels(c))
        status = tqi_floats_new(&arena, (uint64_t)workers * g.rows * c->depth, &g.patches, error);
    for (; g.index < c->filters / c->in_groups && status == TQ_OK; g.index++) {
        tqi_arena_init(&of_group, call->heap);
        status = run_group(&g, workers, &of_group, error);
        tqi_arena_free(&of_group);
    }
    tqi_arena_free(&arena);
    return status;
}

tq_status tqi_run_conv_2d(const tqi_call *call, tq_error *error) {
    conv c = {0};
    TQI_TRY(set_up(call, &c, error));
    return run(call, &c, error);
}
