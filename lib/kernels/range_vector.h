/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of weights, for any vector level. Rows of 16-bit types are looked at as
 * they are, and what is found is widened. */

enum { GROUP = 64 }; /* elements a turn of the loops over rows */

/* A row up to this size is still in a cache when it is quantized after having been
 * measured, and the next row follows. So that memory never waits for arithmetic,
 * the next row is fetched meanwhile, by both. */
TQI_INLINE size_t next_row(size_t bytes) {
    return bytes <= 1 << 16 ? bytes : 0;
}

/* Tails are copied to a group of their own, padded by zeros. Not inlined: rare. */
TQI_NOINLINE void copy_padded(unsigned char spare[GROUP * 4], const void *x, size_t bytes) {
    memset(spare, 0, GROUP * 4);
    memcpy(spare, x, bytes);
}

TQI_NOINLINE void copy_tail(void *to, const void *from, size_t bytes) {
    memcpy(to, from, bytes);
}

/* The next group at x, or in `spare` if only `count` elements are left. */
TQI_INLINE const void *whole_group(const void *x, size_t count, size_t size,
                                   unsigned char spare[GROUP * 4]) {
    if (count >= GROUP) {
        return x;
    }
    copy_padded(spare, x, count * size);
    return spare;
}

TQI_INLINE vf load_float(const void *x, size_t i, tqi_source type) {
    const unsigned char *p = (const unsigned char *)x + i * source_size(type);
    return type == TQI_F32   ? vf_from_bits(vi_load(p))
           : type == TQI_F16 ? load_f16(p)
                             : load_bf16(p);
}

TQI_INLINE vi magnitude(vf x) {
    return vi_and(vf_bits(x), vi_all(0x7fffffff));
}

/* ---------------------------------------------------------------- rows -- */

static uint32_t LEVEL(absmax_f32)(const void *x, size_t n) {
    const unsigned char *bytes = x;
    unsigned char spare[GROUP * 4];
    const size_t ahead = next_row(n * 4);
    vi a = vi_all(0), b = a, c = a, d = a;
    for (size_t i = 0; i < n; i += GROUP) {
        prefetch(x, ahead + 2 * i);
        prefetch(x, ahead + 2 * i + 64);
        const void *from = whole_group(bytes + i * 4, n - i, 4, spare);
        a = vi_max(a, magnitude(load_float(from, 0, TQI_F32)));
        b = vi_max(b, magnitude(load_float(from, 16, TQI_F32)));
        c = vi_max(c, magnitude(load_float(from, 32, TQI_F32)));
        d = vi_max(d, magnitude(load_float(from, 48, TQI_F32)));
    }
    return (uint32_t)vi_largest(vi_max(vi_max(a, b), vi_max(c, d)));
}

TQI_INLINE uint16_t largest_u15(vh x) {
    int16_t each[32];
    int16_t largest = 0;
    vh_store(each, x);
    for (size_t i = 0; i < 32; i++) {
        largest = each[i] > largest ? each[i] : largest;
    }
    return (uint16_t)largest;
}

static uint16_t LEVEL(absmax_half)(const void *x, size_t n) {
    const unsigned char *bytes = x;
    unsigned char spare[GROUP * 4];
    const vh mask = vh_all(0x7fff);
    vh a = vh_all(0), b = a;
    for (size_t i = 0; i < n; i += GROUP) {
        const unsigned char *from = whole_group(bytes + i * 2, n - i, 2, spare);
        a = vh_max(a, vh_and(vh_load(from), mask));
        b = vh_max(b, vh_and(vh_load(from + 64), mask));
    }
    return largest_u15(vh_max(a, b));
}

static uint32_t LEVEL(absmax_f16)(const void *x, size_t n) {
    return f16_to_f32_bits(LEVEL(absmax_half)(x, n));
}

static uint32_t LEVEL(absmax_bf16)(const void *x, size_t n) {
    return (uint32_t)LEVEL(absmax_half)(x, n) << 16;
}

static void LEVEL(minmax_f32)(const void *x, size_t n, float *min, float *max) {
    const unsigned char *bytes = x;
    int32_t lowest = order_of(0x7f800000);
    int32_t highest = order_of(0xff800000);
    size_t i = 0;
    vi low = vi_all(lowest), high = vi_all(highest);
    for (; n - i >= 16; i += 16) {
        const vi order = vi_order(vi_load(bytes + i * 4));
        low = vi_min(low, order);
        high = vi_max(high, order);
    }
    int32_t lows[16];
    int32_t highs[16];
    vi_store(lows, low);
    vi_store(highs, high);
    for (size_t k = 0; k < 16; k++) {
        lowest = lows[k] < lowest ? lows[k] : lowest;
        highest = highs[k] > highest ? highs[k] : highest;
    }
    for (; i < n; i++) {
        const int32_t order = order_of(load_u32(x, i));
        lowest = order < lowest ? order : lowest;
        highest = order > highest ? order : highest;
    }
    store_minmax(lowest, highest, min, max);
}

