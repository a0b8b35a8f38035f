/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of two inputs, which are broadcast. Integers wrap around. */
#include "execute/families.h"
#include "execute/pair_rows.h"

#include "execute/approximate.h"

#define ROW(name, in_type, out_type, expression)                                                   \
    TQI_PAIR_ROW(static, name, in_type, out_type, expression)

#define WRAP_32(operator) (int32_t)((uint32_t)x operator(uint32_t) y)
#define WRAP_64(operator) (int64_t)((uint64_t)x operator(uint64_t) y)

ROW(add_i32, int32_t, int32_t, WRAP_32(+))
ROW(add_i64, int64_t, int64_t, WRAP_64(+))
ROW(sub_i32, int32_t, int32_t, WRAP_32(-))
ROW(sub_i64, int64_t, int64_t, WRAP_64(-))
ROW(mul_i32, int32_t, int32_t, WRAP_32(*))
ROW(mul_i64, int64_t, int64_t, WRAP_64(*))
ROW(max_i32, int32_t, int32_t, x > y ? x : y)
ROW(max_i64, int64_t, int64_t, x > y ? x : y)
ROW(min_i32, int32_t, int32_t, x < y ? x : y)
ROW(min_i64, int64_t, int64_t, x < y ? x : y)
ROW(squared_difference_i32, int32_t, int32_t,
    (int32_t)(((uint32_t)x - (uint32_t)y) * ((uint32_t)x - (uint32_t)y)))

/* The divisors are not 0; of the smallest number by -1 there is no quotient. */
#define QUOTIENT_32 (y == -1 ? (int32_t)(0 - (uint32_t)x) : x / y)
#define QUOTIENT_64 (y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y)
#define REMAINDER (y == -1 ? 0 : x % y)
#define ROUNDED_UP (REMAINDER != 0 && (x < 0) != (y < 0))

ROW(div_i32, int32_t, int32_t, QUOTIENT_32)
ROW(div_i64, int64_t, int64_t, QUOTIENT_64)
ROW(floor_div_f32, float, float, floorf(x / y))
ROW(floor_div_i32, int32_t, int32_t, QUOTIENT_32 - ROUNDED_UP)
ROW(floor_div_i64, int64_t, int64_t, QUOTIENT_64 - ROUNDED_UP)
ROW(floor_mod_i32, int32_t, int32_t, REMAINDER + (ROUNDED_UP ? y : 0))
ROW(floor_mod_i64, int64_t, int64_t, REMAINDER + (ROUNDED_UP ? y : 0))

static float floor_mod(float x, float y) {
    float rest = fmodf(x, y); /* exact */
    return rest != 0.0f && (rest < 0.0f) != (y < 0.0f) ? rest + y : rest;
}
ROW(floor_mod_f32, float, float, floor_mod(x, y))

static int32_t whole_power(int32_t base, int32_t exponent) {
    uint32_t power = 1, square = (uint32_t)base;
    for (; exponent > 0; exponent >>= 1, square *= square)
        if (exponent & 1)
            power *= square;
    return (int32_t)power;
}
ROW(pow_f32, float, float, tqi_pow(x, y))
ROW(pow_i32, int32_t, int32_t, whole_power(x, y))

/* NULL: not covered. */
typedef struct pair_rows {
    tqi_row *f32, *i32, *i64;
} pair_rows;

static tq_status run_pair(const tqi_call *call, const pair_rows *rows, tqi_value **output,
                          tq_error *error) {
    const tqi_value *inputs[2] = {NULL, NULL};
    TQI_TRY(tqi_call_any(call, 0, &inputs[0], error));
    int32_t type = inputs[0]->type;
    TQI_TRY(tqi_call_input(call, 1, type, &inputs[1], error));
    tqi_row *row = type == TQI_TYPE_FLOAT32 ? rows->f32
                   : type == TQI_TYPE_INT32 ? rows->i32
                   : type == TQI_TYPE_INT64 ? rows->i64
                                            : NULL;
    if (!row)
        return tqi_call_refuse(call, error, "its type is not covered");
    return tqi_broadcast(call, inputs, 2, type, row, NULL, output, error);
}

static tq_status plain(const tqi_call *call, const pair_rows *rows, tq_error *error) {
    tqi_value *output = NULL;
    return run_pair(call, rows, &output, error);
}

/* The fused activation function is the first field of all these options. */
static tq_status fused(const tqi_call *call, uint8_t member, const pair_rows *rows,
                       tq_error *error) {
    tqi_value *output = NULL;
    int32_t activation = tqi_option_i8(call, tqi_call_options(call, member), 0, 0);
    TQI_TRY(run_pair(call, rows, &output, error));
    bool covered = output->type == TQI_TYPE_FLOAT32
                       ? tqi_activate(output->data, output->elements, activation)
                       : activation == 0;
    return covered ? TQ_OK : tqi_call_refuse(call, error, "its activation function is not covered");
}

