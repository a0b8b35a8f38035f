/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the program `tfquant` share. */
#ifndef TFQUANT_EXAMPLES_TFQUANT_CLI_H
#define TFQUANT_EXAMPLES_TFQUANT_CLI_H

#include "json_out.h"

#include <tfquant/tfquant.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum cli_exit {
    CLI_DONE = 0,
    CLI_ERROR = 1,
    CLI_USAGE = 2,
    CLI_UNCHANGED = 3,
};

enum cli_command {
    CLI_QUANTIZE = 1 << 0,
    CLI_INSPECT = 1 << 1,
    CLI_RECIPES = 1 << 2,
};

struct cli_options {
    enum cli_command command;
    const char *command_name;
    const char *input;
    const char *output; /* NULL: not given; "-": standard output */
    const char *recipe; /* NULL: not given */
    uint32_t threads;   /* 0: one for each processor */
    uint64_t max_memory;
    int verbosity; /* -1 for -q, 1 for -v */
    bool json;
    bool dry_run;
    bool force;
    bool help;
};

/* Sets `options` from the words behind the command. false: it was wrong, and that is printed. */
bool cli_parse(struct cli_options *options, int count, char **words);
/* One line on what is wrong and one on where help is; returns CLI_USAGE. `command` may be NULL. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
enum cli_exit
cli_usage_error(const char *command, const char *format, ...);

enum cli_exit cli_quantize(const struct cli_options *options);
enum cli_exit cli_inspect(const struct cli_options *options);
enum cli_exit cli_recipes(const struct cli_options *options);

/* Every model is opened here. */
tq_status cli_load(const struct cli_options *options, tq_model **model, tq_error *error);

/* --- recipes --- */

/* false: there is no recipe of this index. */
bool cli_recipe(uint32_t index, tq_recipe_info *info);
/* The recipe that runs when none is named. */
const char *cli_default_recipe(void);
void cli_print_recipe_names(FILE *file);

/* --- text --- */

/* "256 B", "144.00 KiB" */
struct cli_size {
    char text[24];
};
struct cli_size cli_format_size(uint64_t bytes);

/* "[1, 224, 224, 3]"; "?" where `signature` (or NULL) says that a dimension is dynamic. */
void cli_print_shape(FILE *file, const int32_t *shape, const int32_t *signature, uint32_t rank);
/* A name out of a model, harmless to a terminal; cut at `columns` unless that is 0. */
void cli_print_name(FILE *file, const char *name, uint32_t columns);
/* Tells FLOAT32, FLOAT16 and the like from all other types. */
bool cli_is_float(int32_t type);

/* "tfquant: PATH: what happened (TQ_ERR_CORRUPT at byte 12, subgraph 0)" on standard error, with
 * --json also an object on `json_file`; returns CLI_ERROR. */
enum cli_exit cli_report_error(const struct cli_options *options, const char *path,
                               const tq_error *error, FILE *json_file);
/* Opens the object that each command prints with --json. */
void cli_json_begin(struct json_out *json, const struct cli_options *options, FILE *file);
void cli_json_end(struct json_out *json);
/* `result`, or CLI_ERROR if what was printed did not all arrive. */
enum cli_exit cli_finish_output(FILE *file, enum cli_exit result);

/* --- the report of a quantized model --- */

struct cli_outcome {
    const tq_report *report;
    const char *recipe;
    const char *target; /* for people: the path, or "standard output" */
    bool copies;        /* the recipe is one that changes nothing */
    bool written;
};
void cli_print_report(const struct cli_options *options, const struct cli_outcome *outcome,
                      FILE *file);
void cli_json_report(const struct cli_options *options, const struct cli_outcome *outcome,
                     FILE *file);

/* Float data that the result still has, by the reason for it, largest first. */
enum { CLI_REASONS = 32 };
struct cli_kept {
    uint32_t reason;
    uint32_t constants;
    uint64_t bytes;
};
struct cli_kept_list {
    struct cli_kept items[CLI_REASONS];
    uint32_t count;
};
void cli_kept_float(const tq_report *report, struct cli_kept_list *kept);

void cli_inspect_print(const struct cli_options *options, const tq_model *model, FILE *file);
void cli_inspect_json(const struct cli_options *options, const tq_model *model, FILE *file);

/* --- progress and Ctrl-C --- */

struct cli_progress {
    bool show;
    int width; /* of what is on the line */
    uint64_t last_ms;
};
/* From here until cli_progress_stop(), Ctrl-C makes cli_progress_report() cancel. */
void cli_progress_start(struct cli_progress *progress, bool show);
int32_t cli_progress_report(void *progress, uint64_t done, uint64_t total);
/* Ends the program the way the signal would have, if there was one. */
void cli_progress_stop(struct cli_progress *progress);
void cli_end_if_interrupted(void);

#endif
