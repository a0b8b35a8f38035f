/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

tq_status cli_load(const struct cli_options *options, tq_model **model, tq_error *error) {
    tq_load_options load = TQ_LOAD_OPTIONS_INIT;
    load.max_memory = options->max_memory;
    return tq_load_file(options->input, &load, model, error);
}

enum cli_exit cli_inspect(const struct cli_options *options) {
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = NULL;
    if (cli_load(options, &model, &error) != TQ_OK)
        return cli_report_error(options, options->input, &error, stdout);
    if (options->json)
        cli_inspect_json(options, model, stdout);
    else
        cli_inspect_print(options, model, stdout);
    tq_model_free(model);
    return cli_finish_output(stdout, CLI_DONE);
}
