/* SPDX-License-Identifier: Apache-2.0 */
/* What the convolutions share: how a filter moves along an axis, scratch memory, the end of a
 * row of outputs. */
#ifndef TQI_EXECUTE_WINDOW_H
#define TQI_EXECUTE_WINDOW_H

#include "execute/call.h"
#include "execute/gemm.h"

enum { TQI_PADDING_SAME, TQI_PADDING_VALID };

/* One axis: tap k of output o reads input o * stride + k * dilation - before. */
typedef struct tqi_axis {
    int64_t in, out, taps, stride, dilation, before;
} tqi_axis;

/* `in`, `taps`, `stride` and `dilation` are set; sets the others as LiteRT does. false: no such
 * convolution. */
bool tqi_axis_set(tqi_axis *axis, int32_t padding);

/* Memory that is freed with the arena, at a multiple of 64 bytes: `count` floats, not set. */
tq_status tqi_floats_new(tqi_arena *arena, uint64_t count, float **out, tq_error *error);
/* A matrix packed into such memory; see tqi_panels_pack(). */
tq_status tqi_panels_new(tqi_arena *arena, const float *matrix, size_t k_stride, size_t j_stride,
                         size_t depth, size_t columns, float **panels, tq_error *error);

/* Of an optional input: `count` floats, or NULL. */
tq_status tqi_call_bias(const tqi_call *call, uint32_t index, uint64_t count, const float **bias,
                        tq_error *error);
/* false: unknown. */
bool tqi_activation_known(int32_t activation);
/* Adds the bias (NULL: none) to each row, and clips. */
void tqi_finish_rows(float *y, size_t stride, size_t rows, size_t columns, const float *bias,
                     int32_t activation);

/* How many of the rows of x are gathered at once, so that scratch is bounded (4 MiB or one row) and
 * for common depths stays in the cache. At least 1 if there are any. */
size_t tqi_rows_at_once(size_t depth, size_t rows);

#endif
