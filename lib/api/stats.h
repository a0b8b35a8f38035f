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

/* Those that are of this file, by subgraph; NULL: there are none. */
tq_status tqi_stats_find(tq_stats *const *stats, uint32_t n, const tqi_input *input,
                         tqi_arena *arena, tqi_gathering *const **given, tq_error *error);

#endif
