/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const tqi_json_text *text;
    size_t at;
    unsigned depth;
    tqi_arena *arena;
    tq_error *error;
} reader;

/* ---- errors ---- */

tq_status tqi_json_fail(const tqi_json_text *text, size_t at, tq_error *error, const char *format,
                        ...) {
    char message[sizeof error->message];
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        unsigned char c = (unsigned char)text->data[i];
        bool pair = c == '\r' && i + 1 < text->size && text->data[i + 1] == '\n';
        if (c == '\n' || (c == '\r' && !pair)) {
            line++;
            column = 1;
        } else if ((c & 0xc0) != 0x80) {
            column++;
        }
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return tqi_fail_at(error, text->bad, at, "line %zu, column %zu: %s", line, column, message);
}

static bool at_end(const reader *r) {
    return r->at == r->text->size;
}

/* -1 behind the end. */
static int peek(const reader *r) {
    return at_end(r) ? -1 : (unsigned char)r->text->data[r->at];
}

static tq_status expected(const reader *r, const char *what) {
    int c = peek(r);
    if (c < 0)
        return tqi_json_fail(r->text, r->at, r->error, "the text ends where %s should be", what);
    if (c > 0x20 && c < 0x7f)
        return tqi_json_fail(r->text, r->at, r->error, "'%c' where %s should be", c, what);
    return tqi_json_fail(r->text, r->at, r->error, "a byte 0x%02x where %s should be", (unsigned)c,
                         what);
}

/* ---- parts ---- */

static void skip_space(reader *r) {
    for (int c = peek(r); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = peek(r))
        r->at++;
}

static bool take(reader *r, char wanted) {
    bool is_there = peek(r) == wanted;
    r->at += is_there;
    return is_there;
}

static tq_status read_word(reader *r, const char *word) {
    size_t start = r->at, length = strlen(word);
    if (r->text->size - start < length || memcmp(r->text->data + start, word, length) != 0)
        return tqi_json_fail(r->text, start, r->error, "a word that is not '%s'", word);
    r->at += length;
    return TQ_OK;
}

/* ---- numbers: not by strtod(), which goes by the locale ---- */

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

/* A number as digits * 10^exponent. */
typedef struct decimal {
    uint64_t digits; /* the first 19; what is behind them counts as 0 */
    int64_t exponent;
} decimal;

static tq_status read_digits(reader *r, decimal *d, bool is_fraction) {
    if (!is_digit(peek(r)))
        return expected(r, "a digit");
    for (; is_digit(peek(r)); r->at++) {
        bool room = d->digits < 1000000000000000000u;
        if (room)
            d->digits = 10 * d->digits + (uint64_t)(peek(r) - '0');
        d->exponent += (int64_t)!room - (int64_t)is_fraction;
    }
    return TQ_OK;
}

static tq_status read_exponent(reader *r, decimal *d) {
    const int64_t enough = INT64_MAX / 4; /* no text is that long */
    bool negative = peek(r) == '-';
    int64_t power = 0;
    if (negative || peek(r) == '+')
        r->at++;
    if (!is_digit(peek(r)))
        return expected(r, "a digit");
    for (; is_digit(peek(r)); r->at++)
        power = power < enough / 10 ? 10 * power + (peek(r) - '0') : enough;
    d->exponent += negative ? -power : power;
    return TQ_OK;
}

static double scale(const decimal *d) {
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    static const struct {
        int64_t power;
        double value;
    } large[] = {{256, 1e256}, {128, 1e128}, {64, 1e64}, {32, 1e32}, {22, 1e22}};
    int64_t left = d->exponent < 0 ? -d->exponent : d->exponent;
    double value = (double)d->digits;
    if (d->digits == 0 || left > 700)
        return d->digits == 0 || d->exponent < 0 ? 0 : INFINITY;
    for (size_t i = 0; i < sizeof large / sizeof *large && left > 22; i++)
        for (; left >= large[i].power && left > 22; left -= large[i].power)
            value = d->exponent < 0 ? value / large[i].value : value * large[i].value;
    return d->exponent < 0 ? value / exact[left] : value * exact[left];
}

