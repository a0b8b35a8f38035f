/* SPDX-License-Identifier: Apache-2.0 */
/* .litertlm files: what is found in them, what stays when sections are replaced, and what damaged
 * ones get. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "container/litertlm.h"
#include "record_help.h"

enum { PAGE = 16384, START = 32, MOST_SECTIONS = 8 };
enum { GENERIC = 1, MODEL = 3, TOKENIZER = 4, WEIGHTS = 7, UNHEARD_OF = 200 };

/* ---- making files ---- */

enum { STRING_VALUE = 9 };
static const tqi_field text_fields[] = {{"value", TQI_FIELD_STRING, 1, 1, NULL}};
static const tqi_table text_table = {"StringValue", text_fields, 1};
enum { PAIR_KEY, PAIR_TYPE, PAIR_VALUE };
/* a value is always a string here, so the union may pass for a table */
static const tqi_field pair_fields[] = {{"key", TQI_FIELD_STRING, 1, 1, NULL},
                                        {"value_type", TQI_FIELD_SCALAR, 1, 1, NULL},
                                        {"value", TQI_FIELD_TABLE, 4, 4, &text_table}};
static const tqi_table pair_table = {"KeyValuePair", pair_fields, 3};
static const tqi_field system_fields[] = {{"entries", TQI_FIELD_TABLES, 4, 4, &pair_table}};
static const tqi_table system_table = {"SystemMetadata", system_fields, 1};
enum { SECTION_ITEMS, SECTION_BEGIN, SECTION_END, SECTION_TYPE, SECTION_NEW };
static const tqi_field section_fields[] = {{"items", TQI_FIELD_TABLES, 4, 4, &pair_table},
                                           {"begin_offset", TQI_FIELD_SCALAR, 8, 8, NULL},
                                           {"end_offset", TQI_FIELD_SCALAR, 8, 8, NULL},
                                           {"data_type", TQI_FIELD_SCALAR, 1, 1, NULL},
                                           {"new", TQI_FIELD_SCALAR, 4, 4, NULL}};
static const tqi_table section_table = {"SectionObject", section_fields, 5};
static const tqi_field sections_fields[] = {{"objects", TQI_FIELD_TABLES, 4, 4, &section_table}};
static const tqi_table sections_table = {"SectionMetadata", sections_fields, 1};
enum { ROOT_SYSTEM, ROOT_SECTIONS };
static const tqi_field root_fields[] = {
    {"system_metadata", TQI_FIELD_TABLE, 4, 4, &system_table},
    {"section_metadata", TQI_FIELD_TABLE, 4, 4, &sections_table}};
static const tqi_table root_table = {"LiteRTLMMetaData", root_fields, 2};

typedef struct lm_section {
    uint8_t type;
    uint32_t size;
    uint32_t at;      /* 0: on the next page */
    const char *gap;  /* ends right in front */
    bool without;     /* neither begin nor end are there */
    bool from_future; /* a field that the schema does not have */
} lm_section;

typedef struct lm_file {
    bytes all;
    uint32_t n;
    uint32_t header_size;
    uint64_t begin[MOST_SECTIONS], end[MOST_SECTIONS];
    uint32_t begin_field[MOST_SECTIONS], end_field[MOST_SECTIONS];
    uint32_t element; /* the list's first offset, in the file */
} lm_file;

static uint8_t content_byte(uint32_t section, uint64_t i) {
    return (uint8_t)(1 + (31 * section + 7 * i) % 255);
}

static uint32_t emit_pairs(tqi_emitter *out, const char *key, const char *value) {
    uint32_t at, element = tqi_emit_offsets(out, 1, &at);
    tqi_record pair, text;
    tqi_record_begin(&pair, &pair_table, NULL, 0);
    tqi_record_string(&pair, PAIR_KEY, key);
    set_scalar(&pair, PAIR_TYPE, STRING_VALUE);
    tqi_record_later(&pair, PAIR_VALUE);
    tqi_emit_link(out, element, tqi_emit_record(out, &pair));
    tqi_record_begin(&text, &text_table, NULL, 0);
    tqi_record_string(&text, 0, value);
    tqi_emit_link(out, pair.slot[PAIR_VALUE], tqi_emit_record(out, &text));
    return at;
}

static uint32_t emit_section(tqi_emitter *out, lm_file *file, uint32_t i, const lm_section *s) {
    tqi_record record;
    tqi_record_begin(&record, &section_table, NULL, 0);
    tqi_record_later(&record, SECTION_ITEMS);
    if (!s->without) {
        set_scalar(&record, SECTION_BEGIN, 1);
        set_scalar(&record, SECTION_END, 1);
    }
    if (s->from_future)
        set_scalar(&record, SECTION_NEW, 1);
    tqi_record_scalar(&record, SECTION_TYPE, s->type, 0);
    uint32_t at = tqi_emit_record(out, &record);
    tqi_emit_link(out, record.slot[SECTION_ITEMS], emit_pairs(out, "model_type", "tf_lite_aux"));
    file->begin_field[i] = s->without ? 0 : START + record.slot[SECTION_BEGIN];
    file->end_field[i] = s->without ? 0 : START + record.slot[SECTION_END];
    return at;
}

