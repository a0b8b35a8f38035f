/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names in messages come from files: keep the message one printable line. */
static void clean(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

static void fill(tq_error *error, tq_status status, uint64_t offset, const char *format,
                 va_list arguments) {
    *error = (tq_error)TQ_ERROR_INIT;
    error->status = status;
    error->offset = offset;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    clean(error->message);
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
    }
    return status;
}
