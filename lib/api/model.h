/* SPDX-License-Identifier: Apache-2.0 */
/* What a tq_model is, and how structs of callers of any age are read and filled. */
#ifndef TQI_API_MODEL_H
#define TQI_API_MODEL_H

#include "container/container.h"
#include "quantize/apply.h"
#include "rewrite/rewriter.h"
#include "tflite/layout.h"

/* The file behind a model, shared by all models made from it: a .tflite, or a bundle of others. A
 * rewritten model has one of its own, whose graph is edited and borrows from the outer one. */
typedef struct tqi_input tqi_input;
struct tqi_input {
    _Atomic uint32_t references;
    tqi_heap own_heap; /* of the outermost file */
    tqi_heap *heap;
    tqi_input *outer;  /* the bundle that this is a member of, or what it was rewritten from */
    uint8_t *inflated; /* what `source` shows then; NULL: it was not deflated */
    const char *path;  /* from the outermost bundle; "" for that */
    tqi_source source;
    tqi_arena arena;
    tqi_kernels kernels;
    uint32_t cpu_flags;
    uint32_t format; /* TQ_FORMAT_... */
    tqi_graph graph; /* of a .tflite */
    bool is_rewritten;
    tqi_edit *edits; /* of the last rewrite */
    uint32_t n_edits;
    tqi_container container; /* of a bundle */
    char **paths;            /* of its members */
};

struct tq_report {
    const tq_model *model;
};

struct tq_model {
    tqi_input *input;
    bool quantized;
    tqi_arena arena; /* of the plan */
    tqi_plan plan;
    tqi_refinement refinement;
    tqi_arena edits; /* of the result, which is made anew when a constant is refused */
    tqi_result result;
    tq_model **members;   /* of a bundle: a model for each member, or NULL */
    uint32_t flags;       /* TQ_QUANTIZE_... */
    uint64_t file_size;   /* when saved */
    uint64_t target_size; /* that was asked for; 0: none */
    bool saved;           /* the report is complete */
    bool has_crc, is_packed;
    uint32_t crc;         /* of the file, as a member of a ZIP */
    uint64_t packed_size; /* deflated */
    tq_report report;
};

static inline bool tqi_is_bundle(const tq_model *model) {
    return model->input->format != TQ_FORMAT_TFLITE;
}

/* The graph that saving writes. */
static inline const tqi_graph *tqi_model_graph(const tq_model *model) {
    return model->quantized && model->result.changed ? &model->result.graph : &model->input->graph;
}

/* Whether saving gives other content than was loaded. */
bool tqi_model_changed(const tq_model *model);
/* What it takes in its bundle, where it stays as it is if nothing in it changed. */
uint64_t tqi_size_within(const tq_model *model);

tq_status tqi_model_create(tqi_input *input, tq_model **model, tq_error *error);
/* An input over the same bytes, with no graph yet. Give the reference back by
 * tqi_input_release(). */
tq_status tqi_input_derive(tqi_input *from, tqi_input **derived, tq_error *error);
void tqi_input_release(tqi_input *input);
/* Makes the result from the plan, and the size of the file. */
tq_status tqi_model_apply(tq_model *model, tq_error *error);

/* The size of a bundle, from those of its members. */
tq_status tqi_bundle_measure(tq_model *bundle, tq_error *error);
/* Where everything goes in a saved bundle. What is deflated anew has a size only once it is packed.
 */
tq_status tqi_bundle_lay_out(const tq_model *bundle, tqi_container_layout *layout, tqi_arena *arena,
                             tq_error *error);
bool tqi_member_deflates(const tq_model *bundle, uint32_t index);
/* The same, after constants turned out not to be encodable: they are left alone. */
tq_status tqi_model_refuse(tq_model *model, tq_error *error);

/* Puts the member's path before the message of what went wrong in it; returns `status`. */
tq_status tqi_blame_member(const tq_model *bundle, uint32_t member, tq_status status,
                           tq_error *error);

/* Copies an options struct of any age over `known`, which holds the defaults. */
tq_status tqi_read_options(void *known, size_t known_size, const void *given, const char *name,
                           tq_error *error);
/* Sets *runner to `copy`, or to NULL if none is given. */
tq_status tqi_read_runner(const tq_runner *given, tq_runner *copy, const tq_runner **runner,
                          tq_error *error);
/* Copies a result into a caller's struct of any age, keeping its struct_size. */
tq_status tqi_fill_struct(void *out, const void *result, size_t result_size);
/* Gives the caller the error; returns its status. */
tq_status tqi_give_error(tq_error *out, const tq_error *error, tq_status status);

#endif
