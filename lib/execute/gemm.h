/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of float32 matrices, and sums of products along channels: what convolutions are made
 * of. Every level gives the same bits: vectors run along the columns, and each element is
 *
 *     ((0 + x0 b0) + x1 b1) + ...
 *
 * with a rounding after each product and each sum, in the order of k; every TQI_GEMM_DEPTH
 * of them a sum from 0 on, which is added to the one before (this is also more accurate than
 * one long sum). Memory outside of the arrays is neither read nor written.
 */
#ifndef TQI_EXECUTE_GEMM_H
#define TQI_EXECUTE_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TQI_GEMM_LANES = 16,  /* columns of a panel */
    TQI_GEMM_DEPTH = 256, /* so a panel stays in the first cache */
    TQI_GEMM_ROWS = 96,   /* that are best done together, where there are so many */
    TQI_GEMM_STEP = 8,    /* rows that a level does at once, or more */
};

typedef struct tqi_gemm {
    /* `rows` rows of y are, or with `add` go on from, the products of x, `depth` long, with a panel
     * [depth][16], of which `columns` are wanted. */
    void (*panel)(const float *x, size_t x_stride, size_t rows, const float *panel, size_t depth,
                  float *y, size_t y_stride, size_t columns, bool add);
    /* For p < pixels, c < channels: y[p * channels + c] is the sum over t < taps, in order, of
     * x[t][p * step + c] * w[t][c]. Of less than 16 channels 16 are read all the same. */
    void (*taps)(const float *const *x, const float *const *w, size_t taps, size_t pixels,
                 size_t step, size_t channels, float *y);
} tqi_gemm;

/* Fills the table with the best that `cpu_flags` (TQ_CPU_... bits) and the build have. */
void tqi_gemm_init(tqi_gemm *gemm, uint32_t cpu_flags);

/* Floats that a matrix [depth][columns] takes when packed; false: too many. */
bool tqi_panels_size(uint64_t depth, uint64_t columns, uint64_t *floats);
/* Packs the matrix whose element (k, j) is matrix[k * k_stride + j * j_stride]. Best with
 * `panels` at a multiple of 64 bytes. */
void tqi_panels_pack(const float *matrix, size_t k_stride, size_t j_stride, size_t depth,
                     size_t columns, float *panels);
/* y = x times the packed matrix; rows start `x_stride` and `y_stride` floats apart. */
void tqi_multiply(const tqi_gemm *gemm, const float *x, size_t x_stride, size_t rows,
                  const float *panels, size_t depth, size_t columns, float *y, size_t y_stride);

#endif
