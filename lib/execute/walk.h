/* SPDX-License-Identifier: Apache-2.0 */
/* Going through several arrays at once, each with its own steps: broadcasting, copies of parts,
 * permutations. */
#ifndef TQI_EXECUTE_WALK_H
#define TQI_EXECUTE_WALK_H

#include "execute/call.h"

enum { TQI_WALK_RANK = 2 * TQI_MAX_RANK, TQI_WALK_ARRAYS = 4 };

/* Set `at` and `arrays` (copies have two anyway) and add the dimensions from the outermost on; all
 * else is zero at first. */
typedef struct tqi_walk {
    uint32_t arrays, rank;
    void *at[TQI_WALK_ARRAYS];
    int64_t size[TQI_WALK_RANK];
    int64_t step[TQI_WALK_RANK][TQI_WALK_ARRAYS]; /* bytes; may be 0 or negative */
} tqi_walk;

/* `n` elements of each array; steps as above, 0 for all if there is but one element. */
typedef void tqi_row(void *const *at, const int64_t *step, size_t n, const void *context);

/* Calls `row` for rows as long as possible; leaves the walk as it was. */
void tqi_walk_run(const tqi_walk *walk, tqi_row *row, const void *context);

/* For copies: at[0] = at[1]. */
void tqi_walk_dim(tqi_walk *walk, int64_t size, int64_t to_step, int64_t from_step);
void tqi_walk_copy(const tqi_walk *walk, size_t element);

/* The bytes from one element of a dimension to the next, for all dimensions. */
void tqi_steps(const tqi_value *value, int64_t *steps);

/* The shape that `count` inputs are broadcast to. */
tq_status tqi_broadcast_shape(const tqi_call *call, const tqi_value *const *inputs, uint32_t count,
                              uint32_t *rank, int32_t *shape, tq_error *error);
/* Makes output 0 of it and calls `row` with the output and the inputs: at most three. */
tq_status tqi_broadcast(const tqi_call *call, const tqi_value *const *inputs, uint32_t count,
                        int32_t type, tqi_row *row, const void *context, tqi_value **output,
                        tq_error *error);

#endif
