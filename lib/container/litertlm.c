/* SPDX-License-Identifier: Apache-2.0 */
#include "container/litertlm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "flatbuffer/verify.h"

enum {
    MAJOR_AT = 8,
    HEADER_END_AT = 24,
    HEADER_AT = 32,      /* of the flatbuffer that all else is in */
    KNOWN_MAJOR = 1,     /* minor ones only add types of sections */
    PAGE = 16 * 1024,    /* sections are mapped: it is the largest page of the usual systems */
    SHORTEST_HEADER = 8, /* what the verifier takes for granted */
    MOST_HEADER = 64 * 1024 * 1024,
    COPY_STEP = 1024 * 1024,
};
#define MOST_FILE ((uint64_t)INT64_MAX - PAGE) /* so that aligning does not overflow */

/* ---- the header's schema ---- */

/* Items are not looked at, so their vectors pass for numbers: their values have been structs in
 * the first files and are tables now, and the type does not tell. */
static const tqi_field system_fields[] = {{"entries", TQI_FIELD_VECTOR, 4, 4, NULL}};
static const tqi_table system_table = {"SystemMetadata", system_fields, 1};

enum { SECTION_BEGIN = 1, SECTION_END, SECTION_TYPE };
static const tqi_field section_fields[] = {{"items", TQI_FIELD_VECTOR, 4, 4, NULL},
                                           {"begin_offset", TQI_FIELD_SCALAR, 8, 8, NULL},
                                           {"end_offset", TQI_FIELD_SCALAR, 8, 8, NULL},
                                           {"data_type", TQI_FIELD_SCALAR, 1, 1, NULL}};
static const tqi_table section_table = {"SectionObject", section_fields, 4};

enum { SECTIONS_OBJECTS };
static const tqi_field sections_fields[] = {{"objects", TQI_FIELD_TABLES, 4, 4, &section_table}};
static const tqi_table sections_table = {"SectionMetadata", sections_fields, 1};

enum { ROOT_SECTIONS = 1 };
static const tqi_field root_fields[] = {
    {"system_metadata", TQI_FIELD_TABLE, 4, 4, &system_table},
    {"section_metadata", TQI_FIELD_TABLE, 4, 4, &sections_table}};
static const tqi_table root_table = {"LiteRTLMMetaData", root_fields, 2};

/* AnySectionDataType, as of version 1.7 of the format. */
static const char *const type_names[] = {
    "NONE",
    "GenericBinaryData",
    "Deprecated",
    "TFLiteModel",
    "SP_Tokenizer",
    "LlmMetadataProto",
    "HF_Tokenizer_Zlib",
    "TFLiteWeights",
    "EmbeddingMetadataProto",
    "ExecutorMetadataProto",
    "TtsMetadataProto",
    "AsrMetadataProto",
};
enum { TYPES = sizeof type_names / sizeof *type_names, TYPE_VALUES = 256 };

/* ---- reading the header ---- */

bool tqi_is_litertlm(const uint8_t *start, uint64_t size) {
    return size >= MAJOR_AT && memcmp(start, "LITERTLM", MAJOR_AT) == 0;
}

static tq_status make_name(const char **name, uint8_t type, uint32_t number, tqi_arena *arena,
                           tq_error *error) {
    char text[48], unknown[16], suffix[16] = "";
    snprintf(unknown, sizeof unknown, "Type%u", type);
    if (number > 1)
        snprintf(suffix, sizeof suffix, "_%" PRIu32, number);
    snprintf(text, sizeof text, "%s%s", type < TYPES ? type_names[type] : unknown, suffix);
    char *copy = NULL;
    TQI_NEW(arena, &copy, strlen(text) + 1, error);
    memcpy(copy, text, strlen(text) + 1);
    *name = copy;
    return TQ_OK;
}

