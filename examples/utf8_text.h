/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TFQUANT_EXAMPLES_UTF8_TEXT_H
#define TFQUANT_EXAMPLES_UTF8_TEXT_H

#include <stddef.h>

/* Bytes of the UTF-8 character that a NUL-terminated text starts with; 0 where
 * it starts with none: at the end, or at a byte that is not valid there. */
size_t utf8_character(const char *text);

#endif
