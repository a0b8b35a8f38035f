/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite/graph.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/checked.h"
#include "flatbuffer/verify.h"
#include "tflite/appended_zip.h"
#include "tflite/dispatch.h"

enum { MOST_SHARES = 16 };

tq_status tqi_borrow_i32(const tqi_view *view, tqi_vector vector, tqi_arena *arena,
                         const int32_t **array, tq_error *error) {
    const uint8_t *at = view->data + vector.at;
    if ((uintptr_t)at % sizeof **array == 0) {
        *array = (const int32_t *)(const void *)at;
        return TQ_OK;
    }
    int32_t *copy = NULL;
    TQI_NEW(arena, &copy, vector.count, error);
    memcpy(copy, at, vector.count * sizeof *copy);
    *array = copy;
    return TQ_OK;
}

bool tqi_tensor_elements(const tqi_tensor *tensor, uint64_t *elements) {
    *elements = 1;
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] < 0 || !tqi_mul_u64(*elements, (uint64_t)tensor->shape[i], elements))
            return false;
    return true;
}

bool tqi_type_bytes(int32_t type, uint64_t elements, uint64_t *bytes) {
    uint32_t bits = tqi_type_bits(type);
    if (bits == 0 || !tqi_mul_u64(elements, bits, bytes))
        return false;
    *bytes = *bytes / 8 + (*bytes % 8 != 0);
    return true;
}

/* Where an error is about an object, not a byte. */
static tq_status bad(tq_error *error, int32_t subgraph, int32_t op, int32_t tensor, uint32_t source,
                     const char *what, int64_t value) {
    tqi_fail_at(error, TQ_ERR_CORRUPT, source, "%s %" PRId64 " is out of range", what, value);
    error->subgraph = subgraph;
    error->op = op;
    error->tensor = tensor;
    return TQ_ERR_CORRUPT;
}

static const char *text(const tqi_view *view, uint32_t table, uint32_t field) {
    const char *string = tqi_get_string(view, table, field);
    return string ? string : "";
}

static tq_status load_opcodes(tqi_graph *graph, tq_error *error) {
    const tqi_view *view = &graph->view;
    tqi_vector codes = tqi_get_vector(view, graph->root, TQI_MODEL_OPERATOR_CODES);
    TQI_NEW(graph->arena, &graph->opcodes, codes.count, error);
    graph->n_opcodes = graph->opcode_capacity = codes.count;
    for (uint32_t i = 0; i < codes.count; i++) {
        tqi_opcode *code = &graph->opcodes[i];
        code->source = tqi_element(view, codes, i);
        /* files older than schema 3a only have the deprecated field */
        int32_t old = tqi_get_i8(view, code->source, TQI_OPCODE_DEPRECATED_BUILTIN_CODE, 0);
        int32_t new = tqi_get_i32(view, code->source, TQI_OPCODE_BUILTIN_CODE, 0);
        code->builtin = old > new ? old : new;
        code->version = tqi_get_i32(view, code->source, TQI_OPCODE_VERSION, 1);
        code->custom = text(view, code->source, TQI_OPCODE_CUSTOM_CODE);
    }
    return TQ_OK;
}

