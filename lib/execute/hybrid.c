/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/hybrid.h"

#include <math.h>

#include "execute/call.h"
#include "execute/constant_values.h"

enum { LOWEST = -128, HIGHEST = 127 };

/* What a run of values is rounded by. */
typedef struct grid {
    float to_steps, step; /* multiply by the one, later by the other */
    float zero_point;     /* a whole number */
} grid;

typedef enum rounding { XNNPACK, BUILT_IN } rounding;

/* ---- the formulas ---- */

/* NaN becomes `low`. */
static float clip(float x, float low, float high) {
    x = x > low ? x : low;
    return x < high ? x : high;
}

/* To the nearest whole number, halves to even; of a magnitude below 2^22. */
static float to_even(float x) {
    const float magic = 12582912.0f; /* 1.5 * 2^23 */
    return (x + magic) - magic;
}

/* The same, halves away from 0. */
static float to_away(float x) {
    float y = to_even(x), rest = x - y;
    if (rest == 0.5f && x > 0.0f)
        return y + 1.0f;
    return rest == -0.5f && x < 0.0f ? y - 1.0f : y;
}

/* All in float32; the zero point comes from the end whose error is the smaller one. */
static grid grid_of_xnnpack(float min, float max) {
    float low = min < 0.0f ? min : 0.0f, high = max > 0.0f ? max : 0.0f;
    float scale = low == high ? 1.0f : (float)(HIGHEST - LOWEST) / (high - low);
    float from_low = low * scale, from_high = high * scale;
    bool use_low = (float)LOWEST + from_low + ((float)HIGHEST + from_high) > 0.0f;
    float zero = use_low ? (float)LOWEST - from_low : (float)HIGHEST - from_high;
    return (grid){scale, 1.0f / scale, to_even(clip(zero, LOWEST, HIGHEST))};
}

/* In double, but for the scale that is used. */
static grid grid_of_built_in(float min, float max) {
    double low = min < 0.0f ? (double)min : 0.0, high = max > 0.0f ? (double)max : 0.0;
    if (low == high)
        return (grid){0.0f, 1.0f, 0.0f};
    double scale = (high - low) / (HIGHEST - LOWEST);
    bool use_low = -LOWEST + fabs(low / scale) < HIGHEST + fabs(high / scale);
    double zero = use_low ? LOWEST - low / scale : HIGHEST - high / scale;
    zero = zero > LOWEST ? zero : LOWEST;
    zero = zero < HIGHEST ? round(zero) : HIGHEST;
    return (grid){1.0f / (float)scale, (float)scale, (float)zero};
}

static void round_run(const float *x, uint64_t n, uint64_t stride, grid g, rounding how, float *y) {
    float low = (float)LOWEST - g.zero_point, high = (float)HIGHEST - g.zero_point;
    if (how == XNNPACK)
        for (uint64_t i = 0; i < n; i++)
            y[i * stride] = to_even(clip(x[i * stride] * g.to_steps, low, high)) * g.step;
    else
        for (uint64_t i = 0; i < n; i++) {
            float q = clip(g.zero_point + x[i * stride] * g.to_steps, LOWEST, HIGHEST);
            y[i * stride] = (to_away(q) - g.zero_point) * g.step;
        }
}

/* ---- runs of values with one scale ---- */

static void round_runs(const tqi_value *input, uint64_t n, rounding how, const tqi_kernels *kernels,
                       float *to) {
    const float *x = tqi_floats(input);
    for (uint64_t i = 0; i < input->elements; i += n) {
        float min, max;
        kernels->minmax_f32(x + i, (size_t)n, &min, &max);
        grid g = how == XNNPACK ? grid_of_xnnpack(min, max) : grid_of_built_in(min, max);
        round_run(x + i, n, 1, g, how, to + i);
    }
}

/* The columns of matrices. */
static void round_columns(const tqi_value *input, float *to) {
    uint64_t columns = (uint64_t)input->shape[input->rank - 1];
    uint64_t rows = (uint64_t)input->shape[input->rank - 2];
    for (uint64_t i = 0; i < input->elements; i += rows * columns)
        for (uint64_t j = i; j < i + columns; j++) {
            const float *x = tqi_floats(input) + j;
            float min = *x, max = *x;
            for (uint64_t k = 1; k < rows; k++) {
                min = x[k * columns] < min ? x[k * columns] : min;
                max = x[k * columns] > max ? x[k * columns] : max;
            }
            round_run(x, rows, columns, grid_of_xnnpack(min, max), XNNPACK, to + j);
        }
}

