/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions: the scalar code, which defines the results. */
#include "kernels/kernels_private.h"

static void f32_to_f16(const void *x, uint16_t *y, size_t n, tqi_sums *sums) {
    for (size_t start = 0; start < n; start += TQI_CHUNK) {
        const size_t end = n - start < TQI_CHUNK ? n : start + TQI_CHUNK;
        float signal[TQI_LANES] = {0};
        float noise[TQI_LANES] = {0};
        for (size_t i = start; i < end; i++) {
            const uint32_t bits = load_u32(x, i);
            const float value = bits_float(bits);
            y[i] = f32_bits_to_f16(bits);
            const float lost = value - bits_float(f16_to_f32_bits(y[i]));
            signal[i % TQI_LANES] += value * value;
            noise[i % TQI_LANES] += lost * lost;
        }
        if (sums) {
            tqi_sums_fold(sums, signal, noise, 1.0);
        }
    }
}

static void f32_to_bf16(const void *x, uint16_t *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = f32_bits_to_bf16(load_u32(x, i));
    }
}

/* By bits: moving a signalling NaN as a float might make it quiet. */
TQI_INLINE void widen(const void *x, float *y, size_t n, tqi_source type) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = load_bits(x, i, type);
        memcpy(&y[i], &bits, sizeof(bits));
    }
}

static void f16_to_f32(const void *x, float *y, size_t n) {
    widen(x, y, n, TQI_F16);
}

static void bf16_to_f32(const void *x, float *y, size_t n) {
    widen(x, y, n, TQI_BF16);
}

static void dequantize_s8_f32(const void *q, float *y, size_t n, float scale) {
    const unsigned char *bytes = q;
    for (size_t i = 0; i < n; i++) {
        y[i] = (float)((bytes[i] ^ 0x80) - 0x80) * scale;
    }
}

static void dequantize_s4_f32(const void *q, float *y, size_t n, float scale) {
    const unsigned char *bytes = q;
    for (size_t i = 0; i < n; i++) {
        const int nibble = bytes[i / 2] >> (i % 2 * 4) & 0xf;
        y[i] = (float)((nibble ^ 8) - 8) * scale;
    }
}

void tqi_convert_init_scalar(tqi_kernels *k) {
    k->f32_to_f16 = f32_to_f16;
    k->f32_to_bf16 = f32_to_bf16;
    k->f16_to_f32 = f16_to_f32;
    k->bf16_to_f32 = bf16_to_f32;
    k->dequantize_s8_f32 = dequantize_s8_f32;
    k->dequantize_s4_f32 = dequantize_s4_f32;
}
