/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of two inputs into one output, for tqi_broadcast(). pair_rows.c has those whose speed
 * matters; the others are where they are used, in code that is small. */
#ifndef TQI_EXECUTE_PAIR_ROWS_H
#define TQI_EXECUTE_PAIR_ROWS_H

#include "execute/walk.h"

/* Defines a row function with this linkage; the expression is of x and y. */
#define TQI_PAIR_ROW(linkage, name, in_type, out_type, expression)                                 \
    linkage void name(void *const *at, const int64_t *step, size_t n, const void *context) {       \
        (void)context;                                                                             \
        out_type *restrict out = at[0];                                                            \
        const in_type *a = at[1], *b = at[2];                                                      \
        in_type x = *a, y = *b;                                                                    \
        if (step[1] && step[2])                                                                    \
            for (size_t i = 0; i < n; i++) {                                                       \
                x = a[i];                                                                          \
                y = b[i];                                                                          \
                out[i] = (expression);                                                             \
            }                                                                                      \
        else if (step[1])                                                                          \
            for (size_t i = 0; i < n; i++) {                                                       \
                x = a[i];                                                                          \
                out[i] = (expression);                                                             \
            }                                                                                      \
        else                                                                                       \
            for (size_t i = 0; i < n; i++) {                                                       \
                y = b[i * (step[2] != 0)];                                                         \
                out[i] = (expression);                                                             \
            }                                                                                      \
    }

/* The first and the second input: sum, difference, ... */
extern tqi_row tqi_add_f32, tqi_sub_f32, tqi_mul_f32, tqi_div_f32, tqi_max_f32, tqi_min_f32,
    tqi_squared_difference_f32;

#endif