static uint64_t run_of(const tqi_hybrid *how, const tqi_value *input) {
    switch (how->builtin) {
    case TQI_OP_FULLY_CONNECTED:
        return how->depth;
    case TQI_OP_BATCH_MATMUL:
        return (uint64_t)input->shape[input->rank - 1];
    default:
        return input->elements / (uint64_t)input->shape[0];
    }
}

bool tqi_hybrid_places(int32_t builtin, uint32_t *activation, uint32_t *weights) {
    *activation = builtin == TQI_OP_TRANSPOSE_CONV ? 2 : 0;
    *weights = 1;
    return builtin == TQI_OP_CONV_2D || builtin == TQI_OP_DEPTHWISE_CONV_2D ||
           builtin == TQI_OP_TRANSPOSE_CONV || builtin == TQI_OP_FULLY_CONNECTED ||
           builtin == TQI_OP_BATCH_MATMUL;
}

tq_status tqi_hybrid_input(const tqi_hybrid *how, const tqi_value *input,
                           const tqi_kernels *kernels, tqi_heap *heap, tqi_value *output,
                           tq_error *error) {
    TQI_TRY(tqi_value_new(heap, TQI_TYPE_FLOAT32, input->rank, input->shape, output, error));
    uint64_t n = input->elements == 0 || input->rank < 2 ? 0 : run_of(how, input);
    bool built_in = how->builtin == TQI_OP_DEPTHWISE_CONV_2D ||
                    (how->builtin == TQI_OP_CONV_2D && how->weights_type != TQI_TYPE_INT8);
    if (n == 0 || input->elements % n != 0)
        memcpy(output->data, input->data, tqi_value_bytes(input));
    else if (how->builtin == TQI_OP_BATCH_MATMUL && how->turned)
        round_columns(input, tqi_floats(output));
    else
        round_runs(input, n, built_in ? BUILT_IN : XNNPACK, kernels, tqi_floats(output));
    return TQ_OK;
}

/* ---- operators of a file ---- */

bool tqi_is_hybrid(const tqi_graph *graph, const tqi_subgraph *subgraph, const tqi_operator *op,
                   tqi_hybrid *how) {
    uint32_t activation, weights;
    int32_t builtin = tqi_builtin(graph, op);
    if (!tqi_hybrid_places(builtin, &activation, &weights) || op->n_inputs <= weights ||
        op->n_inputs <= activation || op->inputs[weights] < 0 || op->inputs[activation] < 0)
        return false;
    const tqi_tensor *stored = &subgraph->tensors[op->inputs[weights]];
    bool small = stored->type == TQI_TYPE_INT8 || stored->type == TQI_TYPE_INT4 ||
                 stored->type == TQI_TYPE_INT2;
    *how = (tqi_hybrid){.builtin = builtin, .weights_type = stored->type};
    return small && tqi_is_constant(graph, stored) &&
           subgraph->tensors[op->inputs[activation]].type == TQI_TYPE_FLOAT32;
}

tq_status tqi_run_as_stored(tqi_run_operator *run, const tqi_call *call, tq_error *error) {
    enum { MOST_INPUTS = 4, BATCH_MATMUL_OPTIONS = 101, ADJ_X = 0 };
    tqi_hybrid how;
    uint32_t activation, weights;
    const tqi_value *x = NULL, *w = NULL, *inputs[MOST_INPUTS];
    if (call->n_inputs > MOST_INPUTS || !tqi_is_hybrid(call->graph, call->subgraph, call->op, &how))
        return run(call, error);
    (void)tqi_hybrid_places(call->builtin, &activation, &weights);
    TQI_TRY(tqi_call_input(call, activation, TQI_TYPE_FLOAT32, &x, error));
    TQI_TRY(tqi_call_input(call, weights, TQI_TYPE_FLOAT32, &w, error));
    how.depth = w->rank == 2 ? (uint64_t)w->shape[1] : 0;
    how.turned = tqi_option_i8(call, tqi_call_options(call, BATCH_MATMUL_OPTIONS), ADJ_X, 0) != 0;
    tqi_value rounded = {0};
    tqi_call changed = *call;
    for (uint32_t i = 0; i < call->n_inputs; i++)
        inputs[i] = call->inputs[i];
    inputs[activation] = &rounded;
    changed.inputs = inputs;
    tq_status status = tqi_hybrid_input(&how, x, call->kernels, call->heap, &rounded, error);
    if (status == TQ_OK)
        status = run(&changed, error);
    tqi_value_free(call->heap, &rounded);
    return status;
}
