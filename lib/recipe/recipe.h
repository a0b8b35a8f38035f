/* SPDX-License-Identifier: Apache-2.0 */
/* A recipe is a list of rules; for an operator's weight the last rule that names the operator
 * counts. */
#ifndef TQI_RECIPE_RECIPE_H
#define TQI_RECIPE_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tfquant/tfquant.h"

/* How a weight is represented, and how the operator computes with it. */
typedef enum tqi_mode {
    TQI_MODE_COPY,         /* left alone */
    TQI_MODE_DYNAMIC,      /* integers; the runtime quantizes activations as it goes */
    TQI_MODE_WEIGHT_ONLY,  /* integers behind DEQUANTIZE; float32 arithmetic */
    TQI_MODE_FLOAT16,      /* float16 behind DEQUANTIZE; float32 arithmetic */
    TQI_MODE_DYNAMIC_INT4, /* as DYNAMIC, but int4 with a scale for each TQI_BLOCK of them */
} tqi_mode;

/* How weights become int8; each does what the one before does where it can't do its own. */
typedef enum tqi_rounding {
    TQI_ROUND_PLAIN,
    TQI_ROUND_SUMS,   /* of kernels are kept */
    TQI_ROUND_INPUTS, /* for what layers see, where that is known */
} tqi_rounding;

enum { TQI_ANY_OP = -1, TQI_BLOCK = 32 };

typedef struct tqi_rule {
    int32_t builtin; /* BuiltinOperator, or TQI_ANY_OP */
    tqi_mode mode;
} tqi_rule;

struct tq_recipe {
    const char *name, *summary;
    const tqi_rule *rules;
    uint32_t n_rules;
    /* what statistics are used for; they come from running the model */
    bool corrects_biases;
    tqi_rounding rounding; /* at most: less where there is no time for it */
    /* int8 only where it is smaller; float16 among it where it pays, with so much of the file */
    bool mixes;
    double float_budget;
    bool speeds; /* int8 arithmetic where the target is faster by it */
    size_t size; /* of a recipe on the heap; 0: it is a preset */
};

/* The rule's mode; COPY where no rule names the operator. */
tqi_mode tqi_recipe_mode(const tq_recipe *recipe, int32_t builtin);
/* A rule makes weights int8, which is what all options are about. */
bool tqi_recipe_makes_int8(const tq_recipe *recipe);
/* What is to be done is not done by the rules alone. */
bool tqi_recipe_refines(const tq_recipe *recipe);
/* No rule changes anything: the model is copied as it is. */
int tqi_recipe_copies(const tq_recipe *recipe);

/* Built-in recipes; NULL behind the last. The first one is the default. */
const tq_recipe *tqi_preset(uint32_t index);

#endif
