/* SPDX-License-Identifier: Apache-2.0 */
/* Quantizing: the scalar code, which defines the results. */
#include "kernels/kernels_private.h"

/* ---------------------------------------------------------------- sums -- */

void tqi_sums_fold(tqi_sums *sums, const float *signal, const float *noise, double unit) {
    double s = 0;
    double d = 0;
    for (size_t i = 0; i < TQI_LANES; i++) {
        s += (double)signal[i];
        d += (double)noise[i];
    }
    sums->signal += s * unit;
    sums->noise += d * unit;
}

typedef struct lanes {
    float signal[TQI_LANES];
    float noise[TQI_LANES];
} lanes;

/* In units of the scale. */
TQI_INLINE void add_scaled(lanes *to, size_t lane, float x, float factor, tqi_target type) {
    const float v = x * factor;
    const float d = v - round_clipped(v, type);
    to->signal[lane] += v * v;
    to->noise[lane] += d * d;
}

TQI_INLINE void add_plain(lanes *to, size_t lane, float x, float scale, tqi_target type) {
    const float v = x * scale_factor(scale);
    const float d = v - round_clipped(v, type);
    to->signal[lane] += x * x;
    to->noise[lane] += d * d * (scale * scale);
}

/* ---------------------------------------------------------------- rows -- */

TQI_INLINE int quantized(float x, float scale, tqi_target type) {
    const float v = x / scale;
    return v != v ? 0 : (int)round_clipped(v, type);
}

TQI_INLINE void quantize_row(const void *x, void *q, size_t n, float scale, tqi_sums *sums,
                             tqi_source from, tqi_target to) {
    const size_t per_byte = 8 / (size_t)to;
    uint8_t *bytes = q;
    for (size_t i = 0; i < n;) {
        unsigned byte = 0;
        for (size_t k = 0; k < per_byte && i < n; k++, i++) {
            const int value = quantized(bits_float(load_bits(x, i, from)), scale, to);
            byte |= ((unsigned)value & ((1u << to) - 1)) << (k * (size_t)to);
        }
        *bytes++ = (uint8_t)byte;
    }
    const float factor = scale_factor(scale);
    for (size_t start = 0; sums && start < n; start += TQI_CHUNK) {
        const size_t end = n - start < TQI_CHUNK ? n : start + TQI_CHUNK;
        lanes chunk = {{0}, {0}};
        for (size_t i = start; i < end; i++) {
            add_scaled(&chunk, i % TQI_LANES, bits_float(load_bits(x, i, from)), factor, to);
        }
        tqi_sums_fold(sums, chunk.signal, chunk.noise, (double)scale * (double)scale);
    }
}

TQI_INLINE void quantize_row_to(const void *x, void *q, size_t n, float scale, tqi_sums *sums,
                                tqi_source from, tqi_target to) {
    if (to == TQI_S8) {
        quantize_row(x, q, n, scale, sums, from, TQI_S8);
    } else {
        quantize_row(x, q, n, scale, sums, from, to == TQI_S4 ? TQI_S4 : TQI_S2);
    }
}

void tqi_quantize_exact(const void *x, void *q, size_t n, float scale, tqi_sums *sums,
                        tqi_source from, tqi_target to) {
    switch (from) {
    case TQI_F32:
        quantize_row_to(x, q, n, scale, sums, TQI_F32, to);
        break;
    case TQI_F16:
        quantize_row_to(x, q, n, scale, sums, TQI_F16, to);
        break;
    case TQI_BF16:
        quantize_row_to(x, q, n, scale, sums, TQI_BF16, to);
        break;
    }
}

/* ------------------------------------------------------------- columns -- */

TQI_INLINE size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Sums in tiles of TQI_CHUNK_ROWS by TQI_CHUNK_COLUMNS, row of tiles by row of
 * tiles; column c of a tile adds to lane c % 16. */
static void columns_sums(const void *x, size_t rows, size_t columns, size_t stride,
                         const float *scale, tqi_sums *sums, tqi_source from) {
    for (size_t r0 = 0; r0 < rows; r0 += TQI_CHUNK_ROWS) {
        const size_t r1 = r0 + smaller(rows - r0, TQI_CHUNK_ROWS);
        for (size_t c0 = 0; c0 < columns; c0 += TQI_CHUNK_COLUMNS) {
            const size_t c1 = c0 + smaller(columns - c0, TQI_CHUNK_COLUMNS);
            lanes tile = {{0}, {0}};
            for (size_t r = r0; r < r1; r++) {
                for (size_t c = c0; c < c1; c++) {
                    const float value = bits_float(load_bits(x, r * stride + c, from));
                    add_plain(&tile, c % TQI_LANES, value, scale[c], TQI_S8);
                }
            }
            tqi_sums_fold(sums, tile.signal, tile.noise, 1.0);
        }
    }
}

void tqi_quantize_columns_exact(const void *x, int8_t *q, size_t rows, size_t columns,
                                size_t stride, const float *scale, tqi_sums *sums,
                                tqi_source from) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            const size_t i = r * stride + c;
            q[i] = (int8_t)quantized(bits_float(load_bits(x, i, from)), scale[c], TQI_S8);
        }
    }
    if (sums) {
        columns_sums(x, rows, columns, stride, scale, sums, from);
    }
}

