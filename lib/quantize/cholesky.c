/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/cholesky.h"

#include <string.h>

/* Products are made tile by tile, as in Goto, van de Geijn, "Anatomy of high-performance matrix
 * multiplication" (2008): blocks are copied so that a tile's operands lie in a row. */
enum { EDGE = 4 };

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* ------------------------------------------------------------- products -- */

#if defined(__GNUC__) || defined(__clang__)
/* Two lanes, as any machine with vectors has them. Not left to the compiler, which keeps a tile
 * of plain variables in memory. */
typedef double pair __attribute__((vector_size(16)));

static inline pair load_pair(const double *at) {
    pair value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void store_pair(double *at, pair value) {
    memcpy(at, &value, sizeof value);
}

static inline pair both(double value) {
    return (pair){value, value};
}

static void add_tile(double *c, const double *x, const double *y, size_t depth) {
    pair c00 = load_pair(c), c01 = load_pair(c + 2);
    pair c10 = load_pair(c + 4), c11 = load_pair(c + 6);
    pair c20 = load_pair(c + 8), c21 = load_pair(c + 10);
    pair c30 = load_pair(c + 12), c31 = load_pair(c + 14);
    for (size_t k = 0; k < depth; k++, x += EDGE, y += EDGE) {
        pair y0 = load_pair(y), y1 = load_pair(y + 2);
        pair x0 = both(x[0]), x1 = both(x[1]), x2 = both(x[2]), x3 = both(x[3]);
        c00 += x0 * y0;
        c01 += x0 * y1;
        c10 += x1 * y0;
        c11 += x1 * y1;
        c20 += x2 * y0;
        c21 += x2 * y1;
        c30 += x3 * y0;
        c31 += x3 * y1;
    }
    store_pair(c, c00);
    store_pair(c + 2, c01);
    store_pair(c + 4, c10);
    store_pair(c + 6, c11);
    store_pair(c + 8, c20);
    store_pair(c + 10, c21);
    store_pair(c + 12, c30);
    store_pair(c + 14, c31);
}
#else
static void add_tile(double *c, const double *x, const double *y, size_t depth) {
    for (size_t k = 0; k < depth; k++, x += EDGE, y += EDGE)
        for (size_t i = 0; i < EDGE; i++)
            for (size_t j = 0; j < EDGE; j++)
                c[i * EDGE + j] += x[i] * y[j];
}
#endif

/* [depth][columns] to strips of EDGE columns, [strip][depth][EDGE], filled up with zeros. */
static void pack(double *to, tqi_matrix from, size_t depth, size_t columns, double sign) {
    for (size_t j = 0; j < columns; j += EDGE) {
        size_t count = smaller(columns - j, EDGE);
        for (size_t k = 0; k < depth; k++, to += EDGE) {
            const double *row = from.at + k * from.stride + j;
            for (size_t e = 0; e < EDGE; e++)
                to[e] = e < count ? sign * row[e] : 0;
        }
    }
}

static void add_tile_at(double *c, size_t stride, const double *x, const double *y, size_t m,
                        size_t n, size_t depth) {
    double tile[EDGE * EDGE] = {0};
    for (size_t i = 0; i < m; i++)
        memcpy(tile + i * EDGE, c + i * stride, n * sizeof *c);
    add_tile(tile, x, y, depth);
    for (size_t i = 0; i < m; i++)
        memcpy(c + i * stride, tile + i * EDGE, n * sizeof *c);
}

static void add_block(tqi_matrix c, const double *x, const double *y, size_t m, size_t n,
                      size_t depth) {
    for (size_t j = 0; j < n; j += EDGE)
        for (size_t i = 0; i < m; i += EDGE)
            add_tile_at(c.at + i * c.stride + j, c.stride, x + i * depth, y + j * depth,
                        smaller(m - i, EDGE), smaller(n - j, EDGE), depth);
}

static tqi_matrix part(tqi_matrix whole, size_t row, size_t column) {
    return (tqi_matrix){whole.at + row * whole.stride + column, whole.stride};
}

void tqi_add_products(tqi_matrix c, tqi_matrix x, tqi_matrix y, size_t m, size_t n, size_t depth,
                      double sign, double *scratch) {
    double *packed_x = scratch, *packed_y = scratch + TQI_BLOCK * TQI_DEPTH;
    for (size_t k = 0; k < depth; k += TQI_DEPTH) {
        size_t deep = smaller(depth - k, TQI_DEPTH);
        for (size_t i = 0; i < m; i += TQI_BLOCK) {
            size_t high = smaller(m - i, TQI_BLOCK);
            pack(packed_x, part(x, k, i), deep, high, sign);
            for (size_t j = 0; j < n; j += TQI_BLOCK) {
                size_t wide = smaller(n - j, TQI_BLOCK);
                pack(packed_y, part(y, k, j), deep, wide, 1);
                add_block(part(c, i, j), packed_x, packed_y, high, wide, deep);
            }
        }
    }
}

/* --------------------------------------------------------------- factor -- */

/* Rows [first, first + high) less what the rows above account for. */
static void reduce_rows(tqi_matrix a, size_t first, size_t high, size_t n, double *scratch) {
    tqi_matrix above = part(a, 0, first);
    /* on the diagonal by a copy, so that the lower triangle stays */
    tqi_matrix corner = {scratch + TQI_PRODUCT_SCRATCH, TQI_BLOCK};
    tqi_matrix own = part(a, first, first);
    for (size_t i = 0; i < high; i++)
        memcpy(part(corner, i, 0).at, part(own, i, 0).at, high * sizeof(double));
    tqi_add_products(corner, above, above, high, high, first, -1, scratch);
    for (size_t i = 0; i < high; i++)
        memcpy(part(own, i, i).at, part(corner, i, i).at, (high - i) * sizeof(double));
    size_t next = first + high;
    tqi_add_products(part(a, first, next), above, part(a, 0, next), high, n - next, first, -1,
                     scratch);
}

/* to -= factor * from */
static void subtract(double *to, const double *from, double factor, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] -= factor * from[i];
}

static bool factor_rows(tqi_matrix a, size_t first, size_t high, size_t n, double least) {
    for (size_t i = first; i < first + high; i++) {
        double *row = part(a, i, 0).at;
        if (!(row[i] >= least) || !isfinite(row[i]))
            return false;
        double root = sqrt(row[i]);
        row[i] = root;
        for (size_t j = i + 1; j < n; j++)
            row[j] /= root;
        for (size_t below = i + 1; below < first + high; below++)
            subtract(part(a, below, below).at, row + below, row[below], n - below);
    }
    return true;
}

tqi_factored tqi_cholesky(double *a, size_t n, double least, double *scratch,
                          const tqi_cancel *cancel) {
    tqi_matrix matrix = {a, n};
    for (size_t first = 0; first < n; first += TQI_BLOCK) {
        if (tqi_cancelled(cancel))
            return TQI_FACTOR_CANCELLED;
        size_t high = smaller(n - first, TQI_BLOCK);
        if (first > 0)
            reduce_rows(matrix, first, high, n, scratch);
        if (!factor_rows(matrix, first, high, n, least))
            return TQI_NOT_POSITIVE;
    }
    return TQI_FACTORED;
}
