/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/algebra_private.h"

#define BYTES 64
#define GRAM_ROWS 8
#define PRODUCT_ROWS 8
#include "calibrate/algebra_vector.h"

void tqi_algebra_init_avx512(tqi_algebra *algebra) {
    *algebra = level;
}
