/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantizing, for any vector level.
 *
 * x / scale is x * (1 / scale) here, and true division only where the two might
 * round to different integers. Let t be the exact quotient, v = x * factor with
 * both roundings, f(t) the quotient rounded to float32. With a sane scale
 * |v - t| < |t| 2^-22.9 + 2^-149.
 *  - |t| >= 127.6 (and so for s4 and s2, with their limits): both clip.
 *  - Otherwise |v - t| < 2^-15.9, and |f(t) - t| <= 2^-18. If v is further than
 *    2^-15 from any k + 1/2, then t is on the same side of it and
 *    2^-15 - 2^-15.9 > 2^-18 from it, so f(t) is on that side too, and all three
 *    round to the same integer.
 * So the sums, which are defined by v, never wait for a division, and of random
 * values one group of 300 is done again with it. NaN goes that way too.
 */

/* Lanes of the sums of a chunk. */
typedef struct vector_sums {
    vf signal, noise;
} vector_sums;

TQI_NOINLINE void store_and_fold(tqi_sums *sums, const vector_sums *chunk, double unit) {
    float signal[TQI_LANES];
    float noise[TQI_LANES];
    vf_store(signal, chunk->signal);
    vf_store(noise, chunk->noise);
    tqi_sums_fold(sums, signal, noise, unit);
}

/* By value, so that the sums of the loop can stay in registers. */
TQI_INLINE void fold_sums(tqi_sums *sums, vector_sums chunk, double unit) {
    store_and_fold(sums, &chunk, unit);
}

TQI_INLINE vector_sums no_sums(void) {
    return (vector_sums){vf_all(0.0f), vf_all(0.0f)};
}

/* What is seen of 16 values to find those near ties: d^2, which is there anyway,
 * or what a clipped value would hide by its large d. */
TQI_INLINE vi tie_bits(vf d2, vf clipped, vf rounded, int clips) {
    return clips ? magnitude(vf_sub(clipped, rounded)) : vf_bits(d2);
}

TQI_INLINE int near_tie(vi ties, int clips) {
    const float limit = 0.5f - 0x1p-15f;
    /* The square is rounded; one step below is surely below. */
    return vi_any_above(ties, vi_all((int32_t)float_bits(clips ? limit : limit * limit) - 1));
}

/* Rounds 16 values. With `unit2`, the squares of the scales, the sums are plain
 * squares, else in units of the scale. Where values are often clipped, `clips`
 * saves divisions for an instruction more. */
TQI_INLINE vi quantize_16(vf x, vf factor, const vf *unit2, tqi_target to, int clips, vi *ties,
                          vector_sums *sums) {
    const vf v = vf_mul(x, factor);
    const vf clipped = vf_clip(v, vf_all(target_min(to)), vf_all(target_max(to)));
    const vi q = vf_round(clipped);
    const vf rounded = vf_from_int(q);
    const vf d = vf_sub(v, rounded);
    const vf d2 = vf_mul(d, d);
    const vf signal = unit2 ? x : v;
    sums->signal = vf_add(sums->signal, vf_mul(signal, signal));
    sums->noise = vf_add(sums->noise, unit2 ? vf_mul(d2, *unit2) : d2);
    *ties = vi_max_unsigned(*ties, tie_bits(d2, clipped, rounded, clips));
    return q;
}

/* The same to s8 for values within its range, which needs no clipping. `largest` of the
 * squares tells whether all of them were. */
TQI_INLINE vi quantize_inner_16(vf x, vf factor, vi *largest, vi *ties, vector_sums *sums) {
    const vf v = vf_mul(x, factor);
    const vi q = vf_round(v);
    const vf d = vf_sub(v, vf_from_int(q));
    const vf v2 = vf_mul(v, v);
    const vf d2 = vf_mul(d, d);
    sums->signal = vf_add(sums->signal, v2);
    sums->noise = vf_add(sums->noise, d2);
    *largest = vi_max_unsigned(*largest, vf_bits(v2));
    *ties = vi_max_unsigned(*ties, vf_bits(d2));
    return q;
}

/* NaN counts as beyond. */
TQI_INLINE int beyond_inner(vi largest) {
    return vi_any_above(largest, vi_all((int32_t)float_bits(127.25f * 127.25f)));
}

