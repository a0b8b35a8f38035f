/* SPDX-License-Identifier: Apache-2.0 */
/* One number of many. Sums of floats are made in double, of integers in int64, always in the
 * input's order: in sixteen lanes along a row, row after row otherwise. */
#include "execute/families.h"

#include <float.h>

#include "execute/call.h"

/* `along`: n values into one sum; `across`: into a sum each. */
typedef struct reducer {
    double start_float;
    int64_t start_integer;
    void (*along[4])(void *sum, const void *x, size_t n);
    void (*across[4])(void *sums, const void *x, size_t n);
} reducer;

enum { F32, I32, I64, BOOLEAN, NOT_COVERED };
enum { LANES = 16 };

static int kind_of(int32_t type) {
    return type == TQI_TYPE_FLOAT32 ? F32
           : type == TQI_TYPE_INT32 ? I32
           : type == TQI_TYPE_INT64 ? I64
           : type == TQI_TYPE_BOOL  ? BOOLEAN
                                    : NOT_COVERED;
}

/* Lanes start as what the operation does not change. */
#define LOOPS(name, in_type, sum_type, start, expression)                                          \
    static void name##_along(void *sum, const void *values, size_t n) {                            \
        const in_type *x = values;                                                                 \
        sum_type lanes[LANES], a = *(sum_type *)sum, b;                                            \
        for (int j = 0; j < LANES; j++)                                                            \
            lanes[j] = (start);                                                                    \
        size_t i = 0;                                                                              \
        for (; i + LANES <= n; i += LANES)                                                         \
            for (int j = 0; j < LANES; j++) {                                                      \
                a = lanes[j];                                                                      \
                b = (sum_type)x[i + (size_t)j];                                                    \
                lanes[j] = (expression);                                                           \
            }                                                                                      \
        for (int j = 0; i < n; i++, j++) {                                                         \
            a = lanes[j];                                                                          \
            b = (sum_type)x[i];                                                                    \
            lanes[j] = (expression);                                                               \
        }                                                                                          \
        a = *(sum_type *)sum;                                                                      \
        for (int j = 0; j < LANES && (size_t)j < n; j++) {                                         \
            b = lanes[j];                                                                          \
            a = (expression);                                                                      \
        }                                                                                          \
        *(sum_type *)sum = a;                                                                      \
    }                                                                                              \
    static void name##_across(void *sums, const void *values, size_t n) {                          \
        const in_type *x = values;                                                                 \
        sum_type *restrict to = sums;                                                              \
        for (size_t i = 0; i < n; i++) {                                                           \
            sum_type a = to[i], b = (sum_type)x[i];                                                \
            to[i] = (expression);                                                                  \
        }                                                                                          \
    }

