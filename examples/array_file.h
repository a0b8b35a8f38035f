/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays in files: .npy as NumPy writes it (versions 1.0 to 3.0, either byte order, C or Fortran
 * order), and raw ones, which hold values and nothing else. Functions that fail fill `error`; the
 * message does not name the file.
 */
#ifndef TFQUANT_EXAMPLES_ARRAY_FILE_H
#define TFQUANT_EXAMPLES_ARRAY_FILE_H

#include <tfquant/tfquant.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TensorType of the TFLite schema: what arrays can be read as. */
enum {
    ARRAY_FLOAT32 = 0,
    ARRAY_INT32 = 2,
    ARRAY_UINT8 = 3,
    ARRAY_INT64 = 4,
    ARRAY_BOOL = 6,
    ARRAY_INT16 = 7,
    ARRAY_INT8 = 9,
};

enum { ARRAY_RANK = 16 };

struct array_file {
    void *map; /* the whole file; NULL: not ours */
    size_t size;
    const uint8_t *data; /* the values */
    uint64_t elements;   /* 1 or more; 0: raw, and array_file_describe() not called yet */
    uint64_t shape[ARRAY_RANK];
    uint32_t rank;
    uint32_t item; /* bytes of a value */
    char kind;     /* 'f', 'i', 'u' or 'b' for floats, signed and unsigned integers, booleans */
    bool is_raw;
    bool is_big_endian;
    bool is_fortran; /* the first index runs fastest */
};

/* Whether a file of this name is one to read: .npy, .raw or .bin. */
bool array_file_has_ending(const char *path);

/* By its ending. The file stays mapped until it is closed. */
tq_status array_file_open(struct array_file *file, const char *path, tq_error *error);
void array_file_close(struct array_file *file);

/* The same with the bytes of a .npy file in memory, which are borrowed. */
tq_status array_file_parse(struct array_file *file, const void *bytes, size_t size,
                           tq_error *error);
/* Says what a raw file holds: exactly one array of this type and shape. */
tq_status array_file_describe(struct array_file *file, int32_t type, const uint64_t *shape,
                              uint32_t rank, tq_error *error);

/* Bytes of a value of a type; 0: arrays can't be read as that. */
uint32_t array_type_size(int32_t type);

/* Writes `count` values from index `first` on, in row-major order, to `out` as `type`. Floats are
 * rounded to float32, integers must fit. `range`, or NULL, makes floats of uint8 values: 0 becomes
 * range[0], and 255 becomes range[1]. */
tq_status array_file_read(const struct array_file *file, uint64_t first, uint64_t count,
                          int32_t type, const double *range, void *out, tq_error *error);

/* Fills `error`, of which only status and message mean something then, and returns `status`. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
tq_status
array_fail(tq_error *error, tq_status status, const char *format, ...);

#endif
