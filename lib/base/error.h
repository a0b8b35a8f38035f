/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the library every function that can fail takes a tq_error that is never
 * NULL and of full size; lib/api copies it to the caller's. */
#ifndef TQI_BASE_ERROR_H
#define TQI_BASE_ERROR_H

#include "tfquant/tfquant.h"

#if defined(__GNUC__) || defined(__clang__)
#define TQI_PRINTF(text, rest) __attribute__((format(printf, text, rest)))
#else
#define TQI_PRINTF(text, rest)
#endif

#define TQI_TRY(call)                                                                              \
    do {                                                                                           \
        tq_status tqi_try_status_ = (call);                                                        \
        if (tqi_try_status_ != TQ_OK)                                                              \
            return tqi_try_status_;                                                                \
    } while (0)

/* Names in messages come from files: keeps it one printable line of UTF-8. */
void tqi_clean_line(char *message);

/* Each fills the error and returns `status`. */
tq_status tqi_fail(tq_error *error, tq_status status, const char *format, ...) TQI_PRINTF(3, 4);
tq_status tqi_fail_at(tq_error *error, tq_status status, uint64_t offset, const char *format, ...)
    TQI_PRINTF(4, 5);
/* `code` is an errno value; its text is appended to the message. */
tq_status tqi_fail_system(tq_error *error, tq_status status, int code, const char *format, ...)
    TQI_PRINTF(4, 5);

#endif
