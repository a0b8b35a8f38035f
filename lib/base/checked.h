/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on sizes that come from files. */
#ifndef TQI_BASE_CHECKED_H
#define TQI_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool tqi_mul_u64(uint64_t a, uint64_t b, uint64_t *product) {
    if (a != 0 && b > UINT64_MAX / a)
        return false;
    *product = a * b;
    return true;
}

/* [at, at + length) lies inside [0, size) */
static inline bool tqi_in_range(uint64_t at, uint64_t length, uint64_t size) {
    return at <= size && length <= size - at;
}

static inline uint64_t tqi_align_up(uint64_t value, uint64_t alignment) {
    return (value + alignment - 1) / alignment * alignment;
}

static inline uint64_t tqi_min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

#endif
