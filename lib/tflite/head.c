/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite/head.h"

#include <string.h>

#include "tflite/dispatch.h"

typedef uint32_t emit_element(tqi_head *head, const void *context, uint32_t index);

static void emit_tables(tqi_head *head, uint32_t slot, uint32_t count, emit_element *emit,
                        const void *context) {
    tqi_emitter *out = &head->emitter;
    uint32_t at;
    uint32_t element = tqi_emit_offsets(out, count, &at);
    tqi_emit_link(out, slot, at);
    for (uint32_t i = 0; i < count && out->status == TQ_OK; i++)
        tqi_emit_link(out, element + 4 * i, emit(head, context, i));
}

static uint32_t emit_opcode(tqi_head *head, const void *context, uint32_t i) {
    (void)context;
    const tqi_opcode *code = &head->graph->opcodes[i];
    tqi_record record;
    tqi_record_begin(&record, &tqi_operator_code_table, &head->graph->view, code->source);
    if (code->edited) {
        int32_t old = code->builtin;
        if (old > TQI_OP_PLACEHOLDER_FOR_GREATER_OP_CODES)
            old = TQI_OP_PLACEHOLDER_FOR_GREATER_OP_CODES;
        tqi_record_scalar(&record, TQI_OPCODE_DEPRECATED_BUILTIN_CODE, (uint64_t)old, 0);
        tqi_record_scalar(&record, TQI_OPCODE_BUILTIN_CODE, (uint64_t)code->builtin, 0);
        tqi_record_scalar(&record, TQI_OPCODE_VERSION, (uint64_t)code->version, 1);
    }
    return tqi_emit_record(&head->emitter, &record);
}

static uint32_t emit_buffer(tqi_head *head, const void *context, uint32_t i) {
    (void)context;
    const tqi_buffer *buffer = &head->graph->buffers[i];
    tqi_record record;
    tqi_record_begin(&record, &tqi_buffer_table, &head->graph->view, 0);
    if (head->outside[i]) {
        tqi_record_scalar(&record, TQI_BUFFER_OFFSET, 1, 0);
        tqi_record_scalar(&record, TQI_BUFFER_SIZE, buffer->content.size, 0);
    } else if (buffer->content.size > 0) {
        tqi_record_later(&record, TQI_BUFFER_DATA);
    } else if (buffer->has_data) {
        tqi_record_vector(&record, TQI_BUFFER_DATA, NULL, 0);
    }
    uint32_t at = tqi_emit_record(&head->emitter, &record);
    head->data_slot[i] = record.slot[head->outside[i] ? TQI_BUFFER_OFFSET : TQI_BUFFER_DATA];
    return at;
}

static uint32_t emit_metadata(tqi_head *head, const void *context, uint32_t i) {
    (void)context;
    const tqi_metadata *entry = &head->graph->metadata[i];
    tqi_record record;
    tqi_record_begin(&record, &tqi_metadata_table, &head->graph->view, entry->source);
    if (head->graph->edited)
        tqi_record_scalar(&record, TQI_METADATA_BUFFER, entry->buffer, 0);
    return tqi_emit_record(&head->emitter, &record);
}

/* ---- tensors ---- */

static void emit_blockwise(tqi_head *head, uint32_t slot, const tqi_quantization *q) {
    tqi_emitter *out = &head->emitter;
    tqi_record record, details;
    tqi_record_begin(&record, &tqi_quantization_parameters_table, &head->graph->view, 0);
    tqi_record_scalar(&record, TQI_QUANT_DETAILS_TYPE, TQI_DETAILS_BLOCKWISE, 0);
    tqi_record_later(&record, TQI_QUANT_DETAILS);
    tqi_record_scalar(&record, TQI_QUANT_QUANTIZED_DIMENSION, (uint64_t)q->dim, 0);
    tqi_emit_link(out, slot, tqi_emit_record(out, &record));
    tqi_record_begin(&details, &tqi_blockwise_quantization_table, &head->graph->view, 0);
    tqi_record_scalar(&details, TQI_BLOCKWISE_SCALES, (uint32_t)q->scales, 0);
    tqi_record_scalar(&details, TQI_BLOCKWISE_ZERO_POINTS, UINT32_MAX, 0); /* -1: none */
    tqi_record_scalar(&details, TQI_BLOCKWISE_BLOCK_SIZE, q->block, 0);
    tqi_emit_link(out, record.slot[TQI_QUANT_DETAILS], tqi_emit_record(out, &details));
}

