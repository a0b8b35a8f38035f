/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a flatbuffer that tqi_verify() has passed: no checks here. Positions are bytes
 * from the start; 0 stands for "not there". */
#ifndef TQI_FLATBUFFER_VIEW_H
#define TQI_FLATBUFFER_VIEW_H

#include "base/bytes.h"

typedef struct tqi_view {
    const uint8_t *data;
    uint32_t size; /* addressable by the format: at most 4 GiB of a longer file */
} tqi_view;

typedef struct tqi_vector {
    uint32_t at; /* first element; 0: not there */
    uint32_t count;
} tqi_vector;

static inline uint32_t tqi_follow(const tqi_view *view, uint32_t slot) {
    return slot + tqi_load_u32(view->data + slot);
}

/* Position of a field's slot inside its table, or 0. */
static inline uint32_t tqi_slot(const tqi_view *view, uint32_t table, uint32_t field) {
    uint32_t vtable = table - (uint32_t)tqi_load_i32(view->data + table);
    uint32_t entry = 4 + 2 * field;
    if (entry + 2 > tqi_load_u16(view->data + vtable))
        return 0;
    uint16_t offset = tqi_load_u16(view->data + vtable + entry);
    return offset ? table + offset : 0;
}

static inline uint32_t tqi_get_u32(const tqi_view *view, uint32_t table, uint32_t field,
                                   uint32_t otherwise) {
    uint32_t slot = tqi_slot(view, table, field);
    return slot ? tqi_load_u32(view->data + slot) : otherwise;
}

static inline int32_t tqi_get_i32(const tqi_view *view, uint32_t table, uint32_t field,
                                  int32_t otherwise) {
    return (int32_t)tqi_get_u32(view, table, field, (uint32_t)otherwise);
}

static inline int8_t tqi_get_i8(const tqi_view *view, uint32_t table, uint32_t field,
                                int8_t otherwise) {
    uint32_t slot = tqi_slot(view, table, field);
    return slot ? (int8_t)view->data[slot] : otherwise;
}

static inline uint64_t tqi_get_u64(const tqi_view *view, uint32_t table, uint32_t field,
                                   uint64_t otherwise) {
    uint32_t slot = tqi_slot(view, table, field);
    return slot ? tqi_load_u64(view->data + slot) : otherwise;
}

/* A table, or the value of a union. */
static inline uint32_t tqi_get_table(const tqi_view *view, uint32_t table, uint32_t field) {
    uint32_t slot = tqi_slot(view, table, field);
    return slot ? tqi_follow(view, slot) : 0;
}

static inline tqi_vector tqi_get_vector(const tqi_view *view, uint32_t table, uint32_t field) {
    uint32_t slot = tqi_slot(view, table, field);
    if (!slot)
        return (tqi_vector){0, 0};
    uint32_t at = tqi_follow(view, slot);
    return (tqi_vector){at + 4, tqi_load_u32(view->data + at)};
}

/* Element of a vector of tables. */
static inline uint32_t tqi_element(const tqi_view *view, tqi_vector vector, uint32_t index) {
    return tqi_follow(view, vector.at + 4 * index);
}

/* NULL: not there. Strings end in a zero byte. */
static inline const char *tqi_get_string(const tqi_view *view, uint32_t table, uint32_t field) {
    tqi_vector text = tqi_get_vector(view, table, field);
    return text.at ? (const char *)(view->data + text.at) : NULL;
}

#endif
