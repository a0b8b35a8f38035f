/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* madvise */
#define _DARWIN_C_SOURCE
#define _FILE_OFFSET_BITS 64
#include "io/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* A file of this size may stay mapped as a whole. */
enum { KEPT_MAPPED = 32 * 1024 * 1024 };

void tqi_source_memory(tqi_source *source, const void *data, uint64_t size) {
    *source = (tqi_source){.data = data, .size = size, .fd = -1};
}

void tqi_source_part(tqi_source *part, tqi_source *whole, uint64_t offset, uint64_t size) {
    *part = (tqi_source){.size = size, .fd = -1, .whole = whole, .start = offset};
    part->data = whole->data ? whole->data + offset : NULL;
}

static tq_status map(tqi_source *source, const char *path, tq_error *error) {
    struct stat info;
    if (fstat(source->fd, &info) != 0)
        return tqi_fail_system(error, TQ_ERR_OPEN, errno, "%s", path);
    if (!S_ISREG(info.st_mode))
        return tqi_fail(error, TQ_ERR_OPEN, "%s: not a regular file", path);
    source->size = (uint64_t)info.st_size;
    source->device = (uint64_t)info.st_dev;
    source->inode = (uint64_t)info.st_ino;
    if (source->size == 0)
        return tqi_fail(error, TQ_ERR_NOT_A_MODEL, "%s: the file is empty", path);
    if (source->size > SIZE_MAX)
        return tqi_fail(error, TQ_ERR_TOO_LARGE, "%s: too large for this machine", path);
    void *data = mmap(NULL, (size_t)source->size, PROT_READ, MAP_PRIVATE, source->fd, 0);
    if (data == MAP_FAILED)
        return tqi_fail_system(error, TQ_ERR_READ, errno, "%s: can't be mapped", path);
    source->data = data;
    return TQ_OK;
}

tq_status tqi_source_open(tqi_source *source, const char *path, tq_error *error) {
    *source = (tqi_source){.fd = -1};
    /* O_NONBLOCK: a FIFO is refused below rather than waited for */
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (source->fd < 0)
        return tqi_fail_system(error, TQ_ERR_OPEN, errno, "%s", path);
    tq_status status = map(source, path, error);
    if (status != TQ_OK)
        tqi_source_close(source);
    return status;
}

/* ---- callbacks: address space for all of it, memory for what is loaded ---- */

enum { BLOCK = 16 * 1024 };

static size_t bitmap_size(const tqi_source *source) {
    return (size_t)(source->size / BLOCK / 8 + 1);
}

tq_status tqi_source_callback(tqi_source *source, const tq_source *user, tqi_heap *heap,
                              tq_error *error) {
    *source = (tqi_source){.size = user->size, .fd = -1, .user = *user, .heap = heap};
    if (source->size == 0)
        return TQ_OK; /* no model either, but that is for others to say */
    if (source->size > SIZE_MAX - BLOCK)
        return tqi_fail(error, TQ_ERR_TOO_LARGE, "the source is too large for this machine");
    source->loaded = tqi_alloc(heap, bitmap_size(source));
    if (!source->loaded)
        return tqi_no_memory(heap, bitmap_size(source), error);
    memset(source->loaded, 0, bitmap_size(source));
    void *data = mmap(NULL, (size_t)source->size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
        return tqi_fail_system(error, TQ_ERR_OUT_OF_MEMORY, errno,
                               "no address space for a source of %" PRIu64 " bytes", source->size);
    source->data = data;
    return TQ_OK;
}

static tq_status read_callback(const tqi_source *source, uint64_t offset, void *data, size_t size,
                               tq_error *error) {
    int32_t code = source->user.read(source->user.opaque, offset, data, size);
    if (code != 0)
        return tqi_fail_system(error, TQ_ERR_READ, code,
                               "the source refused %zu bytes at byte %" PRIu64, size, offset);
    return TQ_OK;
}

tq_status tqi_source_load(tqi_source *source, uint64_t offset, uint64_t size, tq_error *error) {
    if (source->whole)
        return tqi_source_load(source->whole, source->start + offset, size, error);
    if (!source->user.read || size == 0)
        return TQ_OK;
    for (uint64_t block = offset / BLOCK; block <= (offset + size - 1) / BLOCK; block++) {
        uint8_t bit = (uint8_t)(1u << block % 8);
        uint64_t start = block * BLOCK;
        if (source->loaded[block / 8] & bit)
            continue;
        size_t n = (size_t)(source->size - start < BLOCK ? source->size - start : BLOCK);
        if (!tqi_heap_charge(source->heap, n))
            return tqi_no_memory(source->heap, n, error);
        source->charged += n;
        TQI_TRY(read_callback(source, start, (void *)(uintptr_t)(source->data + start), n, error));
        source->loaded[block / 8] |= bit;
    }
    return TQ_OK;
}

void tqi_source_close(tqi_source *source) {
    if (source->data && (source->fd >= 0 || source->user.read))
        munmap((void *)(uintptr_t)source->data, (size_t)source->size);
    if (source->fd >= 0)
        close(source->fd);
    if (source->loaded)
        tqi_free(source->heap, source->loaded, bitmap_size(source));
    if (source->charged)
        tqi_heap_refund(source->heap, source->charged);
    *source = (tqi_source){.fd = -1};
}

/* ---- bulk data ---- */

/* A large file is mapped a piece at a time: touching pages one by one is slow, and pages that
 * stay mapped count as this process's memory. */
static void advise(const tqi_source *source, uint64_t offset, size_t size, int advice) {
    if (source->fd < 0 || source->size <= KEPT_MAPPED || size == 0)
        return;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t start = offset / page * page;
    /* a kernel that does not know the advice just does not follow it */
    (void)madvise((void *)(uintptr_t)(source->data + start), (size_t)(offset + size - start),
                  advice);
}

tq_status tqi_source_fetch(const tqi_source *source, uint64_t offset, size_t size, void *scratch,
                           const uint8_t **bytes, tq_error *error) {
    if (source->whole)
        return tqi_source_fetch(source->whole, source->start + offset, size, scratch, bytes, error);
    if (source->user.read) {
        *bytes = scratch;
        return read_callback(source, offset, scratch, size, error);
    }
#ifdef __linux__
    enum { POPULATE_READ = 22 }; /* Linux 5.14 */
    advise(source, offset, size, POPULATE_READ);
#endif
    *bytes = source->data + offset;
    return TQ_OK;
}

void tqi_source_done(const tqi_source *source, uint64_t offset, size_t size) {
    if (source->whole) {
        tqi_source_done(source->whole, source->start + offset, size);
        return;
    }
    advise(source, offset, size, MADV_DONTNEED);
}
