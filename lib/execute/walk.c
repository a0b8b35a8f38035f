/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/walk.h"

/* Without dimensions of 1, and with those merged that follow each other in all arrays. */
static void collapse(const tqi_walk *walk, tqi_walk *out) {
    out->arrays = walk->arrays;
    out->rank = 0;
    for (uint32_t d = 0; d < walk->rank; d++) {
        if (walk->size[d] == 1)
            continue;
        bool follows = out->rank > 0;
        for (uint32_t a = 0; follows && a < walk->arrays; a++)
            follows = out->step[out->rank - 1][a] == walk->step[d][a] * walk->size[d];
        if (!follows)
            out->size[out->rank++] = 1;
        out->size[out->rank - 1] *= walk->size[d];
        for (uint32_t a = 0; a < walk->arrays; a++)
            out->step[out->rank - 1][a] = walk->step[d][a];
    }
}

void tqi_walk_run(const tqi_walk *walk, tqi_row *row, const void *context) {
    static const int64_t no_steps[TQI_WALK_ARRAYS] = {0};
    for (uint32_t d = 0; d < walk->rank; d++)
        if (walk->size[d] == 0)
            return;
    tqi_walk w;
    collapse(walk, &w);
    uint8_t *at[TQI_WALK_ARRAYS] = {0};
    for (uint32_t a = 0; a < w.arrays; a++)
        at[a] = walk->at[a];
    uint32_t outer = w.rank ? w.rank - 1 : 0;
    const int64_t *steps = w.rank ? w.step[outer] : no_steps;
    size_t n = w.rank ? (size_t)w.size[outer] : 1;
    int64_t index[TQI_WALK_RANK] = {0};
    for (;;) {
        void *start[TQI_WALK_ARRAYS];
        for (uint32_t a = 0; a < TQI_WALK_ARRAYS; a++)
            start[a] = at[a];
        row(start, steps, n, context);
        uint32_t d = outer;
        for (; d > 0; d--) {
            for (uint32_t a = 0; a < w.arrays; a++)
                at[a] += w.step[d - 1][a];
            if (++index[d - 1] < w.size[d - 1])
                break;
            for (uint32_t a = 0; a < w.arrays; a++)
                at[a] -= w.step[d - 1][a] * w.size[d - 1];
            index[d - 1] = 0;
        }
        if (d == 0)
            return;
    }
}

void tqi_steps(const tqi_value *value, int64_t *steps) {
    int64_t step = (int64_t)tqi_type_size(value->type);
    for (uint32_t d = value->rank; d-- > 0;) {
        steps[d] = step;
        step *= value->shape[d];
    }
}

/* ---- copies ---- */

void tqi_walk_dim(tqi_walk *walk, int64_t size, int64_t to_step, int64_t from_step) {
    walk->size[walk->rank] = size;
    walk->step[walk->rank][0] = to_step;
    walk->step[walk->rank++][1] = from_step;
}

#define COPY_EACH(bytes)                                                                           \
    for (size_t i = 0; i < n; i++)                                                                 \
    memcpy(to + (int64_t)i * step[0], from + (int64_t)i * step[1], bytes)

static void copy_row(void *const *at, const int64_t *step, size_t n, const void *context) {
    size_t element = *(const size_t *)context;
    uint8_t *to = at[0];
    const uint8_t *from = at[1];
    if (n == 1 || (step[0] == (int64_t)element && step[0] == step[1]))
        memcpy(to, from, n * element);
    else if (element == 4)
        COPY_EACH(4);
    else if (element == 8)
        COPY_EACH(8);
    else
        COPY_EACH(element);
}

/* Of rows that jump through the source, only so many elements at a time, for all neighbours: then
 * the source's cache lines are used up before they are gone. */
enum { TILE = 32 };

/* The dimension along which the source's elements are neighbours, if not the last one; else -1. */
static int32_t find_neighbours(const tqi_walk *w, size_t element) {
    uint32_t last = w->rank ? w->rank - 1 : 0;
    for (uint32_t d = 0; d < last && w->step[last][1] != (int64_t)element; d++)
        if (w->step[d][1] == (int64_t)element)
            return (int32_t)d;
    return -1;
}