static tq_status read_start(tqi_litertlm *file, tqi_source *source, tq_error *error) {
    if (source->size < HEADER_AT)
        return tqi_fail_at(error, TQ_ERR_CORRUPT, source->size,
                           "the file ends within the first %d bytes of a .litertlm", HEADER_AT);
    TQI_TRY(tqi_source_load(source, 0, HEADER_AT, error));
    if (!tqi_is_litertlm(source->data, source->size))
        return tqi_fail_at(error, TQ_ERR_NOT_A_MODEL, 0, "this is no .litertlm");
    uint32_t major = tqi_load_u32(source->data + MAJOR_AT);
    if (major != KNOWN_MAJOR)
        return tqi_fail_at(error, TQ_ERR_UNSUPPORTED, MAJOR_AT,
                           "version %" PRIu32 " of the .litertlm format is not known", major);
    uint64_t end = tqi_load_u64(source->data + HEADER_END_AT);
    if (end < HEADER_AT + SHORTEST_HEADER)
        return tqi_fail_at(error, TQ_ERR_CORRUPT, HEADER_END_AT,
                           "the header can't end at byte %" PRIu64, end);
    if (end > source->size)
        return tqi_fail_at(error, TQ_ERR_CORRUPT, source->size,
                           "the file ends within its header, which takes %" PRIu64 " bytes", end);
    if (end > MOST_HEADER)
        return tqi_fail_at(error, TQ_ERR_UNSUPPORTED, HEADER_END_AT,
                           "a header of %" PRIu64 " bytes is too large", end);
    file->source = source;
    file->header_size = end;
    return TQ_OK;
}

static uint64_t field_at(const tqi_view *view, uint32_t table, uint32_t field) {
    uint32_t slot = tqi_slot(view, table, field);
    return slot ? HEADER_AT + (uint64_t)slot : 0;
}

static tq_status read_header(tqi_litertlm *file, tqi_source *source, tqi_arena *arena,
                             tq_error *error) {
    *file = (tqi_litertlm){0};
    TQI_TRY(read_start(file, source, error));
    tqi_source part;
    tqi_source_part(&part, source, HEADER_AT, file->header_size - HEADER_AT);
    TQI_TRY(tqi_source_load(&part, 0, SHORTEST_HEADER, error));
    tqi_view view = {part.data, (uint32_t)part.size};
    uint32_t end;
    tq_status status = tqi_verify(&view, &part, &root_table, &end, error);
    if (status != TQ_OK && error->offset != TQ_NO_OFFSET)
        error->offset += HEADER_AT;
    TQI_TRY(status);

    uint32_t sections = tqi_get_table(&view, tqi_load_u32(view.data), ROOT_SECTIONS);
    tqi_vector objects = {0, 0};
    if (sections)
        objects = tqi_get_vector(&view, sections, SECTIONS_OBJECTS);
    file->n_sections = objects.count;
    TQI_NEW(arena, &file->sections, objects.count, error);
    uint32_t seen[TYPE_VALUES] = {0};
    for (uint32_t i = 0; i < objects.count; i++) {
        tqi_litertlm_section *s = &file->sections[i];
        uint32_t table = tqi_element(&view, objects, i);
        uint8_t type = (uint8_t)tqi_get_i8(&view, table, SECTION_TYPE, 0);
        s->offset = tqi_get_u64(&view, table, SECTION_BEGIN, 0);
        s->size = tqi_get_u64(&view, table, SECTION_END, 0) - s->offset;
        s->begin_field = field_at(&view, table, SECTION_BEGIN);
        s->end_field = field_at(&view, table, SECTION_END);
        TQI_TRY(make_name(&s->name, type, ++seen[type], arena, error));
    }
    return TQ_OK;
}

/* ---- where sections are ---- */

/* No bytes anywhere, as a section has it whose fields are left out. */
static bool is_nowhere(const tqi_litertlm_section *s) {
    return s->offset == 0 && s->size == 0;
}

static tq_status check_section(const tqi_litertlm *file, const tqi_litertlm_section *s,
                               tq_error *error) {
    uint64_t size = file->source->size, end = s->offset + s->size;
    if (is_nowhere(s))
        return TQ_OK;
    if (end < s->offset)
        return tqi_fail_at(error, TQ_ERR_CORRUPT, s->begin_field,
                           "section %s begins at byte %" PRIu64 " and ends at byte %" PRIu64,
                           s->name, s->offset, end);
    if (s->offset < file->header_size)
        return tqi_fail_at(error, TQ_ERR_CORRUPT, s->begin_field ? s->begin_field : s->end_field,
                           "section %s begins at byte %" PRIu64 ", within the header", s->name,
                           s->offset);
    /* a file does not reach an empty section at its end: that gets a page, but nothing is written
     * there */
    if (end > size && (s->size > 0 || end - size >= PAGE))
        return tqi_fail_at(error, TQ_ERR_CORRUPT, size,
                           "section %s takes the bytes from %" PRIu64 " to %" PRIu64
                           ", but the file ends at byte %" PRIu64,
                           s->name, s->offset, end, size);
    return TQ_OK;
}

