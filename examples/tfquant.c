/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program `tfquant`: libtfquant from the command line, and a proof that its
 * public header is enough. Exit status: 0 done, 1 error, 2 wrong use, 3 nothing
 * to change, or further apart than wanted.
 */
#include "tfquant_cli.h"

#include <inttypes.h>
#include <string.h>

static const char general_help[] =
    "Makes TFLite models smaller, alone or in a bundle (.task, .litertlm).\n"
    "\n"
    "usage: tfquant quantize INPUT -o OUTPUT [options]   write a smaller model or bundle\n"
    "       tfquant inspect INPUT [options]              show what it holds, or extract a member\n"
    "       tfquant verify A B [options]                 compare what two models compute\n"
    "       tfquant check INPUT [options]                say what will fail, and where\n"
    "       tfquant rewrite INPUT -o OUTPUT [options]    what computes the same, and is refused "
    "less\n"
    "       tfquant recipes [options]                    list the ways to make models smaller\n"
    "       tfquant help [COMMAND]                       (or --help behind a command)\n"
    "       tfquant --version\n"
    "\n"
    "Exit status: 0 done, 1 error, 2 wrong use, 3 nothing to change, too far apart, or\n"
    "something found.\n";

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
    "  -r, --recipe RECIPE    how to make it smaller, see below; the recipe 'none' copies. What "
    "ends\n"
    "                         in .json or has a / in it is a file with options for one of these:\n"
    "                         {\"recipe\": NAME, \"rounding\": \"plain\" or \"sums\" or "
    "\"inputs\",\n"
    "                         \"bias_correction\": true, \"float_budget\": 0.05, \"name\": TEXT}\n"
    "      --member PATTERN=RECIPE\n"
    "                         another recipe for the models of a bundle whose path PATTERN fits;\n"
    "                         * stands for any characters, / too, and ? for one. May be given\n"
    "                         several times: the first that fits counts.\n"
    "      --data FOLDER      run the model on the inputs in FOLDER, see below, for recipes that "
    "ask\n"
    "                         what layers see; else they take synthetic inputs. Of a bundle with\n"
    "                         several models: --data PATTERN=FOLDER, several times if you like\n"
    "      --input-range LOW,HIGH\n"
    "                         what 0 and 255 stand for in uint8 data for inputs that are float32,\n"
    "                         like 0,1 or -1,1\n"
    "      --effort EFFORT    how long recipes that run the model may take: fast, normal (the\n"
    "                         default), or best\n"
    "      --target TARGET    what is to run the result: xnnpack (the default: LiteRT on CPUs), "
    "gpu,\n"
    "                         litert, nnapi, tflite-micro or int8-only: it gets nothing that it\n"
    "                         refuses, and what it refuses of INPUT is rewritten if that can be\n"
    "      --no-rewrite       keep all operators of INPUT\n"
    "      --target-size SIZE the most accurate result of at most so many bytes: 123456, 1500K, "
    "2M,\n"
    "                         or 55% of INPUT\n"
    "      --max-error DB     the smallest result whose worst output is expected to have this "
    "ratio\n"
    "                         of signal to error, or more: 30dB\n"
    "      --keep-storage     deflate models of a ZIP where they were; else they are stored, and\n"
    "                         aligned so that they can be mapped\n"
    "  -f, --force            replace OUTPUT if it is there\n"
    "  -n, --dry-run          write nothing; sizes and decisions are exact all the same\n"
    "  -T, --threads N        threads to use; 0, the default: one for each processor.\n"
    "                         The output is the same for any number.\n"
    "      --max-memory SIZE  fail rather than hold more than this at once; SIZE is bytes,\n"
    "                         or has K, M, G or T behind it: 64M\n"
    "      --max-output SIZE  fail if the deflated members of a bundle become more than this;\n"
    "                         the default is 64M, or 256 times INPUT where that is more\n"
    "      --json             print one JSON object instead of text\n"
    "  -q, --quiet            print errors only\n"
    "  -v, --verbose          print all constants, with whole names and their operators\n"
    "\n"
    "FOLDER holds .npy files as NumPy writes them (of floats, which become float32, or of\n"
    "integers where the model takes integers) and .raw or .bin files (just the bytes of one "
    "input);\n"
    "other files are passed over. For a model with one input each file is one set, or several:\n"
    "[N, 224, 224, 3] for an input [1, 224, 224, 3] is N sets. For a model with several inputs\n"
    "each set is files NAME.0.npy, NAME.1.npy, ... in the order in which 'tfquant inspect' lists\n"
    "inputs. FOLDER can be one such file. Values must be scaled as the model expects them.\n"
    "\n"
    "Exit status: 0 done, 1 error, 2 wrong use, 3 the recipe changes nothing in any model:\n"
    "then nothing is written (except by the recipe 'none', which is done with 0).\n"
    "\n";

