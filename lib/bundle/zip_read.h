/* SPDX-License-Identifier: Apache-2.0 */
/* A ZIP archive in a range of a source: a file of its own, a stored member of another archive, or
 * what lies behind a flatbuffer. Every byte of the range is accounted for, so that the archive can
 * be written again as it is. Nothing is taken on trust: what is here was checked against
 * all places of the archive that say it. */
#ifndef TQI_BUNDLE_ZIP_READ_H
#define TQI_BUNDLE_ZIP_READ_H

#include "base/error.h"
#include "base/heap.h"
#include "io/source.h"

/* Bytes of the source. */
typedef struct tqi_zip_range {
    uint64_t offset, size;
} tqi_zip_range;

typedef struct tqi_zip_limits {
    uint64_t max_output;  /* bytes of all deflated members together, inflated; 0: any */
    uint64_t max_ratio;   /* of a deflated member's size to its packed size; 0: any */
    uint64_t max_members; /* 0: any */
} tqi_zip_limits;

typedef struct tqi_zip_member {
    const char *name; /* as in the archive; ends with a NUL, holds none */
    uint16_t name_size;
    bool is_directory;
    bool wide_offset; /* the offset field has 64 bits, in an extra field */
    uint16_t made_by, needed, flags, method, time, date, internal_attributes;
    uint32_t external_attributes;
    uint32_t crc;
    uint64_t packed_size, size;
    tqi_zip_range central; /* its record in the directory; addressable */
    tqi_zip_range central_extra, comment;
    uint64_t offset_field; /* in the source: of the field that says where `local` is */
    uint64_t offset_value; /* what it says */
    tqi_zip_range before;  /* bytes between the previous member and this one, of no use known */
    tqi_zip_range local;   /* header with name and extra; addressable */
    tqi_zip_range local_extra;
    tqi_zip_range data;
    tqi_zip_range descriptor; /* size 0: none */
} tqi_zip_member;

typedef struct tqi_zip {
    tqi_source *source;
    tqi_zip_range whole;
    tqi_zip_member *members; /* in the order of the directory */
    uint32_t n_members;
    tqi_zip_member **by_position; /* in the order of their bytes */
    tqi_zip_range before_directory, directory, before_end;
    tqi_zip_range end64, locator; /* size 0: no ZIP64 */
    tqi_zip_range end, comment;   /* `end` holds the comment; addressable */
    tqi_zip_range behind_end;     /* zeros */
    /* Offsets in the archive are counted from this byte of the source, modulo 2^64: it may
     * even lie before it, where something was cut off. */
    uint64_t base;
    bool from_file; /* that is the start of the file, and not of the range */
} tqi_zip;

/* The range is in the source. What `zip` points at is in the arena and the source. Messages
 * name the member and the byte of the source. TQ_ERR_CORRUPT: damaged, or made to deceive;
 * TQ_ERR_UNSUPPORTED: encrypted, in several parts, unknown methods; TQ_ERR_TOO_LARGE: beyond the
 * limits. */
tq_status tqi_zip_open(tqi_zip *zip, tqi_source *source, uint64_t offset, uint64_t size,
                       const tqi_zip_limits *limits, tqi_arena *arena, tq_error *error);

/* Whether there is an archive in the range, maybe behind something else, as far as its end record
 * and its directory's place tell: a few KiB are read. Fails only if reading does. */
tq_status tqi_zip_probe(tqi_source *source, uint64_t offset, uint64_t size, bool *is_zip,
                        tq_error *error);

/* NULL: no member of this name. */
const tqi_zip_member *tqi_zip_find(const tqi_zip *zip, const char *name);

#endif
