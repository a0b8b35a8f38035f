/* SPDX-License-Identifier: Apache-2.0 */
/* TRANSPOSE_CONV, and MediaPipe's Convolution2DTransposeBias. Outputs whose places differ by
 * multiples of the strides (a phase) read the same taps, so each phase is a convolution with a part
 * of the filter. */
#include <string.h>

#include "execute/custom.h"
#include "execute/share.h"
#include "execute/window.h"

enum { OPTIONS = 49 };
enum { PADDING, STRIDE_W, STRIDE_H, ACTIVATION };

/* What setting up a phase costs, in multiply-adds. */
enum { OF_A_PHASE = 1 << 12 };

/* One axis; `before` is what the output is padded with. */
typedef struct phase_axis {
    int64_t in, out, taps, stride, before;
    int64_t first, used, start; /* of a phase: first tap, taps, input - output step at output 0 */
    int64_t begin, count;       /* first output, outputs */
} phase_axis;

typedef struct transposed {
    const float *x, *filter, *bias;
    phase_axis h, w;
    size_t images, in_channels, channels;
    int32_t activation;
    float *y;
} transposed;

static bool set_axis(phase_axis *axis, int32_t padding) {
    /* LiteRT pads as the convolution from the output to the input would */
    tqi_axis back = {.in = axis->out, .taps = axis->taps, .stride = axis->stride, .dilation = 1};
    if (padding != TQI_PADDING_SAME && padding != TQI_PADDING_VALID)
        return false;
    if (!tqi_axis_set(&back, padding))
        return padding == TQI_PADDING_VALID && axis->out > 0 && axis->taps > 0 &&
               axis->stride > 0; /* an output smaller than the filter is cut off */
    axis->before = back.before;
    return true;
}

/* For axes that are known. */
static tq_status finish_set_up(const tqi_call *call, transposed *t, const tqi_value *x,
                               const tqi_value *filter, uint32_t bias, tq_error *error) {
    const int64_t shape[] = {x->shape[0], t->h.out, t->w.out, filter->shape[0]};
    t->images = (size_t)x->shape[0];
    t->in_channels = (size_t)x->shape[3];
    t->channels = (size_t)filter->shape[0];
    TQI_TRY(tqi_call_bias(call, bias, t->channels, &t->bias, error));
    tqi_value *y = NULL;
    TQI_TRY(tqi_call_make(call, 0, TQI_TYPE_FLOAT32, 4, shape, &y, error));
    t->x = tqi_floats(x);
    t->filter = tqi_floats(filter);
    t->y = tqi_floats(y);
    return TQ_OK;
}

static tq_status set_up(const tqi_call *call, transposed *t, tq_error *error) {
    const tqi_value *x = NULL, *filter = NULL;
    int64_t shape[4];
    uint32_t rank = 0;
    TQI_TRY(tqi_call_numbers(call, 0, 4, shape, &rank, error));
    TQI_TRY(tqi_call_input(call, 1, TQI_TYPE_FLOAT32, &filter, error));
    TQI_TRY(tqi_call_input(call, 2, TQI_TYPE_FLOAT32, &x, error));
    if (rank != 4 || x->rank != 4 || filter->rank != 4 || shape[0] != x->shape[0] ||
        shape[3] != filter->shape[0] || x->shape[3] != filter->shape[3])
        return tqi_call_refuse(call, error, "its shapes do not fit together");
    uint32_t o = tqi_call_options(call, OPTIONS);
    t->h = (phase_axis){.in = x->shape[1],
                        .out = shape[1],
                        .taps = filter->shape[1],
                        .stride = tqi_option_i32(call, o, STRIDE_H, 0)};
    t->w = (phase_axis){.in = x->shape[2],
                        .out = shape[2],
                        .taps = filter->shape[2],
                        .stride = tqi_option_i32(call, o, STRIDE_W, 0)};
    int32_t padding = tqi_option_i8(call, o, PADDING, TQI_PADDING_SAME);
    t->activation = tqi_option_i8(call, o, ACTIVATION, 0);
    if (!set_axis(&t->h, padding) || !set_axis(&t->w, padding) ||
        !tqi_activation_known(t->activation))
        return tqi_call_refuse(call, error, "its options and shapes make no convolution");
    return finish_set_up(call, t, x, filter, 3, error);
}

