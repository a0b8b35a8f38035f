/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_mend.h"
#include "tfquant_output.h"
#include "thread_runner.h"

#include <sys/stat.h>
#include <unistd.h>

struct quantize_run {
    const struct cli_options *options;
    FILE *report_file; /* standard output, unless the model goes there */
    struct cli_choices choices;
    struct cli_data data;
    tq_model *loaded;
    tq_model *mended; /* NULL: it was not */
    tq_model *source; /* of the two the one that is quantized */
    tq_model *result;
    tq_findings *found; /* of the result; NULL: not known */
    struct thread_runner *threads;
    tq_error error;
};

/* --- where the model goes --- */

/* Whether the model goes to standard output. */
static bool is_stream(const struct cli_options *options) {
    return !options->dry_run && is_stdout(options->output);
}

static int32_t write_all(void *opaque, const void *data, size_t size) {
    return output_write(opaque, data, size);
}

static tq_status save_stream(struct quantize_run *run, const tq_save_options *save) {
    struct output output;
    const tq_sink sink = {.struct_size = sizeof sink, .opaque = &output, .write = write_all};
    const char *path = run->options->output;
    tq_status status = output_open(&output, path, false, run->options->input, &run->error);
    if (status != TQ_OK)
        return status;
    status = tq_save_sink(run->result, &sink, save, &run->error);
    if (status == TQ_OK)
        return output_commit(&output, &run->error);
    output_abort(&output);
    return status;
}

static bool shows_progress(const struct cli_options *options) {
    return options->verbosity >= 0 && isatty(STDERR_FILENO);
}

static tq_status save(struct quantize_run *run) {
    const struct cli_options *options = run->options;
    struct cli_progress progress;
    tq_save_options save = TQ_SAVE_OPTIONS_INIT;
    tq_status status;
    if (options->force)
        save.flags |= TQ_SAVE_OVERWRITE;
    save.runner = thread_runner_interface(run->threads);
    save.progress = cli_progress_report;
    save.progress_opaque = &progress;

    cli_progress_start(&progress, shows_progress(options), NULL);
    if (options->dry_run)
        status = tq_save_sink(run->result, NULL, &save, &run->error);
    else if (is_stream(options) || is_special(options->output))
        status = save_stream(run, &save);
    else
        status = tq_save_file(run->result, options->output, &save, &run->error);
    cli_progress_stop(&progress);
    return status;
}

/* --- checks --- */

static tq_check_options check_options(const struct quantize_run *run) {
    tq_check_options check = TQ_CHECK_OPTIONS_INIT;
    check.target = run->options->target;
    check.flags = TQ_CHECK_GRAPH; /* reading all weights would take as long as converting them */
    return check;
}

/* Whether any of the recipes is to leave its models as they are. */
static bool any_copies(const struct cli_choices *choices) {
    if (cli_copies(choices->rest.recipe_name))
        return true;
    for (uint32_t i = 0; i < choices->count; i++)
        if (cli_copies(choices->members[i].recipe_name))
            return true;
    return false;
}

static bool is_short_of_memory(tq_status status) {
    return status == TQ_ERR_MEMORY_LIMIT || status == TQ_ERR_OUT_OF_MEMORY;
}

/* Cures what the target would refuse, as far as that can be done. Where there is nothing to cure,
 * the model stays as it is to the last bit. */
static tq_status mend(struct quantize_run *run) {
    const tq_check_options check = check_options(run);
    tq_findings *findings = NULL;
    run->source = run->loaded;
    if (run->options->no_rewrite || any_copies(&run->choices))
        return TQ_OK;
    tq_status status = tq_check(run->loaded, &check, &findings, &run->error);
    if (status == TQ_OK)
        status = cli_mend(run->loaded, &check, TQ_SEVERITY_WARNING, &findings, &run->mended,
                          &run->error);
    tq_findings_free(findings);
    if (run->mended != NULL)
        run->source = run->mended;
    return is_short_of_memory(status) ? TQ_OK : status;
}

/* --- the steps --- */

static enum cli_exit refuse_output(const struct cli_options *options) {
    if (!is_stream(options))
        return CLI_DONE;
    if (isatty(STDOUT_FILENO))
        return cli_usage_error("quantize", "a model is not for a terminal to show; name a file "
                                           "behind -o, or pipe the output somewhere");
    if (stdout_is_file(options->input))
        return cli_usage_error("quantize", "standard output is the input file");
    return CLI_DONE;
}

