/* SPDX-License-Identifier: Apache-2.0 */
#include "api/model.h"

tq_status tq_get_model_info(const tq_model *model, tq_model_info *info) {
    if (!model)
        return TQ_ERR_INVALID_ARGUMENT;
    const tqi_graph *graph = tqi_model_graph(model);
    tq_model_info result = {.schema_version = graph->schema_version,
                            .file_size = model->file_size,
                            .subgraphs = graph->n_subgraphs,
                            .buffers = graph->n_buffers,
                            .operator_codes = graph->n_opcodes,
                            .metadata = graph->n_metadata,
                            .signatures = graph->n_signatures,
                            .format = model->input->format,
                            .description = graph->description ? graph->description : "",
                            .members = model->input->container.n_members};
    for (uint32_t i = 0; i < graph->n_tails; i++)
        result.trailing_bytes += graph->tails[i].size;
    return tqi_fill_struct(info, &result, sizeof result);
}

static const tqi_subgraph *get_subgraph(const tq_model *model, uint32_t index) {
    if (!model || index >= tqi_model_graph(model)->n_subgraphs)
        return NULL;
    return &tqi_model_graph(model)->subgraphs[index];
}

tq_status tq_get_subgraph_info(const tq_model *model, uint32_t subgraph, tq_subgraph_info *info) {
    const tqi_subgraph *s = get_subgraph(model, subgraph);
    if (!s)
        return TQ_ERR_INVALID_ARGUMENT;
    tq_subgraph_info result = {.tensors = s->n_tensors,
                               .operators = s->n_operators,
                               .inputs = s->n_inputs,
                               .outputs = s->n_outputs,
                               .input_tensors = s->inputs,
                               .output_tensors = s->outputs,
                               .name = s->name};
    return tqi_fill_struct(info, &result, sizeof result);
}

/* Arrays of the file may be misaligned in memory: then they are not shown. */
static const void *aligned(const tqi_view *view, tqi_vector vector, size_t size) {
    const uint8_t *at = view->data + vector.at;
    return vector.count > 0 && (uintptr_t)at % size == 0 ? at : NULL;
}

/* Blocks have their scales in a tensor. */
static void fill_blocks(const tqi_graph *graph, const tqi_subgraph *s, const tqi_tensor *t,
                        tq_tensor_info *info) {
    const tqi_view *view = &graph->view;
    uint32_t details = tqi_get_table(view, t->old_quantization, TQI_QUANT_DETAILS);
    int32_t named[2];
    uint64_t count;
    tqi_details_tensors(view, s, t, named);
    if (!details || named[0] < 0 ||
        tqi_get_i8(view, t->old_quantization, TQI_QUANT_DETAILS_TYPE, 0) != TQI_DETAILS_BLOCKWISE)
        return;
    int32_t block = tqi_get_i32(view, details, TQI_BLOCKWISE_BLOCK_SIZE, 0);
    if (block <= 0 || !tqi_tensor_elements(&s->tensors[named[0]], &count) || count > UINT32_MAX)
        return;
    info->scales = (uint32_t)count;
    info->block_size = (uint32_t)block;
}

tq_status tq_get_tensor_info(const tq_model *model, uint32_t subgraph, uint32_t tensor,
                             tq_tensor_info *info) {
    const tqi_subgraph *s = get_subgraph(model, subgraph);
    if (!s || tensor >= s->n_tensors)
        return TQ_ERR_INVALID_ARGUMENT;
    const tqi_graph *graph = tqi_model_graph(model);
    const tqi_tensor *t = &s->tensors[tensor];
    tq_tensor_info result = {.type = t->type,
                             .name = t->name,
                             .rank = t->rank,
                             .signature_rank = t->signature_rank,
                             .shape = t->shape,
                             .shape_signature = t->signature,
                             .buffer = t->buffer,
                             .is_variable = t->is_variable,
                             .is_sparse = t->sparsity != 0};
    if (tqi_is_constant(graph, t))
        result.bytes = tqi_tensor_content(graph, t)->size;
    if (t->quantization) {
        result.scales = t->quantization->count;
        result.channel_dim = t->quantization->dim;
        result.block_size = t->quantization->block;
        result.scale = model->saved || !model->quantized ? t->quantization->scale : NULL;
    } else if (t->old_quantization) {
        const tqi_view *view = &graph->view;
        tqi_vector scale = tqi_get_vector(view, t->old_quantization, TQI_QUANT_SCALE);
        tqi_vector zero = tqi_get_vector(view, t->old_quantization, TQI_QUANT_ZERO_POINT);
        result.scales = scale.count;
        result.channel_dim =
            tqi_get_i32(view, t->old_quantization, TQI_QUANT_QUANTIZED_DIMENSION, 0);
        result.scale = aligned(view, scale, sizeof(float));
        if (zero.count == scale.count)
            result.zero_point = aligned(view, zero, sizeof(int64_t));
        if (scale.count == 0)
            fill_blocks(graph, s, t, &result);
    }
    return tqi_fill_struct(info, &result, sizeof result);
}

tq_status tq_get_operator_info(const tq_model *model, uint32_t subgraph, uint32_t op,
                               tq_operator_info *info) {
    const tqi_subgraph *s = get_subgraph(model, subgraph);
    if (!s || op >= s->n_operators)
        return TQ_ERR_INVALID_ARGUMENT;
    const tqi_operator *o = &s->operators[op];
    const tqi_opcode *code = &tqi_model_graph(model)->opcodes[o->opcode];
    const char *name = tqi_op_name(code->builtin);
    tq_operator_info result = {.builtin_code = code->builtin,
                               .name = name ? name : "unknown",
                               .version = code->version,
                               .is_custom = code->builtin == TQI_OP_CUSTOM,
                               .inputs = o->n_inputs,
                               .outputs = o->n_outputs,
                               .input_tensors = o->inputs,
                               .output_tensors = o->outputs};
    if (result.is_custom)
        result.name = code->custom;
    return tqi_fill_struct(info, &result, sizeof result);
}

tq_status tq_get_metadata_info(const tq_model *model, uint32_t index, tq_metadata_info *info) {
    if (!model || index >= tqi_model_graph(model)->n_metadata)
        return TQ_ERR_INVALID_ARGUMENT;
    const tqi_graph *graph = tqi_model_graph(model);
    const tqi_metadata *entry = &graph->metadata[index];
    tq_metadata_info result = {.buffer = entry->buffer,
                               .bytes = graph->buffers[entry->buffer].content.size,
                               .name = entry->name};
    return tqi_fill_struct(info, &result, sizeof result);
}

tq_status tq_get_signature_info(const tq_model *model, uint32_t index, tq_signature_info *info) {
    if (!model || index >= tqi_model_graph(model)->n_signatures)
        return TQ_ERR_INVALID_ARGUMENT;
    const tqi_signature *signature = &tqi_model_graph(model)->signatures[index];
    tq_signature_info result = {.subgraph = signature->subgraph,
                                .inputs = signature->n_inputs,
                                .outputs = signature->n_outputs,
                                .key = signature->key};
    return tqi_fill_struct(info, &result, sizeof result);
}
