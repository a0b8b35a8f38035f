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

/* The same with halves away from 0, as the built-in kernels' vectors do it: what is just below a
 * half may go there too. */
static float to_away(float x) {
    return (float)(int32_t)(x + (x < 0.0f ? -0.5f : 0.5f));
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

/* In double, but for the range and the scale that is used. */
static grid grid_of_built_in(float min, float max) {
    float low = min < 0.0f ? min : 0.0f, high = max > 0.0f ? max : 0.0f;
    if (low == high)
        return (grid){0.0f, 1.0f, 0.0f};
    double scale = (double)(high - low) / (HIGHEST - LOWEST);
    double from_low = (double)low / scale, from_high = (double)high / scale;
    bool use_low = -LOWEST + fabs(from_low) < HIGHEST + fabs(from_high);
    double zero = use_low ? LOWEST - from_low : HIGHEST - from_high;
    zero = zero > LOWEST ? zero : LOWEST;
    zero = zero < HIGHEST ? round(zero) : HIGHEST;
    return (grid){1.0f / (float)scale, (float)scale, (float)zero};
}

static void round_run(const float *x, uint64_t n, grid g, bool built_in, float *restrict y) {
    float low = (float)LOWEST - g.zero_point, high = (float)HIGHEST - g.zero_point;
    if (built_in)
        for (uint64_t i = 0; i < n; i++)
            y[i] = to_away(clip(x[i] * g.to_steps, low, high)) * g.step;
    else
        for (uint64_t i = 0; i < n; i++)
            y[i] = to_even(clip(x[i] * g.to_steps, low, high)) * g.step;
}

/* ---- runs of values with one scale ---- */

static void round_runs(const tqi_value *input, uint64_t n, bool built_in,
                       const tqi_kernels *kernels, float *to) {
    const float *x = tqi_floats(input);
    for (uint64_t i = 0; i < input->elements; i += n) {
        float min, max;
        kernels->minmax_f32(x + i, (size_t)n, &min, &max);
        grid g = built_in ? grid_of_built_in(min, max) : grid_of_xnnpack(min, max);
        round_run(x + i, n, g, built_in, to + i);
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
            grid g = grid_of_xnnpack(min, max);
            for (uint64_t k = 0; k < rows; k++)
                round_run(x + k * columns, 1, g, false, to + j + k * columns);
        }
}

tq_status tqi_hybrid_input(const tqi_hybrid *how, const tqi_value *input,
                           const tqi_kernels *kernels, tqi_heap *heap, tqi_value *output,
                           tq_error *error) {
    TQI_TRY(tqi_value_new(heap, TQI_TYPE_FLOAT32, input->rank, input->shape, output, error));
    bool whole = input->elements > 0 && input->rank > 0;
    uint64_t n = how->depth;
    if (whole && n == 0)
        n = input->elements / (uint64_t)input->shape[0];
    if (!whole || input->elements % n != 0 || (how->turned && input->rank < 2))
        memcpy(output->data, input->data, tqi_value_bytes(input));
    else if (how->turned)
        round_columns(input, tqi_floats(output));
    else
        round_runs(input, n, how->built_in, kernels, tqi_floats(output));
    return TQ_OK;
}

/* ---- operators ---- */

bool tqi_hybrid_places(int32_t builtin, uint32_t *activation, uint32_t *weights) {
    *activation = builtin == TQI_OP_TRANSPOSE_CONV ? 2 : 0;
    *weights = 1;
    return builtin == TQI_OP_CONV_2D || builtin == TQI_OP_DEPTHWISE_CONV_2D ||
           builtin == TQI_OP_TRANSPOSE_CONV || builtin == TQI_OP_FULLY_CONNECTED ||
           builtin == TQI_OP_BATCH_MATMUL;
}

/* XNNPACK turns this one into FULLY_CONNECTED. Padding makes no difference then. */
static bool is_product(const tqi_call *call, const tqi_value *x, const tqi_value *filter) {
    enum { CONV_OPTIONS = 1, STRIDE_W = 1, STRIDE_H = 2 };
    uint32_t o = tqi_call_options(call, CONV_OPTIONS);
    return x->rank == 4 && filter->rank == 4 && filter->shape[1] == 1 && filter->shape[2] == 1 &&
           filter->shape[3] == x->shape[3] &&
           (int64_t)filter->shape[0] + (int64_t)filter->shape[3] > 2 &&
           tqi_option_i32(call, o, STRIDE_W, 0) == 1 && tqi_option_i32(call, o, STRIDE_H, 0) == 1;
}

static tqi_hybrid hybrid_of(const tqi_call *call, int32_t weights_type, const tqi_value *x,
                            const tqi_value *weights) {
    enum { BATCH_MATMUL_OPTIONS = 101, ADJ_X = 0 };
    tqi_hybrid how = {0};
    switch (call->builtin) {
    case TQI_OP_CONV_2D:
        how.built_in = weights_type != TQI_TYPE_INT8;
        if (!how.built_in && is_product(call, x, weights))
            how.depth = (uint64_t)x->shape[3];
        break;
    case TQI_OP_DEPTHWISE_CONV_2D:
        how.built_in = true;
        break;
    case TQI_OP_FULLY_CONNECTED:
        how.depth = weights->rank == 2 ? (uint64_t)weights->shape[1] : 0;
        break;
    case TQI_OP_BATCH_MATMUL:
        how.depth = x->rank > 0 ? (uint64_t)x->shape[x->rank - 1] : 0;
        how.turned =
            tqi_option_i8(call, tqi_call_options(call, BATCH_MATMUL_OPTIONS), ADJ_X, 0) != 0;
        break;
    default:
        break;
    }
    return how;
}

tq_status tqi_run_hybrid(tqi_run_operator *run, const tqi_call *call, int32_t weights_type,
                         tq_error *error) {
    enum { MOST_INPUTS = 4 };
    uint32_t at, weights_at;
    const tqi_value *x = NULL, *weights = NULL, *inputs[MOST_INPUTS];
    if (!tqi_hybrid_places(call->builtin, &at, &weights_at) || call->n_inputs > MOST_INPUTS)
        return tqi_call_refuse(call, error, "it has more inputs than is known of it");
    TQI_TRY(tqi_call_input(call, at, TQI_TYPE_FLOAT32, &x, error));
    TQI_TRY(tqi_call_input(call, weights_at, TQI_TYPE_FLOAT32, &weights, error));
    const tqi_hybrid how = hybrid_of(call, weights_type, x, weights);
    tqi_value rounded = {0};
    tqi_call changed = *call;
    for (uint32_t i = 0; i < call->n_inputs; i++)
        inputs[i] = call->inputs[i];
    inputs[at] = &rounded;
    changed.inputs = inputs;
    tq_status status = tqi_hybrid_input(&how, x, call->kernels, call->heap, &rounded, error);
    if (status == TQ_OK)
        status = run(&changed, error);
    tqi_value_free(call->heap, &rounded);
    return status;
}

tq_status tqi_run_as_stored(tqi_run_operator *run, const tqi_call *call, tq_error *error) {
    uint32_t at, weights_at;
    const tqi_operator *op = call->op;
    for (uint32_t i = 0; i < call->n_inputs; i++)
        if (call->inputs[i])
            TQI_TRY(tqi_call_work(call, call->inputs[i]->elements, 1, 1, error));
    if (!tqi_hybrid_places(call->builtin, &at, &weights_at) || op->n_inputs <= weights_at ||
        op->n_inputs <= at || op->inputs[weights_at] < 0 || op->inputs[at] < 0)
        return run(call, error);
    const tqi_tensor *weights = &call->subgraph->tensors[op->inputs[weights_at]];
    bool small = weights->type == TQI_TYPE_INT8 || weights->type == TQI_TYPE_INT4 ||
                 weights->type == TQI_TYPE_INT2;
    bool hybrid = small && tqi_is_constant(call->graph, weights) &&
                  call->subgraph->tensors[op->inputs[at]].type == TQI_TYPE_FLOAT32;
    return hybrid ? tqi_run_hybrid(run, call, weights->type, error) : run(call, error);
}