static enum cli_exit unknown_recipe(const struct quantize_run *run, const char *name) {
    if (run->options->json)
        cli_report_error(run->options, NULL, &run->error, run->report_file);
    else
        fprintf(stderr, "tfquant quantize: there is no recipe '%s'\n", name);
    if (run->options->json && run->report_file == stderr)
        return CLI_USAGE;
    fputs("Known recipes: ", stderr);
    cli_print_recipe_names(stderr);
    fputs(". 'tfquant recipes' describes them.\n", stderr);
    return CLI_USAGE;
}

static enum cli_exit failed(const struct quantize_run *run, const char *path) {
    const struct cli_options *options = run->options;
    cli_report_error(options, path, &run->error, run->report_file);
    if (run->error.status == TQ_ERR_EXISTS && !options->json)
        fputs("Add -f to replace it.\n", stderr);
    if (run->error.status == TQ_ERR_CANCELLED)
        cli_end_if_interrupted();
    return CLI_ERROR;
}

static bool is_changed(tq_model *model) {
    return cli_totals(model).changed != 0 || cli_count_edits(model) != 0;
}

/* What a person should not miss among the lines of the report. */
static void warn(const struct quantize_run *run, const struct cli_outcome *outcome,
                 bool unchanged) {
    const tq_report_totals totals = cli_totals(run->result);
    const bool larger = !outcome->copies && totals.file_bytes_after > totals.file_bytes_before;
    const bool several = outcome->choices->count != 0;
    if (totals.goal == TQ_GOAL_MISSED) {
        fputs("tfquant: ", stderr);
        cli_print_name(stderr, run->options->input, 0);
        fputs(": the goal is missed; nearer to it was not possible\n", stderr);
    }
    if (!unchanged && !larger)
        return;
    fputs("tfquant: ", stderr);
    cli_print_name(stderr, run->options->input, 0);
    fputs(": ", stderr);
    if (several)
        fputs("what --recipe and --member ask for", stderr);
    else
        fprintf(stderr, "recipe %s", outcome->recipe);
    if (unchanged)
        fprintf(stderr, " changes nothing in it; %s\n",
                outcome->written ? "what was written is a copy" : "nothing was written");
    else
        fputs(" makes it larger\n", stderr);
}

static enum cli_exit show(struct quantize_run *run, struct cli_outcome *outcome) {
    const struct cli_options *options = run->options;
    const tq_check_options check = check_options(run);
    tq_error ignored = TQ_ERROR_INIT; /* what is written is whole without it */
    if (tq_check(run->result, &check, &run->found, &ignored) == TQ_OK)
        outcome->found = run->found;
    const bool unchanged = !outcome->copies && !is_changed(run->result);
    if (options->json)
        cli_json_report(options, outcome, run->report_file);
    else if (options->verbosity >= 0)
        cli_print_report(options, outcome, run->report_file);
    const enum cli_exit result =
        cli_finish_output(run->report_file, unchanged ? CLI_UNCHANGED : CLI_DONE);
    if (options->verbosity >= 0 && !(options->json && run->report_file == stderr))
        warn(run, outcome, unchanged);
    return result;
}

static bool is_to_be_changed(void *opaque, const struct cli_member *member) {
    const struct cli_choices *choices = opaque;
    return member->info.kind == TQ_MEMBER_MODEL &&
           !cli_copies(cli_chosen(choices, member->info.path));
}

/* Whether the recipes ask for no change of any model. */
static bool only_copies(const struct cli_outcome *outcome, struct cli_choices *choices) {
    if (choices->count == 0 || cli_format(outcome->result) == TQ_FORMAT_TFLITE)
        return cli_copies(outcome->recipe);
    return !cli_each_member(outcome->result, is_to_be_changed, choices);
}

/* In bytes, of the whole file; 0: none. */
static uint64_t target_size(const struct quantize_run *run) {
    const struct cli_target_size *size = &run->options->target_size;
    tq_model_info info = {.struct_size = sizeof info};
    if (size->percent == 0 || tq_get_model_info(run->source, &info) != TQ_OK)
        return size->bytes;
    const uint64_t bytes = (uint64_t)((double)info.file_size * size->percent / 100);
    return bytes != 0 ? bytes : 1;
}

