/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_verify.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { NAME_COLUMNS = 48, FEW_LAYERS = 10 };

/* --- cells --- */

static void print_db(FILE *file, double db, int width) {
    if (isnan(db))
        fprintf(file, "%*s", width, "-");
    else if (isinf(db))
        fprintf(file, "%*s", width, db > 0 ? "exact" : "broken");
    else
        fprintf(file, "%*.1f dB", width - 3, db);
}

static void print_number(FILE *file, const char *format, double value, int width) {
    char text[32];
    snprintf(text, sizeof text, format, value);
    fprintf(file, "%*s", width, isnan(value) ? "-" : text);
}

static void print_tensor(FILE *file, const tq_comparison *c, bool whole) {
    if (c->name[0] != '\0')
        cli_print_name(file, c->name, whole ? 0 : NAME_COLUMNS);
    else
        fprintf(file, "(unnamed tensor %" PRId32 ")", c->tensor);
}

static void print_numbers(FILE *file, const tq_comparison *c) {
    print_db(file, c->snr_db, 10);
    print_number(file, "%.6f", c->cosine, 11);
    print_number(file, "%.3g", c->mean_difference, 11);
    print_number(file, "%.3f%%", 100 * c->mean_relative_difference, 11);
    print_number(file, "%.3g", c->max_difference, 11);
}

/* --- outputs --- */

static void print_output(FILE *file, const tq_comparison *c, bool whole) {
    if (c->sets != 0)
        print_numbers(file, c);
    else
        fprintf(file, "%54s", "not compared");
    fputs("  ", file);
    print_tensor(file, c, whole);
    if (c->sets != 0) {
        fprintf(file, " %s ", tq_type_name(c->type));
        cli_print_shape(file, c->shape, NULL, c->rank);
    }
    if (c->broken != 0)
        fprintf(file, ", %" PRIu64 " numbers are finite in one model only", c->broken);
    else if (isnan(c->snr_db) && c->sets != 0)
        fprintf(file, ", %" PRIu64 " of %" PRIu64 " differ", c->differing, c->elements);
    putc('\n', file);
}

/* --- layers --- */

static void print_layer(FILE *file, const tq_comparison *c, bool whole) {
    print_db(file, c->snr_db, 10);
    print_db(file, c->local_snr_db, 11);
    print_db(file, c->output_snr_db, 11);
    fprintf(file, "  %4" PRId32 " %s  ", c->op, c->op_name);
    print_tensor(file, c, whole);
    putc('\n', file);
}

struct ranked {
    double alone, local;
    uint32_t index;
};

