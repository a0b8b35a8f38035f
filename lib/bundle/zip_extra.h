/* SPDX-License-Identifier: Apache-2.0 */
/* The extra fields of a header: a list of (id, size, data), sometimes with zeros behind it. */
#ifndef TQI_BUNDLE_ZIP_EXTRA_H
#define TQI_BUNDLE_ZIP_EXTRA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tqi_zip_extra {
    const uint8_t *bytes;
    size_t size;
} tqi_zip_extra;

/* The data of the first field with this id; false: there is none. */
bool tqi_zip_extra_find(tqi_zip_extra extra, uint16_t id, tqi_zip_extra *data);

/* What a new header keeps: all but ZIP64 sizes, and, where `realign`, what aligned the
 * data. Returns the size; `out` NULL: only that. */
size_t tqi_zip_extra_keep(tqi_zip_extra extra, bool realign, uint8_t *out);

#endif
