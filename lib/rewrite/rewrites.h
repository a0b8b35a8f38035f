/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that rewrites.c lists; what each does is said in its file. */
#ifndef TQI_REWRITE_REWRITES_H
#define TQI_REWRITE_REWRITES_H

#include "rewrite/rewriter.h"

extern tqi_rewrite_function tqi_fold_shapes, tqi_cancel_quantize, tqi_drop_identity,
    tqi_mend_broadcast_to, tqi_drop_broadcast_to, tqi_fold_broadcast_to, tqi_tile_broadcast_to,
    tqi_mul_broadcast_to, tqi_fold_float16, tqi_fold_sparse, tqi_share_constants, tqi_drop_dead;

#endif
