/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_mend.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_COLUMNS = 60 };

/* --- what is still float --- */

static int by_bytes(const void *left, const void *right) {
    const struct cli_kept *a = left;
    const struct cli_kept *b = right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->reason < b->reason ? -1 : a->reason > b->reason;
}

static bool is_kept_float(const tq_report_entry *entry) {
    return (entry->verdict == TQ_VERDICT_KEPT || entry->verdict == TQ_VERDICT_FOLDED) &&
           cli_is_float(entry->to_type);
}

void cli_kept_float(const tq_report *report, struct cli_kept_list *kept) {
    tq_report_entry entry = {.struct_size = sizeof entry};
    *kept = (struct cli_kept_list){.count = 0};
    for (uint32_t i = 0; tq_get_report_entry(report, i, &entry) == TQ_OK; i++) {
        if (!is_kept_float(&entry))
            continue;
        uint32_t slot = 0;
        while (slot < kept->count && kept->items[slot].reason != entry.reason)
            slot++;
        if (slot == CLI_REASONS)
            continue;
        if (slot == kept->count)
            kept->items[kept->count++].reason = entry.reason;
        kept->items[slot].constants++;
        kept->items[slot].bytes += entry.bytes_after;
    }
    qsort(kept->items, kept->count, sizeof kept->items[0], by_bytes);
}

tq_report_totals cli_totals(const tq_model *model) {
    tq_report_totals totals = {.struct_size = sizeof totals};
    tq_get_report_totals(tq_model_report(model), &totals);
    return totals;
}

/* --- for people --- */

static void print_type(FILE *file, int32_t type, uint32_t sparse) {
    fprintf(file, "%s%s", sparse ? "sparse " : "", tq_type_name(type));
}

static void print_entry_name(FILE *file, const tq_report_entry *entry, uint32_t columns) {
    if (entry->subgraph != 0)
        fprintf(file, "subgraph %" PRIu32 ": ", entry->subgraph);
    if (entry->name[0] != '\0')
        cli_print_name(file, entry->name, columns);
    else
        fprintf(file, "(unnamed tensor %" PRIu32 ")", entry->tensor);
}

static void print_entry(FILE *file, const tq_report_entry *entry, bool verbose) {
    print_entry_name(file, entry, verbose ? 0 : NAME_COLUMNS);
    fputs(" - ", file);
    cli_print_shape(file, entry->shape, NULL, entry->rank);
    if (verbose && entry->op != TQ_NO_INDEX)
        fprintf(file, " (%s %" PRId32 ", input %" PRId32 ")", entry->op_name, entry->op,
                entry->op_input);
    if (entry->verdict == TQ_VERDICT_KEPT) {
        fprintf(file, ", %s, kept ", cli_format_size(entry->bytes_after).text);
        print_type(file, entry->to_type, entry->to_sparse);
    } else {
        fputs(", from ", file);
        print_type(file, entry->from_type, entry->from_sparse);
        fputs(" to ", file);
        print_type(file, entry->to_type, entry->to_sparse);
        fprintf(file, ", %s -> %s", cli_format_size(entry->bytes_before).text,
                cli_format_size(entry->bytes_after).text);
        if (isfinite(entry->snr_db))
            fprintf(file, ", %.1f dB", entry->snr_db);
        else if (isinf(entry->snr_db))
            fputs(", exact", file);
        if (isfinite(entry->output_snr_db))
            fprintf(file, ", output %.1f dB", entry->output_snr_db);
        if (entry->is_dynamic)
            fputs(", dynamic", file);
    }
    if (entry->reason != TQ_REASON_NONE)
        fprintf(file, ": %s", tq_reason_text(entry->reason));
    putc('\n', file);
}

