/* SPDX-License-Identifier: Apache-2.0 */
/* What rewrites did to a model, or to the models of a bundle; and writing what they made. */
#include "tfquant_mend.h"
#include "tfquant_output.h"

#include <inttypes.h>

typedef void edit_visit(void *opaque, const char *path, const tq_edit_info *edit);

struct edits_walk {
    edit_visit *visit;
    void *opaque;
};

static void each_edit_of(const tq_model *model, const char *path, const struct edits_walk *walk) {
    tq_edit_info edit = {.struct_size = sizeof edit};
    for (uint32_t i = 0; tq_get_edit_info(model, i, &edit) == TQ_OK; i++)
        walk->visit(walk->opaque, path, &edit);
}

static bool visit_member(void *opaque, const struct cli_member *member) {
    if (member->info.kind == TQ_MEMBER_MODEL)
        each_edit_of(member->model, member->info.path, opaque);
    return false;
}

static void each_edit(tq_model *model, edit_visit *visit, void *opaque) {
    struct edits_walk walk = {visit, opaque};
    if (cli_format(model) == TQ_FORMAT_TFLITE)
        each_edit_of(model, "", &walk);
    else
        cli_each_member(model, visit_member, &walk);
}

static void count_edit(void *opaque, const char *path, const tq_edit_info *edit) {
    uint32_t *count = opaque;
    (void)path;
    (void)edit;
    ++*count;
}

static void print_edit(void *opaque, const char *path, const tq_edit_info *edit) {
    FILE *file = opaque;
    if (*path != '\0') {
        cli_print_name(file, path, 0);
        fputs(": ", file);
    }
    fprintf(file, "%-20s ", edit->rewrite);
    if (edit->subgraph != 0)
        fprintf(file, "subgraph %" PRIu32 ", ", edit->subgraph);
    if (edit->op != TQ_NO_INDEX)
        fprintf(file, "operator %" PRId32 " %s ", edit->op, edit->op_name);
    else
        fprintf(file, "tensor %" PRId32 " ", edit->tensor);
    cli_print_name(file, edit->name, 60);
    fputc('\n', file);
}

static void json_edit(void *opaque, const char *path, const tq_edit_info *edit) {
    struct json_out *json = opaque;
    json_open_flat(json, '{');
    json_put_string(json, "path", path);
    json_put_string(json, "rewrite", edit->rewrite);
    json_put_uint(json, "subgraph", edit->subgraph);
    json_key(json, "op");
    edit->op != TQ_NO_INDEX ? json_int(json, edit->op) : json_null(json);
    json_put_string(json, "op_name", edit->op_name);
    json_key(json, "tensor");
    edit->tensor != TQ_NO_INDEX ? json_int(json, edit->tensor) : json_null(json);
    json_put_string(json, "name", edit->name);
    json_close(json, '}');
}

uint32_t cli_count_edits(tq_model *model) {
    uint32_t count = 0;
    each_edit(model, count_edit, &count);
    return count;
}

void cli_print_edits(FILE *file, tq_model *model) {
    each_edit(model, print_edit, file);
}

void cli_json_edits(struct json_out *json, tq_model *model) {
    json_key(json, "edits");
    json_open(json, '[');
    each_edit(model, json_edit, json);
    json_close(json, ']');
}

/* --- writing --- */

static int32_t write_all(void *opaque, const void *data, size_t size) {
    return output_write(opaque, data, size);
}

tq_status cli_save_plain(const struct cli_options *options, tq_model *model, tq_error *error) {
    tq_save_options save = TQ_SAVE_OPTIONS_INIT;
    struct output output;
    const tq_sink sink = {.struct_size = sizeof sink, .opaque = &output, .write = write_all};
    if (options->force)
        save.flags |= TQ_SAVE_OVERWRITE;
    if (!is_stdout(options->output) && !is_special(options->output))
        return tq_save_file(model, options->output, &save, error);
    tq_status status = output_open(&output, options->output, false, options->input, error);
    if (status != TQ_OK)
        return status;
    status = tq_save_sink(model, &sink, &save, error);
    if (status == TQ_OK)
        return output_commit(&output, error);
    output_abort(&output);
    return status;
}
