/* SPDX-License-Identifier: Apache-2.0 */
#include "rewrite/rewriter.h"

#include <string.h>

#include "tflite/builtins.h"

/* Rewrites make room for each other; most models are done after two rounds. */
enum { MOST_ROUNDS = 16 };

/* ---- what was done ---- */

static const char *name_of(const tqi_graph *graph, const tqi_operator *op) {
    const tqi_opcode *code = &graph->opcodes[op->opcode];
    const char *name = tqi_op_name(code->builtin);
    return code->builtin == TQI_OP_CUSTOM ? code->custom : name ? name : "unknown";
}

static tq_status add_edit(tqi_rewriter *ctx, const tqi_edit *edit, uint32_t *applied,
                          tq_error *error) {
    if (ctx->n_edits == ctx->edit_capacity) {
        uint32_t capacity = 2 * ctx->edit_capacity + 16;
        tqi_edit *grown = NULL;
        TQI_NEW(ctx->graph->arena, &grown, capacity, error);
        if (ctx->n_edits > 0)
            memcpy(grown, ctx->edits, ctx->n_edits * sizeof *grown);
        ctx->edits = grown;
        ctx->edit_capacity = capacity;
    }
    ctx->edits[ctx->n_edits++] = *edit;
    *applied += 1;
    return TQ_OK;
}

/* Indices stay until the graph is made compact. */
static int32_t source_index(const tqi_rewriter *ctx, int32_t tensor) {
    return tensor >= 0 && tqi_net_tensor(&ctx->net, tensor)->source ? tensor : -1;
}

tq_status tqi_note_edit(tqi_rewriter *ctx, uint32_t index, int32_t tensor, uint32_t *applied,
                        tq_error *error) {
    const tqi_operator *op = tqi_net_operator(&ctx->net, index);
    const tqi_edit edit = {.rewrite = ctx->rewrite->name,
                           .subgraph = ctx->net.subgraph,
                           .op = (int32_t)op->origin,
                           .tensor = source_index(ctx, tensor),
                           .op_name = name_of(ctx->graph, op),
                           .tensor_name =
                               tensor >= 0 ? tqi_net_tensor(&ctx->net, tensor)->name : ""};
    return add_edit(ctx, &edit, applied, error);
}

tq_status tqi_note_tensor(tqi_rewriter *ctx, int32_t tensor, uint32_t *applied, tq_error *error) {
    const tqi_edit edit = {.rewrite = ctx->rewrite->name,
                           .subgraph = ctx->net.subgraph,
                           .op = -1,
                           .tensor = source_index(ctx, tensor),
                           .op_name = "",
                           .tensor_name = tqi_net_tensor(&ctx->net, tensor)->name};
    return add_edit(ctx, &edit, applied, error);
}

/* ---- subgraphs that are left alone ---- */

/* Fields of options that name a subgraph. */
static const struct {
    int32_t builtin;
    uint8_t options, field; /* TQI_OPERATOR_BUILTIN_OPTIONS or _2 */
} callers[] = {
    {TQI_BUILTIN_CALL, TQI_OPERATOR_BUILTIN_OPTIONS, 0},
    {TQI_BUILTIN_CALL_ONCE, TQI_OPERATOR_BUILTIN_OPTIONS, 0},
    {TQI_BUILTIN_IF, TQI_OPERATOR_BUILTIN_OPTIONS, 0},
    {TQI_BUILTIN_IF, TQI_OPERATOR_BUILTIN_OPTIONS, 1},
    {TQI_BUILTIN_WHILE, TQI_OPERATOR_BUILTIN_OPTIONS, 0},
    {TQI_BUILTIN_WHILE, TQI_OPERATOR_BUILTIN_OPTIONS, 1},
    {TQI_BUILTIN_STABLEHLO_WHILE, TQI_OPERATOR_BUILTIN_OPTIONS_2, 0},
    {TQI_BUILTIN_STABLEHLO_WHILE, TQI_OPERATOR_BUILTIN_OPTIONS_2, 1},
    {TQI_BUILTIN_STABLEHLO_COMPOSITE, TQI_OPERATOR_BUILTIN_OPTIONS_2, 1},
};

static void mark_called(const tqi_graph *graph, const tqi_operator *op, bool *called) {
    for (size_t i = 0; i < sizeof callers / sizeof *callers; i++) {
        if (callers[i].builtin != tqi_builtin(graph, op) || !op->source)
            continue;
        uint32_t options = tqi_get_table(&graph->view, op->source, callers[i].options);
        int32_t body = options ? tqi_get_i32(&graph->view, options, callers[i].field, 0) : -1;
        if (body >= 0 && (uint32_t)body < graph->n_subgraphs)
            called[body] = true;
    }
}

/* Only what is run from outside is changed: the main subgraph and those with a signature, where
 * no operator runs them too. */
static tq_status find_free(const tqi_graph *graph, tqi_arena *arena, bool **free, tq_error *error) {
    bool *called = NULL;
    TQI_NEW(arena, free, graph->n_subgraphs, error);
    TQI_NEW(arena, &called, graph->n_subgraphs, error);
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        for (uint32_t j = 0; j < graph->subgraphs[i].n_operators; j++)
            mark_called(graph, &graph->subgraphs[i].operators[j], called);
    for (uint32_t i = 0; i < graph->n_signatures; i++)
        (*free)[graph->signatures[i].subgraph] = true;
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        (*free)[i] = ((*free)[i] || i == 0) && !called[i];
    return TQ_OK;
}

/* ---- the driver ---- */

static tq_status run_all(tqi_rewriter *ctx, const tqi_rewrite_options *options, uint32_t *applied,
                         tq_error *error) {
    const tqi_rewrite *rewrite;
    for (uint32_t i = 0; (rewrite = tqi_rewrite_at(i)) != NULL; i++) {
        if (options->chosen ? !options->chosen[i] : !rewrite->is_default)
            continue;
        ctx->rewrite = rewrite;
        ctx->by_name = options->chosen != NULL;
        uint32_t before = *applied;
        TQI_TRY(rewrite->run(ctx, applied, error));
        if (*applied != before)
            TQI_TRY(tqi_find_open_shapes(ctx, error));
    }
    return TQ_OK;
}

static tq_status rewrite_subgraph(tqi_rewriter *ctx, uint32_t subgraph,
                                  const tqi_rewrite_options *options, tq_error *error) {
    TQI_TRY(tqi_net_make(&ctx->net, ctx->graph, subgraph, error));
    TQI_TRY(tqi_find_open_shapes(ctx, error));
    for (uint32_t round = 0; round < MOST_ROUNDS; round++) {
        uint32_t applied = 0;
        TQI_TRY(run_all(ctx, options, &applied, error));
        if (applied == 0)
            break;
    }
    return TQ_OK;
}

tq_status tqi_rewrite_graph(tqi_rewritten *result, const tqi_graph *graph,
                            const tqi_rewrite_options *options, tqi_arena *arena, tq_error *error) {
    tqi_rewriter ctx = {
        .graph = &result->graph, .kernels = options->kernels, .target = options->target};
    bool *free;
    *result = (tqi_rewritten){0};
    TQI_TRY(tqi_graph_clone(&result->graph, graph, arena, error));
    TQI_TRY(find_free(graph, arena, &free, error));
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        if (free[i])
            TQI_TRY(rewrite_subgraph(&ctx, i, options, error));
    result->edits = ctx.edits;
    result->n_edits = ctx.n_edits;
    return TQ_OK;
}
