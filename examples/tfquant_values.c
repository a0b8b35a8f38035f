/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_values.h"

#include "tfquant_cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- numbers --- */

/* Digits up to `*end`; false where there are none or too many. */
static bool read_number(const char *text, const char **end, uint64_t *value) {
    uint64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        const uint64_t digit = (uint64_t)(*at - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *end = at;
    *value = number;
    return at != text;
}

/* "-0.5": what strtod() takes besides, like "nan" and "0x1p3", is none. */
static bool read_decimal(const char *text, const char **end, double *value) {
    const size_t sign = *text == '-' || *text == '+';
    const size_t length = sign + strspn(text + sign, "0123456789.");
    char copy[32];
    char *stop;
    if (length == sign || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *value = strtod(copy, &stop);
    *end = text + length;
    return stop == copy + length && isfinite(*value);
}

bool value_size(const char *text, void *value) {
    static const char units[] = "KMGT";
    const char *end;
    uint64_t number;
    if (!read_number(text, &end, &number) || number == 0)
        return false;
    if (*end != '\0' && strcmp(end, "B") != 0) {
        const char upper = *end >= 'a' && *end <= 'z' ? (char)(*end - 'a' + 'A') : *end;
        const char *unit = strchr(units, upper);
        if (unit == NULL)
            return false;
        const int shift = 10 * (int)(unit - units + 1);
        if (number > UINT64_MAX >> shift)
            return false;
        number <<= shift;
        end++;
        if (*end != '\0' && strcmp(end, "B") != 0 && strcmp(end, "iB") != 0)
            return false;
    }
    *(uint64_t *)value = number;
    return true;
}

bool value_target_size(const char *text, void *value) {
    struct cli_target_size size = {0, 0};
    const char *end;
    if (!read_decimal(text, &end, &size.percent) || strcmp(end, "%") != 0) {
        size.percent = 0;
        if (!value_size(text, &size.bytes))
            return false;
    } else if (!(size.percent > 0 && size.percent <= 100)) {
        return false;
    }
    *(struct cli_target_size *)value = size;
    return true;
}

bool value_decibels(const char *text, void *value) {
    const char *end;
    double number;
    if (!read_decimal(text, &end, &number) || number <= 0)
        return false;
    end += strspn(end, " ");
    if (*end != '\0' && strcmp(end, "dB") != 0 && strcmp(end, "db") != 0)
        return false;
    *(double *)value = number;
    return true;
}

bool value_range(const char *text, void *value) {
    struct cli_range range = {.is_given = true};
    const char *end;
    if (!read_decimal(text, &end, &range.ends[0]) || *end != ',' ||
        !read_decimal(end + 1, &end, &range.ends[1]) || *end != '\0' ||
        range.ends[0] == range.ends[1])
        return false;
    *(struct cli_range *)value = range;
    return true;
}

bool value_count(const char *text, void *value) {
    const char *end;
    uint64_t number;
    if (!read_number(text, &end, &number) || *end != '\0' || number == 0 || number > 1000000)
        return false;
    *(uint32_t *)value = (uint32_t)number;
    return true;
}

bool value_threads(const char *text, void *value) {
    const char *end;
    uint64_t number;
    if (!read_number(text, &end, &number) || *end != '\0' || number > 1024)
        return false;
    *(uint32_t *)value = (uint32_t)number;
    return true;
}

/* --- words --- */

struct word {
    const char *name; /* NULL: the end */
    uint32_t value;
};

static const struct word efforts[] = {
    {"fast", TQ_EFFORT_FAST}, {"normal", TQ_EFFORT_NORMAL}, {"best", TQ_EFFORT_BEST}, {NULL, 0}};
static const struct word targets[] = {
    {"xnnpack", TQ_TARGET_XNNPACK},
    {"gpu", TQ_TARGET_GPU},
    {"litert", TQ_TARGET_LITERT},
    {"nnapi", TQ_TARGET_NNAPI},
    {"tflite-micro", TQ_TARGET_TFLITE_MICRO},
    {"int8-only", TQ_TARGET_INT8_ONLY},
    {NULL, 0},
};

static bool read_word(const struct word *words, const char *text, uint32_t *value) {
    for (; words->name != NULL; words++) {
        if (strcmp(words->name, text) == 0) {
            *value = words->value;
            return true;
        }
    }
    return false;
}

bool value_effort(const char *text, void *value) {
    return read_word(efforts, text, value);
}

bool value_target(const char *text, void *value) {
    return read_word(targets, text, value);
}

static const char *name_of(const struct word *words, uint32_t value) {
    while (words->name != NULL && words->value != value)
        words++;
    return words->name != NULL ? words->name : "unknown";
}

const char *value_effort_name(unsigned effort) {
    return name_of(efforts, effort);
}

const char *value_target_name(unsigned target) {
    return name_of(targets, target);
}

bool value_is_choice(const char *text, void *value) {
    const char *equals = strrchr(text, '=');
    (void)value;
    return equals != NULL && equals != text && equals[1] != '\0';
}
