/* SPDX-License-Identifier: Apache-2.0 */
/* New headers, made from those of the source and a layout. Each returns the record's size;
 * `out` NULL: only that. */
#ifndef TQI_BUNDLE_ZIP_RECORDS_H
#define TQI_BUNDLE_ZIP_RECORDS_H

#include "bundle/zip_layout.h"

size_t tqi_zip_make_local(const tqi_zip_layout *layout, uint32_t member, uint32_t crc,
                          uint8_t *out);
/* `crc` counts only for replaced members. */
size_t tqi_zip_make_central(const tqi_zip_layout *layout, uint32_t member, uint32_t crc,
                            uint8_t *out);
/* Of ZIP64 too, where one is needed or was there. */
size_t tqi_zip_make_ending(const tqi_zip_layout *layout, uint8_t *out);

/* The extra fields of a new local header, without padding, which also takes away what padding
 * was there if the member is to be aligned. */
size_t tqi_zip_local_extra_size(const tqi_zip_layout *layout, uint32_t member);
/* All extra fields of a record fit. */
bool tqi_zip_central_fits(const tqi_zip_layout *layout, uint32_t member);

#endif
