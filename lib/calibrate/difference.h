/* SPDX-License-Identifier: Apache-2.0 */
/* How far the numbers of one tensor are from those of another, summed up over several runs. */
#ifndef TQI_CALIBRATE_DIFFERENCE_H
#define TQI_CALIBRATE_DIFFERENCE_H

#include "execute/value.h"

/* Zeroed to start with. Elements that are not finite in both are in no sum. */
typedef struct tqi_difference {
    uint32_t sets;      /* that were added */
    bool is_float;      /* else integers */
    uint64_t elements;  /* of all sets */
    uint64_t summed;    /* elements that are in the sums */
    uint64_t differing; /* elements; NaN equals NaN */
    uint64_t broken;    /* finite in one of both only, or infinities that differ */
    double signal;      /* sum y^2, of the reference */
    double other;       /* sum y'^2 */
    double product;     /* sum y y' */
    double noise;       /* sum (y - y')^2 */
    double magnitude;   /* sum |y| */
    double absolute;    /* sum |y - y'| */
    double largest;     /* |y - y'| */
} tqi_difference;

/* Of the same type, rank and shape, with data. */
bool tqi_is_like(const tqi_value *a, const tqi_value *b);
/* Of values that are alike. */
void tqi_difference_add(tqi_difference *difference, const tqi_value *reference,
                        const tqi_value *other);

/* All in all: noise over signal; infinite with elements that are broken. Of integers too. */
double tqi_difference_ratio(const tqi_difference *difference);
/* 10 log10(signal / noise). +inf: equal. NaN: nothing was compared, or integers differ. */
double tqi_difference_snr(const tqi_difference *difference);
/* NaN: nothing was compared, or integers. */
double tqi_difference_cosine(const tqi_difference *difference);

#endif