/* Those that harm most first; NaN last. */
static int by_harm(const void *left, const void *right) {
    const struct ranked *a = left;
    const struct ranked *b = right;
    if (a->alone != b->alone)
        return a->alone < b->alone ? -1 : 1;
    if (a->local != b->local)
        return a->local < b->local ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static double or_exact(double db) {
    return isnan(db) ? (double)INFINITY : db;
}

static void print_worst(const tq_verification *v, uint32_t layers, bool whole, FILE *file) {
    struct ranked *ranked = calloc((size_t)layers + 1, sizeof *ranked);
    tq_comparison c = {.struct_size = sizeof c};
    uint32_t count = 0;
    if (ranked == NULL)
        return;
    for (uint32_t i = 0; tq_get_layer_comparison(v, i, &c) == TQ_OK; i++) {
        const double local = or_exact(c.local_snr_db);
        if (!isinf(local) || local < 0)
            ranked[count++] = (struct ranked){or_exact(c.output_snr_db), local, i};
    }
    qsort(ranked, count, sizeof *ranked, by_harm);
    for (uint32_t i = 0; i < count && i < FEW_LAYERS; i++) {
        if (tq_get_layer_comparison(v, ranked[i].index, &c) == TQ_OK)
            print_layer(file, &c, whole);
    }
    if (count > FEW_LAYERS)
        fprintf(file, "and %" PRIu32 " more with less error (--layers lists all)\n",
                count - FEW_LAYERS);
    free(ranked);
}

static void print_layers(const struct cli_options *options, const tq_verification *v,
                         const tq_verification_info *info, FILE *file) {
    const bool whole = options->verbosity > 0;
    tq_comparison c = {.struct_size = sizeof c};
    if (info->compared_layers == 0 || (info->entry_layer == TQ_NO_INDEX && !options->layers))
        return;
    fprintf(file, "\n%10s%11s%11s  layer%s\n", "SNR", "its own", "alone",
            options->layers ? "" : "s that make an error, most harmful first");
    if (!options->layers) {
        print_worst(v, info->layers, whole, file);
        return;
    }
    for (uint32_t i = 0; tq_get_layer_comparison(v, i, &c) == TQ_OK; i++)
        print_layer(file, &c, whole);
}

/* --- conclusions --- */

static void print_skipped(const tq_verification_info *info, FILE *file) {
    if (info->unmatched + info->other_unmatched != 0)
        fprintf(file,
                "%" PRIu32 " layers of the first model and %" PRIu32
                " of the second have no counterpart.\n",
                info->unmatched, info->other_unmatched);
    if (info->skipped + info->other_skipped != 0)
        fprintf(file,
                "%" PRIu32 " operators of the first model and %" PRIu32
                " of the second were not run",
                info->skipped, info->other_skipped);
    else if (info->refusal[0] != '\0')
        fputs("Not all could be run", file);
    else
        return;
    fputs(": ", file);
    cli_print_name(file, info->refusal, 0);
    fputs(".\n", file);
}

/* Of two kinds of pictures numbers are those of one. */
static void print_range(const tq_verification *v, const tq_verification_info *info, FILE *file) {
    tq_comparison c = {.struct_size = sizeof c};
    if (info->worst_output == TQ_NO_INDEX ||
        tq_get_output_comparison(v, (uint32_t)info->worst_output, &c) != TQ_OK || isnan(c.low) ||
        c.differing == 0)
        return;
    fprintf(
        file,
        "Pictures went from 0 to 1 and from -1 to 1; shown is what is further apart, for the "
        "worst output\nand all layers from %g to %g. --input-range says what the model wants.\n",
        c.low, c.high);
}

static void print_entry(const tq_verification *v, const tq_verification_info *info, bool whole,
                        FILE *file) {
    tq_comparison layer = {.struct_size = sizeof layer}, output = layer;
    if (info->compared_outputs == 0)
        fputs("No output could be compared.\n", file);
    if (info->entry_layer == TQ_NO_INDEX) {
        if (info->compared_outputs != 0 && info->worst_output != TQ_NO_INDEX &&
            tq_get_output_comparison(v, (uint32_t)info->worst_output, &output) == TQ_OK &&
            isinf(output.snr_db) && output.snr_db > 0)
            fputs("All outputs that were compared are the same.\n", file);
        return;
    }
    if (tq_get_layer_comparison(v, (uint32_t)info->entry_layer, &layer) != TQ_OK)
        return;
    fprintf(file, "%s operator %" PRId32 ", %s, '",
            isnan(layer.output_snr_db) ? "The layer with most error of its own is"
                                       : "Most of the error enters at",
            layer.op, layer.op_name);
    cli_print_name(file, layer.name, whole ? 0 : NAME_COLUMNS);
    putc('\'', file);
    if (!isnan(layer.output_snr_db) &&
        tq_get_output_comparison(v, (uint32_t)info->worst_output, &output) == TQ_OK) {
        fputs(": alone it leaves '", file);
        cli_print_name(file, output.name, whole ? 0 : NAME_COLUMNS);
        fputs("' with ", file);
        print_db(file, layer.output_snr_db, 0);
        fputs(", all together with ", file);
        print_db(file, output.snr_db, 0);
    }
    fputs(".\n", file);
}

static void print_verified(const struct cli_options *options, const struct verified *verified,
                           FILE *file) {
    tq_verification_info info = {.struct_size = sizeof info};
    tq_comparison c = {.struct_size = sizeof c};
    const tq_verification *v = verified->verification;
    const bool whole = options->verbosity > 0;
    if (tq_get_verification_info(v, &info) != TQ_OK) {
        fprintf(file, "not compared: %s\n", verified->error.message);
        return;
    }
    fprintf(file, "%10s%11s%11s%11s%11s  output, on %" PRIu32 " inputs\n", "SNR", "cosine",
            "mean diff", "relative", "max diff", info.n_sets);
    for (uint32_t i = 0; tq_get_output_comparison(v, i, &c) == TQ_OK; i++)
        print_output(file, &c, whole);
    print_layers(options, v, &info, file);
    putc('\n', file);
    print_range(v, &info, file);
    print_skipped(&info, file);
    print_entry(v, &info, whole, file);
    if (verified->below)
        fprintf(file, "An output is below %g dB.\n", options->min_snr_db);
}

static void print_paths(FILE *file, const char *what, const char *const *paths, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        fprintf(file, "only in the %s bundle: ", what);
        cli_print_name(file, paths[i], 0);
        putc('\n', file);
    }
}

void verify_print(const struct cli_options *options, const struct verified_all *all, FILE *file) {
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->list[i].path != NULL) {
            fprintf(file, "%smodel ", i != 0 ? "\n" : "");
            cli_print_name(file, all->list[i].path, 0);
            putc('\n', file);
        }
        print_verified(options, &all->list[i], file);
    }
    print_paths(file, "first", all->missing, all->n_missing);
    print_paths(file, "second", all->additional, all->n_additional);
}