static void emit_header(tqi_emitter *out, lm_file *file, const lm_section *sections) {
    static const uint8_t start[8] = {0};
    tqi_record root, record;
    tqi_emit_bytes(out, start, sizeof start);
    tqi_record_begin(&root, &root_table, NULL, 0);
    tqi_record_later(&root, ROOT_SYSTEM);
    tqi_record_later(&root, ROOT_SECTIONS);
    tqi_emit_link(out, 0, tqi_emit_record(out, &root));
    tqi_record_begin(&record, &system_table, NULL, 0);
    tqi_record_later(&record, 0);
    tqi_emit_link(out, root.slot[ROOT_SYSTEM], tqi_emit_record(out, &record));
    tqi_emit_link(out, record.slot[0], emit_pairs(out, "Authors", "somebody"));
    tqi_record_begin(&record, &sections_table, NULL, 0);
    tqi_record_later(&record, 0);
    tqi_emit_link(out, root.slot[ROOT_SECTIONS], tqi_emit_record(out, &record));
    uint32_t at, element = tqi_emit_offsets(out, file->n, &at);
    tqi_emit_link(out, record.slot[0], at);
    file->element = START + element;
    for (uint32_t i = 0; i < file->n; i++)
        tqi_emit_link(out, element + 4 * i, emit_section(out, file, i, &sections[i]));
    finish(out);
}

static void grow(bytes *all, size_t size) {
    if (size <= all->size)
        return;
    all->data = realloc(all->data, size);
    assert_non_null(all->data);
    memset(all->data + all->size, 0, size - all->size);
    all->size = size;
}

static void put(bytes *all, size_t at, const void *data, size_t size) {
    grow(all, at + size);
    if (size > 0)
        memcpy(all->data + at, data, size);
}

static void put_u64(bytes *all, size_t at, uint64_t value) {
    put(all, at, &value, sizeof value);
}

static void put_sections(lm_file *file, const lm_section *sections) {
    size_t at = file->header_size;
    for (uint32_t i = 0; i < file->n; i++) {
        const lm_section *s = &sections[i];
        if (s->without)
            continue;
        at = s->at ? s->at : (at + PAGE - 1) / PAGE * PAGE;
        if (s->gap)
            put(&file->all, at - strlen(s->gap), s->gap, strlen(s->gap));
        if (s->size > 0)
            grow(&file->all, at + s->size);
        for (uint32_t k = 0; k < s->size; k++)
            file->all.data[at + k] = content_byte(i, k);
        file->begin[i] = at;
        file->end[i] = at + s->size;
        put_u64(&file->all, file->begin_field[i], file->begin[i]);
        put_u64(&file->all, file->end_field[i], file->end[i]);
        at += s->size;
    }
}

static lm_file make(const lm_section *sections, uint32_t n) {
    lm_file file = {.n = n};
    tqi_heap heap;
    tqi_emitter out;
    tq_error error = TQ_ERROR_INIT;
    tqi_heap_init(&heap, NULL, 0);
    tqi_emit_begin(&out, &heap, &error);
    emit_header(&out, &file, sections);
    assert_ok(out.status, &error);
    put(&file.all, 0, "LITERTLM\1\0\0\0\7\0\0\0\0\0\0\0\0\0\0", 24);
    put(&file.all, START, out.out.bytes, out.out.size);
    file.header_size = START + out.out.size;
    put_u64(&file.all, 24, file.header_size);
    tqi_emit_end(&out);
    put_sections(&file, sections);
    return file;
}
#define MAKE(sections) make(sections, COUNT(sections))

/* ---- reading and writing them ---- */

typedef struct opened {
    tqi_heap heap;
    tqi_arena arena;
    tqi_source source;
    tqi_litertlm file;
    tq_error error;
} opened;

static int32_t read_bytes(void *opaque, uint64_t offset, void *data, size_t size) {
    const bytes *b = opaque;
    if (offset > b->size || size > b->size - offset)
        return EFAULT;
    memcpy(data, b->data + offset, size);
    return 0;
}

static tq_status open_file(opened *o, bytes *all, bool callback) {
    o->error = (tq_error)TQ_ERROR_INIT;
    tqi_heap_init(&o->heap, NULL, 0);
    tqi_arena_init(&o->arena, &o->heap);
    if (callback) {
        tq_source user = {sizeof user, 0, all, all->size, read_bytes};
        assert_ok(tqi_source_callback(&o->source, &user, &o->heap, &o->error), &o->error);
    } else {
        tqi_source_memory(&o->source, all->data, all->size);
    }
    return tqi_litertlm_open(&o->file, &o->source, &o->arena, &o->error);
}

static void close_file(opened *o) {
    tqi_source_close(&o->source);
    tqi_arena_free(&o->arena);
    assert_int_equal(atomic_load(&o->heap.used), 0);
}

/* A sink that takes bytes in order only. */
typedef struct gather {
    tqi_sink base;
    bytes all;
    size_t largest;
} gather;

static tq_status gather_write(tqi_sink *base, uint64_t offset, const void *data, size_t size,
                              tq_error *error) {
    gather *g = (gather *)base;
    (void)error;
    assert_int_equal(offset, g->all.size);
    put(&g->all, g->all.size, data, size);
    if (size > g->largest)
        g->largest = size;
    return TQ_OK;
}

