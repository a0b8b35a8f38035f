/* SPDX-License-Identifier: Apache-2.0 */
/* Words for writing down a schema: see schema.c. */
#ifndef TQI_TFLITE_SCHEMA_WORDS_H
#define TQI_TFLITE_SCHEMA_WORDS_H

#include "flatbuffer/schema_types.h"

#define SCALAR(name, size)                                                                         \
    { name, TQI_FIELD_SCALAR, size, size, 0 }
#define VECTOR(name, size, align)                                                                  \
    { name, TQI_FIELD_VECTOR, size, align, 0 }
#define BULK(name, size, align)                                                                    \
    { name, TQI_FIELD_BULK, size, align, 0 }
#define STRING(name)                                                                               \
    { name, TQI_FIELD_STRING, 1, 1, 0 }
#define CHILD(name, table)                                                                         \
    { name, TQI_FIELD_TABLE, 4, 4, &table }
#define TABLES(name, table)                                                                        \
    { name, TQI_FIELD_TABLES, 4, 4, &table }
#define UNION(name, members)                                                                       \
    { name, TQI_FIELD_UNION, 4, 4, &members }

#define TABLE(id, name, ...)                                                                       \
    static const tqi_field id##_fields[] = {__VA_ARGS__};                                          \
    static const tqi_table id = {name, id##_fields, sizeof id##_fields / sizeof id##_fields[0]}
#define TABLE_EXTERN(id, name, ...)                                                                \
    static const tqi_field id##_fields[] = {__VA_ARGS__};                                          \
    const tqi_table id = {name, id##_fields, sizeof id##_fields / sizeof id##_fields[0]}
#define EMPTY(id, name) static const tqi_table id = {name, 0, 0}

#endif