static int by_place(const void *left, const void *right) {
    const tqi_litertlm_section *a = *(const tqi_litertlm_section *const *)left;
    const tqi_litertlm_section *b = *(const tqi_litertlm_section *const *)right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->size != b->size) /* an empty one shares its place with the next */
        return a->size < b->size ? -1 : 1;
    return a < b ? -1 : a > b;
}

tq_status tqi_litertlm_open(tqi_litertlm *file, tqi_source *source, tqi_arena *arena,
                            tq_error *error) {
    TQI_TRY(read_header(file, source, arena, error));
    TQI_NEW(arena, &file->by_position, file->n_sections, error);
    for (uint32_t i = 0; i < file->n_sections; i++) {
        TQI_TRY(check_section(file, &file->sections[i], error));
        file->by_position[i] = &file->sections[i];
    }
    if (file->n_sections > 0)
        qsort(file->by_position, file->n_sections, sizeof *file->by_position, by_place);
    for (uint32_t i = 0; i < file->n_sections; i++) {
        tqi_litertlm_section *s = file->by_position[i];
        s->rank = i;
        if (i == 0)
            continue;
        const tqi_litertlm_section *before = file->by_position[i - 1];
        if (s->offset < before->offset + before->size)
            return tqi_fail_at(error, TQ_ERR_CORRUPT, s->offset,
                               "the sections %s and %s overlap at byte %" PRIu64, before->name,
                               s->name, s->offset);
    }
    return TQ_OK;
}

/* ---- the new places ---- */

/* While going over the sections by position: the same point in the old file and in the new. */
typedef struct place {
    uint64_t was, is;
    uint64_t written; /* the new file reaches here; less than `is` behind an empty section */
} place;

static bool advance(uint64_t *at, uint64_t by) {
    if (!tqi_in_range(*at, by, MOST_FILE))
        return false;
    *at += by;
    return true;
}

static tq_status too_large(tq_error *error) {
    return tqi_fail(error, TQ_ERR_TOO_LARGE, "the new file would be larger than %" PRIu64 " bytes",
                    MOST_FILE);
}

static tq_status all_zero(const tqi_source *source, uint64_t at, uint64_t size, tqi_heap *heap,
                          bool *zero, tq_error *error) {
    enum { STEP = 16 * 1024 };
    *zero = true;
    if (size == 0)
        return TQ_OK;
    uint8_t *scratch = tqi_alloc(heap, STEP);
    if (!scratch)
        return tqi_no_memory(heap, STEP, error);
    tq_status status = TQ_OK;
    for (uint64_t done = 0; done < size && *zero && status == TQ_OK;) {
        const uint8_t *bytes;
        size_t n = (size_t)tqi_min_u64(size - done, STEP);
        status = tqi_source_fetch(source, at + done, n, scratch, &bytes, error);
        if (status == TQ_OK) {
            for (size_t i = 0; i < n && *zero; i++)
                *zero = bytes[i] == 0;
            tqi_source_done(source, at + done, n);
        }
        done += n;
    }
    tqi_free(heap, scratch, STEP);
    return status;
}

/* As good as it is, but a page is all that is meant. */
static uint64_t alignment_of(uint64_t offset) {
    uint64_t lowest = offset & (~offset + 1);
    return tqi_min_u64(lowest, PAGE);
}

/* What lies in front of the section stays there unless it is zeros and something has moved. */
static tq_status place_section(tqi_litertlm_layout *layout, const tqi_litertlm_section *s,
                               place *now, tqi_arena *arena, tq_error *error) {
    const tqi_litertlm *file = layout->file;
    const tqi_litertlm_change *change = &layout->changes[s - file->sections];
    uint64_t *offset = &layout->offsets[s - file->sections];
    tqi_litertlm_gap *gap = &layout->gaps[s->rank];
    if (is_nowhere(s)) {
        if (change->replaced)
            return tqi_fail(error, TQ_ERR_UNSUPPORTED,
                            "section %s has no place in the file, so it can't get content",
                            s->name);
        return TQ_OK;
    }
    uint64_t between = s->offset - now->was, size = change->replaced ? change->size : s->size;
    gap->from = now->was;
    if (now->was < file->source->size)
        gap->size = tqi_min_u64(between, file->source->size - now->was);
    *offset = s->offset;
    if (now->is != now->was) {
        bool zero;
        TQI_TRY(all_zero(file->source, gap->from, gap->size, arena->heap, &zero, error));
        if (zero)
            gap->size = between = 0;
        *offset = now->is;
        if (!advance(offset, between))
            return too_large(error);
        *offset = tqi_align_up(*offset, alignment_of(s->offset));
    }
    gap->to = *offset - between;
    if (gap->size > 0)
        now->written = gap->to + gap->size;
    now->was = s->offset + s->size;
    now->is = *offset;
    if (!advance(&now->is, size))
        return too_large(error);
    if (size > 0)
        now->written = now->is;
    return TQ_OK;
}

