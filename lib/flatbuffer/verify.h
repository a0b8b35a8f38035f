/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TQI_FLATBUFFER_VERIFY_H
#define TQI_FLATBUFFER_VERIFY_H

#include "base/error.h"
#include "flatbuffer/schema_types.h"
#include "flatbuffer/view.h"
#include "io/source.h"

/* Everything reachable from the root lies inside the view, strings end in a zero byte, and
 * the schema knows every field and union member that is set: afterwards the file can be
 * read by view.h, and copied without loss. Work is bounded by the size of the
 * view, however often the file refers to the same table. Alignment is not demanded
 * (runtimes don't). All of it but BULK vectors is then present in the source's memory. Sets *end
 * behind the last byte that the root reaches. */
tq_status tqi_verify(const tqi_view *view, tqi_source *source, const tqi_table *root, uint32_t *end,
                     tq_error *error);

#endif
