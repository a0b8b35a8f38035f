/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/encode_blocks.h"

#include "quantize/encoder_parts.h"

enum {
    INFINITY_BITS = 0x7f800000,
    FLOAT16_EXPONENT = 0x7c00,
    /* 4 * 7 * 2^-14: codes of a tensor that is smaller throughout would be 0, -1 and 1 for the most
     * part, as no scale is less than 2^-14 */
    SMALLEST_BITS = 0x3ae00000,
};

static size_t width(const tqi_encoder *e) {
    return tqi_type_bits(e->from_type) / 8;
}

static uint32_t absmax(const tqi_encoder *e, const void *x, uint64_t n) {
    return e->from_type == TQI_TYPE_FLOAT16 ? e->kernels->absmax_f16(x, (size_t)n)
                                            : e->kernels->absmax_f32(x, (size_t)n);
}

/* A piece of the source, and what becomes of it in the scratch. */
typedef struct piece {
    uint64_t at, n;
    const uint8_t *x;
    uint8_t *codes;
    uint16_t *scales;
} piece;

static tq_status open_piece(const tqi_encoder *e, uint32_t index, void *scratch, piece *p,
                            tq_error *error) {
    if (e->sparse) {
        uint8_t *dense;
        TQI_TRY(tqi_encoder_unpack(e, scratch, &dense, error));
        *p = (piece){
            .n = e->elements, .x = dense, .codes = tqi_behind(dense, e->elements * width(e))};
    } else {
        tqi_encoder_range(e, index, &p->at, &p->n);
        TQI_TRY(tqi_encoder_fetch(e, p->at, p->n, scratch, &p->x, error));
        p->codes = tqi_behind(scratch, p->n * width(e));
    }
    p->scales = (uint16_t *)(void *)tqi_behind(p->codes, p->n / 2);
    return TQ_OK;
}

static tq_status encode(tqi_encoder *e, const piece *p, tqi_sums *sums) {
    if (e->from_type == TQI_TYPE_FLOAT16)
        e->kernels->quantize_blocks_f16_s4(p->x, p->codes, (size_t)p->n, e->block, p->scales, sums);
    else
        e->kernels->quantize_blocks_f32_s4(p->x, p->codes, (size_t)p->n, e->block, p->scales, sums);
    for (uint64_t i = 0; i < p->n / e->block; i++)
        if ((p->scales[i] & FLOAT16_EXPONENT) == FLOAT16_EXPONENT)
            return tqi_encoder_refuse(e, absmax(e, p->x, p->n) >= INFINITY_BITS
                                             ? TQ_REASON_NOT_FINITE
                                             : TQ_REASON_OUT_OF_RANGE);
    if (!e->sparse)
        tqi_encoder_done(e, p->at, p->n);
    return TQ_OK;
}

static tq_status tile_codes(tqi_producer *producer, uint32_t index, void *scratch, uint64_t *offset,
                            const uint8_t **bytes, size_t *size, tq_error *error) {
    tqi_encoder *e = (tqi_encoder *)producer;
    piece p;
    TQI_TRY(open_piece(e, index, scratch, &p, error));
    e->sums[index] = (tqi_sums){0, 0};
    TQI_TRY(encode(e, &p, &e->sums[index]));
    *offset = p.at / 2;
    *bytes = p.codes;
    *size = (size_t)(p.n / 2);
    return TQ_OK;
}

static tq_status tile_scales(tqi_producer *producer, uint32_t index, void *scratch,
                             uint64_t *offset, const uint8_t **bytes, size_t *size,
                             tq_error *error) {
    tqi_encoder *e = ((tqi_scale_producer *)producer)->encoder;
    piece p;
    TQI_TRY(open_piece(e, index, scratch, &p, error));
    TQI_TRY(encode(e, &p, NULL));
    *offset = p.at / e->block * sizeof *p.scales;
    *bytes = (const uint8_t *)p.scales;
    *size = (size_t)(p.n / e->block * sizeof *p.scales);
    return TQ_OK;
}

