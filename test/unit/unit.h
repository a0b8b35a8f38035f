/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit tests share. Include it first: it brings cmocka and what that needs. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tfquant/tfquant.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Sanitizers make everything several times slower: long loops then sample more coarsely. */
#if defined(__SANITIZE_ADDRESS__)
#define UNIT_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNIT_SLOW 1
#endif
#endif
#ifndef UNIT_SLOW
#define UNIT_SLOW 0
#endif

extern const char *const unit_recipes[];
enum { UNIT_RECIPES = 4, UNIT_NONE = 3 }; /* the last one copies */

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

/* Fails the test if there is no such file. Free the data by free(). */
bytes read_file(const char *path);
void write_file(const char *path, const void *data, size_t size);
bool same_bytes(bytes a, bytes b);
void free_bytes(bytes block);

/* Models that make_model wrote: their paths come from the environment. */
bytes float32_model(void);
bytes float16_model(void);

/* assert that a call succeeded; prints the error's message where it did not. */
void assert_ok(tq_status status, const tq_error *error);
/* assert that it failed with this status and said so properly. */
void assert_failed(tq_status expected, tq_status status, const tq_error *error);
/* The message is one line of printable UTF-8, not empty. */
void assert_message(const tq_error *error);

/* Loads, quantizes, saves to memory; everything succeeds. */
bytes convert(bytes model, const char *recipe);
/* The same in steps. `source` must live as long as the model. */
tq_model *load(bytes source);
tq_model *quantized(const tq_model *model, const char *recipe);
bytes saved(tq_model *model);
tq_report_entry entry_of(const tq_model *model, const char *name);

/* An allocator that watches: the sizes given to free(), what is held, and the most. */
typedef struct watch {
    uint64_t calls, fail_at; /* the call with this number, from 1, gets NULL; 0: none */
    uint64_t ceiling;        /* more than this is refused; 0: none */
    uint64_t held, peak;
    uint64_t wrong; /* frees of a size other than the allocated one */
} watch;
tq_allocator watched(watch *watch);
/* As load(), on watched memory, with a max_memory unless that is 0. */
tq_model *watched_load(bytes source, watch *watch, uint64_t max_memory);

/* A directory that is removed with all that is in it. Returns its path. */
const char *scratch_begin(void);
void scratch_end(void);
/* Path of a file in it; valid until the eighth next call. */
const char *scratch_path(const char *name);
/* Names in it that are not "." or "..". */
int scratch_files(void);

#endif
