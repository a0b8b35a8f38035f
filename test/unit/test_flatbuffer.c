/* SPDX-License-Identifier: Apache-2.0 */
/* Emitting, verifying and viewing flatbuffers, with a schema of the test's own. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flatbuffer/verify.h"
#include "record_help.h"

enum { LEAF_WIDE, LEAF_BYTE, LEAF_NAME, LEAF_DATA, LEAF_LONGS };
static const tqi_field leaf_fields[] = {{"wide", TQI_FIELD_SCALAR, 8, 8, NULL},
                                        {"byte", TQI_FIELD_SCALAR, 1, 1, NULL},
                                        {"name", TQI_FIELD_STRING, 1, 1, NULL},
                                        {"data", TQI_FIELD_VECTOR, 1, 16, NULL},
                                        {"longs", TQI_FIELD_VECTOR, 8, 8, NULL}};
static const tqi_table leaf_table = {"Leaf", leaf_fields, 5};
/* The second one is not counted: type 2 is unknown. */
static const tqi_field choices[] = {{"Leaf", TQI_FIELD_TABLE, 4, 4, &leaf_table},
                                    {"Hidden", TQI_FIELD_TABLE, 4, 4, &leaf_table}};
static const tqi_table choice_union = {"Choice", choices, 1};
enum { ROOT_VERSION, ROOT_LEAF, ROOT_LIST, ROOT_KIND, ROOT_CHOICE, ROOT_TEXT };
static const tqi_field root_fields[] = {
    {"version", TQI_FIELD_SCALAR, 4, 4, NULL},        {"leaf", TQI_FIELD_TABLE, 4, 4, &leaf_table},
    {"list", TQI_FIELD_TABLES, 4, 4, &leaf_table},    {"choice_type", TQI_FIELD_SCALAR, 1, 1, NULL},
    {"choice", TQI_FIELD_UNION, 4, 4, &choice_union}, {"text", TQI_FIELD_STRING, 1, 1, NULL}};
static const tqi_table root_table = {"Root", root_fields, 6};

enum { LEAVES = 3, MAX_FILE = 2048 };
static const uint8_t data[33] = "0123456789abcdef0123456789abcdef";
static const int64_t longs[] = {-1, INT64_MIN, 7};

/* A valid file, and where in it things are. */
typedef struct sample {
    uint8_t file[MAX_FILE];
    uint32_t size;
    uint32_t root, list, leaves[LEAVES + 2]; /* those of the list, `leaf`, `choice` */
    uint32_t root_slot[TQI_MAX_FIELDS], leaf_slot[TQI_MAX_FIELDS];
} sample;

static uint32_t emit_leaf(tqi_emitter *out, uint32_t i, uint32_t *slots) {
    tqi_record record;
    tqi_record_begin(&record, &leaf_table, NULL, 0);
    set_scalar(&record, LEAF_WIDE, UINT64_C(0x1122334455667788) + i);
    set_scalar(&record, LEAF_BYTE, 200 + i);
    tqi_record_string(&record, LEAF_NAME, "a name");
    tqi_record_vector(&record, LEAF_DATA, data, sizeof data);
    tqi_record_vector(&record, LEAF_LONGS, longs, COUNT(longs));
    uint32_t at = tqi_emit_record(out, &record);
    memcpy(slots, record.slot, sizeof record.slot);
    return at;
}

static void emit_sample(tqi_emitter *out, sample *s) {
    static const uint8_t start[8] = {0};
    tqi_emit_bytes(out, start, sizeof start);
    tqi_record record;
    tqi_record_begin(&record, &root_table, NULL, 0);
    set_scalar(&record, ROOT_VERSION, 3);
    tqi_record_later(&record, ROOT_LEAF);
    tqi_record_later(&record, ROOT_LIST);
    set_scalar(&record, ROOT_KIND, 1);
    tqi_record_later(&record, ROOT_CHOICE);
    tqi_record_string(&record, ROOT_TEXT, "a name");
    s->root = tqi_emit_record(out, &record);
    memcpy(s->root_slot, record.slot, sizeof record.slot);
    tqi_emit_link(out, 0, s->root);
    uint32_t element = tqi_emit_offsets(out, LEAVES, &s->list);
    tqi_emit_link(out, record.slot[ROOT_LIST], s->list);
    for (uint32_t i = 0; i < LEAVES + 2; i++) {
        uint32_t slot = i < LEAVES    ? element + 4 * i
                        : i == LEAVES ? record.slot[ROOT_LEAF]
                                      : record.slot[ROOT_CHOICE];
        s->leaves[i] = emit_leaf(out, i, s->leaf_slot);
        tqi_emit_link(out, slot, s->leaves[i]);
    }
    finish(out);
}

