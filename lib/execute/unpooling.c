/* SPDX-License-Identifier: Apache-2.0 */
/* MAX_POOL_2D that says where it found the largest, and its inverse. MediaPipe counts the places of
 * a window, in float32 with 0.1 more; LiteRT those of an image, in int32. */
#include "execute/custom.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "execute/call.h"

enum { PADDING, STRIDE_W, STRIDE_H, FILTER_W, FILTER_H, ACTIVATION, OPTIONS };

static tq_status read_options(const tqi_call *call, int32_t options[OPTIONS], tq_error *error) {
    TQI_TRY(tqi_custom_numbers(call, OPTIONS, options, error));
    bool good = options[PADDING] == TQI_CUSTOM_SAME || options[PADDING] == TQI_CUSTOM_VALID;
    for (uint32_t i = STRIDE_W; i <= FILTER_H; i++)
        good = good && options[i] >= 1;
    return good ? TQ_OK : tqi_call_refuse(call, error, "its window is impossible");
}

/* Before the first input, so that `outputs` windows lie around the middle. */
static int64_t padding(int64_t inputs, int64_t outputs, int64_t filter, int64_t stride) {
    int64_t missing = (outputs - 1) * stride + filter - inputs;
    return missing > 0 ? missing / 2 : 0;
}

/* ---- where the largest is ---- */

typedef struct window {
    const float *image;
    int64_t height, width, channels;
    int64_t top, left; /* of the window; may be outside */
    int64_t rows, columns;
} window;

static void find_largest(const window *w, int64_t channel, float *value, float *place) {
    int64_t first = w->top < 0 ? -w->top : 0, at = 0;
    int64_t end = w->height - w->top < w->rows ? w->height - w->top : w->rows;
    int64_t left = w->left < 0 ? -w->left : 0;
    int64_t right = w->width - w->left < w->columns ? w->width - w->left : w->columns;
    float most = -FLT_MAX;
    for (int64_t y = first; y < end; y++)
        for (int64_t x = left; x < right; x++) {
            int64_t pixel = (w->top + y) * w->width + w->left + x;
            float candidate = w->image[pixel * w->channels + channel];
            if (candidate > most) {
                most = candidate;
                at = y * w->columns + x;
            }
        }
    *value = most;
    *place = (float)at + 0.1f;
}

tq_status tqi_run_max_pool_argmax(const tqi_call *call, tq_error *error) {
    const tqi_value *x = NULL;
    tqi_value *y = NULL, *places = NULL;
    int32_t o[OPTIONS];
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, &x, error));
    TQI_TRY(read_options(call, o, error));
    if (x->rank != 4)
        return tqi_call_refuse(call, error, "its input has not four dimensions");
    window w = {.height = x->shape[1],
                .width = x->shape[2],
                .channels = x->shape[3],
                .rows = o[FILTER_H],
                .columns = o[FILTER_W]};
    bool same = o[PADDING] == TQI_CUSTOM_SAME;
    int64_t height = (w.height + o[STRIDE_H] - (same ? 1 : w.rows)) / o[STRIDE_H];
    int64_t width = (w.width + o[STRIDE_W] - (same ? 1 : w.columns)) / o[STRIDE_W];
    const int64_t shape[] = {x->shape[0], height, width, w.channels};
    TQI_TRY(tqi_call_make(call, 0, TQI_TYPE_FLOAT32, 4, shape, &y, error));
    TQI_TRY(tqi_call_make(call, 1, TQI_TYPE_FLOAT32, 4, shape, &places, error));
    int64_t rows = w.rows < w.height ? w.rows : w.height;
    int64_t columns = w.columns < w.width ? w.columns : w.width;
    TQI_TRY(tqi_call_work(call, y->elements, (uint64_t)rows, (uint64_t)columns, error));
    int64_t above = padding(w.height, height, w.rows, o[STRIDE_H]);
    int64_t before = padding(w.width, width, w.columns, o[STRIDE_W]);
    for (uint64_t i = 0; i < y->elements; i++) {
        int64_t pixel = (int64_t)i / w.channels, row = pixel / width;
        w.image = tqi_floats(x) + row / height * w.height * w.width * w.channels;
        w.top = row % height * o[STRIDE_H] - above;
        w.left = pixel % width * o[STRIDE_W] - before;
        find_largest(&w, (int64_t)i % w.channels, tqi_floats(y) + i, tqi_floats(places) + i);
    }
    return tqi_activate(tqi_floats(y), y->elements, o[ACTIVATION])
               ? TQ_OK
               : tqi_call_refuse(call, error, "its activation function is not covered");
}

