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
    axis->period = transposed ? 1 : (uint32_t)stride;
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
        .y = {(uint32_t)input[1], (uint32_t)output[1], (uint32_t)window->tap_y, 1, NULL, NULL},
        .x = {(uint32_t)input[2], (uint32_t)output[2], (uint32_t)window->tap_x, 1, NULL, NULL},
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

static const uint32_t *uses_at(const tqi_patch_axis *axis, uint32_t at) {
    return axis->uses + (size_t)at * axis->taps;
}

static uint32_t uses_of(const tqi_patch_axis *axis, uint32_t at) {
    uint32_t uses = 0;
    for (uint32_t k = 0; k < axis->taps; k++)
        uses += uses_at(axis, at)[k];
    return uses;
}

/* Positions first, first + period, ... below the end are used alike. */
static uint32_t end_of_run(const tqi_patch_axis *axis, uint32_t first) {
    uint32_t at = first;
    do
        at = axis->inputs - at > axis->period ? at + axis->period : axis->inputs;
    while (at < axis->inputs &&
           memcmp(uses_at(axis, at), uses_at(axis, first), axis->taps * sizeof(uint32_t)) == 0);
    return at;
}

static void add_doubles(double *restrict to, const double *restrict from, size_t n, double factor) {
    for (size_t i = 0; i < n; i++)
        to[i] += factor * from[i];
}

/* Several sums at once, since one has to wait for each addition. */
static double sum_of(const double *values, size_t n) {
    enum { LANES = 8 };
    double lanes[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lanes[l] += values[i + l];
    for (; i < n; i++)
        sum += values[i];
    for (size_t l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

/* Of rows that are used alike, of all images: columns[x][channel] and squares likewise. */
static void sum_rows(const tqi_patches *patches, const tqi_algebra *algebra, const float *input,
                     uint32_t first, uint32_t end, double *columns, double *squares) {
    enum { AT_ONCE = 16 };
    const float *rows[AT_ONCE];
    size_t n = 0, size = (size_t)patches->x.inputs * patches->channels;
    memset(columns, 0, size * sizeof *columns);
    memset(squares, 0, size * sizeof *squares);
    for (uint32_t image = 0; image < patches->images; image++)
        for (uint64_t y = first; y < end; y += patches->y.period) {
            rows[n++] = input + (image * (uint64_t)patches->y.inputs + y) * size;
            if (n == AT_ONCE) {
                algebra->add_rows(columns, squares, rows, n, size);
                n = 0;
            }
        }
    algebra->add_rows(columns, squares, rows, n, size);
}

/* sums[tap of x][channel]; `part` holds a channel's. Gives the energy. */
static double sum_columns(const tqi_patches *patches, const double *columns, const double *squares,
                          double *part, double *sums) {
    const tqi_patch_axis *axis = &patches->x;
    size_t channels = patches->channels;
    double energy = 0;
    memset(sums, 0, axis->taps * channels * sizeof *sums);
    for (uint32_t phase = 0; phase < axis->period && phase < axis->inputs; phase++)
        for (uint32_t x = phase, end; x < axis->inputs; x = end) {
            end = end_of_run(axis, x);
            double uses = uses_of(axis, x);
            if (!(uses > 0))
                continue;
            memset(part, 0, channels * sizeof *part);
            for (uint64_t i = x; i < end; i += axis->period) {
                add_doubles(part, columns + i * channels, channels, 1);
                energy += uses * sum_of(squares + i * channels, channels);
            }
            for (uint32_t k = 0; k < axis->taps; k++)
                if (uses_at(axis, x)[k])
                    add_doubles(sums + k * channels, part, channels, uses_at(axis, x)[k]);
        }
    return energy;
}

/* Rows, then columns, that the taps meet equally often are added up before they go to the taps. */
void tqi_patches_sum(const tqi_patches *patches, const tqi_algebra *algebra, const float *input,
                     double *scratch, double *sums, double *energy) {
    const tqi_patch_axis *axis = &patches->y;
    size_t row_size = (size_t)patches->x.inputs * patches->channels;
    size_t row_sums = (size_t)patches->x.taps * patches->channels;
    double *columns = scratch, *squares = columns + row_size;
    double *of_taps = squares + row_size, *part = of_taps + row_sums;
    memset(sums, 0, axis->taps * row_sums * sizeof *sums);
    *energy = 0;
    for (uint32_t phase = 0; phase < axis->period && phase < axis->inputs; phase++)
        for (uint32_t y = phase, end; y < axis->inputs; y = end) {
            end = end_of_run(axis, y);
            double uses = uses_of(axis, y);
            if (!(uses > 0))
                continue;
            sum_rows(patches, algebra, input, y, end, columns, squares);
            *energy += uses * sum_columns(patches, columns, squares, part, of_taps);
            for (uint32_t k = 0; k < axis->taps; k++)
                if (uses_at(axis, y)[k])
                    add_doubles(sums + k * row_sums, of_taps, row_sums, uses_at(axis, y)[k]);
        }
}

void tqi_patch_read(const tqi_patches *patches, const float *input, uint64_t position, size_t first,
                    size_t n, float *patch) {
    const tqi_patch_axis *y = &patches->y, *x = &patches->x;
    uint64_t column = position % x->outputs, line = position / x->outputs;
    uint64_t row = line % y->outputs, image = line / y->outputs;
    for (uint32_t ky = 0; ky < y->taps; ky++) {
        int32_t iy = y->from[row * y->taps + ky];
        for (uint32_t kx = 0; kx < x->taps; kx++, patch += n) {
            int32_t ix = x->from[column * x->taps + kx];
            uint64_t pixel = (image * y->inputs + (uint32_t)iy) * x->inputs + (uint32_t)ix;
            if (iy < 0 || ix < 0)
                memset(patch, 0, n * sizeof *patch);
            else
                memcpy(patch, input + pixel * patches->channels + first, n * sizeof *patch);
        }
    }
}