static bytes write_in_order(opened *o, const tqi_litertlm_layout *layout, const bytes *contents) {
    gather g = {{true, gather_write}, {NULL, 0}, 0};
    for (uint32_t k = 0; k <= layout->n_payloads; k++) {
        assert_ok(tqi_litertlm_write_part(layout, k, &g.base, &o->heap, &o->error), &o->error);
        if (k == layout->n_payloads)
            break;
        uint32_t section = layout->payloads[k];
        if (contents[section].size > 0)
            assert_int_equal(g.all.size, layout->offsets[section]);
        put(&g.all, g.all.size, contents[section].data, contents[section].size);
    }
    assert_int_equal(g.all.size, layout->size);
    assert_true(g.largest <= 1 << 20);
    return g.all;
}

static bytes write_in_any_order(opened *o, const tqi_litertlm_layout *layout,
                                const bytes *contents) {
    bytes all = {calloc(1, (size_t)layout->size), (size_t)layout->size};
    tqi_memory_sink memory;
    assert_non_null(all.data);
    tqi_sink_memory(&memory, all.data, all.size);
    for (uint32_t k = layout->n_payloads + 1; k-- > 0;) {
        assert_ok(tqi_litertlm_write_part(layout, k, &memory.base, &o->heap, &o->error), &o->error);
        if (k == layout->n_payloads)
            continue;
        uint32_t section = layout->payloads[k];
        if (contents[section].size > 0)
            put(&all, layout->offsets[section], contents[section].data, contents[section].size);
    }
    assert_int_equal(all.size, layout->size);
    return all;
}

static tq_status rewrite(opened *o, const tqi_litertlm_change *changes, const bytes *contents,
                         bytes *result) {
    tqi_litertlm_layout layout;
    tq_status status = tqi_litertlm_layout_make(&layout, &o->file, changes, &o->arena, &o->error);
    if (status != TQ_OK)
        return status;
    *result = write_in_order(o, &layout, contents);
    bytes other = write_in_any_order(o, &layout, contents);
    assert_true(same_bytes(*result, other));
    free_bytes(other);
    return TQ_OK;
}

/* With sections of these sizes, -1: as it is. New content is of byte 0xee. */
static tq_status resized(opened *o, const int64_t *sizes, bytes *result) {
    uint32_t n = o->file.n_sections;
    tqi_litertlm_change *changes = calloc(n + 1, sizeof *changes);
    bytes *contents = calloc(n + 1, sizeof *contents);
    assert_true(changes && contents);
    for (uint32_t i = 0; i < n; i++) {
        if (sizes[i] < 0)
            continue;
        changes[i] = (tqi_litertlm_change){true, (uint64_t)sizes[i]};
        contents[i] = (bytes){malloc((size_t)sizes[i] + 1), (size_t)sizes[i]};
        assert_non_null(contents[i].data);
        memset(contents[i].data, 0xee, contents[i].size);
    }
    tq_status status = rewrite(o, changes, contents, result);
    for (uint32_t i = 0; i < n; i++)
        free_bytes(contents[i]);
    free(changes);
    free(contents);
    return status;
}

static void check_unchanged(opened *o, bytes all) {
    int64_t *same = malloc((o->file.n_sections + 1) * sizeof *same);
    assert_non_null(same);
    memset(same, 0xff, (o->file.n_sections + 1) * sizeof *same);
    bytes result = {NULL, 0};
    assert_ok(resized(o, same, &result), &o->error);
    assert_true(same_bytes(result, all));
    free_bytes(result);
    free(same);
}

/* All of the result but what is new is as it was, and in the same order. */
static void check_resized(opened *was, opened *is, const int64_t *sizes) {
    assert_int_equal(is->file.n_sections, was->file.n_sections);
    assert_int_equal(is->file.header_size, was->file.header_size);
    for (uint32_t i = 0; i < was->file.n_sections; i++) {
        const tqi_litertlm_section *a = &was->file.sections[i], *b = &is->file.sections[i];
        assert_string_equal(a->name, b->name);
        assert_int_equal(b->rank, a->rank);
        assert_int_equal(b->size, sizes[i] < 0 ? a->size : (uint64_t)sizes[i]);
        uint64_t lowest = a->offset & (~a->offset + 1);
        if (a->offset > 0)
            assert_int_equal(b->offset % (lowest < PAGE ? lowest : PAGE), 0);
        for (uint64_t k = 0; k < b->size; k++)
            if (is->source.data[b->offset + k] !=
                (sizes[i] < 0 ? was->source.data[a->offset + k] : 0xee))
                fail_msg("section %u differs at %u", i, (unsigned)k);
    }
}

/* Returns the result. */
static bytes check_rewrite(bytes all, const int64_t *sizes) {
    bytes results[2];
    for (int callback = 0; callback < 2; callback++) {
        opened o;
        assert_ok(open_file(&o, &all, callback), &o.error);
        check_unchanged(&o, all);
        assert_ok(resized(&o, sizes, &results[callback]), &o.error);
        close_file(&o);
    }
    assert_true(same_bytes(results[0], results[1]));
    free_bytes(results[1]);
    opened was, is;
    assert_ok(open_file(&was, &all, false), &was.error);
    assert_ok(open_file(&is, &results[0], false), &is.error);
    check_resized(&was, &is, sizes);
    close_file(&is);
    close_file(&was);
    return results[0];
}

