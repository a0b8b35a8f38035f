/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dynamic range ("hybrid") operators: weights are stored as int8 or less, activations are
 * float32, and the runtime rounds these to int8 just before it multiplies. Here a
 * copy of an activation is made that has been through that, x' = (q - zero point) * scale.
 *
 * As LiteRT 2.3 does it by default: DEPTHWISE_CONV_2D, and CONV_2D with weights below 8 bits, by
 * the formula of the built-in kernels; all else by that of XNNPACK. Both are asymmetric, with 0 in
 * range. What shares a scale is an image, or for FULLY_CONNECTED, BATCH_MATMUL and the CONV_2D that
 * is no more than a product of matrices a row.
 */
#ifndef TQI_EXECUTE_HYBRID_H
#define TQI_EXECUTE_HYBRID_H

#include "execute/operators.h"

/* How an activation is rounded. */
typedef struct tqi_hybrid {
    bool built_in;  /* by the formula of the built-in kernels */
    bool turned;    /* rows are the columns of the last two dimensions */
    uint64_t depth; /* values of a row; 0: all of an image, which is dimension 0 */
} tqi_hybrid;

/* Makes *output, to be freed by tqi_value_free(), of the shape of the FLOAT32 input. An input that
 * has no such rows or images is copied as it is. */
tq_status tqi_hybrid_input(const tqi_hybrid *how, const tqi_value *input,
                           const tqi_kernels *kernels, tqi_heap *heap, tqi_value *output,
                           tq_error *error);

/* Inputs of an operator: which one is rounded, which one holds weights. false: the runtime rounds
 * for no such operator. */
bool tqi_hybrid_places(int32_t builtin, uint32_t *activation, uint32_t *weights);

/* Runs one for which tqi_hybrid_places() is true as if its weights, which are FLOAT32 in the
 * call, had been read from a tensor of type INT8, INT4 or INT2. */
tq_status tqi_run_hybrid(tqi_run_operator *run, const tqi_call *call, int32_t weights_type,
                         tq_error *error);

/* Runs an operator in the way that the types in the file ask for. */
tq_status tqi_run_as_stored(tqi_run_operator *run, const tqi_call *call, tq_error *error);

#endif
