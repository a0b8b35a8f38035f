/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include "io/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* Below this a mapping is used in place: faster, and too small to matter in memory. */
enum { FETCH_IN_PLACE = 32 * 1024 * 1024 };

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

tq_status tqi_source_fetch(const tqi_source *source, uint64_t offset, size_t size, void *scratch,
                           const uint8_t **bytes, tq_error *error) {
    if (source->fd < 0 || source->size <= FETCH_IN_PLACE) {
        *bytes = source->data + offset;
        return TQ_OK;
    }
    uint8_t *at = scratch;
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(source->fd, at + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tqi_fail_system(error, TQ_ERR_READ, errno, "reading the model at byte %" PRIu64,
                                   offset + done);
        if (got == 0)
            return tqi_fail_at(error, TQ_ERR_READ, offset + done,
                               "the model's file became shorter while it was in use");
        done += (size_t)got;
    }
    *bytes = scratch;
    return TQ_OK;
}
