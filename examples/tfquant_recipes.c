/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include <errno.h>
#include <stdlib.h>
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

/* --- recipes in files --- */

bool cli_is_recipe_file(const char *recipe) {
    const size_t length = strlen(recipe);
    return strchr(recipe, '/') != NULL || (length > 5 && strcmp(recipe + length - 5, ".json") == 0);
}

static tq_status file_error(const char *path, tq_status status, int code, tq_error *error) {
    *error = (tq_error)TQ_ERROR_INIT;
    error->status = status;
    error->system_code = code;
    snprintf(error->message, sizeof error->message, "can't read the recipe %s", path);
    return status;
}

static tq_status read_recipe(FILE *file, const char *path, tq_recipe **recipe, tq_error *error) {
    enum { MOST = (1 << 20) + 1 }; /* more than the library reads */
    char *text = malloc(MOST);
    if (text == NULL)
        return file_error(path, TQ_ERR_OUT_OF_MEMORY, 0, error);
    errno = 0;
    const size_t size = fread(text, 1, MOST, file);
    const tq_status status = ferror(file) ? file_error(path, TQ_ERR_READ, errno, error)
                                          : tq_recipe_parse(text, size, recipe, error);
    free(text);
    return status;
}

tq_status cli_make_recipe(const char *name, tq_recipe **recipe, tq_error *error) {
    if (name == NULL || !cli_is_recipe_file(name))
        return tq_recipe_create(name, recipe, error);
    FILE *file = fopen(name, "rb");
    if (file == NULL)
        return file_error(name, TQ_ERR_OPEN, errno, error);
    const tq_status status = read_recipe(file, name, recipe, error);
    fclose(file);
    return status;
}

/* --- the command --- */

static bool get_recipe(uint32_t index, struct cli_listed *listed) {
    tq_recipe_info info;
    if (!cli_recipe(index, &info))
        return false;
    *listed = (struct cli_listed){info.name, info.summary, info.is_default != 0};
    return true;
}

enum cli_exit cli_recipes(const struct cli_options *options) {
    static const struct cli_listing recipes = {"recipes", " (the default)", "", get_recipe};
    return cli_list(options, &recipes);
}