static tq_status read_number(reader *r, double *number) {
    size_t start = r->at;
    decimal d = {0, 0};
    bool negative = take(r, '-');
    if (peek(r) == '0')
        r->at++;
    else
        TQI_TRY(read_digits(r, &d, false));
    if (is_digit(peek(r)))
        return tqi_json_fail(r->text, start, r->error, "a number that begins with 0");
    if (take(r, '.'))
        TQI_TRY(read_digits(r, &d, true));
    if (take(r, 'e') || take(r, 'E'))
        TQI_TRY(read_exponent(r, &d));
    *number = negative ? -scale(&d) : scale(&d);
    if (isinf(*number))
        return tqi_json_fail(r->text, start, r->error, "a number that is too large");
    return TQ_OK;
}

/* ---- strings ---- */

/* Bytes of the UTF-8 character at `at`; 0: it is none. */
static size_t character(const reader *r, size_t at) {
    const unsigned char *text = (const unsigned char *)r->text->data + at;
    size_t left = r->text->size - at;
    size_t size = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if ((text[0] >= 0x80 && text[0] < 0xc2) || text[0] > 0xf4 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool no_character = (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf4 && text[1] > 0x8f);
    return overlong || no_character ? 0 : size;
}

static size_t put_character(char *to, uint32_t code) {
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i-- > 1; code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(first[size] | code);
    return size;
}

static tq_status read_hex(reader *r, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        int c = peek(r), letter = c | 0x20;
        if (!is_digit(c) && (c < 0 || letter < 'a' || letter > 'f'))
            return expected(r, "a hexadecimal digit");
        *code = *code << 4 | (uint32_t)(is_digit(c) ? c - '0' : letter - 'a' + 10);
    }
    return TQ_OK;
}

/* Behind "\u"; a character beyond 0xffff is two of them. */
static tq_status read_code(reader *r, uint32_t *code) {
    size_t start = r->at - 2;
    uint32_t low = 0;
    TQI_TRY(read_hex(r, code));
    if (*code < 0xd800 || *code > 0xdfff)
        return TQ_OK;
    bool pair = *code < 0xdc00 && take(r, '\\') && take(r, 'u');
    if (pair)
        TQI_TRY(read_hex(r, &low));
    if (low < 0xdc00 || low > 0xdfff)
        return tqi_json_fail(r->text, start, r->error, "half of a surrogate pair");
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return TQ_OK;
}

static tq_status read_escape(reader *r, uint32_t *code) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    int c = peek(r);
    const char *found = c > 0 ? strchr(letters, c) : NULL;
    if (!found && c != 'u')
        return expected(r, "one of \"\\/bfnrtu");
    r->at++;
    if (!found)
        return read_code(r, code);
    *code = (uint32_t)meanings[found - letters];
    return TQ_OK;
}

/* Room for the string that begins here: what is decoded is never longer. */
static size_t raw_length(const reader *r) {
    size_t at = r->at;
    while (at < r->text->size && r->text->data[at] != '"')
        at += r->text->data[at] == '\\' ? 2 : 1;
    return (at < r->text->size ? at : r->text->size) - r->at;
}

/* Behind the quotation mark. */
static tq_status read_string(reader *r, tqi_json_string *string) {
    char *text = NULL;
    size_t n = 0;
    TQI_NEW(r->arena, &text, raw_length(r) + 1, r->error);
    while (!take(r, '"')) {
        uint32_t code = 0;
        size_t size = at_end(r) ? 0 : character(r, r->at);
        if (at_end(r) || (peek(r) < 0x20 && size > 0))
            return expected(r, "the rest of a string");
        if (size == 0)
            return tqi_json_fail(r->text, r->at, r->error, "bytes that are not UTF-8");
        if (take(r, '\\')) {
            TQI_TRY(read_escape(r, &code));
            n += put_character(text + n, code);
            continue;
        }
        memcpy(text + n, r->text->data + r->at, size);
        r->at += size;
        n += size;
    }
    *string = (tqi_json_string){text, n};
    return TQ_OK;
}

/* ---- values ---- */

static tq_status read_value(reader *r, tqi_json *value);

