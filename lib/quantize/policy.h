/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the constants that a plan makes int8, once it is known what that costs: some stay
 * float16, some are computed with as integers. Changes the plan's decisions. */
#ifndef TQI_QUANTIZE_POLICY_H
#define TQI_QUANTIZE_POLICY_H

#include "quantize/layer.h"

typedef enum tqi_form {
    TQI_FORM_INT8,
    TQI_FORM_FLOAT16,
    TQI_FORM_FLOAT32, /* as it is, in a float32 model */
    TQI_FORM_INT4,    /* in blocks, activations being rounded */
    TQI_FORMS,
} tqi_form;

/* A constant that is int8 in the plan, alone or with others that have the same weights. */
typedef struct tqi_item {
    uint32_t constant;
    double error;        /* of the outputs, were it alone int8: noise over signal; NaN: not known */
    double weight_error; /* noise over signal of the weights themselves, a substitute */
    /* as a dynamic range operator: */
    double dynamic_error; /* NaN: not to be */
    double gain;          /* multiplications that it is faster by; not above 0: not faster */
    bool is_dynamic;      /* chosen to be */
    /* as int4 in blocks, where it may be: the same errors */
    double block_error, block_weight_error;
    bool takes_blocks;
} tqi_item;

typedef struct tqi_policy {
    const tqi_graph *graph;
    tqi_plan *plan;
    tqi_heap *heap;
    tqi_item *items;
    uint32_t n;
} tqi_policy;

/* Gives items that nothing is known of an error. */
tq_status tqi_policy_fill_in(const tqi_policy *policy, tq_error *error);
/* Makes items dynamic, those that gain most for their error first, as long as the sum of all errors
 * is at most `bound`, or at most the error without them times `factor`, if that is more. */
tq_status tqi_policy_dynamic(const tqi_policy *policy, double bound, double factor,
                             tq_error *error);

/* Multiplications that an operator is faster by as a dynamic range one, on what LiteRT's CPU
 * delegate runs; not above 0: it is not. One of `weights` weights, whose inputs have been seen.
 *
 * The model: int8 multiplies three times as fast as float32, and rounding an activation takes as
 * long as so many multiplications; what is no convolution or product of matrices leaves the
 * delegate, and is slower by it. Measured with LiteRT 2.3 on x86-64. */
double tqi_dynamic_gain(const tqi_graph *graph, const tqi_subgraph *subgraph,
                        const tqi_operator *op, const tqi_layer_statistics *known,
                        uint64_t weights);

/* Bytes of all items as int8. */
uint64_t tqi_policy_least(const tqi_policy *policy);
/* Bytes of a file with all of them int8, nearly. */
uint64_t tqi_policy_file(const tqi_policy *policy);
/* Least error for at most so many bytes; least bytes for at most so much error. Items that are
 * dynamic stay so. *reached: it was possible. */
tq_status tqi_policy_bytes(const tqi_policy *policy, uint64_t most, bool *reached, tq_error *error);
tq_status tqi_policy_error(const tqi_policy *policy, double most, bool *reached, tq_error *error);

#endif
