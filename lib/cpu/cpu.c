/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/cpu.h"

#include <tfquant/tfquant.h>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <cpuid.h>

/* Register state that the operating system saves. */
#define XCR0_AVX 0x06u    /* SSE and the upper halves of ymm */
#define XCR0_AVX512 0xe6u /* also masks, upper halves of zmm, zmm16 to zmm31 */

static uint32_t saved_state(void) {
    uint32_t low;
    uint32_t high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int has(uint32_t reg, uint32_t bits) {
    return (reg & bits) == bits;
}

uint32_t tqi_cpu_flags(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) {
        return 0;
    }
    const uint32_t basic = c;
    /* xgetbv itself is an illegal instruction without OSXSAVE. POPCNT because
     * compilers take it for granted once they may use AVX. */
    if (!has(basic, bit_OSXSAVE | bit_AVX | bit_F16C | bit_POPCNT) ||
        !__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        return 0;
    }
    const uint32_t saved = saved_state();
    if (!has(saved, XCR0_AVX) || !has(b, bit_AVX2)) {
        return 0;
    }
    uint32_t flags = TQ_CPU_AVX2;
    if (has(saved, XCR0_AVX512) && has(basic, bit_FMA) &&
        has(b, bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ)) {
        flags |= TQ_CPU_AVX512;
    }
    return flags;
}

#elif defined(__aarch64__) && !defined(__AARCH64EB__)

uint32_t tqi_cpu_flags(void) {
    return TQ_CPU_NEON; /* part of the architecture */
}

#else

uint32_t tqi_cpu_flags(void) {
    return 0;
}

#endif
