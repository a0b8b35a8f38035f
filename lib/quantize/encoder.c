/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/encoder.h"

#include <math.h>
#include <string.h>

#include "quantize/encoder_parts.h"
#include "tflite/sparsity.h"

static const float LARGEST_CODE = 127.0f;
static const float SMALLEST_BOUND = 1e-9f; /* litert-quantizer's; keeps scales normal numbers */
enum { INFINITY_BITS = 0x7f800000, FLOAT16_OVERFLOWS = 0x477ff000 /* 65520 */ };

static size_t width(int32_t type) {
    return tqi_type_bits(type) / 8;
}

tq_status tqi_encoder_refuse(tqi_encoder *e, uint32_t reason) {
    atomic_store(&e->failed, reason);
    return (tq_status)TQI_NOT_ENCODABLE;
}

bool tqi_int8_scale(float largest, float *scale) {
    if (!isfinite(largest))
        return false;
    *scale = (largest < SMALLEST_BOUND ? SMALLEST_BOUND : largest) / LARGEST_CODE;
    return true;
}

static tq_status set_scale(tqi_encoder *e, uint64_t channel, uint32_t absmax_bits) {
    float largest;
    memcpy(&largest, &absmax_bits, sizeof largest);
    return tqi_int8_scale(largest, &e->scale[channel])
               ? TQ_OK
               : tqi_encoder_refuse(e, TQ_REASON_NOT_FINITE);
}

static uint32_t absmax(const tqi_encoder *e, const void *x, uint64_t n) {
    return e->from_type == TQI_TYPE_FLOAT16 ? e->kernels->absmax_f16(x, (size_t)n)
                                            : e->kernels->absmax_f32(x, (size_t)n);
}

static void quantize(const tqi_encoder *e, const void *x, int8_t *q, uint64_t n, float scale,
                     tqi_sums *sums) {
    if (e->from_type == TQI_TYPE_FLOAT16)
        e->kernels->quantize_f16_s8(x, q, (size_t)n, scale, sums);
    else
        e->kernels->quantize_f32_s8(x, q, (size_t)n, scale, sums);
}

tq_status tqi_encoder_fetch(const tqi_encoder *e, uint64_t at, uint64_t n, void *scratch,
                            const uint8_t **x, tq_error *error) {
    size_t size = width(e->from_type);
    if (e->from.kind == TQI_CONTENT_MEMORY) {
        *x = (const uint8_t *)e->from.memory + at * size;
        return TQ_OK;
    }
    return tqi_source_fetch(e->source, e->from.offset + at * size, (size_t)(n * size), scratch, x,
                            error);
}

void tqi_encoder_done(const tqi_encoder *e, uint64_t at, uint64_t n) {
    size_t size = width(e->from_type);
    if (e->from.kind == TQI_CONTENT_FILE)
        tqi_source_done(e->source, e->from.offset + at * size, (size_t)(n * size));
}

void tqi_encoder_range(const tqi_encoder *e, uint32_t index, uint64_t *at, uint64_t *n) {
    if (e->pieces > 1) {
        uint64_t row = index / e->pieces, piece = index % e->pieces;
        *at = row * e->row + piece * e->piece;
        *n = tqi_min_u64(e->piece, e->row - piece * e->piece);
    } else {
        *at = index * e->rows * e->row;
        *n = tqi_min_u64(e->rows * e->row, e->elements - *at);
    }
}

/* ---- int8: one channel is a row of its own: its range and its codes in one go ---- */

static tq_status peek_rows(tqi_producer *producer, void *scratch, tq_error *error) {
    tqi_encoder *e = (tqi_encoder *)producer;
    for (uint32_t i = 0; i < producer->tiles; i++) {
        uint64_t at, n;
        const uint8_t *x;
        tqi_encoder_range(e, i, &at, &n);
        TQI_TRY(tqi_encoder_fetch(e, at, n, scratch, &x, error));
        for (uint64_t r = 0; r < n / e->row; r++)
            TQI_TRY(set_scale(e, at / e->row + r,
                              absmax(e, x + r * e->row * width(e->from_type), e->row)));
        tqi_encoder_done(e, at, n);
    }
    return TQ_OK;
}

