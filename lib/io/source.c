/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* madvise */
#define _DARWIN_C_SOURCE
#define _FILE_OFFSET_BITS 64
#include "io/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* A file of this size may stay mapped as a whole. */
enum { KEPT_MAPPED = 32 * 1024 * 1024 };

void tqi_source_memory(tqi_source *source, const void *data, uint64_t size) {
    *source = (tqi_source){.data = data, .size = size, .fd = -1, .label = "memory"};
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
    *source = (tqi_source){.fd = -1, .label = "file"};
    /* O_NONBLOCK: a FIFO is refused below rather than waited for */
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (source->fd < 0)
        return tqi_fail_system(error, TQ_ERR_OPEN, errno, "%s", path);
    tq_status status = map(source, path, error);
    if (status != TQ_OK)
        tqi_source_close(source);
    return status;
}

void tqi_source_close(tqi_source *source) {
    if (source->fd < 0)
        return;
    if (source->data)
        munmap((void *)(uintptr_t)source->data, (size_t)source->size);
    close(source->fd);
    source->data = NULL;
    source->fd = -1;
}

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
    (void)scratch;
    (void)error;
#ifdef __linux__
    enum { POPULATE_READ = 22 }; /* Linux 5.14 */
    advise(source, offset, size, POPULATE_READ);
#endif
    *bytes = source->data + offset;
    return TQ_OK;
}

void tqi_source_done(const tqi_source *source, uint64_t offset, size_t size) {
    advise(source, offset, size, MADV_DONTNEED);
}
