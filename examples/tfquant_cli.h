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
    CLI_TOO_FAR = 3, /* by 'verify' */
    CLI_FOUND = 3,   /* by 'check' */
};

enum cli_command {
    CLI_QUANTIZE = 1 << 0,
    CLI_INSPECT = 1 << 1,
    CLI_RECIPES = 1 << 2,
    CLI_VERIFY = 1 << 3,
    CLI_CHECK = 1 << 4,
    CLI_REWRITE = 1 << 5,
};

/* What an option that may be given several times was given, in order. */
struct cli_list {
    const char **items;
    uint32_t count;
};

struct cli_target_size {
    uint64_t bytes; /* 0: not given as such */
    double percent; /* of the input; 0: not given as such */
};

struct cli_range {
    double ends[2];
    bool is_given;
};

struct cli_options {
    enum cli_command command;
    const char *command_name;
    const char *input;
    const char *other;              /* the second model of 'verify' */
    const char *output;             /* NULL: not given; "-": standard output */
    const char *recipe;             /* NULL: not given */
    const char *extract;            /* path of the member to extract; NULL: not given */
    struct cli_list member_recipes; /* "PATTERN=RECIPE" */
    struct cli_list data;           /* "FOLDER" or "PATTERN=FOLDER" */
    struct cli_range input_range;   /* of uint8 data, and of synthetic pictures */
    struct cli_target_size target_size;
    double min_snr_db;        /* 0: not given */
    uint32_t effort;          /* TQ_EFFORT_... */
    uint32_t target;          /* TQ_TARGET_... */
    uint32_t samples;         /* 0: not given */
    uint32_t seed;            /* 0: not given */
    const char *check_target; /* name; NULL: not given */
    const char *runtime;      /* release that is not to be gone beyond; NULL: not given */
    const char *only;         /* names of rewrites; NULL: not given */
    const char *inputs;       /* folder or file; NULL: synthetic ones */
    const char *signature;    /* NULL: not given */
    uint32_t threads;         /* 0: one for each processor */
    uint64_t max_memory;
    uint64_t max_output;
    int verbosity; /* -1 for -q, 1 for -v, 2 for -vv */
    bool json;
    bool dry_run;
    bool force;
    bool keep_storage;
    bool layers; /* all of them */
    bool list;
    bool fix;
    bool no_rewrite;
    bool help;
};

/* Sets `options` from the words behind the command. false: it was wrong, and that is printed. */
bool cli_parse(struct cli_options *options, int count, char **words);
void cli_options_free(struct cli_options *options);
/* One line on what is wrong and one on where help is; returns CLI_USAGE. `command` may be NULL. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
enum cli_exit
cli_usage_error(const char *command, const char *format, ...);

enum cli_exit cli_quantize(const struct cli_options *options);
enum cli_exit cli_inspect(const struct cli_options *options);
enum cli_exit cli_recipes(const struct cli_options *options);
enum cli_exit cli_verify(const struct cli_options *options);
enum cli_exit cli_check(const struct cli_options *options);
enum cli_exit cli_rewrite(const struct cli_options *options);

/* Every model is opened here. */
tq_status cli_load(const struct cli_options *options, tq_model **model, tq_error *error);

/* --- lists --- */

struct cli_listed {
    const char *name, *summary;
    bool is_default;
};

struct cli_listing {
    const char *key;                                        /* in JSON */
    const char *if_default, *if_not;                        /* behind the summary */
    bool (*get)(uint32_t index, struct cli_listed *listed); /* false: there is none */
};

enum cli_exit cli_list(const struct cli_options *options, const struct cli_listing *listing);

/* --- recipes --- */

/* false: there is no recipe of this index. */
bool cli_recipe(uint32_t index, tq_recipe_info *info);
/* The recipe that runs when none is named. */
const char *cli_default_recipe(void);
void cli_print_recipe_names(FILE *file);

/* Whether what stands behind --recipe is a file, rather than the name of a built-in recipe. */
bool cli_is_recipe_file(const char *recipe);
/* By name or out of a file; NULL: the default one. */
tq_status cli_make_recipe(const char *name, tq_recipe **recipe, tq_error *error);

/* What the options say to do to which model. */
struct cli_choice {
    char *pattern;           /* NULL: for models that no other pattern fits */
    const char *recipe_name; /* for reports: a file's path, unless there is a name in it */
    tq_recipe *recipe;
};
struct cli_choices {
    struct cli_choice rest;
    struct cli_choice *members;
    tq_member_recipe *member_recipes; /* the same for the library */
    uint32_t count;                   /* of both */
};
/* Free it either way. After a failure `*culprit` is the name or path of the recipe. */
tq_status cli_choose(const struct cli_options *options, struct cli_choices *choices,
                     const char **culprit, tq_error *error);
void cli_choices_free(struct cli_choices *choices);
/* Whether a pattern of --member or --data fits the path of a member. */
bool cli_fits(const char *pattern, const char *path);
/* Name of the recipe for the model at this path; that of a .tflite is "". */
const char *cli_chosen(const struct cli_choices *choices, const char *path);
/* Whether a recipe is the one that changes nothing. */
bool cli_copies(const char *recipe);

/* --- data --- */