/* -------------------------------------------------------------- blocks -- */

void tqi_quantize_blocks_exact(const void *x, uint8_t *q, size_t n, size_t block, uint16_t *scale,
                               tqi_sums *sums, tqi_source from) {
    const unsigned char *bytes = x;
    for (size_t start = 0; start < n; start += TQI_CHUNK) {
        const size_t end = start + smaller(n - start, TQI_CHUNK);
        lanes chunk = {{0}, {0}};
        for (size_t b = start; b < end; b += block) {
            const size_t count = smaller(end - b, block);
            uint32_t absmax = 0;
            for (size_t i = b; i < b + count; i++) {
                const uint32_t bits = load_bits(x, i, from) & 0x7fffffff;
                absmax = bits > absmax ? bits : absmax;
            }
            scale[b / block] = block_scale(absmax);
            const float used = bits_float(f16_to_f32_bits(scale[b / block]));
            tqi_quantize_exact(bytes + b * source_size(from), q + b / 2, count, used, NULL, from,
                               TQI_S4);
            for (size_t i = b; i < b + count; i++) {
                add_plain(&chunk, i % TQI_LANES, bits_float(load_bits(x, i, from)), used, TQI_S4);
            }
        }
        if (sums) {
            tqi_sums_fold(sums, chunk.signal, chunk.noise, 1.0);
        }
    }
}

/* --------------------------------------------------------------- table -- */

static void quantize_f32_s8(const void *x, int8_t *q, size_t n, float scale, tqi_sums *sums) {
    tqi_quantize_exact(x, q, n, scale, sums, TQI_F32, TQI_S8);
}

static void quantize_f16_s8(const void *x, int8_t *q, size_t n, float scale, tqi_sums *sums) {
    tqi_quantize_exact(x, q, n, scale, sums, TQI_F16, TQI_S8);
}

static void quantize_bf16_s8(const void *x, int8_t *q, size_t n, float scale, tqi_sums *sums) {
    tqi_quantize_exact(x, q, n, scale, sums, TQI_BF16, TQI_S8);
}

static void quantize_f32_s4(const void *x, uint8_t *q, size_t n, float scale, tqi_sums *sums) {
    tqi_quantize_exact(x, q, n, scale, sums, TQI_F32, TQI_S4);
}

static void quantize_f16_s4(const void *x, uint8_t *q, size_t n, float scale, tqi_sums *sums) {
    tqi_quantize_exact(x, q, n, scale, sums, TQI_F16, TQI_S4);
}

static void quantize_f32_s2(const void *x, uint8_t *q, size_t n, float scale, tqi_sums *sums) {
    tqi_quantize_exact(x, q, n, scale, sums, TQI_F32, TQI_S2);
}

static void quantize_f16_s2(const void *x, uint8_t *q, size_t n, float scale, tqi_sums *sums) {
    tqi_quantize_exact(x, q, n, scale, sums, TQI_F16, TQI_S2);
}

static void quantize_columns_f32_s8(const void *x, int8_t *q, size_t rows, size_t columns,
                                    size_t stride, const float *scale, tqi_sums *sums) {
    tqi_quantize_columns_exact(x, q, rows, columns, stride, scale, sums, TQI_F32);
}

static void quantize_columns_f16_s8(const void *x, int8_t *q, size_t rows, size_t columns,
                                    size_t stride, const float *scale, tqi_sums *sums) {
    tqi_quantize_columns_exact(x, q, rows, columns, stride, scale, sums, TQI_F16);
}

static void quantize_blocks_f32_s4(const void *x, uint8_t *q, size_t n, size_t block,
                                   uint16_t *scale, tqi_sums *sums) {
    tqi_quantize_blocks_exact(x, q, n, block, scale, sums, TQI_F32);
}

static void quantize_blocks_f16_s4(const void *x, uint8_t *q, size_t n, size_t block,
                                   uint16_t *scale, tqi_sums *sums) {
    tqi_quantize_blocks_exact(x, q, n, block, scale, sums, TQI_F16);
}

void tqi_quantize_init_scalar(tqi_kernels *k) {
    k->quantize_f32_s8 = quantize_f32_s8;
    k->quantize_f16_s8 = quantize_f16_s8;
    k->quantize_bf16_s8 = quantize_bf16_s8;
    k->quantize_f32_s4 = quantize_f32_s4;
    k->quantize_f16_s4 = quantize_f16_s4;
    k->quantize_f32_s2 = quantize_f32_s2;
    k->quantize_f16_s2 = quantize_f16_s2;
    k->quantize_columns_f32_s8 = quantize_columns_f32_s8;
    k->quantize_columns_f16_s8 = quantize_columns_f16_s8;
    k->quantize_blocks_f32_s4 = quantize_blocks_f32_s4;
    k->quantize_blocks_f16_s4 = quantize_blocks_f16_s4;
}
