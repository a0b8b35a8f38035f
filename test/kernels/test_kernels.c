/* SPDX-License-Identifier: Apache-2.0 */
/* Prints TAP. With TFQUANT_TEST_SEED in the environment, repeats a run. */
#include "cpu/cpu.h"
#include "kernel_checks.h"

#include <tfquant/tfquant.h>

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

static uint64_t random_state;

uint64_t random_u64(void) {
    random_state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = random_state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int number;
static int failures;

static void run(const check *checks, const char *level, const tqi_kernels *truth,
                const tqi_kernels *kernels) {
    for (; checks->name; checks++) {
        const int failed = checks->run(truth, kernels);
        failures += failed;
        printf("%sok %d - %s: %s\n", failed ? "not " : "", ++number, level, checks->name);
        fflush(stdout);
    }
}

int main(void) {
    static const struct {
        const char *name;
        uint32_t flag;
    } levels[] = {{"avx2", TQ_CPU_AVX2}, {"avx512", TQ_CPU_AVX512}, {"neon", TQ_CPU_NEON}};
    const uint32_t flags = tqi_cpu_flags();
    const char *given = getenv("TFQUANT_TEST_SEED");
    random_state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("# TFQUANT_TEST_SEED=%" PRIu64 "\n", random_state);

    tqi_kernels truth;
    tqi_kernels_init(&truth, 0);
    run(scalar_checks, "scalar", &truth, &truth);
    prepare_level_checks();
    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
        tqi_kernels kernels;
        tqi_kernels_init(&kernels, levels[i].flag & flags);
        if (kernels.absmax_f32 == truth.absmax_f32) {
            printf("# %s: not in this build, or not on this machine\n", levels[i].name);
            continue;
        }
        run(level_checks, levels[i].name, &truth, &kernels);
    }
    printf("1..%d\n", number);
    return failures != 0;
}
