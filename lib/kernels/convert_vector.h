/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions, for any vector level. */

typedef enum conversion {
    F32_TO_F16,
    F32_TO_BF16,
    F16_TO_F32,
    BF16_TO_F32,
    S8_TO_F32,
    S4_TO_F32,
} conversion;

/* Half to even by adding just under half, or half if the upper half is odd. */
TQI_INLINE vi round_to_bf16(vi x) {
    const vi upper = vi_upper_half(x);
    const vi odd = vi_and(upper, vi_all(1));
    const vi rounded = vi_upper_half(vi_add(x, vi_add(vi_all(0x7fff), odd)));
    const vi quiet = vi_or(upper, vi_all(0x40));
    return vi_pick_above(vi_and(x, vi_all(0x7fffffff)), vi_all(0x7f800000), quiet, rounded);
}

TQI_INLINE void convert_16(const void *x, void *y, conversion what, vf scale, vector_sums *sums) {
    if (what == F32_TO_F16) {
        const vf value = load_float(x, 0, TQI_F32);
        store_f16(y, value);
        const vf lost = vf_sub(value, load_f16(y));
        sums->signal = vf_add(sums->signal, vf_mul(value, value));
        sums->noise = vf_add(sums->noise, vf_mul(lost, lost));
    } else if (what == F32_TO_BF16) {
        store_u16(y, round_to_bf16(vi_load(x)));
    } else if (what == F16_TO_F32) {
        vi_store(y, vf_bits(load_f16(x)));
    } else if (what == BF16_TO_F32) {
        vi_store(y, vf_bits(load_bf16(x)));
    } else {
        vi_store(y, vf_bits(vf_mul(what == S8_TO_F32 ? load_s8(x) : load_s4(x), scale)));
    }
}

/* `from` and `to` are bits an element. */
TQI_INLINE void convert(const void *x, void *y, size_t n, conversion what, size_t from, size_t to,
                        float scale, tqi_sums *sums) {
    const unsigned char *in = x;
    unsigned char *out = y;
    unsigned char spare[16 * 4] = {0};
    const vf factor = vf_all(scale);
    vector_sums chunk = no_sums();
    for (size_t i = 0; i < n; i += 16) {
        const size_t left = n - i;
        if (left < 16) {
            copy_tail(spare, in, (left * from + 7) / 8);
            convert_16(spare, spare, what, factor, &chunk);
            copy_tail(out, spare, left * to / 8);
        } else {
            convert_16(in, out, what, factor, &chunk);
        }
        if (sums && ((i + 16) % TQI_CHUNK == 0 || left <= 16)) {
            fold_sums(sums, chunk, 1.0);
            chunk = no_sums();
        }
        in += 16 * from / 8;
        out += 16 * to / 8;
    }
}

static void LEVEL(f32_to_f16)(const void *x, uint16_t *y, size_t n, tqi_sums *sums) {
    convert(x, y, n, F32_TO_F16, 32, 16, 1.0f, sums);
}

static void LEVEL(f32_to_bf16)(const void *x, uint16_t *y, size_t n) {
    convert(x, y, n, F32_TO_BF16, 32, 16, 1.0f, NULL);
}

static void LEVEL(f16_to_f32)(const void *x, float *y, size_t n) {
    convert(x, y, n, F16_TO_F32, 16, 32, 1.0f, NULL);
}

static void LEVEL(bf16_to_f32)(const void *x, float *y, size_t n) {
    convert(x, y, n, BF16_TO_F32, 16, 32, 1.0f, NULL);
}

static void LEVEL(dequantize_s8_f32)(const void *q, float *y, size_t n, float scale) {
    convert(q, y, n, S8_TO_F32, 8, 32, scale, NULL);
}

static void LEVEL(dequantize_s4_f32)(const void *q, float *y, size_t n, float scale) {
    convert(q, y, n, S4_TO_F32, 4, 32, scale, NULL);
}
