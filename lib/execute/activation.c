/* SPDX-License-Identifier: Apache-2.0 */
/* Activation functions, and what makes all numbers of the last dimension one distribution. */
#include "execute/families.h"
#include "execute/walk.h"

#include "execute/approximate.h"

static tq_status floats_in_and_out(const tqi_call *call, const tqi_value **input,
                                   tqi_value **output, tq_error *error) {
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, input, error));
    return tqi_call_like(call, 0, TQI_TYPE_FLOAT32, *input, output, error);
}

/* ---- number by number ---- */

typedef void map_floats(float *restrict y, const float *x, size_t n, float factor);

static tq_status map(const tqi_call *call, map_floats *function, float factor, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    TQI_TRY(floats_in_and_out(call, &input, &output, error));
    function(output->data, input->data, (size_t)input->elements, factor);
    return TQ_OK;
}

#define LOOP(name, expression)                                                                     \
    static void name(float *restrict y, const float *x, size_t n, float factor) {                  \
        (void)factor;                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            y[i] = (expression);                                                                   \
    }
#define FUNCTION(name, expression)                                                                 \
    LOOP(name##_floats, expression)                                                                \
    tq_status tqi_run_##name(const tqi_call *call, tq_error *error) {                              \
        return map(call, name##_floats, 0.0f, error);                                              \
    }

static inline float clip(float x, float low, float high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* The product first: then there is nothing to branch for. */
static inline float slope_below(float x, float slope) {
    float product = x * slope;
    return tqi_choose(tqi_float_bits(x) >> 31, product, x);
}

FUNCTION(relu, x[i] < 0.0f ? 0.0f : x[i])
FUNCTION(relu6, clip(x[i], 0.0f, 6.0f))
FUNCTION(relu_n1_to_1, clip(x[i], -1.0f, 1.0f))
FUNCTION(relu_0_to_1, clip(x[i], 0.0f, 1.0f))
FUNCTION(elu, tqi_choose(tqi_float_bits(x[i]) >> 31, tqi_expm1(x[i]), x[i]))
FUNCTION(hard_swish, x[i] * clip(x[i] + 3.0f, 0.0f, 6.0f) / 6.0f)
FUNCTION(logistic, tqi_logistic(x[i]))
FUNCTION(tanh, tqi_tanh(x[i]))

LOOP(leaky_relu, slope_below(x[i], factor))
LOOP(gelu, 0.5f * x[i] * (1.0f + tqi_erf(x[i] * 0.707106781f)))
LOOP(gelu_by_tanh,
     0.5f * x[i] * (1.0f + tqi_tanh(0.797884561f * (x[i] + 0.044715f * x[i] * x[i] * x[i]))))

tq_status tqi_run_leaky_relu(const tqi_call *call, tq_error *error) {
    uint32_t options = tqi_call_options(call, TQI_OPTIONS_LEAKY_RELU);
    return map(call, leaky_relu, tqi_option_f32(call, options, 0, 0.0f), error);
}

tq_status tqi_run_gelu(const tqi_call *call, tq_error *error) {
    uint32_t options = tqi_call_options(call, TQI_OPTIONS_GELU);
    return map(call, tqi_option_i8(call, options, 0, 0) ? gelu_by_tanh : gelu, 0.0f, error);
}

static void prelu_row(void *const *at, const int64_t *step, size_t n, const void *context) {
    (void)context;
    float *restrict out = at[0];
    const float *x = at[1], *slope = at[2];
    size_t next_x = step[1] != 0, next = step[2] != 0;
    if (next_x && next)
        for (size_t i = 0; i < n; i++)
            out[i] = slope_below(x[i], slope[i]);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = slope_below(x[i * next_x], slope[i * next]);
}

tq_status tqi_run_prelu(const tqi_call *call, tq_error *error) {
    const tqi_value *inputs[2] = {NULL, NULL};
    tqi_value *output = NULL;
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, &inputs[0], error));
    TQI_TRY(tqi_call_input(call, 1, TQI_TYPE_FLOAT32, &inputs[1], error));
    return tqi_broadcast(call, inputs, 2, TQI_TYPE_FLOAT32, prelu_row, NULL, &output, error);
}

/* ---- by the last dimension ---- */

typedef void row_function(float *y, const float *x, size_t n, float factor);

static tq_status rows(const tqi_call *call, row_function *function, float factor, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    TQI_TRY(floats_in_and_out(call, &input, &output, error));
    size_t n = input->rank ? (size_t)input->shape[input->rank - 1] : 1;
    for (uint64_t at = 0; at < input->elements; at += n)
        function(tqi_floats(output) + at, tqi_floats(input) + at, n, factor);
    return TQ_OK;
}

/* Sixteen sums side by side, then in order: a vector's worth on any machine. */
enum { LANES = 16 };

static float fold(const float *lanes) {
    float sum = 0.0f;
    for (int j = 0; j < LANES; j++)
        sum += lanes[j];
    return sum;
}

static float sum_of(const float *x, size_t n) {
    float lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            lanes[j] += x[i + (size_t)j];
    for (size_t j = 0; i < n; i++, j++)
        lanes[j] += x[i];
    return fold(lanes);
}

static float sum_of_squares(const float *x, size_t n) {
    float lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            lanes[j] += x[i + (size_t)j] * x[i + (size_t)j];
    for (size_t j = 0; i < n; i++, j++)
        lanes[j] += x[i] * x[i];
    return fold(lanes);
}

static float largest_of(const float *x, size_t n) {
    float largest = x[0];
    for (size_t i = 1; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}

static void softmax_row(float *y, const float *x, size_t n, float beta) {
    float largest = largest_of(x, n);
    for (size_t i = 0; i < n; i++)
        y[i] = tqi_exp((x[i] - largest) * beta);
    float sum = sum_of(y, n);
    for (size_t i = 0; i < n; i++)
        y[i] /= sum;
}

static void log_softmax_row(float *y, const float *x, size_t n, float factor) {
    (void)factor;
    float largest = largest_of(x, n);
    for (size_t i = 0; i < n; i++)
        y[i] = tqi_exp(x[i] - largest);
    float log_sum = tqi_log(sum_of(y, n));
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - largest) - log_sum;
}

static void l2_row(float *y, const float *x, size_t n, float factor) {
    (void)factor;
    float norm = sqrtf(sum_of_squares(x, n));
    norm = norm < 1e-6f ? 1e-6f : norm;
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] / norm;
}

tq_status tqi_run_softmax(const tqi_call *call, tq_error *error) {
    uint32_t options = tqi_call_options(call, TQI_OPTIONS_SOFTMAX);
    return rows(call, softmax_row, tqi_option_f32(call, options, 0, 0.0f), error);
}

tq_status tqi_run_log_softmax(const tqi_call *call, tq_error *error) {
    return rows(call, log_softmax_row, 0.0f, error);
}

tq_status tqi_run_l2_normalization(const tqi_call *call, tq_error *error) {
    uint32_t options = tqi_call_options(call, TQI_OPTIONS_L2_NORM);
    if (tqi_option_i8(call, options, 0, 0) != 0)
        return tqi_call_refuse(call, error, "its activation function is not covered");
    return rows(call, l2_row, 0.0f, error);
}
