/* SPDX-License-Identifier: Apache-2.0 */
/* What the values of a tensor reach from and to, as runs have shown it. */
#ifndef TQI_TFLITE_VALUE_RANGE_H
#define TQI_TFLITE_VALUE_RANGE_H

#include <float.h>
#include <stdbool.h>

typedef struct tqi_value_range {
    float low, high; /* finite */
} tqi_value_range;

/* None was seen. */
#define TQI_NO_RANGE                                                                               \
    { FLT_MAX, -FLT_MAX }

static inline bool tqi_is_known(const tqi_value_range *range) {
    return range->low <= range->high;
}

#endif
