/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program `tfquant`: libtfquant from the command line, and a proof that its
 * public header is enough. Exit status: 0 done, 1 error, 2 wrong use, 3 nothing
 * to change.
 */
#include "tfquant_cli.h"

#include <inttypes.h>
#include <string.h>

static const char general_help[] =
    "Makes TFLite models smaller, alone or in a bundle (.task, .litertlm).\n"
    "\n"
    "usage: tfquant quantize INPUT -o OUTPUT [options]   write a smaller model or bundle\n"
    "       tfquant inspect INPUT [options]              show what it holds, or extract a member\n"
    "       tfquant rewrite INPUT -o OUTPUT [options]    the same graph without what runtimes "
    "refuse\n"
    "       tfquant recipes [options]                    list the ways to make models smaller\n"
    "       tfquant help [COMMAND]                       (or --help behind a command)\n"
    "       tfquant --version\n"
    "\n"
    "Exit status: 0 done, 1 error, 2 wrong use, 3 nothing to change.\n";

static const char quantize_help[] =
    "usage: tfquant quantize INPUT -o OUTPUT [options]\n"
    "       tfquant quantize INPUT --dry-run [options]\n"
    "\n"
    "Writes the model INPUT, made smaller, to the file OUTPUT, and says of every constant\n"
    "what was done to it and why. INPUT is never changed; OUTPUT is whole or not there.\n"
    "INPUT can be a bundle (.task or another ZIP, .litertlm): then every model in it, and in\n"
    "bundles in it, is made smaller, and all else is kept byte for byte.\n"
    "\n"
    "  -o, --output OUTPUT    where to; - is standard output (the report then goes to\n"
    "                         standard error)\n"
    "  -r, --recipe NAME      how to make it smaller, see below; the recipe 'none' copies\n"
    "      --member PATTERN=RECIPE\n"
    "                         another recipe for the models of a bundle whose path PATTERN fits;\n"
    "                         * stands for any characters, / too, and ? for one. May be given\n"
    "                         several times: the first that fits counts.\n"
    "      --keep-storage     deflate models of a ZIP where they were; else they are stored, and\n"
    "                         aligned so that they can be mapped\n"
    "  -f, --force            replace OUTPUT if it is there\n"
    "  -n, --dry-run          write nothing; sizes and decisions are exact all the same\n"
    "  -T, --threads N        threads to convert on; 0, the default: one for each processor.\n"
    "                         The output is the same for any number.\n"
    "      --max-memory SIZE  fail rather than hold more than this at once; SIZE is bytes,\n"
    "                         or has K, M, G or T behind it: 64M\n"
    "      --max-output SIZE  fail if the deflated members of a bundle become more than this;\n"
    "                         the default is 64M, or 256 times INPUT where that is more\n"
    "      --json             print one JSON object instead of text\n"
    "  -q, --quiet            print errors only\n"
    "  -v, --verbose          print all constants, with whole names and their operators\n"
    "\n"
    "Exit status: 0 done, 1 error, 2 wrong use, 3 the recipe changes nothing in any model:\n"
    "then nothing is written (except by the recipe 'none', which is done with 0).\n"
    "\n"
    "The JSON object: tool, version, command, input, output (null in a dry run without -o),\n"
    "format (tflite, zip, litertlm), recipe, dry_run, changed, written; totals {constants,\n"
    "quantized, float16, folded, constant_bytes_before, constant_bytes_after,\n"
    "file_bytes_before, file_bytes_after, ratio, mean_snr_db}; still_float [{reason, constants,\n"
    "bytes}]; entries [{index, verdict, reason, reason_text, subgraph, tensor, name, op,\n"
    "op_input, op_name, shape, from_type, to_type, from_sparse, to_sparse, scales, elements,\n"
    "bytes_before, bytes_after, snr_db, exact}].\n"
    "Of a bundle, totals also has models and models_changed, and instead of still_float and\n"
    "entries there is members [{path, recipe, changed, totals, still_float, entries}], one for\n"
    "each model.\n"
    "snr_db is null where nothing was converted and where the values are exact; op and op_input\n"
    "are null where no operator reads it. After an error: tool, version, command, error {status,\n"
    "code, message, path, system_code, subgraph, op, tensor, offset}, null where not known.\n";

static const char inspect_help[] =
    "usage: tfquant inspect INPUT [--json] [-v]\n"
    "       tfquant inspect INPUT --extract MEMBER [-o OUTPUT] [-f]\n"
    "\n"
    "Shows what the model INPUT holds: inputs and outputs, operators, constants, metadata; of a\n"
    "bundle (.task or another ZIP, .litertlm) its members as a tree, and each model in a line.\n"
    "\n"
    "      --json             print one JSON object instead of text, with every tensor and\n"
    "                         operator\n"
    "  -v, --verbose          list every tensor and operator; of a bundle, show its models one\n"
    "                         by one, and given twice (-vv) with every tensor and operator\n"
    "      --extract MEMBER   write what a member of a bundle holds; MEMBER is its path, from the\n"
    "                         outermost bundle on: inner.task/model.tflite\n"
    "  -o, --output OUTPUT    where to; -, the default, is standard output\n"
    "  -f, --force            replace OUTPUT if it is there\n"
    "      --max-memory SIZE  fail rather than hold more than this at once\n"
    "      --max-output SIZE  fail if the deflated members of a bundle become more than this;\n"
    "                         the default is 64M, or 256 times INPUT where that is more\n"
    "\n"
    "The JSON object: tool, version, command, input, format (tflite), file_bytes,\n"
    "trailing_bytes, schema_version, description, buffers, operator_codes; operator_counts\n"
    "[{name, custom, version, count}]; constants [{type, sparse, quantized, tensors, bytes}];\n"
    "metadata [{name, buffer, bytes}]; signatures [{key, subgraph, inputs, outputs}]; subgraphs\n"
    "[{index, name, inputs, outputs, tensors [{index, name, type, type_code, shape,\n"
    "shape_signature (where dynamic), buffer, constant_bytes, variable, sparse, quantization\n"
    "(null, or {dimension, scales, scale, zero_point})}], operators [{index, name, builtin_code,\n"
    "custom, version, inputs, outputs}]}].\n"
    "Of a bundle: tool, version, command, input, format (zip, litertlm), file_bytes; members\n"
    "[{name, path, kind (model, bundle, directory, other), size, stored_size, deflated}]. Those\n"
    "that are models also have model {as above, from format on}, and bundles format, file_bytes\n"
    "and members. With --extract: tool, version, command, input, output, extracted {as one of\n"
    "members}; on standard error when the member goes to standard output.\n"
    "After an error as for 'tfquant quantize'.\n";