/* Copies `count` elements of the last dimension, in rows of `length`, inside of dimension `inner`.
 */
static void copy_tiles(const tqi_walk *w, uint32_t inner, int64_t first, int64_t count,
                       int64_t length, const size_t *element) {
    uint32_t last = w->rank - 1;
    const int64_t *step = w->step[last];
    tqi_walk tiles = {.arrays = 2};
    for (int a = 0; a < 2; a++)
        tiles.at[a] = (uint8_t *)w->at[a] + first * step[a];
    for (uint32_t d = 0; d < last; d++)
        if (d != inner)
            tqi_walk_dim(&tiles, w->size[d], w->step[d][0], w->step[d][1]);
    tqi_walk_dim(&tiles, count / length, length * step[0], length * step[1]);
    tqi_walk_dim(&tiles, w->size[inner], w->step[inner][0], w->step[inner][1]);
    tqi_walk_dim(&tiles, length, step[0], step[1]);
    tqi_walk_run(&tiles, copy_row, element);
}

void tqi_walk_copy(const tqi_walk *walk, size_t element) {
    tqi_walk both = *walk, collapsed = {0};
    both.arrays = 2;
    collapse(&both, &collapsed);
    int32_t inner = find_neighbours(&collapsed, element);
    if (inner < 0 || collapsed.rank >= TQI_WALK_RANK) {
        tqi_walk_run(&both, copy_row, &element);
        return;
    }
    for (int a = 0; a < 2; a++)
        collapsed.at[a] = both.at[a];
    int64_t n = collapsed.size[collapsed.rank - 1], whole = n / TILE * TILE;
    if (whole > 0)
        copy_tiles(&collapsed, (uint32_t)inner, 0, whole, TILE, &element);
    if (n > whole)
        copy_tiles(&collapsed, (uint32_t)inner, whole, n - whole, n - whole, &element);
}

/* ---- broadcasting ---- */

tq_status tqi_broadcast_shape(const tqi_call *call, const tqi_value *const *inputs, uint32_t count,
                              uint32_t *rank, int32_t *shape, tq_error *error) {
    *rank = 0;
    for (uint32_t i = 0; i < count; i++)
        if (inputs[i]->rank > *rank)
            *rank = inputs[i]->rank;
    for (uint32_t d = 0; d < *rank; d++)
        shape[d] = 1;
    for (uint32_t i = 0; i < count; i++) {
        const tqi_value *in = inputs[i];
        for (uint32_t d = 0; d < in->rank; d++) {
            int32_t *size = &shape[*rank - in->rank + d];
            if (in->shape[d] != 1 && *size != 1 && in->shape[d] != *size)
                return tqi_call_refuse(call, error, "the inputs' shapes do not fit together");
            if (*size == 1)
                *size = in->shape[d];
        }
    }
    return TQ_OK;
}

tq_status tqi_broadcast(const tqi_call *call, const tqi_value *const *inputs, uint32_t count,
                        int32_t type, tqi_row *row, const void *context, tqi_value **output,
                        tq_error *error) {
    uint32_t rank = 0;
    int32_t shape[TQI_MAX_RANK];
    TQI_TRY(tqi_broadcast_shape(call, inputs, count, &rank, shape, error));
    TQI_TRY(tqi_call_output(call, 0, type, rank, shape, output, error));
    tqi_walk walk = {.arrays = count + 1, .rank = rank, .at = {(*output)->data}};
    int64_t steps[TQI_MAX_RANK];
    tqi_steps(*output, steps);
    for (uint32_t d = 0; d < rank; d++) {
        walk.size[d] = shape[d];
        walk.step[d][0] = steps[d];
    }
    for (uint32_t i = 0; i < count; i++) {
        const tqi_value *in = inputs[i];
        walk.at[i + 1] = in->data;
        tqi_steps(in, steps);
        for (uint32_t d = 0; d < in->rank; d++)
            if (in->shape[d] != 1)
                walk.step[rank - in->rank + d][i + 1] = steps[d];
    }
    tqi_walk_run(&walk, row, context);
    return TQ_OK;
}