static tq_status make_result(struct quantize_run *run) {
    const struct cli_options *options = run->options;
    struct cli_progress progress;
    tq_quantize_options quantize = TQ_QUANTIZE_OPTIONS_INIT;
    if (options->keep_storage)
        quantize.flags |= TQ_QUANTIZE_KEEP_STORAGE;
    quantize.member_recipes = run->choices.member_recipes;
    quantize.n_member_recipes = run->choices.count;
    quantize.effort = options->effort;
    quantize.target = options->target;
    quantize.stats = run->data.stats;
    quantize.n_stats = run->data.count;
    quantize.target_size = target_size(run);
    quantize.min_snr_db = options->min_snr_db;
    quantize.runner = thread_runner_interface(run->threads);
    quantize.progress = cli_progress_report;
    quantize.progress_opaque = &progress;

    cli_progress_start(&progress, shows_progress(options), "steps");
    const tq_status status =
        tq_quantize(run->source, run->choices.rest.recipe, &quantize, &run->result, &run->error);
    cli_progress_stop(&progress);
    return status;
}

/* What may be wrong is that a pattern fits no model: names some. */
static enum cli_exit failed_for_models(const struct quantize_run *run) {
    failed(run, run->options->input);
    if (run->error.status == TQ_ERR_INVALID_ARGUMENT && !run->options->json &&
        cli_format(run->source) != TQ_FORMAT_TFLITE)
        cli_suggest(run->source, "", true);
    return CLI_ERROR;
}

static enum cli_exit quantize(struct quantize_run *run) {
    const struct cli_options *options = run->options;
    struct cli_outcome outcome = {
        .choices = &run->choices,
        .data = &run->data,
        .target = is_stream(options) ? "standard output" : options->output,
    };
    struct stat file;
    if (cli_load(options, &run->loaded, &run->error) != TQ_OK || mend(run) != TQ_OK)
        return failed(run, options->input);
    if (cli_gather(options, run->source, thread_runner_interface(run->threads), &run->data,
                   &run->error) != TQ_OK)
        return run->data.culprit != NULL ? failed(run, run->data.culprit) : failed_for_models(run);
    if (make_result(run) != TQ_OK)
        return failed_for_models(run);
    outcome.result = run->result;
    outcome.recipe = cli_format(run->result) == TQ_FORMAT_TFLITE ? cli_chosen(&run->choices, "")
                                                                 : run->choices.rest.recipe_name;
    outcome.copies = only_copies(&outcome, &run->choices);
    if (!outcome.copies && !options->dry_run && !is_changed(run->result))
        return show(run, &outcome);

    const bool replaces = !options->dry_run && stat(options->output, &file) == 0;
    const tq_status status = save(run);
    if (status != TQ_OK)
        return failed(run, cli_is_about_output(status) ? outcome.target : options->input);
    outcome.written = !options->dry_run;
    if (outcome.written && !outcome.copies && !replaces && !is_stream(options) &&
        !is_changed(run->result)) {
        /* Every constant turned out not to be encodable, which only converting them shows. */
        unlink(options->output);
        outcome.written = false;
    }
    return show(run, &outcome);
}

enum cli_exit cli_quantize(const struct cli_options *options) {
    struct quantize_run run = {
        .options = options,
        .report_file = is_stream(options) ? stderr : stdout,
        .error = TQ_ERROR_INIT,
    };
    const char *culprit;
    enum cli_exit result = refuse_output(options);
    if (result != CLI_DONE)
        return result;
    if (cli_choose(options, &run.choices, &culprit, &run.error) == TQ_OK) {
        run.threads = thread_runner_for(options->threads);
        result = quantize(&run);
    } else if (run.error.status == TQ_ERR_UNKNOWN_RECIPE) {
        result = unknown_recipe(&run, culprit);
    } else {
        result = failed(&run, cli_is_recipe_file(culprit) ? culprit : NULL);
    }
    thread_runner_free(run.threads);
    tq_model_free(run.result);
    cli_data_free(&run.data);
    tq_findings_free(run.found);
    tq_model_free(run.mended);
    tq_model_free(run.loaded);
    cli_choices_free(&run.choices);
    return result;
}
