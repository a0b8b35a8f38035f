/* SPDX-License-Identifier: Apache-2.0 */
/* Custom operators that are well known enough to be run: those of MediaPipe's and LiteRT's models.
 * Their options are bare structures of int32, of any content in a damaged file. */
#ifndef TQI_EXECUTE_CUSTOM_H
#define TQI_EXECUTE_CUSTOM_H

#include "execute/operators.h"

enum { TQI_CUSTOM_SAME = 1, TQI_CUSTOM_VALID = 2 };

/* NULL: none of that name is known. */
tqi_run_operator *tqi_find_custom(const char *name);

/* The first `count` numbers of the options; refuses if they are fewer. */
tq_status tqi_custom_numbers(const tqi_call *call, uint32_t count, int32_t *numbers,
                             tq_error *error);

/* transpose_conv.c */
extern tqi_run_operator tqi_run_transpose_conv_bias;
/* unpooling.c */
extern tqi_run_operator tqi_run_max_pool_argmax, tqi_run_max_unpooling;

#endif