static tq_status load_buffers(tqi_graph *graph, tq_error *error) {
    const tqi_view *view = &graph->view;
    tqi_vector buffers = tqi_get_vector(view, graph->root, TQI_MODEL_BUFFERS);
    TQI_NEW(graph->arena, &graph->buffers, buffers.count, error);
    graph->n_buffers = graph->buffer_capacity = buffers.count;
    /* Buffers may share bytes, but not so that a small file stands for a huge one. */
    uint64_t budget;
    if (!tqi_mul_u64(graph->source->size, MOST_SHARES, &budget))
        budget = UINT64_MAX;
    for (uint32_t i = 0; i < buffers.count; i++) {
        tqi_buffer *buffer = &graph->buffers[i];
        uint32_t table = tqi_element(view, buffers, i);
        tqi_vector data = tqi_get_vector(view, table, TQI_BUFFER_DATA);
        uint64_t offset = tqi_get_u64(view, table, TQI_BUFFER_OFFSET, 0);
        uint64_t size = tqi_get_u64(view, table, TQI_BUFFER_SIZE, 0);
        buffer->has_data = data.at != 0;
        if (data.count > 0) {
            buffer->content = (tqi_content){TQI_CONTENT_FILE, data.count, data.at, NULL, NULL};
        } else if (offset > 1 && size > 0) {
            if (!tqi_in_range(offset, size, graph->source->size))
                return tqi_fail_at(error, TQ_ERR_CORRUPT, table,
                                   "buffer %" PRIu32 " lies outside the file: %" PRIu64
                                   " bytes at %" PRIu64,
                                   i, size, offset);
            if (size > budget)
                return tqi_fail_at(error, TQ_ERR_CORRUPT, table,
                                   "buffers up to %" PRIu32 " share the same bytes too often", i);
            budget -= size;
            buffer->content = (tqi_content){TQI_CONTENT_FILE, size, offset, NULL, NULL};
            buffer->was_outside = true;
        }
    }
    return TQ_OK;
}

static tq_status load_tensor(tqi_graph *graph, int32_t subgraph, int32_t index, tqi_tensor *tensor,
                             uint32_t table, tq_error *error) {
    const tqi_view *view = &graph->view;
    tqi_vector shape = tqi_get_vector(view, table, TQI_TENSOR_SHAPE);
    tqi_vector signature = tqi_get_vector(view, table, TQI_TENSOR_SHAPE_SIGNATURE);
    tensor->source = table;
    tensor->name = text(view, table, TQI_TENSOR_NAME);
    tensor->type = tqi_get_i8(view, table, TQI_TENSOR_TYPE, 0);
    tensor->buffer = tqi_get_u32(view, table, TQI_TENSOR_BUFFER, 0);
    tensor->is_variable = tqi_get_i8(view, table, TQI_TENSOR_IS_VARIABLE, 0) != 0;
    tensor->is_external = tqi_get_u32(view, table, TQI_TENSOR_EXTERNAL_BUFFER, 0) != 0;
    tensor->sparsity = tqi_get_table(view, table, TQI_TENSOR_SPARSITY);
    tensor->old_quantization = tqi_get_table(view, table, TQI_TENSOR_QUANTIZATION);
    tensor->rank = shape.count;
    tensor->signature_rank = signature.count;
    TQI_TRY(tqi_borrow_i32(view, shape, graph->arena, &tensor->shape, error));
    TQI_TRY(tqi_borrow_i32(view, signature, graph->arena, &tensor->signature, error));
    if (tensor->buffer >= graph->n_buffers)
        return bad(error, subgraph, TQ_NO_INDEX, index, table, "buffer index", tensor->buffer);
    return TQ_OK;
}

void tqi_details_tensors(const tqi_view *view, const tqi_subgraph *subgraph,
                         const tqi_tensor *tensor, int32_t named[2]) {
    named[0] = named[1] = -1;
    if (!tensor->old_quantization ||
        tqi_get_i8(view, tensor->old_quantization, TQI_QUANT_DETAILS_TYPE, 0) <= TQI_DETAILS_CUSTOM)
        return;
    uint32_t details = tqi_get_table(view, tensor->old_quantization, TQI_QUANT_DETAILS);
    if (!details)
        return;
    /* the fields have the same ids in both */
    named[0] = tqi_index_now(subgraph, tqi_get_i32(view, details, TQI_BLOCKWISE_SCALES, 0));
    named[1] = tqi_index_now(subgraph, tqi_get_i32(view, details, TQI_BLOCKWISE_ZERO_POINTS, 0));
}

static tq_status check_details(const tqi_graph *graph, int32_t subgraph, int32_t index,
                               tq_error *error) {
    const tqi_subgraph *s = &graph->subgraphs[subgraph];
    int32_t named[2];
    tqi_details_tensors(&graph->view, s, &s->tensors[index], named);
    for (int i = 0; i < 2; i++)
        if (named[i] < -1 || (named[i] >= 0 && (uint32_t)named[i] >= s->n_tensors))
            return bad(error, subgraph, TQ_NO_INDEX, index, s->tensors[index].old_quantization,
                       "the tensor index of quantization details", named[i]);
    return TQ_OK;
}

