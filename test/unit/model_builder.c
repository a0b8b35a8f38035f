/* SPDX-License-Identifier: Apache-2.0 */
#include "model_builder.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "record_help.h"
#include "tflite/schema.h"

/* Something behind the flatbuffer; its place is filled in when that is complete. */
typedef struct outside {
    uint32_t slot;
    mb_buffer content;
} outside;

typedef struct builder {
    const mb_model *model;
    tqi_heap heap;
    tqi_emitter out;
    tq_error error;
    outside outside[16];
    uint32_t n_outside;
} builder;

typedef uint32_t emit_one(builder *b, const void *context, uint32_t index);

static void emit_list(builder *b, uint32_t slot, uint32_t count, emit_one *emit,
                      const void *context) {
    uint32_t at;
    uint32_t element = tqi_emit_offsets(&b->out, count, &at);
    tqi_emit_link(&b->out, slot, at);
    for (uint32_t i = 0; i < count; i++)
        tqi_emit_link(&b->out, element + 4 * i, emit(b, context, i));
}

static void set_list(tqi_record *record, uint32_t field, const mb_list *list) {
    tqi_record_vector(record, field, list->at, list->count);
}

static void set_text(tqi_record *record, uint32_t field, const char *text) {
    if (text)
        tqi_record_string(record, field, text);
}

static void begin(tqi_record *record, const tqi_table *table) {
    tqi_record_begin(record, table, NULL, 0);
}

static void put_outside(builder *b, uint32_t slot, const void *data, uint32_t size) {
    b->outside[b->n_outside++] = (outside){slot, {data, size, true}};
}

static uint32_t emit_opcode(builder *b, const void *context, uint32_t i) {
    (void)context;
    const mb_opcode *code = &b->model->opcodes[i];
    tqi_record record;
    begin(&record, &tqi_operator_code_table);
    int32_t old = code->builtin < 127 ? code->builtin : 127;
    set_scalar(&record, TQI_OPCODE_DEPRECATED_BUILTIN_CODE, (uint64_t)old);
    if (!code->legacy)
        set_scalar(&record, TQI_OPCODE_BUILTIN_CODE, (uint64_t)code->builtin);
    set_scalar(&record, TQI_OPCODE_VERSION, (uint64_t)(code->version ? code->version : 1));
    set_text(&record, TQI_OPCODE_CUSTOM_CODE, code->custom);
    return tqi_emit_record(&b->out, &record);
}

/* ---- tensors ---- */

static uint8_t index_type(uint32_t width) {
    return width == 4 ? 1 : width == 2 ? 2 : 3;
}

static void emit_indices(builder *b, uint32_t slot, const tqi_field *field, const void *data,
                         uint32_t count, uint32_t width) {
    tqi_record record;
    begin(&record, field->table->fields[index_type(width) - 1].table);
    tqi_record_vector(&record, 0, data, count);
    tqi_emit_link(&b->out, slot, tqi_emit_record(&b->out, &record));
}

static uint32_t emit_level(builder *b, const void *context, uint32_t i) {
    const mb_level *level = &((const mb_sparsity *)context)->levels[i];
    const tqi_table *table =
        tqi_tensor_table.fields[TQI_TENSOR_SPARSITY].table->fields[TQI_SPARSITY_DIM_METADATA].table;
    tqi_record record;
    begin(&record, table);
    set_scalar(&record, TQI_DIMENSION_DENSE_SIZE, (uint64_t)level->dense);
    if (level->dense)
        return tqi_emit_record(&b->out, &record);
    set_scalar(&record, TQI_DIMENSION_FORMAT, 1);
    set_scalar(&record, TQI_DIMENSION_ARRAY_SEGMENTS_TYPE, index_type(level->width));
    set_scalar(&record, TQI_DIMENSION_ARRAY_INDICES_TYPE, index_type(level->width));
    tqi_record_later(&record, TQI_DIMENSION_ARRAY_SEGMENTS);
    tqi_record_later(&record, TQI_DIMENSION_ARRAY_INDICES);
    uint32_t at = tqi_emit_record(&b->out, &record);
    emit_indices(b, record.slot[TQI_DIMENSION_ARRAY_SEGMENTS],
                 &table->fields[TQI_DIMENSION_ARRAY_SEGMENTS], level->segments, level->n_segments,
                 level->width);
    emit_indices(b, record.slot[TQI_DIMENSION_ARRAY_INDICES],
                 &table->fields[TQI_DIMENSION_ARRAY_INDICES], level->indices, level->n_indices,
                 level->width);
    return at;
}