static void emit_new_quantization(tqi_head *head, uint32_t slot, const tqi_quantization *q) {
    tqi_emitter *out = &head->emitter;
    if (q->block) {
        emit_blockwise(head, slot, q);
        return;
    }
    int64_t *zeros = NULL;
    if (out->status == TQ_OK)
        out->status = tqi_arena_alloc(head->arena, q->count, sizeof *zeros, &zeros, head->error);
    if (out->status != TQ_OK)
        return;
    tqi_record record;
    tqi_record_begin(&record, &tqi_quantization_parameters_table, &head->graph->view, 0);
    tqi_record_later(&record, TQI_QUANT_SCALE);
    tqi_record_vector(&record, TQI_QUANT_ZERO_POINT, zeros, q->count);
    tqi_record_scalar(&record, TQI_QUANT_QUANTIZED_DIMENSION, (uint64_t)q->dim, 0);
    tqi_emit_link(out, slot, tqi_emit_record(out, &record));
    uint32_t scales = tqi_emit_blank(out, q->count, sizeof(float));
    tqi_emit_link(out, record.slot[TQI_QUANT_SCALE], scales);
    head->patches[head->n_patches++] = (tqi_patch){scales + 4, q};
}

static void renumber_scalar(tqi_record *record, uint32_t field, const tqi_subgraph *subgraph) {
    int32_t old = tqi_get_i32(record->view, record->source, field, 0);
    if (old >= 0 && tqi_record_has(record, field))
        tqi_record_scalar(record, field, (uint32_t)tqi_index_now(subgraph, old), 0);
}

/* Blockwise and multi-axis details name the tensors of their scales by index. */
static void emit_details(tqi_head *head, uint32_t slot, const tqi_subgraph *subgraph,
                         uint32_t quantization, int8_t type) {
    const tqi_view *view = &head->graph->view;
    tqi_record record;
    tqi_record_begin(&record,
                     type == TQI_DETAILS_BLOCKWISE ? &tqi_blockwise_quantization_table
                                                   : &tqi_multi_axis_quantization_table,
                     view, tqi_get_table(view, quantization, TQI_QUANT_DETAILS));
    renumber_scalar(&record, TQI_BLOCKWISE_SCALES, subgraph);
    renumber_scalar(&record, TQI_BLOCKWISE_ZERO_POINTS, subgraph);
    tqi_emit_link(&head->emitter, slot, tqi_emit_record(&head->emitter, &record));
}

static void emit_old_quantization(tqi_head *head, uint32_t slot, const tqi_subgraph *subgraph,
                                  uint32_t quantization) {
    const tqi_view *view = &head->graph->view;
    int8_t type = tqi_get_i8(view, quantization, TQI_QUANT_DETAILS_TYPE, 0);
    tqi_record record;
    tqi_record_begin(&record, &tqi_quantization_parameters_table, view, quantization);
    bool indices = type > TQI_DETAILS_CUSTOM && tqi_record_has(&record, TQI_QUANT_DETAILS);
    if (indices)
        tqi_record_later(&record, TQI_QUANT_DETAILS);
    tqi_emit_link(&head->emitter, slot, tqi_emit_record(&head->emitter, &record));
    if (indices)
        emit_details(head, record.slot[TQI_QUANT_DETAILS], subgraph, quantization, type);
}