static const char quantize_json_help[] =
    "The JSON object: tool, version, command, input, output (null in a dry run without -o),\n"
    "format (tflite, zip, litertlm), recipe, effort, target, data_sets (that --data gave), "
    "dry_run,\n"
    "changed, written; edits [as of 'tfquant rewrite']; check {target, clean, counts, findings},\n"
    "of the result, as of 'tfquant check', or null; totals {constants, quantized, float16, "
    "folded,\n"
    "constant_bytes_before, constant_bytes_after, file_bytes_before, file_bytes_after, ratio,\n"
    "mean_snr_db, output_snr_db\n"
    "(expected of the worst output), plain_output_snr_db (had all been rounded plainly), goal\n"
    "(none, reached, missed), layers, known_layers (with statistics), refusal (why not all),\n"
    "runtime_bytes_before, runtime_bytes_after}; still_float [{reason, constants, bytes}]; "
    "entries\n"
    "[{index, verdict, reason, reason_text, subgraph, tensor, name, op, op_input, op_name, shape,\n"
    "from_type, to_type, from_sparse, to_sparse, scales, elements, bytes_before, bytes_after,\n"
    "snr_db, exact, output_snr_db (with this one alone changed), runtime_bytes, is_dynamic}].\n"
    "Of a bundle, totals also has models and models_changed, and instead of still_float and\n"
    "entries there is members [{path, recipe, data_sets, changed, totals, still_float,\n"
    "entries}], one for each model.\n"
    "snr_db is null where nothing was converted and where the values are exact, the other ratios\n"
    "where they were not measured; op and op_input are null where no operator reads it. After an\n"
    "error: tool, version, command, error {status, code, message, path, system_code, subgraph, "
    "op,\n"
    "tensor, offset}, null where not known.\n";

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
    "(null, or {dimension, scales, block_size (where scales are per block), scale,\n"
    "zero_point})}], operators [{index, name, builtin_code, custom, version, inputs,\n"
    "outputs}]}].\n"
    "Of a bundle: tool, version, command, input, format (zip, litertlm), file_bytes; members\n"
    "[{name, path, kind (model, bundle, directory, other), size, stored_size, deflated}]. Those\n"
    "that are models also have model {as above, from format on}, and bundles format, file_bytes\n"
    "and members. With --extract: tool, version, command, input, output, extracted {as one of\n"
    "members}; on standard error when the member goes to standard output.\n"
    "After an error as for 'tfquant quantize'.\n";

static const char verify_help[] =
    "usage: tfquant verify A B [options]\n"
    "\n"
    "Runs the model A and the model B, which was made from it, on the same inputs, and says how\n"
    "far B's outputs and layers are from A's, and where the error comes from. Both are run by\n"
    "tfquant itself, which computes with quantized weights as the runtime does. Of two bundles\n"
    "the models with the same path are compared.\n"
    "\n"
    "  -i, --input FOLDER     inputs of your own: .npy files, or raw ones (.raw, .bin) of values\n"
    "                         alone. Of a model with several inputs NAME.0.npy is for the first,\n"
    "                         NAME.1.npy for the second and so on; FOLDER may also be one file.\n"
    "      --samples N        synthetic inputs to run on, 8 if not given; with --input run on the\n"
    "                         first N only\n"
    "      --seed N           other synthetic inputs\n"
    "      --input-range LOW,HIGH\n"
    "                         what 0 and 255 of pictures become. With --input of uint8 it has to "
    "be\n"
    "                         said; else the default is what the model's metadata say, or 0,1 for\n"
    "                         half of the pictures and -1,1 for the other half, and what is shown "
    "is\n"
    "                         the half that is further apart.\n"
    "      --signature KEY    compare only this signature\n"
    "      --layers           list all layers in order, not the ten that are furthest apart\n"
    "      --min-snr DB       exit with 3 if an output is further apart than this\n"
    "  -T, --threads N        threads to use; 0, the default: one for each processor.\n"
    "                         What is found is the same for any number.\n"
    "      --max-memory SIZE  fail rather than hold more than this at once\n"
    "      --max-output SIZE  fail if the deflated members of a bundle become more than this\n"
    "      --json             print one JSON object instead of text, with all layers\n"
    "  -q, --quiet            print errors only\n"
    "  -v, --verbose          whole names\n"
    "\n"
    "SNR is 10 log10(sum y^2 / sum (y - y')^2), over all inputs. A layer's own SNR is that of the\n"
    "error that it makes itself, given what it gets in A; 'alone' is the SNR of the worst output\n"
    "when only this layer is B's.\n"
    "\n"
    "Exit status: 0 compared, 1 error, or no output could be compared, 2 wrong use, 3 an output\n"
    "has an SNR below --min-snr.\n";

