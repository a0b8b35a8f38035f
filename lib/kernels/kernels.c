/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

#include "kernels/kernels_private.h"

#include <tfquant/tfquant.h>

void tqi_kernels_init(tqi_kernels *k, uint32_t cpu_flags) {
    (void)cpu_flags;
    tqi_range_init_scalar(k);
    tqi_quantize_init_scalar(k);
    tqi_convert_init_scalar(k);
#ifdef TQI_HAVE_AVX2
    if (cpu_flags & TQ_CPU_AVX2) {
        tqi_kernels_init_avx2(k);
    }
#endif
#ifdef TQI_HAVE_AVX512
    if (cpu_flags & TQ_CPU_AVX512) {
        tqi_kernels_init_avx512(k);
    }
#endif
#ifdef TQI_HAVE_NEON
    if (cpu_flags & TQ_CPU_NEON) {
        tqi_kernels_init_neon(k);
    }
#endif
}
