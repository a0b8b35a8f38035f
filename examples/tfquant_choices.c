/* SPDX-License-Identifier: Apache-2.0 */
/* Which recipe each model of a bundle gets. */
#include "tfquant_cli.h"

#include <stdlib.h>
#include <string.h>

/* As the library does it. */
bool cli_fits(const char *pattern, const char *path) {
    const char *star = NULL; /* the last one seen; what it stands for ends at `resume` */
    const char *resume = NULL;
    while (*path != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            resume = path;
        } else if (*pattern != '\0' && (*pattern == '?' || *pattern == *path)) {
            pattern++;
            path++;
        } else if (star != NULL) {
            pattern = star + 1;
            path = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static tq_status no_memory(tq_error *error) {
    error->status = TQ_ERR_OUT_OF_MEMORY;
    snprintf(error->message, sizeof error->message, "out of memory");
    return error->status;
}

/* `choice->recipe_name` is what was given, then what reports call it. */
static tq_status make_recipe(const char *given, struct cli_choice *choice, tq_error *error) {
    const tq_status status = cli_make_recipe(given, &choice->recipe, error);
    if (status != TQ_OK || given == NULL || !cli_is_recipe_file(given))
        return status;
    const char *name = tq_recipe_name(choice->recipe);
    if (*name != '\0' && !cli_copies(name))
        choice->recipe_name = name;
    return TQ_OK;
}

/* `text` is "PATTERN=RECIPE"; a pattern may hold a '=', the recipe does not. */
static tq_status read_choice(const char *text, struct cli_choice *choice, tq_error *error) {
    const char *equals = strrchr(text, '=');
    const size_t length = (size_t)(equals - text);
    choice->recipe_name = equals + 1;
    choice->pattern = malloc(length + 1);
    if (choice->pattern == NULL)
        return no_memory(error);
    memcpy(choice->pattern, text, length);
    choice->pattern[length] = '\0';
    return make_recipe(choice->recipe_name, choice, error);
}

tq_status cli_choose(const struct cli_options *options, struct cli_choices *choices,
                     const char **culprit, tq_error *error) {
    const uint32_t count = options->member_recipes.count;
    *choices = (struct cli_choices){.count = 0};
    choices->rest.recipe_name = options->recipe != NULL ? options->recipe : cli_default_recipe();
    *culprit = choices->rest.recipe_name;
    tq_status status = make_recipe(options->recipe, &choices->rest, error);
    if (status != TQ_OK || count == 0)
        return status;
    choices->members = calloc(count, sizeof *choices->members);
    choices->member_recipes = calloc(count, sizeof *choices->member_recipes);
    if (choices->members == NULL || choices->member_recipes == NULL)
        return no_memory(error);
    choices->count = count;
    for (uint32_t i = 0; i < count && status == TQ_OK; i++) {
        struct cli_choice *choice = &choices->members[i];
        status = read_choice(options->member_recipes.items[i], choice, error);
        *culprit = choice->recipe_name;
        choices->member_recipes[i] = (tq_member_recipe){choice->pattern, choice->recipe};
    }
    return status;
}

void cli_choices_free(struct cli_choices *choices) {
    for (uint32_t i = 0; i < choices->count; i++) {
        tq_recipe_free(choices->members[i].recipe);
        free(choices->members[i].pattern);
    }
    tq_recipe_free(choices->rest.recipe);
    free(choices->members);
    free(choices->member_recipes);
}

const char *cli_chosen(const struct cli_choices *choices, const char *path) {
    for (uint32_t i = 0; i < choices->count; i++) {
        if (cli_fits(choices->members[i].pattern, path))
            return choices->members[i].recipe_name;
    }
    return choices->rest.recipe_name;
}

bool cli_copies(const char *recipe) {
    return strcmp(recipe, "none") == 0;
}
