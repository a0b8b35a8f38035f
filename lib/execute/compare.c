/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions, and what is chosen by them. A bool is a byte, true if it is not 0. */
#include "execute/families.h"
#include "execute/walk.h"

#define ROW(name, in_type, expression)                                                             \
    static void name(void *const *at, const int64_t *step, size_t n, const void *context) {        \
        (void)context;                                                                             \
        uint8_t *restrict out = at[0];                                                             \
        const in_type *a = at[1], *b = at[2];                                                      \
        size_t next_a = step[1] != 0, next_b = step[2] != 0;                                       \
        for (size_t i = 0; i < n; i++) {                                                           \
            in_type x = a[i * next_a], y = b[i * next_b];                                          \
            out[i] = (expression);                                                                 \
        }                                                                                          \
    }
#define NUMBER_ROWS(name, expression)                                                              \
    ROW(name##_f32, float, expression)                                                             \
    ROW(name##_i32, int32_t, expression)                                                           \
    ROW(name##_i64, int64_t, expression)

NUMBER_ROWS(equal, x == y)
NUMBER_ROWS(not_equal, x != y)
NUMBER_ROWS(less, x < y)
NUMBER_ROWS(less_equal, x <= y)
NUMBER_ROWS(greater, x > y)
NUMBER_ROWS(greater_equal, x >= y)
ROW(equal_bool, uint8_t, !x == !y)
ROW(not_equal_bool, uint8_t, !x != !y)
ROW(both, uint8_t, x &&y)
ROW(either, uint8_t, x || y)

/* NULL: not covered. */
typedef struct condition_rows {
    tqi_row *f32, *i32, *i64, *boolean;
} condition_rows;

static tq_status condition(const tqi_call *call, const condition_rows *rows, tq_error *error) {
    const tqi_value *inputs[2] = {NULL, NULL};
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_any(call, 0, &inputs[0], error));
    int32_t type = inputs[0]->type;
    TQI_TRY(tqi_call_input(call, 1, type, &inputs[1], error));
    tqi_row *row = type == TQI_TYPE_FLOAT32 ? rows->f32
                   : type == TQI_TYPE_INT32 ? rows->i32
                   : type == TQI_TYPE_INT64 ? rows->i64
                   : type == TQI_TYPE_BOOL  ? rows->boolean
                                            : NULL;
    if (!row)
        return tqi_call_refuse(call, error, "its type is not covered");
    return tqi_broadcast(call, inputs, 2, TQI_TYPE_BOOL, row, NULL, &output, error);
}

#define CONDITION(name, f32, i32, i64, boolean)                                                    \
    tq_status tqi_run_##name(const tqi_call *call, tq_error *error) {                              \
        return condition(call, &(condition_rows){f32, i32, i64, boolean}, error);                  \
    }

CONDITION(equal, equal_f32, equal_i32, equal_i64, equal_bool)
CONDITION(not_equal, not_equal_f32, not_equal_i32, not_equal_i64, not_equal_bool)
CONDITION(less, less_f32, less_i32, less_i64, NULL)
CONDITION(less_equal, less_equal_f32, less_equal_i32, less_equal_i64, NULL)
CONDITION(greater, greater_f32, greater_i32, greater_i64, NULL)
CONDITION(greater_equal, greater_equal_f32, greater_equal_i32, greater_equal_i64, NULL)
CONDITION(logical_and, NULL, NULL, NULL, both)
CONDITION(logical_or, NULL, NULL, NULL, either)

tq_status tqi_run_logical_not(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_BOOL, &input, error));
    TQI_TRY(tqi_call_like(call, 0, TQI_TYPE_BOOL, input, &output, error));
    const uint8_t *x = input->data;
    uint8_t *y = output->data;
    for (uint64_t i = 0; i < input->elements; i++)
        y[i] = !x[i];
    return TQ_OK;
}

/* ---- choices ---- */

#define CHOOSE_EACH(bytes)                                                                         \
    for (size_t i = 0; i < n; i++)                                                                 \
    memcpy(out + i * (bytes),                                                                      \
           which[(int64_t)i * step[1]] ? a + (int64_t)i * step[2] : b + (int64_t)i * step[3],      \
           bytes)

static void choose_row(void *const *at, const int64_t *step, size_t n, const void *context) {
    uint8_t *out = at[0];
    const uint8_t *which = at[1], *a = at[2], *b = at[3];
    switch (*(const size_t *)context) {
    case 1:
        CHOOSE_EACH(1);
        break;
    case 4:
        CHOOSE_EACH(4);
        break;
    default:
        CHOOSE_EACH(8);
    }
}

static tq_status choose(const tqi_call *call, bool by_first_dimension, tq_error *error) {
    const tqi_value *inputs[3] = {NULL, NULL, NULL};
    tqi_value *output = NULL, condition_column;
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_BOOL, &inputs[0], error));
    TQI_TRY(tqi_call_any(call, 1, &inputs[1], error));
    TQI_TRY(tqi_call_input(call, 2, inputs[1]->type, &inputs[2], error));
    uint32_t rank = inputs[1]->rank;
    if (by_first_dimension && inputs[0]->rank == 1 && rank > 1) {
        condition_column = *inputs[0];
        condition_column.rank = rank;
        for (uint32_t d = 1; d < rank; d++)
            condition_column.shape[d] = 1;
        inputs[0] = &condition_column;
    }
    size_t element = tqi_type_size(inputs[1]->type);
    return tqi_broadcast(call, inputs, 3, inputs[1]->type, choose_row, &element, &output, error);
}

/* A list of conditions chooses among whole parts of the first dimension. */
tq_status tqi_run_select(const tqi_call *call, tq_error *error) {
    return choose(call, true, error);
}

tq_status tqi_run_select_v2(const tqi_call *call, tq_error *error) {
    return choose(call, false, error);
}

/* Where the input is true: the indices, row by row. */
tq_status tqi_run_where(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_BOOL, &input, error));
    const uint8_t *which = input->data;
    int64_t count = 0;
    for (uint64_t i = 0; i < input->elements; i++)
        count += which[i] != 0;
    TQI_TRY(
        tqi_call_make(call, 0, TQI_TYPE_INT64, 2, (int64_t[]){count, input->rank}, &output, error));
    int64_t *out = output->data;
    for (uint64_t i = 0; i < input->elements; i++) {
        uint64_t rest = i;
        for (uint32_t d = input->rank; which[i] && d-- > 0;) {
            out[d] = (int64_t)(rest % (uint64_t)input->shape[d]);
            rest /= (uint64_t)input->shape[d];
        }
        out += which[i] ? input->rank : 0;
    }
    return TQ_OK;
}