static tq_status tile_rows(tqi_producer *producer, uint32_t index, void *scratch, uint64_t *offset,
                           const uint8_t **bytes, size_t *size, tq_error *error) {
    tqi_encoder *e = (tqi_encoder *)producer;
    uint64_t at, n;
    const uint8_t *x;
    tqi_encoder_range(e, index, &at, &n);
    TQI_TRY(tqi_encoder_fetch(e, at, n, scratch, &x, error));
    int8_t *q = (int8_t *)tqi_behind(scratch, n * width(e->from_type));
    e->sums[index] = (tqi_sums){0, 0};
    for (uint64_t r = 0; r < n / e->row; r++) {
        const uint8_t *row = x + r * e->row * width(e->from_type);
        uint64_t channel = at / e->row + r;
        TQI_TRY(set_scale(e, channel, absmax(e, row, e->row)));
        quantize(e, row, q + r * e->row, e->row, e->scale[channel], &e->sums[index]);
    }
    tqi_encoder_done(e, at, n);
    *offset = at;
    *bytes = (const uint8_t *)q;
    *size = (size_t)n;
    return TQ_OK;
}

/* ---- int8: channels are spread: ranges first, in a pass of their own ---- */

static void spread_ranges(const tqi_encoder *e, const uint8_t *x, uint64_t at, uint64_t n,
                          uint32_t *bits) {
    size_t row = (size_t)e->row;
    if (e->inner == 1 && e->from_type == TQI_TYPE_FLOAT16) {
        e->kernels->absmax_columns_f16(x, (size_t)n / row, row, row, bits);
    } else if (e->inner == 1) {
        e->kernels->absmax_columns_f32(x, (size_t)n / row, row, row, bits);
    } else {
        for (uint64_t done = 0, run; done < n; done += run) {
            run = tqi_min_u64(n - done, e->row - (at + done) % e->row);
            uint32_t *most = &bits[(at + done) / e->row % e->channels];
            uint32_t found = absmax(e, x + done * width(e->from_type), run);
            if (found > *most)
                *most = found;
        }
    }
}

static void spread_codes(const tqi_encoder *e, const uint8_t *x, uint64_t at, uint64_t n, int8_t *q,
                         tqi_sums *sums) {
    size_t row = (size_t)e->row;
    const float *scale = e->scale;
    if (e->inner == 1 && e->from_type == TQI_TYPE_FLOAT16) {
        e->kernels->quantize_columns_f16_s8(x, q, (size_t)n / row, row, row, scale, sums);
    } else if (e->inner == 1) {
        e->kernels->quantize_columns_f32_s8(x, q, (size_t)n / row, row, row, scale, sums);
    } else {
        for (uint64_t done = 0, run; done < n; done += run) {
            run = tqi_min_u64(n - done, e->row - (at + done) % e->row);
            quantize(e, x + done * width(e->from_type), q + done, run,
                     scale[(at + done) / e->row % e->channels], sums);
        }
    }
}

/* The bits of the ranges are gathered where the scales go. */
static uint32_t *begin_ranges(tqi_encoder *e) {
    uint32_t *bits = (uint32_t *)(void *)e->scale;
    memset(bits, 0, (size_t)e->channels * sizeof *bits);
    return bits;
}

static tq_status end_ranges(tqi_encoder *e) {
    for (uint64_t c = 0; c < e->channels; c++)
        TQI_TRY(set_scale(e, c, tqi_load_u32(&e->scale[c])));
    return TQ_OK;
}

static tq_status measure_spread(tqi_producer *producer, void *scratch, tq_error *error) {
    tqi_encoder *e = (tqi_encoder *)producer;
    uint32_t *bits = begin_ranges(e);
    for (uint32_t i = 0; i < producer->tiles; i++) {
        uint64_t at, n;
        const uint8_t *x;
        tqi_encoder_range(e, i, &at, &n);
        TQI_TRY(tqi_encoder_fetch(e, at, n, scratch, &x, error));
        spread_ranges(e, x, at, n, bits);
        tqi_encoder_done(e, at, n);
    }
    return end_ranges(e);
}

