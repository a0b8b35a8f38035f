/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over much data, for statistics and for rounding by them. Every level gives the same
 * bits: only elements that are summed apart lie side by side in vectors, each in the order that is
 * stated, with a rounding after each product and each sum. */
#ifndef TQI_CALIBRATE_ALGEBRA_H
#define TQI_CALIBRATE_ALGEBRA_H

#include <stddef.h>
#include <stdint.h>

enum { TQI_ALGEBRA_EDGE = 8 }; /* of the squares that products are made of */

typedef struct tqi_algebra {
    /* gram += the sum, from 0 on, over `count` packed patches: see calibrate/gram.h */
    void (*gram)(float *gram, const float *packed, size_t length, size_t count);
    /* likewise, gram[triangle of taps][stride], of which these channels */
    void (*gram_channels)(float *gram, size_t stride, const float *packed, size_t taps,
                          size_t channels, size_t count);
    /* sums[i] += rows[0][i], += rows[1][i], ...; and the same for squares, unless that is NULL */
    void (*add_rows)(double *sums, double *squares, const float *const *rows, size_t count,
                     size_t n);
    /* The sum of squares, by place modulo 16 and then over these; `range`, lowest and highest, is
     * widened to hold all values but NaN. */
    double (*sum_squares)(const float *values, size_t n, float range[2]);
    /* c[i * stride + j] += x[k * EDGE + i] * y[k * EDGE + j] for k = 0, 1, ..., EDGE x EDGE */
    void (*add_products)(double *c, size_t stride, const double *x, const double *y, size_t depth);
    /* to[i] += factor * from[i] */
    void (*add_scaled)(double *to, const double *from, double factor, size_t n);
} tqi_algebra;

/* Fills the table with the best that `cpu_flags` (TQ_CPU_... bits) and the build have. */
void tqi_algebra_init(tqi_algebra *algebra, uint32_t cpu_flags);

#endif
