/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a member: inflated where it is deflated, its size and CRC checked. */
#ifndef TQI_BUNDLE_ZIP_INFLATE_H
#define TQI_BUNDLE_ZIP_INFLATE_H

#include "bundle/zip_read.h"

/* Gets the bytes in order; a status other than TQ_OK (with the error filled) ends the reading. */
typedef tq_status (*tqi_zip_taker)(void *opaque, const uint8_t *bytes, size_t size,
                                   tq_error *error);

/* Hands the content over piece by piece; `take` NULL: only checks it. Never more than the
 * member's size, of which tqi_zip_open checked that the limits allow it. What was handed over
 * is good only if this returns TQ_OK. Safe from several threads, for different members too. */
tq_status tqi_zip_read(const tqi_zip *zip, const tqi_zip_member *member, tqi_heap *heap,
                       tqi_zip_taker take, void *opaque, tq_error *error);

/* The same into memory, which has room for member->size bytes. */
tq_status tqi_zip_read_into(const tqi_zip *zip, const tqi_zip_member *member, tqi_heap *heap,
                            uint8_t *memory, tq_error *error);

#endif