/* ---- and back ---- */

/* One value of MediaPipe's: what leads out of the image is dropped. */
static void put_back(const tqi_value *x, const tqi_value *places, const int32_t *o, uint64_t i,
                     tqi_value *y) {
    float place = tqi_floats(places)[i];
    if (!(fabsf(place) < (float)INT32_MAX))
        return;
    int64_t channels = x->shape[3], pixel = (int64_t)i / channels;
    int64_t row = pixel / x->shape[2];
    int64_t above = padding(y->shape[1], x->shape[1], o[FILTER_H], o[STRIDE_H]);
    int64_t before = padding(y->shape[2], x->shape[2], o[FILTER_W], o[STRIDE_W]);
    int64_t to_y = row % x->shape[1] * o[STRIDE_H] - above + (int32_t)place / o[FILTER_W];
    int64_t to_x = pixel % x->shape[2] * o[STRIDE_W] - before + (int32_t)place % o[FILTER_W];
    if (to_y < 0 || to_y >= y->shape[1] || to_x < 0 || to_x >= y->shape[2])
        return;
    int64_t to = ((row / x->shape[1] * y->shape[1] + to_y) * y->shape[2] + to_x) * channels;
    tqi_floats(y)[to + (int64_t)i % channels] = tqi_floats(x)[i];
}

static tq_status put_back_all(const tqi_call *call, const tqi_value *x, const tqi_value *places,
                              tqi_value *y, tq_error *error) {
    uint64_t image = tqi_extent(x, 1, 4), size = tqi_extent(y, 1, 4);
    for (uint64_t i = 0; i < x->elements; i++) {
        int64_t place = tqi_integer(places, i);
        if (place < 0 || (uint64_t)place >= size)
            return tqi_call_refuse(call, error, "an index leads out of its image");
        tqi_floats(y)[i / image * size + (uint64_t)place] = tqi_floats(x)[i];
    }
    return TQ_OK;
}

tq_status tqi_run_max_unpooling(const tqi_call *call, tq_error *error) {
    const tqi_value *x = NULL, *places = NULL;
    tqi_value *y = NULL;
    int32_t o[OPTIONS];
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, &x, error));
    TQI_TRY(tqi_call_any(call, 1, &places, error));
    TQI_TRY(read_options(call, o, error));
    bool of_image = places->type == TQI_TYPE_INT32;
    if (x->rank != 4 || !tqi_same_shape(x, places) ||
        (!of_image && places->type != TQI_TYPE_FLOAT32))
        return tqi_call_refuse(call, error, "its inputs do not fit together");
    int64_t height = x->shape[1], width = x->shape[2];
    if (!of_image) {
        height *= o[FILTER_H];
        width *= o[FILTER_W];
    } else if (o[PADDING] == TQI_CUSTOM_SAME) {
        height *= o[STRIDE_H];
        width *= o[STRIDE_W];
    } else {
        height = (height - 1) * o[STRIDE_H] + o[FILTER_H];
        width = (width - 1) * o[STRIDE_W] + o[FILTER_W];
    }
    const int64_t shape[] = {x->shape[0], height, width, x->shape[3]};
    TQI_TRY(tqi_call_make(call, 0, TQI_TYPE_FLOAT32, 4, shape, &y, error));
    memset(y->data, 0, tqi_value_bytes(y));
    if (of_image)
        return put_back_all(call, x, places, y, error);
    for (uint64_t i = 0; i < x->elements; i++)
        put_back(x, places, o, i, y);
    return TQ_OK;
}
