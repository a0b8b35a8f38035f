/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

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
    }
    if (entry->reason != TQ_REASON_NONE)
        fprintf(file, ": %s", tq_reason_text(entry->reason));
    putc('\n', file);
}

static void print_entries(const struct cli_options *options, const struct cli_outcome *outcome,
                          uint32_t constants, FILE *file) {
    const bool verbose = options->verbosity > 0;
    const int width = snprintf(NULL, 0, "%" PRIu32, constants);
    uint32_t not_shown = 0;
    tq_report_entry entry = {.struct_size = sizeof entry};
    for (uint32_t i = 0; i < constants; i++) {
        if (tq_get_report_entry(outcome->report, i, &entry) != TQ_OK)
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

static void print_totals(const struct cli_outcome *outcome, const tq_report_totals *totals,
                         FILE *file) {
    const uint32_t before = quantized_already(outcome->report);
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
    if (totals->changed || outcome->copies) {
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

void cli_print_report(const struct cli_options *options, const struct cli_outcome *outcome,
                      FILE *file) {
    tq_report_totals totals = {.struct_size = sizeof totals};
    if (tq_get_report_totals(outcome->report, &totals) != TQ_OK)
        return;
    print_entries(options, outcome, totals.constants, file);
    fprintf(file, "\n%-12s %s\n", "recipe", outcome->recipe);
    print_totals(outcome, &totals, file);
    print_kept(outcome->report, file);
    if (outcome->written) {
        fprintf(file, "%-12s ", "written to");
        cli_print_name(file, outcome->target, 0);
        putc('\n', file);
    } else if (options->dry_run) {
        fprintf(file, "%-12s nothing: a dry run\n", "written");
    }
}

/* --- for machines --- */

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
    json_close(json, '}');
}

static void json_totals(struct json_out *json, const tq_report_totals *totals) {
    json_key(json, "totals");
    json_open(json, '{');
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
    json_close(json, '}');
}

void cli_json_report(const struct cli_options *options, const struct cli_outcome *outcome,
                     FILE *file) {
    tq_report_totals totals = {.struct_size = sizeof totals};
    tq_report_entry entry = {.struct_size = sizeof entry};
    struct cli_kept_list kept;
    struct json_out json;
    if (tq_get_report_totals(outcome->report, &totals) != TQ_OK)
        return;
    cli_kept_float(outcome->report, &kept);
    cli_json_begin(&json, options, file);
    json_put_string(&json, "input", options->input);
    json_key(&json, "output");
    if (options->output != NULL)
        json_string(&json, options->output);
    else
        json_null(&json);
    json_put_string(&json, "recipe", outcome->recipe);
    json_put_bool(&json, "dry_run", options->dry_run);
    json_put_bool(&json, "changed", totals.changed != 0);
    json_put_bool(&json, "written", outcome->written);
    json_totals(&json, &totals);
    json_key(&json, "still_float");
    json_open(&json, '[');
    for (uint32_t i = 0; i < kept.count; i++) {
        json_open_flat(&json, '{');
        json_put_string(&json, "reason", tq_reason_name(kept.items[i].reason));
        json_put_uint(&json, "constants", kept.items[i].constants);
        json_put_uint(&json, "bytes", kept.items[i].bytes);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_key(&json, "entries");
    json_open(&json, '[');
    for (uint32_t i = 0; i < totals.constants; i++) {
        if (tq_get_report_entry(outcome->report, i, &entry) == TQ_OK)
            json_entry(&json, i, &entry);
    }
    json_close(&json, ']');
    cli_json_end(&json);
}