static tq_status tile_spread(tqi_producer *producer, uint32_t index, void *scratch,
                             uint64_t *offset, const uint8_t **bytes, size_t *size,
                             tq_error *error) {
    tqi_encoder *e = (tqi_encoder *)producer;
    uint64_t at, n;
    const uint8_t *x;
    tqi_encoder_range(e, index, &at, &n);
    TQI_TRY(tqi_encoder_fetch(e, at, n, scratch, &x, error));
    uint8_t *q = tqi_behind(scratch, n * width(e->from_type));
    e->sums[index] = (tqi_sums){0, 0};
    spread_codes(e, x, at, n, (int8_t *)q, &e->sums[index]);
    tqi_encoder_done(e, at, n);
    *offset = at;
    *bytes = q;
    *size = (size_t)n;
    return TQ_OK;
}

/* ---- float to float ---- */

static tq_status convert(tqi_encoder *e, const void *x, uint8_t *y, uint64_t n, tqi_sums *sums) {
    if (e->to_type == TQI_TYPE_FLOAT16) {
        uint32_t most = e->kernels->absmax_f32(x, (size_t)n);
        if (most >= FLOAT16_OVERFLOWS)
            return tqi_encoder_refuse(e, most >= INFINITY_BITS ? TQ_REASON_NOT_FINITE
                                                               : TQ_REASON_OUT_OF_RANGE);
        e->kernels->f32_to_f16(x, (uint16_t *)(void *)y, (size_t)n, sums);
    } else if (e->from_type == TQI_TYPE_FLOAT16) {
        e->kernels->f16_to_f32(x, (float *)(void *)y, (size_t)n);
    } else {
        memcpy(y, x, (size_t)n * sizeof(float));
    }
    return TQ_OK;
}

static tq_status tile_convert(tqi_producer *producer, uint32_t index, void *scratch,
                              uint64_t *offset, const uint8_t **bytes, size_t *size,
                              tq_error *error) {
    tqi_encoder *e = (tqi_encoder *)producer;
    uint64_t at, n;
    const uint8_t *x;
    tqi_encoder_range(e, index, &at, &n);
    TQI_TRY(tqi_encoder_fetch(e, at, n, scratch, &x, error));
    uint8_t *y = tqi_behind(scratch, n * width(e->from_type));
    e->sums[index] = (tqi_sums){0, 0};
    TQI_TRY(convert(e, x, y, n, &e->sums[index]));
    tqi_encoder_done(e, at, n);
    *offset = at * width(e->to_type);
    *bytes = y;
    *size = (size_t)(n * width(e->to_type));
    return TQ_OK;
}

/* ---- sparse: unpacked whole ---- */

uint64_t tqi_encoder_sparse_scratch(const tqi_encoder *e) {
    return tqi_align_up(e->values * width(e->from_type), TQI_ENCODER_LINE) +
           tqi_align_up(e->values * sizeof(uint64_t), TQI_ENCODER_LINE) +
           tqi_align_up(e->elements * width(e->from_type), TQI_ENCODER_LINE) + e->producer.size +
           TQI_ENCODER_LINE;
}

tq_status tqi_encoder_unpack(const tqi_encoder *e, void *scratch, uint8_t **dense,
                             tq_error *error) {
    size_t size = width(e->from_type);
    const uint8_t *x;
    TQI_TRY(tqi_encoder_fetch(e, 0, e->values, scratch, &x, error));
    uint64_t *place = (uint64_t *)(void *)tqi_behind(scratch, e->values * size);
    *dense = tqi_behind(place, e->values * sizeof *place);
    if (!tqi_sparsity_places(e->view, e->sparse, e->values, place))
        return tqi_fail_at(error, TQ_ERR_CORRUPT, e->sparse->sparsity,
                           "the sparsity of tensor '%s' contradicts its shape or data",
                           e->sparse->name);
    memset(*dense, 0, (size_t)e->elements * size);
    for (uint64_t i = 0; i < e->values; i++)
        memcpy(*dense + place[i] * size, x + i * size, size);
    return TQ_OK;
}

static tq_status tile_sparse(tqi_producer *producer, uint32_t index, void *scratch,
                             uint64_t *offset, const uint8_t **bytes, size_t *size,
                             tq_error *error) {
    tqi_encoder *e = (tqi_encoder *)producer;
    uint8_t *dense;
    TQI_TRY(tqi_encoder_unpack(e, scratch, &dense, error));
    uint8_t *y = tqi_behind(dense, e->elements * width(e->from_type));
    e->sums[index] = (tqi_sums){0, 0};
    if (e->to_type == TQI_TYPE_INT8) {
        spread_ranges(e, dense, 0, e->elements, begin_ranges(e));
        TQI_TRY(end_ranges(e));
        spread_codes(e, dense, 0, e->elements, (int8_t *)y, &e->sums[index]);
    } else {
        TQI_TRY(convert(e, dense, y, e->elements, &e->sums[index]));
    }
    *offset = 0;
    *bytes = y;
    *size = (size_t)producer->size;
    return TQ_OK;
}