/* A list of tensor indices; a private copy, since edits renumber. */
static tq_status load_indices(tqi_graph *graph, int32_t subgraph, int32_t op, uint32_t table,
                              uint32_t field, int32_t **list, uint32_t *count, tq_error *error) {
    tqi_vector vector = tqi_get_vector(&graph->view, table, field);
    uint32_t tensors = graph->subgraphs[subgraph].n_tensors;
    TQI_NEW(graph->arena, list, vector.count, error);
    *count = vector.count;
    for (uint32_t i = 0; i < vector.count; i++) {
        int32_t index = tqi_load_i32(graph->view.data + vector.at + 4 * i);
        if (index < -1 || (index >= 0 && (uint32_t)index >= tensors))
            return bad(error, subgraph, op, TQ_NO_INDEX, vector.at + 4 * i, "tensor index", index);
        (*list)[i] = index;
    }
    return TQ_OK;
}

static tq_status load_operator(tqi_graph *graph, int32_t subgraph, int32_t index, tqi_operator *op,
                               tq_error *error) {
    op->opcode = tqi_get_u32(&graph->view, op->source, TQI_OPERATOR_OPCODE_INDEX, 0);
    if (op->opcode >= graph->n_opcodes)
        return bad(error, subgraph, index, TQ_NO_INDEX, op->source, "operator code index",
                   op->opcode);
    TQI_TRY(load_indices(graph, subgraph, index, op->source, TQI_OPERATOR_INPUTS, &op->inputs,
                         &op->n_inputs, error));
    TQI_TRY(load_indices(graph, subgraph, index, op->source, TQI_OPERATOR_OUTPUTS, &op->outputs,
                         &op->n_outputs, error));
    TQI_TRY(load_indices(graph, subgraph, index, op->source, TQI_OPERATOR_INTERMEDIATES,
                         &op->intermediates, &op->n_intermediates, error));
    uint64_t offset =
        tqi_get_u64(&graph->view, op->source, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_OFFSET, 0);
    uint64_t size =
        tqi_get_u64(&graph->view, op->source, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_SIZE, 0);
    if (offset > 1 && !tqi_in_range(offset, size, graph->source->size))
        return bad(error, subgraph, index, TQ_NO_INDEX, op->source,
                   "the place of the large custom options", (int64_t)offset);
    return TQ_OK;
}

static tq_status load_subgraph(tqi_graph *graph, uint32_t index, tq_error *error) {
    const tqi_view *view = &graph->view;
    tqi_subgraph *subgraph = &graph->subgraphs[index];
    tqi_vector tensors = tqi_get_vector(view, subgraph->source, TQI_SUBGRAPH_TENSORS);
    tqi_vector operators = tqi_get_vector(view, subgraph->source, TQI_SUBGRAPH_OPERATORS);
    subgraph->name = text(view, subgraph->source, TQI_SUBGRAPH_NAME);
    TQI_NEW(graph->arena, &subgraph->tensors, tensors.count, error);
    TQI_NEW(graph->arena, &subgraph->operators, operators.count, error);
    subgraph->n_tensors = subgraph->tensor_capacity = tensors.count;
    subgraph->n_operators = subgraph->operator_capacity = operators.count;
    for (uint32_t i = 0; i < tensors.count; i++)
        TQI_TRY(load_tensor(graph, (int32_t)index, (int32_t)i, &subgraph->tensors[i],
                            tqi_element(view, tensors, i), error));
    for (uint32_t i = 0; i < tensors.count; i++)
        TQI_TRY(check_details(graph, (int32_t)index, (int32_t)i, error));
    TQI_TRY(load_indices(graph, (int32_t)index, TQ_NO_INDEX, subgraph->source, TQI_SUBGRAPH_INPUTS,
                         &subgraph->inputs, &subgraph->n_inputs, error));
    TQI_TRY(load_indices(graph, (int32_t)index, TQ_NO_INDEX, subgraph->source, TQI_SUBGRAPH_OUTPUTS,
                         &subgraph->outputs, &subgraph->n_outputs, error));
    for (uint32_t i = 0; i < operators.count; i++) {
        subgraph->operators[i].source = tqi_element(view, operators, i);
        TQI_TRY(load_operator(graph, (int32_t)index, (int32_t)i, &subgraph->operators[i], error));
    }
    return TQ_OK;
}

