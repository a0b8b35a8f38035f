/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/difference.h"

#include <math.h>
#include <string.h>

bool tqi_is_like(const tqi_value *a, const tqi_value *b) {
    return a->data && b->data && a->type == b->type && a->rank == b->rank &&
           memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0;
}

static void add(tqi_difference *d, double y, double z) {
    double far = fabs(y - z);
    d->summed++;
    d->signal += y * y;
    d->other += z * z;
    d->product += y * z;
    d->noise += far * far;
    d->magnitude += fabs(y);
    d->absolute += far;
    d->largest = far > d->largest ? far : d->largest;
}

static void add_floats(tqi_difference *d, const float *y, const float *z, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        if (isfinite(y[i]) && isfinite(z[i])) {
            d->differing += y[i] != z[i];
            add(d, (double)y[i], (double)z[i]);
        } else if (!(isnan(y[i]) && isnan(z[i])) && !(y[i] == z[i])) {
            d->differing++;
            d->broken++;
        }
    }
}

static double integer(const tqi_value *value, uint64_t i) {
    switch (value->type) {
    case TQI_TYPE_INT32:
        return ((const int32_t *)value->data)[i];
    case TQI_TYPE_INT64:
        return (double)((const int64_t *)value->data)[i];
    default:
        return ((const uint8_t *)value->data)[i];
    }
}

static size_t integer_size(int32_t type) {
    return type == TQI_TYPE_INT64 ? sizeof(int64_t) : type == TQI_TYPE_INT32 ? sizeof(int32_t) : 1;
}

void tqi_difference_add(tqi_difference *d, const tqi_value *reference, const tqi_value *other) {
    uint64_t n = reference->elements;
    d->sets++;
    d->elements += n;
    d->is_float = reference->type == TQI_TYPE_FLOAT32;
    if (d->is_float) {
        add_floats(d, reference->data, other->data, n);
        return;
    }
    size_t size = integer_size(reference->type);
    for (uint64_t i = 0; i < n; i++) {
        /* large ones are not exact as double */
        d->differing += memcmp((const uint8_t *)reference->data + i * size,
                               (const uint8_t *)other->data + i * size, size) != 0;
        add(d, integer(reference, i), integer(other, i));
    }
}

double tqi_difference_ratio(const tqi_difference *d) {
    if (d->differing == 0)
        return 0;
    return d->broken > 0 || d->signal == 0 ? (double)INFINITY : d->noise / d->signal;
}

double tqi_difference_snr(const tqi_difference *d) {
    if (d->sets == 0 || (!d->is_float && d->differing > 0))
        return NAN;
    double ratio = tqi_difference_ratio(d);
    return ratio == 0 ? INFINITY : isinf(ratio) ? -INFINITY : -10 * log10(ratio);
}

double tqi_difference_cosine(const tqi_difference *d) {
    if (d->sets == 0 || !d->is_float)
        return NAN;
    if (d->signal == 0 || d->other == 0)
        return d->signal == d->other ? 1 : 0;
    double cosine = d->product / (sqrt(d->signal) * sqrt(d->other));
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}
