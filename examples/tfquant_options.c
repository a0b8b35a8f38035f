/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum option_id {
    OPTION_OUTPUT,
    OPTION_RECIPE,
    OPTION_THREADS,
    OPTION_MEMBER,
    OPTION_KEEP_STORAGE,
    OPTION_EXTRACT,
    OPTION_ONLY,
    OPTION_TARGET,
    OPTION_LIST,
    OPTION_MAX_MEMORY,
    OPTION_MAX_OUTPUT,
    OPTION_JSON,
    OPTION_DRY_RUN,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_FORCE,
    OPTION_HELP,
};

struct option {
    const char *name;
    char letter; /* 0: none */
    bool takes_value;
    unsigned commands;
    enum option_id id;
};

static const struct option option_table[] = {
    {"output", 'o', true, CLI_QUANTIZE | CLI_INSPECT | CLI_REWRITE, OPTION_OUTPUT},
    {"recipe", 'r', true, CLI_QUANTIZE, OPTION_RECIPE},
    {"member", 0, true, CLI_QUANTIZE, OPTION_MEMBER},
    {"keep-storage", 0, false, CLI_QUANTIZE, OPTION_KEEP_STORAGE},
    {"only", 0, true, CLI_REWRITE, OPTION_ONLY},
    {"target", 0, true, CLI_REWRITE, OPTION_TARGET},
    {"list", 0, false, CLI_REWRITE, OPTION_LIST},
    {"extract", 0, true, CLI_INSPECT, OPTION_EXTRACT},
    {"threads", 'T', true, CLI_QUANTIZE, OPTION_THREADS},
    {"max-memory", 0, true, CLI_QUANTIZE | CLI_INSPECT | CLI_REWRITE, OPTION_MAX_MEMORY},
    {"max-output", 0, true, CLI_QUANTIZE | CLI_INSPECT | CLI_REWRITE, OPTION_MAX_OUTPUT},
    {"json", 0, false, CLI_QUANTIZE | CLI_INSPECT | CLI_RECIPES | CLI_REWRITE, OPTION_JSON},
    {"dry-run", 'n', false, CLI_QUANTIZE | CLI_REWRITE, OPTION_DRY_RUN},
    {"quiet", 'q', false, CLI_QUANTIZE | CLI_REWRITE, OPTION_QUIET},
    {"verbose", 'v', false, CLI_QUANTIZE | CLI_INSPECT, OPTION_VERBOSE},
    {"force", 'f', false, CLI_QUANTIZE | CLI_INSPECT | CLI_REWRITE, OPTION_FORCE},
    {"help", 'h', false, CLI_QUANTIZE | CLI_INSPECT | CLI_RECIPES | CLI_REWRITE, OPTION_HELP},
};
enum { OPTION_COUNT = sizeof option_table / sizeof option_table[0] };

enum cli_exit cli_usage_error(const char *command, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "tfquant%s%s: ", command != NULL ? " " : "", command != NULL ? command : "");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nTry 'tfquant%s%s --help'.\n", command != NULL ? " " : "",
            command != NULL ? command : "");
    return CLI_USAGE;
}

/* Digits up to `*end`; false where there are none or too many. */
static bool read_number(const char *text, const char **end, uint64_t *value) {
    uint64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        const uint64_t digit = (uint64_t)(*at - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *end = at;
    *value = number;
    return at != text;
}

/* "500000", "64M", "2GiB"; units are powers of 1024. */
static bool read_size(const char *text, uint64_t *size) {
    static const char units[] = "KMGT";
    const char *end;
    uint64_t number;
    if (!read_number(text, &end, &number))
        return false;
    if (*end != '\0' && strcmp(end, "B") != 0) {
        const char upper = *end >= 'a' && *end <= 'z' ? (char)(*end - 'a' + 'A') : *end;
        const char *unit = strchr(units, upper);
        if (unit == NULL)
            return false;
        const int shift = 10 * (int)(unit - units + 1);
        if (number > UINT64_MAX >> shift)
            return false;
        number <<= shift;
        end++;
        if (*end != '\0' && strcmp(end, "B") != 0 && strcmp(end, "iB") != 0)
            return false;
    }
    *size = number;
    return number != 0;
}

static bool take_size(const struct cli_options *options, const char *value, uint64_t *size) {
    if (read_size(value, size))
        return true;
    cli_usage_error(options->command_name,
                    "'%s' is not a size (a whole number of bytes above 0, or with K, M, G or T, "
                    "like 64M)",
                    value);
    return false;
}

static bool take_member_recipe(struct cli_options *options, const char *value) {
    const char *equals = strrchr(value, '=');
    if (equals == NULL || equals == value || equals[1] == '\0') {
        cli_usage_error(options->command_name, "'%s' is not PATTERN=RECIPE, like '*.tflite=fp16'",
                        value);
        return false;
    }
    options->member_recipes[options->member_recipe_count++] = value;
    return true;
}

static bool apply(struct cli_options *options, const struct option *option, const char *value) {
    const char *end;
    uint64_t number;
    switch (option->id) {
    case OPTION_OUTPUT:
        options->output = value;
        break;
    case OPTION_RECIPE:
        options->recipe = value;
        break;
    case OPTION_THREADS:
        if (!read_number(value, &end, &number) || *end != '\0' || number > 1024) {
            cli_usage_error(options->command_name,
                            "'%s' is not a number of threads (0 to 1024; 0: one for each "
                            "processor)",
                            value);
            return false;
        }
        options->threads = (uint32_t)number;
        break;
    case OPTION_MAX_MEMORY:
        return take_size(options, value, &options->max_memory);
    case OPTION_MAX_OUTPUT:
        return take_size(options, value, &options->max_output);
    case OPTION_MEMBER:
        return take_member_recipe(options, value);
    case OPTION_KEEP_STORAGE:
        options->keep_storage = true;
        break;
    case OPTION_EXTRACT:
        if (options->extract != NULL) {
            cli_usage_error(options->command_name, "one member at a time: '%s' or '%s'?",
                            options->extract, value);
            return false;
        }
        options->extract = value;
        break;
    case OPTION_ONLY:
        options->only = value;
        break;
    case OPTION_TARGET:
        options->target = value;
        break;
    case OPTION_LIST:
        options->list = true;
        break;
    case OPTION_JSON:
        options->json = true;
        break;
    case OPTION_DRY_RUN:
        options->dry_run = true;
        break;
    case OPTION_QUIET:
        options->verbosity = -1;
        break;
    case OPTION_VERBOSE:
        options->verbosity = options->verbosity > 0 ? 2 : 1;
        break;
    case OPTION_FORCE:
        options->force = true;
        break;
    case OPTION_HELP:
        options->help = true;
        break;
    }
    return true;
}

struct words {
    char **words;
    int count;
    int next;
};

static const char *next_word(struct words *words) {
    return words->next < words->count ? words->words[words->next++] : NULL;
}

/* `value` is what came with the option, or NULL. */
static bool take(struct cli_options *options, const struct option *option, const char *shown,
                 const char *value, struct words *words) {
    if (option->takes_value && value == NULL)
        value = next_word(words);
    if (option->takes_value && (value == NULL || *value == '\0')) {
        cli_usage_error(options->command_name, "option %s needs a value", shown);
        return false;
    }
    return apply(options, option, value);
}

/* `word` is "--name" or "--name=value". */
static bool take_long(struct cli_options *options, const char *word, struct words *words) {
    const char *name = word + 2;
    const size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    char shown[32];
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &option_table[i];
        if (strlen(option->name) != length || strncmp(option->name, name, length) != 0 ||
            (option->commands & options->command) == 0)
            continue;
        snprintf(shown, sizeof shown, "--%s", option->name);
        if (value != NULL && !option->takes_value) {
            cli_usage_error(options->command_name, "option %s takes no value", shown);
            return false;
        }
        return take(options, option, shown, value, words);
    }
    cli_usage_error(options->command_name, "unknown option '--%.*s'", (int)length, name);
    return false;
}

