/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind options. Each reads all of `text` into what `value` points to, of the type
 * that its name is commented with, or returns false and changes nothing. */
#ifndef TFQUANT_EXAMPLES_TFQUANT_VALUES_H
#define TFQUANT_EXAMPLES_TFQUANT_VALUES_H

#include <stdbool.h>

/* uint64_t: "500000", "64M", "2GiB"; units are powers of 1024 */
bool value_size(const char *text, void *value);
/* struct cli_target_size: a size, or "55%" */
bool value_target_size(const char *text, void *value);
/* double: "30", "30dB" */
bool value_decibels(const char *text, void *value);
/* struct cli_range: "-1,1" */
bool value_range(const char *text, void *value);
/* uint32_t: "1" to "1000000" */
bool value_count(const char *text, void *value);
/* uint32_t: "0" to "1024" */
bool value_threads(const char *text, void *value);
/* uint32_t: TQ_EFFORT_... and TQ_TARGET_... by name */
bool value_effort(const char *text, void *value);
bool value_target(const char *text, void *value);
/* Only looks whether it is "PATTERN=RECIPE". */
bool value_is_choice(const char *text, void *value);

/* "normal", "xnnpack" */
const char *value_effort_name(unsigned effort);
const char *value_target_name(unsigned target);

#endif
