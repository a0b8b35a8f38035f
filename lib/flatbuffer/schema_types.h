/* SPDX-License-Identifier: Apache-2.0 */
/* How a schema is described to this room, which knows none itself. */
#ifndef TQI_FLATBUFFER_SCHEMA_TYPES_H
#define TQI_FLATBUFFER_SCHEMA_TYPES_H

#include <stdint.h>

typedef enum tqi_field_kind {
    TQI_FIELD_SCALAR, /* `size` bytes in the table */
    TQI_FIELD_STRING,
    TQI_FIELD_VECTOR, /* of scalars of `size` bytes, data aligned to `align` */
    TQI_FIELD_BULK,   /* the same, but large: its elements are not looked at here */
    TQI_FIELD_TABLE,
    TQI_FIELD_TABLES, /* vector of tables */
    TQI_FIELD_UNION,  /* its type is the scalar field just before it */
} tqi_field_kind;

typedef struct tqi_table tqi_table;

typedef struct tqi_field {
    const char *name;
    uint8_t kind;
    uint8_t size;
    uint8_t align;
    const tqi_table *table; /* of TABLE, TABLES; for UNION, the list of members */
} tqi_field;

/* The position in `fields` is the field's id. A union is a table of members: fields[i].table
 * is the member with type value i + 1. */
struct tqi_table {
    const char *name;
    const tqi_field *fields;
    uint32_t count;
};

/* A table of the schema has at most this many fields. */
enum { TQI_MAX_FIELDS = 32 };

#endif
