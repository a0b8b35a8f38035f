/* SPDX-License-Identifier: Apache-2.0 */
/* A .litertlm: a header that names sections, each on a page of its own. */
#ifndef TQI_CONTAINER_LITERTLM_H
#define TQI_CONTAINER_LITERTLM_H

#include "base/error.h"
#include "base/heap.h"
#include "io/sink.h"
#include "io/source.h"

typedef struct tqi_litertlm_section {
    const char *name;      /* its type; "TFLiteModel_2" is the second of its type */
    uint64_t offset, size; /* in the source */
    uint64_t begin_field;  /* in the source: the 64-bit fields of the header that say so; */
    uint64_t end_field;    /* 0: left out */
    uint32_t rank;         /* among the sections by offset */
} tqi_litertlm_section;

typedef struct tqi_litertlm {
    tqi_source *source;
    tqi_litertlm_section *sections; /* in the order of the header */
    tqi_litertlm_section **by_position;
    uint32_t n_sections;
    uint64_t header_size; /* with the 32 bytes before its flatbuffer; sections come behind */
} tqi_litertlm;

/* Whether the file starts as one. */
bool tqi_is_litertlm(const uint8_t *start, uint64_t size);

/* What it points at is in the arena. TQ_ERR_CORRUPT: sections out of range, overlapping, a damaged
 * header; TQ_ERR_UNSUPPORTED: a major version that is not known. */
tq_status tqi_litertlm_open(tqi_litertlm *file, tqi_source *source, tqi_arena *arena,
                            tq_error *error);

/* What becomes of a section; all zero: it stays as it is. */
typedef struct tqi_litertlm_change {
    bool replaced;
    uint64_t size;
} tqi_litertlm_change;

/* Bytes that are in no section. */
typedef struct tqi_litertlm_gap {
    uint64_t from, to; /* in the source, in the new file */
    uint64_t size;     /* of what is kept */
} tqi_litertlm_gap;

typedef struct tqi_litertlm_layout {
    const tqi_litertlm *file;
    const tqi_litertlm_change *changes; /* as given, by section */
    uint64_t *offsets;                  /* by section */
    uint64_t size;                      /* of the file */
    uint32_t *payloads;                 /* replaced sections, by offset */
    uint32_t n_payloads;
    tqi_litertlm_gap *gaps; /* before each section, by its rank; the last one ends the file */
    uint8_t *header;        /* the new one */
} tqi_litertlm_layout;

/* With nothing replaced the result is byte for byte the same. Sections keep their order, and
 * their places up to the first one that changes its size; then each starts on a page, or as aligned
 * as it was. What lies between sections and is not just zeros stays in front of the section that
 * follows. TQ_ERR_UNSUPPORTED: a section without a place in the file is to be replaced, or the
 * header is such that it can't be changed. What is given and the arena must outlive the
 * layout. */
tq_status tqi_litertlm_layout_make(tqi_litertlm_layout *layout, const tqi_litertlm *file,
                                   const tqi_litertlm_change *changes, tqi_arena *arena,
                                   tq_error *error);

/* Everything between replaced section `part` - 1 and replaced section `part` (their numbers count
 * by offset): part 0 starts with the header, part n_payloads ends the file. Byte 0 of the
 * sink is the file's first. */
tq_status tqi_litertlm_write_part(const tqi_litertlm_layout *layout, uint32_t part, tqi_sink *sink,
                                  tqi_heap *heap, tq_error *error);

#endif
