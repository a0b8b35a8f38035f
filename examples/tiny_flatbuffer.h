/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Just enough of a FlatBuffers writer for make_model. It writes front to back:
 * a table or vector first, with empty slots for what it refers to, and
 * fb_refer() fills a slot when the thing has its place. Positions are bytes from
 * the start. Running out of memory is noted in `failed` and shows at the end.
 */
#ifndef TFQUANT_EXAMPLES_TINY_FLATBUFFER_H
#define TFQUANT_EXAMPLES_TINY_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    bool failed;
};

void fb_start(struct fb *fb, const char identifier[4]); /* the slot of the root is at 0 */
void fb_free(struct fb *fb);

/* A table whose fields have these sizes in bytes (0: left out); all are zero. */
size_t fb_table(struct fb *fb, const uint8_t *field_sizes, uint16_t fields);
/* Where a field of it is. */
size_t fb_field(const struct fb *fb, size_t table, uint16_t field);

/* A vector of zeroed elements, whose first byte is aligned to `alignment`. */
size_t fb_vector(struct fb *fb, uint32_t count, size_t element_size, size_t alignment);
/* Where an element of it is. */
size_t fb_element(size_t vector, size_t element_size, uint32_t index);

size_t fb_string(struct fb *fb, const char *text);
size_t fb_ints(struct fb *fb, const int32_t *values, uint32_t count);

void fb_set8(struct fb *fb, size_t at, uint8_t value);
void fb_set16(struct fb *fb, size_t at, uint16_t value);
void fb_set32(struct fb *fb, size_t at, uint32_t value);
void fb_refer(struct fb *fb, size_t slot, size_t target);

#endif