TQI_INLINE vi quantize_exact_16(vf x, vf scale, tqi_target to) {
    const vf v = vf_div(x, scale);
    const vi q = vf_round(vf_clip(v, vf_all(target_min(to)), vf_all(target_max(to))));
    return vi_pick_above(magnitude(v), vi_all(0x7f800000), vi_all(0), q);
}

TQI_INLINE void store_group(void *q, vi a, vi b, vi c, vi d, tqi_target to) {
    const vb bytes = vb_pack(a, b, c, d);
    if (to == TQI_S8) {
        store_s8(q, bytes);
    } else if (to == TQI_S4) {
        store_s4(q, bytes);
    } else {
        store_s2(q, bytes);
    }
}

/* The two halves of a group may have different scales. */
TQI_INLINE void store_exact_group(const void *x, void *q, float scale0, float scale1,
                                  tqi_source from, tqi_target to) {
    int32_t rounded[GROUP];
    for (size_t i = 0; i < GROUP; i += 16) {
        const vf scale = vf_all(i < GROUP / 2 ? scale0 : scale1);
        vi_store(rounded + i, quantize_exact_16(load_float(x, i, from), scale, to));
    }
    store_group(q, vi_load(rounded), vi_load(rounded + 16), vi_load(rounded + 32),
                vi_load(rounded + 48), to);
}

/* The part of the next row that is fetched by a group of this row, the i-th
 * element of which is the first: from float32 the second half, as measuring fetches
 * the first. */
TQI_INLINE void prefetch_group(const unsigned char *x, size_t i, size_t ahead, tqi_source from) {
    const size_t line = from == TQI_F32 ? ahead + ahead / 2 - 2 * i : ahead;
    prefetch(x, line);
    prefetch(x, line + 64);
}

/* ---------------------------------------------------------------- rows -- */

TQI_INLINE void quantize_row(const void *x, void *q, size_t n, float scale, tqi_sums *sums,
                             tqi_source from, tqi_target to) {
    if (!sane_scale(scale)) {
        tqi_quantize_exact(x, q, n, scale, sums, from, to);
        return;
    }
    const size_t size = source_size(from);
    const size_t ahead = next_row(n * size);
    const int clips = to != TQI_S8;
    const vf factor = vf_all(1.0f / scale);
    const unsigned char *in = x;
    unsigned char *out = q;
    unsigned char spare_in[GROUP * 4];
    unsigned char spare_out[GROUP];
    vector_sums chunk = no_sums();
    for (size_t i = 0; i < n; i += GROUP) {
        const size_t count = n - i < GROUP ? n - i : GROUP;
        const void *source = whole_group(in, count, size, spare_in);
        unsigned char *target = count < GROUP ? spare_out : out;
        if (ahead) {
            prefetch_group(in, i, ahead, from);
        }
        const vector_sums before = chunk;
        vi ties = vi_all(0), largest = vi_all(0);
        vi a, b, c, d;
        if (to == TQI_S8) {
            a = quantize_inner_16(load_float(source, 0, from), factor, &largest, &ties, &chunk);
            b = quantize_inner_16(load_float(source, 16, from), factor, &largest, &ties, &chunk);
            c = quantize_inner_16(load_float(source, 32, from), factor, &largest, &ties, &chunk);
            d = quantize_inner_16(load_float(source, 48, from), factor, &largest, &ties, &chunk);
        }
        if (to != TQI_S8 || beyond_inner(largest)) {
            chunk = before;
            ties = vi_all(0);
            a = quantize_16(load_float(source, 0, from), factor, NULL, to, clips, &ties, &chunk);
            b = quantize_16(load_float(source, 16, from), factor, NULL, to, clips, &ties, &chunk);
            c = quantize_16(load_float(source, 32, from), factor, NULL, to, clips, &ties, &chunk);
            d = quantize_16(load_float(source, 48, from), factor, NULL, to, clips, &ties, &chunk);
        }
        store_group(target, a, b, c, d, to);
        if (near_tie(ties, clips)) {
            store_exact_group(source, target, scale, scale, from, to);
        }
        if (count < GROUP) {
            copy_tail(out, spare_out, (count * (size_t)to + 7) / 8);
        }
        if (sums && ((i + GROUP) % TQI_CHUNK == 0 || n - i <= GROUP)) {
            fold_sums(sums, chunk, (double)scale * (double)scale);
            chunk = no_sums();
        }
        in += GROUP * size;
        out += GROUP * (size_t)to / 8;
    }
}

