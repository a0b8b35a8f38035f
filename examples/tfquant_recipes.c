/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include <string.h>

bool cli_recipe(uint32_t index, tq_recipe_info *info) {
    *info = (tq_recipe_info){.struct_size = sizeof *info};
    return tq_get_recipe_info(index, info) == TQ_OK;
}

const char *cli_default_recipe(void) {
    tq_recipe_info info;
    for (uint32_t i = 0; cli_recipe(i, &info); i++) {
        if (info.is_default)
            return info.name;
    }
    return "";
}

void cli_print_recipe_names(FILE *file) {
    tq_recipe_info info;
    for (uint32_t i = 0; cli_recipe(i, &info); i++)
        fprintf(file, "%s%s", i != 0 ? ", " : "", info.name);
}

static void json_recipes(const struct cli_options *options, FILE *file) {
    struct json_out json;
    tq_recipe_info info;
    cli_json_begin(&json, options, file);
    json_key(&json, "recipes");
    json_open(&json, '[');
    for (uint32_t i = 0; cli_recipe(i, &info); i++) {
        json_open(&json, '{');
        json_put_string(&json, "name", info.name);
        json_put_bool(&json, "default", info.is_default != 0);
        json_put_string(&json, "summary", info.summary);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    cli_json_end(&json);
}

enum cli_exit cli_recipes(const struct cli_options *options) {
    tq_recipe_info info;
    int width = 0;
    if (options->json) {
        json_recipes(options, stdout);
        return cli_finish_output(stdout, CLI_DONE);
    }
    for (uint32_t i = 0; cli_recipe(i, &info); i++) {
        const int length = (int)strlen(info.name);
        if (length > width)
            width = length;
    }
    for (uint32_t i = 0; cli_recipe(i, &info); i++)
        printf("%-*s  %s%s\n", width, info.name, info.summary,
               info.is_default ? " (the default)" : "");
    return cli_finish_output(stdout, CLI_DONE);
}
