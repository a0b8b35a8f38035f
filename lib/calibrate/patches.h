/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator multiplies its weights with: at each output position a patch of the input, an
 * element for each tap and input channel, 0 where the tap meets padding. */
#ifndef TQI_CALIBRATE_PATCHES_H
#define TQI_CALIBRATE_PATCHES_H

#include "calibrate/algebra.h"
#include "execute/value.h"

/* Along one dimension; `taps` of them at each of `outputs` positions. */
typedef struct tqi_patch_axis {
    uint32_t inputs, outputs, taps;
    uint32_t period; /* positions that far apart are used alike, but near the edges */
    int32_t *from;   /* [outputs][taps]: input position, or -1 */
    uint32_t *uses;  /* [inputs][taps]: how often the tap meets the position */
} tqi_patch_axis;

/* Rows of a matrix are images of one row's height and width, with their columns as channels. */
typedef struct tqi_patches {
    uint32_t images, channels;
    tqi_patch_axis y, x;
    void *memory; /* of the axes */
    size_t memory_size;
} tqi_patches;

/* How weights go over the input; of matrices, all but `builtin` is 1. */
typedef struct tqi_window {
    int32_t builtin;
    bool same; /* padding */
    int32_t tap_y, tap_x, stride_y, stride_x, dilation_y, dilation_x;
} tqi_window;

/* False: the operator's options are not ones that it can have, or are not there. Sets all but the
 * taps. */
bool tqi_window_read(const tqi_graph *graph, const tqi_operator *op, tqi_window *window);

/* For input and output [images, height, width, channels]; TQ_ERR_UNSUPPORTED where the shapes and
 * the window don't fit together. */
tq_status tqi_patches_open(tqi_patches *patches, const tqi_window *window, const int32_t input[4],
                           const int32_t output[4], tqi_heap *heap, tq_error *error);
void tqi_patches_close(tqi_patches *patches, tqi_heap *heap);

static inline uint32_t tqi_patch_taps(const tqi_patches *patches) {
    return patches->y.taps * patches->x.taps;
}

/* Output positions, each with a patch. */
static inline uint64_t tqi_patch_count(const tqi_patches *patches) {
    return (uint64_t)patches->images * patches->y.outputs * patches->x.outputs;
}

/* Doubles of scratch for tqi_patches_sum(). */
static inline uint64_t tqi_patches_scratch(const tqi_patches *patches) {
    return (2 * (uint64_t)patches->x.inputs + patches->x.taps + 1) * patches->channels;
}

/* sums[tap][channel]: of the elements of all patches; *energy: of their squares. */
void tqi_patches_sum(const tqi_patches *patches, const tqi_algebra *algebra, const float *input,
                     double *scratch, double *sums, double *energy);
/* One patch [tap][n], of channels first to first + n - 1. */
void tqi_patch_read(const tqi_patches *patches, const float *input, uint64_t position, size_t first,
                    size_t n, float *patch);

#endif