/* `word` is "-x", "-xVALUE", or several letters of which only the last takes a value. */
static bool take_short(struct cli_options *options, const char *word, struct words *words) {
    for (const char *at = word + 1; *at != '\0'; at++) {
        const struct option *option = NULL;
        for (int i = 0; i < OPTION_COUNT; i++) {
            if (option_table[i].letter == *at && (option_table[i].commands & options->command))
                option = &option_table[i];
        }
        if (option == NULL) {
            cli_usage_error(options->command_name, "unknown option '-%c'", *at);
            return false;
        }
        const char shown[3] = {'-', *at, '\0'};
        if (option->takes_value)
            return take(options, option, shown, at[1] != '\0' ? at + 1 : NULL, words);
        if (!take(options, option, shown, NULL, words))
            return false;
    }
    return true;
}

static bool take_operand(struct cli_options *options, const char *word) {
    if (options->command == CLI_RECIPES) {
        cli_usage_error(options->command_name, "takes no file, but got '%s'", word);
        return false;
    }
    if (options->input != NULL) {
        cli_usage_error(options->command_name, "takes one model, but got '%s' and '%s'%s",
                        options->input, word,
                        options->command != CLI_INSPECT ? " (the output goes behind -o)" : "");
        return false;
    }
    if (strcmp(word, "-") == 0) {
        cli_usage_error(options->command_name,
                        "a model can't come from standard input; name its file");
        return false;
    }
    options->input = word;
    return true;
}

static bool is_complete(const struct cli_options *options) {
    if (options->command == CLI_RECIPES || options->list)
        return true;
    if (options->input == NULL) {
        cli_usage_error(options->command_name,
                        "which model? Give the path of a .tflite, .task or .litertlm file");
        return false;
    }
    if (options->command != CLI_INSPECT && options->output == NULL && !options->dry_run) {
        cli_usage_error(options->command_name,
                        "no output given: add -o OUTPUT, or --dry-run to see what it would be");
        return false;
    }
    if (options->command == CLI_INSPECT && options->extract == NULL && options->output != NULL) {
        cli_usage_error(options->command_name, "what is to go to '%s'? Add --extract MEMBER",
                        options->output);
        return false;
    }
    return true;
}

void cli_options_free(struct cli_options *options) {
    free(options->member_recipes);
    options->member_recipes = NULL;
}

bool cli_parse(struct cli_options *options, int count, char **words) {
    struct words rest = {.words = words, .count = count};
    bool only_operands = false;
    options->member_recipes = calloc((size_t)count + 1, sizeof *options->member_recipes);
    if (options->member_recipes == NULL) {
        fputs("tfquant: out of memory\n", stderr);
        return false;
    }
    for (const char *word; (word = next_word(&rest)) != NULL;) {
        bool good;
        if (only_operands || word[0] != '-' || word[1] == '\0')
            good = take_operand(options, word);
        else if (strcmp(word, "--") == 0)
            good = only_operands = true;
        else if (word[1] == '-')
            good = take_long(options, word, &rest);
        else
            good = take_short(options, word, &rest);
        if (!good)
            return false;
    }
    return options->help || is_complete(options);
}