static tq_status load_metadata(tqi_graph *graph, tq_error *error) {
    const tqi_view *view = &graph->view;
    tqi_vector entries = tqi_get_vector(view, graph->root, TQI_MODEL_METADATA);
    TQI_NEW(graph->arena, &graph->metadata, entries.count, error);
    graph->n_metadata = entries.count;
    for (uint32_t i = 0; i < entries.count; i++) {
        tqi_metadata *entry = &graph->metadata[i];
        entry->source = tqi_element(view, entries, i);
        entry->name = text(view, entry->source, TQI_METADATA_NAME);
        entry->buffer = tqi_get_u32(view, entry->source, TQI_METADATA_BUFFER, 0);
        if (entry->buffer >= graph->n_buffers)
            return bad(error, TQ_NO_INDEX, TQ_NO_INDEX, TQ_NO_INDEX, entry->source,
                       "a metadata entry's buffer index", entry->buffer);
    }
    return TQ_OK;
}

static tq_status check_map(const tqi_graph *graph, const tqi_signature *signature, uint32_t field,
                           uint32_t *count, tq_error *error) {
    tqi_vector map = tqi_get_vector(&graph->view, signature->source, field);
    *count = map.count;
    for (uint32_t i = 0; i < map.count; i++) {
        uint32_t entry = tqi_element(&graph->view, map, i);
        uint32_t tensor = tqi_get_u32(&graph->view, entry, TQI_MAP_TENSOR_INDEX, 0);
        if (tensor >= graph->subgraphs[signature->subgraph].n_tensors)
            return bad(error, (int32_t)signature->subgraph, TQ_NO_INDEX, TQ_NO_INDEX, entry,
                       "a signature's tensor index", tensor);
    }
    return TQ_OK;
}

static tq_status load_signatures(tqi_graph *graph, tq_error *error) {
    const tqi_view *view = &graph->view;
    tqi_vector defs = tqi_get_vector(view, graph->root, TQI_MODEL_SIGNATURE_DEFS);
    TQI_NEW(graph->arena, &graph->signatures, defs.count, error);
    graph->n_signatures = defs.count;
    for (uint32_t i = 0; i < defs.count; i++) {
        tqi_signature *signature = &graph->signatures[i];
        signature->source = tqi_element(view, defs, i);
        signature->key = text(view, signature->source, TQI_SIGNATURE_SIGNATURE_KEY);
        signature->subgraph = tqi_get_u32(view, signature->source, TQI_SIGNATURE_SUBGRAPH_INDEX, 0);
        if (signature->subgraph >= graph->n_subgraphs)
            return bad(error, TQ_NO_INDEX, TQ_NO_INDEX, TQ_NO_INDEX, signature->source,
                       "a signature's subgraph index", signature->subgraph);
        TQI_TRY(check_map(graph, signature, TQI_SIGNATURE_INPUTS, &signature->n_inputs, error));
        TQI_TRY(check_map(graph, signature, TQI_SIGNATURE_OUTPUTS, &signature->n_outputs, error));
    }
    return TQ_OK;
}

/* A custom operator may name a buffer in its options, which only shows in that nothing else
 * refers to it. */
static tq_status find_unreferenced(tqi_graph *graph, tq_error *error) {
    bool *used = NULL, custom = false;
    TQI_NEW(graph->arena, &used, graph->n_buffers, error);
    for (uint32_t i = 0; i < graph->n_subgraphs; i++)
        for (uint32_t j = 0; j < graph->subgraphs[i].n_tensors; j++)
            used[graph->subgraphs[i].tensors[j].buffer] = true;
    for (uint32_t i = 0; i < graph->n_metadata; i++)
        used[graph->metadata[i].buffer] = true;
    for (uint32_t i = 0; i < graph->n_opcodes; i++)
        custom = custom || graph->opcodes[i].builtin == TQI_OP_CUSTOM;
    for (uint32_t i = 0; i < graph->n_buffers; i++) {
        graph->buffers[i].unreferenced = !used[i] && graph->buffers[i].content.size > 0;
        if (custom && graph->buffers[i].unreferenced)
            graph->keep_buffer_numbers = true;
    }
    return TQ_OK;
}

