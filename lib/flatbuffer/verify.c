/* SPDX-License-Identifier: Apache-2.0 */
#include "flatbuffer/verify.h"

#include <inttypes.h>

#include "base/checked.h"

typedef struct walk {
    const tqi_view *view;
    tqi_source *source;
    tq_error *error;
    uint64_t tables; /* that may still be visited */
    uint64_t bytes;  /* likewise, counted at each visit */
    uint32_t end;
} walk;

static tq_status corrupt(const walk *w, uint64_t at, const tqi_table *table, const char *field,
                         const char *what) {
    return tqi_fail_at(w->error, TQ_ERR_CORRUPT, at, "%s%s%s: %s", table->name, field ? "." : "",
                       field ? field : "", what);
}

static tq_status reach(walk *w, uint64_t at, uint64_t length, const tqi_table *table,
                       const char *field, const char *what) {
    if (!tqi_in_range(at, length, w->view->size))
        return corrupt(w, at, table, field, what);
    if (at + length > w->end)
        w->end = (uint32_t)(at + length);
    if (length > w->bytes)
        return corrupt(w, at, table, field, "the file refers to the same bytes again and again");
    w->bytes -= length;
    return TQ_OK;
}

static tq_status need(walk *w, uint64_t at, uint64_t length, const tqi_table *table,
                      const char *field, const char *what) {
    TQI_TRY(reach(w, at, length, table, field, what));
    return tqi_source_load(w->source, at, length, w->error);
}

/* Follows the offset at `slot`; offsets only point forward, so the file has no cycles. */
static tq_status target(walk *w, uint32_t slot, const tqi_table *table, const char *field,
                        uint32_t *at) {
    uint32_t offset = tqi_load_u32(w->view->data + slot);
    if (offset == 0 || offset > INT32_MAX || slot + (uint64_t)offset + 4 > w->view->size)
        return corrupt(w, slot, table, field, "an offset leads out of the file");
    *at = slot + offset;
    return tqi_source_load(w->source, *at, 4, w->error);
}

static tq_status verify_table(walk *w, const tqi_table *table, uint32_t at);

static tq_status verify_vector(walk *w, const tqi_table *table, const tqi_field *field,
                               uint32_t slot) {
    uint32_t at = 0;
    TQI_TRY(target(w, slot, table, field->name, &at));
    uint32_t count = tqi_load_u32(w->view->data + at);
    uint64_t extra = field->kind == TQI_FIELD_STRING; /* the zero behind the text */
    uint64_t bytes = (uint64_t)count * field->size + extra;
    if (field->kind == TQI_FIELD_BULK)
        return reach(w, at, 4 + bytes, table, field->name, "it is longer than the file");
    TQI_TRY(need(w, at, 4 + bytes, table, field->name, "it is longer than the file"));
    if (field->kind == TQI_FIELD_STRING && w->view->data[at + 4 + count] != 0)
        return corrupt(w, at, table, field->name, "the text has no end");
    if (field->kind != TQI_FIELD_TABLES)
        return TQ_OK;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t element = 0;
        TQI_TRY(target(w, at + 4 + 4 * i, table, field->name, &element));
        TQI_TRY(verify_table(w, field->table, element));
    }
    return TQ_OK;
}

static tq_status verify_union(walk *w, const tqi_table *table, const tqi_field *field,
                              uint32_t type_slot, uint32_t slot) {
    uint8_t type = type_slot ? w->view->data[type_slot] : 0;
    if (type > field->table->count || (type == 0 && slot))
        return tqi_fail_at(w->error, TQ_ERR_UNSUPPORTED, type_slot ? type_slot : slot,
                           "%s.%s has type %u, which this version does not know", table->name,
                           field->name, type);
    if (!slot)
        return TQ_OK;
    uint32_t at = 0;
    TQI_TRY(target(w, slot, table, field->name, &at));
    return verify_table(w, field->table->fields[type - 1].table, at);
}

/* The depth of recursion is that of the schema. */
static tq_status verify_table(walk *w, const tqi_table *table, uint32_t at) {
    if (w->tables-- == 0)
        return corrupt(w, at, table, NULL, "the file refers to the same tables again and again");
    TQI_TRY(need(w, at, 4, table, NULL, "it lies outside the file"));
    int64_t vtable = (int64_t)at - tqi_load_i32(w->view->data + at);
    if (vtable < 0 || vtable + 4 > w->view->size)
        return corrupt(w, at, table, NULL, "its vtable lies outside the file");
    TQI_TRY(tqi_source_load(w->source, (uint64_t)vtable, 4, w->error));
    uint16_t vtable_size = tqi_load_u16(w->view->data + vtable);
    uint16_t table_size = tqi_load_u16(w->view->data + vtable + 2);
    if (vtable_size < 4 || vtable_size % 2 != 0 || table_size < 4)
        return corrupt(w, (uint64_t)vtable, table, NULL, "its vtable has an impossible size");
    TQI_TRY(need(w, (uint64_t)vtable, vtable_size, table, NULL, "its vtable is cut off"));
    TQI_TRY(need(w, at, table_size, table, NULL, "it is cut off"));

    uint32_t slots[TQI_MAX_FIELDS] = {0};
    for (uint32_t i = 0; 4 + 2 * i < vtable_size; i++) {
        uint16_t offset = tqi_load_u16(w->view->data + vtable + 4 + 2 * i);
        if (offset == 0)
            continue;
        if (i >= table->count)
            return tqi_fail_at(w->error, TQ_ERR_UNSUPPORTED, at,
                               "%s has a field number %" PRIu32
                               ", which this version does not know",
                               table->name, i);
        const tqi_field *field = &table->fields[i];
        uint32_t inside = field->kind == TQI_FIELD_SCALAR ? field->size : 4;
        if (offset < 4 || offset + inside > table_size)
            return corrupt(w, at, table, field->name, "it lies outside its table");
        slots[i] = at + offset;
    }
    for (uint32_t i = 0; i < table->count; i++) {
        const tqi_field *field = &table->fields[i];
        if (field->kind == TQI_FIELD_UNION)
            TQI_TRY(verify_union(w, table, field, slots[i - 1], slots[i]));
        else if (!slots[i] || field->kind == TQI_FIELD_SCALAR)
            continue;
        else if (field->kind == TQI_FIELD_TABLE) {
            uint32_t child = 0;
            TQI_TRY(target(w, slots[i], table, field->name, &child));
            TQI_TRY(verify_table(w, field->table, child));
        } else
            TQI_TRY(verify_vector(w, table, field, slots[i]));
    }
    return TQ_OK;
}

tq_status tqi_verify(const tqi_view *view, tqi_source *source, const tqi_table *root, uint32_t *end,
                     tq_error *error) {
    enum { VISITS = 16, SPARE = 1 << 20 }; /* writers share short vectors and strings */
    walk w = {.view = view,
              .source = source,
              .error = error,
              .tables = view->size / 4 + 1, /* every reference takes 4 bytes */
              .bytes = (uint64_t)view->size * VISITS + SPARE,
              .end = 8};
    uint32_t at = 0;
    TQI_TRY(target(&w, 0, root, NULL, &at));
    TQI_TRY(verify_table(&w, root, at));
    *end = w.end;
    return TQ_OK;
}
