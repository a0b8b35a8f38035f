/* SPDX-License-Identifier: Apache-2.0 */
/* What zlib calls for memory, with a tqi_heap as the opaque pointer. */
#ifndef TQI_BUNDLE_ZIP_MEMORY_H
#define TQI_BUNDLE_ZIP_MEMORY_H

void *tqi_zip_allocate(void *heap, unsigned count, unsigned size);
void tqi_zip_release(void *heap, void *memory);

#endif
