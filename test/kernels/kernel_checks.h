/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this test share. A check returns 0, or 1 after saying why. */
#ifndef KERNEL_CHECKS_H
#define KERNEL_CHECKS_H

#include "kernels/kernels.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("# %s:%d: ", __func__, __LINE__);                                               \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

typedef struct check {
    const char *name;
    int (*run)(const tqi_kernels *truth, const tqi_kernels *level);
} check;

/* Against independent arithmetic; `level` is the same as `truth`. */
extern const check scalar_checks[];
/* Of a level against the scalar code, once prepared. */
extern const check level_checks[];
void prepare_level_checks(void);

uint64_t random_u64(void);

static inline uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static inline float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* The same number or both NaN. */
static inline int same_double(double x, double y) {
    return memcmp(&x, &y, sizeof(x)) == 0 || (x != x && y != y);
}

static inline int same_sums(tqi_sums x, tqi_sums y) {
    return same_double(x.signal, y.signal) && same_double(x.noise, y.noise);
}

#endif