static uint32_t emit_sparsity(builder *b, const mb_sparsity *sparsity) {
    tqi_record record;
    begin(&record, tqi_tensor_table.fields[TQI_TENSOR_SPARSITY].table);
    tqi_record_vector(&record, TQI_SPARSITY_TRAVERSAL_ORDER, sparsity->order, sparsity->n_levels);
    if (sparsity->n_blocks)
        tqi_record_vector(&record, TQI_SPARSITY_BLOCK_MAP, sparsity->blocks, sparsity->n_blocks);
    tqi_record_later(&record, TQI_SPARSITY_DIM_METADATA);
    uint32_t at = tqi_emit_record(&b->out, &record);
    emit_list(b, record.slot[TQI_SPARSITY_DIM_METADATA], sparsity->n_levels, emit_level, sparsity);
    return at;
}

static uint32_t emit_quantization(builder *b, const mb_tensor *tensor) {
    enum { BLOCKWISE = 2 };
    static const int64_t zeros[64];
    tqi_record record, details;
    begin(&record, &tqi_quantization_parameters_table);
    if (tensor->n_scales) {
        tqi_record_vector(&record, TQI_QUANT_SCALE, tensor->scales, tensor->n_scales);
        tqi_record_vector(&record, TQI_QUANT_ZERO_POINT, zeros, tensor->n_scales);
    }
    if (tensor->blockwise) {
        set_scalar(&record, TQI_QUANT_DETAILS_TYPE, BLOCKWISE);
        tqi_record_later(&record, TQI_QUANT_DETAILS);
    }
    uint32_t at = tqi_emit_record(&b->out, &record);
    if (tensor->blockwise) {
        begin(&details, &tqi_blockwise_quantization_table);
        set_scalar(&details, TQI_BLOCKWISE_SCALES, (uint32_t)tensor->block_scales);
        set_scalar(&details, TQI_BLOCKWISE_ZERO_POINTS, (uint32_t)-1);
        set_scalar(&details, TQI_BLOCKWISE_BLOCK_SIZE, 32);
        tqi_emit_link(&b->out, record.slot[TQI_QUANT_DETAILS], tqi_emit_record(&b->out, &details));
    }
    return at;
}

static uint32_t emit_tensor(builder *b, const void *context, uint32_t i) {
    const mb_tensor *tensor = &((const mb_subgraph *)context)->tensors[i];
    bool quantized = tensor->n_scales || tensor->blockwise;
    tqi_record record;
    begin(&record, &tqi_tensor_table);
    set_list(&record, TQI_TENSOR_SHAPE, &tensor->shape);
    set_scalar(&record, TQI_TENSOR_TYPE, (uint64_t)tensor->type);
    set_scalar(&record, TQI_TENSOR_BUFFER, tensor->buffer);
    set_text(&record, TQI_TENSOR_NAME, tensor->name);
    if (tensor->variable)
        set_scalar(&record, TQI_TENSOR_IS_VARIABLE, 1);
    if (quantized)
        tqi_record_later(&record, TQI_TENSOR_QUANTIZATION);
    if (tensor->sparsity)
        tqi_record_later(&record, TQI_TENSOR_SPARSITY);
    uint32_t at = tqi_emit_record(&b->out, &record);
    if (quantized)
        tqi_emit_link(&b->out, record.slot[TQI_TENSOR_QUANTIZATION], emit_quantization(b, tensor));
    if (tensor->sparsity)
        tqi_emit_link(&b->out, record.slot[TQI_TENSOR_SPARSITY],
                      emit_sparsity(b, tensor->sparsity));
    return at;
}

/* ---- operators ---- */

static void emit_options(builder *b, uint32_t slot, const tqi_table *members, const mb_op *op,
                         bool second) {
    tqi_record record;
    begin(&record, members->fields[(second ? op->options_2_type : op->options_type) - 1].table);
    for (uint32_t i = 0; i < record.table->count && i < MB_OPTIONS; i++)
        if (record.table->fields[i].kind == TQI_FIELD_SCALAR)
            set_scalar(&record, i, second ? (uint64_t)op->options_2[i] : (uint64_t)op->options[i]);
    tqi_emit_link(&b->out, slot, tqi_emit_record(&b->out, &record));
}