static const char rewrite_help[] =
    "usage: tfquant rewrite INPUT -o OUTPUT [options]\n"
    "       tfquant rewrite INPUT --dry-run [options]\n"
    "       tfquant rewrite --list [--json]\n"
    "\n"
    "Writes a model that computes the same, bit by bit, without what runtimes and delegates "
    "refuse\n"
    "or stumble over, and says what was done. Of a bundle every model is rewritten, and all else\n"
    "is kept.\n"
    "\n"
    "  -o, --output OUTPUT    where to; - is standard output (the report then goes to\n"
    "                         standard error)\n"
    "      --only NAME,...    only these rewrites\n"
    "      --target TARGET    what it is to run on: xnnpack (the default), gpu, litert, nnapi,\n"
    "                         tflite-micro, int8-only; what replaces an operator, it has\n"
    "      --list             list the rewrites\n"
    "  -f, --force            replace OUTPUT if it is there\n"
    "  -n, --dry-run          write nothing\n"
    "      --max-memory SIZE  fail rather than hold more than this at once\n"
    "      --max-output SIZE  fail if the deflated members of a bundle become more than this;\n"
    "                         the default is 64M, or 256 times INPUT where that is more\n"
    "      --json             print one JSON object instead of text\n"
    "  -q, --quiet            print errors only\n"
    "\n"
    "Exit status: 0 done, 1 error, 2 wrong use, 3 there is nothing to rewrite: then nothing is\n"
    "written.\n"
    "\n"
    "The JSON object: tool, version, command, input, output, target, dry_run, changed, written,\n"
    "file_bytes_before, file_bytes_after; edits [{path, rewrite, subgraph, op, op_name, tensor,\n"
    "name}]. path is that of the model in its bundle; op and tensor are indices in INPUT, null\n"
    "where it is about none. With --list: tool, version, command; rewrites [{name, default,\n"
    "summary}]. After an error as for 'tfquant quantize'.\n";

static const char recipes_help[] =
    "usage: tfquant recipes [--json]\n"
    "\n"
    "Lists the recipes that 'tfquant quantize --recipe NAME' takes.\n"
    "\n"
    "The JSON object: tool, version, command; recipes [{name, default, summary}].\n";

struct command {
    const char *name;
    enum cli_command command;
    const char *help;
    enum cli_exit (*run)(const struct cli_options *options);
};

static const struct command commands[] = {
    {"quantize", CLI_QUANTIZE, quantize_help, cli_quantize},
    {"inspect", CLI_INSPECT, inspect_help, cli_inspect},
    {"rewrite", CLI_REWRITE, rewrite_help, cli_rewrite},
    {"recipes", CLI_RECIPES, recipes_help, cli_recipes},
};

static const struct command *find_command(const char *name) {
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static enum cli_exit unknown_command(const char *name) {
    return cli_usage_error(NULL, "there is no command '%s'", name);
}

static enum cli_exit help(const struct command *command) {
    fputs(command != NULL ? command->help : general_help, stdout);
    if (command != NULL && command->command == CLI_QUANTIZE) {
        fputs("\nRecipes:\n", stdout);
        cli_recipes(&(struct cli_options){.command = CLI_RECIPES});
    }
    return cli_finish_output(stdout, CLI_DONE);
}

static enum cli_exit version(void) {
    const uint32_t library = tq_version();
    printf("tfquant %d.%d.%d (libtfquant %" PRIu32 ".%" PRIu32 ".%" PRIu32 ", ABI %" PRIu32 ")\n",
           TQ_VERSION_MAJOR, TQ_VERSION_MINOR, TQ_VERSION_PATCH, library >> 16, library >> 8 & 0xFF,
           library & 0xFF, tq_abi_version());
    return cli_finish_output(stdout, CLI_DONE);
}

static enum cli_exit run_command(int argc, char **argv) {
    if (argc < 2) {
        fputs(general_help, stderr);
        return CLI_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return version();
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        if (argc > 2 && find_command(argv[2]) == NULL)
            return unknown_command(argv[2]);
        return help(argc > 2 ? find_command(argv[2]) : NULL);
    }
    const struct command *command = find_command(word);
    if (command == NULL)
        return word[0] == '-' ? cli_usage_error(NULL, "unknown option '%s'", word)
                              : unknown_command(word);
    struct cli_options options = {.command = command->command, .command_name = command->name};
    enum cli_exit result = CLI_USAGE;
    if (cli_parse(&options, argc - 2, argv + 2))
        result = options.help ? help(command) : command->run(&options);
    cli_options_free(&options);
    return result;
}

int main(int argc, char **argv) {
    return (int)run_command(argc, argv);
}
