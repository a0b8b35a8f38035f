/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include "thread_runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct quantize_run {
    const struct cli_options *options;
    const char *recipe_name;
    FILE *report_file; /* standard output, unless the model goes there */
    tq_recipe *recipe;
    tq_model *source;
    tq_model *result;
    struct thread_runner *threads;
    tq_error error;
};

static bool names(const char *path, const struct stat *file) {
    struct stat other;
    return stat(path, &other) == 0 && other.st_dev == file->st_dev && other.st_ino == file->st_ino;
}

/* --- where the model goes --- */

/* Whether the model goes to standard output. */
static bool is_stream(const struct cli_options *options) {
    return !options->dry_run && strcmp(options->output, "-") == 0;
}

static int32_t write_all(void *opaque, const void *data, size_t size) {
    const int descriptor = *(const int *)opaque;
    const char *at = data;
    while (size != 0) {
        const ssize_t written = write(descriptor, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        at += written;
        size -= (size_t)written;
    }
    return 0;
}

static tq_status save_stream(struct quantize_run *run, int descriptor,
                             const tq_save_options *save) {
    const tq_sink sink = {.struct_size = sizeof sink, .opaque = &descriptor, .write = write_all};
    /* A reader that goes away is an error to report. */
    signal(SIGPIPE, SIG_IGN);
    return tq_save_sink(run->result, &sink, save, &run->error);
}

/* A pipe or device can't be replaced by renaming a file over it. */
static bool is_special(const char *path) {
    struct stat file;
    return stat(path, &file) == 0 && !S_ISREG(file.st_mode) && !S_ISDIR(file.st_mode);
}

static tq_status save_special(struct quantize_run *run, const tq_save_options *save) {
    const int descriptor = open(run->options->output, O_WRONLY);
    if (descriptor < 0) {
        run->error.status = TQ_ERR_OPEN;
        run->error.system_code = errno;
        snprintf(run->error.message, sizeof run->error.message, "can't be opened for writing");
        return TQ_ERR_OPEN;
    }
    const tq_status status = save_stream(run, descriptor, save);
    close(descriptor);
    return status;
}

static tq_status save(struct quantize_run *run) {
    const struct cli_options *options = run->options;
    struct cli_progress progress;
    tq_save_options save = TQ_SAVE_OPTIONS_INIT;
    tq_status status;
    if (options->force)
        save.flags |= TQ_SAVE_OVERWRITE;
    if (run->threads != NULL)
        save.runner = thread_runner_interface(run->threads);
    save.progress = cli_progress_report;
    save.progress_opaque = &progress;

    cli_progress_start(&progress, options->verbosity >= 0 && isatty(STDERR_FILENO));
    if (options->dry_run)
        status = tq_save_sink(run->result, NULL, &save, &run->error);
    else if (is_stream(options))
        status = save_stream(run, STDOUT_FILENO, &save);
    else if (is_special(options->output))
        status = save_special(run, &save);
    else
        status = tq_save_file(run->result, options->output, &save, &run->error);
    cli_progress_stop(&progress);
    return status;
}

/* --- the steps --- */

static enum cli_exit refuse_output(const struct cli_options *options) {
    struct stat out;
    if (!is_stream(options))
        return CLI_DONE;
    if (isatty(STDOUT_FILENO))
        return cli_usage_error("quantize", "a model is not for a terminal to show; name a file "
                                           "behind -o, or pipe the output somewhere");
    if (fstat(STDOUT_FILENO, &out) == 0 && S_ISREG(out.st_mode) && names(options->input, &out))
        return cli_usage_error("quantize", "standard output is the input file");
    return CLI_DONE;
}

static enum cli_exit unknown_recipe(const struct quantize_run *run) {
    if (run->options->json)
        cli_report_error(run->options, NULL, &run->error, run->report_file);
    else
        fprintf(stderr, "tfquant quantize: there is no recipe '%s'\n", run->options->recipe);
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

static bool is_about_output(tq_status status) {
    return status == TQ_ERR_OPEN || status == TQ_ERR_WRITE || status == TQ_ERR_EXISTS ||
           status == TQ_ERR_SAME_FILE;
}

static tq_report_totals totals_of(const tq_model *model) {
    tq_report_totals totals = {.struct_size = sizeof totals};
    tq_get_report_totals(tq_model_report(model), &totals);
    return totals;
}

static bool is_changed(const tq_model *model) {
    return totals_of(model).changed != 0;
}

/* What a person should not miss among the lines of the report. */
static void warn(const struct quantize_run *run, const struct cli_outcome *outcome,
                 bool unchanged) {
    const tq_report_totals totals = totals_of(run->result);
    const bool larger = !outcome->copies && totals.file_bytes_after > totals.file_bytes_before;
    if (!unchanged && !larger)
        return;
    fputs("tfquant: ", stderr);
    cli_print_name(stderr, run->options->input, 0);
    if (unchanged)
        fprintf(stderr, ": recipe %s changes nothing in it; %s\n", outcome->recipe,
                outcome->written ? "what was written is a copy" : "nothing was written");
    else
        fprintf(stderr, ": recipe %s makes it larger\n", outcome->recipe);
}

static enum cli_exit show(const struct quantize_run *run, const struct cli_outcome *outcome) {
    const struct cli_options *options = run->options;
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

static enum cli_exit quantize(struct quantize_run *run) {
    const struct cli_options *options = run->options;
    struct cli_outcome outcome = {
        .recipe = run->recipe_name,
        .copies = strcmp(run->recipe_name, "none") == 0,
        .target = is_stream(options) ? "standard output" : options->output,
    };
    struct stat file;
    if (cli_load(options, &run->source, &run->error) != TQ_OK)
        return failed(run, options->input);
    if (tq_quantize(run->source, run->recipe, NULL, &run->result, &run->error) != TQ_OK)
        return failed(run, options->input);
    outcome.report = tq_model_report(run->result);
    if (!outcome.copies && !options->dry_run && !is_changed(run->result))
        return show(run, &outcome);

    const bool replaces = !options->dry_run && stat(options->output, &file) == 0;
    const tq_status status = save(run);
    if (status != TQ_OK)
        return failed(run, is_about_output(status) ? outcome.target : options->input);
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
        .recipe_name = options->recipe != NULL ? options->recipe : cli_default_recipe(),
        .report_file = stdout,
        .error = TQ_ERROR_INIT,
    };
    enum cli_exit result = refuse_output(options);
    if (result != CLI_DONE)
        return result;
    if (is_stream(options))
        run.report_file = stderr;
    if (tq_recipe_create(options->recipe, &run.recipe, &run.error) != TQ_OK) {
        if (run.error.status == TQ_ERR_UNKNOWN_RECIPE)
            return unknown_recipe(&run);
        return failed(&run, NULL);
    }
    const uint32_t workers = options->threads != 0 ? options->threads : thread_runner_processors();
    if (workers > 1)
        run.threads = thread_runner_create(workers);
    result = quantize(&run);
    thread_runner_free(run.threads);
    tq_model_free(run.result);
    tq_model_free(run.source);
    tq_recipe_free(run.recipe);
    return result;
}