static int by_offset(const void *a, const void *b) {
    const tqi_tail *left = a, *right = b;
    return (left->offset > right->offset) - (left->offset < right->offset);
}

static tq_status leading_zeros(const tqi_graph *graph, const tqi_tail *range, uint64_t *zeros,
                               tq_error *error) {
    uint8_t scratch[4096];
    *zeros = 0;
    while (*zeros < range->size) {
        const uint8_t *at;
        size_t n = (size_t)tqi_min_u64(sizeof scratch, range->size - *zeros), i = 0;
        TQI_TRY(tqi_source_fetch(graph->source, range->offset + *zeros, n, scratch, &at, error));
        while (i < n && at[i] == 0)
            i++;
        *zeros += i;
        if (i < n)
            break;
    }
    return TQ_OK;
}

/* Zeros before the first content are padding, unless byte code is said to be there. */
static tq_status trim(const tqi_graph *graph, tqi_tail *gap, const tqi_tail *code, uint32_t n_code,
                      tq_error *error) {
    uint64_t zeros;
    TQI_TRY(leading_zeros(graph, gap, &zeros, error));
    for (uint32_t i = 0; i < n_code; i++) {
        if (code[i].offset >= gap->offset + gap->size ||
            code[i].offset + code[i].size <= gap->offset)
            continue;
        uint64_t before = code[i].offset > gap->offset ? code[i].offset - gap->offset : 0;
        zeros = tqi_min_u64(zeros, before);
    }
    gap->offset += zeros;
    gap->size -= zeros;
    return TQ_OK;
}

static tq_status find_zip(const tqi_graph *graph, tqi_source *source, tqi_tail *tail,
                          tq_error *error) {
    uint8_t scratch[4];
    const uint8_t *at;
    if (tail->size < sizeof scratch)
        return TQ_OK;
    TQI_TRY(tqi_source_fetch(source, tail->offset, sizeof scratch, scratch, &at, error));
    /* a member, or the end of an archive without any */
    tail->is_zip =
        memcmp(at, "PK\3\4", sizeof scratch) == 0 || memcmp(at, "PK\5\6", sizeof scratch) == 0;
    if (!tail->is_zip)
        return TQ_OK;
    return tqi_appended_zip_open(&tail->zip, source, tail->offset, tail->size, graph->arena, error);
}

/* Calls for every operator with data behind the flatbuffer; counts when `ranges` is NULL. */
static uint32_t operator_ranges(const tqi_graph *graph, tqi_tail *ranges, bool dispatch) {
    uint32_t n = 0;
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) {
        for (uint32_t i = 0; i < graph->subgraphs[s].n_operators; i++) {
            const tqi_operator *op = &graph->subgraphs[s].operators[i];
            tqi_dispatch code;
            tqi_tail range = {
                tqi_get_u64(&graph->view, op->source, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_OFFSET, 0),
                tqi_get_u64(&graph->view, op->source, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_SIZE, 0),
                false, NULL};
            if (dispatch && tqi_dispatch_find(graph, op, &code))
                range = (tqi_tail){code.offset, code.size, false, NULL};
            else if (dispatch || range.offset <= 1)
                continue;
            if (ranges)
                ranges[n] = range;
            n++;
        }
    }
    return n;
}

/* What is behind the flatbuffer and no table refers to. Zeros there are padding, unless an
 * accelerator's byte code is said to be in them. */
