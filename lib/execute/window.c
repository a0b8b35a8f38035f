/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/window.h"

#include "base/checked.h"

bool tqi_axis_set(tqi_axis *axis, int32_t padding) {
    if (axis->in <= 0 || axis->taps <= 0 || axis->stride <= 0 || axis->dilation <= 0)
        return false;
    int64_t reach = (axis->taps - 1) * axis->dilation + 1;
    if (padding == TQI_PADDING_SAME)
        axis->out = (axis->in + axis->stride - 1) / axis->stride;
    else if (padding == TQI_PADDING_VALID && axis->in >= reach)
        axis->out = (axis->in - reach) / axis->stride + 1;
    else
        return false;
    int64_t beyond = (axis->out - 1) * axis->stride + reach - axis->in;
    axis->before = beyond > 0 ? beyond / 2 : 0; /* an odd one is behind */
    return true;
}

tq_status tqi_floats_new(tqi_arena *arena, uint64_t count, float **out, tq_error *error) {
    enum { LINE = 64 / sizeof(float) };
    if (count > UINT64_MAX - LINE)
        return tqi_fail(error, TQ_ERR_OUT_OF_MEMORY, "a scratch array is too large");
    TQI_TRY(tqi_arena_take(arena, count + LINE, sizeof **out, out, error));
    while ((uintptr_t)*out % (LINE * sizeof(float)) != 0)
        ++*out;
    return TQ_OK;
}

tq_status tqi_panels_new(tqi_arena *arena, const float *matrix, size_t k_stride, size_t j_stride,
                         size_t depth, size_t columns, float **panels, tq_error *error) {
    uint64_t floats;
    if (!tqi_panels_size(depth, columns, &floats))
        return tqi_fail(error, TQ_ERR_OUT_OF_MEMORY, "a matrix is too large");
    TQI_TRY(tqi_floats_new(arena, floats, panels, error));
    tqi_panels_pack(matrix, k_stride, j_stride, depth, columns, *panels);
    return TQ_OK;
}

tq_status tqi_call_bias(const tqi_call *call, uint32_t index, uint64_t count, const float **bias,
                        tq_error *error) {
    const tqi_value *value = NULL;
    *bias = NULL;
    if (!tqi_call_has(call, index))
        return TQ_OK;
    TQI_TRY(tqi_call_input(call, index, TQI_TYPE_FLOAT32, &value, error));
    if (value->elements != count)
        return tqi_call_refuse(call, error, "the bias has another size than the outputs");
    *bias = tqi_floats(value);
    return TQ_OK;
}

size_t tqi_rows_at_once(size_t depth, size_t rows) {
    enum { FEW = 24, USUAL = 64 * 1024, MOST = 1024 * 1024 }; /* all levels' blocks divide FEW */
    size_t deep = depth > 0 ? depth : 1, n = USUAL / deep / FEW * FEW;
    if (n == 0)
        n = MOST / deep < FEW ? MOST / deep + 1 : FEW;
    n = n < TQI_GEMM_ROWS ? n : TQI_GEMM_ROWS;
    return n < rows ? n : rows;
}
