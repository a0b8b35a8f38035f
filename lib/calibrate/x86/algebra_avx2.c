/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/algebra_private.h"

#define BYTES 32
#define GRAM_ROWS 4
#define PRODUCT_ROWS 4
#include "calibrate/algebra_vector.h"

void tqi_algebra_init_avx2(tqi_algebra *algebra) {
    *algebra = level;
}
