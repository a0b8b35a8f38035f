/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite/dispatch.h"

#include <string.h>

#include "base/checked.h"

/* A flexbuffer vector: elements of `width` bytes at `at`, their count just before. */
typedef struct flex {
    const uint8_t *data;
    uint32_t size;
} flex;

static bool read_uint(const flex *f, uint64_t at, uint32_t width, uint64_t *value) {
    if ((width != 1 && width != 2 && width != 4 && width != 8) || !tqi_in_range(at, width, f->size))
        return false;
    *value = 0;
    memcpy(value, f->data + at, width);
    return true;
}

/* Offsets point backwards. */
static bool follow(const flex *f, uint64_t at, uint32_t width, uint64_t *target) {
    uint64_t offset;
    if (!read_uint(f, at, width, &offset) || offset > at)
        return false;
    *target = at - offset;
    return true;
}

static bool key_is(const flex *f, uint64_t at, const char *key) {
    size_t size = strlen(key) + 1;
    return tqi_in_range(at, size, f->size) && memcmp(f->data + at, key, size) == 0;
}

enum { FLEX_INT = 1, FLEX_UINT = 2, FLEX_MAP = 9 };

/* The unsigned integer under `key` of the root map. */
static bool find_uint(const flex *f, const char *key, uint32_t *at, uint32_t *size,
                      uint64_t *value) {
    if (f->size < 3)
        return false;
    uint32_t root_width = f->data[f->size - 1];
    uint8_t packed = f->data[f->size - 2];
    uint32_t width = 1u << (packed & 3);
    uint64_t map, keys, count, keys_width, keys_count;
    if (packed >> 2 != FLEX_MAP || !follow(f, f->size - 2 - (uint64_t)root_width, root_width, &map))
        return false;
    /* before the values: offset to the keys, width of the keys, count */
    if (map < 3 * (uint64_t)width || !follow(f, map - 3 * width, width, &keys) ||
        !read_uint(f, map - 2 * width, width, &keys_width) ||
        !read_uint(f, map - width, width, &count) || keys_width > 8 || keys < keys_width ||
        !read_uint(f, keys - keys_width, (uint32_t)keys_width, &keys_count) ||
        keys_count != count || count > f->size ||
        !tqi_in_range(map, count * width + count, f->size))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t name;
        if (!follow(f, keys + i * keys_width, (uint32_t)keys_width, &name) || !key_is(f, name, key))
            continue;
        uint8_t type = f->data[map + count * width + i] >> 2;
        *at = (uint32_t)(map + i * width);
        *size = width;
        return (type == FLEX_INT || type == FLEX_UINT) && read_uint(f, *at, width, value);
    }
    return false;
}

bool tqi_dispatch_find(const tqi_graph *graph, const tqi_operator *op, tqi_dispatch *dispatch) {
    const tqi_opcode *code = &graph->opcodes[op->opcode];
    if (code->builtin != TQI_OP_CUSTOM || strcmp(code->custom, "DISPATCH_OP") != 0 || !op->source)
        return false;
    dispatch->options = tqi_get_vector(&graph->view, op->source, TQI_OPERATOR_CUSTOM_OPTIONS);
    if (!dispatch->options.at)
        return false;
    flex f = {graph->view.data + dispatch->options.at, dispatch->options.count};
    uint32_t at, size;
    return find_uint(&f, "bytecode_size", &at, &size, &dispatch->size) &&
           find_uint(&f, "bytecode_offset", &dispatch->offset_at, &dispatch->offset_size,
                     &dispatch->offset) &&
           dispatch->size > 0 &&
           tqi_in_range(dispatch->offset, dispatch->size, graph->source->size);
}
