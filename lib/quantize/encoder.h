/* SPDX-License-Identifier: Apache-2.0 */
/* A producer that makes a constant's new form from its stored one, tile by tile. */
#ifndef TQI_QUANTIZE_ENCODER_H
#define TQI_QUANTIZE_ENCODER_H

#include <stdatomic.h>

#include "kernels/kernels.h"
#include "tflite/graph.h"

/* Makes the scales of blocks, which are a tensor of their own. */
typedef struct tqi_scale_producer {
    tqi_producer producer; /* first: the writer hands it back */
    struct tqi_encoder *encoder;
} tqi_scale_producer;

typedef struct tqi_encoder {
    tqi_producer producer; /* first: the writer hands it back */
    const tqi_kernels *kernels;
    tqi_heap *heap;
    const tqi_source *source;
    const tqi_view *view;
    const tqi_tensor *sparse; /* the stored tensor, where it is sparse */
    tqi_content from;
    int32_t from_type, to_type; /* FLOAT32, FLOAT16; also INT8, INT4 */
    /* element (o, c, i) has the scale of channel c; int8 only */
    uint64_t outer, channels, inner;
    uint64_t elements, values; /* dense; stored */
    float *scale;              /* by channel; int8 only */
    uint32_t block;            /* elements with one scale; int4 only */
    /* a tile is `rows` rows of `row` elements, or one of `pieces` of a row */
    uint64_t row, rows, piece;
    uint32_t pieces;
    tqi_sums *sums; /* by tile, so that the total has one order */
    /* known already, as the file has them: nothing is to be made; or NULL */
    const int8_t *codes;
    const uint16_t *block_scales; /* float16, beside known codes of blocks */
    tqi_scale_producer scales;    /* of blocks */
    _Atomic uint32_t failed;      /* TQ_REASON_...: can't be encoded */
    uint32_t buffer;              /* its result, while the graph is edited */
    uint32_t scales_buffer;       /* of blocks */
    struct tqi_encoder *next;
} tqi_encoder;

/* The fields down to `values` and `quantization` are set by the caller. */
tq_status tqi_encoder_init(tqi_encoder *encoder, tqi_arena *arena, tq_error *error);
/* For codes that are known; the arrays must outlive the encoder. */
tq_status tqi_encoder_init_codes(tqi_encoder *encoder, const int8_t *codes, float *scale,
                                 tqi_sums sums, tqi_arena *arena, tq_error *error);
/* The scale of a channel whose largest magnitude is given; false: it is not finite. */
bool tqi_int8_scale(float largest, float *scale);
/* Makes the whole result of a producer with one tile. */
tq_status tqi_producer_run(tqi_producer *producer, tqi_heap *heap, void *result, tq_error *error);
tqi_sums tqi_encoder_sums(const tqi_encoder *encoder);

#endif
