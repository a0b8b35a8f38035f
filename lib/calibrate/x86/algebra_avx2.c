/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/algebra_private.h"

#include <immintrin.h>

#define BYTES 32
#define GRAM_ROWS 4
#define PRODUCT_ROWS 4
#define WIDEN(x) _mm256_cvtps_pd(_mm_loadu_ps(x))
#include "calibrate/algebra_vector.h"

void tqi_algebra_init_avx2(tqi_algebra *algebra) {
    *algebra = level;
}