static void print_entries(const tq_report *report, uint32_t constants, bool verbose, FILE *file) {
    const int width = snprintf(NULL, 0, "%" PRIu32, constants);
    uint32_t not_shown = 0;
    tq_report_entry entry = {.struct_size = sizeof entry};
    for (uint32_t i = 0; i < constants; i++) {
        if (tq_get_report_entry(report, i, &entry) != TQ_OK)
            break;
        if (!verbose && !cli_is_float(entry.from_type) && entry.verdict == TQ_VERDICT_KEPT) {
            not_shown++;
            continue;
        }
        fprintf(file, "[%*" PRIu32 "/%" PRIu32 "] ", width, i + 1, constants);
        print_entry(file, &entry, verbose);
    }
    if (not_shown != 0)
        fprintf(file, "and %" PRIu32 " %s that %s not float, kept as %s (-v lists all)\n",
                not_shown, not_shown == 1 ? "constant" : "constants", not_shown == 1 ? "is" : "are",
                not_shown == 1 ? "it was" : "they were");
}

static void print_sizes(FILE *file, const char *label, uint64_t before, uint64_t after) {
    fprintf(file, "%-12s %s -> %s", label, cli_format_size(before).text,
            cli_format_size(after).text);
    if (before != 0)
        fprintf(file, " (%.1f%%)", 100.0 * (double)after / (double)before);
    putc('\n', file);
}

static void print_file_sizes(FILE *file, const tq_report_totals *totals) {
    const double ratio = (double)totals->file_bytes_after / (double)totals->file_bytes_before;
    fprintf(file, "%-12s %" PRIu64 " -> %" PRIu64 " bytes", "file", totals->file_bytes_before,
            totals->file_bytes_after);
    if (isfinite(ratio))
        fprintf(file, " (%.1f%%)", 100.0 * ratio);
    if (ratio > 0 && ratio < 0.995)
        fprintf(file, ", %.2f times smaller", 1.0 / ratio);
    else if (ratio > 1.005)
        fprintf(file, ", %.2f times LARGER", ratio);
    putc('\n', file);
}

static uint32_t quantized_already(const tq_report *report) {
    uint32_t count = 0;
    tq_report_entry entry = {.struct_size = sizeof entry};
    for (uint32_t i = 0; tq_get_report_entry(report, i, &entry) == TQ_OK; i++)
        count += entry.reason == TQ_REASON_QUANTIZED_ALREADY;
    return count;
}

static void print_totals(const tq_model *model, bool copies, FILE *file) {
    const tq_report_totals all = cli_totals(model);
    const tq_report_totals *totals = &all;
    const uint32_t before = quantized_already(tq_model_report(model));
    fprintf(file, "%-12s %" PRIu32 " of %" PRIu32 " constants", "quantized", totals->quantized,
            totals->constants);
    if (before != 0)
        fprintf(file, ", %" PRIu32 " were already", before);
    if (totals->float16 != 0)
        fprintf(file, ", %" PRIu32 " to float16", totals->float16);
    if (totals->folded != 0)
        fprintf(file, ", %" PRIu32 " unpacked to float32", totals->folded);
    putc('\n', file);
    /* Sizes of a file that nobody gets would only puzzle. */
    if (totals->changed || copies) {
        print_sizes(file, "constants", totals->constant_bytes_before, totals->constant_bytes_after);
        print_file_sizes(file, totals);
    }
    if (isfinite(totals->mean_snr_db))
        fprintf(file, "%-12s %.1f dB mean over the converted weights\n", "SNR",
                totals->mean_snr_db);
}

static void print_kept(const tq_report *report, FILE *file) {
    struct cli_kept_list kept;
    uint64_t bytes = 0;
    cli_kept_float(report, &kept);
    for (uint32_t i = 0; i < kept.count; i++)
        bytes += kept.items[i].bytes;
    if (kept.count == 0)
        return;
    fprintf(file, "%-12s %s, because\n", "still float", cli_format_size(bytes).text);
    for (uint32_t i = 0; i < kept.count; i++) {
        const struct cli_kept *item = &kept.items[i];
        fprintf(file, "%23s in %" PRIu32 " %s: %s\n", cli_format_size(item->bytes).text,
                item->constants, item->constants == 1 ? "constant" : "constants",
                tq_reason_text(item->reason));
    }
}

