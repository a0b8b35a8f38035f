/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of small models that are compared by tq_verify(). */
#ifndef COMPARED_H
#define COMPARED_H

#include "small_run.h"

enum { WIDTH = 32, CELLS = WIDTH * WIDTH, LAYERS = 6 };

/* What is done to a chain's weights. */
typedef struct damage {
    int fine;  /* steps of all of them in [-1, 1]; 0: none */
    int layer; /* that gets `coarse` steps instead; -1: none */
    int coarse;
    bool names;    /* false: all tensors have the same */
    bool custom;   /* layer 3 is an operator that nobody knows */
    bool relu;     /* one more operator behind layer 1 */
    bool reversed; /* constants come before all else, and so in another order */
} damage;

/* FULLY_CONNECTED layers "a" to "f", one behind the other. */
mb_model chain(damage d);
/* Weights of a layer: the same, but for what the damage does. Tensors of [1, WIDTH]. */
uint32_t add_weights(mb_model *model, int layer, const damage *d);
int32_t add_layer(mb_subgraph *s, const char *name, bool named);
/* Values in steps of 1 / `steps`; 0: as they are. */
float rounded(float value, int steps);

typedef struct compared {
    bytes files[2];
    tq_model *models[2];
    tq_verification *v;
    tq_verification_info info;
} compared;

/* done() afterwards, also when it failed. */
tq_status try_compare(compared *c, mb_model *a, mb_model *b, const tq_load_options *load,
                      const tq_verify_options *options, tq_error *error);
/* Succeeds. */
compared compare(mb_model a, mb_model b, const tq_verify_options *options);
/* Frees the models first, which results outlive. */
void done(compared *c);

tq_comparison layer(const compared *c, uint32_t index);
tq_comparison output(const compared *c, uint32_t index);

#endif
