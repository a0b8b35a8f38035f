/* SPDX-License-Identifier: Apache-2.0 */
/* Where bytes go: which constants become float16 among int8 ones, and which of several encodings
 * each gets for a size or an error that is asked for. Pure functions of numbers; equals are
 * decided by index. */
#ifndef TQI_QUANTIZE_ISLANDS_H
#define TQI_QUANTIZE_ISLANDS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/heap.h"

/* ---- float16 islands under a budget ---- */

typedef enum tqi_island_choice {
    TQI_ISLAND_KEEP, /* neither is allowed; no bytes are counted */
    TQI_ISLAND_INT8,
    TQI_ISLAND_FLOAT16,
} tqi_island_choice;

/* Bytes with all that comes with an encoding: int8 has 4 + 8 for each channel's scale and zero
 * point, and its tables and operators. */
typedef struct tqi_island {
    uint64_t bytes_int8, bytes_float16;
    double noise_ratio; /* as int8: of the output's noise to its signal; 0 if not known */
    bool int8_allowed, float16_allowed;
} tqi_island;

typedef struct tqi_islands {
    uint64_t bytes; /* of all */
    uint64_t extra; /* of these, what is spent of the budget */
    double noise;   /* sum of the noise ratios of what is int8 */
    size_t float16; /* number, with those that cost nothing */
} tqi_islands;

/* float16 where it is no larger than int8, or where int8 is not allowed; of the rest, those with
 * most noise per extra byte as long as they fit `budget` bytes. */
tq_status tqi_choose_islands(const tqi_island *layers, size_t n, uint64_t budget,
                             tqi_island_choice *choices, tqi_islands *result, tqi_heap *heap,
                             tq_error *error);

/* ---- any encodings, for a size or an error ---- */

/* One way to encode an item. Errors add up over items: the caller brings them to one scale. */
typedef struct tqi_option {
    uint64_t bytes;
    double error; /* finite, not negative */
    bool allowed;
} tqi_option;

typedef struct tqi_allocation {
    const tqi_option *options; /* [items][per_item]; each item has one that is allowed */
    size_t items, per_item;
} tqi_allocation;

typedef struct tqi_allocated {
    uint64_t bytes;
    double error;
    bool reached; /* false: there is nothing so small, or so exact; this is the nearest to it */
} tqi_allocated;

/* Least error for at most `most` bytes, and fewest bytes for an error of at most `most`:
 * choices[item] is the option's index. By steps along the items' convex hulls in order of error per
 * byte (which is what a Lagrange multiplier finds: Shoham and Gersho, "Efficient bit allocation for
 * an arbitrary set of quantizers", 1988), then by changing one item or two wherever that is better,
 * which uses up what the hulls leave. */
tq_status tqi_allocate_bytes(const tqi_allocation *task, uint64_t most, size_t *choices,
                             tqi_allocated *result, tqi_heap *heap, tq_error *error);
tq_status tqi_allocate_error(const tqi_allocation *task, double most, size_t *choices,
                             tqi_allocated *result, tqi_heap *heap, tq_error *error);

#endif
