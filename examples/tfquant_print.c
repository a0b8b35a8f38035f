/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include "utf8_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct cli_size cli_format_size(uint64_t bytes) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    struct cli_size size;
    if (bytes < 1024) {
        snprintf(size.text, sizeof size.text, "%" PRIu64 " B", bytes);
        return size;
    }
    double value = (double)bytes / 1024;
    size_t unit = 0;
    /* 1023.995 would be printed as 1024.00. */
    while (value >= 1023.995 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(size.text, sizeof size.text, "%.2f %s", value, units[unit]);
    return size;
}

void cli_print_shape(FILE *file, const int32_t *shape, const int32_t *signature, uint32_t rank) {
    putc('[', file);
    for (uint32_t i = 0; i < rank; i++) {
        if (i != 0)
            fputs(", ", file);
        if (signature != NULL && signature[i] < 0)
            putc('?', file);
        else
            fprintf(file, "%" PRId32, shape[i]);
    }
    putc(']', file);
}

/* Characters that move a terminal's cursor or worse: C0, DEL, and C1 as UTF-8. */
static bool is_control(const char *text, size_t length) {
    const unsigned char first = (unsigned char)text[0];
    return (length == 1 && (first < 0x20 || first == 0x7F)) ||
           (length == 2 && first == 0xC2 && (unsigned char)text[1] < 0xA0);
}

void cli_print_name(FILE *file, const char *name, uint32_t columns) {
    uint32_t column = 0;
    while (*name != '\0') {
        if (columns != 0 && ++column > columns) {
            fputs("...", file);
            return;
        }
        const size_t length = utf8_character(name);
        if (length == 0 || is_control(name, length))
            putc('?', file);
        else
            fwrite(name, 1, length, file);
        name += length != 0 ? length : 1;
    }
}

bool cli_is_float(int32_t type) {
    const char *name = tq_type_name(type);
    return strncmp(name, "FLOAT", 5) == 0 || strcmp(name, "BFLOAT16") == 0;
}

static void print_error_place(const tq_error *error) {
    const char *between = " at ";
    if (error->offset != TQ_NO_OFFSET) {
        fprintf(stderr, "%sbyte %" PRIu64, between, error->offset);
        between = ", ";
    }
    const struct {
        const char *what;
        int32_t index;
    } places[] = {
        {"subgraph", error->subgraph}, {"operator", error->op}, {"tensor", error->tensor}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i].index == TQ_NO_INDEX)
            continue;
        fprintf(stderr, "%s%s %" PRId32, between, places[i].what, places[i].index);
        between = ", ";
    }
}

static void put_index(struct json_out *json, const char *key, int32_t index) {
    json_key(json, key);
    if (index == TQ_NO_INDEX)
        json_null(json);
    else
        json_int(json, index);
}

static void json_error(const struct cli_options *options, const char *path, const tq_error *error,
                       FILE *file) {
    struct json_out json;
    cli_json_begin(&json, options, file);
    json_key(&json, "error");
    json_open(&json, '{');
    json_put_string(&json, "status", tq_status_name(error->status));
    json_put_int(&json, "code", error->status);
    json_put_string(&json, "message", error->message);
    json_key(&json, "path");
    if (path != NULL)
        json_string(&json, path);
    else
        json_null(&json);
    json_put_int(&json, "system_code", error->system_code);
    put_index(&json, "subgraph", error->subgraph);
    put_index(&json, "op", error->op);
    put_index(&json, "tensor", error->tensor);
    json_key(&json, "offset");
    if (error->offset == TQ_NO_OFFSET)
        json_null(&json);
    else
        json_uint(&json, error->offset);
    json_close(&json, '}');
    cli_json_end(&json);
}

enum cli_exit cli_report_error(const struct cli_options *options, const char *path,
                               const tq_error *error, FILE *json_file) {
    if (options->json)
        json_error(options, path, error, json_file);
    /* A reader of JSON on standard error gets nothing else there. */
    if (options->json && json_file == stderr)
        return CLI_ERROR;
    fputs("tfquant: ", stderr);
    if (path != NULL && strstr(error->message, path) == NULL) {
        cli_print_name(stderr, path, 0);
        fputs(": ", stderr);
    }
    cli_print_name(stderr, error->message, 0);
    if (error->system_code != 0 && strstr(error->message, strerror(error->system_code)) == NULL)
        fprintf(stderr, ": %s", strerror(error->system_code));
    fprintf(stderr, " (%s", tq_status_name(error->status));
    print_error_place(error);
    fputs(")\n", stderr);
    return CLI_ERROR;
}

bool cli_is_about_output(tq_status status) {
    return status == TQ_ERR_OPEN || status == TQ_ERR_WRITE || status == TQ_ERR_EXISTS ||
           status == TQ_ERR_SAME_FILE;
}

void cli_json_begin(struct json_out *json, const struct cli_options *options, FILE *file) {
    char version[40];
    const uint32_t number = tq_version();
    snprintf(version, sizeof version, "%" PRIu32 ".%" PRIu32 ".%" PRIu32, number >> 16,
             number >> 8 & 0xFF, number & 0xFF);
    json_begin(json, file);
    json_open(json, '{');
    json_put_string(json, "tool", "tfquant");
    json_put_string(json, "version", version);
    json_put_string(json, "command", options->command_name);
}

void cli_json_end(struct json_out *json) {
    json_close(json, '}');
    json_end(json);
}

enum cli_exit cli_finish_output(FILE *file, enum cli_exit result) {
    if (fflush(file) == 0 && !ferror(file))
        return result;
    if (file != stderr)
        fprintf(stderr, "tfquant: writing the report failed: %s\n", strerror(errno));
    return CLI_ERROR;
}
