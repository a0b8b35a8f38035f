/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include "tfquant_census.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void print_tensor(FILE *file, const tq_tensor_info *tensor) {
    if (tensor->name[0] != '\0')
        cli_print_name(file, tensor->name, 0);
    else
        fputs("(unnamed)", file);
    fprintf(file, " - %s%s ", tensor->is_sparse ? "sparse " : "", tq_type_name(tensor->type));
    cli_print_shape(file, tensor->shape,
                    tensor->signature_rank == tensor->rank ? tensor->shape_signature : NULL,
                    tensor->rank);
    if (tensor->scales == 1 && tensor->scale != NULL)
        fprintf(file, ", scale %.6g", (double)tensor->scale[0]);
    else if (tensor->block_size != 0)
        fprintf(file, ", %" PRIu32 " scales, one for each %" PRIu32, tensor->scales,
                tensor->block_size);
    else if (tensor->scales != 0)
        fprintf(file, ", %" PRIu32 " %s along dimension %" PRId32, tensor->scales,
                tensor->scales == 1 ? "scale" : "scales", tensor->channel_dim);
    if (tensor->scales == 1 && tensor->zero_point != NULL)
        fprintf(file, ", zero point %" PRId64, tensor->zero_point[0]);
    if (tensor->bytes != 0)
        fprintf(file, ", constant of %s in buffer %" PRIu32, cli_format_size(tensor->bytes).text,
                tensor->buffer);
    if (tensor->is_variable)
        fputs(", variable", file);
    putc('\n', file);
}

static void print_boundary(FILE *file, const tq_model *model, uint32_t subgraph, const char *label,
                           const int32_t *tensors, uint32_t count) {
    tq_tensor_info tensor = {.struct_size = sizeof tensor};
    for (uint32_t i = 0; i < count; i++) {
        fprintf(file, "  %-7s ", label);
        if (tensors[i] >= 0 &&
            tq_get_tensor_info(model, subgraph, (uint32_t)tensors[i], &tensor) == TQ_OK)
            print_tensor(file, &tensor);
        else
            fprintf(file, "none\n");
    }
}

static void print_indices(FILE *file, const int32_t *tensors, uint32_t count) {
    putc('(', file);
    for (uint32_t i = 0; i < count; i++) {
        if (tensors[i] < 0)
            fprintf(file, "%s-", i != 0 ? ", " : "");
        else
            fprintf(file, "%s%" PRId32, i != 0 ? ", " : "", tensors[i]);
    }
    putc(')', file);
}

static void print_contents(FILE *file, const tq_model *model, uint32_t index,
                           const tq_subgraph_info *subgraph) {
    tq_tensor_info tensor = {.struct_size = sizeof tensor};
    tq_operator_info op = {.struct_size = sizeof op};
    for (uint32_t i = 0; i < subgraph->tensors; i++) {
        if (tq_get_tensor_info(model, index, i, &tensor) != TQ_OK)
            continue;
        fprintf(file, "  tensor %" PRIu32 " ", i);
        print_tensor(file, &tensor);
    }
    for (uint32_t i = 0; i < subgraph->operators; i++) {
        if (tq_get_operator_info(model, index, i, &op) != TQ_OK)
            continue;
        fprintf(file, "  operator %" PRIu32 " %s", i, op.is_custom ? "custom " : "");
        cli_print_name(file, op.name, 0);
        fprintf(file, " version %" PRId32 " ", op.version);
        print_indices(file, op.input_tensors, op.inputs);
        fputs(" -> ", file);
        print_indices(file, op.output_tensors, op.outputs);
        putc('\n', file);
    }
}

static void print_subgraphs(FILE *file, const tq_model *model, bool verbose) {
    tq_subgraph_info subgraph = {.struct_size = sizeof subgraph};
    for (uint32_t i = 0; tq_get_subgraph_info(model, i, &subgraph) == TQ_OK; i++) {
        fprintf(file, "\nsubgraph %" PRIu32, i);
        if (subgraph.name[0] != '\0') {
            fputs(" \"", file);
            cli_print_name(file, subgraph.name, 0);
            putc('"', file);
        }
        fprintf(file, ": %" PRIu32 " tensors, %" PRIu32 " operators\n", subgraph.tensors,
                subgraph.operators);
        print_boundary(file, model, i, "input", subgraph.input_tensors, subgraph.inputs);
        print_boundary(file, model, i, "output", subgraph.output_tensors, subgraph.outputs);
        if (verbose)
            print_contents(file, model, i, &subgraph);
    }
}