static void LEVEL(quantize_f32_s8)(const void *x, int8_t *q, size_t n, float scale,
                                   tqi_sums *sums) {
    quantize_row(x, q, n, scale, sums, TQI_F32, TQI_S8);
}

static void LEVEL(quantize_f16_s8)(const void *x, int8_t *q, size_t n, float scale,
                                   tqi_sums *sums) {
    quantize_row(x, q, n, scale, sums, TQI_F16, TQI_S8);
}

static void LEVEL(quantize_bf16_s8)(const void *x, int8_t *q, size_t n, float scale,
                                    tqi_sums *sums) {
    quantize_row(x, q, n, scale, sums, TQI_BF16, TQI_S8);
}

/* s4 and s2 are one piece of code each for float32 and float16, to keep it small. */
TQI_NOINLINE void LEVEL(quantize_f32_narrow)(const void *x, uint8_t *q, size_t n, float scale,
                                             tqi_sums *sums, tqi_target to) {
    quantize_row(x, q, n, scale, sums, TQI_F32, to == TQI_S4 ? TQI_S4 : TQI_S2);
}

TQI_NOINLINE void LEVEL(quantize_f16_narrow)(const void *x, uint8_t *q, size_t n, float scale,
                                             tqi_sums *sums, tqi_target to) {
    quantize_row(x, q, n, scale, sums, TQI_F16, to == TQI_S4 ? TQI_S4 : TQI_S2);
}

static void LEVEL(quantize_f32_s4)(const void *x, uint8_t *q, size_t n, float scale,
                                   tqi_sums *sums) {
    LEVEL(quantize_f32_narrow)(x, q, n, scale, sums, TQI_S4);
}

static void LEVEL(quantize_f16_s4)(const void *x, uint8_t *q, size_t n, float scale,
                                   tqi_sums *sums) {
    LEVEL(quantize_f16_narrow)(x, q, n, scale, sums, TQI_S4);
}

static void LEVEL(quantize_f32_s2)(const void *x, uint8_t *q, size_t n, float scale,
                                   tqi_sums *sums) {
    LEVEL(quantize_f32_narrow)(x, q, n, scale, sums, TQI_S2);
}

static void LEVEL(quantize_f16_s2)(const void *x, uint8_t *q, size_t n, float scale,
                                   tqi_sums *sums) {
    LEVEL(quantize_f16_narrow)(x, q, n, scale, sums, TQI_S2);
}

/* ------------------------------------------------------------- columns -- */

/* A tile of at most TQI_CHUNK_ROWS by TQI_CHUNK_COLUMNS. */
TQI_INLINE void quantize_tile(const unsigned char *x, int8_t *q, size_t rows, size_t columns,
                              size_t stride, const float *scale, tqi_sums *sums, tqi_source from) {
    /* Padded by zeros, which add nothing. */
    float scales[TQI_CHUNK_COLUMNS];
    float factors[TQI_CHUNK_COLUMNS];
    float units2[TQI_CHUNK_COLUMNS];
    const size_t padded = (columns + 15) / 16 * 16;
    const size_t size = source_size(from);
    memcpy(scales, scale, columns * sizeof(*scale));
    for (size_t c = columns; c < padded; c++) {
        scales[c] = 1.0f;
    }
    vi extreme = vi_all(0);
    for (size_t c = 0; c < columns; c += 16) {
        const vf s = vf_load(scales + c);
        const vf factor = vf_div(vf_all(1.0f), s);
        extreme = vi_max(extreme, vi_max(magnitude(s), magnitude(factor)));
        vf_store(factors + c, factor);
        vf_store(units2 + c, vf_mul(s, s));
    }
    if (vi_any_above(extreme, vi_all((int32_t)float_bits(0x1p125f)))) {
        tqi_quantize_columns_exact(x, q, rows, columns, stride, scale, sums, from);
        return;
    }
    unsigned char spare_in[16 * 4] = {0};
    int8_t spare_out[16];
    vector_sums tile = no_sums();
    for (size_t r = 0; r < rows; r++) {
        const unsigned char *in = x + r * stride * size;
        int8_t *out = q + r * stride;
        for (size_t c = 0; c < columns; c += 16) {
            const size_t count = columns - c < 16 ? columns - c : 16;
            const unsigned char *source = in + c * size;
            int8_t *target = out + c;
            if (count < 16) {
                copy_tail(spare_in, source, count * size);
                source = spare_in;
                target = spare_out;
            }
            prefetch(in + c * size, TQI_CHUNK_ROWS * stride * size);
            const vf value = load_float(source, 0, from);
            const vf unit2 = vf_load(units2 + c);
            vi ties = vi_all(0);
            store_16_s8(target,
                        quantize_16(value, vf_load(factors + c), &unit2, TQI_S8, 0, &ties, &tile));
            if (near_tie(ties, 0)) {
                store_16_s8(target, quantize_exact_16(value, vf_load(scales + c), TQI_S8));
            }
            if (count < 16) {
                copy_tail(out + c, spare_out, count);
            }
        }
    }
    if (sums) {
        fold_sums(sums, tile, 1.0);
    }
}

