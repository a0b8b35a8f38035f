/* SPDX-License-Identifier: Apache-2.0 */
/* What ends an operator: the bias, and an activation function that is part of it. */
#include <math.h>

#include "execute/approximate.h"
#include "execute/window.h"

enum {
    ACTIVATION_NONE,
    ACTIVATION_RELU,
    ACTIVATION_RELU_N1_TO_1,
    ACTIVATION_RELU6,
    ACTIVATION_TANH
};

typedef struct bounds {
    float low, high;
} bounds;

/* false: it does not clip. */
static bool find_bounds(int32_t activation, bounds *b) {
    switch (activation) {
    case ACTIVATION_RELU:
        *b = (bounds){0.0f, INFINITY};
        return true;
    case ACTIVATION_RELU_N1_TO_1:
        *b = (bounds){-1.0f, 1.0f};
        return true;
    case ACTIVATION_RELU6:
        *b = (bounds){0.0f, 6.0f};
        return true;
    default:
        return false;
    }
}

static inline float clip(float x, bounds b) {
    x = x < b.low ? b.low : x;
    return x > b.high ? b.high : x;
}

bool tqi_activation_known(int32_t activation) {
    return activation >= ACTIVATION_NONE && activation <= ACTIVATION_TANH;
}

bool tqi_activate(float *values, uint64_t n, int32_t activation) {
    bounds b;
    if (find_bounds(activation, &b))
        for (uint64_t i = 0; i < n; i++)
            values[i] = clip(values[i], b);
    else if (activation == ACTIVATION_TANH)
        for (uint64_t i = 0; i < n; i++)
            values[i] = tqi_tanh(values[i]);
    return tqi_activation_known(activation);
}

static void add(float *restrict y, const float *bias, size_t n) {
    for (size_t i = 0; i < n; i++)
        y[i] += bias[i];
}

static void add_and_clip(float *restrict y, const float *bias, size_t n, bounds b) {
    for (size_t i = 0; i < n; i++)
        y[i] = clip(y[i] + bias[i], b);
}

void tqi_finish_rows(float *y, size_t stride, size_t rows, size_t columns, const float *bias,
                     int32_t activation) {
    bounds b = {0.0f, 0.0f};
    bool clips = find_bounds(activation, &b);
    for (size_t r = 0; r < rows; r++) {
        float *row = y + r * stride;
        if (bias && clips)
            add_and_clip(row, bias, columns, b);
        else if (bias)
            add(row, bias, columns);
        if (activation != ACTIVATION_NONE && !(bias && clips))
            (void)tqi_activate(row, columns, activation);
    }
}
