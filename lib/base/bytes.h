/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian loads and stores at any alignment. */
#ifndef TQI_BASE_BYTES_H
#define TQI_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "weights are used in the file's byte order: little-endian hosts only"
#endif

static inline uint16_t tqi_load_u16(const void *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t tqi_load_u32(const void *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline int32_t tqi_load_i32(const void *at) {
    int32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t tqi_load_u64(const void *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void tqi_store_u32(void *at, uint32_t value) {
    memcpy(at, &value, sizeof value);
}

static inline void tqi_store_u64(void *at, uint64_t value) {
    memcpy(at, &value, sizeof value);
}

#endif
