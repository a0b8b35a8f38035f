/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that are computed apart, shared out among the workers of a runner. The result is the same
 * for any number of them. */
#ifndef TQI_EXECUTE_SHARE_H
#define TQI_EXECUTE_SHARE_H

#include "execute/operators.h"

/* Computes `rows` rows from `first` on, with the scratch memory of `worker`; allocates nothing. */
typedef void tqi_rows_job(void *data, size_t first, size_t rows, uint32_t worker);

/* How many there are for so many multiply-adds, and may be at work at once: 1 where waking others
 * would take longer. */
uint32_t tqi_workers(const tqi_call *call, uint64_t work);
/* All of `rows`, at most `at_once` at a time, of pieces that multiples of `step` make best.
 * `workers` is what tqi_workers() gave. */
void tqi_share_rows(const tqi_call *call, uint32_t workers, size_t rows, size_t at_once,
                    size_t step, tqi_rows_job *job, void *data);

#endif
