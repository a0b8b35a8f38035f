/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/pair_rows.h"

#define EXTERN
TQI_PAIR_ROW(EXTERN, tqi_add_f32, float, float, x + y)
TQI_PAIR_ROW(EXTERN, tqi_sub_f32, float, float, x - y)
TQI_PAIR_ROW(EXTERN, tqi_mul_f32, float, float, x *y)
TQI_PAIR_ROW(EXTERN, tqi_div_f32, float, float, x / y)
TQI_PAIR_ROW(EXTERN, tqi_max_f32, float, float, x > y ? x : y)
TQI_PAIR_ROW(EXTERN, tqi_min_f32, float, float, x < y ? x : y)
TQI_PAIR_ROW(EXTERN, tqi_squared_difference_f32, float, float, (x - y) * (x - y))
