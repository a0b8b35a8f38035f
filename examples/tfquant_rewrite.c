/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include "tfquant_mend.h"
#include "tfquant_output.h"
#include "tfquant_values.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rewrite_run {
    const struct cli_options *options;
    FILE *report_file; /* standard output, unless the model goes there */
    tq_model *source;
    tq_model *result;
    char *words;        /* of --only, cut at the commas */
    const char **names; /* in them; NULL: the default ones */
    uint32_t n_names;
    bool written;
    tq_error error;
};

/* --- the list --- */

static bool get_rewrite(uint32_t index, struct cli_listed *listed) {
    tq_rewrite_info info = {.struct_size = sizeof info};
    if (tq_get_rewrite_info(index, &info) != TQ_OK)
        return false;
    *listed = (struct cli_listed){info.name, info.summary, info.is_default != 0};
    return true;
}

static enum cli_exit list_rewrites(const struct cli_options *options) {
    static const struct cli_listing rewrites = {"rewrites", "", " (only when named)", get_rewrite};
    return cli_list(options, &rewrites);
}

/* --- what the options say --- */

static bool is_rewrite(const char *name) {
    struct cli_listed listed;
    for (uint32_t i = 0; get_rewrite(i, &listed); i++)
        if (strcmp(listed.name, name) == 0)
            return true;
    return false;
}

static enum cli_exit read_names(struct rewrite_run *run) {
    const char *only = run->options->only;
    if (only == NULL)
        return CLI_DONE;
    run->words = strdup(only);
    run->names = calloc(strlen(only) + 1, sizeof *run->names);
    if (run->words == NULL || run->names == NULL) {
        fputs("tfquant: out of memory\n", stderr);
        return CLI_ERROR;
    }
    char *rest = NULL;
    for (char *name = strtok_r(run->words, ",", &rest); name != NULL;
         name = strtok_r(NULL, ",", &rest)) {
        if (!is_rewrite(name))
            return cli_usage_error("rewrite", "there is no rewrite '%s'; --list shows them", name);
        run->names[run->n_names++] = name;
    }
    if (run->n_names == 0)
        return cli_usage_error("rewrite", "--only names nothing; --list shows what there is");
    return CLI_DONE;
}

/* --- what was done --- */

static uint64_t file_size(const tq_model *model) {
    tq_model_info info = {.struct_size = sizeof info};
    tq_get_model_info(model, &info);
    return info.file_size;
}

static void print_json(const struct rewrite_run *run, uint32_t count) {
    struct json_out json;
    cli_json_begin(&json, run->options, run->report_file);
    json_put_string(&json, "input", run->options->input);
    json_key(&json, "output");
    if (run->options->output != NULL)
        json_string(&json, run->options->output);
    else
        json_null(&json);
    json_put_string(&json, "target", value_target_name(run->options->target));
    json_put_bool(&json, "dry_run", run->options->dry_run);
    json_put_bool(&json, "changed", count != 0);
    json_put_bool(&json, "written", run->written);
    json_put_uint(&json, "file_bytes_before", file_size(run->source));
    json_put_uint(&json, "file_bytes_after", file_size(run->result));
    cli_json_edits(&json, run->result);
    cli_json_end(&json);
}

static enum cli_exit show(const struct rewrite_run *run) {
    const uint32_t count = cli_count_edits(run->result);
    if (run->options->json) {
        print_json(run, count);
    } else if (run->options->verbosity >= 0) {
        cli_print_edits(run->report_file, run->result);
        fprintf(run->report_file, "%" PRIu32 " edit%s, %s -> %s\n", count, count == 1 ? "" : "s",
                cli_format_size(file_size(run->source)).text,
                cli_format_size(file_size(run->result)).text);
    }
    const enum cli_exit result =
        cli_finish_output(run->report_file, count != 0 ? CLI_DONE : CLI_UNCHANGED);
    if (count == 0 && run->options->verbosity >= 0 && !run->options->json)
        fputs("tfquant: there is nothing to rewrite; nothing was written\n", stderr);
    return result;
}

/* --- the steps --- */

static enum cli_exit failed(const struct rewrite_run *run, const char *path) {
    cli_report_error(run->options, path, &run->error, run->report_file);
    if (run->error.status == TQ_ERR_EXISTS && !run->options->json)
        fputs("Add -f to replace it.\n", stderr);
    return CLI_ERROR;
}

static enum cli_exit rewrite(struct rewrite_run *run) {
    const struct cli_options *options = run->options;
    tq_rewrite_options what = TQ_REWRITE_OPTIONS_INIT;
    what.target = run->options->target;
    what.names = run->names;
    what.n_names = run->n_names;
    if (cli_load(options, &run->source, &run->error) != TQ_OK ||
        tq_rewrite(run->source, &what, &run->result, &run->error) != TQ_OK)
        return failed(run, options->input);
    const uint32_t count = cli_count_edits(run->result);
    if (count != 0 && !options->dry_run) {
        const tq_status status = cli_save_plain(options, run->result, &run->error);
        if (status != TQ_OK)
            return failed(run, cli_is_about_output(status) ? options->output : options->input);
        run->written = true;
    }
    return show(run);
}

enum cli_exit cli_rewrite(const struct cli_options *options) {
    const bool streams = !options->dry_run && is_stdout(options->output);
    struct rewrite_run run = {
        .options = options, .report_file = streams ? stderr : stdout, .error = TQ_ERROR_INIT};
    if (options->list)
        return list_rewrites(options);
    if (streams && (isatty(STDOUT_FILENO) || stdout_is_file(options->input)))
        return cli_usage_error("rewrite", "the model can't go there; name a file behind -o");
    enum cli_exit result = read_names(&run);
    if (result == CLI_DONE)
        result = rewrite(&run);
    tq_model_free(run.result);
    tq_model_free(run.source);
    free(run.names);
    free(run.words);
    return result;
}