/* What is behind the last section. */
static tq_status place_tail(tqi_litertlm_layout *layout, const place *now, tqi_arena *arena,
                            tq_error *error) {
    const tqi_source *source = layout->file->source;
    tqi_litertlm_gap *tail = &layout->gaps[layout->file->n_sections];
    layout->size = now->written;
    if (source->size <= now->was)
        return TQ_OK;
    *tail = (tqi_litertlm_gap){now->was, now->is, source->size - now->was};
    layout->size = now->is;
    if (now->is != now->was) {
        bool zero;
        TQI_TRY(all_zero(source, tail->from, tail->size, arena->heap, &zero, error));
        if (zero && source->size % PAGE == 0 && tail->size < PAGE) {
            /* some writers fill the last page */
            tail->size = 0;
            layout->size = tqi_align_up(now->is, PAGE);
            return TQ_OK;
        }
        /* it may rely on its place in the page */
        tail->to += (now->was - now->is) % PAGE;
        layout->size = tail->to;
    }
    return advance(&layout->size, tail->size) ? TQ_OK : too_large(error);
}

/* ---- the new header ---- */

/* Whether the new header says what it should: fields of a hostile one may share bytes with
 * each other or with anything else. */
static tq_status check_header(const tqi_litertlm_layout *layout, tqi_arena *arena,
                              tq_error *error) {
    const tqi_litertlm *file = layout->file;
    tqi_source source;
    tqi_litertlm again;
    tqi_source_memory(&source, layout->header, file->header_size);
    tq_status status = read_header(&again, &source, arena, error);
    if (status == TQ_ERR_OUT_OF_MEMORY || status == TQ_ERR_MEMORY_LIMIT)
        return status;
    bool same = status == TQ_OK && again.n_sections == file->n_sections;
    for (uint32_t i = 0; i < file->n_sections && same; i++) {
        const tqi_litertlm_section *is = &again.sections[i], *was = &file->sections[i];
        const tqi_litertlm_change *change = &layout->changes[i];
        same = is->offset == layout->offsets[i] &&
               is->size == (change->replaced ? change->size : was->size) &&
               is->begin_field == was->begin_field && is->end_field == was->end_field &&
               strcmp(is->name, was->name) == 0;
    }
    if (same)
        return TQ_OK;
    return tqi_fail_at(error, TQ_ERR_UNSUPPORTED, HEADER_AT,
                       "the header uses the same bytes for several things, so sections can't move");
}

static tq_status make_header(tqi_litertlm_layout *layout, tqi_arena *arena, tq_error *error) {
    const tqi_litertlm *file = layout->file;
    const uint8_t *bytes;
    size_t size = (size_t)file->header_size;
    bool changed = false;
    TQI_NEW(arena, &layout->header, size, error);
    TQI_TRY(tqi_source_fetch(file->source, 0, size, layout->header, &bytes, error));
    if (bytes != layout->header)
        memcpy(layout->header, bytes, size);
    tqi_source_done(file->source, 0, size);
    for (uint32_t i = 0; i < file->n_sections; i++) {
        const tqi_litertlm_section *s = &file->sections[i];
        uint64_t length = layout->changes[i].replaced ? layout->changes[i].size : s->size;
        if (is_nowhere(s) || (layout->offsets[i] == s->offset && length == s->size))
            continue;
        tqi_store_u64(layout->header + s->begin_field, layout->offsets[i]);
        tqi_store_u64(layout->header + s->end_field, layout->offsets[i] + length);
        changed = true;
    }
    return changed ? check_header(layout, arena, error) : TQ_OK;
}

