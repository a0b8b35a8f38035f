/* SPDX-License-Identifier: Apache-2.0 */
#include "tiny_flatbuffer.h"

#include <stdlib.h>
#include <string.h>

/* Adds zeroed bytes and says where they are. */
static size_t extend(struct fb *fb, size_t size) {
    const size_t at = fb->size;
    if (fb->failed)
        return 0;
    if (size > fb->capacity - fb->size) {
        const size_t capacity = (fb->size + size) * 2;
        uint8_t *bytes = realloc(fb->bytes, capacity);
        if (bytes == NULL) {
            fb->failed = true;
            return 0;
        }
        fb->bytes = bytes;
        fb->capacity = capacity;
    }
    memset(fb->bytes + at, 0, size);
    fb->size += size;
    return at;
}

/* Pads so that what comes `ahead` bytes later is aligned. */
static void align(struct fb *fb, size_t ahead, size_t alignment) {
    while ((fb->size + ahead) % alignment != 0 && !fb->failed)
        extend(fb, 1);
}

static uint32_t get(const struct fb *fb, size_t at, size_t size) {
    uint32_t value = 0;
    for (size_t i = size; i > 0 && at + size <= fb->size; i--)
        value = value << 8 | fb->bytes[at + i - 1];
    return value;
}

static void set(struct fb *fb, size_t at, size_t size, uint32_t value) {
    for (size_t i = 0; i < size && at + size <= fb->size; i++)
        fb->bytes[at + i] = (uint8_t)(value >> (8 * i));
}

void fb_start(struct fb *fb, const char identifier[4]) {
    *fb = (struct fb){.bytes = NULL};
    extend(fb, 8);
    for (size_t i = 0; i < 4; i++)
        fb_set8(fb, 4 + i, (uint8_t)identifier[i]);
}

void fb_free(struct fb *fb) {
    free(fb->bytes);
    *fb = (struct fb){.bytes = NULL};
}

size_t fb_table(struct fb *fb, const uint8_t *field_sizes, uint16_t fields) {
    size_t table_size = 4;
    align(fb, 0, 2);
    const size_t vtable = extend(fb, 4 + 2 * (size_t)fields);
    /* Large fields first, and none needs padding. */
    for (uint8_t size = 8; size != 0; size /= 2) {
        for (uint16_t i = 0; i < fields; i++) {
            if (field_sizes[i] != size)
                continue;
            fb_set16(fb, vtable + 4 + 2 * (size_t)i, (uint16_t)table_size);
            table_size += size;
        }
    }
    fb_set16(fb, vtable, (uint16_t)(4 + 2 * fields));
    fb_set16(fb, vtable + 2, (uint16_t)table_size);
    align(fb, 4, 8); /* the first field comes 4 bytes in, and may have 8 */
    const size_t table = extend(fb, table_size);
    fb_set32(fb, table, (uint32_t)(table - vtable));
    return table;
}

size_t fb_field(const struct fb *fb, size_t table, uint16_t field) {
    const size_t vtable = table - get(fb, table, 4);
    return table + get(fb, vtable + 4 + 2 * (size_t)field, 2);
}

size_t fb_vector(struct fb *fb, uint32_t count, size_t element_size, size_t alignment) {
    align(fb, 4, alignment < 4 ? 4 : alignment);
    const size_t vector = extend(fb, 4 + count * element_size);
    fb_set32(fb, vector, count);
    return vector;
}

size_t fb_element(size_t vector, size_t element_size, uint32_t index) {
    return vector + 4 + index * element_size;
}

size_t fb_string(struct fb *fb, const char *text) {
    const size_t length = strlen(text);
    const size_t string = fb_vector(fb, (uint32_t)length, 1, 4);
    for (size_t i = 0; i < length; i++)
        fb_set8(fb, string + 4 + i, (uint8_t)text[i]);
    extend(fb, 1); /* the NUL that a string ends with */
    return string;
}

size_t fb_ints(struct fb *fb, const int32_t *values, uint32_t count) {
    const size_t vector = fb_vector(fb, count, 4, 4);
    for (uint32_t i = 0; i < count; i++)
        fb_set32(fb, fb_element(vector, 4, i), (uint32_t)values[i]);
    return vector;
}

void fb_set8(struct fb *fb, size_t at, uint8_t value) {
    set(fb, at, 1, value);
}

void fb_set16(struct fb *fb, size_t at, uint16_t value) {
    set(fb, at, 2, value);
}

void fb_set32(struct fb *fb, size_t at, uint32_t value) {
    set(fb, at, 4, value);
}

void fb_refer(struct fb *fb, size_t slot, size_t target) {
    set(fb, slot, 4, (uint32_t)(target - slot));
}