static void make(sample *s) {
    tqi_heap heap;
    tqi_emitter out;
    tq_error error = TQ_ERROR_INIT;
    tqi_heap_init(&heap, NULL, 0);
    tqi_emit_begin(&out, &heap, &error);
    emit_sample(&out, s);
    assert_ok(out.status, &error);
    s->size = out.out.size;
    assert_true(s->size <= MAX_FILE);
    memcpy(s->file, out.out.bytes, s->size);
    tqi_emit_end(&out);
    assert_int_equal(heap.used, 0);
}

static tq_status verify_view(const tqi_view *view, const tqi_table *root, uint32_t *end,
                             tq_error *error) {
    tqi_source source;
    tqi_source_memory(&source, view->data, view->size);
    return tqi_verify(view, &source, root, end, error);
}

/* The file is copied to a block of its exact size: a sanitizer sees a read beyond it. */
static tq_status verify(const uint8_t *file, uint32_t size, tq_error *error) {
    uint8_t *exact = malloc(size);
    assert_non_null(exact);
    memcpy(exact, file, size);
    tqi_view view = {exact, size};
    uint32_t end = 0;
    *error = (tq_error)TQ_ERROR_INIT;
    tq_status status = verify_view(&view, &root_table, &end, error);
    free(exact);
    if (status == TQ_OK)
        assert_true(end <= size);
    else
        assert_failed(status, status, error);
    return status;
}

static void check_leaf(const tqi_view *view, uint32_t at, uint32_t i) {
    assert_true(tqi_get_u64(view, at, LEAF_WIDE, 0) == UINT64_C(0x1122334455667788) + i);
    assert_int_equal((uint8_t)tqi_get_i8(view, at, LEAF_BYTE, 0), 200 + i);
    assert_string_equal(tqi_get_string(view, at, LEAF_NAME), "a name");
    tqi_vector narrow = tqi_get_vector(view, at, LEAF_DATA);
    assert_int_equal(narrow.count, sizeof data);
    assert_memory_equal(view->data + narrow.at, data, sizeof data);
    tqi_vector wide = tqi_get_vector(view, at, LEAF_LONGS);
    assert_int_equal(wide.count, COUNT(longs));
    assert_memory_equal(view->data + wide.at, longs, sizeof longs);
}

static void check_sample(const tqi_view *view) {
    uint32_t root = tqi_follow(view, 0);
    assert_int_equal(tqi_get_u32(view, root, ROOT_VERSION, 0), 3);
    assert_string_equal(tqi_get_string(view, root, ROOT_TEXT), "a name");
    tqi_vector list = tqi_get_vector(view, root, ROOT_LIST);
    assert_int_equal(list.count, LEAVES);
    for (uint32_t i = 0; i < LEAVES; i++)
        check_leaf(view, tqi_element(view, list, i), i);
    check_leaf(view, tqi_get_table(view, root, ROOT_LEAF), LEAVES);
    check_leaf(view, tqi_get_table(view, root, ROOT_CHOICE), LEAVES + 1);
}

static void round_trip(void **state) {
    (void)state;
    sample s;
    make(&s);
    tqi_view view = {s.file, s.size};
    tq_error error = TQ_ERROR_INIT;
    uint32_t end;
    assert_ok(verify_view(&view, &root_table, &end, &error), &error);
    assert_int_equal(end, s.size);
    check_sample(&view);

    /* the whole of it copied, as a table of the source with all below */
    tqi_heap heap;
    tqi_emitter out;
    tqi_heap_init(&heap, NULL, 0);
    tqi_emit_begin(&out, &heap, &error);
    tqi_emit_bytes(&out, "\0\0\0\0\0\0\0", 8);
    tqi_record record;
    tqi_record_begin(&record, &root_table, &view, s.root);
    tqi_emit_link(&out, 0, tqi_emit_record(&out, &record));
    finish(&out);
    assert_ok(out.status, &error);
    tqi_view copy = {out.out.bytes, out.out.size};
    assert_ok(verify_view(&copy, &root_table, &end, &error), &error);
    check_sample(&copy);
    tqi_emit_end(&out);
}

static void what_is_absent_has_its_default(void **state) {
    (void)state;
    sample s;
    make(&s);
    tqi_view view = {s.file, s.size};
    const uint16_t empty[2] = {4, 4}; /* a vtable of nothing but the header */
    uint32_t at = s.size - 4;
    memcpy(s.file + at, empty, sizeof empty);
    tqi_store_u32(s.file + s.root, s.root - at);
    tq_error error = TQ_ERROR_INIT;
    assert_ok(verify(s.file, s.size, &error), &error);
    assert_int_equal(tqi_get_u32(&view, s.root, ROOT_VERSION, 77), 77);
    assert_null(tqi_get_string(&view, s.root, ROOT_TEXT));
    assert_int_equal(tqi_get_table(&view, s.root, ROOT_LEAF), 0);
    assert_int_equal(tqi_get_vector(&view, s.root, ROOT_LIST).count, 0);
}

