/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/synthetic.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"

/* ---- random numbers: PCG-RXS-M-XS with 32 bits ---- */

typedef struct generator {
    uint32_t state;
} generator;

static uint32_t scramble(uint32_t state) {
    uint32_t word = ((state >> ((state >> 28) + 4)) ^ state) * UINT32_C(277803737);
    return (word >> 22) ^ word;
}

static uint32_t next(generator *r) {
    r->state = r->state * UINT32_C(747796405) + UINT32_C(2891336453);
    return scramble(r->state);
}

static generator branch(generator r, uint32_t which) {
    return (generator){scramble(next(&r) ^ (which * UINT32_C(2654435769)))};
}

/* In [0, 1), exact. */
static float unit(generator *r) {
    return (float)(next(r) >> 8) * 0x1p-24f;
}

/* In [0, bound). */
static uint32_t below(generator *r, uint32_t bound) {
    return (uint32_t)((uint64_t)next(r) * bound >> 32);
}

/* ---- a plane of pixels ---- */

typedef struct plane {
    uint32_t height, width, channels;
    float *pixels;
} plane;

static size_t plane_size(const plane *p) {
    return (size_t)p->height * p->width * p->channels;
}

/* A row of the random grid; the same at every call. */
static void grid_row(generator octave, uint32_t row, float *values, size_t n) {
    generator r = branch(octave, row);
    for (size_t i = 0; i < n; i++)
        values[i] = 2.0f * unit(&r) - 1.0f;
}

/* Adds random values at every 2^log2_cell pixels, bilinear between them. The grid starts anywhere,
 * so that no pixel is special. `rows` has room for three rows of the grid. */
static void add_octave(const plane *p, generator octave, uint32_t log2_cell, float *rows) {
    const uint32_t cell = UINT32_C(1) << log2_cell, within = cell - 1;
    uint32_t start_y = p->height > 1 ? below(&octave, cell) : 0, start_x = below(&octave, cell);
    size_t channels = p->channels, n = (((start_x + p->width - 1) >> log2_cell) + 2) * channels;
    float *upper = rows, *lower = rows + n, *row = rows + 2 * n;
    float amplitude = sqrtf((float)cell), step = 1.0f / (float)cell;
    uint32_t at = UINT32_MAX;
    for (uint32_t y = 0; y < p->height; y++) {
        uint32_t above = (y + start_y) >> log2_cell;
        float down = (float)((y + start_y) & within) * step;
        if (above != at) {
            grid_row(octave, above, upper, n);
            grid_row(octave, above + 1, lower, n);
            at = above;
        }
        for (size_t i = 0; i < n; i++)
            row[i] = amplitude * (upper[i] + (lower[i] - upper[i]) * down);
        float *out = p->pixels + (size_t)y * p->width * channels;
        for (uint32_t x = 0; x < p->width; x++, out += channels) {
            const float *left = row + (size_t)((x + start_x) >> log2_cell) * channels;
            float across = (float)((x + start_x) & within) * step;
            for (size_t c = 0; c < channels; c++)
                out[c] += left[c] + (left[c + channels] - left[c]) * across;
        }
    }
}

/* Shifts and stretches to this mean and deviation. */
static void normalize(const plane *p, float mean, float deviation) {
    size_t n = plane_size(p);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)p->pixels[i];
    double middle = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        double d = (double)p->pixels[i] - middle;
        squares += d * d;
    }
    float spread = sqrtf((float)(squares / (double)n));
    float scale = spread > 0 ? deviation / spread : 0.0f;
    for (size_t i = 0; i < n; i++)
        p->pixels[i] = mean + (p->pixels[i] - (float)middle) * scale;
}

static void clip(const plane *p, float low, float high) {
    size_t n = plane_size(p);
    for (size_t i = 0; i < n; i++) {
        float v = p->pixels[i];
        p->pixels[i] = v < low ? low : v > high ? high : v;
    }
}

/* Cells of 2, 4, ... pixels up to the size of the plane; energy falls with frequency as in
 * photographs. */
static tq_status noise(const plane *p, generator r, float mean, float deviation, tqi_heap *heap,
                       tq_error *error) {
    if (plane_size(p) == 1) {
        p->pixels[0] = mean + deviation * 1.75f * (2.0f * unit(&r) - 1.0f);
        return TQ_OK;
    }
    uint32_t longest = p->height > p->width ? p->height : p->width;
    uint64_t row = ((uint64_t)p->width / 2 + 3) * p->channels;
    uint64_t bytes = 3 * row * sizeof(float);
    float *rows = bytes <= SIZE_MAX ? tqi_alloc(heap, (size_t)bytes) : NULL;
    if (!rows)
        return tqi_no_memory(heap, bytes, error);
    memset(p->pixels, 0, plane_size(p) * sizeof(float));
    for (uint32_t octave = 0; octave == 0 || longest >> octave >= 2; octave++)
        add_octave(p, branch(r, octave), octave + 1, rows);
    tqi_free(heap, rows, (size_t)bytes);
    normalize(p, mean, deviation);
    return TQ_OK;
}

