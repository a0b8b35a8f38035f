/* SPDX-License-Identifier: Apache-2.0 */
/* A recipe is a list of rules; for an operator's weight the last rule that names the operator
 * counts. */
#ifndef TQI_RECIPE_RECIPE_H
#define TQI_RECIPE_RECIPE_H

#include <stdbool.h>
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
    bool corrects_biases, rounds_by_inputs;
    /* int8 only where it is smaller; float16 among it where it pays, with so much of the file */
    bool mixes;
    double float_budget;
};

/* The rule's mode; COPY where no rule names the operator. */
tqi_mode tqi_recipe_mode(const tq_recipe *recipe, int32_t builtin);
/* No rule changes anything: the model is copied as it is. */
int tqi_recipe_copies(const tq_recipe *recipe);

/* Built-in recipes; NULL behind the last. The first one is the default. */
const tq_recipe *tqi_preset(uint32_t index);

#endif
