/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include "tfquant_output.h"

tq_status cli_load(const struct cli_options *options, tq_model **model, tq_error *error) {
    tq_load_options load = TQ_LOAD_OPTIONS_INIT;
    load.max_memory = options->max_memory;
    load.max_output = options->max_output;
    return tq_load_file(options->input, &load, model, error);
}

static void print_json(const struct cli_options *options, tq_model *model, FILE *file) {
    struct json_out json;
    cli_json_begin(&json, options, file);
    json_put_string(&json, "input", options->input);
    if (cli_format(model) == TQ_FORMAT_TFLITE)
        cli_json_model(&json, model);
    else
        cli_json_bundle(&json, model);
    cli_json_end(&json);
}

enum cli_exit cli_inspect(const struct cli_options *options) {
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = NULL;
    enum cli_exit result = cli_extract_check(options);
    if (result != CLI_DONE)
        return result;
    /* What is extracted may go to standard output. */
    FILE *json_file = options->extract != NULL && is_stdout(options->output) ? stderr : stdout;
    if (cli_load(options, &model, &error) != TQ_OK)
        return cli_report_error(options, options->input, &error, json_file);
    if (options->extract != NULL) {
        result = cli_extract(options, model);
    } else {
        if (options->json)
            print_json(options, model, stdout);
        else if (cli_format(model) == TQ_FORMAT_TFLITE)
            cli_print_model(model, options->input, options->verbosity, stdout);
        else
            cli_print_bundle(options, model, stdout);
        result = cli_finish_output(stdout, CLI_DONE);
    }
    tq_model_free(model);
    return result;
}
