/* SPDX-License-Identifier: Apache-2.0 */
#include "api/model.h"
#include "api/stats.h"
#include "check/check.h"

struct tq_findings {
    tq_model *holder; /* keeps the heap alive, and with it the input */
    tqi_findings list;
    const tqi_finding **index;
};

static const char *const target_names[] = {"xnnpack", "gpu",          "litert",
                                           "nnapi",   "tflite-micro", "int8-only"};
static const char *const severity_names[] = {"note", "warning", "error"};

enum {
    TARGETS = sizeof target_names / sizeof *target_names,
    SEVERITIES = sizeof severity_names / sizeof *severity_names,
};

const char *tq_target_name(uint32_t target) {
    return target < TARGETS ? target_names[target] : "unknown";
}

const char *tq_severity_name(uint32_t severity) {
    return severity < SEVERITIES ? severity_names[severity] : "unknown";
}

tq_status tq_get_rule_info(uint32_t index, tq_rule_info *info) {
    const tqi_check_rule *rule = tqi_check_rule_at(index);
    if (!rule)
        return TQ_ERR_INVALID_ARGUMENT;
    tq_rule_info result = {.targets = rule->targets, .name = rule->name, .summary = rule->summary};
    return tqi_fill_struct(info, &result, sizeof result);
}

/* ---- the check ---- */

/* Tensors of a quantized model are others than those that were seen. */
static tq_status check_one(const tq_model *model, const tq_check_options *options,
                           tqi_release runtime, tqi_findings *findings, tq_error *error) {
    tqi_input *input = model->input;
    tqi_check_options how = {options->target, runtime, options->flags, NULL};
    tqi_arena arena;
    tqi_arena_init(&arena, input->heap);
    tq_status status = tqi_findings_text(findings, input->path, &findings->path, error);
    if (status == TQ_OK && !model->quantized && tqi_check_reads_ranges(options->target))
        status =
            tqi_stats_ranges(options->stats, options->n_stats, input, &arena, &how.ranges, error);
    if (status == TQ_OK)
        status = tqi_check_graph(tqi_model_graph(model), &how, input->heap, findings, error);
    tqi_arena_free(&arena);
    return status;
}

static tq_status check_model(const tq_model *model, const tq_check_options *options,
                             tqi_release runtime, tqi_findings *findings, tq_error *error) {
    const tqi_input *input = model->input;
    if (!tqi_is_bundle(model))
        return check_one(model, options, runtime, findings, error);
    for (uint32_t i = 0; i < input->container.n_members; i++) {
        if (!model->members[i])
            continue;
        tq_status status = check_model(model->members[i], options, runtime, findings, error);
        if (status != TQ_OK)
            return tqi_blame_member(model, i, status, error);
    }
    return TQ_OK;
}

static tq_status make_index(tq_findings *findings, tq_error *error) {
    uint32_t n = 0;
    TQI_NEW(&findings->list.arena, &findings->index, findings->list.count, error);
    for (const tqi_finding *f = findings->list.first; f; f = f->next)
        findings->index[n++] = f;
    return TQ_OK;
}

static tq_status read_options(const tq_check_options *given, tq_check_options *options,
                              tqi_release *runtime, tq_error *error) {
    TQI_TRY(tqi_read_options(options, sizeof *options, given, "tq_check_options", error));
    if (options->target >= TARGETS)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_check_options.target is none");
    if (options->flags & ~(uint32_t)TQ_CHECK_GRAPH)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_check_options.flags has unknown bits");
    if (options->runtime && !tqi_read_release(options->runtime, runtime))
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "'%.40s' is not a release of the runtime, like 2.5", options->runtime);
    return tqi_read_stats(options->stats, options->n_stats, "tq_check_options", error);
}

static tq_status check(const tq_model *model, const tq_check_options *given, tq_findings **out,
                       tq_error *error) {
    tq_check_options options = TQ_CHECK_OPTIONS_INIT;
    tqi_release runtime = 0;
    TQI_TRY(read_options(given, &options, &runtime, error));
    if (!model || !out)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_check() needs a model and a result");
    tq_model *holder = NULL;
    TQI_TRY(tqi_model_create(model->input, &holder, error));
    tqi_heap *heap = model->input->heap;
    tq_findings *findings = tqi_alloc(heap, sizeof *findings);
    if (!findings) {
        tq_model_free(holder);
        return tqi_no_memory(heap, sizeof *findings, error);
    }
    *findings = (tq_findings){.holder = holder};
    tqi_findings_init(&findings->list, heap);
    tq_status status = check_model(model, &options, runtime, &findings->list, error);
    if (status == TQ_OK)
        status = make_index(findings, error);
    if (status != TQ_OK) {
        tq_findings_free(findings);
        return status;
    }
    *out = findings;
    return TQ_OK;
}

tq_status tq_check(const tq_model *model, const tq_check_options *options, tq_findings **findings,
                   tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, check(model, options, findings, &local));
}

void tq_findings_free(tq_findings *findings) {
    if (!findings)
        return;
    tq_model *holder = findings->holder;
    tqi_findings_free(&findings->list);
    tqi_free(holder->input->heap, findings, sizeof *findings);
    tq_model_free(holder);
}

uint32_t tq_findings_count(const tq_findings *findings) {
    return findings ? findings->list.count : 0;
}

tq_status tq_get_finding(const tq_findings *findings, uint32_t index, tq_finding *finding) {
    if (!findings || index >= findings->list.count)
        return TQ_ERR_INVALID_ARGUMENT;
    return tqi_fill_struct(finding, &findings->index[index]->shown, sizeof(tq_finding));
}
