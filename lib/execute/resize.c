/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures in another size. Where a row or column of the output lies in the input is found once. */
#include "execute/families.h"

#include <math.h>

#include "execute/call.h"

/* Between these two of the input, so far from the first. */
typedef struct place {
    int32_t low, high;
    float part;
} place;

typedef struct resize {
    const tqi_value *input;
    tqi_value *output;
    place *rows, *columns;
    size_t bytes; /* of both */
    bool align_corners, half_pixel_centers;
} resize;

static float scale_of(const resize *r, int32_t in, int32_t out) {
    return r->align_corners && out > 1 ? (float)(in - 1) / (float)(out - 1)
                                       : (float)in / (float)out;
}

static void place_between(const resize *r, place *places, int32_t in, int32_t out) {
    float scale = scale_of(r, in, out);
    for (int32_t i = 0; i < out; i++) {
        float at = r->half_pixel_centers ? ((float)i + 0.5f) * scale - 0.5f : (float)i * scale;
        float low = floorf(at), high = ceilf(at), last = (float)(in - 1);
        low = low < 0.0f ? 0.0f : low > last ? last : low;
        high = high < 0.0f ? 0.0f : high > last ? last : high;
        places[i] = (place){(int32_t)low, (int32_t)high, at - low};
    }
}

static void place_nearest(const resize *r, place *places, int32_t in, int32_t out) {
    float scale = scale_of(r, in, out), offset = r->half_pixel_centers ? 0.5f : 0.0f;
    for (int32_t i = 0; i < out; i++) {
        float at = ((float)i + offset) * scale, last = (float)(in - 1);
        at = r->align_corners ? roundf(at) : floorf(at);
        at = at < 0.0f ? 0.0f : at > last ? last : at;
        places[i] = (place){(int32_t)at, (int32_t)at, 0.0f};
    }
}

typedef void find_places(const resize *r, place *places, int32_t in, int32_t out);

/* Makes the output and the places, which finish() frees. Both options tables begin otherwise. */
static tq_status prepare(const tqi_call *call, resize *r, uint32_t options, uint32_t field,
                         find_places *find, tq_error *error) {
    int64_t size[2];
    uint32_t count = 0;
    TQI_TRY(tqi_call_any(call, 0, &r->input, error));
    TQI_TRY(tqi_call_numbers(call, 1, 2, size, &count, error));
    r->align_corners = tqi_option_i8(call, options, field, 0) != 0;
    r->half_pixel_centers = tqi_option_i8(call, options, field + 1, 0) != 0;
    if (r->input->rank != 4 || count != 2 || size[0] < 1 || size[1] < 1)
        return tqi_call_refuse(call, error, "its size is impossible");
    if (r->input->elements == 0)
        return tqi_call_refuse(call, error, "its input is empty");
    const int32_t *in = r->input->shape;
    TQI_TRY(tqi_call_make(call, 0, r->input->type, 4, (int64_t[]){in[0], size[0], size[1], in[3]},
                          &r->output, error));
    TQI_TRY(tqi_call_scratch(call, (uint64_t)(size[0] + size[1]), sizeof *r->rows, &r->rows,
                             &r->bytes, error));
    r->columns = r->rows + size[0];
    find(r, r->rows, in[1], (int32_t)size[0]);
    find(r, r->columns, in[2], (int32_t)size[1]);
    return TQ_OK;
}

static void mix(const place *row, const place *column, const float *top, const float *bottom,
                size_t n, float *restrict out) {
    const float *top_left = top + (size_t)column->low * n;
    const float *top_right = top + (size_t)column->high * n;
    const float *bottom_left = bottom + (size_t)column->low * n;
    const float *bottom_right = bottom + (size_t)column->high * n;
    float down = row->part, right = column->part, up = 1.0f - down, left = 1.0f - right;
    for (size_t c = 0; c < n; c++)
        out[c] = top_left[c] * up * left + bottom_left[c] * down * left +
                 top_right[c] * up * right + bottom_right[c] * down * right;
}

tq_status tqi_run_resize_bilinear(const tqi_call *call, tq_error *error) {
    resize r = {0};
    const tqi_value *input = NULL;
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, &input, error));
    TQI_TRY(prepare(call, &r, tqi_call_options(call, TQI_OPTIONS_RESIZE_BILINEAR), 2, place_between,
                    error));
    const int32_t *in = input->shape, *size = r.output->shape;
    size_t n = (size_t)in[3], row_size = (size_t)in[2] * n, image_size = (size_t)in[1] * row_size;
    float *out = r.output->data;
    for (int32_t b = 0; b < in[0]; b++)
        for (int32_t y = 0; y < size[1]; y++) {
            const place *row = &r.rows[y];
            const float *image = tqi_floats(input) + (size_t)b * image_size;
            for (int32_t x = 0; x < size[2]; x++, out += n)
                mix(row, &r.columns[x], image + (size_t)row->low * row_size,
                    image + (size_t)row->high * row_size, n, out);
        }
    tqi_free(call->heap, r.rows, r.bytes);
    return TQ_OK;
}

tq_status tqi_run_resize_nearest_neighbor(const tqi_call *call, tq_error *error) {
    resize r = {0};
    TQI_TRY(prepare(call, &r, tqi_call_options(call, TQI_OPTIONS_RESIZE_NEAREST), 0, place_nearest,
                    error));
    const int32_t *in = r.input->shape, *size = r.output->shape;
    size_t bytes = (size_t)in[3] * tqi_type_size(r.input->type);
    const uint8_t *image = r.input->data;
    uint8_t *out = r.output->data;
    for (int32_t b = 0; b < in[0]; b++, image += (size_t)in[1] * (size_t)in[2] * bytes)
        for (int32_t y = 0; y < size[1]; y++) {
            const uint8_t *row = image + (size_t)r.rows[y].low * (size_t)in[2] * bytes;
            for (int32_t x = 0; x < size[2]; x++, out += bytes)
                memcpy(out, row + (size_t)r.columns[x].low * bytes, bytes);
        }
    tqi_free(call->heap, r.rows, r.bytes);
    return TQ_OK;
}
