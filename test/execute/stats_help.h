/* SPDX-License-Identifier: Apache-2.0 */
/* Models and inputs for the tests of tq_stats. */
#ifndef STATS_HELP_H
#define STATS_HELP_H

#include "small_layers.h"

enum { N = 32, IDS = 3 };

/* Inputs "x" [1, N] of floats and "ids" [1, IDS] of integers; a few FULLY_CONNECTED layers, whose
 * weights depend on the seed; outputs of both. With `lost` an unknown operator is in between. */
bytes stats_file(uint32_t seed, bool lost);
/* Two subgraphs, each with a signature: "main" [1, N] and "other" [1, 2 N]. */
bytes stats_file_of_two(void);

/* Set `seed` of inputs: static, until the eighth next call. */
const tq_array *stats_inputs(uint32_t seed);
tq_array stats_array(const void *data, int32_t type, mb_list shape);

/* Statistics of so many sets; everything succeeds. */
tq_stats *stats_of(const tq_model *model, uint32_t sets);
tq_stats_info stats_info(const tq_stats *stats);

/* tq_quantize() by the recipe's name; `error` is set anew. */
tq_status stats_try_quantize(const tq_model *model, const char *recipe_name,
                             const tq_quantize_options *options, tq_model **result,
                             tq_error *error);
/* These succeed: the model, its file, its totals, the file with int8 and these statistics. */
tq_model *stats_quantize(const tq_model *model, const char *recipe,
                         const tq_quantize_options *options);
bytes stats_result_of(const tq_model *model, const char *recipe,
                      const tq_quantize_options *options);
tq_report_totals stats_totals_of(const tq_model *result);
bytes stats_result_with(const tq_model *model, tq_stats *const *stats, uint32_t n);

/* What `life` does with a model, within one ceiling after the other from what loading takes to what
 * it takes in all: it keeps to each or is refused for it. How often it was refused, of `ceilings`.
 */
typedef tq_status stats_life(const tq_model *model, tq_error *error);
uint32_t stats_refused_within(bytes file, stats_life *life, uint32_t ceilings);

#endif
