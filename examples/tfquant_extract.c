/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include "tfquant_output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- which member --- */

struct search {
    const char *path;
    struct cli_member member;
};

static bool is_wanted(void *opaque, const struct cli_member *member) {
    struct search *search = opaque;
    if (strcmp(member->info.path, search->path) != 0)
        return false;
    search->member = *member;
    return true;
}

static tq_status wrong_member(tq_error *error, const char *path, const char *what) {
    error->status = TQ_ERR_INVALID_ARGUMENT;
    snprintf(error->message, sizeof error->message, "%s '%.100s'", what, path);
    return error->status;
}

static tq_status find_member(tq_model *bundle, struct search *search, tq_error *error) {
    if (cli_format(bundle) == TQ_FORMAT_TFLITE)
        return wrong_member(error, search->path, "it is a single model, without a member");
    if (!cli_each_member(bundle, is_wanted, search))
        return wrong_member(error, search->path, "there is no member");
    if (search->member.info.kind == TQ_MEMBER_DIRECTORY)
        return wrong_member(error, search->path, "nothing to extract from the directory");
    return TQ_OK;
}

/* --- where it goes --- */

struct extraction {
    struct output output;
    struct cli_progress progress;
    uint64_t done;
    uint64_t total;
};

static int32_t take(void *opaque, const void *data, size_t size) {
    struct extraction *run = opaque;
    if (cli_progress_report(&run->progress, run->done, run->total) != 0)
        return ECANCELED;
    run->done += size;
    return output_write(&run->output, data, size);
}

static tq_status extract(const struct cli_options *options, const struct cli_member *member,
                         tq_error *error) {
    struct extraction run = {.total = member->info.size};
    const tq_sink sink = {.struct_size = sizeof sink, .opaque = &run, .write = take};
    cli_progress_start(&run.progress, isatty(STDERR_FILENO), NULL);
    tq_status status =
        output_open(&run.output, options->output, options->force, options->input, error);
    if (status == TQ_OK) {
        status = tq_extract_member(member->bundle, member->index, &sink, error);
        if (status == TQ_OK)
            status = output_commit(&run.output, error);
        else
            output_abort(&run.output);
    }
    cli_progress_stop(&run.progress);
    if (status == TQ_ERR_WRITE && error->system_code == ECANCELED) {
        *error = (tq_error)TQ_ERROR_INIT;
        error->status = status = TQ_ERR_CANCELLED;
        snprintf(error->message, sizeof error->message, "cancelled");
    }
    return status;
}

static void json_extracted(const struct cli_options *options, const struct cli_member *member,
                           FILE *file) {
    struct json_out json;
    cli_json_begin(&json, options, file);
    json_put_string(&json, "input", options->input);
    json_put_string(&json, "output", options->output != NULL ? options->output : "-");
    json_key(&json, "extracted");
    json_open(&json, '{');
    cli_json_member(&json, member);
    json_close(&json, '}');
    cli_json_end(&json);
}

enum cli_exit cli_extract_check(const struct cli_options *options) {
    if (options->extract == NULL || !is_stdout(options->output))
        return CLI_DONE;
    if (isatty(STDOUT_FILENO))
        return cli_usage_error("inspect", "a member is not for a terminal to show; name a file "
                                          "behind -o, or pipe the output somewhere");
    if (stdout_is_file(options->input))
        return cli_usage_error("inspect", "standard output is the input file");
    return CLI_DONE;
}

enum cli_exit cli_extract(const struct cli_options *options, tq_model *bundle) {
    struct search search = {.path = options->extract};
    tq_error error = TQ_ERROR_INIT;
    FILE *report_file = is_stdout(options->output) ? stderr : stdout;
    if (find_member(bundle, &search, &error) != TQ_OK) {
        cli_report_error(options, options->input, &error, report_file);
        if (!options->json)
            cli_suggest(bundle, options->extract, false);
        return CLI_ERROR;
    }
    const tq_status status = extract(options, &search.member, &error);
    if (status != TQ_OK) {
        const char *target = is_stdout(options->output) ? "standard output" : options->output;
        cli_report_error(options, cli_is_about_output(status) ? target : options->input, &error,
                         report_file);
        if (status == TQ_ERR_EXISTS && !options->json)
            fputs("Add -f to replace it.\n", stderr);
        if (status == TQ_ERR_CANCELLED)
            cli_end_if_interrupted();
        return CLI_ERROR;
    }
    if (options->json)
        json_extracted(options, &search.member, report_file);
    return cli_finish_output(report_file, CLI_DONE);
}