/* `path` is that in its bundle; of a .tflite "". */
static void print_model(const struct cli_options *options, const struct cli_outcome *outcome,
                        const tq_model *model, const char *path, FILE *file) {
    const tq_report *report = tq_model_report(model);
    const bool is_member = model != outcome->result;
    print_entries(report, cli_totals(model).constants, options->verbosity > 0, file);
    fprintf(file, "\n%-12s %s\n", "recipe",
            is_member ? cli_chosen(outcome->choices, path) : outcome->recipe);
    /* A member that does not change is not written anew, as a single model by 'none' is. */
    print_totals(model, outcome->copies && !is_member, file);
    cli_print_run(options, model, cli_data_sets(outcome->data, path), file);
    print_kept(report, file);
}

struct bundle_report {
    const struct cli_options *options;
    const struct cli_outcome *outcome;
    FILE *file;
    uint32_t models;
    uint32_t shown;
};

static bool print_member(void *opaque, const struct cli_member *member) {
    struct bundle_report *bundle = opaque;
    if (member->info.kind != TQ_MEMBER_MODEL || member->model == NULL)
        return false;
    bundle->shown++;
    fprintf(bundle->file, "model %" PRIu32 " of %" PRIu32 ": ", bundle->shown, bundle->models);
    cli_print_name(bundle->file, member->info.path, 0);
    putc('\n', bundle->file);
    print_model(bundle->options, bundle->outcome, member->model, member->info.path, bundle->file);
    putc('\n', bundle->file);
    return false;
}

static void print_bundle(const struct cli_options *options, const struct cli_outcome *outcome,
                         FILE *file) {
    const struct cli_model_count count = cli_count_models(outcome->result);
    struct bundle_report bundle = {options, outcome, file, count.models, 0};
    cli_each_member(outcome->result, print_member, &bundle);
    fprintf(file, "%s\n%-12s %" PRIu32 " of %" PRIu32 " changed\n",
            cli_format_text(cli_format(outcome->result)), "models", count.changed, count.models);
    print_totals(outcome->result, outcome->copies, file);
    cli_print_run(options, outcome->result, cli_data_sets(outcome->data, NULL), file);
}

static void print_edits(const struct cli_outcome *outcome, FILE *file) {
    const uint32_t count = cli_count_edits(outcome->result);
    if (count == 0)
        return;
    fprintf(file, "%-12s %" PRIu32 " %s before that, for the target's sake:\n", "rewritten", count,
            count == 1 ? "edit" : "edits");
    cli_print_edits(file, outcome->result);
}

static void print_check(const struct cli_options *options, const struct cli_outcome *outcome,
                        FILE *file) {
    if (outcome->found == NULL)
        return;
    const struct cli_counts counts = cli_count_findings(outcome->found);
    fprintf(file, "%-12s for %s: ", "check", tq_target_name(options->target));
    if (counts.clean)
        fputs("clean", file);
    else
        cli_print_counts(file, &counts);
    putc('\n', file);
    cli_print_findings(file, outcome->found,
                       options->verbosity > 0 ? TQ_SEVERITY_WARNING : TQ_SEVERITY_ERROR);
}

void cli_print_report(const struct cli_options *options, const struct cli_outcome *outcome,
                      FILE *file) {
    if (cli_format(outcome->result) == TQ_FORMAT_TFLITE)
        print_model(options, outcome, outcome->result, "", file);
    else
        print_bundle(options, outcome, file);
    print_edits(outcome, file);
    print_check(options, outcome, file);
    if (outcome->written) {
        fprintf(file, "%-12s ", "written to");
        cli_print_name(file, outcome->target, 0);
        putc('\n', file);
    } else if (options->dry_run) {
        fprintf(file, "%-12s nothing: a dry run\n", "written");
    }
}