static uint32_t emit_op(builder *b, const void *context, uint32_t i) {
    const mb_op *op = &((const mb_subgraph *)context)->ops[i];
    tqi_record record;
    begin(&record, &tqi_operator_table);
    set_scalar(&record, TQI_OPERATOR_OPCODE_INDEX, op->opcode);
    set_list(&record, TQI_OPERATOR_INPUTS, &op->inputs);
    set_list(&record, TQI_OPERATOR_OUTPUTS, &op->outputs);
    if (op->intermediates.count)
        set_list(&record, TQI_OPERATOR_INTERMEDIATES, &op->intermediates);
    if (op->options_type) {
        set_scalar(&record, TQI_OPERATOR_BUILTIN_OPTIONS_TYPE, op->options_type);
        tqi_record_later(&record, TQI_OPERATOR_BUILTIN_OPTIONS);
    }
    if (op->options_2_type) {
        set_scalar(&record, TQI_OPERATOR_BUILTIN_OPTIONS_2_TYPE, op->options_2_type);
        tqi_record_later(&record, TQI_OPERATOR_BUILTIN_OPTIONS_2);
    }
    if (op->custom && op->custom_outside) {
        set_scalar(&record, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_OFFSET, 0);
        set_scalar(&record, TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_SIZE, op->custom_size);
    } else if (op->custom) {
        tqi_record_vector(&record, TQI_OPERATOR_CUSTOM_OPTIONS, op->custom, op->custom_size);
    }
    uint32_t at = tqi_emit_record(&b->out, &record);
    if (op->options_type)
        emit_options(b, record.slot[TQI_OPERATOR_BUILTIN_OPTIONS], &tqi_builtin_options, op, false);
    if (op->options_2_type)
        emit_options(b, record.slot[TQI_OPERATOR_BUILTIN_OPTIONS_2], &tqi_builtin_options_2, op,
                     true);
    if (op->custom && op->custom_outside)
        put_outside(b, record.slot[TQI_OPERATOR_LARGE_CUSTOM_OPTIONS_OFFSET], op->custom,
                    op->custom_size);
    return at;
}

static uint32_t emit_subgraph(builder *b, const void *context, uint32_t i) {
    (void)context;
    const mb_subgraph *subgraph = &b->model->subgraphs[i];
    tqi_record record;
    begin(&record, &tqi_subgraph_table);
    tqi_record_later(&record, TQI_SUBGRAPH_TENSORS);
    tqi_record_later(&record, TQI_SUBGRAPH_OPERATORS);
    set_list(&record, TQI_SUBGRAPH_INPUTS, &subgraph->inputs);
    set_list(&record, TQI_SUBGRAPH_OUTPUTS, &subgraph->outputs);
    set_text(&record, TQI_SUBGRAPH_NAME, subgraph->name);
    uint32_t at = tqi_emit_record(&b->out, &record);
    emit_list(b, record.slot[TQI_SUBGRAPH_TENSORS], subgraph->n_tensors, emit_tensor, subgraph);
    emit_list(b, record.slot[TQI_SUBGRAPH_OPERATORS], subgraph->n_ops, emit_op, subgraph);
    return at;
}

/* ---- buffers, metadata, signatures ---- */

static void emit_zeros(builder *b, uint32_t size) {
    static const uint8_t zeros[64];
    for (; size > sizeof zeros; size -= (uint32_t)sizeof zeros)
        tqi_emit_bytes(&b->out, zeros, sizeof zeros);
    tqi_emit_bytes(&b->out, zeros, size);
}

static uint32_t emit_buffer(builder *b, const void *context, uint32_t i) {
    (void)context;
    const mb_buffer *buffer = &b->model->buffers[i];
    tqi_record record;
    begin(&record, &tqi_buffer_table);
    if (buffer->outside) {
        set_scalar(&record, TQI_BUFFER_OFFSET, 0);
        set_scalar(&record, TQI_BUFFER_SIZE, buffer->size);
    } else if (buffer->size) {
        tqi_record_later(&record, TQI_BUFFER_DATA);
    }
    uint32_t at = tqi_emit_record(&b->out, &record);
    if (buffer->outside) {
        put_outside(b, record.slot[TQI_BUFFER_OFFSET], buffer->data, buffer->size);
    } else if (buffer->size) { /* a copy of its own, which tqi_record_vector() would not give */
        emit_zeros(b, (0u - (b->out.out.size + 4)) % (b->model->packed ? 4 : 16));
        tqi_emit_link(&b->out, record.slot[TQI_BUFFER_DATA], b->out.out.size);
        tqi_emit_bytes(&b->out, &buffer->size, 4);
        if (buffer->data)
            tqi_emit_bytes(&b->out, buffer->data, buffer->size);
        else
            emit_zeros(b, buffer->size);
        emit_zeros(b, (0u - b->out.out.size) % 4);
    }
    return at;
}

