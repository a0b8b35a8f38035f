/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include <inttypes.h>

/* --- for people --- */

static void indent(FILE *file, unsigned depth) {
    fprintf(file, "%*s", (int)(2 + 4 * depth), "");
}

/* Sections of a .litertlm are never deflated, so that of them it is not said. */
static void print_storage(FILE *file, const struct cli_member *member) {
    if (cli_format(member->bundle) != TQ_FORMAT_ZIP)
        return;
    if (member->info.is_deflated)
        fprintf(file, ", deflated to %s", cli_format_size(member->info.stored_size).text);
    else
        fputs(", stored", file);
}

static bool print_member(void *opaque, const struct cli_member *member) {
    FILE *file = opaque;
    indent(file, member->depth);
    cli_print_name(file, member->info.name, 0);
    if (member->info.kind == TQ_MEMBER_DIRECTORY) {
        fputs(" - directory\n", file);
        return false;
    }
    fputs(" - ", file);
    if (member->info.kind == TQ_MEMBER_BUNDLE && member->model != NULL)
        fprintf(file, "%s, ", cli_format_text(cli_format(member->model)));
    else if (member->info.kind == TQ_MEMBER_MODEL)
        fputs("model, ", file);
    fputs(cli_format_size(member->info.size).text, file);
    print_storage(file, member);
    putc('\n', file);
    if (member->info.kind == TQ_MEMBER_MODEL && member->model != NULL) {
        indent(file, member->depth + 1);
        cli_print_model_summary(member->model, file);
        putc('\n', file);
    }
    return false;
}

struct details {
    const struct cli_options *options;
    FILE *file;
};

static bool print_details(void *opaque, const struct cli_member *member) {
    const struct details *details = opaque;
    if (member->info.kind == TQ_MEMBER_MODEL && member->model != NULL) {
        putc('\n', details->file);
        cli_print_model(member->model, member->info.path, details->options->verbosity - 1,
                        details->file);
    }
    return false;
}

void cli_print_bundle(const struct cli_options *options, tq_model *bundle, FILE *file) {
    tq_model_info info = {.struct_size = sizeof info};
    struct details details = {options, file};
    if (tq_get_model_info(bundle, &info) != TQ_OK)
        return;
    fprintf(file, "%-15s ", "file");
    cli_print_name(file, options->input, 0);
    fprintf(file, "\n%-15s %" PRIu64 " bytes", "size", info.file_size);
    if (info.file_size >= 1024)
        fprintf(file, " (%s)", cli_format_size(info.file_size).text);
    fprintf(file, "\n%-15s %s\n", "format", cli_format_text(info.format));
    fprintf(file, "%-15s %" PRIu32 "\n", "models", cli_count_models(bundle).models);
    if (info.members != 0)
        fputs("\nmembers\n", file);
    cli_each_member(bundle, print_member, file);
    if (options->verbosity > 0)
        cli_each_member(bundle, print_details, &details);
}

/* --- for machines --- */

void cli_json_member(struct json_out *json, const struct cli_member *member) {
    json_put_string(json, "name", member->info.name);
    json_put_string(json, "path", member->info.path);
    json_put_string(json, "kind", cli_member_kind_name(member->info.kind));
    json_put_uint(json, "size", member->info.size);
    json_put_uint(json, "stored_size", member->info.stored_size);
    json_put_bool(json, "deflated", member->info.is_deflated != 0);
}

void cli_json_bundle(struct json_out *json, tq_model *bundle) {
    tq_model_info info = {.struct_size = sizeof info};
    struct cli_member member;
    if (tq_get_model_info(bundle, &info) != TQ_OK)
        return;
    json_put_string(json, "format", cli_format_name(info.format));
    json_put_uint(json, "file_bytes", info.file_size);
    json_key(json, "members");
    json_open(json, '[');
    for (uint32_t i = 0; cli_member(bundle, i, &member); i++) {
        json_open(json, '{');
        cli_json_member(json, &member);
        if (member.info.kind == TQ_MEMBER_BUNDLE && member.model != NULL) {
            cli_json_bundle(json, member.model);
        } else if (member.info.kind == TQ_MEMBER_MODEL && member.model != NULL) {
            json_key(json, "model");
            json_open(json, '{');
            cli_json_model(json, member.model);
            json_close(json, '}');
        }
        json_close(json, '}');
    }
    json_close(json, ']');
}
