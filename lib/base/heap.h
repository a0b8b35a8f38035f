/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's allocator with a ceiling, and an arena on top of it. */
#ifndef TQI_BASE_HEAP_H
#define TQI_BASE_HEAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tfquant/tfquant.h"

typedef struct tqi_heap {
    tq_allocator hooks;
    uint64_t limit; /* bytes; 0: none */
    _Atomic uint64_t used;
} tqi_heap;

/* `hooks` NULL: malloc and free. */
void tqi_heap_init(tqi_heap *heap, const tq_allocator *hooks, uint64_t limit);
/* NULL when there is no memory or the limit is reached; size 0 gives a valid block. */
void *tqi_alloc(tqi_heap *heap, size_t size);
void tqi_free(tqi_heap *heap, void *memory, size_t size);
/* Memory that is had elsewhere, but counts; false: the limit is reached. */
bool tqi_heap_charge(tqi_heap *heap, uint64_t size);
void tqi_heap_refund(tqi_heap *heap, uint64_t size);
/* The status for an allocation of `size` bytes that just failed. */
tq_status tqi_no_memory(const tqi_heap *heap, uint64_t size, tq_error *error);

/* Freed all at once. Blocks are aligned for any scalar and zeroed, except by tqi_arena_take(). */
typedef struct tqi_arena_chunk tqi_arena_chunk;
typedef struct tqi_arena {
    tqi_heap *heap;
    tqi_arena_chunk *chunks;
} tqi_arena;

void tqi_arena_init(tqi_arena *arena, tqi_heap *heap);
void tqi_arena_free(tqi_arena *arena);
tq_status tqi_arena_alloc(tqi_arena *arena, uint64_t count, size_t size, void *out,
                          tq_error *error);
tq_status tqi_arena_take(tqi_arena *arena, uint64_t count, size_t size, void *out, tq_error *error);

/* *out is a T *: the call sets it to `count` zeroed elements. */
#define TQI_NEW(arena, out, count, error)                                                          \
    TQI_TRY(tqi_arena_alloc((arena), (count), sizeof **(out), (out), (error)))

#endif