/* MediaPipe pads by what is beyond the last whole step of the input, not of the output. */
static bool set_custom_axis(phase_axis *axis, int32_t padding) {
    if (axis->in <= 0 || axis->taps <= 0 || axis->stride <= 0)
        return false;
    int64_t beyond = axis->taps - (axis->in - 1) % axis->stride - 1;
    if (padding == TQI_CUSTOM_VALID || beyond < 0)
        beyond = 0;
    axis->before = beyond / 2;
    axis->out = axis->stride * (axis->in - 1) + axis->taps - beyond;
    return axis->out > 0 && (padding == TQI_CUSTOM_SAME || padding == TQI_CUSTOM_VALID);
}

static tq_status set_up_custom(const tqi_call *call, transposed *t, tq_error *error) {
    const tqi_value *x = NULL, *filter = NULL;
    int32_t o[3]; /* padding, strides of width and height */
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, &x, error));
    TQI_TRY(tqi_call_input(call, 1, TQI_TYPE_FLOAT32, &filter, error));
    TQI_TRY(tqi_custom_numbers(call, 3, o, error));
    if (x->rank != 4 || filter->rank != 4 || x->shape[3] != filter->shape[3])
        return tqi_call_refuse(call, error, "its shapes do not fit together");
    t->h = (phase_axis){.in = x->shape[1], .taps = filter->shape[1], .stride = o[2]};
    t->w = (phase_axis){.in = x->shape[2], .taps = filter->shape[2], .stride = o[1]};
    if (!set_custom_axis(&t->h, o[0]) || !set_custom_axis(&t->w, o[0]))
        return tqi_call_refuse(call, error, "its options and shapes make no convolution");
    return finish_set_up(call, t, x, filter, 2, error);
}

/* Outputs o with (o + before) % stride == phase: the q-th of them reads tap phase + k * stride
 * from input q + start - k. */
static void set_phase(phase_axis *axis, int64_t phase) {
    axis->first = phase;
    axis->used = axis->taps > phase ? (axis->taps - phase - 1) / axis->stride + 1 : 0;
    axis->begin = ((phase - axis->before) % axis->stride + axis->stride) % axis->stride;
    axis->start = (axis->begin + axis->before) / axis->stride;
    axis->count = axis->out > axis->begin ? (axis->out - axis->begin - 1) / axis->stride + 1 : 0;
}

/* The phase's taps of all filters: [filter][taps of h][taps of w][channels]. */
static void pick_taps(const transposed *t, float *to) {
    size_t n = t->in_channels;
    for (size_t f = 0; f < t->channels; f++)
        for (int64_t i = 0; i < t->h.used; i++)
            for (int64_t j = 0; j < t->w.used; j++, to += n) {
                int64_t row = t->h.first + i * t->h.stride, column = t->w.first + j * t->w.stride;
                size_t tap = ((size_t)f * (size_t)t->h.taps + (size_t)row) * (size_t)t->w.taps +
                             (size_t)column;
                memcpy(to, t->filter + tap * n, n * sizeof *to);
            }
}

static void put_patch(const transposed *t, const float *image, int64_t q_h, int64_t q_w,
                      float *to) {
    size_t n = t->in_channels;
    for (int64_t i = 0; i < t->h.used; i++)
        for (int64_t j = 0; j < t->w.used; j++, to += n) {
            int64_t y = q_h + t->h.start - i, x = q_w + t->w.start - j;
            if (y < 0 || y >= t->h.in || x < 0 || x >= t->w.in)
                memset(to, 0, n * sizeof *to);
            else
                memcpy(to, image + (size_t)(y * t->w.in + x) * n, n * sizeof *to);
        }
}

/* Where the output of a pixel of the phase goes. */
static float *place(const transposed *t, size_t image, int64_t q_h, int64_t q_w) {
    int64_t y = t->h.begin + q_h * t->h.stride, x = t->w.begin + q_w * t->w.stride;
    size_t pixel = (image * (size_t)t->h.out + (size_t)y) * (size_t)t->w.out + (size_t)x;
    return t->y + pixel * t->channels;
}

