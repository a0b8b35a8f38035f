/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a flatbuffer from front to back: tables in the order of the calls, then all
 * strings and vectors of scalars, each content once (offsets only point forward, so
 * what is shared must come last). Errors stick: after the first one calls do
 * nothing, and `status` tells. */
#ifndef TQI_FLATBUFFER_EMIT_H
#define TQI_FLATBUFFER_EMIT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/heap.h"
#include "flatbuffer/schema_types.h"
#include "flatbuffer/view.h"

/* Bytes that grow, with an index to find equal blocks again. */
typedef struct tqi_blocks {
    uint8_t *bytes;
    uint32_t size, capacity;
    uint32_t *index; /* pairs of hash and position; open addressing */
    uint32_t index_capacity, index_count;
} tqi_blocks;

/* A string or vector of the pool, and where it goes in the file. */
typedef struct tqi_piece {
    uint32_t begin, size; /* in the pool */
    uint32_t alignment;   /* of what comes 4 bytes in */
    uint32_t at;          /* in the file; 0: not placed yet */
} tqi_piece;

typedef struct tqi_emitter {
    tqi_heap *heap;
    tqi_blocks out;    /* the flatbuffer; vtables are shared in it */
    tqi_blocks pool;   /* strings and vectors of scalars */
    tqi_blocks pieces; /* tqi_piece, by `begin` */
    tqi_blocks links;  /* pairs of a slot in `out` and a position in `pool` */
    tq_status status;
    tq_error *error;
} tqi_emitter;

typedef enum tqi_value_kind {
    TQI_VALUE_ABSENT,
    TQI_VALUE_SOURCE, /* copied from the source, with all below it */
    TQI_VALUE_SCALAR,
    TQI_VALUE_VECTOR, /* of scalars, or a string without its final zero */
    TQI_VALUE_LATER,  /* an offset that the caller fills in by tqi_emit_link() */
} tqi_value_kind;

typedef struct tqi_field_value {
    tqi_value_kind kind;
    uint32_t count;
    uint64_t scalar;
    const void *data;
} tqi_field_value;

/* A table about to be written: field i is value[i]. */
typedef struct tqi_record {
    const tqi_table *table;
    const tqi_view *view;
    uint32_t source; /* position of the table that it starts from, 0: none */
    tqi_field_value value[TQI_MAX_FIELDS];
    uint32_t slot[TQI_MAX_FIELDS]; /* after tqi_emit_record(): where each field went */
} tqi_record;

void tqi_emit_begin(tqi_emitter *emitter, tqi_heap *heap, tq_error *error);
void tqi_emit_end(tqi_emitter *emitter);

/* All fields as the source table at `source` has them; 0: all absent. */
void tqi_record_begin(tqi_record *record, const tqi_table *table, const tqi_view *view,
                      uint32_t source);
/* A field that is not there and would get its default is left out. */
void tqi_record_scalar(tqi_record *record, uint32_t field, uint64_t value, uint64_t otherwise);
void tqi_record_vector(tqi_record *record, uint32_t field, const void *data, uint32_t count);
void tqi_record_string(tqi_record *record, uint32_t field, const char *text);
void tqi_record_later(tqi_record *record, uint32_t field);
void tqi_record_drop(tqi_record *record, uint32_t field);
static inline bool tqi_record_has(const tqi_record *record, uint32_t field) {
    return record->value[field].kind != TQI_VALUE_ABSENT;
}

/* Writes the table and everything below it but the LATER fields; returns its position. */
uint32_t tqi_emit_record(tqi_emitter *emitter, tqi_record *record);
/* A vector of `count` offsets, each to be linked later: its first slot. `at` gets the
 * position of the vector. */
uint32_t tqi_emit_offsets(tqi_emitter *emitter, uint32_t count, uint32_t *at);
/* A vector of its own (never shared), zeroed; returns its position; elements at + 4. */
uint32_t tqi_emit_blank(tqi_emitter *emitter, uint32_t count, uint32_t size);
/* Points the slot to `at`, which must come behind it. */
void tqi_emit_link(tqi_emitter *emitter, uint32_t slot, uint32_t at);
void tqi_emit_bytes(tqi_emitter *emitter, const void *data, uint32_t size);
/* When all tables are written: the largest piece of the pool, of alignment 4, that fits into a
 * gap of this size and has no place yet; NULL: none. The caller sets its place. */
tqi_piece *tqi_emit_fitting(tqi_emitter *emitter, uint32_t size);
/* Puts all other pieces behind everything. */
void tqi_emit_finish(tqi_emitter *emitter);
/* When every piece has its place: lets the tables point there. */
void tqi_emit_resolve(tqi_emitter *emitter);

#endif
