/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"
#include "tfquant_values.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What an option does to the member of cli_options that it is about. */
enum option_kind {
    OPTION_FLAG,   /* bool: true */
    OPTION_TEXT,   /* const char *: the value as given */
    OPTION_ONCE,   /* the same, and may not be given twice */
    OPTION_LIST,   /* struct cli_list: another one of its items */
    OPTION_VALUE,  /* as `read` reads it */
    OPTION_QUIET,  /* int: -1 */
    OPTION_LOUDER, /* int: 1, then 2 */
};

struct option {
    const char *name;
    char letter; /* 0: none */
    enum option_kind kind;
    unsigned commands;
    size_t place;                                /* in cli_options */
    bool (*read)(const char *text, void *value); /* false: it is wrong */
    const char *wanted;                          /* what the value is to be, for a message */
};

enum { ALL = CLI_QUANTIZE | CLI_INSPECT | CLI_RECIPES | CLI_VERIFY | CLI_CHECK | CLI_REWRITE };
static const char a_size[] =
    "a size (a whole number of bytes above 0, or with K, M, G or T, like 64M)";

static const char a_ratio[] = "a ratio of signal to error (decibels above 0, like 30dB)";
static const char a_count[] = "a number from 1 to 1000000";

#define AT(member) offsetof(struct cli_options, member)
static const struct option option_table[] = {
    {"output", 'o', OPTION_TEXT, CLI_QUANTIZE | CLI_INSPECT | CLI_REWRITE | CLI_CHECK, AT(output),
     NULL, NULL},
    {"recipe", 'r', OPTION_TEXT, CLI_QUANTIZE, AT(recipe), NULL, NULL},
    {"member", 0, OPTION_LIST, CLI_QUANTIZE, AT(member_recipes), value_is_choice,
     "PATTERN=RECIPE, like '*.tflite=fp16'"},
    {"input", 'i', OPTION_TEXT, CLI_VERIFY, AT(inputs), NULL, NULL},
    {"samples", 0, OPTION_VALUE, CLI_VERIFY, AT(samples), value_count, a_count},
    {"seed", 0, OPTION_VALUE, CLI_VERIFY, AT(seed), value_count, a_count},
    {"signature", 0, OPTION_TEXT, CLI_VERIFY, AT(signature), NULL, NULL},
    {"min-snr", 0, OPTION_VALUE, CLI_VERIFY, AT(min_snr_db), value_decibels, a_ratio},
    {"layers", 0, OPTION_FLAG, CLI_VERIFY, AT(layers), NULL, NULL},
    {"data", 0, OPTION_LIST, CLI_QUANTIZE | CLI_CHECK, AT(data), NULL, NULL},
    {"input-range", 0, OPTION_VALUE, CLI_QUANTIZE | CLI_VERIFY | CLI_CHECK, AT(input_range),
     value_range, "a range (LOW,HIGH, like 0,1 or -1,1)"},
    {"effort", 0, OPTION_VALUE, CLI_QUANTIZE, AT(effort), value_effort,
     "an effort (fast, normal or best)"},
    {"target", 0, OPTION_TEXT, CLI_CHECK, AT(check_target), NULL, NULL},
    {"runtime", 0, OPTION_TEXT, CLI_CHECK, AT(runtime), NULL, NULL},
    {"fix", 0, OPTION_FLAG, CLI_CHECK, AT(fix), NULL, NULL},
    {"no-rewrite", 0, OPTION_FLAG, CLI_QUANTIZE, AT(no_rewrite), NULL, NULL},
    {"target", 0, OPTION_VALUE, CLI_QUANTIZE | CLI_REWRITE, AT(target), value_target,
     "a target (xnnpack, gpu, litert, nnapi, tflite-micro or int8-only)"},
    {"only", 0, OPTION_TEXT, CLI_REWRITE, AT(only), NULL, NULL},
    {"list", 0, OPTION_FLAG, CLI_REWRITE, AT(list), NULL, NULL},
    {"target-size", 0, OPTION_VALUE, CLI_QUANTIZE, AT(target_size), value_target_size,
     "a size (bytes, or with K, M, G or T, like 2M; or at most 100% of the input, like 55%)"},
    {"max-error", 0, OPTION_VALUE, CLI_QUANTIZE, AT(min_snr_db), value_decibels, a_ratio},
    {"keep-storage", 0, OPTION_FLAG, CLI_QUANTIZE, AT(keep_storage), NULL, NULL},
    {"extract", 0, OPTION_ONCE, CLI_INSPECT, AT(extract), NULL, NULL},
    {"threads", 'T', OPTION_VALUE, CLI_QUANTIZE | CLI_VERIFY | CLI_CHECK, AT(threads),
     value_threads, "a number of threads (0 to 1024; 0: one for each processor)"},
    {"max-memory", 0, OPTION_VALUE,
     CLI_QUANTIZE | CLI_INSPECT | CLI_VERIFY | CLI_CHECK | CLI_REWRITE, AT(max_memory), value_size,
     a_size},
    {"max-output", 0, OPTION_VALUE,
     CLI_QUANTIZE | CLI_INSPECT | CLI_VERIFY | CLI_CHECK | CLI_REWRITE, AT(max_output), value_size,
     a_size},
    {"json", 0, OPTION_FLAG, ALL, AT(json), NULL, NULL},
    {"dry-run", 'n', OPTION_FLAG, CLI_QUANTIZE | CLI_REWRITE, AT(dry_run), NULL, NULL},
    {"quiet", 'q', OPTION_QUIET, CLI_QUANTIZE | CLI_VERIFY | CLI_CHECK | CLI_REWRITE, AT(verbosity),
     NULL, NULL},
    {"verbose", 'v', OPTION_LOUDER,
     CLI_QUANTIZE | CLI_INSPECT | CLI_VERIFY | CLI_CHECK | CLI_REWRITE, AT(verbosity), NULL, NULL},
    {"force", 'f', OPTION_FLAG, CLI_QUANTIZE | CLI_INSPECT | CLI_REWRITE | CLI_CHECK, AT(force),
     NULL, NULL},
    {"help", 'h', OPTION_FLAG, ALL, AT(help), NULL, NULL},
};
enum { OPTION_COUNT = sizeof option_table / sizeof option_table[0] };