static void rectangles(const plane *p, generator r) {
    enum { COUNT = 120 };
    float color[TQI_RANGE_CHANNELS];
    for (uint32_t i = 0; i <= COUNT; i++) {
        /* the first is the background */
        uint32_t height = i == 0 ? p->height : 1 + below(&r, (p->height + 1) / 2);
        uint32_t width = i == 0 ? p->width : 1 + below(&r, (p->width + 1) / 2);
        uint32_t top = below(&r, p->height - height + 1);
        uint32_t left = below(&r, p->width - width + 1);
        for (uint32_t c = 0; c < p->channels; c++)
            color[c] = unit(&r);
        for (uint32_t y = top; y < top + height; y++) {
            float *out = p->pixels + ((size_t)y * p->width + left) * p->channels;
            for (uint32_t x = 0; x < width; x++, out += p->channels)
                memcpy(out, color, p->channels * sizeof *out);
        }
    }
}

/* Features need have nothing in common with their neighbours. */
static void white(const plane *p, generator r, float deviation) {
    const float root = 1.7320508f; /* of 3: uniform values in [-root, root] have deviation 1 */
    size_t n = plane_size(p);
    for (size_t i = 0; i < n; i++)
        p->pixels[i] = deviation * root * (2.0f * unit(&r) - 1.0f);
}

/* Colours of real pictures have much in common: half of a channel is the gray of all three, whose
 * deviation is made as large as theirs. */
static void share_gray(const plane *p) {
    const float mean = 0.45f, root = 1.7320508f;
    size_t n = plane_size(p);
    if (p->channels < 3)
        return;
    for (size_t i = 0; i < n; i += p->channels) {
        float *pixel = p->pixels + i;
        float gray = mean + root * ((pixel[0] + pixel[1] + pixel[2]) / 3.0f - mean);
        for (size_t c = 0; c < 3; c++)
            pixel[c] = 0.5f * (gray + pixel[c]);
    }
}

static void stretch(const plane *p, const tqi_input_range *range) {
    size_t n = plane_size(p);
    for (size_t i = 0; i < n; i += p->channels)
        for (size_t c = 0; c < p->channels; c++)
            p->pixels[i + c] = range->low[c] + (range->high[c] - range->low[c]) * p->pixels[i + c];
}

/* ---- values ---- */

bool tqi_is_picture(uint32_t rank, const int32_t *shape) {
    enum { LEAST = 16, LONGEST = 5 }; /* sides, and of the shorter one */
    if (rank != 4 || (shape[3] != 1 && shape[3] != 3 && shape[3] != 4) || shape[0] > 4)
        return false;
    int64_t height = shape[1], width = shape[2];
    return height >= LEAST && width >= LEAST && height <= LONGEST * width &&
           width <= LONGEST * height;
}

static tq_status fill_floats(const tqi_synthetic *s, uint32_t number, tqi_value *value,
                             tqi_heap *heap, tq_error *error) {
    uint32_t rank = value->rank;
    bool picture = tqi_is_picture(rank, value->shape), wave = rank < 3;
    plane p = {1, 1, 1, tqi_floats(value)};
    if (rank == 1 || rank == 2)
        p.width = (uint32_t)value->shape[rank - 1];
    else if (rank == 3) {
        p.height = (uint32_t)value->shape[1];
        p.width = (uint32_t)value->shape[2];
    } else if (rank > 3) {
        p.height = (uint32_t)value->shape[rank - 3];
        p.width = (uint32_t)value->shape[rank - 2];
        p.channels = (uint32_t)value->shape[rank - 1];
    }
    size_t size = plane_size(&p);
    uint64_t planes = value->elements / size;
    for (uint64_t i = 0; i < planes; i++, p.pixels += size) {
        generator r = branch(branch((generator){s->seed}, number), (uint32_t)i);
        bool odd = (number + i) % 2 == 1;
        if (picture && odd)
            rectangles(&p, r);
        else if (!picture && (number + i) % 3 > 0)
            white(&p, r, wave ? 0.25f : 1.0f);
        else
            TQI_TRY(
                noise(&p, r, picture ? 0.45f : 0.0f, picture || wave ? 0.25f : 1.0f, heap, error));
        if (picture) {
            share_gray(&p);
            clip(&p, 0.0f, 1.0f);
            stretch(&p, &s->range);
        } else if (wave)
            clip(&p, -1.0f, 1.0f);
    }
    return TQ_OK;
}

static int32_t small_integer(generator *r, int32_t bound) {
    return bound > 1 ? (int32_t)below(r, (uint32_t)bound) : 0;
}

tq_status tqi_synthetic_fill(const tqi_synthetic *synthetic, uint32_t number, tqi_value *value,
                             tqi_heap *heap, tq_error *error) {
    generator r = branch((generator){synthetic->seed}, number);
    if (value->elements == 0)
        return TQ_OK;
    switch (value->type) {
    case TQI_TYPE_FLOAT32:
        return fill_floats(synthetic, number, value, heap, error);
    case TQI_TYPE_INT32:
        for (uint64_t i = 0; i < value->elements; i++)
            ((int32_t *)value->data)[i] = small_integer(&r, synthetic->bound);
        return TQ_OK;
    case TQI_TYPE_INT64:
        for (uint64_t i = 0; i < value->elements; i++)
            ((int64_t *)value->data)[i] = small_integer(&r, synthetic->bound);
        return TQ_OK;
    case TQI_TYPE_BOOL:
        for (uint64_t i = 0; i < value->elements; i++)
            ((uint8_t *)value->data)[i] = (uint8_t)(next(&r) >> 31);
        return TQ_OK;
    default:
        return tqi_fail(error, TQ_ERR_UNSUPPORTED, "there are no synthetic inputs of type %s",
                        tqi_type_label(value->type) ? tqi_type_label(value->type) : "unknown");
    }
}
