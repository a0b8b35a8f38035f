/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON to a stream. Text is passed through as UTF-8, with U+FFFD for
 * bytes that are not; numbers that JSON does not have (NaN, infinity) become
 * null. In an object each value is preceded by json_key().
 */
#ifndef TFQUANT_EXAMPLES_JSON_OUT_H
#define TFQUANT_EXAMPLES_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_out {
    FILE *file;
    unsigned depth;
    unsigned flat_from; /* depth from which all is on one line; 0: nowhere */
    bool comma;         /* the next element has one before it */
    bool after_key;
};

void json_begin(struct json_out *json, FILE *file);
void json_end(struct json_out *json); /* the final newline */

void json_open(struct json_out *json, char bracket); /* '{' or '[' */
void json_open_flat(struct json_out *json, char bracket);
void json_close(struct json_out *json, char bracket); /* '}' or ']' */

void json_key(struct json_out *json, const char *key);
void json_string(struct json_out *json, const char *text);
void json_uint(struct json_out *json, uint64_t value);
void json_int(struct json_out *json, int64_t value);
void json_double(struct json_out *json, double value);
void json_float(struct json_out *json, float value);
void json_bool(struct json_out *json, bool value);
void json_null(struct json_out *json);

/* A key and its value. */
void json_put_string(struct json_out *json, const char *key, const char *text);
void json_put_uint(struct json_out *json, const char *key, uint64_t value);
void json_put_int(struct json_out *json, const char *key, int64_t value);
void json_put_double(struct json_out *json, const char *key, double value);
void json_put_bool(struct json_out *json, const char *key, bool value);
void json_put_ints(struct json_out *json, const char *key, const int32_t *values, uint32_t count);

#endif
