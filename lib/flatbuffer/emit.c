/* SPDX-License-Identifier: Apache-2.0 */
#include "flatbuffer/emit.h"

#include <string.h>

#include "base/checked.h"

/* The format addresses with 31 bits; weights come behind what is written here. */
enum { MAX_SIZE = INT32_MAX - 64, FIRST_CAPACITY = 16 * 1024 };

void tqi_emit_begin(tqi_emitter *emitter, tqi_heap *heap, tq_error *error) {
    *emitter = (tqi_emitter){.heap = heap, .error = error};
}

static void free_blocks(tqi_heap *heap, tqi_blocks *blocks) {
    tqi_free(heap, blocks->bytes, blocks->capacity);
    tqi_free(heap, blocks->index, blocks->index_capacity * 2 * sizeof *blocks->index);
    *blocks = (tqi_blocks){0};
}

void tqi_emit_end(tqi_emitter *emitter) {
    free_blocks(emitter->heap, &emitter->out);
    free_blocks(emitter->heap, &emitter->pool);
    free_blocks(emitter->heap, &emitter->pieces);
    free_blocks(emitter->heap, &emitter->links);
}

static bool fail_memory(tqi_emitter *emitter, uint64_t size) {
    emitter->status = tqi_no_memory(emitter->heap, size, emitter->error);
    return false;
}

static bool reserve(tqi_emitter *emitter, tqi_blocks *blocks, uint64_t more) {
    if (emitter->status != TQ_OK)
        return false;
    uint64_t size = blocks->size + more;
    if (size > MAX_SIZE) {
        emitter->status = tqi_fail(emitter->error, TQ_ERR_TOO_LARGE,
                                   "the graph without its weights is larger than 2 GiB");
        return false;
    }
    if (size <= blocks->capacity)
        return true;
    uint64_t capacity = blocks->capacity ? blocks->capacity : FIRST_CAPACITY;
    while (capacity < size)
        capacity *= 2;
    uint8_t *bytes = tqi_alloc(emitter->heap, (size_t)capacity);
    if (!bytes)
        return fail_memory(emitter, capacity);
    if (blocks->size > 0)
        memcpy(bytes, blocks->bytes, blocks->size);
    tqi_free(emitter->heap, blocks->bytes, blocks->capacity);
    blocks->bytes = bytes;
    blocks->capacity = (uint32_t)capacity;
    return true;
}

/* `data` NULL: zeros */
static void append(tqi_emitter *emitter, tqi_blocks *blocks, const void *data, uint32_t size) {
    if (size == 0 || !reserve(emitter, blocks, size))
        return;
    if (data)
        memcpy(blocks->bytes + blocks->size, data, size);
    else
        memset(blocks->bytes + blocks->size, 0, size);
    blocks->size += size;
}

/* Pads so that what comes `ahead` bytes from here is aligned. */
static void align(tqi_emitter *emitter, tqi_blocks *blocks, uint32_t alignment, uint32_t ahead) {
    uint64_t at = (uint64_t)blocks->size + ahead;
    append(emitter, blocks, NULL, (uint32_t)(tqi_align_up(at, alignment) - at));
}

void tqi_emit_bytes(tqi_emitter *emitter, const void *data, uint32_t size) {
    append(emitter, &emitter->out, data, size);
}

void tqi_emit_link(tqi_emitter *emitter, uint32_t slot, uint32_t at) {
    if (emitter->status == TQ_OK)
        tqi_store_u32(emitter->out.bytes + slot, at - slot);
}

/* ---- blocks that are written once ---- */

static uint32_t hash_bytes(const uint8_t *at, size_t size) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 16777619u;
    return hash;
}

static void put_index(uint32_t *index, uint32_t capacity, uint32_t hash, uint32_t at) {
    uint32_t i = hash & (capacity - 1);
    while (index[2 * i + 1] != 0)
        i = (i + 1) & (capacity - 1);
    index[2 * i] = hash;
    index[2 * i + 1] = at + 1;
}

