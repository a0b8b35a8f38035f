/* SPDX-License-Identifier: Apache-2.0 */
/* Rewrites of a graph that leave its outputs as they are, bit by bit. Each is a function in a
 * file of its own that looks at one subgraph and edits it; the driver runs them until none
 * finds anything more. Bodies of control flow and composites are left alone, as are custom
 * operators and what they read. */
#ifndef TQI_REWRITE_REWRITER_H
#define TQI_REWRITE_REWRITER_H

#include "kernels/kernels.h"
#include "rewrite/net.h"

/* What was done, with the operator and tensor as the source graph has them. */
typedef struct tqi_edit {
    const char *rewrite;
    uint32_t subgraph;
    int32_t op;          /* -1: not about one */
    int32_t tensor;      /* -1: a new one */
    const char *op_name; /* "" without operator */
    const char *tensor_name;
} tqi_edit;

typedef struct tqi_rewrite tqi_rewrite;

typedef struct tqi_rewriter {
    tqi_graph *graph; /* the edited clone */
    tqi_net net;      /* of the subgraph that is looked at */
    bool *open;       /* by tensor at the beginning of a rewrite: its shape is not known yet */
    uint32_t n_open;
    uint32_t *same; /* by buffer: the first with these contents, when there were n_same */
    uint32_t n_same;
    uint64_t made; /* bytes of new contents */
    const tqi_kernels *kernels;
    uint32_t target;            /* TQ_TARGET_... */
    const tqi_rewrite *rewrite; /* the one that runs */
    bool by_name;               /* it was asked for by its name */
    tqi_edit *edits;            /* in the graph's arena */
    uint32_t n_edits, edit_capacity;
} tqi_rewriter;

/* Adds the number of its edits to *applied. */
typedef tq_status tqi_rewrite_function(tqi_rewriter *ctx, uint32_t *applied, tq_error *error);

struct tqi_rewrite {
    const char *name, *summary;
    tqi_rewrite_function *run;
    bool is_default; /* part of what runs when none is named */
};

/* The list, in the order in which they run; NULL behind the last. */
const tqi_rewrite *tqi_rewrite_at(uint32_t index);
/* NULL: there is none of that name. Else *index, if wanted, is its place. */
const tqi_rewrite *tqi_rewrite_find(const char *name, uint32_t *index);

typedef struct tqi_rewrite_options {
    const bool *chosen; /* by index; NULL: the default ones */
    uint32_t target;
    const tqi_kernels *kernels;
} tqi_rewrite_options;

typedef struct tqi_rewritten {
    tqi_graph graph; /* edited, to be made compact; it borrows from the one that it was made from */
    tqi_edit *edits; /* none: the graph is as it was */
    uint32_t n_edits;
} tqi_rewritten;

/* All of the result lives in `arena`. */
tq_status tqi_rewrite_graph(tqi_rewritten *result, const tqi_graph *graph,
                            const tqi_rewrite_options *options, tqi_arena *arena, tq_error *error);

/* ---- for the functions ---- */

/* Call it before the edit, as names go with what has them. */
tq_status tqi_note_edit(tqi_rewriter *ctx, uint32_t op, int32_t tensor, uint32_t *applied,
                        tq_error *error);
tq_status tqi_note_tensor(tqi_rewriter *ctx, int32_t tensor, uint32_t *applied, tq_error *error);

/* The shape that the file states is that which the tensor will have, whatever the inputs. */
bool tqi_is_static(const tqi_rewriter *ctx, int32_t tensor);
/* Finds out for the whole subgraph. */
tq_status tqi_find_open_shapes(tqi_rewriter *ctx, tq_error *error);

#endif
