/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs for when there is no data: pictures and signals with about the spectrum of real ones. The
 * same bits everywhere, from integers and single roundings. */
#ifndef TQI_CALIBRATE_SYNTHETIC_H
#define TQI_CALIBRATE_SYNTHETIC_H

#include "base/error.h"
#include "execute/value.h"

enum { TQI_RANGE_CHANNELS = 4 };

/* What black and white are, by channel. */
typedef struct tqi_input_range {
    float low[TQI_RANGE_CHANNELS], high[TQI_RANGE_CHANNELS];
} tqi_input_range;

#define TQI_RANGE_UNIT                                                                             \
    {                                                                                              \
        {0, 0, 0, 0}, {                                                                            \
            1, 1, 1, 1                                                                             \
        }                                                                                          \
    }
#define TQI_RANGE_SIGNED                                                                           \
    {                                                                                              \
        {-1, -1, -1, -1}, {                                                                        \
            1, 1, 1, 1                                                                             \
        }                                                                                          \
    }

typedef struct tqi_synthetic {
    uint32_t seed;
    tqi_input_range range; /* of pictures */
    int32_t bound;         /* integers lie in [0, bound); at most 1: they are 0 */
} tqi_synthetic;

/* [N, H, W, C] with 1, 3 or 4 channels, of some size, and few of them. */
bool tqi_is_picture(uint32_t rank, const int32_t *shape);

/* Fills `value`, whose type, shape and memory are set, with input `number` of a series.
 * Pictures are in turn noise (mean 0.45, deviation about 0.2 of the range, clipped) and
 * rectangles. Other float values are noise of mean 0, one smooth and two white: along the last
 * dimension with deviation 0.25 and clipped to [-1, 1] where the rank is below 3 (a waveform), else
 * along the last two, or of four the middle two, with deviation 1. TQ_ERR_UNSUPPORTED: another
 * type. */
tq_status tqi_synthetic_fill(const tqi_synthetic *synthetic, uint32_t number, tqi_value *value,
                             tqi_heap *heap, tq_error *error);

#endif