static void refuse(bytes all, tq_status expected, const char *text) {
    opened o;
    for (int callback = 0; callback < 2; callback++) {
        assert_failed(expected, open_file(&o, &all, callback), &o.error);
        if (!strstr(o.error.message, text))
            fail_msg("not in \"%s\": %s", o.error.message, text);
        assert_true(o.error.offset <= all.size);
        close_file(&o);
    }
}

/* ---- sound files ---- */

static const lm_section usual[] = {{MODEL, 20000, 0, NULL, false, false},
                                   {TOKENIZER, PAGE, 0, NULL, false, false},
                                   {MODEL, 1, 0, NULL, false, false},
                                   {UNHEARD_OF, 700, 0, NULL, false, false},
                                   {MODEL, 3, 0, NULL, false, false}};

static void finds_sections(void **state) {
    (void)state;
    static const char *const names[] = {"TFLiteModel", "SP_Tokenizer", "TFLiteModel_2", "Type200",
                                        "TFLiteModel_3"};
    lm_file made = MAKE(usual);
    for (int callback = 0; callback < 2; callback++) {
        opened o;
        assert_ok(open_file(&o, &made.all, callback), &o.error);
        assert_int_equal(o.file.n_sections, COUNT(usual));
        assert_int_equal(o.file.header_size, made.header_size);
        for (uint32_t i = 0; i < o.file.n_sections; i++) {
            const tqi_litertlm_section *s = &o.file.sections[i];
            assert_string_equal(s->name, names[i]);
            assert_int_equal(s->offset, made.begin[i]);
            assert_int_equal(s->size, usual[i].size);
            assert_int_equal(s->begin_field, made.begin_field[i]);
            assert_int_equal(s->end_field, made.end_field[i]);
            assert_int_equal(s->rank, i);
            assert_ptr_equal(o.file.by_position[i], s);
        }
        close_file(&o);
    }
    assert_true(tqi_is_litertlm(made.all.data, 8));
    assert_false(tqi_is_litertlm(made.all.data, 7));
    assert_false(tqi_is_litertlm((const uint8_t *)"LITERTLN", 8));
    free_bytes(made.all);
}

static void replaces(void **state) {
    (void)state;
    static const struct {
        int64_t sizes[COUNT(usual)];
        uint64_t begins[COUNT(usual)]; /* in pages */
        uint64_t size;                 /* of the file */
    } cases[] = {{{19999, -1, -1, -1, -1}, {1, 3, 4, 5, 6}, 6 * PAGE + 3},
                 {{100, -1, -1, -1, -1}, {1, 2, 3, 4, 5}, 5 * PAGE + 3},
                 {{2 * PAGE, -1, -1, -1, -1}, {1, 3, 4, 5, 6}, 6 * PAGE + 3},
                 {{2 * PAGE + 1, -1, -1, -1, -1}, {1, 4, 5, 6, 7}, 7 * PAGE + 3},
                 {{0, -1, 0, -1, 0}, {1, 1, 2, 2, 3}, 2 * PAGE + 700},
                 {{-1, PAGE + 1, -1, -1, 50000}, {1, 3, 5, 6, 7}, 7 * PAGE + 50000},
                 {{5, 5, 5, 5, 5}, {1, 2, 3, 4, 5}, 5 * PAGE + 5}};
    lm_file made = MAKE(usual);
    for (size_t c = 0; c < COUNT(cases); c++) {
        bytes result = check_rewrite(made.all, cases[c].sizes);
        opened o;
        assert_int_equal(result.size, cases[c].size);
        assert_ok(open_file(&o, &result, false), &o.error);
        for (uint32_t i = 0; i < COUNT(usual); i++)
            assert_int_equal(o.file.sections[i].offset, cases[c].begins[i] * PAGE);
        close_file(&o);
        free_bytes(result);
    }
    free_bytes(made.all);
}

static void copies_large_sections(void **state) {
    (void)state;
    static const lm_section large[] = {{MODEL, 10, 0, NULL, false, false},
                                       {WEIGHTS, 3000001, 0, NULL, false, false}};
    lm_file made = MAKE(large);
    static const int64_t sizes[] = {PAGE + 10, -1};
    free_bytes(check_rewrite(made.all, sizes));
    free_bytes(made.all);
}

/* Sections anywhere, in another order than the header's. */
static void keeps_alignment(void **state) {
    (void)state;
    static const lm_section packed[] = {{MODEL, 100, 20480, NULL, false, false},
                                        {GENERIC, 30, 1600, NULL, false, false},
                                        {MODEL, 37, 1024, NULL, false, false},
                                        {GENERIC, 30, 1061, NULL, false, false}};
    lm_file made = MAKE(packed);
    static const int64_t sizes[] = {-1, -1, 600, -1};
    bytes result = check_rewrite(made.all, sizes);
    opened o;
    assert_ok(open_file(&o, &result, false), &o.error);
    assert_int_equal(o.file.sections[2].offset, 1024);
    assert_int_equal(o.file.sections[3].offset, 1624);
    assert_int_equal(o.file.sections[1].offset, 1664);
    assert_int_equal(o.file.sections[0].offset, 4096);
    assert_int_equal(result.size, 4196);
    close_file(&o);
    free_bytes(result);
    free_bytes(made.all);
}