static void equal_things_are_shared(void **state) {
    (void)state;
    sample s;
    make(&s);
    tqi_view view = {s.file, s.size};
    uint32_t vtable = s.leaves[0] - tqi_load_u32(s.file + s.leaves[0]);
    for (uint32_t i = 1; i < COUNT(s.leaves); i++) {
        assert_int_equal(s.leaves[i] - tqi_load_u32(s.file + s.leaves[i]), vtable);
        for (uint32_t field = LEAF_DATA; field <= LEAF_LONGS; field++)
            assert_int_equal(tqi_get_vector(&view, s.leaves[i], field).at,
                             tqi_get_vector(&view, s.leaves[0], field).at);
    }
    assert_ptr_equal(tqi_get_string(&view, s.root, ROOT_TEXT),
                     tqi_get_string(&view, s.leaves[2], LEAF_NAME));
}

static void all_is_aligned(void **state) {
    (void)state;
    sample s;
    make(&s);
    tqi_view view = {s.file, s.size};
    for (uint32_t i = 0; i < COUNT(s.leaves); i++) {
        assert_int_equal(s.leaves[i] % 4, 0);
        assert_int_equal(tqi_slot(&view, s.leaves[i], LEAF_WIDE) % 8, 0);
        assert_int_equal(tqi_get_vector(&view, s.leaves[i], LEAF_DATA).at % 16, 0);
        assert_int_equal(tqi_get_vector(&view, s.leaves[i], LEAF_LONGS).at % 8, 0);
        assert_int_equal(tqi_get_vector(&view, s.leaves[i], LEAF_NAME).at % 4, 0);
    }
}

static void refused(const sample *s, tq_status expected, uint32_t at, uint32_t value,
                    uint32_t width) {
    sample bad = *s;
    memcpy(bad.file + at, &value, width);
    tq_error error;
    if (verify(bad.file, bad.size, &error) != expected)
        fail_msg("byte %u set to %x: status %d", at, value, error.status);
    assert_true(error.offset <= bad.size);
}

static void offsets_stay_inside(void **state) {
    (void)state;
    sample s;
    make(&s);
    const uint32_t slots[] = {0,
                              s.root_slot[ROOT_LEAF],
                              s.root_slot[ROOT_LIST],
                              s.root_slot[ROOT_CHOICE],
                              s.root_slot[ROOT_TEXT],
                              s.list + 4,
                              s.leaf_slot[LEAF_NAME],
                              s.leaf_slot[LEAF_LONGS]};
    for (size_t i = 0; i < COUNT(slots); i++) {
        const uint32_t bad[] = {0,           s.size - slots[i], s.size - slots[i] - 3, UINT32_MAX,
                                0x80000000u, 0x7fffffffu,       0u - slots[i]};
        for (size_t j = 0; j < COUNT(bad); j++)
            refused(&s, TQ_ERR_CORRUPT, slots[i], bad[j], 4);
    }
}

static void vtables_stay_inside(void **state) {
    (void)state;
    sample s;
    make(&s);
    const uint32_t bad[] = {s.root + 1,          s.root + 4,      0x80000000u, 0x7fffffffu,
                            s.root - s.size + 3, s.root - s.size, 1u - s.size};
    for (size_t i = 0; i < COUNT(bad); i++)
        refused(&s, TQ_ERR_CORRUPT, s.root, bad[i], 4);
    uint32_t vtable = s.root - tqi_load_u32(s.file + s.root);
    const uint32_t sizes[] = {0, 1, 2, 3, 5, 17, 0xffff, 0xfffe};
    for (size_t i = 0; i < COUNT(sizes); i++)
        refused(&s, TQ_ERR_CORRUPT, vtable, sizes[i], 2);
    const uint32_t tables[] = {0, 3, 4, 8, 0xffff};
    for (size_t i = 0; i < COUNT(tables); i++)
        refused(&s, TQ_ERR_CORRUPT, vtable + 2, tables[i], 2);
    /* a field outside its table, or in the place of the table's own offset */
    const uint32_t fields[] = {1, 3, 0xffff, tqi_load_u16(s.file + vtable + 2)};
    for (size_t i = 0; i < COUNT(fields); i++)
        refused(&s, TQ_ERR_CORRUPT, vtable + 4 + 2 * ROOT_TEXT, fields[i], 2);
    for (uint32_t ahead = 0; ahead < 4; ahead++)
        refused(&s, TQ_ERR_CORRUPT, vtable + 4 + 2 * ROOT_VERSION,
                tqi_load_u16(s.file + vtable + 2) - ahead, 2);
}