static uint32_t emit_tensor(tqi_head *head, const void *context, uint32_t i) {
    const tqi_subgraph *subgraph = context;
    const tqi_tensor *tensor = &subgraph->tensors[i];
    tqi_record record;
    tqi_record_begin(&record, &tqi_tensor_table, &head->graph->view, tensor->source);
    if (head->graph->edited)
        tqi_record_scalar(&record, TQI_TENSOR_BUFFER, tensor->buffer, 0);
    if (tensor->edited) {
        tqi_record_scalar(&record, TQI_TENSOR_TYPE, (uint64_t)tensor->type, 0);
        if (!tensor->sparsity)
            tqi_record_drop(&record, TQI_TENSOR_SPARSITY);
    }
    if (!tensor->source) {
        tqi_record_scalar(&record, TQI_TENSOR_TYPE, (uint64_t)tensor->type, 0);
        tqi_record_vector(&record, TQI_TENSOR_SHAPE, tensor->shape, tensor->rank);
        if (tensor->signature_rank > 0)
            tqi_record_vector(&record, TQI_TENSOR_SHAPE_SIGNATURE, tensor->signature,
                              tensor->signature_rank);
        if (tensor->name[0])
            tqi_record_string(&record, TQI_TENSOR_NAME, tensor->name);
    }
    /* a new tensor may have that of another one */
    bool renumber = tensor->old_quantization && (subgraph->renumbered || !tensor->source);
    if (tensor->quantization || renumber)
        tqi_record_later(&record, TQI_TENSOR_QUANTIZATION);
    uint32_t at = tqi_emit_record(&head->emitter, &record);
    if (tensor->quantization)
        emit_new_quantization(head, record.slot[TQI_TENSOR_QUANTIZATION], tensor->quantization);
    else if (renumber)
        emit_old_quantization(head, record.slot[TQI_TENSOR_QUANTIZATION], subgraph,
                              tensor->old_quantization);
    return at;
}

/* ---- operators ---- */

static void set_indices(tqi_record *record, uint32_t field, const int32_t *list, uint32_t count) {
    if (count > 0 || tqi_record_has(record, field))
        tqi_record_vector(record, field, list, count);
}

/* The options are written apart, so that the place of the byte code can be changed in them. */
static void emit_dispatch_options(tqi_head *head, uint32_t slot, const tqi_dispatch *dispatch,
                                  tqi_operator_slots *slots) {
    tqi_emitter *out = &head->emitter;
    uint32_t options = tqi_emit_blank(out, dispatch->options.count, 1);
    tqi_emit_link(out, slot, options);
    if (out->status != TQ_OK)
        return;
    memcpy(out->out.bytes + options + 4, head->graph->view.data + dispatch->options.at,
           dispatch->options.count);
    slots->bytecode = options + 4 + dispatch->offset_at;
    slots->bytecode_size = dispatch->offset_size;
    slots->bytecode_offset = dispatch->offset;
}

static void emit_new_options(tqi_head *head, uint32_t slot, const tqi_operator *op) {
    enum { NEW_SHAPE = 0 };
    tqi_record record;
    tqi_record_begin(&record, tqi_builtin_options.fields[op->options_type - 1].table,
                     &head->graph->view, 0);
    if (op->n_new_shape > 0)
        tqi_record_vector(&record, NEW_SHAPE, op->new_shape, op->n_new_shape);
    tqi_emit_link(&head->emitter, slot, tqi_emit_record(&head->emitter, &record));
}

