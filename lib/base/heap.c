/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"

static void *plain_alloc(void *opaque, size_t size) {
    (void)opaque;
    return malloc(size);
}

static void plain_free(void *opaque, void *memory, size_t size) {
    (void)opaque;
    (void)size;
    free(memory);
}

void tqi_heap_init(tqi_heap *heap, const tq_allocator *hooks, uint64_t limit) {
    if (hooks)
        heap->hooks = *hooks;
    else
        heap->hooks = (tq_allocator){sizeof(tq_allocator), 0, NULL, plain_alloc, plain_free};
    heap->limit = limit;
    atomic_init(&heap->used, 0);
}

bool tqi_heap_charge(tqi_heap *heap, uint64_t size) {
    uint64_t before = atomic_fetch_add(&heap->used, size);
    if (heap->limit == 0 || before + size <= heap->limit)
        return true;
    tqi_heap_refund(heap, size);
    return false;
}

void tqi_heap_refund(tqi_heap *heap, uint64_t size) {
    atomic_fetch_sub(&heap->used, size);
}

void *tqi_alloc(tqi_heap *heap, size_t size) {
    if (size == 0)
        size = 1;
    if (!tqi_heap_charge(heap, size))
        return NULL;
    void *memory = heap->hooks.alloc(heap->hooks.opaque, size);
    if (!memory)
        tqi_heap_refund(heap, size);
    return memory;
}

void tqi_free(tqi_heap *heap, void *memory, size_t size) {
    if (!memory)
        return;
    if (size == 0)
        size = 1;
    heap->hooks.free(heap->hooks.opaque, memory, size);
    tqi_heap_refund(heap, size);
}

tq_status tqi_no_memory(const tqi_heap *heap, uint64_t size, tq_error *error) {
    uint64_t used = atomic_load(&heap->used);
    if (heap->limit != 0 && used + size > heap->limit)
        return tqi_fail(error, TQ_ERR_MEMORY_LIMIT,
                        "max_memory is %" PRIu64 " bytes, at least %" PRIu64 " are needed",
                        heap->limit, used + size);
    return tqi_fail(error, TQ_ERR_OUT_OF_MEMORY, "out of memory: no %" PRIu64 " bytes to be had",
                    size);
}

struct tqi_arena_chunk {
    tqi_arena_chunk *next;
    size_t size; /* of the whole block */
    size_t used;
};

enum { ARENA_ALIGNMENT = 16, ARENA_CHUNK = 32 * 1024 };
#define CHUNK_HEADER tqi_align_up(sizeof(tqi_arena_chunk), ARENA_ALIGNMENT)

void tqi_arena_init(tqi_arena *arena, tqi_heap *heap) {
    arena->heap = heap;
    arena->chunks = NULL;
}

void tqi_arena_free(tqi_arena *arena) {
    while (arena->chunks) {
        tqi_arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        tqi_free(arena->heap, chunk, chunk->size);
    }
}

tq_status tqi_arena_take(tqi_arena *arena, uint64_t count, size_t size, void *out,
                         tq_error *error) {
    uint64_t bytes;
    if (!tqi_mul_u64(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return tqi_fail(error, TQ_ERR_OUT_OF_MEMORY, "an array of %" PRIu64 " is too large", count);
    bytes = tqi_align_up(bytes, ARENA_ALIGNMENT);
    tqi_arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < bytes) {
        uint64_t block = CHUNK_HEADER + bytes;
        if (block < ARENA_CHUNK)
            block = ARENA_CHUNK;
        tqi_arena_chunk *fresh = tqi_alloc(arena->heap, (size_t)block);
        if (!fresh)
            return tqi_no_memory(arena->heap, block, error);
        fresh->size = (size_t)block;
        fresh->used = CHUNK_HEADER;
        /* a large block goes behind the open one, which still has room for small ones */
        if (chunk && bytes >= ARENA_CHUNK / 2) {
            fresh->next = chunk->next;
            chunk->next = fresh;
        } else {
            fresh->next = chunk;
            arena->chunks = fresh;
        }
        chunk = fresh;
    }
    void *memory = (unsigned char *)chunk + chunk->used;
    chunk->used += (size_t)bytes;
    memcpy(out, &memory, sizeof memory);
    return TQ_OK;
}

tq_status tqi_arena_alloc(tqi_arena *arena, uint64_t count, size_t size, void *out,
                          tq_error *error) {
    void *memory = NULL;
    TQI_TRY(tqi_arena_take(arena, count, size, &memory, error));
    memset(memory, 0, (size_t)count * size);
    memcpy(out, &memory, sizeof memory);
    return TQ_OK;
}
