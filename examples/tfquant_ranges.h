/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics for the rules of 'check' that ask what values tensors reach to. */
#ifndef TFQUANT_EXAMPLES_TFQUANT_RANGES_H
#define TFQUANT_EXAMPLES_TFQUANT_RANGES_H

#include "tfquant_cli.h"

/* What was measured of a model; of one without data there is one for each entry point. */
struct cli_range_source {
    const char *path; /* of the member, the bundle's own; of a .tflite "" */
    uint32_t subgraph;
    uint64_t sets;   /* of --data; 0: synthetic inputs */
    tq_stats *stats; /* NULL: there are none */
    bool owned;
    uint32_t operators, refused; /* that can't be run */
    char reason[256];            /* why not, or why the first refused one can't; "": all is well */
};

struct cli_ranges {
    struct cli_data data;
    struct cli_range_source *sources;
    uint32_t count, capacity;
    tq_stats **stats; /* for the library */
    uint32_t n_stats;
};

/* Runs the models in `model` on --data, and for the target int8-only those without on synthetic
 * inputs; what of that can't be is noted. It outlives `model`, but for paths. Free it either way.
 * An error is about --data, or lack of memory. */
tq_status cli_measure_ranges(const struct cli_options *options, tq_model *model, uint32_t target,
                             const tq_runner *runner, struct cli_ranges *ranges, tq_error *error);
void cli_ranges_free(struct cli_ranges *ranges);

/* A line for each source. */
void cli_print_ranges(FILE *file, const struct cli_ranges *ranges);
/* The key ranges of an object that is open. */
void cli_json_ranges(struct json_out *json, const struct cli_ranges *ranges);

#endif
