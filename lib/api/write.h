/* SPDX-License-Identifier: Apache-2.0 */
/* Writing what a model is: a .tflite, or a bundle with all that is in it. */
#ifndef TQI_API_WRITE_H
#define TQI_API_WRITE_H

#include "api/model.h"
#include "tflite/writer.h"

/* How many bytes tqi_write_any() will write. Members that are deflated anew are converted for it.
 */
tq_status tqi_measure_any(tq_model *model, const tqi_write_options *options, uint64_t *size,
                          tq_error *error);

/* TQI_NOT_ENCODABLE: some constant turned out so; tqi_model_refuse(), and begin again. */
tq_status tqi_write_any(tq_model *model, tqi_sink *sink, const tqi_write_options *options,
                        tq_error *error);

/* The reports are complete. */
void tqi_mark_saved(tq_model *model);

#endif
