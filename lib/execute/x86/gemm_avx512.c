/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/gemm_private.h"
#include "kernels/kernels_private.h"

#include "kernels/x86/vector_avx512.h"

#define BLOCK 8
#include "execute/gemm_vector.h"

void tqi_gemm_init_avx512(tqi_gemm *gemm) {
    *gemm = (tqi_gemm){LEVEL(panel), LEVEL(taps)};
}
