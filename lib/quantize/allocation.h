/* SPDX-License-Identifier: Apache-2.0 */
/* Where bytes go: which of several encodings each item gets for a size or an error that is asked
 * for. Pure functions of numbers; equals are decided by index. */
#ifndef TQI_QUANTIZE_ALLOCATION_H
#define TQI_QUANTIZE_ALLOCATION_H

#include <stdbool.h>

#include "base/error.h"
#include "base/heap.h"

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
