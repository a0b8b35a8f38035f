/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle/zip_memory.h"

#include <string.h>

#include "base/heap.h"

/* zlib does not tell the size of what it frees: it goes before the block. */
enum { BEFORE = 16 };

void *tqi_zip_allocate(void *heap, unsigned count, unsigned size) {
    uint64_t bytes = (uint64_t)count * size;
    if (bytes > SIZE_MAX - BEFORE)
        return NULL;
    uint8_t *block = tqi_alloc(heap, (size_t)bytes + BEFORE);
    if (!block)
        return NULL;
    memcpy(block, &bytes, sizeof bytes);
    return block + BEFORE;
}

void tqi_zip_release(void *heap, void *memory) {
    uint8_t *block = (uint8_t *)memory - BEFORE;
    uint64_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    tqi_free(heap, block, (size_t)bytes + BEFORE);
}
