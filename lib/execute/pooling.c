/* SPDX-License-Identifier: Apache-2.0 */
/* Windows over height and width. Padding is left out: of an average, only what lies inside counts.
 */
#include "execute/families.h"

#include <math.h>

#include "execute/call.h"

enum { PADDING_SAME, PADDING_VALID };

typedef struct pool {
    int64_t in_height, in_width, out_height, out_width;
    int64_t filter_height, filter_width, stride_height, stride_width, pad_top, pad_left;
    size_t channels;
} pool;

/* What a window does to the channels of one output: begins, takes each input, ends. */
typedef struct pool_steps {
    float start;
    void (*take)(float *restrict out, const float *in, size_t channels);
    void (*finish)(float *out, size_t channels, float count);
} pool_steps;

static void take_sum(float *restrict out, const float *in, size_t channels) {
    for (size_t c = 0; c < channels; c++)
        out[c] += in[c];
}

static void take_squares(float *restrict out, const float *in, size_t channels) {
    for (size_t c = 0; c < channels; c++)
        out[c] += in[c] * in[c];
}

static void take_largest(float *restrict out, const float *in, size_t channels) {
    for (size_t c = 0; c < channels; c++)
        out[c] = in[c] > out[c] ? in[c] : out[c];
}

static void finish_average(float *out, size_t channels, float count) {
    for (size_t c = 0; c < channels; c++)
        out[c] /= count;
}

static void finish_norm(float *out, size_t channels, float count) {
    for (size_t c = 0; c < channels; c++)
        out[c] = sqrtf(out[c] / count);
}

static void finish_nothing(float *out, size_t channels, float count) {
    (void)out;
    (void)channels;
    (void)count;
}

static void one_window(const pool *p, const pool_steps *steps, const float *image, int64_t top,
                       int64_t left, float *out) {
    int64_t y0 = top < 0 ? 0 : top, x0 = left < 0 ? 0 : left;
    int64_t y1 = top + p->filter_height, x1 = left + p->filter_width;
    y1 = y1 > p->in_height ? p->in_height : y1;
    x1 = x1 > p->in_width ? p->in_width : x1;
    for (size_t c = 0; c < p->channels; c++)
        out[c] = steps->start;
    for (int64_t y = y0; y < y1; y++)
        for (int64_t x = x0; x < x1; x++)
            steps->take(out, image + (size_t)(y * p->in_width + x) * p->channels, p->channels);
    steps->finish(out, p->channels, (float)((y1 - y0) * (x1 - x0)));
}

/* Output size; *pad is what lies before the input. */
static int64_t windows(int64_t in, int64_t filter, int64_t stride, int32_t padding, int64_t *pad) {
    int64_t out = padding == PADDING_SAME ? (in + stride - 1) / stride
                  : in < filter           ? 0
                                          : (in + stride - filter) / stride;
    int64_t missing = (out - 1) * stride + filter - in;
    *pad = padding == PADDING_SAME && missing > 0 ? missing / 2 : 0;
    return out;
}

static tq_status prepare(const tqi_call *call, const tqi_value *input, pool *p, tq_error *error) {
    uint32_t options = tqi_call_options(call, TQI_OPTIONS_POOL_2D);
    int32_t padding = tqi_option_i8(call, options, 0, 0);
    p->stride_width = tqi_option_i32(call, options, 1, 0);
    p->stride_height = tqi_option_i32(call, options, 2, 0);
    p->filter_width = tqi_option_i32(call, options, 3, 0);
    p->filter_height = tqi_option_i32(call, options, 4, 0);
    if (input->rank != 4)
        return tqi_call_refuse(call, error, "its input has not four dimensions");
    if (p->stride_width < 1 || p->stride_height < 1 || p->filter_width < 1 ||
        p->filter_height < 1 || (padding != PADDING_SAME && padding != PADDING_VALID))
        return tqi_call_refuse(call, error, "its window is impossible");
    p->in_height = input->shape[1];
    p->in_width = input->shape[2];
    p->channels = (size_t)input->shape[3];
    p->out_height = windows(p->in_height, p->filter_height, p->stride_height, padding, &p->pad_top);
    p->out_width = windows(p->in_width, p->filter_width, p->stride_width, padding, &p->pad_left);
    return TQ_OK;
}

static tq_status run(const tqi_call *call, const pool_steps *steps, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    pool p = {0};
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, &input, error));
    TQI_TRY(prepare(call, input, &p, error));
    int64_t shape[4] = {input->shape[0], p.out_height, p.out_width, input->shape[3]};
    TQI_TRY(tqi_call_make(call, 0, TQI_TYPE_FLOAT32, 4, shape, &output, error));
    int64_t rows = p.filter_height < p.in_height ? p.filter_height : p.in_height;
    int64_t columns = p.filter_width < p.in_width ? p.filter_width : p.in_width;
    TQI_TRY(tqi_call_work(call, output->elements, (uint64_t)rows, (uint64_t)columns, error));
    float *out = output->data;
    for (int64_t b = 0; b < shape[0] && output->elements > 0; b++) {
        const float *image =
            tqi_floats(input) + (size_t)(b * p.in_height * p.in_width) * p.channels;
        for (int64_t y = 0; y < p.out_height; y++)
            for (int64_t x = 0; x < p.out_width; x++, out += p.channels)
                one_window(&p, steps, image, y * p.stride_height - p.pad_top,
                           x * p.stride_width - p.pad_left, out);
    }
    uint32_t options = tqi_call_options(call, TQI_OPTIONS_POOL_2D);
    if (!tqi_activate(output->data, output->elements, tqi_option_i8(call, options, 5, 0)))
        return tqi_call_refuse(call, error, "its activation function is not covered");
    return TQ_OK;
}

tq_status tqi_run_average_pool_2d(const tqi_call *call, tq_error *error) {
    return run(call, &(pool_steps){0.0f, take_sum, finish_average}, error);
}

tq_status tqi_run_max_pool_2d(const tqi_call *call, tq_error *error) {
    return run(call, &(pool_steps){-INFINITY, take_largest, finish_nothing}, error);
}

tq_status tqi_run_l2_pool_2d(const tqi_call *call, tq_error *error) {
    return run(call, &(pool_steps){0.0f, take_squares, finish_norm}, error);
}
