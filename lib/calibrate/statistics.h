/* SPDX-License-Identifier: Apache-2.0 */
/* What calibration knows of the operators that have weights. Gathered while a graph runs, by
 * tqi_statistics_observe(), or filled in by whoever loads it from elsewhere. */
#ifndef TQI_CALIBRATE_STATISTICS_H
#define TQI_CALIBRATE_STATISTICS_H

#include "calibrate/patches.h"
#include "tflite/constants.h"

typedef struct tqi_statistics_options {
    const bool *grams;        /* by operator: its gram is wanted; NULL: all are */
    uint32_t max_length;      /* of patches with a gram; 0: there are none */
    uint32_t patches_per_run; /* that at most go into a gram, spread over the positions */
    uint64_t gram_budget;     /* bytes; goes to the smallest first */
    bool one_set;             /* sets are not merged, which takes half of the memory */
    uint32_t cpu_flags;       /* TQ_CPU_... bits of what may be used */
} tqi_statistics_options;

typedef enum tqi_gram_state {
    TQI_GRAM_UNWANTED,
    TQI_GRAM_KEPT,
    TQI_GRAM_TOO_LONG, /* more than max_length */
    TQI_GRAM_NO_ROOM,  /* the budget was used up */
} tqi_gram_state;

/* Sums while they are gathered, expectations after tqi_statistics_finish(). */
typedef struct tqi_moments {
    uint64_t positions;   /* patches in `means` and `energy` */
    uint64_t patches;     /* in `patch_means` and `gram` */
    uint64_t outputs;     /* values in `output_square` */
    double weight;        /* of what was merged */
    double energy;        /* E[|p|^2]: the trace of E[p p^T], over all groups */
    double output_square; /* E[y^2] */
    double *means;        /* E[p], [tap][channel] */
    double *patch_means;  /* the same over the patches of `gram`: with it the covariance is
                             positive semidefinite */
    float *gram;          /* E[p p^T]: see tqi_layer_gram() */
    size_t memory_size;   /* of all arrays; they start at `means` */
} tqi_moments;

/* Group g of a convolution's filters sees only its share of the channels, so that its patches have
 * `length` elements; a depthwise one has as many groups as channels. Element i of a patch is tap
 * i / share of channel g * share + i % share, in the order of the filter's weights. */
typedef struct tqi_layer_statistics {
    uint32_t op;
    tqi_window window;
    uint32_t taps, channels, groups;
    tqi_gram_state gram_state;
    uint32_t runs;
    uint32_t skipped; /* runs with shapes that don't fit, NaN or infinity */
    float output_min, output_max;
    tqi_moments set, total;
} tqi_layer_statistics;

typedef struct tqi_statistics {
    const tqi_graph *graph;
    uint32_t subgraph;
    tqi_heap *heap;
    tqi_statistics_options options;
    tqi_algebra algebra;
    tqi_layer_statistics *layers; /* by operator */
    uint32_t n_layers;
    uint64_t gram_bytes; /* of the budget, taken */
} tqi_statistics;

/* One layer for each operator of the subgraph with float weights that are constant: CONV_2D,
 * DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED, BATCH_MATMUL by one matrix. Memory for sums
 * is taken when a layer is first seen. */
tq_status tqi_statistics_begin(tqi_statistics *statistics, const tqi_graph *graph,
                               const tqi_constants *constants, uint32_t subgraph,
                               const tqi_statistics_options *options, tqi_heap *heap,
                               tq_error *error);
void tqi_statistics_free(tqi_statistics *statistics);

/* After an operator has run. What can't be used is counted, and no error. */
tq_status tqi_statistics_observe(tqi_statistics *statistics, uint32_t op,
                                 const tqi_value *const *inputs, const tqi_value *outputs,
                                 tq_error *error);
/* Merges what was seen since the last call. In each layer a set counts by its weight over its
 * energy: inputs in [-1, 1] then don't outweigh those in [0, 1]. */
tq_status tqi_statistics_end_set(tqi_statistics *statistics, double weight, tq_error *error);
/* Ends the open set, if there is one, with weight 1; sums become expectations. */
tq_status tqi_statistics_finish(tqi_statistics *statistics, tq_error *error);

/* NULL: there is no such layer. */
tqi_layer_statistics *tqi_statistics_layer(const tqi_statistics *statistics, uint32_t op);
/* Zeroed arrays, unless they are there already: also for those who fill in `total` themselves,
 * with expectations, positions and, if gram_state is KEPT, patches. */
tq_status tqi_moments_open(const tqi_layer_statistics *layer, tqi_moments *moments, tqi_heap *heap,
                           tq_error *error);

static inline bool tqi_layer_has_means(const tqi_layer_statistics *layer) {
    return layer->total.positions > 0;
}

static inline bool tqi_layer_has_gram(const tqi_layer_statistics *layer) {
    return layer->gram_state == TQI_GRAM_KEPT && layer->total.patches > 0;
}

/* Channels that a group sees. */
static inline uint32_t tqi_layer_share(const tqi_layer_statistics *layer) {
    return layer->channels / layer->groups;
}

/* Elements of a group's patch. */
static inline uint32_t tqi_layer_length(const tqi_layer_statistics *layer) {
    return layer->taps * tqi_layer_share(layer);
}

/* Where element i of a group's patch is in an array [tap][channel]. */
static inline size_t tqi_layer_index(const tqi_layer_statistics *layer, uint32_t group,
                                     uint32_t i) {
    uint32_t share = tqi_layer_share(layer);
    return (size_t)(i / share) * layer->channels + (size_t)group * share + i % share;
}

/* Where E[p_i p_j], j <= i, of a group is in `gram`: [triangle][group] where a group has one
 * channel, so that channels lie together, else [group][triangle]. */
static inline size_t tqi_layer_gram_index(const tqi_layer_statistics *layer, uint32_t group,
                                          uint32_t i, uint32_t j) {
    size_t length = tqi_layer_length(layer), at = (size_t)i * ((size_t)i + 1) / 2 + j;
    return tqi_layer_share(layer) == 1 ? at * layer->groups + group
                                       : group * (length * (length + 1) / 2) + at;
}

/* covariance[length][length] of a group's patches; both triangles. */
void tqi_layer_covariance(const tqi_layer_statistics *layer, uint32_t group, double *covariance);

#endif