static tq_status find_tails(tqi_graph *graph, tqi_source *source, uint32_t end, tq_error *error) {
    uint32_t n = operator_ranges(graph, NULL, false);
    tqi_tail *used = NULL, *code = NULL;
    TQI_NEW(graph->arena, &used, (uint64_t)n + graph->n_buffers + 2, error);
    operator_ranges(graph, used, false);
    for (uint32_t i = 0; i < graph->n_buffers; i++)
        if (graph->buffers[i].was_outside)
            used[n++] = (tqi_tail){graph->buffers[i].content.offset, graph->buffers[i].content.size,
                                   false, NULL};
    used[n++] = (tqi_tail){0, end, false, NULL};
    used[n++] = (tqi_tail){graph->source->size, 0, false, NULL};
    qsort(used, n, sizeof *used, by_offset);
    uint32_t n_code = operator_ranges(graph, NULL, true);
    TQI_NEW(graph->arena, &code, n_code, error);
    operator_ranges(graph, code, true);
    TQI_NEW(graph->arena, &graph->tails, n, error);
    uint64_t reached = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (used[i].offset > reached) {
            tqi_tail gap = {reached, used[i].offset - reached, false, NULL};
            TQI_TRY(trim(graph, &gap, code, n_code, error));
            if (gap.size > 0) {
                TQI_TRY(find_zip(graph, source, &gap, error));
                graph->tails[graph->n_tails++] = gap;
            }
        }
        if (used[i].offset + used[i].size > reached)
            reached = used[i].offset + used[i].size;
    }
    return TQ_OK;
}

static tq_status check_identity(tqi_source *source, tq_error *error) {
    const uint8_t *data = source->data;
    TQI_TRY(tqi_source_load(source, 0, tqi_min_u64(8, source->size), error));
    if (source->size >= 4 && memcmp(data, "PK\3\4", 4) == 0)
        return tqi_fail_at(error, TQ_ERR_NOT_A_MODEL, 0,
                           "this is a ZIP (a .task bundle?), not a .tflite");
    if (source->size < 8)
        return tqi_fail_at(error, TQ_ERR_NOT_A_MODEL, source->size,
                           "%" PRIu64 " bytes are too few for a .tflite", source->size);
    if (memcmp(data + 4, "TFL3", 4) != 0)
        return tqi_fail_at(error, TQ_ERR_NOT_A_MODEL, 4,
                           "not a .tflite: the identifier TFL3 is missing");
    return TQ_OK;
}

tq_status tqi_graph_load(tqi_graph *graph, tqi_source *source, tqi_arena *arena, tq_error *error) {
    TQI_TRY(check_identity(source, error));
    uint64_t addressable = tqi_min_u64(source->size, UINT32_MAX);
    *graph = (tqi_graph){
        .view = {source->data, (uint32_t)addressable}, .source = source, .arena = arena};
    uint32_t end;
    TQI_TRY(tqi_verify(&graph->view, source, &tqi_model_table, &end, error));
    graph->root = tqi_follow(&graph->view, 0);
    graph->schema_version = tqi_get_u32(&graph->view, graph->root, TQI_MODEL_VERSION, 0);
    graph->description = text(&graph->view, graph->root, TQI_MODEL_DESCRIPTION);
    if (graph->schema_version != 3)
        return tqi_fail_at(error, TQ_ERR_UNSUPPORTED, graph->root,
                           "schema version %" PRIu32 "; runtimes accept only 3",
                           graph->schema_version);
    TQI_TRY(load_opcodes(graph, error));
    TQI_TRY(load_buffers(graph, error));
    tqi_vector subgraphs = tqi_get_vector(&graph->view, graph->root, TQI_MODEL_SUBGRAPHS);
    TQI_NEW(arena, &graph->subgraphs, subgraphs.count, error);
    graph->n_subgraphs = subgraphs.count;
    for (uint32_t i = 0; i < subgraphs.count; i++) {
        graph->subgraphs[i].source = tqi_element(&graph->view, subgraphs, i);
        TQI_TRY(load_subgraph(graph, i, error));
    }
    TQI_TRY(load_metadata(graph, error));
    TQI_TRY(load_signatures(graph, error));
    TQI_TRY(find_unreferenced(graph, error));
    return find_tails(graph, source, end, error);
}