TQI_INLINE void quantize_columns(const void *x, int8_t *q, size_t rows, size_t columns,
                                 size_t stride, const float *scale, tqi_sums *sums,
                                 tqi_source from) {
    for (size_t r = 0; r < rows; r += TQI_CHUNK_ROWS) {
        const size_t tile_rows = rows - r < TQI_CHUNK_ROWS ? rows - r : TQI_CHUNK_ROWS;
        for (size_t c = 0; c < columns; c += TQI_CHUNK_COLUMNS) {
            const size_t left = columns - c;
            const size_t i = r * stride + c;
            quantize_tile((const unsigned char *)x + i * source_size(from), q + i, tile_rows,
                          left < TQI_CHUNK_COLUMNS ? left : TQI_CHUNK_COLUMNS, stride, scale + c,
                          sums, from);
        }
    }
}

static void LEVEL(quantize_columns_f32_s8)(const void *x, int8_t *q, size_t rows, size_t columns,
                                           size_t stride, const float *scale, tqi_sums *sums) {
    quantize_columns(x, q, rows, columns, stride, scale, sums, TQI_F32);
}

static void LEVEL(quantize_columns_f16_s8)(const void *x, int8_t *q, size_t rows, size_t columns,
                                           size_t stride, const float *scale, tqi_sums *sums) {
    quantize_columns(x, q, rows, columns, stride, scale, sums, TQI_F16);
}

/* -------------------------------------------------------------- blocks -- */

enum { CHUNK_BLOCKS = TQI_CHUNK / TQI_MIN_BLOCK };

/* 16 scales at once from the bits of the largest magnitudes, as block_scale does
 * it; returns 0 if one of them is not finite. */
TQI_INLINE int block_scales_16(const uint32_t *absmax, float *scale, float *factor,
                               uint16_t *halves) {
    const vi bound = vi_max(vi_load(absmax), vi_all((int32_t)float_bits(1e-9f)));
    const vi wide = vf_bits(vf_div(vf_from_bits(bound), vf_all(7.0f)));
    const vi odd = vi_and(vi_upper_half(wide), vi_all(1));
    const vi rounded = vi_add(wide, vi_add(vi_all(0x7fff), odd));
    store_f16(halves, vf_from_bits(vi_and(rounded, vi_all(~0xffff))));
    const vi used = vi_max(vf_bits(load_f16(halves)), vi_all((int32_t)float_bits(0x1p-14f)));
    vi_store(scale, used);
    vf_store(factor, vf_div(vf_all(1.0f), vf_from_bits(used)));
    store_f16(halves, vf_from_bits(used));
    /* A NaN may have been carried over into the sign. */
    return !vi_any_above(vi_max_unsigned(wide, used), vi_all(0x7f7fffff));
}

/* All scales of a chunk first, since the way from the largest magnitude to the
 * factor is long, then the values. */
