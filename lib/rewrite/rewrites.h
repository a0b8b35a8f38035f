/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that rewrites.c lists; what each does is said in its file. */
#ifndef TQI_REWRITE_REWRITES_H
#define TQI_REWRITE_REWRITES_H

#include "rewrite/rewriter.h"

extern tqi_rewrite_function tqi_fold_shapes, tqi_cancel_quantize, tqi_drop_identity,
    tqi_broadcast_layout, tqi_broadcast_to_drop, tqi_broadcast_to_fold, tqi_broadcast_to_tile,
    tqi_broadcast_to_mul, tqi_fold_float16, tqi_fold_densify, tqi_share_constants, tqi_drop_dead;

#endif
