/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of the report on what running the model showed, and on how it will run. */
#include "tfquant_cli.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Below this nobody minds what weights take when the model runs. */
#define MUCH_MEMORY (UINT64_C(64) << 20)
static const char small_in_memory[] = "int8-fast";

const char *cli_goal_name(uint32_t goal) {
    switch (goal) {
    case TQ_GOAL_NONE:
        return "none";
    case TQ_GOAL_REACHED:
        return "reached";
    case TQ_GOAL_MISSED:
        return "missed";
    default:
        return "unknown";
    }
}

static void print_accuracy(const tq_report_totals *totals, FILE *file) {
    if (isnan(totals->output_snr_db))
        return;
    fprintf(file, "%-12s ", "outputs");
    if (isinf(totals->output_snr_db))
        fputs("exact, as far as this could tell", file);
    else
        fprintf(file, "%.1f dB expected for the worst one", totals->output_snr_db);
    if (isfinite(totals->plain_output_snr_db))
        fprintf(file, "; rounded plainly %.1f dB", totals->plain_output_snr_db);
    putc('\n', file);
}

static void print_statistics(const tq_report_totals *totals, uint64_t sets, bool is_bundle,
                             FILE *file) {
    if (totals->layers == 0)
        return;
    fprintf(file, "%-12s of %" PRIu32 " of %" PRIu32 " layers", "statistics", totals->known_layers,
            totals->layers);
    if (sets != 0)
        fprintf(file, ", on %" PRIu64 " %s of inputs from --data", sets,
                sets == 1 ? "set" : "sets");
    else if (!is_bundle)
        fputs(", on synthetic inputs", file);
    putc('\n', file);
    if (totals->known_layers < totals->layers && totals->refusal != NULL &&
        totals->refusal[0] != '\0') {
        fprintf(file, "%-12s not of all: ", "");
        cli_print_name(file, totals->refusal, 0);
        putc('\n', file);
    }
}

static void print_goal(const struct cli_options *options, const tq_report_totals *totals,
                       FILE *file) {
    const bool is_size = options->target_size.bytes != 0 || options->target_size.percent != 0;
    if (totals->goal == TQ_GOAL_NONE)
        return;
    fprintf(file, "%-12s ", "goal");
    if (options->target_size.percent != 0)
        fprintf(file, "at most %g%% of the size", options->target_size.percent);
    else if (is_size)
        fprintf(file, "at most %" PRIu64 " bytes", options->target_size.bytes);
    if (options->min_snr_db != 0)
        fprintf(file, "%sat least %g dB", is_size ? ", " : "", options->min_snr_db);
    fprintf(file, ": %s\n",
            totals->goal == TQ_GOAL_REACHED ? "reached" : "MISSED; nearer to it was not possible");
}

static bool is_known_recipe(const char *name) {
    tq_recipe_info info;
    for (uint32_t i = 0; cli_recipe(i, &info); i++) {
        if (strcmp(info.name, name) == 0)
            return true;
    }
    return false;
}

/* Of weights that are small in the file only. */
static uint64_t unpacked_bytes(const tq_report *report) {
    uint64_t bytes = 0;
    tq_report_entry entry = {.struct_size = sizeof entry};
    for (uint32_t i = 0; tq_get_report_entry(report, i, &entry) == TQ_OK; i++) {
        if (entry.verdict == TQ_VERDICT_QUANTIZED && !entry.is_dynamic &&
            entry.runtime_bytes > entry.bytes_after)
            bytes += entry.runtime_bytes;
    }
    return bytes;
}

static void print_memory(const tq_model *model, const tq_report_totals *totals, FILE *file) {
    if (!totals->changed || (totals->runtime_bytes_before == totals->runtime_bytes_after &&
                             totals->runtime_bytes_after <= MUCH_MEMORY))
        return;
    fprintf(file, "%-12s %s -> %s for constants while it runs\n", "memory",
            cli_format_size(totals->runtime_bytes_before).text,
            cli_format_size(totals->runtime_bytes_after).text);
    const uint64_t unpacked = unpacked_bytes(tq_model_report(model));
    if (unpacked > MUCH_MEMORY && is_known_recipe(small_in_memory))
        fprintf(file,
                "%-12s %s of it are weights unpacked to float32; --recipe %s keeps them small\n",
                "", cli_format_size(unpacked).text, small_in_memory);
}

void cli_print_run(const struct cli_options *options, const tq_model *model, uint64_t data_sets,
                   FILE *file) {
    const tq_report_totals totals = cli_totals(model);
    const bool is_bundle = cli_format(model) != TQ_FORMAT_TFLITE;
    print_accuracy(&totals, file);
    print_statistics(&totals, is_bundle ? 0 : data_sets, is_bundle, file);
    print_goal(options, &totals, file);
    print_memory(model, &totals, file);
}
