/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes that LiteRT's builtin kernels compute when a model is loaded, and the operators that
 * they refuse because shapes do not fit. What the file says of a shape counts for inputs and
 * constants only. Read from the kernels of LiteRT f6745779 (August 2026), tried on 2.3.0. */
#ifndef TQI_CHECK_SHAPES_H
#define TQI_CHECK_SHAPES_H

#include "tflite/graph.h"

enum {
    TQI_SHAPE_RANK = 8,    /* tensors with more dimensions stay unknown */
    TQI_SHAPE_VALUES = 64, /* integer tensors with more values are not looked at */
    TQI_SHAPE_TEXT = 112,  /* bytes of a shape as text */
};

typedef struct tqi_shape {
    bool known;
    bool fixed; /* its values are there when the model is loaded, whether they are known here or not
                 */
    int32_t type;
    uint32_t rank;
    int32_t dims[TQI_SHAPE_RANK];
    const int64_t *values; /* of a fixed INT32 or INT64 tensor; NULL: not known */
} tqi_shape;

typedef struct tqi_misfit tqi_misfit;
struct tqi_misfit {
    tqi_misfit *next;
    uint32_t op;
    bool when_loaded;   /* false: only once a first run has come there */
    bool is_runtimes;   /* `text` is the runtime's own wording */
    const char *text;   /* what the kernel says */
    const char *shapes; /* of what it has: "[1,256,1,1] to [1,32,32,256]"; "" */
};

typedef struct tqi_shapes {
    tqi_shape *list;     /* by tensor */
    tqi_misfit *misfits; /* in the order of operators */
    uint32_t first_late; /* the operator whose outputs have a shape in a run only: none behind it is
                            prepared when the model is loaded; UINT32_MAX: there is none */
} tqi_shapes;

/* Of all subgraphs; `shapes` has room for them. A subgraph that is the body of a composite gets the
 * shapes of the first composite that has it; of other subgraphs that are called (`is_called`) those
 * of the inputs are not known. */
tq_status tqi_infer_shapes(const tqi_graph *graph, const bool *is_called, tqi_arena *arena,
                           tqi_shapes *shapes, tq_error *error);

/* "[1,224,224,3]", as the runtime writes it; "[?]" where it is not known. */
const char *tqi_shape_text(const tqi_shape *shape, char text[TQI_SHAPE_TEXT]);
/* false: not known, or beyond 64 bits. */
bool tqi_shape_elements(const tqi_shape *shape, uint64_t *elements);

#endif
