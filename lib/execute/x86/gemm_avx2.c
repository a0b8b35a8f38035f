/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/gemm_private.h"
#include "kernels/kernels_private.h"

#include "kernels/x86/vector_avx2.h"

#define BLOCK 6
#include "execute/gemm_vector.h"

void tqi_gemm_init_avx2(tqi_gemm *gemm) {
    *gemm = (tqi_gemm){LEVEL(panel), LEVEL(taps)};
}