static void keeps_gaps(void **state) {
    (void)state;
    static const lm_section gaps[] = {{MODEL, 20000, 0, "after the header", false, false},
                                      {TOKENIZER, 5, 0, "between", false, false},
                                      {GENERIC, 9, 0, NULL, false, false}};
    static const int64_t sizes[][3] = {{20001, -1, -1}, {19999, -1, -1}, {PAGE, 7, -1}};
    lm_file made = MAKE(gaps);
    grow(&made.all, made.all.size + 1);
    put(&made.all, made.all.size, "the tail", 8);
    for (size_t c = 0; c < COUNT(sizes); c++) {
        bytes result = check_rewrite(made.all, sizes[c]);
        opened o;
        assert_ok(open_file(&o, &result, false), &o.error);
        assert_memory_equal(result.data + PAGE - 16, "after the header", 16);
        assert_memory_equal(result.data + o.file.sections[1].offset - 7, "between", 7);
        uint64_t end = o.file.sections[2].offset + 9;
        assert_int_equal(result.size, end + 9);
        assert_memory_equal(result.data + end, "\0the tail", 9);
        close_file(&o);
        free_bytes(result);
    }
    /* a tail that can't stay just where it was keeps its place within the page */
    static const int64_t longer[] = {-1, -1, 12};
    bytes result = check_rewrite(made.all, longer);
    assert_int_equal(result.size % PAGE, made.all.size % PAGE);
    assert_memory_equal(result.data + result.size - 9, "\0the tail", 9);
    free_bytes(result);
    free_bytes(made.all);
}

static void fills_the_last_page(void **state) {
    (void)state;
    lm_file made = MAKE(usual);
    grow(&made.all, 7 * PAGE);
    static const int64_t sizes[] = {-1, -1, -1, -1, PAGE + 1}, fewer[] = {9, -1, -1, -1, -1};
    bytes result = check_rewrite(made.all, sizes);
    assert_int_equal(result.size, 8 * PAGE);
    free_bytes(result);
    result = check_rewrite(made.all, fewer);
    assert_int_equal(result.size, 6 * PAGE);
    free_bytes(result);
    free_bytes(made.all);
}

static void empty_sections(void **state) {
    (void)state;
    /* the last one is where the file would go on, had it a byte */
    static const lm_section empty[] = {{GENERIC, 0, 0, NULL, true, false},
                                       {GENERIC, 0, 0, NULL, false, false},
                                       {MODEL, 100, 0, NULL, false, false},
                                       {GENERIC, 0, 0, NULL, false, false}};
    lm_file made = MAKE(empty);
    assert_int_equal(made.all.size, PAGE + 100);
    static const int64_t sizes[][4] = {{-1, -1, 101, -1}, {-1, -1, 3 * PAGE, -1},  {-1, 5, -1, -1},
                                       {-1, -1, -1, 5},   {-1, PAGE, 0, PAGE + 1}, {-1, 0, 0, 0}};
    static const uint64_t expected[] = {PAGE + 101,   4 * PAGE,     2 * PAGE + 100,
                                        2 * PAGE + 5, 3 * PAGE + 1, 0};
    for (size_t c = 0; c < COUNT(sizes); c++) {
        bytes result = check_rewrite(made.all, sizes[c]);
        assert_int_equal(result.size, expected[c] ? expected[c] : PAGE);
        free_bytes(result);
    }
    opened o;
    bytes none;
    static const int64_t nowhere[] = {5, -1, -1, -1};
    assert_ok(open_file(&o, &made.all, false), &o.error);
    assert_failed(TQ_ERR_UNSUPPORTED, resized(&o, nowhere, &none), &o.error);
    assert_non_null(strstr(o.error.message, "GenericBinaryData"));
    close_file(&o);
    free_bytes(made.all);
}

/* The empty one is the second in the header, and the first in the file. */
static void empty_section_shares_a_place(void **state) {
    (void)state;
    static const lm_section both[] = {{MODEL, 100, 2048, NULL, false, false},
                                      {GENERIC, 0, 2048, NULL, false, false}};
    lm_file made = MAKE(both);
    opened o;
    bytes result = {NULL, 0};
    static const int64_t sizes[] = {-1, 5};
    assert_ok(open_file(&o, &made.all, false), &o.error);
    assert_int_equal(o.file.sections[1].rank, 0);
    check_unchanged(&o, made.all);
    assert_ok(resized(&o, sizes, &result), &o.error);
    assert_int_equal(result.size, 4096 + 100);
    assert_memory_equal(result.data + 4096, made.all.data + 2048, 100);
    close_file(&o);
    free_bytes(result);
    free_bytes(made.all);
}

static void no_sections(void **state) {
    (void)state;
    lm_file made = make(NULL, 0);
    static const int64_t sizes[] = {0};
    bytes result = check_rewrite(made.all, sizes);
    assert_true(same_bytes(result, made.all));
    free_bytes(result);
    put(&made.all, made.all.size, "tail", 4);
    result = check_rewrite(made.all, sizes);
    assert_true(same_bytes(result, made.all));
    free_bytes(result);
    free_bytes(made.all);
}

