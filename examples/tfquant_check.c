/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_mend.h"
#include "tfquant_output.h"
#include "tfquant_ranges.h"
#include "thread_runner.h"

#include <string.h>
#include <unistd.h>

/* false: there is no target of this name. */
static bool find_target(const char *name, uint32_t *target) {
    for (uint32_t i = 0; strcmp(tq_target_name(i), "unknown") != 0; i++) {
        if (strcmp(tq_target_name(i), name) == 0) {
            *target = i;
            return true;
        }
    }
    return false;
}

static enum cli_exit unknown_target(const struct cli_options *options) {
    char names[120] = "";
    for (uint32_t i = 0; strcmp(tq_target_name(i), "unknown") != 0; i++) {
        const size_t length = strlen(names);
        snprintf(names + length, sizeof names - length, "%s%s", i != 0 ? ", " : "",
                 tq_target_name(i));
    }
    return cli_usage_error(options->command_name, "there is no target '%s', only %s",
                           options->check_target, names);
}

struct check_run {
    const struct cli_options *options;
    FILE *report_file; /* standard output, unless the model goes there */
    tq_check_options check;
    tq_model *source;
    tq_model *mended; /* NULL: it was not */
    tq_findings *findings;
    tq_findings *left;        /* NULL: there was no --fix */
    struct cli_ranges ranges; /* of the source */
    struct cli_ranges after;  /* of the mended model */
    struct thread_runner *threads;
    tq_error error;
};

/* --- JSON --- */

static void put_text(struct json_out *json, const char *key, const char *text) {
    json_key(json, key);
    if (text == NULL)
        json_null(json);
    else
        json_string(json, text);
}

