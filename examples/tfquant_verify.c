/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "thread_runner.h"

struct verify_run {
    const struct cli_options *options;
    tq_model *reference;
    tq_model *other;
    struct verify_inputs inputs;
    struct verified_all all;
    struct thread_runner *threads; /* NULL: the calling one is all */
    tq_error error;
};

/* --- two models --- */

bool verify_is_below(const tq_comparison *output, double min_snr) {
    return output->sets != 0 && min_snr != 0 && output->snr_db < min_snr; /* no NaN is */
}

static tq_status verify_pair(const struct verify_run *run, tq_model *reference, tq_model *other,
                             struct verified *verified) {
    const struct cli_options *options = run->options;
    struct cli_progress progress;
    tq_verify_options verify = TQ_VERIFY_OPTIONS_INIT;
    verify.n_sets = run->inputs.arrays != NULL ? run->inputs.sets : options->samples;
    verify.inputs = run->inputs.arrays;
    verify.seed = options->seed;
    verify.signature = options->signature;
    verify.low = options->input_range.ends[0];
    verify.high = options->input_range.ends[1];
    verify.runner = thread_runner_interface(run->threads);
    verify.progress = cli_progress_report;
    verify.progress_opaque = &progress;
    verified->error = (tq_error)TQ_ERROR_INIT;

    cli_progress_start(&progress, options->verbosity >= 0 && isatty(STDERR_FILENO), "runs");
    const tq_status status =
        tq_verify(reference, other, &verify, &verified->verification, &verified->error);
    cli_progress_stop(&progress);
    tq_comparison output = {.struct_size = sizeof output};
    for (uint32_t i = 0;
         status == TQ_OK && tq_get_output_comparison(verified->verification, i, &output) == TQ_OK;
         i++)
        verified->below |= verify_is_below(&output, options->min_snr_db);
    return status;
}

/* --- two bundles --- */

struct wanted {
    const char *path;
    tq_model *model; /* that is there */
};

static bool is_wanted(void *opaque, const struct cli_member *member) {
    struct wanted *wanted = opaque;
    if (member->info.kind != TQ_MEMBER_MODEL || strcmp(member->info.path, wanted->path) != 0)
        return false;
    wanted->model = member->model;
    return true;
}

static tq_model *find_model(tq_model *bundle, const char *path) {
    struct wanted wanted = {path, NULL};
    cli_each_member(bundle, is_wanted, &wanted);
    return wanted.model;
}

/* What one pair can't do, others may. */
static bool verify_member(void *opaque, const struct cli_member *member) {
    struct verify_run *run = opaque;
    struct verified_all *all = &run->all;
    if (member->info.kind != TQ_MEMBER_MODEL || member->model == NULL)
        return false;
    tq_model *other = find_model(run->other, member->info.path);
    if (other == NULL) {
        all->missing[all->n_missing++] = member->info.path;
        return false;
    }
    struct verified *verified = &all->list[all->count++];
    verified->path = member->info.path;
    run->error.status = verify_pair(run, member->model, other, verified);
    return run->error.status == TQ_ERR_CANCELLED;
}

static bool note_additional(void *opaque, const struct cli_member *member) {
    struct verify_run *run = opaque;
    if (member->info.kind == TQ_MEMBER_MODEL &&
        find_model(run->reference, member->info.path) == NULL)
        run->all.additional[run->all.n_additional++] = member->info.path;
    return false;
}

/* --- the steps --- */

static bool make_room(struct verify_run *run, uint32_t count) {
    struct verified_all *all = &run->all;
    all->list = calloc(count, sizeof *all->list);
    all->missing = calloc(count, sizeof *all->missing);
    all->additional = calloc(count, sizeof *all->additional);
    if (all->list != NULL && all->missing != NULL && all->additional != NULL)
        return true;
    run->error.status = TQ_ERR_OUT_OF_MEMORY;
    snprintf(run->error.message, sizeof run->error.message, "out of memory");
    return false;
}

static bool count_model(void *opaque, const struct cli_member *member) {
    uint32_t *count = opaque;
    *count += member->info.kind == TQ_MEMBER_MODEL;
    return false;
}