static uint32_t emit_operator(tqi_head *head, const void *context, uint32_t i) {
    const tqi_operator *op = &((const tqi_subgraph *)context)->operators[i];
    const tqi_view *view = &head->graph->view;
    tqi_record record;
    tqi_record_begin(&record, &tqi_operator_table, view, op->source);
    if (head->graph->edited) {
        tqi_record_scalar(&record, TQI_OPERATOR_OPCODE_INDEX, op->opcode, 0);
        set_indices(&record, TQI_OPERATOR_INPUTS, op->inputs, op->n_inputs);
        set_indices(&record, TQI_OPERATOR_OUTPUTS, op->outputs, op->n_outputs);
        set_indices(&record, TQI_OPERATOR_INTERMEDIATES, op->intermediates, op->n_intermediates);
    }
    tqi_dispatch dispatch;
    bool dispatches = tqi_dispatch_find(head->graph, op, &dispatch);
    if (dispatches)
        tqi_record_later(&record, TQI_OPERATOR_CUSTOM_OPTIONS);
    if (op->options_type) {
        tqi_record_scalar(&record, TQI_OPERATOR_BUILTIN_OPTIONS_TYPE, op->options_type, 0);
        tqi_record_later(&record, TQI_OPERATOR_BUILTIN_OPTIONS);
    }
    uint32_t at = tqi_emit_record(&head->emitter, &record);

    if (op->options_type)
        emit_new_options(head, record.slot[TQI_OPERATOR_BUILTIN_OPTIONS], op);
    tqi_operator_slots slots = {0};
    if (dispatches)
        emit_dispatch_options(head, record.slot[TQI_OPERATOR_CUSTOM_OPTIONS], &dispatch, &slots);
    if (tqi_has_large_options(head->graph, op)) {
        slots.large_options = record.slot[TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_OFFSET];
        slots.options = (tqi_content){
            .kind = TQI_CONTENT_FILE,
            .size = tqi_get_u64(view, op->source, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_SIZE, 0),
            .offset = tqi_get_u64(view, op->source, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_OFFSET, 0)};
    }
    if (slots.large_options || slots.bytecode)
        head->operators[head->n_operators++] = slots;
    return at;
}

static uint32_t emit_subgraph(tqi_head *head, const void *context, uint32_t i) {
    (void)context;
    const tqi_subgraph *subgraph = &head->graph->subgraphs[i];
    tqi_record record;
    tqi_record_begin(&record, &tqi_subgraph_table, &head->graph->view, subgraph->source);
    bool tensors = tqi_record_has(&record, TQI_SUBGRAPH_TENSORS);
    bool operators = tqi_record_has(&record, TQI_SUBGRAPH_OPERATORS);
    if (tensors)
        tqi_record_later(&record, TQI_SUBGRAPH_TENSORS);
    if (operators)
        tqi_record_later(&record, TQI_SUBGRAPH_OPERATORS);
    set_indices(&record, TQI_SUBGRAPH_INPUTS, subgraph->inputs, subgraph->n_inputs);
    set_indices(&record, TQI_SUBGRAPH_OUTPUTS, subgraph->outputs, subgraph->n_outputs);
    uint32_t at = tqi_emit_record(&head->emitter, &record);
    if (tensors)
        emit_tables(head, record.slot[TQI_SUBGRAPH_TENSORS], subgraph->n_tensors, emit_tensor,
                    subgraph);
    if (operators)
        emit_tables(head, record.slot[TQI_SUBGRAPH_OPERATORS], subgraph->n_operators, emit_operator,
                    subgraph);
    return at;
}

/* ---- signatures ---- */

typedef struct tensor_map {
    const tqi_subgraph *subgraph;
    tqi_vector entries;
} tensor_map;

static uint32_t emit_map_entry(tqi_head *head, const void *context, uint32_t i) {
    const tensor_map *map = context;
    const tqi_view *view = &head->graph->view;
    tqi_record record;
    tqi_record_begin(&record, &tqi_tensor_map_table, view, tqi_element(view, map->entries, i));
    renumber_scalar(&record, TQI_MAP_TENSOR_INDEX, map->subgraph);
    return tqi_emit_record(&head->emitter, &record);
}

static void emit_map(tqi_head *head, const tqi_record *signature, uint32_t field,
                     const tqi_subgraph *subgraph) {
    if (!signature->slot[field])
        return;
    tensor_map map = {subgraph, tqi_get_vector(&head->graph->view, signature->source, field)};
    emit_tables(head, signature->slot[field], map.entries.count, emit_map_entry, &map);
}

