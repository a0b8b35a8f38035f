/* SPDX-License-Identifier: Apache-2.0 */
/* ZIP archives for tests, made from a description, and ways to look at them. */
#ifndef ZIP_BUILDER_H
#define ZIP_BUILDER_H

#include "unit.h"

#include "bundle/zip_inflate.h"
#include "bundle/zip_write.h"

typedef enum zip_descriptor { NO_DESCRIPTOR, PLAIN, SIGNED, WIDE, WIDE_SIGNED } zip_descriptor;

typedef struct zip_member {
    const char *name;
    const char *content; /* NULL: none */
    size_t size;         /* 0: of the string; more: the string again and again */
    const bytes *file;   /* in place of a string */
    bool deflated;
    zip_descriptor descriptor;
    bool wide;       /* sizes in ZIP64 fields, and the offset */
    const char *gap; /* before it */
    size_t gap_size;
    const char *local_extra, *central_extra; /* without those of ZIP64 */
    size_t local_extra_size, central_extra_size;
    const char *comment;
    uint32_t attributes;
} zip_member;

typedef struct zip_plan {
    const zip_member *members;
    uint32_t n;
    const char *prefix, *comment;
    /* added to all offsets; the size of the prefix: they count from the file's start */
    uint64_t counted_from;
    bool reversed;          /* the directory lists the members backwards */
    bool wide;              /* ZIP64's end record */
    const char *end64_data; /* in it, behind its fields */
    size_t zeros;           /* behind the end */
} zip_plan;

#define PLAN(array) .members = (array), .n = COUNT(array)

bytes build_zip(const zip_plan *plan);

/* What the member holds. Free it. */
bytes zip_content(const zip_member *member);

/* The `index`-th place where a record of this kind starts; fails the test if there is none. */
size_t zip_record(bytes zip, uint32_t signature, uint32_t index);
void poke_u16(bytes zip, size_t at, uint32_t value);
void poke_u32(bytes zip, size_t at, uint32_t value);

/* An open archive with all that it wants. */
typedef struct opened_zip {
    tqi_heap heap;
    tqi_arena arena;
    tqi_source source;
    bytes *file; /* of a callback */
    tqi_zip zip;
    tq_error error;
} opened_zip;

/* Every limit is off. `file` must stay. */
tq_status open_zip(opened_zip *o, bytes *file, bool callback, uint64_t offset, uint64_t size);
tq_status open_whole_zip(opened_zip *o, bytes *file);
void close_zip(opened_zip *o);

/* The archive with changes, written in any order, or in sequence. contents[k] is for the
 * k-th payload of the layout. Checks that both give the same. */
bytes rewrite_zip(opened_zip *o, const tqi_zip_change *changes, const bytes *by_member,
                  uint64_t origin);
/* With nothing replaced. */
bytes copy_zip(opened_zip *o);

#endif