static void huge_sizes(void **state) {
    (void)state;
    lm_file made = MAKE(usual);
    static const struct {
        uint64_t size;
        tq_status status;
    } cases[] = {{UINT64_C(1) << 40, TQ_OK},
                 {INT64_MAX - 8 * PAGE, TQ_OK},
                 {INT64_MAX - 3 * PAGE, TQ_ERR_TOO_LARGE},
                 {UINT64_MAX, TQ_ERR_TOO_LARGE},
                 {UINT64_MAX - 20000, TQ_ERR_TOO_LARGE}};
    for (size_t c = 0; c < COUNT(cases); c++) {
        opened o;
        tqi_litertlm_layout layout;
        tqi_litertlm_change changes[COUNT(usual)] = {{true, cases[c].size}};
        assert_ok(open_file(&o, &made.all, false), &o.error);
        tq_status status = tqi_litertlm_layout_make(&layout, &o.file, changes, &o.arena, &o.error);
        if (cases[c].status != TQ_OK) {
            assert_failed(cases[c].status, status, &o.error);
        } else {
            assert_ok(status, &o.error);
            uint64_t next = (PAGE + cases[c].size + PAGE - 1) / PAGE * PAGE;
            assert_true(layout.offsets[1] == next);
            assert_true(layout.size == next + 3 * PAGE + 3);
        }
        close_file(&o);
    }
    free_bytes(made.all);
}

/* ---- others ---- */

static void refuses(void **state) {
    (void)state;
    lm_file made = MAKE(usual);
    bytes all = made.all;
    static const struct {
        int where; /* of begin of section 1, its end, or another place */
        uint64_t value;
        tq_status status;
        const char *text;
    } cases[] = {
        {8, 2, TQ_ERR_UNSUPPORTED, "version 2"},
        {8, 0, TQ_ERR_UNSUPPORTED, "version 0"},
        {24, 0, TQ_ERR_CORRUPT, "header"},
        {24, 39, TQ_ERR_CORRUPT, "header"},
        {24, 40, TQ_ERR_CORRUPT, ""},
        {24, UINT64_MAX, TQ_ERR_CORRUPT, "ends within its header"},
        {-1, 40, TQ_ERR_CORRUPT, "SP_Tokenizer"},
        {-1, 0, TQ_ERR_CORRUPT, "within the header"},
        {-1, 16385, TQ_ERR_CORRUPT, "TFLiteModel and SP_Tokenizer overlap"},
        {-1, 16384, TQ_ERR_CORRUPT, "overlap"},
        {-1, 4 * PAGE + 1, TQ_ERR_CORRUPT, "SP_Tokenizer begins"},
        {-1, UINT64_MAX, TQ_ERR_CORRUPT, "SP_Tokenizer begins"},
        {-2, 0, TQ_ERR_CORRUPT, "SP_Tokenizer begins"},
        {-2, 4 * PAGE + 1, TQ_ERR_CORRUPT, "SP_Tokenizer and TFLiteModel_2 overlap"},
        {-2, UINT64_C(1) << 50, TQ_ERR_CORRUPT, "SP_Tokenizer takes the bytes"},
        {-2, UINT64_MAX, TQ_ERR_CORRUPT, "SP_Tokenizer takes the bytes"},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        size_t at = cases[c].where == -1   ? made.begin_field[1]
                    : cases[c].where == -2 ? made.end_field[1]
                                           : (size_t)cases[c].where;
        uint8_t was[8];
        memcpy(was, all.data + at, 8);
        memcpy(all.data + at, &cases[c].value, cases[c].where == 8 ? 4 : 8);
        refuse(all, cases[c].status, cases[c].text);
        memcpy(all.data + at, was, 8);
    }
    refuse((bytes){(uint8_t *)(uintptr_t) "LITERTLX                                ", 40},
           TQ_ERR_NOT_A_MODEL, "litertlm");
    all.data[12] = 99; /* a minor version */
    opened o;
    assert_ok(open_file(&o, &all, false), &o.error);
    close_file(&o);
    free_bytes(all);
}

static void fields_from_the_future(void **state) {
    (void)state;
    static const lm_section newer[] = {{MODEL, 100, 0, NULL, false, true}};
    lm_file made = MAKE(newer);
    refuse(made.all, TQ_ERR_UNSUPPORTED, "SectionObject");
    free_bytes(made.all);
}

static void huge_counts(void **state) {
    (void)state;
    static const uint32_t counts[] = {6, 1000, 0x10000000, 0x40000000, 0x7fffffff, UINT32_MAX};
    lm_file made = MAKE(usual);
    for (size_t c = 0; c < COUNT(counts); c++) {
        tqi_store_u32(made.all.data + made.element - 4, counts[c]);
        refuse(made.all, TQ_ERR_CORRUPT, "");
    }
    free_bytes(made.all);
}

static void says_where(void **state) {
    (void)state;
    lm_file made = MAKE(usual);
    opened o;
    tqi_store_u32(made.all.data + made.element + 4, 0);
    assert_failed(TQ_ERR_CORRUPT, open_file(&o, &made.all, false), &o.error);
    assert_int_equal(o.error.offset, made.element + 4);
    close_file(&o);
    free_bytes(made.all);
}