static uint32_t emit_metadata(builder *b, const void *context, uint32_t i) {
    (void)context;
    tqi_record record;
    begin(&record, &tqi_metadata_table);
    set_text(&record, TQI_METADATA_NAME, b->model->metadata[i].name);
    set_scalar(&record, TQI_METADATA_BUFFER, b->model->metadata[i].buffer);
    return tqi_emit_record(&b->out, &record);
}

typedef struct map_of {
    const mb_subgraph *subgraph;
    const mb_list *list;
} map_of;

static uint32_t emit_map(builder *b, const void *context, uint32_t i) {
    const map_of *map = context;
    tqi_record record;
    begin(&record, &tqi_tensor_map_table);
    set_text(&record, TQI_MAP_NAME, map->subgraph->tensors[map->list->at[i]].name);
    set_scalar(&record, TQI_MAP_TENSOR_INDEX, (uint64_t)map->list->at[i]);
    return tqi_emit_record(&b->out, &record);
}

static uint32_t emit_signature(builder *b, const void *context, uint32_t i) {
    (void)context;
    const mb_signature *signature = &b->model->signatures[i];
    const mb_subgraph *subgraph = &b->model->subgraphs[signature->subgraph];
    map_of inputs = {subgraph, &signature->inputs}, outputs = {subgraph, &signature->outputs};
    tqi_record record;
    begin(&record, &tqi_signature_def_table);
    tqi_record_later(&record, TQI_SIGNATURE_INPUTS);
    tqi_record_later(&record, TQI_SIGNATURE_OUTPUTS);
    set_text(&record, TQI_SIGNATURE_SIGNATURE_KEY, signature->key);
    set_scalar(&record, TQI_SIGNATURE_SUBGRAPH_INDEX, signature->subgraph);
    uint32_t at = tqi_emit_record(&b->out, &record);
    emit_list(b, record.slot[TQI_SIGNATURE_INPUTS], signature->inputs.count, emit_map, &inputs);
    emit_list(b, record.slot[TQI_SIGNATURE_OUTPUTS], signature->outputs.count, emit_map, &outputs);
    return at;
}

/* ---- the model ---- */

/* The flatbuffer, and behind it what goes there. */
static bytes assemble(builder *b, mb_model *model) {
    size_t size = b->out.out.size, align = model->tail_align ? model->tail_align : 1;
    for (uint32_t i = 0; i < b->n_outside; i++)
        size = (size_t)tqi_align_up(size, 16) + b->outside[i].content.size;
    model->tail_at = (size_t)tqi_align_up(size, align);
    bytes result = {NULL, (model->tail_size ? model->tail_at : size) + model->tail_size};
    result.data = calloc(result.size, 1);
    assert_non_null(result.data);
    memcpy(result.data, b->out.out.bytes, b->out.out.size);
    uint64_t at = b->out.out.size;
    for (uint32_t i = 0; i < b->n_outside; i++) {
        const outside *o = &b->outside[i];
        at = tqi_align_up(at, 16);
        memcpy(result.data + o->slot, &at, sizeof at);
        if (o->content.data)
            memcpy(result.data + at, o->content.data, o->content.size);
        at += o->content.size;
    }
    if (model->tail_size)
        memcpy(result.data + model->tail_at, model->tail, model->tail_size);
    return result;
}

bytes mb_build(mb_model *model) {
    static const uint8_t start[8] = {0, 0, 0, 0, 'T', 'F', 'L', '3'};
    const struct {
        uint32_t field, count;
        emit_one *emit;
    } lists[] = {{TQI_MODEL_OPERATOR_CODES, model->n_opcodes, emit_opcode},
                 {TQI_MODEL_SUBGRAPHS, model->n_subgraphs, emit_subgraph},
                 {TQI_MODEL_BUFFERS, model->n_buffers, emit_buffer},
                 {TQI_MODEL_METADATA, model->n_metadata, emit_metadata},
                 {TQI_MODEL_SIGNATURE_DEFS, model->n_signatures, emit_signature}};
    builder b = {.model = model, .error = TQ_ERROR_INIT};
    tqi_heap_init(&b.heap, NULL, 0);
    tqi_emit_begin(&b.out, &b.heap, &b.error);
    tqi_emit_bytes(&b.out, start, sizeof start);
    tqi_record record;
    begin(&record, &tqi_model_table);
    set_scalar(&record, TQI_MODEL_VERSION, 3);
    set_text(&record, TQI_MODEL_DESCRIPTION, model->description);
    if (model->legacy_metadata.count)
        set_list(&record, TQI_MODEL_METADATA_BUFFER, &model->legacy_metadata);
    for (size_t i = 0; i < COUNT(lists); i++)
        if (lists[i].count)
            tqi_record_later(&record, lists[i].field);
    tqi_emit_link(&b.out, 0, tqi_emit_record(&b.out, &record));
    for (size_t i = 0; i < COUNT(lists); i++)
        if (lists[i].count)
            emit_list(&b, record.slot[lists[i].field], lists[i].count, lists[i].emit, NULL);
    finish(&b.out);
    assert_ok(b.out.status, &b.error);
    bytes result = assemble(&b, model);
    tqi_emit_end(&b.out);
    assert_int_equal(b.heap.used, 0);
    return result;
}

