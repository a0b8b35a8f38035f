/* SPDX-License-Identifier: Apache-2.0 */
/* A recipe resolved for a model: what is to become of each constant, and why. */
#ifndef TQI_RECIPE_PLAN_H
#define TQI_RECIPE_PLAN_H

#include "recipe/recipe.h"
#include "tflite/constants.h"

typedef enum tqi_action {
    TQI_ACTION_KEEP,
    TQI_ACTION_FOLD,         /* plain float32 */
    TQI_ACTION_DYNAMIC,      /* int8, read by its operators as it is */
    TQI_ACTION_WEIGHT_ONLY,  /* int8 behind DEQUANTIZE */
    TQI_ACTION_FLOAT16,      /* float16 behind DEQUANTIZE */
    TQI_ACTION_DYNAMIC_INT4, /* int4 in blocks, read by its operators as it is */
} tqi_action;

typedef struct tqi_decision {
    tqi_action action;
    uint32_t reason;     /* TQ_REASON_...: why it is not quantized */
    int32_t channel_dim; /* of int8 */
    uint32_t block;      /* of int4: weights with one scale */
} tqi_decision;

typedef struct tqi_plan {
    tqi_constants constants;
    tqi_decision *decisions; /* by constant */
    bool takes_float16;      /* the target unpacks it */
} tqi_plan;

/* `target`: TQ_TARGET_... */
tq_status tqi_plan_make(tqi_plan *plan, const tqi_graph *graph, const tq_recipe *recipe,
                        uint32_t target, tqi_arena *arena, tq_error *error);
/* A constant can't be encoded after all: it is left alone, for this reason. */
void tqi_plan_refuse(tqi_plan *plan, uint32_t constant, uint32_t reason);

/* Bytes of a constant's data under a decision, with scales and zero points. */
uint64_t tqi_planned_bytes(const tqi_graph *graph, const tqi_constant *constant,
                           const tqi_decision *decision);

#endif