struct cli_data_model {
    const char *path; /* of the member, the bundle's own; of a .tflite "" */
    uint64_t sets;    /* of inputs that it ran on */
};
struct cli_data {
    struct cli_data_model *models;
    tq_stats **stats; /* of the same models, for the library */
    uint32_t count;
    struct data_sets *files; /* of the model last run */
    const char *culprit;     /* path that a failure was about; NULL: none */
};
/* Runs the models on the sets that --data names; without a runner in one thread. Free it either
 * way. TQ_ERR_INVALID_ARGUMENT without culprit: what --data says does not go with the models that
 * there are. */
tq_status cli_gather(const struct cli_options *options, tq_model *model, const tq_runner *runner,
                     struct cli_data *data, tq_error *error);
void cli_data_free(struct cli_data *data);
/* Sets that the model at this path ran on, 0 where it was given none; NULL: all models together. */
uint64_t cli_data_sets(const struct cli_data *data, const char *path);

/* --- members of bundles --- */

struct cli_member {
    tq_model *bundle; /* that it is directly in */
    uint32_t index;
    unsigned depth;  /* 0: in the outermost bundle */
    tq_model *model; /* or bundle; NULL: neither */
    tq_member_info info;
};
/* Returns whether to stop. */
typedef bool (*cli_member_visit)(void *opaque, const struct cli_member *member);
/* All members, those of a bundle right behind it. Returns whether a visit stopped it. */
bool cli_each_member(tq_model *bundle, cli_member_visit visit, void *opaque);
/* false: `index` is not there. */
bool cli_member(tq_model *bundle, uint32_t index, struct cli_member *member);

/* A .tflite counts as one model. */
struct cli_model_count {
    uint32_t models;
    uint32_t changed;
};
struct cli_model_count cli_count_models(tq_model *model);

/* One line on standard error that names a few members, those most like `wanted` first. */
void cli_suggest(tq_model *bundle, const char *wanted, bool only_models);

uint32_t cli_format(const tq_model *model);      /* TQ_FORMAT_... */
const char *cli_format_name(uint32_t format);    /* "zip" */
const char *cli_format_text(uint32_t format);    /* "ZIP archive" */
const char *cli_member_kind_name(uint32_t kind); /* "model" */

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
/* Whether what failed is writing the output, rather than reading the input. */
bool cli_is_about_output(tq_status status);
/* Opens the object that each command prints with --json. */
void cli_json_begin(struct json_out *json, const struct cli_options *options, FILE *file);
void cli_json_end(struct json_out *json);
/* `result`, or CLI_ERROR if what was printed did not all arrive. */
enum cli_exit cli_finish_output(FILE *file, enum cli_exit result);

/* --- the report of a quantized model or bundle --- */

struct cli_outcome {
    tq_model *result;
    const struct cli_choices *choices;
    const struct cli_data *data;
    const char *recipe; /* of a .tflite, or of a bundle's models that have none of their own */
    const char *target; /* for people: the path, or "standard output" */
    const tq_findings *found; /* of the result, for its target; NULL: not checked */
    bool copies;              /* all models are only to be copied */
    bool written;
};
void cli_print_report(const struct cli_options *options, const struct cli_outcome *outcome,
                      FILE *file);
void cli_json_report(const struct cli_options *options, const struct cli_outcome *outcome,
                     FILE *file);
tq_report_totals cli_totals(const tq_model *model);
/* The lines on what running the model showed, of those that mean something. */
void cli_print_run(const struct cli_options *options, const tq_model *model, uint64_t data_sets,
                   FILE *file);
const char *cli_goal_name(uint32_t goal); /* "reached" */

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

/* --- what a model or bundle holds --- */

/* `name` stands for the model, and `verbosity` above 0 adds every tensor and operator. */
void cli_print_model(const tq_model *model, const char *name, int verbosity, FILE *file);
/* "1 subgraph, 64 operators; FLOAT16 2.10 MiB, INT32 64 B" */
void cli_print_model_summary(const tq_model *model, FILE *file);
/* The keys of an object that is open. */
void cli_json_model(struct json_out *json, const tq_model *model);

void cli_print_bundle(const struct cli_options *options, tq_model *bundle, FILE *file);
void cli_json_bundle(struct json_out *json, tq_model *bundle);
void cli_json_member(struct json_out *json, const struct cli_member *member);

/* Writes the member that the options name. */
enum cli_exit cli_extract(const struct cli_options *options, tq_model *bundle);
/* CLI_DONE, or what is wrong with extracting to where the options say. */
enum cli_exit cli_extract_check(const struct cli_options *options);

/* --- progress and Ctrl-C --- */

struct cli_progress {
    bool show;
    const char *unit; /* "steps"; NULL: bytes */
    int width;        /* of what is on the line */
    uint64_t last_ms;
};
/* From here until cli_progress_stop(), Ctrl-C makes cli_progress_report() cancel. `unit` is what
 * it counts, NULL: bytes. */
void cli_progress_start(struct cli_progress *progress, bool show, const char *unit);
int32_t cli_progress_report(void *progress, uint64_t done, uint64_t total);
/* Ends the program the way the signal would have, if there was one. */
void cli_progress_stop(struct cli_progress *progress);
void cli_end_if_interrupted(void);

#endif