static int by_key(const void *a, const void *b) {
    const tqi_json *x = *(const tqi_json *const *)a, *y = *(const tqi_json *const *)b;
    if (x->key.length != y->key.length)
        return x->key.length < y->key.length ? -1 : 1;
    int order = memcmp(x->key.text, y->key.text, x->key.length);
    return order != 0 ? order : x->key_at < y->key_at ? -1 : 1;
}

static tq_status check_keys(const reader *r, const tqi_json *object) {
    const tqi_json **list = NULL, *twice = NULL;
    size_t n = 0;
    if (object->count < 2)
        return TQ_OK;
    TQI_NEW(r->arena, &list, object->count, r->error);
    for (const tqi_json *member = object->first; member; member = member->next)
        list[n++] = member;
    qsort(list, n, sizeof *list, by_key);
    for (size_t i = 1; i < n; i++) {
        const tqi_json_string *a = &list[i - 1]->key, *b = &list[i]->key;
        bool same = a->length == b->length && memcmp(a->text, b->text, b->length) == 0;
        if (same && (!twice || list[i]->key_at < twice->key_at))
            twice = list[i];
    }
    if (!twice)
        return TQ_OK;
    return tqi_json_fail(r->text, twice->key_at, r->error, "key '%.80s' is there twice",
                         twice->key.text);
}

static tq_status read_key(reader *r, tqi_json *member) {
    skip_space(r);
    member->key_at = r->at;
    if (!take(r, '"'))
        return expected(r, "a key in quotation marks");
    TQI_TRY(read_string(r, &member->key));
    skip_space(r);
    return take(r, ':') ? TQ_OK : expected(r, "a ':'");
}

/* Behind the bracket. */
static tq_status read_list(reader *r, tqi_json *list) {
    bool is_object = list->type == TQI_JSON_OBJECT;
    char end = is_object ? '}' : ']';
    tqi_json **link = &list->first;
    if (++r->depth > TQI_JSON_DEPTH)
        return tqi_json_fail(r->text, list->at, r->error, "more than %d arrays and objects deep",
                             TQI_JSON_DEPTH);
    skip_space(r);
    while (list->count > 0 ? take(r, ',') : peek(r) != end) {
        TQI_NEW(r->arena, link, 1, r->error);
        if (is_object)
            TQI_TRY(read_key(r, *link));
        TQI_TRY(read_value(r, *link));
        link = &(*link)->next;
        list->count++;
    }
    if (!take(r, end))
        return expected(r, is_object ? "a ',' or a '}'" : "a ',' or a ']'");
    r->depth--;
    return is_object ? check_keys(r, list) : TQ_OK;
}

static tq_status read_any(reader *r, tqi_json *value) {
    int c = peek(r);
    if (c == '-' || is_digit(c)) {
        value->type = TQI_JSON_NUMBER;
        return read_number(r, &value->number);
    }
    switch (c) {
    case 'n':
        value->type = TQI_JSON_NULL;
        return read_word(r, "null");
    case 't':
    case 'f':
        value->type = TQI_JSON_BOOL;
        value->boolean = c == 't';
        return read_word(r, value->boolean ? "true" : "false");
    case '"':
        value->type = TQI_JSON_STRING;
        r->at++;
        return read_string(r, &value->string);
    case '[':
    case '{':
        value->type = c == '[' ? TQI_JSON_ARRAY : TQI_JSON_OBJECT;
        r->at++;
        return read_list(r, value);
    default:
        return expected(r, "a value");
    }
}

static tq_status read_value(reader *r, tqi_json *value) {
    skip_space(r);
    value->at = r->at;
    TQI_TRY(read_any(r, value));
    skip_space(r);
    return TQ_OK;
}

tq_status tqi_json_read(const tqi_json_text *text, const tqi_json **root, tqi_arena *arena,
                        tq_error *error) {
    reader r = {text, 0, 0, arena, error};
    tqi_json *value = NULL;
    TQI_NEW(arena, &value, 1, error);
    TQI_TRY(read_value(&r, value));
    if (!at_end(&r))
        return expected(&r, "the end of the text");
    *root = value;
    return TQ_OK;
}
