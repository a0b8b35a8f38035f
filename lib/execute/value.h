/* SPDX-License-Identifier: Apache-2.0 */
/* A tensor while the graph runs: shapes are known then, and data is dense, in row-major order. */
#ifndef TQI_EXECUTE_VALUE_H
#define TQI_EXECUTE_VALUE_H

#include "tflite/graph.h"

enum { TQI_MAX_RANK = 8 };

/* Types that occur: FLOAT32, INT32, INT64, BOOL (a byte each); constants of other float and of
 * quantized types are FLOAT32 by then. */
typedef struct tqi_value {
    int32_t type;
    uint32_t rank;
    int32_t shape[TQI_MAX_RANK];
    uint64_t elements; /* 1 for a scalar */
    void *data;        /* 64-byte aligned; NULL: not there (yet) */
} tqi_value;

static inline float *tqi_floats(const tqi_value *value) {
    return value->data;
}

#endif
