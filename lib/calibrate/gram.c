/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/gram.h"

#include <string.h>

enum { PANEL = TQI_GRAM_PANEL, BLOCK = TQI_GRAM_BLOCK };

void tqi_gram_pack(float *packed, const float *patch, size_t taps, size_t share, size_t stride,
                   size_t at) {
    float *out = packed + at * PANEL;
    size_t room = PANEL;
    for (size_t t = 0; t < taps; t++, patch += stride)
        for (size_t done = 0; done < share;) {
            size_t n = share - done < room ? share - done : room;
            memcpy(out + PANEL - room, patch + done, n * sizeof *out);
            done += n;
            room -= n;
            if (room == 0) {
                out += (size_t)BLOCK * PANEL;
                room = PANEL;
            }
        }
    if (room < PANEL)
        memset(out + PANEL - room, 0, room * sizeof *out);
}

void tqi_gram_pack_channels(float *packed, const float *patch, size_t taps, size_t channels,
                            size_t at) {
    size_t whole = channels / PANEL * PANEL;
    float *out = packed + at * taps * PANEL;
    for (size_t from = 0; from < whole; from += PANEL, out += taps * PANEL * BLOCK)
        for (size_t t = 0; t < taps; t++)
            memcpy(out + t * PANEL, patch + t * channels + from, PANEL * sizeof *out);
    for (size_t t = 0; t < taps && whole < channels; t++)
        for (size_t c = 0; c < PANEL; c++)
            out[t * PANEL + c] = whole + c < channels ? patch[t * channels + whole + c] : 0.0f;
}
