/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 character at `text`; 0: it is none, or cut off. */
static int character(const unsigned char *text) {
    if (*text < 0x80)
        return 1;
    int size = *text >= 0xf0 && *text < 0xf5 ? 4 : *text >= 0xe0 ? 3 : 2;
    if (*text < 0xc2 || *text >= 0xf5)
        return 0;
    for (int i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (*text == 0xe0 && text[1] < 0xa0) || (*text == 0xf0 && text[1] < 0x90);
    bool beyond = (*text == 0xf4 && text[1] > 0x8f) || (*text == 0xed && text[1] > 0x9f);
    return overlong || beyond ? 0 : size;
}

void tqi_clean_line(char *message) {
    for (unsigned char *text = (unsigned char *)message; *text;) {
        int size = character(text);
        if (size == 0 || *text < 0x20 || *text == 0x7f) {
            *text = '?';
            size = 1;
        }
        text += size;
    }
}

static void fill(tq_error *error, tq_status status, uint64_t offset, const char *format,
                 va_list arguments) {
    *error = (tq_error)TQ_ERROR_INIT;
    error->status = status;
    error->offset = offset;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    tqi_clean_line(error->message);
}

tq_status tqi_fail(tq_error *error, tq_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, TQ_NO_OFFSET, format, arguments);
    va_end(arguments);
    return status;
}

tq_status tqi_fail_at(tq_error *error, tq_status status, uint64_t offset, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, offset, format, arguments);
    va_end(arguments);
    return status;
}

tq_status tqi_fail_system(tq_error *error, tq_status status, int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, TQ_NO_OFFSET, format, arguments);
    va_end(arguments);
    error->system_code = code;
    char reason[128];
    if (strerror_r(code, reason, sizeof reason) == 0) {
        /* a long path gives way to the reason */
        size_t used = strlen(error->message), most = sizeof error->message - sizeof reason;
        if (used > most)
            used = most;
        snprintf(error->message + used, sizeof error->message - used, ": %s", reason);
        tqi_clean_line(error->message);
    }
    return status;
}
