/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that go along one axis: where the largest number is, running sums. */
#include "execute/families.h"

#include "execute/call.h"

/* Elements before, of and after the axis: [outer][n][inner]. */
typedef struct lines {
    uint64_t outer, n, inner;
} lines;

static lines lines_of(const tqi_value *value, uint32_t axis) {
    return (lines){tqi_extent(value, 0, axis), (uint64_t)value->shape[axis],
                   tqi_extent(value, axis + 1, value->rank)};
}

/* ---- where the largest or smallest number is: the first of them ---- */

#define BEST(name, type)                                                                           \
    static uint64_t name(const void *values, uint64_t n, uint64_t step, bool smallest) {           \
        const type *x = values;                                                                    \
        uint64_t best = 0;                                                                         \
        for (uint64_t i = 1; i < n; i++)                                                           \
            if (smallest ? x[i * step] < x[best * step] : x[i * step] > x[best * step])            \
                best = i;                                                                          \
        return best;                                                                               \
    }

BEST(best_f32, float)
BEST(best_i32, int32_t)
BEST(best_i64, int64_t)

static tq_status arg(const tqi_call *call, uint8_t member, bool smallest, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    int64_t axis = 0;
    uint32_t dim = 0;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_number(call, 1, &axis, error));
    TQI_TRY(tqi_call_axis(call, axis, input->rank, &dim, error));
    if (input->type != TQI_TYPE_FLOAT32 && !tqi_is_integer(input))
        return tqi_call_refuse(call, error, "its type is not covered");
    int32_t type = tqi_option_i8(call, tqi_call_options(call, member), 0, 0);
    if (type != TQI_TYPE_INT32 && type != TQI_TYPE_INT64)
        return tqi_call_refuse(call, error, "the type of its indices is not covered");
    int32_t shape[TQI_MAX_RANK];
    for (uint32_t d = 0, to = 0; d < input->rank; d++)
        if (d != dim)
            shape[to++] = input->shape[d];
    TQI_TRY(tqi_call_output(call, 0, type, input->rank - 1, shape, &output, error));
    lines l = lines_of(input, dim);
    if (l.n == 0)
        return tqi_call_refuse(call, error, "its axis is empty");
    const uint8_t *x = input->data;
    size_t element = tqi_type_size(input->type);
    for (uint64_t i = 0; i < output->elements; i++) {
        const void *line = x + (i / l.inner * l.n * l.inner + i % l.inner) * element;
        uint64_t best = input->type == TQI_TYPE_FLOAT32 ? best_f32(line, l.n, l.inner, smallest)
                        : input->type == TQI_TYPE_INT32 ? best_i32(line, l.n, l.inner, smallest)
                                                        : best_i64(line, l.n, l.inner, smallest);
        if (type == TQI_TYPE_INT32)
            ((int32_t *)output->data)[i] = (int32_t)best;
        else
            ((int64_t *)output->data)[i] = (int64_t)best;
    }
    return TQ_OK;
}

tq_status tqi_run_arg_max(const tqi_call *call, tq_error *error) {
    return arg(call, TQI_OPTIONS_ARG_MAX, false, error);
}

tq_status tqi_run_arg_min(const tqi_call *call, tq_error *error) {
    return arg(call, TQI_OPTIONS_ARG_MIN, true, error);
}

/* ---- running sums ---- */

#define RUNNING(name, type, sum_type)                                                              \
    static void name(void *to, const void *from, uint64_t n, uint64_t step, bool exclusive,        \
                     bool reverse) {                                                               \
        type *y = to;                                                                              \
        const type *x = from;                                                                      \
        sum_type sum = 0;                                                                          \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            uint64_t at = (reverse ? n - 1 - i : i) * step;                                        \
            sum_type next = sum + (sum_type)x[at];                                                 \
            y[at] = (type)(exclusive ? sum : next);                                                \
            sum = next;                                                                            \
        }                                                                                          \
    }

RUNNING(running_f32, float, float)
RUNNING(running_i32, int32_t, uint32_t)
RUNNING(running_i64, int64_t, uint64_t)

tq_status tqi_run_cumsum(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    int64_t axis = 0;
    uint32_t dim = 0;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_number(call, 1, &axis, error));
    TQI_TRY(tqi_call_axis(call, axis, input->rank, &dim, error));
    if (input->type != TQI_TYPE_FLOAT32 && !tqi_is_integer(input))
        return tqi_call_refuse(call, error, "its type is not covered");
    uint32_t options = tqi_call_options(call, TQI_OPTIONS_CUMSUM);
    bool exclusive = tqi_option_i8(call, options, 0, 0) != 0;
    bool reverse = tqi_option_i8(call, options, 1, 0) != 0;
    TQI_TRY(tqi_call_like(call, 0, input->type, input, &output, error));
    lines l = lines_of(input, dim);
    const uint8_t *x = input->data;
    uint8_t *y = output->data;
    size_t element = tqi_type_size(input->type);
    for (uint64_t i = 0; i < l.outer * l.inner && l.n > 0; i++) {
        uint64_t at = (i / l.inner * l.n * l.inner + i % l.inner) * element;
        (input->type == TQI_TYPE_FLOAT32 ? running_f32
         : input->type == TQI_TYPE_INT32
             ? running_i32
             : running_i64)(y + at, x + at, l.n, l.inner, exclusive, reverse);
    }
    return TQ_OK;
}