static void point_to(bytes all, uint32_t slot, uint32_t target) {
    tqi_store_u32(all.data + slot, target - slot);
}

static void shared_fields(void **state) {
    (void)state;
    static const lm_section twice[] = {{GENERIC, 0, 0, NULL, false, false},
                                       {MODEL, 100, 0, NULL, false, false},
                                       {MODEL, 50, 0, NULL, false, false}};
    static const int64_t unmoved[] = {-1, -1, -1}, moved[] = {-1, 20000, -1},
                         filled[] = {7, -1, -1};
    lm_file made = MAKE(twice);
    uint32_t first = tqi_load_u32(made.all.data + made.element) + made.element;
    uint32_t second = tqi_load_u32(made.all.data + made.element + 4) + made.element + 4;

    /* two sections are one: they overlap unless they are empty */
    point_to(made.all, made.element + 8, second);
    refuse(made.all, TQ_ERR_CORRUPT, "TFLiteModel and TFLiteModel_2 overlap");
    point_to(made.all, made.element + 4, first);
    point_to(made.all, made.element + 8, first);
    opened o;
    bytes result = {NULL, 0};
    assert_ok(open_file(&o, &made.all, false), &o.error);
    assert_ok(resized(&o, unmoved, &result), &o.error);
    assert_true(same_bytes(result, made.all));
    free_bytes(result);
    assert_failed(TQ_ERR_UNSUPPORTED, resized(&o, moved, &result), &o.error);
    assert_failed(TQ_ERR_UNSUPPORTED, resized(&o, filled, &result), &o.error);
    close_file(&o);
    free_bytes(made.all);

    /* an empty section whose begin is its end */
    made = MAKE(twice);
    uint32_t vtable = first - tqi_load_u32(made.all.data + first);
    uint16_t begin = tqi_load_u16(made.all.data + vtable + 4 + 2 * SECTION_BEGIN);
    uint8_t own[64];
    uint16_t size = tqi_load_u16(made.all.data + vtable);
    assert_true(size <= sizeof own);
    memcpy(own, made.all.data + vtable, size);
    memcpy(own + 4 + 2 * SECTION_END, &begin, 2);
    /* it gets a vtable of its own, behind the header */
    put(&made.all, made.header_size + 6, own, size);
    put_u64(&made.all, 24, made.header_size + 6 + size);
    tqi_store_u32(made.all.data + first, first - (made.header_size + 6));
    assert_ok(open_file(&o, &made.all, false), &o.error);
    assert_failed(TQ_ERR_UNSUPPORTED, resized(&o, filled, &result), &o.error);
    close_file(&o);
    free_bytes(made.all);
}

/* ---- damage ---- */

/* All that can be done with it; whatever succeeds gives a file that can be read. `all` is an exact
 * block, so that a sanitizer sees a read beyond it. */
static bool use(bytes all, bool callback) {
    opened o;
    tq_status status = open_file(&o, &all, callback);
    if (status != TQ_OK) {
        assert_true(status == TQ_ERR_CORRUPT || status == TQ_ERR_UNSUPPORTED ||
                    status == TQ_ERR_NOT_A_MODEL);
        assert_failed(status, status, &o.error);
        assert_true(o.error.offset <= all.size);
        close_file(&o);
        return false;
    }
    check_unchanged(&o, all);
    int64_t *sizes = calloc(o.file.n_sections + 1, sizeof *sizes);
    assert_non_null(sizes);
    for (uint32_t i = 0; i < o.file.n_sections; i++)
        sizes[i] = i % 2 ? -1 : (int64_t)o.file.sections[i].size + 5;
    bytes result = {NULL, 0};
    status = resized(&o, sizes, &result);
    if (status == TQ_OK) {
        opened again;
        assert_ok(open_file(&again, &result, false), &again.error);
        if (!callback)
            check_resized(&o, &again, sizes);
        close_file(&again);
        free_bytes(result);
    } else {
        assert_failed(TQ_ERR_UNSUPPORTED, status, &o.error);
    }
    free(sizes);
    close_file(&o);
    return true;
}

/* In few bytes, so that each can be tried. */
static const lm_section small[] = {{MODEL, 10, 704, "gap", false, false},
                                   {GENERIC, 0, 768, NULL, false, false},
                                   {TOKENIZER, 7, 768, NULL, false, false},
                                   {MODEL, 9, 776, NULL, false, false},
                                   {GENERIC, 0, 0, NULL, true, false}};

static void truncated(void **state) {
    (void)state;
    lm_file files[] = {MAKE(small), MAKE(usual)};
    static const size_t steps[] = {1, 89};
    for (size_t f = 0; f < COUNT(files); f++) {
        bytes all = files[f].all;
        for (size_t size = 0; size < all.size; size += steps[f]) {
            bytes cut = {malloc(size ? size : 1), size};
            memcpy(cut.data, all.data, size);
            assert_false(use(cut, false));
            opened o;
            (void)open_file(&o, &cut, false);
            bool has_header = size >= files[f].header_size;
            if (has_header) {
                assert_int_equal(o.error.status, TQ_ERR_CORRUPT);
                assert_non_null(strstr(o.error.message, "section "));
                assert_int_equal(o.error.offset, size);
            }
            close_file(&o);
            free_bytes(cut);
        }
        free_bytes(all);
    }
}

