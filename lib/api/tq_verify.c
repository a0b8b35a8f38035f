/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "api/model.h"
#include "calibrate/side_by_side.h"

enum { USUAL_SETS = 8, USUAL_TRIALS = 32, USUAL_SEED = 20011 };

struct tq_verification {
    tq_model *reference, *other; /* handles that keep what names borrow from */
    tqi_heap *heap;
    tqi_arena arena;
    tqi_side_by_side result;
};

/* ---- the call ---- */

static tq_status read_options(const tq_verify_options *given, tq_verify_options *options,
                              tq_error *error) {
    TQI_TRY(tqi_read_options(options, sizeof *options, given, "tq_verify_options", error));
    if (options->inputs && options->n_sets == 0)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_verify_options has inputs, but no number of sets");
    if (!isfinite(options->low) || !isfinite(options->high) ||
        (options->low == options->high && options->low != 0))
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_verify_options.low and high are no range");
    options->n_sets = options->n_sets ? options->n_sets : USUAL_SETS;
    options->seed = options->seed ? options->seed : USUAL_SEED;
    options->n_trials = options->n_trials ? options->n_trials : USUAL_TRIALS;
    return TQ_OK;
}

static tq_status check_model(const tq_model *model, tq_error *error) {
    if (model->quantized)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "this model comes from tq_quantize(): save it and load it again first");
    if (tqi_is_bundle(model))
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "this is a bundle: compare the models in it, one by one");
    return TQ_OK;
}

static tq_status compare(tq_verification *v, const tq_verify_options *options, tq_error *error) {
    const tqi_input *reference = v->reference->input;
    tq_runner runner;
    tqi_compare_options how = {.kernels = &reference->kernels,
                               .cpu_flags = reference->cpu_flags,
                               .heap = reference->heap,
                               .sets = {.n_sets = options->n_sets,
                                        .given = options->inputs,
                                        .seed = options->seed,
                                        .low = options->low,
                                        .high = options->high},
                               .signature = options->signature,
                               .n_trials = options->n_trials,
                               .progress = options->progress,
                               .progress_opaque = options->progress_opaque};
    TQI_TRY(tqi_read_runner(options->runner, &runner, &how.runner, error));
    return tqi_run_side_by_side(&v->result, &reference->graph, &v->other->input->graph, &how,
                                &v->arena, error);
}

static tq_status verify(const tq_model *reference, const tq_model *other,
                        const tq_verify_options *given, tq_verification **verification,
                        tq_error *error) {
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    TQI_TRY(read_options(given, &options, error));
    if (!reference || !other || !verification)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_verify() needs two models and a result");
    TQI_TRY(check_model(reference, error));
    TQI_TRY(check_model(other, error));
    tqi_heap *heap = reference->input->heap;
    tq_verification *v = tqi_alloc(heap, sizeof *v);
    if (!v)
        return tqi_no_memory(heap, sizeof *v, error);
    *v = (tq_verification){.heap = heap};
    tqi_arena_init(&v->arena, heap);
    tq_status status = tqi_model_create(reference->input, &v->reference, error);
    if (status == TQ_OK)
        status = tqi_model_create(other->input, &v->other, error);
    if (status == TQ_OK)
        status = compare(v, &options, error);
    if (status == TQ_OK)
        *verification = v;
    else
        tq_verification_free(v);
    return status;
}

tq_status tq_verify(const tq_model *reference, const tq_model *other,
                    const tq_verify_options *options, tq_verification **verification,
                    tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, verify(reference, other, options, verification, &local));
}

void tq_verification_free(tq_verification *verification) {
    if (!verification)
        return;
    tq_model *reference = verification->reference, *other = verification->other;
    tqi_arena_free(&verification->arena);
    tqi_free(verification->heap, verification, sizeof *verification);
    tq_model_free(other);
    tq_model_free(reference);
}

/* ---- what it found ---- */

static uint32_t count_compared(const tqi_compared *list, uint32_t n) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        count += list[i].whole[list[i].range].sets > 0;
    return count;
}

