/* SPDX-License-Identifier: Apache-2.0 */
/* More help for the functions of operators.h: what they read of the model and where they
 * put their numbers. */
#ifndef TQI_EXECUTE_CALL_H
#define TQI_EXECUTE_CALL_H

#include "execute/operators.h"

/* Members of the union BuiltinOptions. */
enum {
    TQI_OPTIONS_POOL_2D = 5,
    TQI_OPTIONS_SOFTMAX = 9,
    TQI_OPTIONS_CONCATENATION = 10,
    TQI_OPTIONS_ADD = 11,
    TQI_OPTIONS_L2_NORM = 12,
    TQI_OPTIONS_RESIZE_BILINEAR = 15,
    TQI_OPTIONS_RESHAPE = 17,
    TQI_OPTIONS_SPACE_TO_DEPTH = 19,
    TQI_OPTIONS_MUL = 21,
    TQI_OPTIONS_GATHER = 23,
    TQI_OPTIONS_REDUCER = 27,
    TQI_OPTIONS_SUB = 28,
    TQI_OPTIONS_DIV = 29,
    TQI_OPTIONS_SQUEEZE = 30,
    TQI_OPTIONS_STRIDED_SLICE = 32,
    TQI_OPTIONS_SPLIT = 35,
    TQI_OPTIONS_ARG_MAX = 40,
    TQI_OPTIONS_SHAPE = 55,
    TQI_OPTIONS_ARG_MIN = 57,
    TQI_OPTIONS_PACK = 59,
    TQI_OPTIONS_ONE_HOT = 61,
    TQI_OPTIONS_UNPACK = 64,
    TQI_OPTIONS_RESIZE_NEAREST = 74,
    TQI_OPTIONS_LEAKY_RELU = 75,
    TQI_OPTIONS_MIRROR_PAD = 77,
    TQI_OPTIONS_SPLIT_V = 79,
    TQI_OPTIONS_DEPTH_TO_SPACE = 94,
    TQI_OPTIONS_CUMSUM = 102,
    TQI_OPTIONS_GELU = 116
};

/* Position of the options if they are of this kind, else 0: an operator of the file may carry those
 * of another one, whose fields must not be read as its own. */
uint32_t tqi_call_options(const tqi_call *call, uint8_t member);
/* Of the options, the value if they are not there or leave it out. */
int32_t tqi_option_i32(const tqi_call *call, uint32_t options, uint32_t field, int32_t otherwise);
int32_t tqi_option_i8(const tqi_call *call, uint32_t options, uint32_t field, int32_t otherwise);
float tqi_option_f32(const tqi_call *call, uint32_t options, uint32_t field, float otherwise);
/* At most `most` elements of a vector of int32; *count is how many there are. */
void tqi_option_list(const tqi_call *call, uint32_t options, uint32_t field, uint32_t most,
                     int32_t *list, uint32_t *count);

/* What the file says of an output, where the operator's result depends on it; -1: nothing. */
int32_t tqi_declared_type(const tqi_call *call, uint32_t output);

/* Bytes of an element of a value, and of all of them. */
size_t tqi_type_size(int32_t type);
size_t tqi_value_bytes(const tqi_value *value);
/* Data as tqi_call_output() allocates it. What a function has made stays with the caller, also when
 * the call fails. */
void tqi_value_free(tqi_heap *heap, tqi_value *value);

/* There, of any type. */
tq_status tqi_call_any(const tqi_call *call, uint32_t index, const tqi_value **value,
                       tq_error *error);
bool tqi_call_has(const tqi_call *call, uint32_t index);
/* An input of int32 or int64 with at most `most` elements. */
tq_status tqi_call_numbers(const tqi_call *call, uint32_t index, uint32_t most, int64_t *numbers,
                           uint32_t *count, tq_error *error);
/* One that has exactly one element. */
tq_status tqi_call_number(const tqi_call *call, uint32_t index, int64_t *number, tq_error *error);
/* The dimension that an axis from -rank to rank - 1 means. */
tq_status tqi_call_axis(const tqi_call *call, int64_t axis, uint32_t rank, uint32_t *dim,
                        tq_error *error);
/* As tqi_call_output(), for dimensions that were computed: they may be too large. */
tq_status tqi_call_make(const tqi_call *call, uint32_t index, int32_t type, uint32_t rank,
                        const int64_t *shape, tqi_value **value, tq_error *error);
/* Of the shape of `like`. */
tq_status tqi_call_like(const tqi_call *call, uint32_t index, int32_t type, const tqi_value *like,
                        tqi_value **value, tq_error *error);

/* Each element is a copy of this one. */
void tqi_fill(tqi_value *output, const void *element);

/* `count` elements of `size` bytes, to be given back to tqi_free() with *bytes. */
tq_status tqi_call_scratch(const tqi_call *call, uint64_t count, size_t size, void *out,
                           size_t *bytes, tq_error *error);

/* Element i of an int32 or int64 value. */
static inline int64_t tqi_integer(const tqi_value *value, uint64_t i) {
    return value->type == TQI_TYPE_INT64 ? ((const int64_t *)value->data)[i]
                                         : ((const int32_t *)value->data)[i];
}

static inline bool tqi_is_integer(const tqi_value *value) {
    return value->type == TQI_TYPE_INT32 || value->type == TQI_TYPE_INT64;
}

static inline bool tqi_same_shape(const tqi_value *a, const tqi_value *b) {
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0;
}

/* Elements of the dimensions from `first` to before `end`. */
static inline uint64_t tqi_extent(const tqi_value *value, uint32_t first, uint32_t end) {
    uint64_t n = 1;
    for (uint32_t i = first; i < end; i++)
        n *= (uint64_t)value->shape[i];
    return n;
}

#endif