/* Ends at the first weight that is large enough, which is soon, unless there is none. */
static tq_status measure_size(tqi_producer *producer, void *scratch, tq_error *error) {
    tqi_encoder *e = (tqi_encoder *)producer;
    uint32_t largest = 0;
    for (uint32_t i = 0; i < producer->tiles && largest < SMALLEST_BITS; i++) {
        uint64_t at = 0, n = e->values;
        const uint8_t *x;
        if (!e->sparse)
            tqi_encoder_range(e, i, &at, &n);
        TQI_TRY(tqi_encoder_fetch(e, at, n, scratch, &x, error));
        uint32_t found = absmax(e, x, n);
        largest = found > largest ? found : largest;
        tqi_encoder_done(e, at, n);
    }
    return largest == 0 || largest >= SMALLEST_BITS ? TQ_OK
                                                    : tqi_encoder_refuse(e, TQ_REASON_OUT_OF_RANGE);
}

/* ---- set-up ---- */

static uint64_t scales_size(const tqi_encoder *e) {
    return e->elements / e->block * sizeof(uint16_t);
}

tq_status tqi_encoder_init_blocks(tqi_encoder *e, tqi_arena *arena, tq_error *error) {
    uint64_t n = e->elements;
    e->producer = (tqi_producer){
        .size = e->elements / 2, .tiles = 1, .measure = measure_size, .tile = tile_codes};
    if (!e->sparse) {
        e->row = e->block;
        e->rows = TQI_ENCODER_TILE / width(e) / e->block;
        e->pieces = 1;
        e->producer.tiles = (uint32_t)((n / e->row + e->rows - 1) / e->rows);
        n = tqi_min_u64(n, e->rows * e->row);
    }
    uint64_t source = e->sparse ? tqi_encoder_sparse_scratch(e) : n * width(e) + n / 2;
    e->producer.scratch = (size_t)(source + n / e->block * sizeof(uint16_t) + 3 * TQI_ENCODER_LINE);
    e->scales.encoder = e;
    e->scales.producer = (tqi_producer){.size = scales_size(e),
                                        .tiles = e->producer.tiles,
                                        .scratch = e->producer.scratch,
                                        .tile = tile_scales};
    atomic_init(&e->failed, TQ_REASON_NONE);
    e->heap = arena->heap;
    TQI_NEW(arena, &e->sums, e->producer.tiles, error);
    return TQ_OK;
}

tq_status tqi_encoder_init_block_codes(tqi_encoder *e, const int8_t *codes, const float *scales,
                                       tqi_sums sums, tqi_arena *arena, tq_error *error) {
    enum { LOW = 15 };
    uint8_t *packed = NULL;
    uint16_t *halves = NULL;
    TQI_NEW(arena, &packed, e->elements / 2, error);
    TQI_NEW(arena, &halves, e->elements / e->block, error);
    for (uint64_t i = 0; i < e->elements / 2; i++)
        packed[i] = (uint8_t)((codes[2 * i] & LOW) | (codes[2 * i + 1] & LOW) << 4);
    e->kernels->f32_to_f16(scales, halves, (size_t)(e->elements / e->block), NULL);
    TQI_TRY(tqi_encoder_init_codes(e, (const int8_t *)packed, NULL, sums, arena, error));
    e->producer.size = e->elements / 2;
    e->scales.producer = (tqi_producer){.size = scales_size(e), .tiles = 1};
    e->block_scales = halves;
    return TQ_OK;
}

bool tqi_block_scales(const tqi_kernels *k, const float *weights, uint64_t n, uint32_t block,
                      float *scales) {
    enum { CHUNK = 4096, LEAST_BLOCK = 32 };
    uint8_t codes[CHUNK / 2];
    uint16_t halves[CHUNK / LEAST_BLOCK];
    for (uint64_t at = 0, some; at < n; at += some) {
        some = tqi_min_u64(n - at, CHUNK);
        size_t count = (size_t)some / block;
        k->quantize_blocks_f32_s4(weights + at, codes, (size_t)some, block, halves, NULL);
        for (size_t i = 0; i < count; i++)
            if ((halves[i] & FLOAT16_EXPONENT) == FLOAT16_EXPONENT)
                return false;
        k->f16_to_f32(halves, scales + at / block, count);
    }
    return true;
}
