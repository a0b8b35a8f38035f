/* SPDX-License-Identifier: Apache-2.0 */
/* Streams a layout into a sink: contents are copied or made tile by tile, and the head comes
 * last (or first, where the sink wants bytes in order). */
#ifndef TQI_TFLITE_WRITER_H
#define TQI_TFLITE_WRITER_H

#include "io/sink.h"
#include "tflite/layout.h"

typedef struct tqi_write_options {
    const tq_runner *runner; /* NULL: sequential */
    tq_progress progress;    /* NULL: none */
    void *progress_opaque;
} tqi_write_options;

tq_status tqi_write(tqi_layout *layout, const tqi_source *source, tqi_sink *sink,
                    const tqi_write_options *options, tq_error *error);

#endif
