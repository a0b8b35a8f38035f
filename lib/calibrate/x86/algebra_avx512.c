/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/algebra_private.h"

#include <immintrin.h>

#define BYTES 64
#define GRAM_ROWS 8
#define PRODUCT_ROWS 8
#define WIDEN(x) _mm512_cvtps_pd(_mm256_loadu_ps(x))
#include "calibrate/algebra_vector.h"

void tqi_algebra_init_avx512(tqi_algebra *algebra) {
    *algebra = level;
}