tq_status tqi_litertlm_layout_make(tqi_litertlm_layout *layout, const tqi_litertlm *file,
                                   const tqi_litertlm_change *changes, tqi_arena *arena,
                                   tq_error *error) {
    *layout = (tqi_litertlm_layout){.file = file, .changes = changes};
    TQI_NEW(arena, &layout->offsets, file->n_sections, error);
    TQI_NEW(arena, &layout->payloads, file->n_sections, error);
    TQI_NEW(arena, &layout->gaps, (uint64_t)file->n_sections + 1, error);
    place now = {file->header_size, file->header_size, file->header_size};
    for (uint32_t i = 0; i < file->n_sections; i++) {
        const tqi_litertlm_section *s = file->by_position[i];
        uint32_t number = (uint32_t)(s - file->sections);
        TQI_TRY(place_section(layout, s, &now, arena, error));
        if (changes[number].replaced)
            layout->payloads[layout->n_payloads++] = number;
    }
    TQI_TRY(place_tail(layout, &now, arena, error));
    return make_header(layout, arena, error);
}

/* ---- writing ---- */

typedef struct writer {
    const tqi_litertlm_layout *layout;
    tqi_sink *sink;
    uint64_t at; /* in the new file */
    uint8_t *scratch;
} writer;

static tq_status put_zeros(writer *w, uint64_t until, tq_error *error) {
    static const uint8_t zeros[4096];
    until = tqi_min_u64(until, w->layout->size);
    while (w->at < until) {
        size_t n = (size_t)tqi_min_u64(until - w->at, sizeof zeros);
        TQI_TRY(w->sink->write(w->sink, w->at, zeros, n, error));
        w->at += n;
    }
    return TQ_OK;
}

static tq_status put_copy(writer *w, uint64_t from, uint64_t to, uint64_t size, tq_error *error) {
    const tqi_source *source = w->layout->file->source;
    if (size == 0)
        return TQ_OK;
    TQI_TRY(put_zeros(w, to, error));
    for (uint64_t done = 0; done < size;) {
        const uint8_t *bytes;
        size_t n = (size_t)tqi_min_u64(size - done, COPY_STEP);
        TQI_TRY(tqi_source_fetch(source, from + done, n, w->scratch, &bytes, error));
        TQI_TRY(w->sink->write(w->sink, to + done, bytes, n, error));
        tqi_source_done(source, from + done, n);
        done += n;
    }
    w->at = to + size;
    return TQ_OK;
}

static tq_status put_gap(writer *w, uint32_t rank, tq_error *error) {
    const tqi_litertlm_gap *gap = &w->layout->gaps[rank];
    return put_copy(w, gap->from, gap->to, gap->size, error);
}

static tq_status put_part(writer *w, uint32_t part, tq_error *error) {
    const tqi_litertlm_layout *layout = w->layout;
    const tqi_litertlm *file = layout->file;
    uint32_t rank = 0;
    if (part == 0) {
        TQI_TRY(w->sink->write(w->sink, 0, layout->header, (size_t)file->header_size, error));
        w->at = file->header_size;
    } else {
        uint32_t before = layout->payloads[part - 1];
        w->at = layout->offsets[before] + layout->changes[before].size;
        rank = file->sections[before].rank + 1;
    }
    for (; rank < file->n_sections; rank++) {
        const tqi_litertlm_section *s = file->by_position[rank];
        uint32_t number = (uint32_t)(s - file->sections);
        TQI_TRY(put_gap(w, rank, error));
        if (layout->changes[number].replaced)
            return put_zeros(w, layout->offsets[number], error);
        TQI_TRY(put_copy(w, s->offset, layout->offsets[number], s->size, error));
    }
    TQI_TRY(put_gap(w, file->n_sections, error));
    return put_zeros(w, layout->size, error);
}

tq_status tqi_litertlm_write_part(const tqi_litertlm_layout *layout, uint32_t part, tqi_sink *sink,
                                  tqi_heap *heap, tq_error *error) {
    size_t room = (size_t)tqi_min_u64(COPY_STEP, layout->file->source->size);
    writer w = {layout, sink, 0, tqi_alloc(heap, room)};
    if (!w.scratch)
        return tqi_no_memory(heap, room, error);
    tq_status status = put_part(&w, part, error);
    tqi_free(heap, w.scratch, room);
    return status;
}
