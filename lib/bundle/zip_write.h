/* SPDX-License-Identifier: Apache-2.0 */
/* Writes all of a laid out archive except for the content of the replaced members. Their CRCs
 * must be known then: where the sink takes bytes in any order, write the frame last;
 * where it does not, make the content twice, first for the CRC. */
#ifndef TQI_BUNDLE_ZIP_WRITE_H
#define TQI_BUNDLE_ZIP_WRITE_H

#include "bundle/zip_layout.h"
#include "io/sink.h"

typedef struct tqi_zip_write {
    const tqi_zip_layout *layout;
    const uint32_t *crcs; /* of the replaced members' content, in the order of layout->payloads */
    tqi_sink *sink;       /* its byte 0 is the archive's first */
    tqi_heap *heap;
    /* Told of bytes written; a status other than TQ_OK ends the writing. NULL: nobody is. */
    tq_status (*tick)(void *opaque, uint64_t bytes, tq_error *error);
    void *opaque;
} tqi_zip_write;

/* Everything between content `part` - 1 and content `part`: 0 is what comes before the
 * first, layout->n_payloads what comes behind the last, with the directory. For a sequential
 * sink: part 0, content 0, part 1, content 1 and so on. */
tq_status tqi_zip_write_part(const tqi_zip_write *write, uint32_t part, tq_error *error);

/* All parts. */
tq_status tqi_zip_write_frame(const tqi_zip_write *write, tq_error *error);

#endif
