/* SPDX-License-Identifier: Apache-2.0 */
/* The loops of a level, from vf (16 float32) and what can be done with it. Included once by a file
 * that says with BLOCK how many sums its registers hold. */

#ifndef BLOCK
#error "BLOCK: rows that are done at once"
#endif

/* `rows` and `whole` are constants where this is inlined: the sums are in registers. */
TQI_INLINE void block(const float *x, size_t x_stride, const float *panel, size_t depth, float *y,
                      size_t y_stride, size_t columns, bool add, const size_t rows,
                      const bool whole) {
    vf sum[BLOCK];
    for (size_t r = 0; r < rows; r++)
        sum[r] = vf_all(0.0f);
    for (size_t k = 0; k < depth; k++) {
        const vf b = vf_load(panel + k * TQI_GEMM_LANES);
        for (size_t r = 0; r < rows; r++)
            sum[r] = vf_add(sum[r], vf_mul(vf_all(x[r * x_stride + k]), b));
    }
    for (size_t r = 0; r < rows; r++) {
        float *at = y + r * y_stride;
        float part[TQI_GEMM_LANES] = {0};
        if (whole) {
            vf_store(at, add ? vf_add(vf_load(at), sum[r]) : sum[r]);
        } else {
            memcpy(part, at, columns * sizeof *part);
            vf_store(part, add ? vf_add(vf_load(part), sum[r]) : sum[r]);
            memcpy(at, part, columns * sizeof *part);
        }
    }
}

TQI_INLINE void rows_of_panel(const float *x, size_t x_stride, size_t rows, const float *panel,
                              size_t depth, float *y, size_t y_stride, size_t columns, bool add,
                              const bool whole) {
    size_t r = 0;
    for (; r + BLOCK <= rows; r += BLOCK)
        block(x + r * x_stride, x_stride, panel, depth, y + r * y_stride, y_stride, columns, add,
              BLOCK, whole);
    for (; r + 2 <= rows; r += 2)
        block(x + r * x_stride, x_stride, panel, depth, y + r * y_stride, y_stride, columns, add, 2,
              whole);
    if (r < rows)
        block(x + r * x_stride, x_stride, panel, depth, y + r * y_stride, y_stride, columns, add, 1,
              whole);
}

static void LEVEL(panel)(const float *x, size_t x_stride, size_t rows, const float *panel,
                         size_t depth, float *y, size_t y_stride, size_t columns, bool add) {
    if (columns == TQI_GEMM_LANES)
        rows_of_panel(x, x_stride, rows, panel, depth, y, y_stride, columns, add, true);
    else
        rows_of_panel(x, x_stride, rows, panel, depth, y, y_stride, columns, add, false);
}

/* Reads and makes sixteen channels from `c` on, of which `n` are written. */
TQI_INLINE void tap_block(const float *const *x, const float *const *w, size_t taps, size_t at,
                          size_t step, size_t channels, size_t c, size_t n, float *y,
                          const size_t pixels) {
    vf sum[BLOCK];
    for (size_t p = 0; p < pixels; p++)
        sum[p] = vf_all(0.0f);
    for (size_t t = 0; t < taps; t++) {
        const vf b = vf_load(w[t] + c);
        const float *from = x[t] + at + c;
        for (size_t p = 0; p < pixels; p++)
            sum[p] = vf_add(sum[p], vf_mul(vf_load(from + p * step), b));
    }
    for (size_t p = 0; p < pixels; p++) {
        float *to = y + p * channels + c;
        float part[TQI_GEMM_LANES];
        if (n == TQI_GEMM_LANES) {
            vf_store(to, sum[p]);
        } else {
            vf_store(part, sum[p]);
            memcpy(to, part, n * sizeof *part);
        }
    }
}

/* The last sixteen of many channels are in part done twice, so that nothing beyond is read. */
TQI_INLINE void tap_pixels(const float *const *x, const float *const *w, size_t taps, size_t at,
                           size_t step, size_t channels, float *y, const size_t pixels) {
    if (channels < TQI_GEMM_LANES)
        tap_block(x, w, taps, at, step, channels, 0, channels, y, pixels);
    else
        for (size_t c = 0; c < channels; c += TQI_GEMM_LANES)
            tap_block(x, w, taps, at, step, channels,
                      c + TQI_GEMM_LANES <= channels ? c : channels - TQI_GEMM_LANES,
                      TQI_GEMM_LANES, y, pixels);
}

static void LEVEL(taps)(const float *const *x, const float *const *w, size_t taps, size_t pixels,
                        size_t step, size_t channels, float *y) {
    enum { PIXELS = BLOCK < 4 ? BLOCK : 4 };
    size_t p = 0;
    for (; p + PIXELS <= pixels; p += PIXELS)
        tap_pixels(x, w, taps, p * step, step, channels, y + p * channels, PIXELS);
    for (; p < pixels; p++)
        tap_pixels(x, w, taps, p * step, step, channels, y + p * channels, 1);
}