static const char verify_json_help[] =
    "\n"
    "The JSON object: tool, version, command, reference, other, format (tflite, zip, litertlm),\n"
    "min_snr_db, below_min_snr; samples, worst_output, entry_layer (indices, or null),\n"
    "compared_outputs, compared_layers, unmatched, other_unmatched, skipped, other_skipped,\n"
    "refusal; outputs and layers [{index, name, subgraph, op, op_name, tensor, other_subgraph,\n"
    "other_op, other_op_name, other_tensor, output, type, shape, samples, elements, differing,\n"
    "broken, exact, snr_db, cosine, mean_magnitude, mean_difference, mean_relative_difference,\n"
    "max_difference, local_snr_db, local_exact, output_snr_db, output_exact, low, high}].\n"
    "Of bundles there are instead members [{path, samples, ... as above, or error}], missing and\n"
    "additional [paths of models]. Numbers are null where there is nothing to say, and an SNR\n"
    "also where it is infinite: because nothing differs (exact), or because a number is finite in\n"
    "one of both only (broken). After an error as for 'tfquant quantize'.\n";

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
    "written.\n";

static const char rewrite_json_help[] =
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

static const char check_help[] =
    "usage: tfquant check INPUT [options]\n"
    "       tfquant check INPUT --fix -o OUTPUT [options]\n"
    "\n"
    "Says what will fail in the model INPUT, or go wrong without a word: operators and versions\n"
    "that the target does not have, shapes that do not fit, scales that break kernels, weights\n"
    "that int8 can't hold, ranges that it can't join. Of a bundle (.task or another ZIP, "
    ".litertlm) every model is checked.\n"
    "\n"
    "      --target TARGET    what it is to run on: litert (its builtin kernels, the default),\n"
    "                         xnnpack, gpu, nnapi, tflite-micro, or int8-only: what a model needs\n"
    "                         to become int8 all through\n"
    "      --data FOLDER      what tensors reach to on these inputs, for int8-only and\n"
    "                         tflite-micro; FOLDER is as for 'tfquant quantize'. For int8-only it "
    "is\n"
    "                         else what they reach to on synthetic inputs. Of a bundle with "
    "several\n"
    "                         models: --data PATTERN=FOLDER\n"
    "      --input-range LOW,HIGH\n"
    "                         what 0 and 255 stand for in uint8 data, like 0,1 or -1,1\n"
    "      --runtime RELEASE  the oldest runtime that has to load it, like 2.5: what needs a "
    "newer\n"
    "                         one is an error\n"
    "      --fix              apply the rewrites that the findings name as their cure, notes too,\n"
    "                         write what that gives to OUTPUT, and check it again\n"
    "  -o, --output OUTPUT    where to; - is standard output (the report then goes to\n"
    "                         standard error)\n"
    "  -f, --force            replace OUTPUT if it is there\n"
    "  -T, --threads N        threads to use; 0, the default: one for each processor.\n"
    "                         What is found is the same for any number.\n"
    "      --max-memory SIZE  fail rather than hold more than this at once\n"
    "      --max-output SIZE  fail if the deflated members of a bundle become more than this;\n"
    "                         the default is 64M, or 256 times INPUT where that is more\n"
    "      --json             print one JSON object instead of text\n"
    "  -q, --quiet            print nothing but errors of the program\n"
    "  -v, --verbose          print notes too: what works, but could be faster or smaller\n"
    "\n"
    "Exit status: 0 clean, but for notes; 1 error; 2 wrong use; 3 errors or warnings are found, "
    "with\n"
    "--fix in OUTPUT.\n"
    "\n";

static const char check_json_help[] =
    "The JSON object: tool, version, command, input, target, runtime (or null), clean, counts\n"
    "{error, warning, note}; findings [{severity, rule, path, subgraph, op, op_input, op_name,\n"
    "builtin_code, tensor, tensor_name, message, cure}]; rules [{name, summary}], those that the\n"
    "target has; ranges [{path, subgraph, known, data_sets (0: synthetic inputs), refused "
    "(operators\n"
    "that can't be run), refusal}], what values were measured on; with --fix also fix {output, "
    "edits\n"
    "[as of 'tfquant rewrite'], clean, counts, findings, ranges}, of OUTPUT. Indices are null "
    "where\n"
    "it is not about one, cure where there is none.\n"
    "After an error as for 'tfquant quantize'.\n";

struct command {
    const char *name;
    enum cli_command command;
    const char *help;
    const char *more_help; /* a literal may have 4095 characters */
    enum cli_exit (*run)(const struct cli_options *options);
};

static const struct command commands[] = {
    {"quantize", CLI_QUANTIZE, quantize_help, quantize_json_help, cli_quantize},
    {"inspect", CLI_INSPECT, inspect_help, "", cli_inspect},
    {"verify", CLI_VERIFY, verify_help, verify_json_help, cli_verify},
    {"check", CLI_CHECK, check_help, check_json_help, cli_check},
    {"rewrite", CLI_REWRITE, rewrite_help, rewrite_json_help, cli_rewrite},
    {"recipes", CLI_RECIPES, recipes_help, "", cli_recipes},
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
    fputs(command != NULL ? command->more_help : "", stdout);
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
