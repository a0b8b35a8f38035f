/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "io/sink.h"

static tq_status write_file(tqi_sink *base, uint64_t offset, const void *data, size_t size,
                            tq_error *error) {
    tqi_file_sink *sink = (tqi_file_sink *)base;
    const unsigned char *at = data;
    for (size_t done = 0; done < size;) {
        ssize_t put = pwrite(sink->fd, at + done, size - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return tqi_fail_system(error, TQ_ERR_WRITE, put < 0 ? errno : ENOSPC, "writing %s",
                                   sink->path);
        done += (size_t)put;
    }
    return TQ_OK;
}

/* Sets sink->path; `mode` gets the permissions of a file that is replaced, else -1. */
static tq_status check_target(tqi_file_sink *sink, const char *path, const tqi_source *source,
                              int *mode, tq_error *error) {
    struct stat info;
    char resolved[PATH_MAX];
    const char *target = path;
    bool exists = lstat(path, &info) == 0;
    if (!exists && errno != ENOENT)
        return tqi_fail_system(error, TQ_ERR_OPEN, errno, "%s", path);
    if (exists && S_ISLNK(info.st_mode)) {
        target = resolved;
        if (!realpath(path, resolved) || stat(resolved, &info) != 0)
            return tqi_fail_system(error, TQ_ERR_OPEN, errno, "%s: the link leads nowhere", path);
    }
    tq_status status = TQ_OK;
    if (exists) {
        if (source->fd >= 0 && (uint64_t)info.st_dev == source->device &&
            (uint64_t)info.st_ino == source->inode)
            status = tqi_fail(error, TQ_ERR_SAME_FILE, "%s is the file that the model is read from",
                              path);
        else if (!S_ISREG(info.st_mode))
            status = tqi_fail(error, TQ_ERR_OPEN, "%s exists and is not a regular file", path);
        else if (!sink->overwrite)
            status = tqi_fail(error, TQ_ERR_EXISTS, "%s exists", path);
        *mode = (int)(info.st_mode & 07777);
    }
    if (status == TQ_OK) {
        sink->path_size = strlen(target) + 1;
        sink->path = tqi_alloc(sink->heap, sink->path_size);
        if (sink->path)
            memcpy(sink->path, target, sink->path_size);
        else
            status = tqi_no_memory(sink->heap, sink->path_size, error);
    }
    return status;
}

/* In the directory of `path`, under a short name: the output's own may be as long as they get. */
static tq_status create_temporary(tqi_file_sink *sink, int mode, tq_error *error) {
    const char *slash = strrchr(sink->path, '/');
    int directory = slash ? (int)(slash - sink->path) + 1 : 0;
    sink->temporary_size = sink->path_size + 32;
    sink->temporary = tqi_alloc(sink->heap, sink->temporary_size);
    if (!sink->temporary)
        return tqi_no_memory(sink->heap, sink->temporary_size, error);
    for (int attempt = 0; attempt < 1000; attempt++) {
        snprintf(sink->temporary, sink->temporary_size, "%.*s.tq%ld-%d", directory, sink->path,
                 (long)getpid(), attempt);
        sink->fd = open(sink->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (sink->fd >= 0 || errno != EEXIST)
            break;
    }
    if (sink->fd < 0) {
        tq_status status =
            tqi_fail_system(error, TQ_ERR_OPEN, errno, "%s can't be created", sink->path);
        tqi_free(sink->heap, sink->temporary, sink->temporary_size);
        sink->temporary = NULL; /* not ours: nothing for abort to remove */
        return status;
    }
    if (mode >= 0)
        (void)fchmod(sink->fd,
                     (mode_t)mode); /* as the replaced file had; not all file systems can */
    return TQ_OK;
}

tq_status tqi_sink_file(tqi_file_sink *sink, tqi_heap *heap, const char *path, bool overwrite,
                        const tqi_source *source, tq_error *error) {
    *sink = (tqi_file_sink){
        .base = {false, write_file}, .fd = -1, .overwrite = overwrite, .heap = heap};
    int mode = -1;
    tq_status status = check_target(sink, path, source, &mode, error);
    if (status == TQ_OK)
        status = create_temporary(sink, mode, error);
    if (status != TQ_OK)
        tqi_sink_file_abort(sink);
    return status;
}

static void release(tqi_file_sink *sink) {
    tqi_free(sink->heap, sink->path, sink->path_size);
    tqi_free(sink->heap, sink->temporary, sink->temporary_size);
    sink->path = sink->temporary = NULL;
}

/* Without `overwrite`, a file that appeared meanwhile must survive: link() refuses to
 * replace it where rename() would not. */
static int move_into_place(const tqi_file_sink *sink) {
    if (sink->overwrite)
        return rename(sink->temporary, sink->path);
    if (link(sink->temporary, sink->path) == 0)
        return unlink(sink->temporary);
    if (errno == EEXIST)
        return -1;
    struct stat info; /* a file system without hard links */
    if (lstat(sink->path, &info) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(sink->temporary, sink->path);
}

tq_status tqi_sink_file_commit(tqi_file_sink *sink, bool sync, tq_error *error) {
    int failed = 0;
    if (sync && fsync(sink->fd) != 0)
        failed = errno;
    if (close(sink->fd) != 0 && failed == 0)
        failed = errno;
    sink->fd = -1;
    if (failed) {
        tqi_fail_system(error, TQ_ERR_WRITE, failed, "writing %s", sink->path);
        tqi_sink_file_abort(sink);
        return TQ_ERR_WRITE;
    }
    if (move_into_place(sink) != 0) {
        tq_status status = errno == EEXIST ? TQ_ERR_EXISTS : TQ_ERR_WRITE;
        tqi_fail_system(error, status, errno, "%s can't be put in place", sink->path);
        tqi_sink_file_abort(sink);
        return status;
    }
    release(sink);
    return TQ_OK;
}

void tqi_sink_file_abort(tqi_file_sink *sink) {
    if (sink->fd >= 0)
        close(sink->fd);
    sink->fd = -1;
    if (sink->temporary)
        unlink(sink->temporary);
    release(sink);
}
