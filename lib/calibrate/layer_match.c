/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/layer_match.h"

#include <stdlib.h>
#include <string.h>

#include "execute/constant_values.h"

enum { NONE = -1 };

typedef struct layer {
    tqi_layer_place place;
    const tqi_tensor *tensor;
    int32_t builtin;
    const char *custom;
    int64_t partner; /* position in the other list, or NONE */
} layer;

typedef struct name {
    const char *text;
    uint32_t at; /* position in the list */
} name;

typedef struct half {
    const tqi_graph *graph;
    uint32_t subgraph;
    layer *layers;
    name *names; /* sorted */
    uint32_t count;
} half;

/* ---- lists ---- */

static bool unpacks(int32_t builtin) {
    return builtin == TQI_OP_DEQUANTIZE || builtin == TQI_OP_DENSIFY;
}

static bool counts_by_order(const layer *l) {
    enum { QUANTIZE = 114 };
    return !unpacks(l->builtin) && l->builtin != QUANTIZE;
}

static int compare_names(const void *a, const void *b) {
    const name *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    return order ? order : x->at < y->at ? -1 : x->at > y->at;
}

static tq_status list_layers(half *side, tqi_arena *arena, tq_error *error) {
    const tqi_subgraph *s = &side->graph->subgraphs[side->subgraph];
    tqi_uses uses;
    uint64_t most = 0;
    TQI_TRY(tqi_find_uses(side->graph, side->subgraph, arena, &uses, error));
    for (uint32_t i = 0; i < s->n_operators; i++)
        most += s->operators[i].n_outputs;
    TQI_NEW(arena, &side->layers, most, error);
    TQI_NEW(arena, &side->names, most, error);
    for (uint32_t i = 0; i < s->n_operators; i++) {
        const tqi_operator *op = &s->operators[i];
        const tqi_opcode *code = &side->graph->opcodes[op->opcode];
        for (uint32_t j = 0; j < op->n_outputs; j++) {
            int32_t index = op->outputs[j];
            if (index < 0 ||
                (unpacks(code->builtin) &&
                 tqi_constant_storage(side->graph, side->subgraph, &uses, (uint32_t)index) >= 0))
                continue;
            const tqi_tensor *tensor = &s->tensors[index];
            side->layers[side->count] =
                (layer){{i, j, (uint32_t)index}, tensor, code->builtin, code->custom, NONE};
            side->names[side->count] = (name){tensor->name, side->count};
            side->count++;
        }
    }
    if (side->count > 0)
        qsort(side->names, side->count, sizeof *side->names, compare_names);
    return TQ_OK;
}

static bool agree(const tqi_tensor *a, const tqi_tensor *b) {
    return a->type == b->type && a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

static void pair(const half *a, uint32_t i, const half *b, uint32_t j) {
    a->layers[i].partner = j;
    b->layers[j].partner = i;
}

/* ---- by name ---- */

/* How many names are equal to the one at `at`, which is the first of them. */
static uint32_t run_of(const half *side, uint32_t at) {
    uint32_t n = 1;
    while (at + n < side->count && strcmp(side->names[at].text, side->names[at + n].text) == 0)
        n++;
    return n;
}

static void match_by_name(const half *a, const half *b) {
    for (uint32_t i = 0, j = 0; i < a->count && j < b->count;) {
        int order = strcmp(a->names[i].text, b->names[j].text);
        uint32_t n = order <= 0 ? run_of(a, i) : 0, m = order >= 0 ? run_of(b, j) : 0;
        if (n == 1 && m == 1 && a->names[i].text[0] &&
            agree(a->layers[a->names[i].at].tensor, b->layers[b->names[j].at].tensor))
            pair(a, a->names[i].at, b, b->names[j].at);
        i += n;
        j += m;
    }
}

/* ---- by order ---- */

typedef struct gap {
    uint32_t at, end;
} gap;

/* The next layer without a partner that counts; gap.end: none. */
static uint32_t next_free(const half *side, gap *g) {
    while (g->at < g->end &&
           (side->layers[g->at].partner != NONE || !counts_by_order(&side->layers[g->at])))
        g->at++;
    return g->at < g->end ? g->at++ : g->end;
}

static bool same_operation(const layer *a, const layer *b) {
    return a->builtin == b->builtin && strcmp(a->custom, b->custom) == 0 &&
           a->place.slot == b->place.slot && agree(a->tensor, b->tensor);
}

static bool gaps_agree(const half *a, gap in_a, const half *b, gap in_b) {
    for (;;) {
        uint32_t i = next_free(a, &in_a), j = next_free(b, &in_b);
        if (i == in_a.end || j == in_b.end)
            return i == in_a.end && j == in_b.end;
        if (!same_operation(&a->layers[i], &b->layers[j]))
            return false;
    }
}

static void match_gap(const half *a, gap in_a, const half *b, gap in_b) {
    if (!gaps_agree(a, in_a, b, in_b))
        return;
    for (uint32_t i, j; (i = next_free(a, &in_a)) < in_a.end;) {
        j = next_free(b, &in_b);
        pair(a, i, b, j);
    }
}

static void match_by_order(const half *a, const half *b) {
    gap in_a = {0, 0}, in_b = {0, 0};
    for (uint32_t i = 0; i <= a->count; i++) {
        int64_t partner = i < a->count ? a->layers[i].partner : (int64_t)b->count;
        if (partner < (int64_t)in_b.at) /* none, or in another order */
            continue;
        in_a.end = i;
        in_b.end = (uint32_t)partner;
        match_gap(a, in_a, b, in_b);
        in_a.at = i + 1;
        in_b.at = (uint32_t)partner + 1;
    }
}

tq_status tqi_match_layers(const tqi_graph *reference, uint32_t subgraph, const tqi_graph *other,
                           uint32_t other_subgraph, tqi_arena *arena, tqi_layer_pairs *pairs,
                           tq_error *error) {
    half a = {.graph = reference, .subgraph = subgraph};
    half b = {.graph = other, .subgraph = other_subgraph};
    *pairs = (tqi_layer_pairs){NULL, 0, 0, 0};
    TQI_TRY(list_layers(&a, arena, error));
    TQI_TRY(list_layers(&b, arena, error));
    match_by_name(&a, &b);
    match_by_order(&a, &b);
    TQI_NEW(arena, &pairs->list, a.count, error);
    for (uint32_t i = 0; i < a.count; i++)
        if (a.layers[i].partner != NONE)
            pairs->list[pairs->count++] =
                (tqi_layer_pair){a.layers[i].place, b.layers[a.layers[i].partner].place};
    pairs->unmatched = a.count - pairs->count;
    pairs->other_unmatched = b.count - pairs->count;
    return TQ_OK;
}