/* Of all images. */
typedef struct phase {
    const tqi_gemm *gemm;
    const transposed *t;
    size_t depth, rows;
    const float *panels;
    float *patches, *results; /* `rows` for each worker */
} phase;

static void run_pixels(void *data, size_t first, size_t n, uint32_t worker) {
    const phase *p = data;
    const transposed *t = p->t;
    size_t per_image = (size_t)(t->h.count * t->w.count);
    size_t input = (size_t)(t->h.in * t->w.in) * t->in_channels;
    float *patches = p->patches + worker * p->rows * p->depth;
    float *results = p->results + worker * p->rows * t->channels;
    for (size_t i = 0; i < n; i++) {
        int64_t q = (int64_t)((first + i) % per_image);
        put_patch(t, t->x + (first + i) / per_image * input, q / t->w.count, q % t->w.count,
                  patches + i * p->depth);
    }
    tqi_multiply(p->gemm, patches, p->depth, n, p->panels, p->depth, t->channels, results,
                 t->channels);
    tqi_finish_rows(results, t->channels, n, t->channels, t->bias, t->activation);
    for (size_t i = 0; i < n; i++) {
        int64_t q = (int64_t)((first + i) % per_image);
        memcpy(place(t, (first + i) / per_image, q / t->w.count, q % t->w.count),
               results + i * t->channels, t->channels * sizeof *results);
    }
}

static tq_status run_phase(const tqi_call *call, const transposed *t, tqi_arena *arena,
                           tq_error *error) {
    size_t depth = (size_t)(t->h.used * t->w.used) * t->in_channels;
    size_t pixels = t->images * (size_t)(t->h.count * t->w.count);
    if (pixels == 0 || t->channels == 0)
        return TQ_OK;
    TQI_TRY(tqi_call_work(call, OF_A_PHASE, 1, 1, error));
    TQI_TRY(tqi_call_work(call, pixels, depth, t->channels, error));
    uint64_t workers = tqi_workers(call, (uint64_t)pixels * depth * t->channels);
    phase p = {.gemm = call->gemm, .t = t, .depth = depth, .rows = tqi_rows_at_once(depth, pixels)};
    float *filter = NULL, *panels = NULL;
    TQI_TRY(tqi_floats_new(arena, (uint64_t)depth * t->channels, &filter, error));
    pick_taps(t, filter);
    TQI_TRY(tqi_panels_new(arena, filter, 1, depth, depth, t->channels, &panels, error));
    TQI_TRY(tqi_floats_new(arena, workers * p.rows * depth, &p.patches, error));
    TQI_TRY(tqi_floats_new(arena, workers * p.rows * t->channels, &p.results, error));
    p.panels = panels;
    tqi_share_rows(call, (uint32_t)workers, pixels, p.rows, TQI_GEMM_STEP, run_pixels, &p);
    return TQ_OK;
}

static tq_status run(const tqi_call *call, transposed *t, tq_error *error) {
    tq_status status = TQ_OK;
    for (int64_t i = 0; status == TQ_OK && i < t->h.stride && i < t->h.out; i++)
        for (int64_t j = 0; status == TQ_OK && j < t->w.stride && j < t->w.out; j++) {
            tqi_arena arena;
            tqi_arena_init(&arena, call->heap);
            set_phase(&t->h, (i + t->h.before) % t->h.stride);
            set_phase(&t->w, (j + t->w.before) % t->w.stride);
            status = run_phase(call, t, &arena, error);
            tqi_arena_free(&arena);
        }
    return status;
}

tq_status tqi_run_transpose_conv(const tqi_call *call, tq_error *error) {
    transposed t = {0};
    TQI_TRY(set_up(call, &t, error));
    return run(call, &t, error);
}

tq_status tqi_run_transpose_conv_bias(const tqi_call *call, tq_error *error) {
    transposed t = {0};
    TQI_TRY(set_up_custom(call, &t, error));
    return run(call, &t, error);
}