TQI_INLINE void quantize_chunk(const unsigned char *x, uint8_t *q, size_t n, size_t block,
                               uint16_t *scale, tqi_sums *sums, tqi_source from) {
    const size_t size = source_size(from);
    const size_t ahead = TQI_CHUNK * size;
    uint32_t absmax[CHUNK_BLOCKS];
    uint16_t halves[CHUNK_BLOCKS];
    /* The second half of the last group may be of a block beyond the last. */
    float scales[CHUNK_BLOCKS + 16];
    float factors[CHUNK_BLOCKS + 16];
    size_t blocks = 0;
    for (size_t i = 0; i < n; i += block, blocks++) {
        if (n - i < block) {
            absmax[blocks] = from == TQI_F32 ? LEVEL(absmax_f32)(x + i * size, n - i)
                                             : LEVEL(absmax_f16)(x + i * size, n - i);
        } else {
            vi largest = vi_all(0);
            for (size_t k = i; k < i + block; k += 32) {
                if (from == TQI_F32) {
                    prefetch(x, ahead + 2 * k);
                }
                largest = vi_max(largest, magnitude(load_float(x, k, from)));
                largest = vi_max(largest, magnitude(load_float(x, k + 16, from)));
            }
            absmax[blocks] = (uint32_t)vi_largest(largest);
        }
    }
    memset(absmax + blocks, 0, -blocks % 16 * sizeof(*absmax));
    scales[blocks] = factors[blocks] = 1.0f;
    for (size_t b = 0; b < blocks; b += 16) {
        if (!block_scales_16(absmax + b, scales + b, factors + b, halves + b)) {
            tqi_quantize_blocks_exact(x, q, n, block, scale, sums, from);
            return;
        }
    }
    memcpy(scale, halves, blocks * sizeof(*scale));
    unsigned shift = 5; /* block = 1 << shift */
    while (block >> shift > 1) {
        shift++;
    }
    unsigned char spare_in[GROUP * 4];
    unsigned char spare_out[GROUP / 2];
    vector_sums chunk = no_sums();
    for (size_t i = 0; i < n; i += GROUP) {
        const size_t count = n - i < GROUP ? n - i : GROUP;
        const unsigned char *source = whole_group(x + i * size, count, size, spare_in);
        unsigned char *target = count < GROUP ? spare_out : q + i / 2;
        const size_t k = i >> shift;
        const size_t m = (i + GROUP / 2) >> shift;
        prefetch_group(x + i * size, i, ahead, from);
        const vf s0 = vf_all(scales[k]), s1 = vf_all(scales[m]);
        const vf f0 = vf_all(factors[k]), f1 = vf_all(factors[m]);
        const vf u0 = vf_mul(s0, s0), u1 = vf_mul(s1, s1);
        vi ties = vi_all(0);
        const vi a = quantize_16(load_float(source, 0, from), f0, &u0, TQI_S4, 0, &ties, &chunk);
        const vi b = quantize_16(load_float(source, 16, from), f0, &u0, TQI_S4, 0, &ties, &chunk);
        const vi c = quantize_16(load_float(source, 32, from), f1, &u1, TQI_S4, 0, &ties, &chunk);
        const vi d = quantize_16(load_float(source, 48, from), f1, &u1, TQI_S4, 0, &ties, &chunk);
        store_group(target, a, b, c, d, TQI_S4);
        if (near_tie(ties, 0)) {
            store_exact_group(source, target, scales[k], scales[m], from, TQI_S4);
        }
        if (count < GROUP) {
            copy_tail(q + i / 2, spare_out, (count + 1) / 2);
        }
    }
    if (sums) {
        fold_sums(sums, chunk, 1.0);
    }
}

TQI_INLINE void quantize_blocks(const void *x, uint8_t *q, size_t n, size_t block, uint16_t *scale,
                                tqi_sums *sums, tqi_source from) {
    for (size_t i = 0; i < n; i += TQI_CHUNK) {
        quantize_chunk((const unsigned char *)x + i * source_size(from), q + i / 2,
                       n - i < TQI_CHUNK ? n - i : TQI_CHUNK, block, scale + i / block, sums, from);
    }
}

static void LEVEL(quantize_blocks_f32_s4)(const void *x, uint8_t *q, size_t n, size_t block,
                                          uint16_t *scale, tqi_sums *sums) {
    quantize_blocks(x, q, n, block, scale, sums, TQI_F32);
}

static void LEVEL(quantize_blocks_f16_s4)(const void *x, uint8_t *q, size_t n, size_t block,
                                          uint16_t *scale, tqi_sums *sums) {
    quantize_blocks(x, q, n, block, scale, sums, TQI_F16);
}