tq_status tq_get_verification_info(const tq_verification *verification,
                                   tq_verification_info *info) {
    if (!verification)
        return TQ_ERR_INVALID_ARGUMENT;
    const tqi_side_by_side *r = &verification->result;
    tq_verification_info result = {.n_sets = r->n_sets,
                                   .outputs = r->n_outputs,
                                   .layers = r->n_layers,
                                   .compared_outputs = count_compared(r->outputs, r->n_outputs),
                                   .compared_layers = count_compared(r->layers, r->n_layers),
                                   .worst_output = r->worst_output,
                                   .entry_layer = r->entry_layer,
                                   .unmatched = r->unmatched,
                                   .other_unmatched = r->other_unmatched,
                                   .skipped = r->skipped,
                                   .other_skipped = r->other_skipped,
                                   .refusal = r->refusal.message};
    return tqi_fill_struct(info, &result, sizeof result);
}

static const char *op_name(const tqi_graph *graph, uint32_t subgraph, int32_t op,
                           int32_t *builtin) {
    *builtin = TQ_NO_INDEX;
    if (op < 0)
        return "";
    const tqi_opcode *code = &graph->opcodes[graph->subgraphs[subgraph].operators[op].opcode];
    const char *name = tqi_op_name(code->builtin);
    *builtin = code->builtin;
    return code->builtin == TQI_OP_CUSTOM ? code->custom : name ? name : "unknown";
}

static void fill_numbers(tq_comparison *comparison, const tqi_difference *d) {
    double n = (double)d->summed;
    comparison->sets = d->sets;
    comparison->elements = d->elements;
    comparison->differing = d->differing;
    comparison->broken = d->broken;
    comparison->snr_db = tqi_difference_snr(d);
    comparison->cosine = tqi_difference_cosine(d);
    comparison->mean_magnitude = n > 0 ? d->magnitude / n : (double)NAN;
    comparison->mean_difference = n > 0 ? d->absolute / n : (double)NAN;
    comparison->mean_relative_difference = d->magnitude > 0 ? d->absolute / d->magnitude
                                           : d->sets > 0 && d->differing == 0 ? 0
                                                                              : (double)NAN;
    comparison->max_difference = d->sets > 0 ? d->largest : (double)NAN;
}

static tq_status fill(const tq_verification *v, const tqi_compared *c, tq_comparison *out) {
    const tqi_graph *graph = &v->reference->input->graph, *other = &v->other->input->graph;
    int32_t ignored;
    tq_comparison result = {
        .subgraph = c->subgraph,
        .op = c->op,
        .tensor = c->tensor,
        .other_subgraph = c->other_subgraph,
        .other_op = c->other_op,
        .other_tensor = c->other_tensor,
        .output = c->output,
        .name = c->tensor < 0 ? "" : graph->subgraphs[c->subgraph].tensors[c->tensor].name,
        .shape = c->shape,
        .rank = c->rank,
        .type = c->type,
        .low = c->n_ranges > 1 ? (c->range == 0 ? 0 : -1) : (double)NAN,
        .high = c->n_ranges > 1 ? 1 : (double)NAN,
        .local_snr_db = tqi_difference_snr(&c->local[c->range]),
        .output_snr_db = tqi_difference_snr(&c->alone)};
    result.op_name = op_name(graph, c->subgraph, c->op, &result.builtin_code);
    result.other_op_name = op_name(other, c->other_subgraph, c->other_op, &ignored);
    fill_numbers(&result, &c->whole[c->range]);
    return tqi_fill_struct(out, &result, sizeof result);
}

tq_status tq_get_output_comparison(const tq_verification *verification, uint32_t index,
                                   tq_comparison *comparison) {
    if (!verification || index >= verification->result.n_outputs)
        return TQ_ERR_INVALID_ARGUMENT;
    return fill(verification, &verification->result.outputs[index], comparison);
}

tq_status tq_get_layer_comparison(const tq_verification *verification, uint32_t index,
                                  tq_comparison *comparison) {
    if (!verification || index >= verification->result.n_layers)
        return TQ_ERR_INVALID_ARGUMENT;
    return fill(verification, &verification->result.layers[index], comparison);
}
