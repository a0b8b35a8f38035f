/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of tqi_zip_open, and what the files of this room share. */
#ifndef TQI_BUNDLE_ZIP_PRIVATE_H
#define TQI_BUNDLE_ZIP_PRIVATE_H

#include "bundle/zip_extra.h"
#include "bundle/zip_read.h"

/* What the end record says of the directory. */
typedef struct tqi_zip_claim {
    uint64_t entries, size, offset;
} tqi_zip_claim;

static inline uint64_t tqi_zip_range_end(tqi_zip_range range) {
    return range.offset + range.size;
}

/* Only for what was loaded. */
static inline const uint8_t *tqi_zip_at(const tqi_zip *zip, uint64_t offset) {
    return zip->source->data + offset;
}

static inline tqi_zip_extra tqi_zip_extra_of(const tqi_zip *zip, tqi_zip_range range) {
    return (tqi_zip_extra){tqi_zip_at(zip, range.offset), (size_t)range.size};
}

/* 1: the end record, also that of ZIP64, and from them where the directory is */
tq_status tqi_zip_locate(tqi_zip *zip, tqi_zip_claim *claim, tq_error *error);
/* 2: members, as far as the directory tells */
tq_status tqi_zip_read_directory(tqi_zip *zip, const tqi_zip_claim *claim,
                                 const tqi_zip_limits *limits, tqi_arena *arena, tq_error *error);
/* 3: no unsafe name, none twice */
tq_status tqi_zip_check_names(const tqi_zip *zip, tqi_arena *arena, tq_error *error);
/* 4: what is at the members' place */
tq_status tqi_zip_read_locals(tqi_zip *zip, tqi_arena *arena, tq_error *error);

/* Fills the error with "member 'name': ...". */
tq_status tqi_zip_refuse(const tqi_zip_member *member, tq_status status, uint64_t offset,
                         tq_error *error, const char *format, ...) TQI_PRINTF(5, 6);

#endif
