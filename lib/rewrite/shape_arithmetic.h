/* SPDX-License-Identifier: Apache-2.0 */
/* Operators on a few integers, as shapes are computed with. */
#ifndef TQI_REWRITE_SHAPE_ARITHMETIC_H
#define TQI_REWRITE_SHAPE_ARITHMETIC_H

#include "rewrite/values.h"

/* What the operator makes, in row-major order; not known: it is none of these operators, its inputs
 * are not known, or the result would be long. */
tq_status tqi_compute_integers(const tqi_rewriter *ctx, uint32_t op, tqi_integers *result,
                               tq_error *error);

#endif
