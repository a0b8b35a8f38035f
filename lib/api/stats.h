/* SPDX-License-Identifier: Apache-2.0 */
/* What a tq_stats is. */
#ifndef TQI_API_STATS_H
#define TQI_API_STATS_H

#include "api/model.h"
#include "base/checked.h"
#include "calibrate/gather.h"

struct tq_stats {
    tq_model *model; /* another one over the same file, so that this stays open */
    tqi_arena arena; /* of the constants */
    tqi_constants constants;
    tq_runner runner;
    tqi_gathering gathering;
};

/* TQ_ERR_UNSUPPORTED: there can be none. */
tq_status tqi_stats_allowed(tq_error *error);
/* Whether a list in the options of this name is one. */
tq_status tqi_read_stats(tq_stats *const *stats, uint32_t n, const char *name, tq_error *error);
/* Those that are of this file, by subgraph; NULL: there are none. */
tq_status tqi_stats_find(tq_stats *const *stats, uint32_t n, const tqi_input *input,
                         tqi_arena *arena, tqi_gathering *const **given, tq_error *error);
/* Ranges of this file's tensors, by subgraph and index; NULL: they are not known. Runs the model
 * where nothing was added to its statistics. */
tq_status tqi_stats_ranges(tq_stats *const *stats, uint32_t n, const tqi_input *input,
                           tqi_arena *arena, const tqi_value_range *const **ranges,
                           tq_error *error);

#endif