static void json_rules(struct json_out *json, uint32_t target) {
    tq_rule_info info = {.struct_size = sizeof info};
    json_key(json, "rules");
    json_open(json, '[');
    for (uint32_t i = 0; tq_get_rule_info(i, &info) == TQ_OK; i++) {
        if ((info.targets >> target & 1) == 0)
            continue;
        json_open(json, '{');
        json_put_string(json, "name", info.name);
        json_put_string(json, "summary", info.summary);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void json_fix(struct json_out *json, const struct check_run *run) {
    json_key(json, "fix");
    json_open(json, '{');
    json_put_string(json, "output", run->options->output);
    cli_json_edits(json, run->mended != NULL ? run->mended : run->source);
    cli_json_findings(json, run->left);
    cli_json_ranges(json, run->mended != NULL ? &run->after : &run->ranges);
    json_close(json, '}');
}

static void print_json(const struct check_run *run) {
    struct json_out json;
    cli_json_begin(&json, run->options, run->report_file);
    json_put_string(&json, "input", run->options->input);
    json_put_string(&json, "target", tq_target_name(run->check.target));
    put_text(&json, "runtime", run->options->runtime);
    cli_json_findings(&json, run->findings);
    cli_json_ranges(&json, &run->ranges);
    if (run->left != NULL)
        json_fix(&json, run);
    json_rules(&json, run->check.target);
    cli_json_end(&json);
}

/* --- text --- */

static void print_found(const struct check_run *run, const char *path, const tq_findings *findings,
                        const struct cli_ranges *ranges) {
    const struct cli_counts counts = cli_count_findings(findings);
    FILE *file = run->report_file;
    const bool all = run->options->verbosity > 0;
    cli_print_findings(file, findings, all ? TQ_SEVERITY_NOTE : TQ_SEVERITY_WARNING);
    cli_print_name(file, path, 0);
    fprintf(file, " for %s: ", tq_target_name(run->check.target));
    cli_print_counts(file, &counts);
    fprintf(file, "%s\n", counts.of[TQ_SEVERITY_NOTE] != 0 && !all ? " (shown by -v)" : "");
    cli_print_ranges(file, ranges);
}

static void print_text(const struct check_run *run) {
    const char *output = run->options->output;
    print_found(run, run->options->input, run->findings, &run->ranges);
    if (run->left == NULL)
        return;
    fputs(run->mended != NULL ? "\nwhat was done:\n"
                              : "\nthere is no cure for any of it; what was written is a copy\n",
          run->report_file);
    if (run->mended == NULL)
        return;
    cli_print_edits(run->report_file, run->mended);
    putc('\n', run->report_file);
    print_found(run, is_stdout(output) ? "standard output" : output, run->left, &run->after);
}

/* --- the steps --- */

static enum cli_exit failed(const struct check_run *run, const char *path) {
    cli_report_error(run->options, path, &run->error, run->report_file);
    if (run->error.status == TQ_ERR_EXISTS && !run->options->json)
        fputs("Add -f to replace it.\n", stderr);
    return CLI_ERROR;
}

static tq_status measure(struct check_run *run, tq_model *model, struct cli_ranges *ranges) {
    return cli_measure_ranges(run->options, model, run->check.target,
                              thread_runner_interface(run->threads), ranges, &run->error);
}

static tq_status find(struct check_run *run, const tq_model *model, const struct cli_ranges *ranges,
                      tq_findings **findings) {
    tq_check_options check = run->check;
    check.stats = ranges->stats;
    check.n_stats = ranges->n_stats;
    return tq_check(model, &check, findings, &run->error);
}

/* What cures does not hang on ranges; what is left does, and on those of the mended model. */
static tq_status fix(struct check_run *run) {
    tq_findings *findings = NULL;
    tq_status status = tq_check(run->source, &run->check, &findings, &run->error);
    if (status == TQ_OK)
        status = cli_mend(run->source, &run->check, TQ_SEVERITY_NOTE, &findings, &run->mended,
                          &run->error);
    tq_findings_free(findings);
    if (status == TQ_OK && run->mended != NULL)
        status = measure(run, run->mended, &run->after);
    if (status == TQ_OK)
        status = run->mended != NULL ? find(run, run->mended, &run->after, &run->left)
                                     : find(run, run->source, &run->ranges, &run->left);
    if (status == TQ_OK)
        status = cli_save_plain(run->options, run->mended != NULL ? run->mended : run->source,
                                &run->error);
    return status;
}

static enum cli_exit failed_to_find(const struct check_run *run, const struct cli_ranges *ranges) {
    const char *culprit = ranges->data.culprit;
    return failed(run, culprit != NULL ? culprit : run->options->input);
}

static enum cli_exit check(struct check_run *run) {
    const struct cli_options *options = run->options;
    if (cli_load(options, &run->source, &run->error) != TQ_OK ||
        measure(run, run->source, &run->ranges) != TQ_OK ||
        find(run, run->source, &run->ranges, &run->findings) != TQ_OK)
        return failed_to_find(run, &run->ranges);
    if (options->fix && fix(run) != TQ_OK)
        return failed(run,
                      cli_is_about_output(run->error.status) ? options->output : options->input);
    const bool clean = cli_count_findings(run->left != NULL ? run->left : run->findings).clean;
    if (options->json)
        print_json(run);
    else if (options->verbosity >= 0)
        print_text(run);
    return cli_finish_output(run->report_file, clean ? CLI_DONE : CLI_FOUND);
}

enum cli_exit cli_check(const struct cli_options *options) {
    const bool streams = options->fix && is_stdout(options->output);
    struct check_run run = {.options = options,
                            .report_file = streams ? stderr : stdout,
                            .check = TQ_CHECK_OPTIONS_INIT,
                            .error = TQ_ERROR_INIT};
    if (options->check_target != NULL && !find_target(options->check_target, &run.check.target))
        return unknown_target(options);
    if (options->output != NULL && !options->fix)
        return cli_usage_error("check", "-o goes with --fix");
    if (streams && (isatty(STDOUT_FILENO) || stdout_is_file(options->input)))
        return cli_usage_error("check", "the model can't go there; name a file behind -o");
    run.check.runtime = options->runtime;
    run.threads = thread_runner_for(options->threads);
    const enum cli_exit result = check(&run);
    cli_ranges_free(&run.after);
    cli_ranges_free(&run.ranges);
    thread_runner_free(run.threads);
    tq_findings_free(run.left);
    tq_findings_free(run.findings);
    tq_model_free(run.mended);
    tq_model_free(run.source);
    return result;
}