static void strings_and_vectors_end(void **state) {
    (void)state;
    sample s;
    make(&s);
    tqi_view view = {s.file, s.size};
    uint32_t name = tqi_get_vector(&view, s.root, ROOT_TEXT).at - 4;
    uint32_t wide = tqi_get_vector(&view, s.leaves[0], LEAF_LONGS).at - 4;
    const uint32_t counts[] = {UINT32_MAX, 0x7fffffffu, 0x20000000u, 0x40000000u, s.size};
    for (size_t i = 0; i < COUNT(counts); i++) {
        refused(&s, TQ_ERR_CORRUPT, name, counts[i], 4);
        refused(&s, TQ_ERR_CORRUPT, wide, counts[i], 4);
        refused(&s, TQ_ERR_CORRUPT, s.list, counts[i], 4);
    }
    refused(&s, TQ_ERR_CORRUPT, name, s.size - name - 4, 4); /* its zero is beyond the end */
    refused(&s, TQ_ERR_CORRUPT, name, 5, 4);                 /* ends in a letter */
    refused(&s, TQ_ERR_CORRUPT, name + 4 + 6, 'x', 1);
}

static void what_the_schema_lacks_is_refused(void **state) {
    (void)state;
    sample s;
    make(&s);
    /* types of the union: none with a value, and unknown ones */
    refused(&s, TQ_ERR_UNSUPPORTED, s.root_slot[ROOT_KIND], 0, 1);
    refused(&s, TQ_ERR_UNSUPPORTED, s.root_slot[ROOT_KIND], 2, 1);
    refused(&s, TQ_ERR_UNSUPPORTED, s.root_slot[ROOT_KIND], 255, 1);
    /* field 6 of six: the vtable, moved to a place where it can be longer */
    sample more = s;
    uint32_t vtable = s.root - tqi_load_u32(s.file + s.root);
    uint16_t longer[9] = {18};
    memcpy(longer + 1, s.file + vtable + 2, 14);
    longer[8] = 4;
    memcpy(more.file + s.size, longer, sizeof longer);
    tqi_store_u32(more.file + s.root, s.root - s.size);
    more.size = s.size + (uint32_t)sizeof longer;
    tq_error error;
    assert_int_equal(verify(more.file, more.size, &error), TQ_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "Root"));
    /* while an entry of 0 says that the field is not there */
    longer[8] = 0;
    memcpy(more.file + s.size, longer, sizeof longer);
    assert_ok(verify(more.file, more.size, &error), &error);
}

static void truncation_is_seen(void **state) {
    (void)state;
    sample s;
    make(&s);
    tq_error error;
    for (uint32_t size = 8; size < s.size; size++)
        assert_int_equal(verify(s.file, size, &error), TQ_ERR_CORRUPT);
}

/* Each table refers twice to the next one: 2^32 ways to the last. */
static void no_way_is_walked_exponentially(void **state) {
    (void)state;
    enum { DEPTH = 32 };
    static tqi_field fields[DEPTH][2];
    static tqi_table tables[DEPTH];
    for (uint32_t i = 0; i < DEPTH; i++) {
        const tqi_table *next = &tables[i + 1 < DEPTH ? i + 1 : i];
        tables[i] = (tqi_table){"Twice", fields[i], i + 1 < DEPTH ? 2 : 0};
        fields[i][0] = fields[i][1] = (tqi_field){"next", TQI_FIELD_TABLE, 4, 4, next};
    }
    uint32_t file[2 + 2 + 3 * DEPTH + 3] = {16, 0, 8 << 0 | 12u << 16, 4 | 8u << 16};
    for (uint32_t i = 0; i < DEPTH; i++) {
        uint32_t *table = &file[4 + 3 * i];
        table[0] = (4 + 3 * i) * 4 - 8;
        table[1] = 8;
        table[2] = 4;
    }
    uint32_t *last = &file[4 + 3 * (DEPTH - 1)]; /* no fields: a vtable of its own */
    last[1] = 4 | 4u << 16;
    last[0] = 0u - 4;
    tqi_view view = {(const uint8_t *)file, sizeof file};
    tq_error error = TQ_ERROR_INIT;
    uint32_t end;
    clock_t start = clock();
    assert_failed(TQ_ERR_CORRUPT, verify_view(&view, &tables[0], &end, &error), &error);
    assert_true(clock() - start < CLOCKS_PER_SEC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(what_is_absent_has_its_default),
        cmocka_unit_test(equal_things_are_shared),
        cmocka_unit_test(all_is_aligned),
        cmocka_unit_test(offsets_stay_inside),
        cmocka_unit_test(vtables_stay_inside),
        cmocka_unit_test(strings_and_vectors_end),
        cmocka_unit_test(what_the_schema_lacks_is_refused),
        cmocka_unit_test(truncation_is_seen),
        cmocka_unit_test(no_way_is_walked_exponentially),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
