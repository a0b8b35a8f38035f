/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/algebra.h"

#include "calibrate/algebra_private.h"

#include <tfquant/tfquant.h>

/* What any processor of the kind has; of ARM's 64 bits that is NEON already. */
#define BYTES 16
#if defined(__aarch64__)
#define GRAM_ROWS 4
#define PRODUCT_ROWS 4
#else
#define GRAM_ROWS 2
#define PRODUCT_ROWS 2
#endif
#include "calibrate/algebra_vector.h"

void tqi_algebra_init(tqi_algebra *algebra, uint32_t cpu_flags) {
    (void)cpu_flags;
    *algebra = level;
#ifdef TQI_HAVE_AVX2
    if (cpu_flags & TQ_CPU_AVX2)
        tqi_algebra_init_avx2(algebra);
#endif
#ifdef TQI_HAVE_AVX512
    if (cpu_flags & TQ_CPU_AVX512)
        tqi_algebra_init_avx512(algebra);
#endif
}
