/* SPDX-License-Identifier: Apache-2.0 */
/* Where everything goes in an archive that is written again with some members' content replaced.
 * Only sizes are needed. All offsets count from the archive's first
 * byte. With nothing replaced the result is byte for byte the same. */
#ifndef TQI_BUNDLE_ZIP_LAYOUT_H
#define TQI_BUNDLE_ZIP_LAYOUT_H

#include "bundle/zip_read.h"

enum { TQI_ZIP_MAX_ALIGNMENT = 32768 };

/* What becomes of a member; all zero: it stays as it is, packed data and all. */
typedef struct tqi_zip_change {
    bool replaced;
    bool deflated;        /* the new content comes deflated; else stored */
    uint64_t size;        /* of the new content */
    uint64_t packed_size; /* deflated: what it takes */
    uint32_t alignment;   /* stored: of its first byte, a power of two; 0: any */
} tqi_zip_change;

/* Bytes of a replaced member's payload. */
static inline uint64_t tqi_zip_payload_size(const tqi_zip_change *change) {
    return change->deflated ? change->packed_size : change->size;
}

typedef enum tqi_zip_piece_kind {
    TQI_ZIP_COPY, /* from the source */
    TQI_ZIP_ZEROS,
    TQI_ZIP_LOCAL,   /* a new header for a replaced member */
    TQI_ZIP_PAYLOAD, /* a replaced member's packed content: somebody else writes it */
    TQI_ZIP_CENTRAL, /* a changed record of the directory */
    TQI_ZIP_ENDING,  /* changed end records */
} tqi_zip_piece_kind;

typedef struct tqi_zip_piece {
    tqi_zip_piece_kind kind;
    uint64_t offset, size;
    uint64_t from;   /* COPY: byte of the source */
    uint32_t member; /* LOCAL, PAYLOAD, CENTRAL */
} tqi_zip_piece;

/* Of a member in the new archive. */
typedef struct tqi_zip_place {
    uint64_t offset;  /* what the directory says of where it is */
    uint32_t padding; /* bytes of the extra field that aligns its content; 0: none */
    uint32_t payload; /* replaced: index in `payloads` */
} tqi_zip_place;

typedef struct tqi_zip_payload {
    uint32_t member;
    uint64_t offset, size;
    uint32_t piece; /* index in `pieces` */
} tqi_zip_payload;

typedef struct tqi_zip_layout {
    const tqi_zip *zip;
    const tqi_zip_change *changes; /* as given */
    uint64_t size;                 /* of the archive */
    tqi_zip_payload *payloads;     /* by offset, which need not be the directory's order */
    uint32_t n_payloads;
    tqi_zip_piece *pieces; /* by offset; they cover the archive */
    uint32_t n_pieces;
    tqi_zip_place *places;                                   /* by member */
    uint64_t directory_size, directory_offset, end64_offset; /* as the end records tell them */
} tqi_zip_layout;

/* `changes` has an element per member. Byte 0 of the archive will be byte `origin` of the file:
 * alignments, and offsets where the archive counts them from the file's start, follow. What
 * is given and the arena must outlive the layout. Replacing a directory is an internal error. */
tq_status tqi_zip_layout_make(tqi_zip_layout *layout, const tqi_zip *zip,
                              const tqi_zip_change *changes, uint64_t origin, tqi_arena *arena,
                              tq_error *error);

#endif