static void changed(void **state) {
    (void)state;
    lm_file files[] = {MAKE(small), MAKE(usual)};
    for (size_t f = 0; f < COUNT(files); f++) {
        bytes all = files[f].all;
        size_t end = f == 0 ? all.size : files[f].header_size;
        for (size_t i = 0; i < end; i += f == 0 ? 1 : 3) {
            uint8_t was = all.data[i];
            const uint8_t values[] = {was ^ 1, was ^ 0x80,         (uint8_t)~was,
                                      0,       (uint8_t)(was + 4), (uint8_t)(was - 8)};
            for (size_t k = 0; k < COUNT(values); k++) {
                all.data[i] = values[k];
                use(all, k % 2 && f == 0);
            }
            all.data[i] = was;
        }
        assert_true(use(all, false));
        free_bytes(all);
    }
}

static void changed_words(void **state) {
    (void)state;
    static const uint32_t values[] = {1,          UINT32_MAX, 0x7fffffff, 0x80000000,
                                      0xfffffff0, 100,        65536,      768};
    lm_file made = MAKE(small);
    bytes all = made.all;
    for (size_t i = 0; i + 4 <= made.header_size; i += 2) {
        uint32_t was = tqi_load_u32(all.data + i);
        for (size_t k = 0; k < COUNT(values); k++) {
            tqi_store_u32(all.data + i, values[k]);
            use(all, false);
        }
        tqi_store_u32(all.data + i, was);
    }
    free_bytes(all);
}

/* ---- failures elsewhere ---- */

static tq_status everything(const bytes *all, tqi_heap *heap, tqi_sink *sink, tq_error *error) {
    static const tqi_litertlm_change changes[COUNT(usual)] = {{true, 5}};
    tqi_arena arena;
    tqi_source source;
    tqi_litertlm file;
    tqi_litertlm_layout layout;
    tqi_arena_init(&arena, heap);
    tqi_source_memory(&source, all->data, all->size);
    tq_status status = tqi_litertlm_open(&file, &source, &arena, error);
    if (status == TQ_OK)
        status = tqi_litertlm_layout_make(&layout, &file, changes, &arena, error);
    for (uint32_t k = 0; k < 2 && status == TQ_OK; k++)
        status = tqi_litertlm_write_part(&layout, k, sink, heap, error);
    tqi_arena_free(&arena);
    return status;
}

static void no_memory(void **state) {
    (void)state;
    lm_file made = MAKE(usual);
    tq_status status = TQ_ERR_OUT_OF_MEMORY;
    for (uint64_t call = 1; status != TQ_OK; call++) {
        watch memory = {.fail_at = call};
        tq_allocator allocator = watched(&memory);
        tqi_heap heap;
        tqi_sink sink;
        tq_error error = TQ_ERROR_INIT;
        tqi_heap_init(&heap, &allocator, 0);
        tqi_sink_null(&sink);
        status = everything(&made.all, &heap, &sink, &error);
        if (status != TQ_OK)
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
        assert_true(memory.held == 0 && memory.wrong == 0);
        assert_true(call < 100);
    }
    free_bytes(made.all);
}

static uint32_t writes_left;
static tq_status stubborn(tqi_sink *sink, uint64_t offset, const void *data, size_t size,
                          tq_error *error) {
    (void)sink;
    (void)offset;
    (void)data;
    (void)size;
    if (writes_left-- > 0)
        return TQ_OK;
    *error = (tq_error)TQ_ERROR_INIT;
    return error->status = TQ_ERR_WRITE;
}

static void sink_refuses(void **state) {
    (void)state;
    lm_file made = MAKE(usual);
    tqi_heap heap;
    tqi_sink sink = {true, stubborn};
    tqi_heap_init(&heap, NULL, 0);
    tq_status status = TQ_ERR_WRITE;
    for (uint32_t n = 0; status != TQ_OK; n++) {
        tq_error error = TQ_ERROR_INIT;
        writes_left = n;
        status = everything(&made.all, &heap, &sink, &error);
        assert_true(status == TQ_OK || status == TQ_ERR_WRITE);
        assert_int_equal(atomic_load(&heap.used), 0);
        assert_true(n < 1000);
    }
    free_bytes(made.all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_sections),
        cmocka_unit_test(replaces),
        cmocka_unit_test(copies_large_sections),
        cmocka_unit_test(keeps_alignment),
        cmocka_unit_test(keeps_gaps),
        cmocka_unit_test(fills_the_last_page),
        cmocka_unit_test(empty_sections),
        cmocka_unit_test(empty_section_shares_a_place),
        cmocka_unit_test(no_sections),
        cmocka_unit_test(huge_sizes),
        cmocka_unit_test(refuses),
        cmocka_unit_test(fields_from_the_future),
        cmocka_unit_test(huge_counts),
        cmocka_unit_test(says_where),
        cmocka_unit_test(shared_fields),
        cmocka_unit_test(truncated),
        cmocka_unit_test(changed),
        cmocka_unit_test(changed_words),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(sink_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
