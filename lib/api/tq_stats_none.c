/* SPDX-License-Identifier: Apache-2.0 */
/* In place of tq_stats.c where the library is built without the executor. */
#include "api/stats.h"

tq_status tqi_stats_allowed(tq_error *error) {
    return tqi_fail(error, TQ_ERR_UNSUPPORTED, "this library was built without what runs models");
}

tq_status tq_stats_create(const tq_model *model, const tq_stats_options *options, tq_stats **stats,
                          tq_error *error) {
    (void)model, (void)options, (void)stats;
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, tqi_stats_allowed(&local));
}

tq_status tq_stats_add(tq_stats *stats, const tq_array *inputs, uint32_t n_inputs,
                       tq_error *error) {
    (void)stats, (void)inputs, (void)n_inputs;
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, tqi_stats_allowed(&local));
}

tq_status tq_get_stats_info(const tq_stats *stats, tq_stats_info *info) {
    (void)stats, (void)info;
    return TQ_ERR_INVALID_ARGUMENT;
}

void tq_stats_free(tq_stats *stats) {
    (void)stats;
}

tq_status tqi_stats_ranges(tq_stats *const *stats, uint32_t n, const tqi_input *input,
                           tqi_arena *arena, const tqi_value_range *const **ranges,
                           tq_error *error) {
    (void)stats, (void)n, (void)input, (void)arena, (void)error;
    *ranges = NULL;
    return TQ_OK;
}

tq_status tqi_stats_find(tq_stats *const *stats, uint32_t n, const tqi_input *input,
                         tqi_arena *arena, tqi_gathering *const **given, tq_error *error) {
    (void)stats, (void)n, (void)input, (void)arena, (void)error;
    *given = NULL;
    return TQ_OK;
}
