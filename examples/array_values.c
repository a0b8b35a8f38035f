/* SPDX-License-Identifier: Apache-2.0 */
/* Values of arrays in files, as the types that models take. */
#include "array_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct target {
    int32_t type;
    uint32_t size;
    int64_t low; /* of integers */
    int64_t high;
} targets[] = {
    {ARRAY_FLOAT32, 4, 0, 0},
    {ARRAY_INT32, 4, INT32_MIN, INT32_MAX},
    {ARRAY_UINT8, 1, 0, UINT8_MAX},
    {ARRAY_INT64, 8, INT64_MIN, INT64_MAX},
    {ARRAY_BOOL, 1, 0, 1},
    {ARRAY_INT16, 2, INT16_MIN, INT16_MAX},
    {ARRAY_INT8, 1, INT8_MIN, INT8_MAX},
};

static const struct target *find_target(int32_t type) {
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        if (targets[i].type == type)
            return &targets[i];
    }
    return NULL;
}

uint32_t array_type_size(int32_t type) {
    const struct target *target = find_target(type);
    return target != NULL ? target->size : 0;
}

/* --- values as they lie in the file --- */

static uint64_t bits_at(const struct array_file *file, uint64_t place) {
    const uint8_t *bytes = file->data + place * file->item;
    uint64_t bits = 0;
    for (uint32_t i = 0; i < file->item; i++)
        bits = bits << 8 | bytes[file->is_big_endian ? i : file->item - 1 - i];
    return bits;
}

static float from_half(uint64_t bits) {
    const int exponent = (int)(bits >> 10 & 0x1F);
    const float fraction = (float)(bits & 0x3FF);
    float value = exponent == 0    ? ldexpf(fraction, -24)
                  : exponent != 31 ? ldexpf(1024 + fraction, exponent - 25)
                  : fraction == 0  ? INFINITY
                                   : NAN;
    return (bits & 0x8000) != 0 ? -value : value;
}

/* Of floats; false: too large for the result. */
static bool float_at(const struct array_file *file, uint64_t place, float *value) {
    const uint64_t bits = bits_at(file, place);
    const uint32_t low = (uint32_t)bits;
    double wide;
    switch (file->item) {
    case 2:
        *value = from_half(bits);
        return true;
    case 4:
        memcpy(value, &low, sizeof low);
        return true;
    default:
        memcpy(&wide, &bits, sizeof bits);
        *value = (float)wide;
        return isfinite(*value) || !isfinite(wide);
    }
}

/* Of integers; false: too large for the result. */
static bool integer_at(const struct array_file *file, uint64_t place, int64_t *value) {
    uint64_t bits = bits_at(file, place);
    if (file->kind == 'i') {
        const uint64_t sign = UINT64_C(1) << (8 * file->item - 1);
        bits = (bits ^ sign) - sign;
        memcpy(value, &bits, sizeof bits);
        return true;
    }
    *value = bits <= INT64_MAX ? (int64_t)bits : INT64_MAX;
    return bits <= INT64_MAX && (file->kind != 'b' || bits <= 1);
}

/* Where the value of a row-major index lies. */
static uint64_t place_of(const struct array_file *file, uint64_t index) {
    uint64_t place = 0;
    uint64_t stride = file->elements;
    if (!file->is_fortran)
        return index;
    for (uint32_t i = file->rank; i-- > 0;) {
        stride /= file->shape[i];
        place += index % file->shape[i] * stride;
        index /= file->shape[i];
    }
    return place;
}

/* --- as what they are wanted --- */

static void store_integer(void *out, uint64_t index, uint32_t size, int64_t value) {
    uint8_t *place = (uint8_t *)out + index * size;
    switch (size) {
    case 1:
        *place = (uint8_t)value;
        break;
    case 2:
        memcpy(place, &(int16_t){(int16_t)value}, 2);
        break;
    case 4:
        memcpy(place, &(int32_t){(int32_t)value}, 4);
        break;
    default:
        memcpy(place, &value, 8);
        break;
    }
}

static tq_status read_floats(const struct array_file *file, uint64_t first, uint64_t count,
                             float *out, tq_error *error) {
    for (uint64_t i = 0; i < count; i++) {
        if (!float_at(file, place_of(file, first + i), &out[i]))
            return array_fail(error, TQ_ERR_TOO_LARGE,
                              "its value %" PRIu64 " is too large for float32", first + i);
        if (isnan(out[i]))
            return array_fail(error, TQ_ERR_CORRUPT, "its value %" PRIu64 " is not a number",
                              first + i);
    }
    return TQ_OK;
}

static tq_status read_integers(const struct array_file *file, uint64_t first, uint64_t count,
                               const struct target *target, void *out, tq_error *error) {
    for (uint64_t i = 0; i < count; i++) {
        int64_t value;
        if (!integer_at(file, place_of(file, first + i), &value) || value < target->low ||
            value > target->high)
            return array_fail(error, TQ_ERR_TOO_LARGE, "its value %" PRIu64 " does not fit %s",
                              first + i, tq_type_name(target->type));
        store_integer(out, i, target->size, value);
    }
    return TQ_OK;
}

static void read_scaled(const struct array_file *file, uint64_t first, uint64_t count,
                        const double *range, float *out) {
    for (uint64_t i = 0; i < count; i++) {
        const double part = (double)file->data[place_of(file, first + i)] / 255;
        out[i] = (float)(range[0] + (range[1] - range[0]) * part);
    }
}

/* "float32" */
static void name_type(const struct array_file *file, char *name, size_t capacity) {
    if (file->kind == 'b')
        snprintf(name, capacity, "bool");
    else
        snprintf(name, capacity, "%s%" PRIu32,
                 file->kind == 'f'   ? "float"
                 : file->kind == 'i' ? "int"
                                     : "uint",
                 8 * file->item);
}

tq_status array_file_read(const struct array_file *file, uint64_t first, uint64_t count,
                          int32_t type, const double *range, void *out, tq_error *error) {
    const struct target *target = find_target(type);
    char own[16];
    name_type(file, own, sizeof own);
    if (target == NULL)
        return array_fail(error, TQ_ERR_UNSUPPORTED, "%s values can't be read from files",
                          tq_type_name(type));
    if (first > file->elements || count > file->elements - first)
        return array_fail(error, TQ_ERR_INVALID_ARGUMENT, "it does not hold so many values");
    if (file->kind != 'f' && type != ARRAY_FLOAT32)
        return read_integers(file, first, count, target, out, error);
    if (file->kind == 'f' && type == ARRAY_FLOAT32)
        return read_floats(file, first, count, out, error);
    if (file->kind == 'f')
        return array_fail(error, TQ_ERR_UNSUPPORTED, "it holds %s, and the model takes %s", own,
                          tq_type_name(type));
    if (file->kind == 'u' && file->item == 1 && range != NULL) {
        read_scaled(file, first, count, range, out);
        return TQ_OK;
    }
    return array_fail(error, TQ_ERR_UNSUPPORTED,
                      "it holds %s, and the model takes FLOAT32: save it as float32, scaled to "
                      "what the model takes%s",
                      own,
                      file->kind == 'u' && file->item == 1
                          ? ", or give --input-range LOW,HIGH for what 0 and 255 stand for"
                          : "");
}