static void LEVEL(minmax_f16)(const void *x, size_t n, float *min, float *max) {
    const unsigned char *bytes = x;
    int32_t lowest = order_of(0x7f800000);
    int32_t highest = order_of(0xff800000);
    size_t i = 0;
    vh low = vh_all(0x7c00), high = vh_all(~0x7c00);
    for (; n - i >= 32; i += 32) {
        const vh order = vh_order(vh_load(bytes + i * 2));
        low = vh_min(low, order);
        high = vh_max(high, order);
    }
    /* Back to float16, and on like the elements that are left. */
    int16_t found[64];
    vh_store(found, vh_order(low));
    vh_store(found + 32, vh_order(high));
    for (size_t k = 0; i != 0 && k < 64; k++) {
        const int32_t order = order_of(f16_to_f32_bits((uint16_t)found[k]));
        lowest = order < lowest ? order : lowest;
        highest = order > highest ? order : highest;
    }
    for (; i < n; i++) {
        const int32_t order = order_of(f16_to_f32_bits(load_u16(x, i)));
        lowest = order < lowest ? order : lowest;
        highest = order > highest ? order : highest;
    }
    store_minmax(lowest, highest, min, max);
}

/* ------------------------------------------------------------- columns -- */

/* Starts of vectors that cover all columns: the last may overlap the one before,
 * which a maximum does not mind. Less than 16 columns are for scalar code. */
TQI_INLINE size_t vector_start(size_t c, size_t columns) {
    return columns - c < 16 ? columns - 16 : c;
}

TQI_INLINE void absmax_columns(const void *x, size_t rows, size_t columns, size_t stride,
                               uint32_t *bits, tqi_source type) {
    if (columns < 16) {
        tqi_absmax_columns_exact(x, rows, columns, stride, bits, type);
        return;
    }
    for (size_t r = 0; r < rows; r++) {
        for (size_t next = 0; next < columns; next += 16) {
            const size_t c = vector_start(next, columns);
            const vi found = magnitude(load_float(x, r * stride + c, type));
            vi_store(bits + c, vi_max(vi_load(bits + c), found));
        }
    }
}

/* While it runs, min and max hold integers that order as the numbers do. */
TQI_INLINE void minmax_columns(const void *x, size_t rows, size_t columns, size_t stride,
                               float *min, float *max, tqi_source type) {
    if (columns < 16) {
        tqi_minmax_columns_exact(x, rows, columns, stride, min, max, type);
        return;
    }
    for (size_t c = 0; c < columns; c++) {
        const int32_t order[2] = {order_of(load_u32(min, c)), order_of(load_u32(max, c))};
        memcpy(&min[c], &order[0], sizeof(order[0]));
        memcpy(&max[c], &order[1], sizeof(order[1]));
    }
    for (size_t r = 0; r < rows; r++) {
        for (size_t next = 0; next < columns; next += 16) {
            const size_t c = vector_start(next, columns);
            const vi order = vi_order(vf_bits(load_float(x, r * stride + c, type)));
            vi_store(min + c, vi_min(vi_load(min + c), order));
            vi_store(max + c, vi_max(vi_load(max + c), order));
        }
    }
    for (size_t c = 0; c < columns; c++) {
        const int32_t lowest = (int32_t)load_u32(min, c);
        store_minmax(lowest, (int32_t)load_u32(max, c), &min[c], &max[c]);
    }
}

static void LEVEL(absmax_columns_f32)(const void *x, size_t rows, size_t columns, size_t stride,
                                      uint32_t *bits) {
    absmax_columns(x, rows, columns, stride, bits, TQI_F32);
}

static void LEVEL(absmax_columns_f16)(const void *x, size_t rows, size_t columns, size_t stride,
                                      uint32_t *bits) {
    absmax_columns(x, rows, columns, stride, bits, TQI_F16);
}

static void LEVEL(minmax_columns_f32)(const void *x, size_t rows, size_t columns, size_t stride,
                                      float *min, float *max) {
    minmax_columns(x, rows, columns, stride, min, max, TQI_F32);
}

static void LEVEL(minmax_columns_f16)(const void *x, size_t rows, size_t columns, size_t stride,
                                      float *min, float *max) {
    minmax_columns(x, rows, columns, stride, min, max, TQI_F16);
}
