/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/gram.h"

#include <stdbool.h>

enum { PANEL = TQI_GRAM_PANEL, BLOCK = TQI_GRAM_BLOCK, ROWS = 4 };

void tqi_gram_pack(float *packed, const float *patch, size_t length, size_t at) {
    size_t whole = length / PANEL * PANEL;
    float *out = packed + at * PANEL;
    for (size_t k = 0; k < whole; k += PANEL, out += (size_t)BLOCK * PANEL)
        for (size_t c = 0; c < PANEL; c++)
            out[c] = patch[k + c];
    if (whole < length)
        for (size_t c = 0; c < PANEL; c++)
            out[c] = whole + c < length ? patch[whole + c] : 0.0f;
}

/* ROWS elements against a panel. The arrays stay in registers. */
static void multiply(const float *restrict a, const float *restrict b, size_t count,
                     float tile[ROWS][PANEL]) {
    float s0[PANEL] = {0}, s1[PANEL] = {0}, s2[PANEL] = {0}, s3[PANEL] = {0};
    for (size_t n = 0; n < count; n++, a += PANEL, b += PANEL) {
        float a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
        for (size_t c = 0; c < PANEL; c++)
            s0[c] += a0 * b[c];
        for (size_t c = 0; c < PANEL; c++)
            s1[c] += a1 * b[c];
        for (size_t c = 0; c < PANEL; c++)
            s2[c] += a2 * b[c];
        for (size_t c = 0; c < PANEL; c++)
            s3[c] += a3 * b[c];
    }
    for (size_t c = 0; c < PANEL; c++) {
        tile[0][c] = s0[c];
        tile[1][c] = s1[c];
        tile[2][c] = s2[c];
        tile[3][c] = s3[c];
    }
}

void tqi_gram_add(float *gram, const float *packed, size_t length, size_t count) {
    float tile[ROWS][PANEL];
    for (size_t i = 0; i < length; i += ROWS) {
        const float *a = packed + i / PANEL * PANEL * BLOCK + i % PANEL;
        for (size_t j = 0; j < i + ROWS; j += PANEL) {
            multiply(a, packed + j * BLOCK, count, tile);
            for (size_t r = 0; r < ROWS && i + r < length; r++) {
                float *row = gram + tqi_triangle(i + r) + j;
                size_t columns = i + r - j < PANEL ? i + r - j + 1 : PANEL;
                if (j > i + r)
                    continue;
                for (size_t c = 0; c < columns; c++)
                    row[c] += tile[r][c];
            }
        }
    }
}

/* To [panel of channels][patch][tap][channel]: a panel stays in the cache. */
void tqi_gram_pack_channels(float *packed, const float *patches, size_t taps, size_t channels,
                            size_t at) {
    float *out = packed + at * taps * PANEL;
    for (size_t from = 0; from < channels; from += PANEL, out += taps * PANEL * BLOCK)
        for (size_t t = 0; t < taps; t++)
            for (size_t c = 0; c < PANEL; c++) {
                bool there = from + c < channels;
                out[t * PANEL + c] = there ? patches[t * channels + from + c] : 0.0f;
            }
}

/* out += the products of two taps, channel by channel; patches are `step` apart. */
static void multiply_channels(const float *a, const float *b, size_t step, size_t count, float *out,
                              size_t width) {
    float sums[PANEL] = {0};
    for (size_t n = 0; n < count; n++, a += step, b += step)
        for (size_t c = 0; c < PANEL; c++)
            sums[c] += a[c] * b[c];
    for (size_t c = 0; c < width; c++)
        out[c] += sums[c];
}

void tqi_gram_add_channels(float *gram, const float *packed, size_t taps, size_t channels,
                           size_t count) {
    for (size_t from = 0; from < channels; from += PANEL, packed += taps * PANEL * BLOCK) {
        size_t width = channels - from < PANEL ? channels - from : PANEL;
        float *out = gram + from;
        for (size_t i = 0; i < taps; i++)
            for (size_t j = 0; j <= i; j++, out += channels)
                multiply_channels(packed + i * PANEL, packed + j * PANEL, taps * PANEL, count, out,
                                  width);
    }
}