/* ---- descriptions ---- */

uint32_t mb_add_buffer(mb_model *model, const void *data, size_t size) {
    if (model->n_buffers == 0)
        model->n_buffers = 1;
    assert_true(model->n_buffers < COUNT(model->buffers));
    model->buffers[model->n_buffers] = (mb_buffer){data, (uint32_t)size, false};
    return model->n_buffers++;
}

int32_t mb_add_tensor(mb_subgraph *subgraph, mb_tensor tensor) {
    assert_true(subgraph->n_tensors < MB_TENSORS);
    subgraph->tensors[subgraph->n_tensors] = tensor;
    return (int32_t)subgraph->n_tensors++;
}

mb_op *mb_add_op(mb_subgraph *subgraph, mb_op op) {
    assert_true(subgraph->n_ops < MB_OPS);
    subgraph->ops[subgraph->n_ops] = op;
    return &subgraph->ops[subgraph->n_ops++];
}

void mb_fully_connected(mb_model *model, const float *data, int32_t rows, int32_t columns) {
    *model = (mb_model){.n_opcodes = 1, .n_subgraphs = 1, .description = "unit"};
    model->opcodes[0] = (mb_opcode){.builtin = TQI_OP_FULLY_CONNECTED};
    mb_subgraph *s = &model->subgraphs[0];
    *s = (mb_subgraph){.name = "main", .inputs = {1, {0}}, .outputs = {1, {2}}};
    uint32_t buffer = mb_add_buffer(model, data, (size_t)rows * (size_t)columns * sizeof(float));
    mb_add_tensor(s, (mb_tensor){.name = "x", .shape = {2, {1, columns}}});
    mb_add_tensor(s,
                  (mb_tensor){.name = "weight", .buffer = buffer, .shape = {2, {rows, columns}}});
    mb_add_tensor(s, (mb_tensor){.name = "y", .shape = {2, {1, rows}}});
    mb_add_op(s, (mb_op){.inputs = {3, {0, 1, -1}}, .outputs = {1, {2}}, .options_type = 8});
}

uint32_t mb_dispatch_options(uint8_t out[96], uint64_t offset, uint64_t size) {
    enum { FLEX_UINT = 2, FLEX_KEY = 4, FLEX_MAP = 9, WIDE = 3 };
    static const char keys[] = "bytecode_offset\0bytecode_size\0name";
    static const uint8_t key_at[] = {0, 16, 30};
    uint32_t at = sizeof keys;
    memset(out, 0, 96);
    memcpy(out, keys, sizeof keys);
    out[at++] = 3; /* the vector of keys: their count, then how far back each is */
    uint32_t vector = at;
    for (uint32_t i = 0; i < 3; i++, at++)
        out[at] = (uint8_t)(at - key_at[i]);
    /* the map: how far back its keys are, their width, count, values of 8 bytes, types */
    const uint64_t head[] = {at - vector, 1, 3};
    memcpy(out + at, head, sizeof head);
    at += (uint32_t)sizeof head;
    uint32_t map = at;
    const uint64_t values[] = {offset, size, at + 16 - key_at[2]};
    memcpy(out + at, values, sizeof values);
    at += (uint32_t)sizeof values;
    out[at++] = FLEX_UINT << 2 | WIDE;
    out[at++] = FLEX_UINT << 2 | WIDE;
    out[at++] = FLEX_KEY << 2;
    out[at] = (uint8_t)(at - map);
    at++;
    out[at++] = FLEX_MAP << 2 | WIDE;
    out[at++] = 1;
    return at;
}
