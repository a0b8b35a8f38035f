/* SPDX-License-Identifier: Apache-2.0 */
/* A strict reader of JSON (RFC 8259): nothing that the grammar lacks (comments, trailing commas, a
 * byte order mark), only UTF-8, no key twice in an object. Text from anywhere does no harm: time
 * and memory grow with its size, and nesting is bounded. */
#ifndef TQI_BASE_JSON_H
#define TQI_BASE_JSON_H

#include "base/error.h"
#include "base/heap.h"

enum { TQI_JSON_DEPTH = 64 }; /* arrays and objects within each other, at most */

typedef enum tqi_json_type {
    TQI_JSON_NULL,
    TQI_JSON_BOOL,
    TQI_JSON_NUMBER,
    TQI_JSON_STRING,
    TQI_JSON_ARRAY,
    TQI_JSON_OBJECT,
} tqi_json_type;

/* UTF-8, with a NUL behind it that `length` doesn't count; escapes can put others into it. */
typedef struct tqi_json_string {
    const char *text;
    size_t length;
} tqi_json_string;

typedef struct tqi_json tqi_json;
struct tqi_json {
    tqi_json_type type;
    size_t at;           /* byte of the text where it begins */
    tqi_json_string key; /* of a member of an object */
    size_t key_at;
    union {
        bool boolean;
        double number; /* up to 15 digits and powers of ten to 22 are rounded correctly, all others
                          to a few units of the last place */
        tqi_json_string string;
        struct {
            tqi_json *first; /* in the order of the text */
            size_t count;
        };
    };
    tqi_json *next; /* in the same array or object */
};

typedef struct tqi_json_text {
    const char *data;
    size_t size;
    tq_status bad; /* for what is wrong with it */
} tqi_json_text;

/* The value that the text is; all of it lives in `arena`. Errors are as by tqi_json_fail(), or for
 * want of memory. */
tq_status tqi_json_read(const tqi_json_text *text, const tqi_json **root, tqi_arena *arena,
                        tq_error *error);

/* Fills the error, returns text->bad. The message begins with line and column of the byte `at`,
 * both from 1; columns are characters. */
tq_status tqi_json_fail(const tqi_json_text *text, size_t at, tq_error *error, const char *format,
                        ...) TQI_PRINTF(4, 5);

#endif
