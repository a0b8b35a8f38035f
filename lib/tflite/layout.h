/* SPDX-License-Identifier: Apache-2.0 */
/* Where everything goes in the saved file: the flatbuffer's tables first, then the weights,
 * each 16-byte aligned, then what lies behind the flatbuffer. Sizes are known
 * before any weight is read. */
#ifndef TQI_TFLITE_LAYOUT_H
#define TQI_TFLITE_LAYOUT_H

#include "tflite/head.h"

/* Between the last content and the end of the file. */
enum { TQI_MAX_END_PADDING = 16 };

typedef struct tqi_segment {
    uint64_t offset; /* of its bytes in the output */
    bool counted;    /* the 4 bytes before hold its size: an inline vector */
    const tqi_content *content;
} tqi_segment;

/* A piece of the head that found room behind a buffer. */
typedef struct tqi_filling {
    tqi_piece *piece; /* NULL: none */
    tqi_content content;
} tqi_filling;

typedef struct tqi_layout {
    tqi_head head;
    tqi_arena arena;
    tqi_segment *segments; /* by offset */
    tqi_filling *fillings; /* by buffer */
    uint32_t n_segments;
    uint64_t size; /* of the file */
} tqi_layout;

/* `graph` must outlive the layout. Free it also after a failure. */
tq_status tqi_layout_make(tqi_layout *layout, const tqi_graph *graph, tqi_heap *heap,
                          tq_error *error);
void tqi_layout_free(tqi_layout *layout);

#endif
