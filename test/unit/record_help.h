/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HELP_H
#define RECORD_HELP_H

#include "flatbuffer/emit.h"

/* A field that is there also when it has its default. */
static inline void set_scalar(tqi_record *record, uint32_t field, uint64_t value) {
    tqi_record_scalar(record, field, value, ~value);
}

/* All strings and vectors behind the tables. */
static inline void finish(tqi_emitter *out) {
    tqi_emit_finish(out);
    tqi_emit_resolve(out);
}

#endif
