/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* realpath() */
#include "tfquant_output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool is_stdout(const char *path) {
    return path == NULL || strcmp(path, "-") == 0;
}

bool is_special(const char *path) {
    struct stat file;
    return stat(path, &file) == 0 && !S_ISREG(file.st_mode) && !S_ISDIR(file.st_mode);
}

static bool is_same(const struct stat *file, const char *path) {
    struct stat other;
    return stat(path, &other) == 0 && other.st_dev == file->st_dev && other.st_ino == file->st_ino;
}

bool stdout_is_file(const char *path) {
    struct stat out;
    return fstat(STDOUT_FILENO, &out) == 0 && S_ISREG(out.st_mode) && is_same(&out, path);
}

static tq_status fail(tq_error *error, tq_status status, int code, const char *message) {
    error->status = status;
    error->system_code = code;
    snprintf(error->message, sizeof error->message, "%s", message);
    return status;
}

static tq_status open_stream(struct output *output, const char *path, tq_error *error) {
    output->descriptor = is_stdout(path) ? STDOUT_FILENO : open(path, O_WRONLY | O_CLOEXEC);
    if (output->descriptor < 0)
        return fail(error, TQ_ERR_OPEN, errno, "can't be opened for writing");
    /* A reader that goes away is an error to report. */
    signal(SIGPIPE, SIG_IGN);
    return TQ_OK;
}

/* Sets output->path, to where a link leads; `mode` becomes that of a file to replace. */
static tq_status check_target(struct output *output, const char *path, const char *input,
                              mode_t *mode, tq_error *error) {
    struct stat file;
    const bool there = lstat(path, &file) == 0;
    if (!there && errno != ENOENT)
        return fail(error, TQ_ERR_OPEN, errno, "can't be written");
    output->path = there && S_ISLNK(file.st_mode) ? realpath(path, NULL) : strdup(path);
    if (output->path == NULL)
        return fail(error, TQ_ERR_OPEN, errno, "can't be written");
    if (!there)
        return TQ_OK;
    if (stat(output->path, &file) != 0)
        return fail(error, TQ_ERR_OPEN, errno, "can't be written");
    if (is_same(&file, input))
        return fail(error, TQ_ERR_SAME_FILE, 0, "is the input file");
    if (!S_ISREG(file.st_mode))
        return fail(error, TQ_ERR_OPEN, 0, "exists and is not a regular file");
    if (!output->overwrite)
        return fail(error, TQ_ERR_EXISTS, 0, "exists");
    *mode = file.st_mode & 07777;
    return TQ_OK;
}

/* Under a short name: the output's own may be as long as they get. */
static tq_status create_temporary(struct output *output, tq_error *error) {
    const char *slash = strrchr(output->path, '/');
    const int folder = slash != NULL ? (int)(slash - output->path) + 1 : 0;
    const size_t size = (size_t)folder + 48;
    output->temporary = malloc(size);
    if (output->temporary == NULL)
        return fail(error, TQ_ERR_OUT_OF_MEMORY, 0, "out of memory");
    for (int attempt = 0; attempt < 1000 && output->descriptor < 0; attempt++) {
        snprintf(output->temporary, size, "%.*s.tfquant%ld-%d", folder, output->path,
                 (long)getpid(), attempt);
        output->descriptor = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (output->descriptor < 0 && errno != EEXIST)
            break;
    }
    if (output->descriptor >= 0)
        return TQ_OK;
    const int code = errno;
    free(output->temporary); /* not ours: nothing to remove */
    output->temporary = NULL;
    return fail(error, TQ_ERR_OPEN, code, "can't be created");
}

tq_status output_open(struct output *output, const char *path, bool overwrite, const char *input,
                      tq_error *error) {
    mode_t mode = 0;
    *output = (struct output){.descriptor = -1, .overwrite = overwrite};
    if (is_stdout(path) || is_special(path))
        return open_stream(output, path, error);
    tq_status status = check_target(output, path, input, &mode, error);
    if (status == TQ_OK)
        status = create_temporary(output, error);
    if (status != TQ_OK)
        output_abort(output);
    else if (mode != 0 && fchmod(output->descriptor, mode) != 0)
        errno = 0; /* not all file systems can */
    return status;
}

int output_write(const struct output *output, const void *data, size_t size) {
    const char *at = data;
    while (size != 0) {
        const ssize_t written = write(output->descriptor, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        at += written;
        size -= (size_t)written;
    }
    return 0;
}

/* Closing is where some file systems say that the disk is full. */
static int close_once(struct output *output) {
    const int descriptor = output->descriptor;
    output->descriptor = -1;
    return descriptor < 0 || descriptor == STDOUT_FILENO ? 0 : close(descriptor);
}

/* A file that appeared meanwhile must survive: link() refuses to replace it where rename() would
 * not. */
static int move_into_place(const struct output *output) {
    struct stat file;
    if (output->overwrite)
        return rename(output->temporary, output->path);
    if (link(output->temporary, output->path) == 0)
        return unlink(output->temporary);
    if (errno == EEXIST)
        return -1;
    if (lstat(output->path, &file) == 0) { /* a file system without hard links */
        errno = EEXIST;
        return -1;
    }
    return rename(output->temporary, output->path);
}

tq_status output_commit(struct output *output, tq_error *error) {
    tq_status status = TQ_OK;
    if (close_once(output) != 0)
        status = fail(error, TQ_ERR_WRITE, errno, "can't be written");
    else if (output->path != NULL && move_into_place(output) != 0)
        status = errno == EEXIST ? fail(error, TQ_ERR_EXISTS, 0, "exists")
                                 : fail(error, TQ_ERR_WRITE, errno, "can't be put in place");
    if (status == TQ_OK) {
        free(output->temporary); /* it is in place: nothing to remove */
        output->temporary = NULL;
    }
    output_abort(output);
    return status;
}

void output_abort(struct output *output) {
    close_once(output);
    if (output->temporary != NULL)
        unlink(output->temporary);
    free(output->temporary);
    free(output->path);
    output->temporary = output->path = NULL;
}
