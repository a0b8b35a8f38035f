/* SPDX-License-Identifier: Apache-2.0 */
/* The dense linear algebra of rounding: products and a Cholesky factor, in double precision,
 * each element's sum in one order on every level. Row-major. */
#ifndef TQI_QUANTIZE_CHOLESKY_H
#define TQI_QUANTIZE_CHOLESKY_H

#include "calibrate/algebra.h"
#include "quantize/weight_rows.h"

/* Edges of the blocks that products are made of, and the doubles of scratch they need. */
enum {
    TQI_BLOCK = 64,
    TQI_DEPTH = 128,
    TQI_PRODUCT_SCRATCH = 2 * TQI_BLOCK * TQI_DEPTH,
    TQI_CHOLESKY_SCRATCH = TQI_PRODUCT_SCRATCH + TQI_BLOCK * TQI_BLOCK,
};

typedef struct tqi_matrix {
    double *at;
    size_t stride; /* doubles from a row to the next */
} tqi_matrix;

/* c[i][j] += sign * x[k][i] * y[k][j] for k = 0, 1, ... in this order; c is m x n, and apart from x
 * and y. `sign` is 1 or -1. */
void tqi_add_products(const tqi_algebra *algebra, tqi_matrix c, tqi_matrix x, tqi_matrix y,
                      size_t m, size_t n, size_t depth, double sign, double *scratch);

typedef enum tqi_factored {
    TQI_FACTORED,
    TQI_NOT_POSITIVE, /* a pivot was not at least `least`, or not finite */
    TQI_FACTOR_CANCELLED,
} tqi_factored;

/* Puts U, upper triangular with U^T U = A, where the upper triangle of A (n x n, symmetric) is;
 * what is below the diagonal is neither read nor changed. */
tqi_factored tqi_cholesky(const tqi_algebra *algebra, double *a, size_t n, double least,
                          double *scratch, const tqi_cancel *cancel);

#endif
