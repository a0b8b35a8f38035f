/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/patches.h"

#include <string.h>

#include "base/checked.h"

/* The union BuiltinOptions, and fields of its members. */
enum { CONV_2D_OPTIONS = 1, DEPTHWISE_CONV_2D_OPTIONS = 2, TRANSPOSE_CONV_OPTIONS = 49 };
enum { PADDING, STRIDE_W, STRIDE_H };
enum { CONV_DILATION_W = 4, CONV_DILATION_H = 5 };
enum { DEPTHWISE_DILATION_W = 5, DEPTHWISE_DILATION_H = 6 };
enum { PADDING_SAME, PADDING_VALID };
enum { MAX_STEP = 1 << 16 }; /* of strides, dilations and taps: products fit */

static bool is_step(int32_t step) {
    return step > 0 && step <= MAX_STEP;
}

bool tqi_window_read(const tqi_graph *graph, const tqi_operator *op, tqi_window *window) {
    const tqi_view *view = &graph->view;
    uint8_t expected = 0;
    *window = (tqi_window){tqi_builtin(graph, op), false, 1, 1, 1, 1, 1, 1};
    if (window->builtin == TQI_OP_CONV_2D)
        expected = CONV_2D_OPTIONS;
    else if (window->builtin == TQI_OP_DEPTHWISE_CONV_2D)
        expected = DEPTHWISE_CONV_2D_OPTIONS;
    else if (window->builtin == TQI_OP_TRANSPOSE_CONV)
        expected = TRANSPOSE_CONV_OPTIONS;
    else
        return true;
    uint32_t options = tqi_options(graph, op);
    if (!options ||
        (uint8_t)tqi_get_i8(view, op->source, TQI_OPERATOR_BUILTIN_OPTIONS_TYPE, 0) != expected)
        return false;
    int8_t padding = tqi_get_i8(view, options, PADDING, PADDING_SAME);
    window->same = padding == PADDING_SAME;
    window->stride_x = tqi_get_i32(view, options, STRIDE_W, 0);
    window->stride_y = tqi_get_i32(view, options, STRIDE_H, 0);
    if (expected == CONV_2D_OPTIONS) {
        window->dilation_x = tqi_get_i32(view, options, CONV_DILATION_W, 1);
        window->dilation_y = tqi_get_i32(view, options, CONV_DILATION_H, 1);
    } else if (expected == DEPTHWISE_CONV_2D_OPTIONS) {
        window->dilation_x = tqi_get_i32(view, options, DEPTHWISE_DILATION_W, 1);
        window->dilation_y = tqi_get_i32(view, options, DEPTHWISE_DILATION_H, 1);
    }
    return (padding == PADDING_SAME || padding == PADDING_VALID) && is_step(window->stride_x) &&
           is_step(window->stride_y) && is_step(window->dilation_x) && is_step(window->dilation_y);
}

/* Zeros in front, as the runtime has it, where a window goes over `large` and gives `small`. */
static int64_t padding_before(int64_t large, int64_t small, int64_t taps, int64_t stride,
                              int64_t dilation) {
    int64_t total = (small - 1) * stride + (taps - 1) * dilation + 1 - large;
    return total > 0 ? total / 2 : 0;
}

/* Positions that a window has on `large`. */
static int64_t window_positions(bool same, int64_t large, int64_t taps, int64_t stride,
                                int64_t dilation) {
    int64_t reach = same ? 1 : (taps - 1) * dilation + 1;
    return large < reach ? 0 : (large - reach) / stride + 1;
}

static bool fill_axis(tqi_patch_axis *axis, const tqi_window *window, int64_t stride,
                      int64_t dilation) {
    bool transposed = window->builtin == TQI_OP_TRANSPOSE_CONV;
    int64_t in = axis->inputs, out = axis->outputs, taps = axis->taps;
    int64_t large = transposed ? out : in;
    int64_t small = window_positions(window->same, large, taps, stride, dilation);
    if (small != (transposed ? in : out))
        return false;
    int64_t before = padding_before(large, small, taps, stride, dilation);
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < taps; k++) {
            int64_t i = o * stride + k * dilation - before;
            if (transposed) {
                int64_t shifted = o + before - k;
                i = shifted >= 0 && shifted % stride == 0 ? shifted / stride : -1;
            }
            bool inside = i >= 0 && i < in;
            axis->from[o * taps + k] = inside ? (int32_t)i : -1;
            if (inside)
                axis->uses[i * taps + k]++;
        }
    return true;
}

