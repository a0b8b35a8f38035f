/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that make one number of one number. */
#include "execute/families.h"

#include "execute/approximate.h"
#include "execute/call.h"

typedef void map_floats(float *restrict y, const float *x, size_t n);
typedef void map_i32(int32_t *restrict y, const int32_t *x, size_t n);
typedef void map_i64(int64_t *restrict y, const int64_t *x, size_t n);

/* The functions for integers may be NULL: not covered. */
static tq_status map(const tqi_call *call, map_floats *floats, map_i32 *i32, map_i64 *i64,
                     tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    int32_t type = input->type;
    bool covered = type == TQI_TYPE_FLOAT32 || (type == TQI_TYPE_INT32 && i32) ||
                   (type == TQI_TYPE_INT64 && i64);
    if (!covered)
        return tqi_call_refuse(call, error, "its type is not covered");
    TQI_TRY(tqi_call_like(call, 0, type, input, &output, error));
    size_t n = (size_t)input->elements;
    if (type == TQI_TYPE_FLOAT32)
        floats(output->data, input->data, n);
    else if (type == TQI_TYPE_INT32)
        i32(output->data, input->data, n);
    else
        i64(output->data, input->data, n);
    return TQ_OK;
}

#define LOOP(name, type, expression)                                                               \
    static void name(type *restrict y, const type *x, size_t n) {                                  \
        for (size_t i = 0; i < n; i++)                                                             \
            y[i] = (expression);                                                                   \
    }
#define FLOATS(name, expression)                                                                   \
    LOOP(name##_f32, float, expression)                                                            \
    tq_status tqi_run_##name(const tqi_call *call, tq_error *error) {                              \
        return map(call, name##_f32, NULL, NULL, error);                                           \
    }

FLOATS(square, x[i] * x[i])
FLOATS(sqrt, sqrtf(x[i]))
FLOATS(rsqrt, 1.0f / sqrtf(x[i]))
FLOATS(exp, tqi_exp(x[i]))
FLOATS(log, tqi_log(x[i]))
FLOATS(sin, tqi_sin(x[i]))
FLOATS(cos, tqi_cos(x[i]))
FLOATS(floor, floorf(x[i]))
FLOATS(ceil, ceilf(x[i]))
FLOATS(round, rintf(x[i])) /* half to even */

LOOP(abs_f32, float, fabsf(x[i]))
LOOP(abs_i32, int32_t, x[i] < 0 ? (int32_t)(0 - (uint32_t)x[i]) : x[i])
LOOP(neg_f32, float, -x[i])
LOOP(neg_i32, int32_t, (int32_t)(0 - (uint32_t)x[i]))
LOOP(neg_i64, int64_t, (int64_t)(0 - (uint64_t)x[i]))
LOOP(sign_f32, float, (float)((x[i] > 0.0f) - (x[i] < 0.0f)))
LOOP(sign_i32, int32_t, (x[i] > 0) - (x[i] < 0))

tq_status tqi_run_abs(const tqi_call *call, tq_error *error) {
    return map(call, abs_f32, abs_i32, NULL, error);
}

tq_status tqi_run_neg(const tqi_call *call, tq_error *error) {
    return map(call, neg_f32, neg_i32, neg_i64, error);
}

tq_status tqi_run_sign(const tqi_call *call, tq_error *error) {
    return map(call, sign_f32, sign_i32, NULL, error);
}

/* ---- from one type to another ---- */

/* Toward zero, and to the nearest limit; NaN gives 0. */
static int64_t whole_64(float x) {
    if (x != x)
        return 0;
    if (x >= 9223372036854775808.0f)
        return INT64_MAX;
    return x <= -9223372036854775808.0f ? INT64_MIN : (int64_t)x;
}

static int32_t whole_32(float x) {
    int64_t whole = whole_64(x);
    return (int32_t)(whole > INT32_MAX ? INT32_MAX : whole < INT32_MIN ? INT32_MIN : whole);
}

#define CAST(from_type, to_type, expression)                                                       \
    do {                                                                                           \
        const from_type *x = from->data;                                                           \
        to_type *y = to->data;                                                                     \
        for (uint64_t i = 0; i < from->elements; i++)                                              \
            y[i] = (expression);                                                                   \
    } while (0)

static void cast_integers(const tqi_value *from, tqi_value *to) {
    if (from->type == TQI_TYPE_INT32 && to->type == TQI_TYPE_FLOAT32)
        CAST(int32_t, float, (float)x[i]);
    else if (from->type == TQI_TYPE_INT32 && to->type == TQI_TYPE_INT64)
        CAST(int32_t, int64_t, x[i]);
    else if (from->type == TQI_TYPE_INT32)
        CAST(int32_t, uint8_t, x[i] != 0);
    else if (to->type == TQI_TYPE_FLOAT32)
        CAST(int64_t, float, (float)x[i]);
    else if (to->type == TQI_TYPE_INT32)
        CAST(int64_t, int32_t, (int32_t)(uint32_t)(uint64_t)x[i]);
    else
        CAST(int64_t, uint8_t, x[i] != 0);
}

static void cast_others(const tqi_value *from, tqi_value *to) {
    if (from->type == TQI_TYPE_FLOAT32 && to->type == TQI_TYPE_INT32)
        CAST(float, int32_t, whole_32(x[i]));
    else if (from->type == TQI_TYPE_FLOAT32 && to->type == TQI_TYPE_INT64)
        CAST(float, int64_t, whole_64(x[i]));
    else if (from->type == TQI_TYPE_FLOAT32)
        CAST(float, uint8_t, x[i] != 0.0f);
    else if (to->type == TQI_TYPE_FLOAT32)
        CAST(uint8_t, float, x[i] ? 1.0f : 0.0f);
    else if (to->type == TQI_TYPE_INT32)
        CAST(uint8_t, int32_t, x[i] != 0);
    else
        CAST(uint8_t, int64_t, x[i] != 0);
}

static bool can_cast(int32_t type) {
    return type == TQI_TYPE_FLOAT32 || type == TQI_TYPE_INT32 || type == TQI_TYPE_INT64 ||
           type == TQI_TYPE_BOOL;
}

/* The type is that of the output; the options may be older than some types. Floats of other
 * sizes are float32 here. */
tq_status tqi_run_cast(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    int32_t type = tqi_declared_type(call, 0);
    if (type == TQI_TYPE_FLOAT16 || type == TQI_TYPE_BFLOAT16 || type == TQI_TYPE_FLOAT64)
        type = TQI_TYPE_FLOAT32;
    if (!can_cast(type) || !can_cast(input->type))
        return tqi_call_refuse(call, error, "its type is not covered");
    TQI_TRY(tqi_call_like(call, 0, type, input, &output, error));
    if (type == input->type)
        memcpy(output->data, input->data, tqi_value_bytes(input));
    else if (tqi_is_integer(input))
        cast_integers(input, output);
    else
        cast_others(input, output);
    return TQ_OK;
}