#define NUMBER_LOOPS(name, start_float, start_integer, float_expression, integer_expression)       \
    LOOPS(name##_f32, float, double, start_float, float_expression)                                \
    LOOPS(name##_i32, int32_t, int64_t, start_integer, integer_expression)                         \
    LOOPS(name##_i64, int64_t, int64_t, start_integer, integer_expression)                         \
    static const reducer name = {start_float,                                                      \
                                 start_integer,                                                    \
                                 {name##_f32_along, name##_i32_along, name##_i64_along, NULL},     \
                                 {name##_f32_across, name##_i32_across, name##_i64_across, NULL}};

NUMBER_LOOPS(adding, 0.0, 0, a + b, (int64_t)((uint64_t)a + (uint64_t)b))
NUMBER_LOOPS(multiplying, 1.0, 1, a *b, (int64_t)((uint64_t)a *(uint64_t)b))
NUMBER_LOOPS(largest, (double)-FLT_MAX, INT64_MIN, a > b ? a : b, a > b ? a : b)
NUMBER_LOOPS(smallest, (double)FLT_MAX, INT64_MAX, a < b ? a : b, a < b ? a : b)

LOOPS(any_bool, uint8_t, int64_t, 0, a || b)
LOOPS(all_bool, uint8_t, int64_t, 1, a &&b)
static const reducer any = {
    0.0, 0, {NULL, NULL, NULL, any_bool_along}, {NULL, NULL, NULL, any_bool_across}};
static const reducer all = {
    0.0, 1, {NULL, NULL, NULL, all_bool_along}, {NULL, NULL, NULL, all_bool_across}};

/* The input's dimensions with neighbours of the same fate merged, and without those of 1. */
typedef struct groups {
    uint32_t count;
    size_t size[TQI_MAX_RANK];
    bool reduced[TQI_MAX_RANK];
    size_t step[TQI_MAX_RANK]; /* in the output; 0 where reduced */
} groups;

static void group(const tqi_value *input, const bool *reduced, groups *g) {
    g->count = 0;
    for (uint32_t d = 0; d < input->rank; d++) {
        if (input->shape[d] == 1)
            continue;
        if (g->count == 0 || g->reduced[g->count - 1] != reduced[d]) {
            g->size[g->count] = 1;
            g->reduced[g->count++] = reduced[d];
        }
        g->size[g->count - 1] *= (size_t)input->shape[d];
    }
    size_t step = 1;
    for (uint32_t i = g->count; i-- > 0;) {
        g->step[i] = g->reduced[i] ? 0 : step;
        step *= g->reduced[i] ? 1 : g->size[i];
    }
}

/* Row after row of the last group. */
static void go_through(const tqi_value *input, const groups *g, const reducer *r, uint8_t *sums) {
    int kind = kind_of(input->type);
    size_t element = tqi_type_size(input->type), index[TQI_MAX_RANK] = {0}, at = 0;
    uint32_t last = g->count ? g->count - 1 : 0;
    size_t n = g->count ? g->size[last] : 1;
    bool along = !g->count || g->reduced[last];
    const uint8_t *x = input->data, *end = x + tqi_value_bytes(input);
    for (; x < end; x += n * element) {
        (along ? r->along : r->across)[kind](sums + at * sizeof(double), x, n);
        for (uint32_t d = last; d-- > 0;) {
            at += g->step[d];
            if (++index[d] < g->size[d])
                break;
            at -= g->step[d] * g->size[d];
            index[d] = 0;
        }
    }
}

/* Divides by `count` and puts the sums into the output; the quotient of integers is cut off. */
static void finish(tqi_value *output, const void *sums, uint64_t count) {
    const double *floats = sums;
    const int64_t *integers = sums;
    float *f32 = output->data;
    int32_t *i32 = output->data;
    int64_t *i64 = output->data;
    uint8_t *booleans = output->data;
    for (uint64_t i = 0; i < output->elements; i++) {
        if (output->type == TQI_TYPE_FLOAT32)
            f32[i] = (float)(floats[i] / (double)count);
        else if (output->type == TQI_TYPE_INT32)
            i32[i] = (int32_t)(uint32_t)(uint64_t)(integers[i] / (int64_t)count);
        else if (output->type == TQI_TYPE_INT64)
            i64[i] = integers[i] / (int64_t)count;
        else
            booleans[i] = integers[i] != 0;
    }
}

static tq_status read_axes(const tqi_call *call, const tqi_value *input, bool *reduced,
                           tq_error *error) {
    int64_t axes[4 * TQI_MAX_RANK];
    uint32_t count = 0;
    TQI_TRY(tqi_call_numbers(call, 1, 4 * TQI_MAX_RANK, axes, &count, error));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t dim = 0;
        TQI_TRY(tqi_call_axis(call, axes[i], input->rank, &dim, error));
        reduced[dim] = true;
    }
    return TQ_OK;
}

static tq_status run(const tqi_call *call, const reducer *r, bool mean, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    bool reduced[TQI_MAX_RANK] = {false};
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    int kind = kind_of(input->type);
    if (kind == NOT_COVERED || !r->along[kind])
        return tqi_call_refuse(call, error, "its type is not covered");
    if (input->rank > 0)
        TQI_TRY(read_axes(call, input, reduced, error));
    bool keep = tqi_option_i8(call, tqi_call_options(call, TQI_OPTIONS_REDUCER), 0, 0) != 0;
    int32_t shape[TQI_MAX_RANK];
    uint32_t rank = 0;
    uint64_t count = 1;
    for (uint32_t d = 0; d < input->rank; d++) {
        if (!reduced[d] || keep)
            shape[rank++] = reduced[d] ? 1 : input->shape[d];
        count *= reduced[d] ? (uint64_t)input->shape[d] : 1;
    }
    if (mean && count == 0)
        return tqi_call_refuse(call, error, "there is no mean of nothing");
    TQI_TRY(tqi_call_output(call, 0, input->type, rank, shape, &output, error));

    void *sums = NULL;
    size_t bytes = 0;
    TQI_TRY(tqi_call_scratch(call, output->elements, sizeof(double), &sums, &bytes, error));
    for (uint64_t i = 0; i < output->elements; i++)
        if (kind == F32)
            ((double *)sums)[i] = r->start_float;
        else
            ((int64_t *)sums)[i] = r->start_integer;
    groups g;
    group(input, reduced, &g);
    if (input->elements > 0)
        go_through(input, &g, r, sums);
    finish(output, sums, mean ? count : 1);
    tqi_free(call->heap, sums, bytes);
    return TQ_OK;
}

tq_status tqi_run_mean(const tqi_call *call, tq_error *error) {
    return run(call, &adding, true, error);
}

tq_status tqi_run_sum(const tqi_call *call, tq_error *error) {
    return run(call, &adding, false, error);
}

tq_status tqi_run_reduce_prod(const tqi_call *call, tq_error *error) {
    return run(call, &multiplying, false, error);
}

tq_status tqi_run_reduce_max(const tqi_call *call, tq_error *error) {
    return run(call, &largest, false, error);
}

tq_status tqi_run_reduce_min(const tqi_call *call, tq_error *error) {
    return run(call, &smallest, false, error);
}

tq_status tqi_run_reduce_any(const tqi_call *call, tq_error *error) {
    return run(call, &any, false, error);
}

tq_status tqi_run_reduce_all(const tqi_call *call, tq_error *error) {
    return run(call, &all, false, error);
}
