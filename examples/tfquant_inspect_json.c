/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include "tfquant_census.h"

#include <stdlib.h>

static void put_quantization(struct json_out *json, const tq_tensor_info *tensor) {
    json_open(json, '{');
    json_put_int(json, "dimension", tensor->channel_dim);
    json_put_uint(json, "scales", tensor->scales);
    if (tensor->block_size != 0)
        json_put_uint(json, "block_size", tensor->block_size);
    if (tensor->scale != NULL) {
        json_key(json, "scale");
        json_open_flat(json, '[');
        for (uint32_t i = 0; i < tensor->scales; i++)
            json_float(json, tensor->scale[i]);
        json_close(json, ']');
    }
    if (tensor->zero_point != NULL) {
        json_key(json, "zero_point");
        json_open_flat(json, '[');
        for (uint32_t i = 0; i < tensor->scales; i++)
            json_int(json, tensor->zero_point[i]);
        json_close(json, ']');
    }
    json_close(json, '}');
}

static void put_tensor(struct json_out *json, uint32_t index, const tq_tensor_info *tensor) {
    json_open(json, '{');
    json_put_uint(json, "index", index);
    json_put_string(json, "name", tensor->name);
    json_put_string(json, "type", tq_type_name(tensor->type));
    json_put_int(json, "type_code", tensor->type);
    json_put_ints(json, "shape", tensor->shape, tensor->rank);
    if (tensor->signature_rank != 0)
        json_put_ints(json, "shape_signature", tensor->shape_signature, tensor->signature_rank);
    json_put_uint(json, "buffer", tensor->buffer);
    json_put_uint(json, "constant_bytes", tensor->bytes);
    json_put_bool(json, "variable", tensor->is_variable != 0);
    json_put_bool(json, "sparse", tensor->is_sparse != 0);
    json_key(json, "quantization");
    if (tensor->scales != 0)
        put_quantization(json, tensor);
    else
        json_null(json);
    json_close(json, '}');
}

static void put_operator(struct json_out *json, uint32_t index, const tq_operator_info *op) {
    json_open(json, '{');
    json_put_uint(json, "index", index);
    json_put_string(json, "name", op->name);
    json_put_int(json, "builtin_code", op->builtin_code);
    json_put_bool(json, "custom", op->is_custom != 0);
    json_put_int(json, "version", op->version);
    json_put_ints(json, "inputs", op->input_tensors, op->inputs);
    json_put_ints(json, "outputs", op->output_tensors, op->outputs);
    json_close(json, '}');
}

static void put_subgraph(struct json_out *json, const tq_model *model, uint32_t index,
                         const tq_subgraph_info *subgraph) {
    tq_tensor_info tensor = {.struct_size = sizeof tensor};
    tq_operator_info op = {.struct_size = sizeof op};
    json_open(json, '{');
    json_put_uint(json, "index", index);
    json_put_string(json, "name", subgraph->name);
    json_put_ints(json, "inputs", subgraph->input_tensors, subgraph->inputs);
    json_put_ints(json, "outputs", subgraph->output_tensors, subgraph->outputs);
    json_key(json, "tensors");
    json_open(json, '[');
    for (uint32_t i = 0; i < subgraph->tensors; i++) {
        if (tq_get_tensor_info(model, index, i, &tensor) == TQ_OK)
            put_tensor(json, i, &tensor);
    }
    json_close(json, ']');
    json_key(json, "operators");
    json_open(json, '[');
    for (uint32_t i = 0; i < subgraph->operators; i++) {
        if (tq_get_operator_info(model, index, i, &op) == TQ_OK)
            put_operator(json, i, &op);
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void put_operator_counts(struct json_out *json, const tq_model *model) {
    struct operator_count *counts;
    uint32_t groups;
    if (!count_operators(model, &counts, &groups))
        return;
    json_key(json, "operator_counts");
    json_open(json, '[');
    for (uint32_t i = 0; i < groups; i++) {
        json_open_flat(json, '{');
        json_put_string(json, "name", counts[i].name);
        json_put_bool(json, "custom", counts[i].is_custom);
        json_put_int(json, "version", counts[i].version);
        json_put_uint(json, "count", counts[i].count);
        json_close(json, '}');
    }
    json_close(json, ']');
    free(counts);
}

static void put_constants(struct json_out *json, const tq_model *model) {
    struct constant_census census;
    if (!count_constants(model, &census))
        return;
    json_key(json, "constants");
    json_open(json, '[');
    for (uint32_t i = 0; i < census.count; i++) {
        const struct constant_count *group = &census.groups[i];
        json_open_flat(json, '{');
        json_put_string(json, "type", tq_type_name(group->type));
        json_put_bool(json, "sparse", group->sparse);
        json_put_bool(json, "quantized", group->quantized);
        json_put_uint(json, "tensors", group->tensors);
        json_put_uint(json, "bytes", group->bytes);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_extras(struct json_out *json, const tq_model *model) {
    tq_metadata_info metadata = {.struct_size = sizeof metadata};
    tq_signature_info signature = {.struct_size = sizeof signature};
    json_key(json, "metadata");
    json_open(json, '[');
    for (uint32_t i = 0; tq_get_metadata_info(model, i, &metadata) == TQ_OK; i++) {
        json_open_flat(json, '{');
        json_put_string(json, "name", metadata.name);
        json_put_uint(json, "buffer", metadata.buffer);
        json_put_uint(json, "bytes", metadata.bytes);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_key(json, "signatures");
    json_open(json, '[');
    for (uint32_t i = 0; tq_get_signature_info(model, i, &signature) == TQ_OK; i++) {
        json_open_flat(json, '{');
        json_put_string(json, "key", signature.key);
        json_put_uint(json, "subgraph", signature.subgraph);
        json_put_uint(json, "inputs", signature.inputs);
        json_put_uint(json, "outputs", signature.outputs);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void cli_json_model(struct json_out *json, const tq_model *model) {
    tq_model_info info = {.struct_size = sizeof info};
    tq_subgraph_info subgraph = {.struct_size = sizeof subgraph};
    if (tq_get_model_info(model, &info) != TQ_OK)
        return;
    json_put_string(json, "format", cli_format_name(info.format));
    json_put_uint(json, "file_bytes", info.file_size);
    json_put_uint(json, "trailing_bytes", info.trailing_bytes);
    json_put_uint(json, "schema_version", info.schema_version);
    json_put_string(json, "description", info.description);
    json_put_uint(json, "buffers", info.buffers);
    json_put_uint(json, "operator_codes", info.operator_codes);
    put_operator_counts(json, model);
    put_constants(json, model);
    put_extras(json, model);
    json_key(json, "subgraphs");
    json_open(json, '[');
    for (uint32_t i = 0; tq_get_subgraph_info(model, i, &subgraph) == TQ_OK; i++)
        put_subgraph(json, model, i, &subgraph);
    json_close(json, ']');
}