tq_status tqi_patches_open(tqi_patches *patches, const tqi_window *window, const int32_t input[4],
                           const int32_t output[4], tqi_heap *heap, tq_error *error) {
    *patches = (tqi_patches){0};
    for (uint32_t d = 0; d < 4; d++)
        if (input[d] <= 0 || output[d] <= 0)
            return tqi_fail(error, TQ_ERR_UNSUPPORTED, "there is nothing in the image");
    if (input[0] != output[0] || !is_step(window->tap_y) || !is_step(window->tap_x))
        return tqi_fail(error, TQ_ERR_UNSUPPORTED, "the images or the filter have odd sizes");
    *patches = (tqi_patches){
        .images = (uint32_t)input[0],
        .channels = (uint32_t)input[3],
        .y = {(uint32_t)input[1], (uint32_t)output[1], (uint32_t)window->tap_y, NULL, NULL},
        .x = {(uint32_t)input[2], (uint32_t)output[2], (uint32_t)window->tap_x, NULL, NULL},
    };
    /* 2^31 positions times 2^16 taps times 4 bytes: no overflow */
    tqi_patch_axis *y = &patches->y, *x = &patches->x;
    uint64_t cells =
        ((uint64_t)y->inputs + y->outputs) * y->taps + ((uint64_t)x->inputs + x->outputs) * x->taps;
    uint64_t bytes = cells * sizeof(int32_t);
    if (bytes > SIZE_MAX || !(patches->memory = tqi_alloc(heap, (size_t)bytes)))
        return tqi_no_memory(heap, bytes, error);
    patches->memory_size = (size_t)bytes;
    memset(patches->memory, 0, patches->memory_size);
    y->from = patches->memory;
    x->from = y->from + (size_t)y->outputs * y->taps;
    y->uses =
        (uint32_t *)patches->memory + (size_t)y->outputs * y->taps + (size_t)x->outputs * x->taps;
    x->uses = y->uses + (size_t)y->inputs * y->taps;
    if (!fill_axis(y, window, window->stride_y, window->dilation_y) ||
        !fill_axis(x, window, window->stride_x, window->dilation_x)) {
        tqi_patches_close(patches, heap);
        return tqi_fail(error, TQ_ERR_UNSUPPORTED, "the sizes of input and output don't fit");
    }
    return TQ_OK;
}

void tqi_patches_close(tqi_patches *patches, tqi_heap *heap) {
    tqi_free(heap, patches->memory, patches->memory_size);
    *patches = (tqi_patches){0};
}

static uint32_t uses_of(const tqi_patch_axis *axis, uint32_t at) {
    uint32_t uses = 0;
    for (uint32_t k = 0; k < axis->taps; k++)
        uses += axis->uses[(size_t)at * axis->taps + k];
    return uses;
}

/* Several sums at once, since one has to wait for each addition. */
static double sum_of_squares(const float *values, size_t n) {
    enum { LANES = 8 };
    double lanes[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lanes[l] += (double)values[i + l] * (double)values[i + l];
    for (; i < n; i++)
        sum += (double)values[i] * (double)values[i];
    for (size_t l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

static void add_channels(double *restrict sums, const float *restrict values, size_t n) {
    for (size_t c = 0; c < n; c++)
        sums[c] += (double)values[c];
}

/* What a row adds to the taps of x. */
static void sum_row(const tqi_patches *patches, const float *row, double *sums, double *energy) {
    size_t channels = patches->channels, taps = patches->x.taps;
    memset(sums, 0, taps * channels * sizeof *sums);
    for (size_t o = 0; o < patches->x.outputs; o++)
        for (size_t k = 0; k < taps; k++) {
            int32_t from = patches->x.from[o * taps + k];
            if (from >= 0)
                add_channels(sums + k * channels, row + (size_t)from * channels, channels);
        }
    *energy = 0;
    for (uint32_t i = 0; i < patches->x.inputs; i++) {
        uint32_t uses = uses_of(&patches->x, i);
        if (uses)
            *energy += uses * sum_of_squares(row + (size_t)i * channels, channels);
    }
}

void tqi_patches_sum(const tqi_patches *patches, const float *input, double *scratch, double *sums,
                     double *energy) {
    size_t row_size = (size_t)patches->x.inputs * patches->channels;
    size_t row_sums = (size_t)patches->x.taps * patches->channels;
    memset(sums, 0, patches->y.taps * row_sums * sizeof *sums);
    *energy = 0;
    for (uint32_t image = 0; image < patches->images; image++)
        for (uint32_t y = 0; y < patches->y.inputs; y++, input += row_size) {
            uint32_t uses = uses_of(&patches->y, y);
            double row_energy;
            if (uses == 0)
                continue;
            sum_row(patches, input, scratch, &row_energy);
            *energy += uses * row_energy;
            for (uint32_t k = 0; k < patches->y.taps; k++) {
                double times = patches->y.uses[(size_t)y * patches->y.taps + k];
                double *to = sums + k * row_sums;
                for (size_t i = 0; times > 0 && i < row_sums; i++)
                    to[i] += times * scratch[i];
            }
        }
}

void tqi_patch_read(const tqi_patches *patches, const float *input, uint64_t position,
                    float *patch) {
    const tqi_patch_axis *y = &patches->y, *x = &patches->x;
    size_t channels = patches->channels;
    uint64_t column = position % x->outputs, line = position / x->outputs;
    uint64_t row = line % y->outputs, image = line / y->outputs;
    for (uint32_t ky = 0; ky < y->taps; ky++) {
        int32_t iy = y->from[row * y->taps + ky];
        for (uint32_t kx = 0; kx < x->taps; kx++, patch += channels) {
            int32_t ix = x->from[column * x->taps + kx];
            if (iy < 0 || ix < 0)
                memset(patch, 0, channels * sizeof *patch);
            else
                memcpy(patch,
                       input + ((image * y->inputs + (uint32_t)iy) * x->inputs + (uint32_t)ix) *
                                   channels,
                       channels * sizeof *patch);
        }
    }
}