static bool grow_index(tqi_emitter *emitter, tqi_blocks *blocks) {
    uint32_t capacity = blocks->index_capacity ? blocks->index_capacity * 2 : 128;
    size_t size = (size_t)capacity * 2 * sizeof(uint32_t);
    uint32_t *index = tqi_alloc(emitter->heap, size);
    if (!index)
        return fail_memory(emitter, size);
    memset(index, 0, size);
    for (uint32_t i = 0; i < blocks->index_capacity; i++)
        if (blocks->index[2 * i + 1] != 0)
            put_index(index, capacity, blocks->index[2 * i], blocks->index[2 * i + 1] - 1);
    tqi_free(emitter->heap, blocks->index, blocks->index_capacity * 2 * sizeof *index);
    blocks->index = index;
    blocks->index_capacity = capacity;
    return true;
}

/* The last `size` bytes are a block that begins at `begin`, `lead` bytes before what must
 * be aligned; `before` is where its padding begins. Takes it back if an equal one
 * is there already; returns where the block now is. */
static uint32_t share(tqi_emitter *emitter, tqi_blocks *blocks, uint32_t before, uint32_t begin,
                      uint32_t alignment, uint32_t lead) {
    if (emitter->status != TQ_OK)
        return 0;
    uint32_t size = blocks->size - begin;
    const uint8_t *block = blocks->bytes + begin;
    uint32_t hash = hash_bytes(block, size);
    uint32_t mask = blocks->index_capacity - 1;
    if (blocks->index_capacity > 0) {
        for (uint32_t i = hash & mask; blocks->index[2 * i + 1] != 0; i = (i + 1) & mask) {
            uint32_t at = blocks->index[2 * i + 1] - 1;
            if (blocks->index[2 * i] == hash && size <= begin - at &&
                (at + lead) % alignment == 0 && memcmp(blocks->bytes + at, block, size) == 0) {
                blocks->size = before;
                return at;
            }
        }
    }
    if (2 * (blocks->index_count + 1) > blocks->index_capacity && !grow_index(emitter, blocks))
        return 0;
    put_index(blocks->index, blocks->index_capacity, hash, begin);
    blocks->index_count++;
    return begin;
}

/* ---- vectors ---- */

uint32_t tqi_emit_blank(tqi_emitter *emitter, uint32_t count, uint32_t size) {
    align(emitter, &emitter->out, size > 4 ? size : 4, 4);
    uint32_t at = emitter->out.size;
    uint64_t bytes = (uint64_t)count * size;
    if (!reserve(emitter, &emitter->out, 4 + bytes))
        return 0;
    append(emitter, &emitter->out, &count, 4);
    append(emitter, &emitter->out, NULL, (uint32_t)bytes);
    return at;
}

uint32_t tqi_emit_offsets(tqi_emitter *emitter, uint32_t count, uint32_t *at) {
    *at = tqi_emit_blank(emitter, count, 4);
    return *at + 4;
}

static void pool_vector(tqi_emitter *emitter, uint32_t slot, const tqi_field *field,
                        const void *data, uint32_t count) {
    tqi_blocks *pool = &emitter->pool;
    uint32_t alignment = field->align > 4 ? field->align : 4;
    uint32_t before = pool->size;
    align(emitter, pool, alignment, 4);
    uint32_t begin = pool->size;
    append(emitter, pool, &count, 4);
    if (!reserve(emitter, pool, (uint64_t)count * field->size))
        return;
    append(emitter, pool, data, count * field->size);
    append(emitter, pool, NULL, field->kind == TQI_FIELD_STRING);
    tqi_piece piece = {begin, pool->size - begin, alignment, 0};
    uint32_t link[2] = {slot, share(emitter, pool, before, begin, alignment, 4)};
    if (link[1] == begin)
        append(emitter, &emitter->pieces, &piece, sizeof piece);
    append(emitter, &emitter->links, link, sizeof link);
}

static tqi_piece *pieces_of(tqi_emitter *emitter, uint32_t *count) {
    *count = emitter->pieces.size / (uint32_t)sizeof(tqi_piece);
    return (tqi_piece *)(void *)emitter->pieces.bytes;
}

