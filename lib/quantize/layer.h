/* SPDX-License-Identifier: Apache-2.0 */
/* An operator whose weights become int8, or int4 in blocks, by what its inputs are known to be. */
#ifndef TQI_QUANTIZE_LAYER_H
#define TQI_QUANTIZE_LAYER_H

#include "calibrate/statistics.h"
#include "kernels/kernels.h"
#include "quantize/apply.h"
#include "quantize/weight_rows.h"

typedef struct tqi_layer {
    uint32_t constant; /* in the plan */
    uint32_t subgraph, op;
    tqi_weight_rows rows; /* with the scales of plain rounding */
    uint32_t channels;
    uint32_t block; /* weights with one scale, which are int4 then; 0: int8 */
    float *scales;
    int8_t *codes;
    int32_t bias_input; /* of the operator; -1: it has none */
    float *bias;        /* with the mean error taken out; NULL: as it was */
    tqi_sums sums;
    bool ready; /* false: it is to be rounded plainly, and its bias stays */
} tqi_layer;

typedef struct tqi_layer_context {
    const tqi_graph *graph;
    const tqi_plan *plan;
    const tqi_kernels *kernels;
    uint32_t cpu_flags;
    tqi_heap *heap;
    tqi_rounding rounding; /* rounding_sums.h; rounding_gptq.h where there is a covariance */
    bool corrects_bias;
    const tqi_cancel *cancel; /* or NULL */
} tqi_layer_context;

/* Operators whose biases can take back what rounding adds to the mean. */
static inline bool tqi_has_means_for(int32_t builtin) {
    return builtin == TQI_OP_CONV_2D || builtin == TQI_OP_DEPTHWISE_CONV_2D ||
           builtin == TQI_OP_FULLY_CONNECTED;
}

/* The operator that a constant is the int8 weight of, if it is one that this is for; arrays are
 * made in the arena. false: it is none, or has several. */
tq_status tqi_layer_open(tqi_layer *layer, bool *is_one, const tqi_layer_context *context,
                         uint32_t constant, tqi_arena *arena, tq_error *error);
/* The same operator with its weights as int4 in blocks, if the runtime takes them so. */
tq_status tqi_layer_open_blocks(tqi_layer *blocks, bool *is_one, const tqi_layer *layer,
                                const tqi_layer_context *context, tqi_arena *arena,
                                tq_error *error);
/* Fills in scales, codes and bias. Different layers may be done at once. `same`, if not NULL, is a
 * layer with the same weights, whose codes are taken. What is no good (NaN, strange shapes)
 * leaves the layer unready, and is no error. */
tq_status tqi_layer_round(tqi_layer *layer, const tqi_layer_context *context,
                          const tqi_layer_statistics *known, const tqi_layer *same,
                          tq_error *error);
/* The values that the codes stand for, or, if `plain`, those that plain rounding would give. To be
 * freed by tqi_value_free(). */
tq_status tqi_layer_values(const tqi_layer *layer, const tqi_layer_context *context, bool plain,
                           tqi_value *values, tq_error *error);
/* The values as float16 has them, likewise; those that it has not are infinite. */
tq_status tqi_layer_halves(const tqi_layer *layer, const tqi_layer_context *context,
                           tqi_value *values, tq_error *error);

#endif