static bool takes_value(const struct option *option) {
    return option->kind == OPTION_TEXT || option->kind == OPTION_ONCE ||
           option->kind == OPTION_LIST || option->kind == OPTION_VALUE;
}

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

static bool apply(struct cli_options *options, const struct option *option, const char *value) {
    void *place = (char *)options + option->place;
    struct cli_list *list = place;
    const char **text = place;
    int *verbosity = place;
    if (option->read != NULL && !option->read(value, option->kind == OPTION_LIST ? NULL : place)) {
        cli_usage_error(options->command_name, "'%s' is not %s", value, option->wanted);
        return false;
    }
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)place = true;
        break;
    case OPTION_ONCE:
        if (*text != NULL) {
            cli_usage_error(options->command_name, "one --%s at a time: '%s' or '%s'?",
                            option->name, *text, value);
            return false;
        }
        *text = value;
        break;
    case OPTION_TEXT:
        *text = value;
        break;
    case OPTION_LIST:
        list->items[list->count++] = value;
        break;
    case OPTION_VALUE:
        break;
    case OPTION_QUIET:
        *verbosity = -1;
        break;
    case OPTION_LOUDER:
        *verbosity = *verbosity > 0 ? 2 : 1;
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
    if (takes_value(option) && value == NULL)
        value = next_word(words);
    if (takes_value(option) && (value == NULL || *value == '\0')) {
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
        if (value != NULL && !takes_value(option)) {
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
        if (takes_value(option))
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
    if (options->command == CLI_VERIFY && options->other != NULL) {
        cli_usage_error(options->command_name, "takes two models, but got '%s' as well", word);
        return false;
    }
    if (options->command != CLI_VERIFY && options->input != NULL) {
        cli_usage_error(
            options->command_name, "takes one model, but got '%s' and '%s'%s", options->input, word,
            options->command & (CLI_QUANTIZE | CLI_REWRITE) ? " (the output goes behind -o)" : "");
        return false;
    }
    if (strcmp(word, "-") == 0) {
        cli_usage_error(options->command_name,
                        "a model can't come from standard input; name its file");
        return false;
    }
    if (options->input == NULL)
        options->input = word;
    else
        options->other = word;
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
    if (options->fix && options->output == NULL) {
        cli_usage_error(options->command_name, "no output given: --fix wants -o OUTPUT");
        return false;
    }
    if ((options->command & (CLI_QUANTIZE | CLI_REWRITE)) != 0 && options->output == NULL &&
        !options->dry_run) {
        cli_usage_error(options->command_name,
                        "no output given: add -o OUTPUT, or --dry-run to see what it would be");
        return false;
    }
    if (options->command == CLI_VERIFY && options->other == NULL) {
        cli_usage_error(options->command_name, "compare it with which model? Give two paths");
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
    free(options->member_recipes.items);
    free(options->data.items);
}

bool cli_parse(struct cli_options *options, int count, char **words) {
    struct words rest = {.words = words, .count = count};
    bool only_operands = false;
    options->member_recipes.items = calloc((size_t)count + 1, sizeof(const char *));
    options->data.items = calloc((size_t)count + 1, sizeof(const char *));
    if (options->member_recipes.items == NULL || options->data.items == NULL) {
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