tqi_piece *tqi_emit_fitting(tqi_emitter *emitter, uint32_t size) {
    uint32_t count;
    tqi_piece *pieces = pieces_of(emitter, &count), *best = NULL;
    for (uint32_t i = 0; i < count && (!best || best->size < size); i++)
        if (pieces[i].at == 0 && pieces[i].size <= size && pieces[i].alignment == 4 &&
            (!best || pieces[i].size > best->size))
            best = &pieces[i];
    return best;
}

void tqi_emit_finish(tqi_emitter *emitter) {
    uint32_t count;
    tqi_piece *pieces = pieces_of(emitter, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (pieces[i].at != 0)
            continue;
        align(emitter, &emitter->out, pieces[i].alignment, 4);
        pieces[i].at = emitter->out.size;
        append(emitter, &emitter->out, emitter->pool.bytes + pieces[i].begin, pieces[i].size);
    }
}

void tqi_emit_resolve(tqi_emitter *emitter) {
    uint32_t count;
    const tqi_piece *pieces = pieces_of(emitter, &count);
    for (uint32_t i = 0; i < emitter->links.size && emitter->status == TQ_OK; i += 8) {
        uint32_t begin = tqi_load_u32(emitter->links.bytes + i + 4), low = 0, high = count;
        while (high - low > 1) {
            uint32_t middle = low + (high - low) / 2;
            if (pieces[middle].begin <= begin)
                low = middle;
            else
                high = middle;
        }
        tqi_emit_link(emitter, tqi_load_u32(emitter->links.bytes + i), pieces[low].at);
    }
}

/* ---- tables ---- */

void tqi_record_begin(tqi_record *record, const tqi_table *table, const tqi_view *view,
                      uint32_t source) {
    record->table = table;
    record->view = view;
    record->source = source;
    for (uint32_t i = 0; i < table->count; i++) {
        bool there = source && tqi_slot(view, source, i);
        record->value[i] =
            (tqi_field_value){there ? TQI_VALUE_SOURCE : TQI_VALUE_ABSENT, 0, 0, NULL};
    }
}

void tqi_record_scalar(tqi_record *record, uint32_t field, uint64_t value, uint64_t otherwise) {
    if (value == otherwise && !tqi_record_has(record, field))
        return;
    record->value[field] = (tqi_field_value){TQI_VALUE_SCALAR, 0, value, NULL};
}

void tqi_record_vector(tqi_record *record, uint32_t field, const void *data, uint32_t count) {
    record->value[field] = (tqi_field_value){TQI_VALUE_VECTOR, count, 0, data};
}

void tqi_record_string(tqi_record *record, uint32_t field, const char *text) {
    tqi_record_vector(record, field, text, (uint32_t)strlen(text));
}

void tqi_record_later(tqi_record *record, uint32_t field) {
    record->value[field] = (tqi_field_value){TQI_VALUE_LATER, 0, 0, NULL};
}

void tqi_record_drop(tqi_record *record, uint32_t field) {
    record->value[field] = (tqi_field_value){TQI_VALUE_ABSENT, 0, 0, NULL};
}

/* Gives each field that is there its place, largest first so that no gaps arise.
 * Returns the size of the table. `vtable` holds size, table size, and the offsets. */
static uint32_t lay_out(const tqi_record *record, uint16_t *vtable, uint32_t *vtable_size,
                        bool *wide) {
    const tqi_table *table = record->table;
    uint32_t last = 0, size = 4;
    memset(vtable, 0, (2 + TQI_MAX_FIELDS) * sizeof *vtable);
    for (uint32_t width = 8; width > 0; width /= 2) {
        for (uint32_t i = 0; i < table->count; i++) {
            const tqi_field *field = &table->fields[i];
            if (!tqi_record_has(record, i) ||
                (field->kind == TQI_FIELD_SCALAR ? field->size : 4) != width)
                continue;
            vtable[2 + i] = (uint16_t)size;
            size += width;
            if (i + 1 > last)
                last = i + 1;
        }
        if (width == 8)
            *wide = size > 4;
    }
    *vtable_size = 4 + 2 * last;
    vtable[0] = (uint16_t)*vtable_size;
    vtable[1] = (uint16_t)size;
    return size;
}

