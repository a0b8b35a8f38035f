/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8_text.h"

#include <stdbool.h>

static bool continues(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

size_t utf8_character(const char *text) {
    const unsigned char first = (unsigned char)text[0];
    if (first == 0)
        return 0;
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4 || !continues(text[1]))
        return 0;
    if (first < 0xE0)
        return 2;
    /* The second byte tells overlong forms, surrogates and what is beyond U+10FFFF. */
    const unsigned char second = (unsigned char)text[1];
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
        (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F))
        return 0;
    if (!continues(text[2]))
        return 0;
    if (first < 0xF0)
        return 3;
    return continues(text[3]) ? 4 : 0;
}
