/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_mend.h"
#include "tfquant_values.h"

#include <math.h>

static void json_entry(struct json_out *json, uint32_t index, const tq_report_entry *entry) {
    json_open(json, '{');
    json_put_uint(json, "index", index);
    json_put_string(json, "verdict", tq_verdict_name(entry->verdict));
    json_put_string(json, "reason", tq_reason_name(entry->reason));
    json_put_string(json, "reason_text", tq_reason_text(entry->reason));
    json_put_uint(json, "subgraph", entry->subgraph);
    json_put_uint(json, "tensor", entry->tensor);
    json_put_string(json, "name", entry->name);
    json_key(json, "op");
    if (entry->op != TQ_NO_INDEX)
        json_int(json, entry->op);
    else
        json_null(json);
    json_key(json, "op_input");
    if (entry->op != TQ_NO_INDEX)
        json_int(json, entry->op_input);
    else
        json_null(json);
    json_put_string(json, "op_name", entry->op_name);
    json_put_ints(json, "shape", entry->shape, entry->rank);
    json_put_string(json, "from_type", tq_type_name(entry->from_type));
    json_put_string(json, "to_type", tq_type_name(entry->to_type));
    json_put_bool(json, "from_sparse", entry->from_sparse != 0);
    json_put_bool(json, "to_sparse", entry->to_sparse != 0);
    json_put_uint(json, "scales", entry->scales);
    json_put_uint(json, "elements", entry->elements);
    json_put_uint(json, "bytes_before", entry->bytes_before);
    json_put_uint(json, "bytes_after", entry->bytes_after);
    json_put_double(json, "snr_db", entry->snr_db);
    json_put_bool(json, "exact", isinf(entry->snr_db) && entry->snr_db > 0);
    json_put_double(json, "output_snr_db", entry->output_snr_db);
    json_put_uint(json, "runtime_bytes", entry->runtime_bytes);
    json_put_bool(json, "is_dynamic", entry->is_dynamic != 0);
    json_close(json, '}');
}

/* `models` NULL: of one model */
static void json_totals(struct json_out *json, const tq_report_totals *totals,
                        const struct cli_model_count *models) {
    json_key(json, "totals");
    json_open(json, '{');
    if (models != NULL) {
        json_put_uint(json, "models", models->models);
        json_put_uint(json, "models_changed", models->changed);
    }
    json_put_uint(json, "constants", totals->constants);
    json_put_uint(json, "quantized", totals->quantized);
    json_put_uint(json, "float16", totals->float16);
    json_put_uint(json, "folded", totals->folded);
    json_put_uint(json, "constant_bytes_before", totals->constant_bytes_before);
    json_put_uint(json, "constant_bytes_after", totals->constant_bytes_after);
    json_put_uint(json, "file_bytes_before", totals->file_bytes_before);
    json_put_uint(json, "file_bytes_after", totals->file_bytes_after);
    json_put_double(json, "ratio",
                    (double)totals->file_bytes_after / (double)totals->file_bytes_before);
    json_put_double(json, "mean_snr_db", totals->mean_snr_db);
    json_put_double(json, "output_snr_db", totals->output_snr_db);
    json_put_double(json, "plain_output_snr_db", totals->plain_output_snr_db);
    json_put_string(json, "goal", cli_goal_name(totals->goal));
    json_put_uint(json, "layers", totals->layers);
    json_put_uint(json, "known_layers", totals->known_layers);
    json_put_string(json, "refusal", totals->refusal != NULL ? totals->refusal : "");
    json_put_uint(json, "runtime_bytes_before", totals->runtime_bytes_before);
    json_put_uint(json, "runtime_bytes_after", totals->runtime_bytes_after);
    json_close(json, '}');
}

static void json_kept(struct json_out *json, const tq_report *report) {
    struct cli_kept_list kept;
    cli_kept_float(report, &kept);
    json_key(json, "still_float");
    json_open(json, '[');
    for (uint32_t i = 0; i < kept.count; i++) {
        json_open_flat(json, '{');
        json_put_string(json, "reason", tq_reason_name(kept.items[i].reason));
        json_put_uint(json, "constants", kept.items[i].constants);
        json_put_uint(json, "bytes", kept.items[i].bytes);
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* The keys that a model has, on its own or in a bundle. */
static void json_model(struct json_out *json, const tq_model *model) {
    const tq_report *report = tq_model_report(model);
    const tq_report_totals totals = cli_totals(model);
    tq_report_entry entry = {.struct_size = sizeof entry};
    json_totals(json, &totals, NULL);
    json_kept(json, report);
    json_key(json, "entries");
    json_open(json, '[');
    for (uint32_t i = 0; i < totals.constants; i++) {
        if (tq_get_report_entry(report, i, &entry) == TQ_OK)
            json_entry(json, i, &entry);
    }
    json_close(json, ']');
}

struct json_bundle {
    struct json_out *json;
    const struct cli_outcome *outcome;
};

static bool json_member(void *opaque, const struct cli_member *member) {
    const struct json_bundle *bundle = opaque;
    struct json_out *json = bundle->json;
    if (member->info.kind != TQ_MEMBER_MODEL || member->model == NULL)
        return false;
    json_open(json, '{');
    json_put_string(json, "path", member->info.path);
    json_put_string(json, "recipe", cli_chosen(bundle->outcome->choices, member->info.path));
    json_put_uint(json, "data_sets", cli_data_sets(bundle->outcome->data, member->info.path));
    json_put_bool(json, "changed", cli_totals(member->model).changed != 0);
    json_model(json, member->model);
    json_close(json, '}');
    return false;
}

static void json_bundle(struct json_out *json, const struct cli_outcome *outcome) {
    const tq_report_totals totals = cli_totals(outcome->result);
    const struct cli_model_count count = cli_count_models(outcome->result);
    struct json_bundle bundle = {json, outcome};
    json_totals(json, &totals, &count);
    json_key(json, "members");
    json_open(json, '[');
    cli_each_member(outcome->result, json_member, &bundle);
    json_close(json, ']');
}

static void json_check(struct json_out *json, const struct cli_options *options,
                       const struct cli_outcome *outcome) {
    json_key(json, "check");
    if (outcome->found == NULL) {
        json_null(json);
        return;
    }
    json_open(json, '{');
    json_put_string(json, "target", tq_target_name(options->target));
    cli_json_findings(json, outcome->found);
    json_close(json, '}');
}

void cli_json_report(const struct cli_options *options, const struct cli_outcome *outcome,
                     FILE *file) {
    const uint32_t format = cli_format(outcome->result);
    struct json_out json;
    cli_json_begin(&json, options, file);
    json_put_string(&json, "input", options->input);
    json_key(&json, "output");
    if (options->output != NULL)
        json_string(&json, options->output);
    else
        json_null(&json);
    json_put_string(&json, "format", cli_format_name(format));
    json_put_string(&json, "recipe", outcome->recipe);
    json_put_string(&json, "effort", value_effort_name(options->effort));
    json_put_string(&json, "target", value_target_name(options->target));
    json_put_uint(&json, "data_sets", cli_data_sets(outcome->data, NULL));
    json_put_bool(&json, "dry_run", options->dry_run);
    json_put_bool(&json, "changed",
                  cli_totals(outcome->result).changed != 0 ||
                      cli_count_edits(outcome->result) != 0);
    json_put_bool(&json, "written", outcome->written);
    cli_json_edits(&json, outcome->result);
    json_check(&json, options, outcome);
    if (format == TQ_FORMAT_TFLITE)
        json_model(&json, outcome->result);
    else
        json_bundle(&json, outcome);
    cli_json_end(&json);
}
