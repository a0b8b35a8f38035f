/* SPDX-License-Identifier: Apache-2.0 */
/* What a tq_model is, and how structs of callers of any age are read and filled. */
#ifndef TQI_API_MODEL_H
#define TQI_API_MODEL_H

#include "quantize/apply.h"
#include "tflite/layout.h"

/* The file behind a model, shared by all models made from it. */
typedef struct tqi_input {
    _Atomic uint32_t references;
    tqi_heap heap;
    tqi_source source;
    tqi_arena arena;
    tqi_graph graph;
    tqi_kernels kernels;
} tqi_input;

struct tq_report {
    const tq_model *model;
};

struct tq_model {
    tqi_input *input;
    bool quantized;
    tqi_arena arena; /* of the plan */
    tqi_plan plan;
    tqi_arena edits; /* of the result, which is made anew when a constant is refused */
    tqi_result result;
    uint64_t file_size; /* when saved */
    bool saved;         /* the report is complete */
    tq_report report;
};

/* The graph that saving writes. */
static inline const tqi_graph *tqi_model_graph(const tq_model *model) {
    return model->quantized && model->result.changed ? &model->result.graph : &model->input->graph;
}

tq_status tqi_model_create(tqi_input *input, tq_model **model, tq_error *error);
/* Makes the result from the plan, and the size of the file. */
tq_status tqi_model_apply(tq_model *model, tq_error *error);
/* The same, after constants turned out not to be encodable: they are left alone. */
tq_status tqi_model_refuse(tq_model *model, tq_error *error);

/* Copies an options struct of any age over `known`, which holds the defaults. */
tq_status tqi_read_options(void *known, size_t known_size, const void *given, const char *name,
                           tq_error *error);
/* Copies a result into a caller's struct of any age, keeping its struct_size. */
tq_status tqi_fill_struct(void *out, const void *result, size_t result_size);
/* Gives the caller the error; returns its status. */
tq_status tqi_give_error(tq_error *out, const tq_error *error, tq_status status);

#endif