static void print_operators(FILE *file, const tq_model *model) {
    struct operator_count *counts;
    uint32_t groups;
    if (!count_operators(model, &counts, &groups))
        return;
    if (groups != 0)
        fputs("\noperators\n", file);
    for (uint32_t i = 0; i < groups; i++) {
        fprintf(file, "%7" PRIu64 "  %s", counts[i].count, counts[i].is_custom ? "custom " : "");
        cli_print_name(file, counts[i].name, 0);
        fprintf(file, " version %" PRId32 "\n", counts[i].version);
    }
    free(counts);
}

static void print_constant_kind(const struct constant_count *group, FILE *file) {
    fprintf(file, "%s%s%s", group->sparse ? "sparse " : "", group->quantized ? "quantized " : "",
            tq_type_name(group->type));
}

static void print_constants(FILE *file, const tq_model *model) {
    struct constant_census census;
    if (!count_constants(model, &census) || census.count == 0)
        return;
    fputs("\nconstants\n", file);
    for (uint32_t i = 0; i < census.count; i++) {
        fprintf(file, "%7" PRIu64 "  ", census.groups[i].tensors);
        print_constant_kind(&census.groups[i], file);
        fprintf(file, ", %s\n", cli_format_size(census.groups[i].bytes).text);
    }
}

static void print_extras(FILE *file, const tq_model *model) {
    tq_metadata_info metadata = {.struct_size = sizeof metadata};
    tq_signature_info signature = {.struct_size = sizeof signature};
    for (uint32_t i = 0; tq_get_metadata_info(model, i, &metadata) == TQ_OK; i++) {
        fputs(i == 0 ? "\nmetadata\n  " : "  ", file);
        cli_print_name(file, metadata.name, 0);
        fprintf(file, ", %s\n", cli_format_size(metadata.bytes).text);
    }
    for (uint32_t i = 0; tq_get_signature_info(model, i, &signature) == TQ_OK; i++) {
        fputs(i == 0 ? "\nsignatures\n  " : "  ", file);
        cli_print_name(file, signature.key, 0);
        fprintf(file, " - subgraph %" PRIu32 ", inputs %" PRIu32 ", outputs %" PRIu32 "\n",
                signature.subgraph, signature.inputs, signature.outputs);
    }
}

void cli_print_model_summary(const tq_model *model, FILE *file) {
    tq_subgraph_info subgraph = {.struct_size = sizeof subgraph};
    struct constant_census census;
    uint64_t operators = 0;
    uint32_t subgraphs = 0;
    for (; tq_get_subgraph_info(model, subgraphs, &subgraph) == TQ_OK; subgraphs++)
        operators += subgraph.operators;
    fprintf(file, "%" PRIu32 " %s, %" PRIu64 " %s", subgraphs,
            subgraphs == 1 ? "subgraph" : "subgraphs", operators,
            operators == 1 ? "operator" : "operators");
    if (!count_constants(model, &census))
        return;
    for (uint32_t i = 0; i < census.count; i++) {
        fputs(i == 0 ? "; " : ", ", file);
        print_constant_kind(&census.groups[i], file);
        fprintf(file, " %s", cli_format_size(census.groups[i].bytes).text);
    }
}

void cli_print_model(const tq_model *model, const char *name, int verbosity, FILE *file) {
    tq_model_info info = {.struct_size = sizeof info};
    if (tq_get_model_info(model, &info) != TQ_OK)
        return;
    fprintf(file, "%-15s ", "file");
    cli_print_name(file, name, 0);
    fprintf(file, "\n%-15s %" PRIu64 " bytes", "size", info.file_size);
    if (info.file_size >= 1024)
        fprintf(file, " (%s)", cli_format_size(info.file_size).text);
    fprintf(file, "\n%-15s %" PRIu32 "\n", "schema version", info.schema_version);
    if (info.description[0] != '\0') {
        fprintf(file, "%-15s ", "description");
        cli_print_name(file, info.description, 0);
        putc('\n', file);
    }
    if (info.trailing_bytes != 0)
        fprintf(file, "%-15s %" PRIu64 " bytes behind the model, referenced by no buffer\n",
                "trailing", info.trailing_bytes);
    print_subgraphs(file, model, verbosity > 0);
    print_operators(file, model);
    print_constants(file, model);
    print_extras(file, model);
}
