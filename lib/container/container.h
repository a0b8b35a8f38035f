/* SPDX-License-Identifier: Apache-2.0 */
/* A file that holds others, whatever its format: what is in it, and the same with some members
 * replaced. */
#ifndef TQI_CONTAINER_CONTAINER_H
#define TQI_CONTAINER_CONTAINER_H

#include "bundle/zip_inflate.h"
#include "bundle/zip_write.h"
#include "container/litertlm.h"

typedef struct tqi_member {
    const char *name;
    bool is_directory, is_deflated;
    uint64_t size;        /* of the content */
    uint64_t offset;      /* in the source */
    uint64_t stored_size; /* there */
} tqi_member;

typedef struct tqi_container {
    uint32_t format; /* TQ_FORMAT_... */
    tqi_source *source;
    tqi_zip zip;
    tqi_litertlm litertlm;
    tqi_member *members;
    uint32_t n_members;
} tqi_container;

/* By the first bytes, or, for a ZIP behind something else, by the last. Anything unknown is taken
 * for a .tflite. */
tq_status tqi_container_detect(tqi_source *source, uint32_t *format, tq_error *error);
enum { TQI_SNIFF_SIZE = 16 };

/* What is in a member, as far as its first bytes tell; TQ_FORMAT_TFLITE only for what says so. */
bool tqi_container_sniff(const uint8_t *start, uint64_t size, uint32_t *format);

/* `max_output` bounds what the deflated members may become together; it is reduced by what
 * they do. All checksums are checked. */
tq_status tqi_container_open(tqi_container *container, uint32_t format, tqi_source *source,
                             uint64_t *max_output, tqi_arena *arena, tq_error *error);

/* The content in order, piece by piece. */
tq_status tqi_container_read(const tqi_container *container, uint32_t member, tqi_heap *heap,
                             tqi_zip_taker take, void *opaque, tq_error *error);

/* What becomes of a member; all zero: it stays as it is. */
typedef struct tqi_member_change {
    bool replaced;
    bool deflated;        /* ZIP: else stored */
    uint64_t size;        /* of the new content */
    uint64_t packed_size; /* deflated: what that takes */
    uint32_t alignment;   /* ZIP, stored: of its first byte, a power of two; 0: any */
} tqi_member_change;

typedef struct tqi_payload {
    uint32_t member;
    uint64_t offset; /* in the new file */
} tqi_payload;

typedef struct tqi_container_layout {
    const tqi_container *container;
    uint64_t size;
    tqi_payload *payloads; /* replaced members, by offset */
    uint32_t n_payloads;
    tqi_zip_layout zip;
    tqi_litertlm_layout litertlm;
} tqi_container_layout;

/* With nothing replaced the result is byte for byte the same. What is given and the arena must
 * outlive the layout. */
tq_status tqi_container_layout_make(tqi_container_layout *layout, const tqi_container *container,
                                    const tqi_member_change *changes, tqi_arena *arena,
                                    tq_error *error);

/* Everything between payload `part` - 1 and payload `part`, in order if the parts are. `crcs` has
 * the CRC-32 of each payload's content; only a ZIP wants them. */
tq_status tqi_container_write_part(const tqi_container_layout *layout, uint32_t part,
                                   const uint32_t *crcs, tqi_sink *sink, tqi_heap *heap,
                                   tq_error *error);

#endif