static enum cli_exit failed(const struct verify_run *run, const char *path, const tq_error *error) {
    cli_report_error(run->options, path, error, stdout);
    if (error->status == TQ_ERR_CANCELLED)
        cli_end_if_interrupted();
    return CLI_ERROR;
}

/* What a person should know even if nothing is printed. */
static enum cli_exit conclude(const struct verify_run *run) {
    enum cli_exit result = CLI_DONE;
    uint32_t compared = 0;
    for (uint32_t i = 0; i < run->all.count; i++) {
        const struct verified *verified = &run->all.list[i];
        tq_verification_info info = {.struct_size = sizeof info, .refusal = ""};
        tq_get_verification_info(verified->verification, &info);
        compared += info.compared_outputs;
        if (verified->below && result == CLI_DONE)
            result = CLI_TOO_FAR;
        if (verified->verification == NULL)
            result =
                cli_report_error(&(struct cli_options){.command_name = run->options->command_name},
                                 verified->path, &verified->error, stdout);
    }
    if (compared == 0 && result == CLI_DONE) {
        fputs("tfquant: no output could be compared\n", stderr);
        result = CLI_ERROR;
    }
    return result;
}

static enum cli_exit show(const struct verify_run *run) {
    const struct cli_options *options = run->options;
    if (options->json)
        verify_json(options, &run->all, stdout);
    else if (options->verbosity >= 0)
        verify_print(options, &run->all, stdout);
    return cli_finish_output(stdout, conclude(run));
}

static enum cli_exit verify(struct verify_run *run) {
    const struct cli_options *options = run->options;
    struct cli_options for_other = *options;
    for_other.input = options->other;
    if (cli_load(options, &run->reference, &run->error) != TQ_OK)
        return failed(run, options->input, &run->error);
    if (cli_load(&for_other, &run->other, &run->error) != TQ_OK)
        return failed(run, options->other, &run->error);
    const bool bundle = cli_format(run->reference) != TQ_FORMAT_TFLITE;
    if (bundle != (cli_format(run->other) != TQ_FORMAT_TFLITE)) {
        run->error.status = TQ_ERR_INVALID_ARGUMENT;
        snprintf(run->error.message, sizeof run->error.message,
                 "one is a bundle, the other a model: 'tfquant inspect --extract' gets a model out "
                 "of a bundle");
        return failed(run, options->other, &run->error);
    }
    if (options->inputs != NULL && bundle)
        return cli_usage_error(
            options->command_name,
            "--input is for single models: 'tfquant inspect --extract' gets them "
            "out of a bundle");
    if (verify_read_inputs(options, run->reference, &run->inputs, &run->error) != TQ_OK)
        return failed(run, run->inputs.culprit, &run->error);
    uint32_t count = 1;
    cli_each_member(run->reference, count_model, &count);
    cli_each_member(run->other, count_model, &count);
    if (!make_room(run, count))
        return failed(run, NULL, &run->error);
    run->all.format = cli_format(run->reference);
    if (!bundle) {
        struct verified *only = &run->all.list[run->all.count++];
        if (verify_pair(run, run->reference, run->other, only) != TQ_OK)
            return failed(run, options->other, &only->error);
    } else {
        if (cli_each_member(run->reference, verify_member, run))
            return failed(run, options->other, &run->all.list[run->all.count - 1].error);
        cli_each_member(run->other, note_additional, run);
    }
    return show(run);
}

enum cli_exit cli_verify(const struct cli_options *options) {
    struct verify_run run = {.options = options, .error = TQ_ERROR_INIT};
    run.threads = thread_runner_for(options->threads);
    const enum cli_exit result = verify(&run);
    thread_runner_free(run.threads);
    for (uint32_t i = 0; i < run.all.count; i++)
        tq_verification_free(run.all.list[i].verification);
    free(run.all.list);
    free(run.all.missing);
    free(run.all.additional);
    verify_inputs_free(&run.inputs);
    tq_model_free(run.other);
    tq_model_free(run.reference);
    return result;
}
