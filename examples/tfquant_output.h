/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the tool writes itself; most are written by the library. */
#ifndef TFQUANT_EXAMPLES_TFQUANT_OUTPUT_H
#define TFQUANT_EXAMPLES_TFQUANT_OUTPUT_H

#include <tfquant/tfquant.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A path of standard output ("-" or NULL). */
bool is_stdout(const char *path);
/* A pipe or device, which can't be replaced by renaming a file over it. */
bool is_special(const char *path);
/* Whether standard output goes into the file at `path`. */
bool stdout_is_file(const char *path);

struct output {
    int descriptor;
    char *path;      /* NULL: a stream, written to directly */
    char *temporary; /* beside it, and renamed when complete */
    bool overwrite;
};

/* `input` is a file that must not be written to. On failure there is nothing to end. */
tq_status output_open(struct output *output, const char *path, bool overwrite, const char *input,
                      tq_error *error);
/* 0 or an errno value. */
int output_write(const struct output *output, const void *data, size_t size);
/* Both end it. After a failure of output_commit() too, there is no file left. */
tq_status output_commit(struct output *output, tq_error *error);
void output_abort(struct output *output);

#endif