tq_status tqi_run_add(const tqi_call *call, tq_error *error) {
    return fused(call, TQI_OPTIONS_ADD, &(pair_rows){tqi_add_f32, add_i32, add_i64}, error);
}

tq_status tqi_run_sub(const tqi_call *call, tq_error *error) {
    return fused(call, TQI_OPTIONS_SUB, &(pair_rows){tqi_sub_f32, sub_i32, sub_i64}, error);
}

tq_status tqi_run_mul(const tqi_call *call, tq_error *error) {
    return fused(call, TQI_OPTIONS_MUL, &(pair_rows){tqi_mul_f32, mul_i32, mul_i64}, error);
}

tq_status tqi_run_maximum(const tqi_call *call, tq_error *error) {
    return plain(call, &(pair_rows){tqi_max_f32, max_i32, max_i64}, error);
}

tq_status tqi_run_minimum(const tqi_call *call, tq_error *error) {
    return plain(call, &(pair_rows){tqi_min_f32, min_i32, min_i64}, error);
}

tq_status tqi_run_squared_difference(const tqi_call *call, tq_error *error) {
    return plain(call, &(pair_rows){tqi_squared_difference_f32, squared_difference_i32, NULL},
                 error);
}

/* ---- what not every divisor or exponent allows ---- */

/* Refuses if the second input has an integer (or, where asked, any number) that is zero, or where
 * asked negative. */
static tq_status check_second(const tqi_call *call, bool floats_too, bool negative,
                              tq_error *error) {
    const tqi_value *value = NULL;
    TQI_TRY(tqi_call_any(call, 1, &value, error));
    bool wrong = false;
    if (tqi_is_integer(value))
        for (uint64_t i = 0; i < value->elements; i++)
            wrong |= negative ? tqi_integer(value, i) < 0 : tqi_integer(value, i) == 0;
    else if (floats_too && value->type == TQI_TYPE_FLOAT32)
        for (uint64_t i = 0; i < value->elements; i++)
            wrong |= tqi_floats(value)[i] == 0.0f;
    if (wrong)
        return tqi_call_refuse(call, error, negative ? "negative power" : "division by zero");
    return TQ_OK;
}

tq_status tqi_run_div(const tqi_call *call, tq_error *error) {
    TQI_TRY(check_second(call, false, false, error));
    return fused(call, TQI_OPTIONS_DIV, &(pair_rows){tqi_div_f32, div_i32, div_i64}, error);
}

tq_status tqi_run_floor_div(const tqi_call *call, tq_error *error) {
    TQI_TRY(check_second(call, true, false, error));
    return plain(call, &(pair_rows){floor_div_f32, floor_div_i32, floor_div_i64}, error);
}

tq_status tqi_run_floor_mod(const tqi_call *call, tq_error *error) {
    TQI_TRY(check_second(call, true, false, error));
    return plain(call, &(pair_rows){floor_mod_f32, floor_mod_i32, floor_mod_i64}, error);
}

tq_status tqi_run_pow(const tqi_call *call, tq_error *error) {
    TQI_TRY(check_second(call, false, true, error));
    return plain(call, &(pair_rows){pow_f32, pow_i32, NULL}, error);
}

/* ---- any number of inputs, of one shape ---- */

static void add_to_floats(float *restrict sums, const float *more, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        sums[i] += more[i];
}

static void add_to_integers(int32_t *restrict sums, const int32_t *more, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        sums[i] = (int32_t)((uint32_t)sums[i] + (uint32_t)more[i]);
}

tq_status tqi_run_add_n(const tqi_call *call, tq_error *error) {
    const tqi_value *first = NULL;
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_any(call, 0, &first, error));
    if (first->type != TQI_TYPE_FLOAT32 && first->type != TQI_TYPE_INT32)
        return tqi_call_refuse(call, error, "its type is not covered");
    TQI_TRY(tqi_call_like(call, 0, first->type, first, &output, error));
    memcpy(output->data, first->data, tqi_value_bytes(first));
    for (uint32_t i = 1; i < call->n_inputs; i++) {
        const tqi_value *next = NULL;
        TQI_TRY(tqi_call_input(call, i, first->type, &next, error));
        if (!tqi_same_shape(first, next))
            return tqi_call_refuse(call, error, "its inputs differ in shape");
        if (first->type == TQI_TYPE_FLOAT32)
            add_to_floats(output->data, next->data, output->elements);
        else
            add_to_integers(output->data, next->data, output->elements);
    }
    return TQ_OK;
}
