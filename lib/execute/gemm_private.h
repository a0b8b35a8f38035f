/* SPDX-License-Identifier: Apache-2.0 */
/* The inits of the levels. */
#ifndef TQI_EXECUTE_GEMM_PRIVATE_H
#define TQI_EXECUTE_GEMM_PRIVATE_H

#include "execute/gemm.h"

void tqi_gemm_init_avx2(tqi_gemm *gemm);
void tqi_gemm_init_avx512(tqi_gemm *gemm);
void tqi_gemm_init_neon(tqi_gemm *gemm);

#endif