static uint32_t emit_vtable(tqi_emitter *emitter, const uint16_t *vtable, uint32_t size) {
    uint32_t before = emitter->out.size;
    align(emitter, &emitter->out, 2, 0);
    uint32_t begin = emitter->out.size;
    append(emitter, &emitter->out, vtable, size);
    return share(emitter, &emitter->out, before, begin, 2, 0);
}

static void copy_scalar(tqi_emitter *emitter, const tqi_record *record, uint32_t i) {
    const tqi_field_value *value = &record->value[i];
    const void *from = &value->scalar;
    if (value->kind == TQI_VALUE_SOURCE)
        from = record->view->data + tqi_slot(record->view, record->source, i);
    memcpy(emitter->out.bytes + record->slot[i], from, record->table->fields[i].size);
}

static uint32_t copy_table(tqi_emitter *emitter, const tqi_view *view, const tqi_table *table,
                           uint32_t source) {
    tqi_record record;
    tqi_record_begin(&record, table, view, source);
    return tqi_emit_record(emitter, &record);
}

static void copy_source(tqi_emitter *emitter, const tqi_record *record, uint32_t i) {
    const tqi_field *field = &record->table->fields[i];
    const tqi_view *view = record->view;
    uint32_t slot = record->slot[i];
    if (field->kind == TQI_FIELD_TABLE || field->kind == TQI_FIELD_UNION) {
        const tqi_table *table = field->table;
        if (field->kind == TQI_FIELD_UNION)
            table = table->fields[view->data[tqi_slot(view, record->source, i - 1)] - 1].table;
        uint32_t child = tqi_get_table(view, record->source, i);
        tqi_emit_link(emitter, slot, copy_table(emitter, view, table, child));
        return;
    }
    tqi_vector vector = tqi_get_vector(view, record->source, i);
    if (field->kind != TQI_FIELD_TABLES) {
        pool_vector(emitter, slot, field, view->data + vector.at, vector.count);
        return;
    }
    uint32_t at;
    uint32_t element = tqi_emit_offsets(emitter, vector.count, &at);
    tqi_emit_link(emitter, slot, at);
    for (uint32_t j = 0; j < vector.count && emitter->status == TQ_OK; j++)
        tqi_emit_link(emitter, element + 4 * j,
                      copy_table(emitter, view, field->table, tqi_element(view, vector, j)));
}

uint32_t tqi_emit_record(tqi_emitter *emitter, tqi_record *record) {
    uint16_t vtable[2 + TQI_MAX_FIELDS];
    uint32_t vtable_size;
    bool wide = false;
    uint32_t size = lay_out(record, vtable, &vtable_size, &wide);
    uint32_t vtable_at = emit_vtable(emitter, vtable, vtable_size);
    /* the first field comes 4 bytes in: an 8-byte one wants the table at 4 mod 8 */
    align(emitter, &emitter->out, wide ? 8 : 4, 4);
    uint32_t at = emitter->out.size;
    append(emitter, &emitter->out, NULL, size);
    if (emitter->status != TQ_OK)
        return 0;
    tqi_store_u32(emitter->out.bytes + at, at - vtable_at);
    const tqi_table *table = record->table;
    for (uint32_t i = 0; i < table->count; i++) {
        record->slot[i] = vtable[2 + i] ? at + vtable[2 + i] : 0;
        if (record->slot[i] && table->fields[i].kind == TQI_FIELD_SCALAR)
            copy_scalar(emitter, record, i);
    }
    for (uint32_t i = 0; i < table->count && emitter->status == TQ_OK; i++) {
        const tqi_field_value *value = &record->value[i];
        if (!record->slot[i] || table->fields[i].kind == TQI_FIELD_SCALAR)
            continue;
        if (value->kind == TQI_VALUE_VECTOR)
            pool_vector(emitter, record->slot[i], &table->fields[i], value->data, value->count);
        else if (value->kind == TQI_VALUE_SOURCE)
            copy_source(emitter, record, i);
    }
    return at;
}
