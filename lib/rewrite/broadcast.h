/* SPDX-License-Identifier: Apache-2.0 */
/* What the rewrites of BROADCAST_TO share. */
#ifndef TQI_REWRITE_BROADCAST_H
#define TQI_REWRITE_BROADCAST_H

#include "rewrite/values.h"

enum { TQI_BROADCAST_RANK = 8 }; /* the runtime's limit */

typedef struct tqi_broadcast {
    int32_t input, output; /* tensors */
    uint32_t rank;         /* of the output */
    int32_t target[TQI_BROADCAST_RANK];
    int32_t shape[TQI_BROADCAST_RANK]; /* of the input, with ones in front */
    bool grows;                        /* the input has fewer dimensions */
    bool fits;                         /* it can be broadcast to the target */
} tqi_broadcast;

/* false: no BROADCAST_TO, or its shapes are not known, or contradict each other. */
tq_status tqi_find_broadcast(const tqi_rewriter *ctx, uint32_t op, tqi_broadcast *found,
                             bool *is_one, tq_error *error);

/* What takes the place of a BROADCAST_TO that can't be dropped or folded. */
typedef enum tqi_broadcast_cure {
    TQI_CURE_NONE, /* the target has it */
    TQI_CURE_TILE,
    TQI_CURE_MUL, /* of targets without TILE; none of those known so far */
} tqi_broadcast_cure;
tqi_broadcast_cure tqi_cure_broadcast(uint32_t target);

#endif