static tq_status peek_sparse(tqi_producer *producer, void *scratch, tq_error *error) {
    uint64_t offset;
    const uint8_t *bytes;
    size_t size;
    return tile_sparse(producer, 0, scratch, &offset, &bytes, &size, error);
}

/* ---- set-up ---- */

/* Columns are not cut across: a matrix's row of them stays whole. */
static void cut_into_tiles(tqi_encoder *e) {
    uint64_t most = TQI_ENCODER_TILE / width(e->from_type), rows = e->elements / e->row, n;
    if (e->row > most && e->inner != 1) {
        e->piece = most;
        e->pieces = (uint32_t)((e->row + most - 1) / most);
        e->producer.tiles = (uint32_t)rows * e->pieces;
        n = e->piece;
    } else {
        e->pieces = 1;
        e->rows = e->row < most ? most / e->row : 1;
        e->producer.tiles = (uint32_t)((rows + e->rows - 1) / e->rows);
        n = tqi_min_u64(e->rows * e->row, e->elements);
    }
    e->producer.scratch =
        (size_t)(n * width(e->from_type) + n * width(e->to_type) + 2 * TQI_ENCODER_LINE);
}

tq_status tqi_encoder_init(tqi_encoder *e, tqi_arena *arena, tq_error *error) {
    bool int8 = e->to_type == TQI_TYPE_INT8;
    e->producer.size = e->elements * width(e->to_type);
    e->row = !int8 ? e->elements : e->inner == 1 ? e->channels : e->inner;
    atomic_init(&e->failed, TQ_REASON_NONE);
    if (e->sparse) {
        e->producer.tiles = 1;
        e->producer.scratch = (size_t)tqi_encoder_sparse_scratch(e);
        e->producer.tile = tile_sparse;
        e->producer.peek = int8 ? peek_sparse : NULL;
    } else {
        cut_into_tiles(e);
        bool rows = e->outer == 1 && e->inner > 1 && e->pieces == 1;
        e->producer.tile = !int8 ? tile_convert : rows ? tile_rows : tile_spread;
        e->producer.measure = int8 && !rows ? measure_spread : NULL;
        e->producer.peek = int8 && rows ? peek_rows : NULL;
    }
    e->heap = arena->heap;
    TQI_NEW(arena, &e->sums, e->producer.tiles, error);
    return TQ_OK;
}

tq_status tqi_encoder_init_codes(tqi_encoder *e, const int8_t *codes, float *scale, tqi_sums sums,
                                 tqi_arena *arena, tq_error *error) {
    e->codes = codes;
    e->scale = scale;
    e->producer.size = e->elements;
    e->producer.tiles = 1;
    atomic_init(&e->failed, TQ_REASON_NONE);
    TQI_NEW(arena, &e->sums, 1, error);
    e->sums[0] = sums;
    return TQ_OK;
}

tq_status tqi_producer_run(tqi_producer *producer, tqi_heap *heap, void *result, tq_error *error) {
    void *scratch = tqi_alloc(heap, producer->scratch);
    if (!scratch)
        return tqi_no_memory(heap, producer->scratch, error);
    uint64_t offset;
    const uint8_t *bytes;
    size_t size;
    tq_status status = TQ_OK;
    if (producer->measure)
        status = producer->measure(producer, scratch, error);
    if (status == TQ_OK)
        status = producer->tile(producer, 0, scratch, &offset, &bytes, &size, error);
    if (status == TQ_OK)
        memcpy(result, bytes, size);
    tqi_free(heap, scratch, producer->scratch);
    return status;
}

tqi_sums tqi_encoder_sums(const tqi_encoder *e) {
    tqi_sums total = {0, 0};
    for (uint32_t i = 0; i < e->producer.tiles; i++) {
        total.signal += e->sums[i].signal;
        total.noise += e->sums[i].noise;
    }
    return total;
}
