/* SPDX-License-Identifier: Apache-2.0 */
/* The constants of a model as operators see them: float32 values may be stored as float16
 * behind DEQUANTIZE, as sparse values, or as both behind DENSIFY. */
#ifndef TQI_TFLITE_CONSTANTS_H
#define TQI_TFLITE_CONSTANTS_H

#include "tflite/uses.h"

typedef struct tqi_constant {
    uint32_t subgraph;
    uint32_t tensor;  /* that operators read */
    uint32_t storage; /* that holds the data; `tensor` itself if it is plain */
    int32_t middle;   /* between DENSIFY and DEQUANTIZE, or -1 */
    int32_t densify;  /* operators on the way, or -1 */
    int32_t dequantize;
    int32_t stored_type;
    bool sparse;
    bool has_uses;
    uint64_t elements; /* of the dense tensor */
    uint64_t values;   /* that are stored */
    uint64_t bytes;    /* stored: values, sparse indices, scales and zero points */
    bool well_formed;  /* the buffer holds what type and shape say */
} tqi_constant;

typedef struct tqi_constants {
    tqi_constant *list; /* by subgraph, then tensor */
    uint32_t count;
    tqi_uses *uses; /* by subgraph */
} tqi_constants;

tq_status tqi_find_constants(const tqi_graph *graph, tqi_arena *arena, tqi_constants *constants,
                             tq_error *error);

/* Float values, however stored. */
static inline bool tqi_is_float(const tqi_constant *constant) {
    return constant->stored_type == TQI_TYPE_FLOAT32 ||
           (constant->stored_type == TQI_TYPE_FLOAT16 && constant->dequantize >= 0);
}

#endif
