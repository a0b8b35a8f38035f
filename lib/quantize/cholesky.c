/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/cholesky.h"

#include <string.h>

/* Products are made tile by tile, as in Goto, van de Geijn, "Anatomy of high-performance matrix
 * multiplication" (2008): blocks are copied so that a tile's operands lie in a row. */
enum { EDGE = TQI_ALGEBRA_EDGE };

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* ------------------------------------------------------------- products -- */

/* [depth][columns] to strips of EDGE columns, [strip][depth][EDGE], filled up with zeros. */
static void pack(double *to, tqi_matrix from, size_t depth, size_t columns) {
    size_t rest = columns % EDGE, whole = columns - rest;
    for (size_t k = 0; k < depth; k++, to += EDGE) {
        const double *row = from.at + k * from.stride;
        for (size_t j = 0; j < whole; j += EDGE)
            memcpy(to + j * depth, row + j, EDGE * sizeof *to);
        for (size_t e = 0; rest && e < EDGE; e++)
            to[whole * depth + e] = e < rest ? row[whole + e] : 0;
    }
}

static void negate(double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = -x[i];
}

/* A tile that is cut off, m x n. */
static void add_rest(const tqi_algebra *algebra, double *c, size_t stride, const double *x,
                     const double *y, size_t m, size_t n, size_t depth) {
    double tile[EDGE * EDGE] = {0};
    for (size_t i = 0; i < m; i++)
        memcpy(tile + i * EDGE, c + i * stride, n * sizeof *c);
    algebra->add_products(tile, EDGE, x, y, depth);
    for (size_t i = 0; i < m; i++)
        memcpy(c + i * stride, tile + i * EDGE, n * sizeof *c);
}

static void add_block(const tqi_algebra *algebra, tqi_matrix c, const double *x, const double *y,
                      size_t m, size_t n, size_t depth) {
    for (size_t j = 0; j < n; j += EDGE)
        for (size_t i = 0; i < m; i += EDGE) {
            size_t high = smaller(m - i, EDGE), wide = smaller(n - j, EDGE);
            double *at = c.at + i * c.stride + j;
            if (high == EDGE && wide == EDGE)
                algebra->add_products(at, c.stride, x + i * depth, y + j * depth, depth);
            else
                add_rest(algebra, at, c.stride, x + i * depth, y + j * depth, high, wide, depth);
        }
}

static tqi_matrix part(tqi_matrix whole, size_t row, size_t column) {
    return (tqi_matrix){whole.at + row * whole.stride + column, whole.stride};
}

void tqi_add_products(const tqi_algebra *algebra, tqi_matrix c, tqi_matrix x, tqi_matrix y,
                      size_t m, size_t n, size_t depth, double sign, double *scratch) {
    double *packed_x = scratch, *packed_y = scratch + TQI_BLOCK * TQI_DEPTH;
    for (size_t k = 0; k < depth; k += TQI_DEPTH) {
        size_t deep = smaller(depth - k, TQI_DEPTH);
        for (size_t i = 0; i < m; i += TQI_BLOCK) {
            size_t high = smaller(m - i, TQI_BLOCK);
            pack(packed_x, part(x, k, i), deep, high);
            if (sign < 0)
                negate(packed_x, (high + EDGE - 1) / EDGE * EDGE * deep);
            for (size_t j = 0; j < n; j += TQI_BLOCK) {
                size_t wide = smaller(n - j, TQI_BLOCK);
                pack(packed_y, part(y, k, j), deep, wide);
                add_block(algebra, part(c, i, j), packed_x, packed_y, high, wide, deep);
            }
        }
    }
}

/* --------------------------------------------------------------- factor -- */

/* Rows [first, first + high) less what rows [from, first) account for. */
static void reduce_rows(const tqi_algebra *algebra, tqi_matrix a, size_t from, size_t first,
                        size_t high, size_t n, double *scratch) {
    tqi_matrix above = part(a, from, first);
    /* on the diagonal by a copy, so that the lower triangle stays */
    tqi_matrix corner = {scratch + TQI_PRODUCT_SCRATCH, TQI_BLOCK};
    tqi_matrix own = part(a, first, first);
    for (size_t i = 0; i < high; i++)
        memcpy(part(corner, i, 0).at, part(own, i, 0).at, high * sizeof(double));
    tqi_add_products(algebra, corner, above, above, high, high, first - from, -1, scratch);
    for (size_t i = 0; i < high; i++)
        memcpy(part(own, i, i).at, part(corner, i, i).at, (high - i) * sizeof(double));
    size_t next = first + high;
    tqi_add_products(algebra, part(a, first, next), above, part(a, from, next), high, n - next,
                     first - from, -1, scratch);
}

static bool factor_rows(const tqi_algebra *algebra, tqi_matrix a, size_t first, size_t high,
                        size_t n, double least) {
    for (size_t i = first; i < first + high; i++) {
        double *row = part(a, i, 0).at;
        if (!(row[i] >= least) || !isfinite(row[i]))
            return false;
        double root = sqrt(row[i]);
        row[i] = root;
        for (size_t j = i + 1; j < n; j++)
            row[j] /= root;
        for (size_t below = i + 1; below < first + high; below++)
            algebra->add_scaled(part(a, below, below).at, row + below, -row[below], n - below);
    }
    return true;
}

tqi_factored tqi_cholesky(const tqi_algebra *algebra, double *a, size_t n, double least,
                          double *scratch, const tqi_cancel *cancel) {
    tqi_matrix matrix = {a, n};
    for (size_t from = 0; from < n; from += TQI_BLOCK) {
        if (tqi_cancelled(cancel))
            return TQI_FACTOR_CANCELLED;
        size_t end = smaller(from + TQI_BLOCK, n);
        if (from > 0)
            reduce_rows(algebra, matrix, 0, from, end - from, n, scratch);
        for (size_t first = from; first < end; first += EDGE) {
            size_t high = smaller(end - first, EDGE);
            if (first > from)
                reduce_rows(algebra, matrix, from, first, high, n, scratch);
            if (!factor_rows(algebra, matrix, first, high, n, least))
                return TQI_NOT_POSITIVE;
        }
    }
    return TQI_FACTORED;
}
