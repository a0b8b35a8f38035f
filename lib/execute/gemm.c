/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/gemm.h"

#include "base/checked.h"
#include "execute/gemm_private.h"
#include "kernels/kernels_private.h"

#include <tfquant/tfquant.h>

/* ---- for any processor: vectors that the compiler may know, else single numbers ---- */

#if defined(__GNUC__) || defined(__clang__)
typedef float lanes __attribute__((vector_size(16)));
#else
typedef float lanes;
#endif

#if (defined(__GNUC__) && __GNUC__ >= 12) || defined(__clang__)
#define HAVE_SHUFFLE
#endif

enum { PARTS = TQI_GEMM_LANES * sizeof(float) / sizeof(lanes) };

typedef struct vf {
    lanes at[PARTS];
} vf;

#define LEVEL(name) name##_scalar

TQI_INLINE vf vf_all(float x) {
    vf y;
    for (size_t i = 0; i < PARTS; i++)
        y.at[i] = x - (lanes){0}; /* in all lanes, and -0 stays -0 */
    return y;
}

TQI_INLINE vf vf_load(const float *x) {
    vf y;
    memcpy(y.at, x, sizeof y.at);
    return y;
}

TQI_INLINE void vf_store(float *y, vf x) {
    memcpy(y, x.at, sizeof x.at);
}

TQI_INLINE vf vf_add(vf x, vf y) {
    for (size_t i = 0; i < PARTS; i++)
        x.at[i] += y.at[i];
    return x;
}

TQI_INLINE vf vf_mul(vf x, vf y) {
    for (size_t i = 0; i < PARTS; i++)
        x.at[i] *= y.at[i];
    return x;
}

#define BLOCK 2
#include "execute/gemm_vector.h"

void tqi_gemm_init(tqi_gemm *gemm, uint32_t cpu_flags) {
    (void)cpu_flags;
    *gemm = (tqi_gemm){LEVEL(panel), LEVEL(taps)};
#ifdef TQI_HAVE_AVX2
    if (cpu_flags & TQ_CPU_AVX2)
        tqi_gemm_init_avx2(gemm);
#endif
#ifdef TQI_HAVE_AVX512
    if (cpu_flags & TQ_CPU_AVX512)
        tqi_gemm_init_avx512(gemm);
#endif
#ifdef TQI_HAVE_NEON
    if (cpu_flags & TQ_CPU_NEON)
        tqi_gemm_init_neon(gemm);
#endif
}

/* ---- packed matrices: [block of k][panel][k in the block][16] ---- */

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

bool tqi_panels_size(uint64_t depth, uint64_t columns, uint64_t *floats) {
    return columns <= UINT64_MAX - TQI_GEMM_LANES &&
           tqi_mul_u64(tqi_align_up(columns, TQI_GEMM_LANES), depth, floats);
}

enum { SQUARE = 4 };

/* Four rows of four floats become columns. */
static void turn_square(const float *rows, size_t stride, float *panel) {
#ifdef HAVE_SHUFFLE
    lanes r[SQUARE], half[SQUARE];
    for (size_t j = 0; j < SQUARE; j++)
        memcpy(&r[j], rows + j * stride, sizeof r[j]);
    half[0] = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
    half[1] = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    half[2] = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
    half[3] = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    r[0] = __builtin_shufflevector(half[0], half[1], 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(half[0], half[1], 2, 3, 6, 7);
    r[2] = __builtin_shufflevector(half[2], half[3], 0, 1, 4, 5);
    r[3] = __builtin_shufflevector(half[2], half[3], 2, 3, 6, 7);
    for (size_t i = 0; i < SQUARE; i++)
        memcpy(panel + i * TQI_GEMM_LANES, &r[i], sizeof r[i]);
#else
    for (size_t j = 0; j < SQUARE; j++)
        for (size_t i = 0; i < SQUARE; i++)
            panel[i * TQI_GEMM_LANES + j] = rows[j * stride + i];
#endif
}

/* Sixteen rows or less become columns. */
static void pack_rows(const float *rows, size_t stride, size_t depth, size_t columns,
                      float *panel) {
    enum { RUN = 16 }; /* floats of a row that are used while they are in the cache */
    size_t squares = columns == TQI_GEMM_LANES ? depth / SQUARE * SQUARE : 0;
    for (size_t k = 0; k < squares; k += SQUARE)
        for (size_t j = 0; j < columns; j += SQUARE)
            turn_square(rows + j * stride + k, stride, panel + k * TQI_GEMM_LANES + j);
    for (size_t k = squares; k < depth; k += RUN) {
        size_t end = least(k + RUN, depth);
        for (size_t j = 0; j < columns; j++)
            for (size_t i = k; i < end; i++)
                panel[i * TQI_GEMM_LANES + j] = rows[j * stride + i];
    }
}

void tqi_panels_pack(const float *matrix, size_t k_stride, size_t j_stride, size_t depth,
                     size_t columns, float *panels) {
    for (size_t k = 0; k < depth; k += TQI_GEMM_DEPTH) {
        size_t run = least(depth - k, TQI_GEMM_DEPTH);
        for (size_t j = 0; j < columns; j += TQI_GEMM_LANES) {
            size_t n = least(columns - j, TQI_GEMM_LANES);
            const float *from = matrix + k * k_stride + j * j_stride;
            if (n < TQI_GEMM_LANES)
                memset(panels, 0, run * TQI_GEMM_LANES * sizeof *panels);
            if (k_stride == 1)
                pack_rows(from, j_stride, run, n, panels);
            else
                for (size_t i = 0; i < run; i++)
                    for (size_t c = 0; c < n; c++)
                        panels[i * TQI_GEMM_LANES + c] = from[i * k_stride + c * j_stride];
            panels += run * TQI_GEMM_LANES;
        }
    }
}

static void multiply_rows(const tqi_gemm *gemm, const float *x, size_t x_stride, size_t rows,
                          const float *panels, size_t depth, size_t columns, float *y,
                          size_t y_stride) {
    for (size_t k = 0; k < depth; k += TQI_GEMM_DEPTH) {
        size_t run = least(depth - k, TQI_GEMM_DEPTH);
        for (size_t j = 0; j < columns; j += TQI_GEMM_LANES) {
            gemm->panel(x + k, x_stride, rows, panels, run, y + j, y_stride,
                        least(columns - j, TQI_GEMM_LANES), k > 0);
            panels += run * TQI_GEMM_LANES;
        }
    }
}

void tqi_multiply(const tqi_gemm *gemm, const float *x, size_t x_stride, size_t rows,
                  const float *panels, size_t depth, size_t columns, float *y, size_t y_stride) {
    for (size_t r = 0; r < rows; r += TQI_GEMM_ROWS)
        multiply_rows(gemm, x + r * x_stride, x_stride, least(rows - r, TQI_GEMM_ROWS), panels,
                      depth, columns, y + r * y_stride, y_stride);
    if (depth == 0)
        for (size_t r = 0; r < rows; r++)
            memset(y + r * y_stride, 0, columns * sizeof *y);
}
