/* SPDX-License-Identifier: Apache-2.0 */
/* What refine.c and judge.c share. */
#ifndef TQI_QUANTIZE_REFINE_PRIVATE_H
#define TQI_QUANTIZE_REFINE_PRIVATE_H

#include "quantize/layer.h"
#include "quantize/policy.h"
#include "quantize/refine.h"

/* By effort. */
typedef struct tqi_pace {
    uint32_t samples; /* that statistics are gathered from */
    uint32_t trials;  /* samples that layers are judged on, one by one */
    uint32_t wholes;  /* samples that the whole is judged on */
    tqi_rounding rounding;
    double work;     /* multiplications that each of the four steps may take, */
    uint32_t fewest; /* but for so many runs that statistics are gathered from */
} tqi_pace;

/* Steps are operators that ran: how many there will be is a guess. */
typedef struct tqi_steps {
    tq_progress progress;
    void *opaque;
    uint64_t done, total;
    bool cancelled;
} tqi_steps;

typedef struct tqi_refiner {
    const tqi_graph *graph;
    tqi_plan *plan;
    const tqi_refine_options *options;
    const tqi_pace *pace;
    tqi_refinement *out;
    tqi_layer_context context;
    tqi_layer *layers;
    tqi_layer *blocks; /* by layer: the same as int4; `block` 0: there is none */
    uint32_t n_layers;
    int32_t *same; /* by layer: the first with its weights, or -1 */
    tqi_item *items;
    tqi_policy policy;
    tqi_decision *first_decisions;          /* by constant: the plan as it was made */
    float **own_biases, **own_block_biases; /* by layer: before heads were corrected */
    double *worst, *block_worst;            /* by layer: error of the worst output */
    tqi_gathering **gathered;               /* by subgraph; NULL: none */
    tqi_steps steps;
    tqi_cancel cancel;         /* the same for rounding */
    tqi_new_bias *head_biases; /* of heads that are no int8 layers */
    uint32_t n_head_biases;
    tqi_arena *arena;
    tq_error *error;
} tqi_refiner;

static inline bool tqi_is_int8(const tqi_refiner *r, uint32_t constant) {
    tqi_action action = r->plan->decisions[constant].action;
    return action == TQI_ACTION_DYNAMIC || action == TQI_ACTION_WEIGHT_ONLY;
}

/* What becomes of a layer by the plan as it is; NULL: it stays float. */
static inline tqi_layer *tqi_chosen(const tqi_refiner *r, uint32_t layer) {
    tqi_layer *l = &r->layers[layer], *b = &r->blocks[layer];
    if (r->plan->decisions[l->constant].action == TQI_ACTION_DYNAMIC_INT4)
        return b->ready ? b : NULL;
    return l->ready && tqi_is_int8(r, l->constant) ? l : NULL;
}

/* The runtime rounds the activations of such an operator. */
static inline bool tqi_rounds_activations(const tqi_refiner *r, const tqi_decision *decisions,
                                          uint32_t constant) {
    tqi_action action = decisions[constant].action;
    return (action == TQI_ACTION_DYNAMIC && r->options->target != TQ_TARGET_GPU) ||
           action == TQI_ACTION_DYNAMIC_INT4;
}

/* Operators have run. False: that is enough. */
bool tqi_add_steps(tqi_steps *steps, uint64_t n);
/* A tq_progress of the executor's: one has run. */
int32_t tqi_step(void *opaque, uint64_t done, uint64_t total);

/* Errors of the outputs for a subgraph's layers, one by one, as int8, as dynamic range operators,
 * as int4 in blocks; and of all that the plan says together. */
tq_status tqi_judge_layers(tqi_refiner *r, const tqi_gathering *g);
tq_status tqi_judge_dynamic(tqi_refiner *r, const tqi_gathering *g);
tq_status tqi_judge_blocks(tqi_refiner *r, const tqi_gathering *g);
tq_status tqi_judge_whole(tqi_refiner *r, const tqi_gathering *g);
/* Biases of heads, for all that the plan says. */
tq_status tqi_correct_heads(tqi_refiner *r, const tqi_gathering *g);

#endif
