/* SPDX-License-Identifier: Apache-2.0 */
/* The inits of the levels. */
#ifndef TQI_CALIBRATE_ALGEBRA_PRIVATE_H
#define TQI_CALIBRATE_ALGEBRA_PRIVATE_H

#include "calibrate/algebra.h"

void tqi_algebra_init_avx2(tqi_algebra *algebra);
void tqi_algebra_init_avx512(tqi_algebra *algebra);

#endif