static uint32_t emit_signature(tqi_head *head, const void *context, uint32_t i) {
    (void)context;
    const tqi_signature *signature = &head->graph->signatures[i];
    const tqi_subgraph *subgraph = &head->graph->subgraphs[signature->subgraph];
    tqi_record record;
    tqi_record_begin(&record, &tqi_signature_def_table, &head->graph->view, signature->source);
    if (!subgraph->renumbered)
        return tqi_emit_record(&head->emitter, &record);
    if (tqi_record_has(&record, TQI_SIGNATURE_INPUTS))
        tqi_record_later(&record, TQI_SIGNATURE_INPUTS);
    if (tqi_record_has(&record, TQI_SIGNATURE_OUTPUTS))
        tqi_record_later(&record, TQI_SIGNATURE_OUTPUTS);
    uint32_t at = tqi_emit_record(&head->emitter, &record);
    emit_map(head, &record, TQI_SIGNATURE_INPUTS, subgraph);
    emit_map(head, &record, TQI_SIGNATURE_OUTPUTS, subgraph);
    return at;
}

/* ---- the model ---- */

static tq_status make_lists(tqi_head *head) {
    const tqi_graph *graph = head->graph;
    uint64_t tensors = 0, operators = 0;
    for (uint32_t i = 0; i < graph->n_subgraphs; i++) {
        const tqi_subgraph *subgraph = &graph->subgraphs[i];
        for (uint32_t j = 0; j < subgraph->n_tensors; j++)
            tensors += subgraph->tensors[j].quantization != NULL;
        for (uint32_t j = 0; j < subgraph->n_operators; j++) {
            const tqi_operator *op = &subgraph->operators[j];
            operators +=
                tqi_builtin(graph, op) == TQI_OP_CUSTOM || tqi_has_large_options(graph, op);
        }
    }
    TQI_NEW(head->arena, &head->patches, tensors, head->error);
    TQI_NEW(head->arena, &head->operators, operators, head->error);
    TQI_NEW(head->arena, &head->data_slot, graph->n_buffers, head->error);
    return TQ_OK;
}

tq_status tqi_head_make(tqi_head *head, const tqi_graph *graph, const bool *outside, tqi_heap *heap,
                        tqi_arena *arena, tq_error *error) {
    *head = (tqi_head){.graph = graph, .arena = arena, .outside = outside, .error = error};
    tqi_emitter *out = &head->emitter;
    tqi_emit_begin(out, heap, error);
    TQI_TRY(make_lists(head));

    static const uint8_t start[8] = {0, 0, 0, 0, 'T', 'F', 'L', '3'};
    tqi_emit_bytes(out, start, sizeof start);
    static const struct {
        uint32_t field;
        emit_element *emit;
    } lists[] = {{TQI_MODEL_OPERATOR_CODES, emit_opcode},
                 {TQI_MODEL_SUBGRAPHS, emit_subgraph},
                 {TQI_MODEL_BUFFERS, emit_buffer},
                 {TQI_MODEL_METADATA, emit_metadata},
                 {TQI_MODEL_SIGNATURE_DEFS, emit_signature}};
    const uint32_t counts[] = {graph->n_opcodes, graph->n_subgraphs, graph->n_buffers,
                               graph->n_metadata, graph->n_signatures};
    tqi_record record;
    tqi_record_begin(&record, &tqi_model_table, &graph->view, graph->root);
    for (uint32_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (tqi_record_has(&record, lists[i].field))
            tqi_record_later(&record, lists[i].field);
    if (graph->legacy_metadata)
        tqi_record_vector(&record, TQI_MODEL_METADATA_BUFFER, graph->legacy_metadata,
                          graph->n_legacy_metadata);
    tqi_emit_link(out, 0, tqi_emit_record(out, &record));
    for (uint32_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (record.slot[lists[i].field])
            emit_tables(head, record.slot[lists[i].field], counts[i], lists[i].emit, NULL);
    return out->status;
}
