/* SPDX-License-Identifier: Apache-2.0 */
#include "json_out.h"

#include "utf8_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

void json_begin(struct json_out *json, FILE *file) {
    *json = (struct json_out){.file = file};
}

void json_end(struct json_out *json) {
    putc('\n', json->file);
}

static bool is_flat(const struct json_out *json) {
    return json->flat_from != 0 && json->depth >= json->flat_from;
}

static void new_line(struct json_out *json) {
    putc('\n', json->file);
    for (unsigned i = 0; i < json->depth; i++)
        fputs("  ", json->file);
}

/* What stands between the elements of an object or array. */
static void separate(struct json_out *json) {
    if (json->after_key) {
        json->after_key = false;
        return;
    }
    if (json->comma)
        putc(',', json->file);
    if (json->depth != 0 && !is_flat(json))
        new_line(json);
    else if (json->comma)
        putc(' ', json->file);
    json->comma = true;
}

void json_open(struct json_out *json, char bracket) {
    separate(json);
    putc(bracket, json->file);
    json->depth++;
    json->comma = false;
}

void json_open_flat(struct json_out *json, char bracket) {
    json_open(json, bracket);
    if (json->flat_from == 0)
        json->flat_from = json->depth;
}

void json_close(struct json_out *json, char bracket) {
    const bool flat = is_flat(json);
    if (json->flat_from == json->depth)
        json->flat_from = 0;
    json->depth--;
    if (json->comma && !flat)
        new_line(json);
    putc(bracket, json->file);
    json->comma = true;
}

static void put_text(struct json_out *json, const char *text) {
    putc('"', json->file);
    while (*text != '\0') {
        const size_t length = utf8_character(text);
        const unsigned char c = (unsigned char)*text;
        if (length == 0) {
            fputs("\xEF\xBF\xBD", json->file);
            text++;
            continue;
        }
        if (c == '"' || c == '\\')
            fprintf(json->file, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", json->file);
        else if (c == '\t')
            fputs("\\t", json->file);
        else if (c < 0x20 || c == 0x7F)
            fprintf(json->file, "\\u%04x", c);
        else
            fwrite(text, 1, length, json->file);
        text += length;
    }
    putc('"', json->file);
}

void json_key(struct json_out *json, const char *key) {
    separate(json);
    put_text(json, key);
    fputs(": ", json->file);
    json->after_key = true;
}

void json_string(struct json_out *json, const char *text) {
    separate(json);
    put_text(json, text);
}

void json_uint(struct json_out *json, uint64_t value) {
    separate(json);
    fprintf(json->file, "%" PRIu64, value);
}

void json_int(struct json_out *json, int64_t value) {
    separate(json);
    fprintf(json->file, "%" PRId64, value);
}

/* The fewest digits that read back as the same number. */
void json_double(struct json_out *json, double value) {
    char text[40];
    separate(json);
    if (!isfinite(value)) {
        fputs("null", json->file);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (digits == 17 || !(strtod(text, NULL) < value || strtod(text, NULL) > value))
            break;
    }
    fputs(text, json->file);
}

void json_float(struct json_out *json, float value) {
    char text[40];
    separate(json);
    if (!isfinite(value)) {
        fputs("null", json->file);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (digits == 9 || !(strtof(text, NULL) < value || strtof(text, NULL) > value))
            break;
    }
    fputs(text, json->file);
}

void json_bool(struct json_out *json, bool value) {
    separate(json);
    fputs(value ? "true" : "false", json->file);
}

void json_null(struct json_out *json) {
    separate(json);
    fputs("null", json->file);
}

void json_put_string(struct json_out *json, const char *key, const char *text) {
    json_key(json, key);
    json_string(json, text);
}

void json_put_uint(struct json_out *json, const char *key, uint64_t value) {
    json_key(json, key);
    json_uint(json, value);
}

void json_put_int(struct json_out *json, const char *key, int64_t value) {
    json_key(json, key);
    json_int(json, value);
}

void json_put_double(struct json_out *json, const char *key, double value) {
    json_key(json, key);
    json_double(json, value);
}

void json_put_bool(struct json_out *json, const char *key, bool value) {
    json_key(json, key);
    json_bool(json, value);
}

void json_put_ints(struct json_out *json, const char *key, const int32_t *values, uint32_t count) {
    json_key(json, key);
    json_open_flat(json, '[');
    for (uint32_t i = 0; i < count; i++)
        json_int(json, values[i]);
    json_close(json, ']');
}
