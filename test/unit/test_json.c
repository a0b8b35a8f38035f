/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of JSON: what it makes of texts, and that it refuses all others, saying where. */
#include "unit.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { BAD = TQ_ERR_BAD_RECIPE };

static tqi_heap heap;
static tqi_arena arena;

/* From a block of just this size, so that sanitizers see a step behind it. */
static tq_status parse(const char *data, size_t size, const tqi_json **root, tq_error *error) {
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    tqi_json_text text = {copy, size, BAD};
    *error = (tq_error)TQ_ERROR_INIT;
    tq_status status = tqi_json_read(&text, root, &arena, error);
    free(copy);
    return status;
}

static const tqi_json *good(const char *text) {
    tq_error error;
    const tqi_json *root = NULL;
    assert_ok(parse(text, strlen(text), &root, &error), &error);
    return root;
}

static void refused_size(const char *text, size_t size, const char *place, const char *what) {
    tq_error error;
    const tqi_json *root = NULL;
    assert_failed(BAD, parse(text, size, &root, &error), &error);
    assert_null(root);
    assert_true(error.offset <= size);
    if (strncmp(error.message, place, strlen(place)) != 0 || !strstr(error.message, what))
        fail_msg("%s: not '%s ... %s'", error.message, place, what);
}

static void refused(const char *text, const char *place, const char *what) {
    refused_size(text, strlen(text), place, what);
}

static int begin(void **state) {
    (void)state;
    tqi_heap_init(&heap, NULL, 0);
    tqi_arena_init(&arena, &heap);
    return 0;
}

static int end(void **state) {
    (void)state;
    tqi_arena_free(&arena);
    return atomic_load(&heap.used) != 0;
}

/* ---- what it reads ---- */

static void values(void **state) {
    (void)state;
    const tqi_json *root = good(" {\"a\" : [1, true, false, null, \"x\", {}, []],\r\n\t\"\": -2} ");
    assert_int_equal(root->type, TQI_JSON_OBJECT);
    assert_int_equal(root->count, 2);
    assert_int_equal(root->at, 1);
    const tqi_json *list = root->first;
    assert_string_equal(list->key.text, "a");
    assert_int_equal(list->key_at, 2);
    assert_int_equal(list->at, 8);
    static const tqi_json_type types[] = {TQI_JSON_NUMBER, TQI_JSON_BOOL,   TQI_JSON_BOOL,
                                          TQI_JSON_NULL,   TQI_JSON_STRING, TQI_JSON_OBJECT,
                                          TQI_JSON_ARRAY};
    assert_int_equal(list->count, COUNT(types));
    const tqi_json *value = list->first;
    for (size_t i = 0; i < COUNT(types); i++, value = value->next)
        assert_int_equal(value->type, types[i]);
    assert_null(value);
    assert_true(list->first->next->boolean);
    assert_false(list->first->next->next->boolean);
    assert_int_equal(list->next->key.length, 0);
    assert_true(list->next->number == -2);
    assert_null(list->next->next);
    assert_int_equal(good("null")->type, TQI_JSON_NULL);
}

static void numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double value;
    } exact[] = {
        {"0", 0},
        {"-0", -0.0},
        {"0.05", 0.05},
        {"0.055", 0.055},
        {"1E2", 100},
        {"1e+2", 100},
        {"12.5e-1", 1.25},
        {"9007199254740991", 9007199254740991.0},
        {"123456789012345e22", 123456789012345e22},
        {"3e-22", 3e-22},
        {"0e999999999999999999999999", 0},
        {"1e-99999999999999999999999", 0},
        {"0.00000000000000000000000000000000000000000000000000001e53", 1},
        {"1000000000000000000000000000000000000000000000000000000e-54", 1},
    };
    static const struct {
        const char *text;
        double value;
    } near[] = {
        {"3.14159265358979323846264338327950288", 3.14159265358979323846},
        {"1.7976931348623e308", 1.7976931348623e308},
        {"2.2250738585072014e-308", 2.2250738585072014e-308},
        {"6.02214076e-123", 6.02214076e-123},
        {"18446744073709551615", 18446744073709551615.0},
        {"-99999999999999999999999999999999999999", -1e38},
    };
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where there is one, a comma is its point */
    for (size_t i = 0; i < COUNT(exact); i++) {
        double found = good(exact[i].text)->number;
        if (found != exact[i].value || signbit(found) != signbit(exact[i].value))
            fail_msg("%s is %.17g", exact[i].text, found);
    }
    for (size_t i = 0; i < COUNT(near); i++) {
        double found = good(near[i].text)->number;
        if (!(fabs(found - near[i].value) <= 4e-15 * fabs(near[i].value)))
            fail_msg("%s is %.17g", near[i].text, found);
    }
    setlocale(LC_ALL, "C");
}

static void strings(void **state) {
    (void)state;
    const tqi_json *root = good(
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t \\u00e9\\u20AC\\ud83d\\uDE00 \xc3\xa9\xf0\x9f\x98\x80\"");
    assert_string_equal(root->string.text,
                        "\"\\/\b\f\n\r\t \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xc3\xa9"
                        "\xf0\x9f\x98\x80");
    assert_int_equal(root->string.length, strlen(root->string.text));
    root = good("\"a\\u0000b\"");
    assert_int_equal(root->string.length, 3);
    assert_memory_equal(root->string.text, "a\0b", 4);
    assert_string_equal(good("\"\"")->string.text, "");
}

/* ---- what it refuses ---- */

static void grammar(void **state) {
    (void)state;
    static const struct {
        const char *text, *place, *what;
    } cases[] = {
        {"", "line 1, column 1: ", "ends"},
        {" \n ", "line 2, column 2: ", "ends"},
        {"{\"a\": 1,}", "line 1, column 9: ", "a key"},
        {"[1,]", "line 1, column 4: ", "a value"},
        {"[1 2]", "line 1, column 4: ", "'2' where a ',' or a ']'"},
        {"{\"a\" 1}", "line 1, column 6: ", "a ':'"},
        {"{a: 1}", "line 1, column 2: ", "a key in quotation marks"},
        {"{\"a\":1 // no\n}", "line 1, column 8: ", "'/'"},
        {"{}{}", "line 1, column 3: ", "the end"},
        {"\xef\xbb\xbf{}", "line 1, column 1: ", "0xef"},
        {"nul", "line 1, column 1: ", "'null'"},
        {"True", "line 1, column 1: ", "'T'"},
        {"NaN", "line 1, column 1: ", "'N'"},
        {"01", "line 1, column 1: ", "begins with 0"},
        {"+1", "line 1, column 1: ", "'+'"},
        {".5", "line 1, column 1: ", "'.'"},
        {"1.", "line 1, column 3: ", "a digit"},
        {"-", "line 1, column 2: ", "a digit"},
        {"1e", "line 1, column 3: ", "a digit"},
        {"[1e400]", "line 1, column 2: ", "too large"},
        {"[-1e99999999999999999999]", "line 1, column 2: ", "too large"},
        {"\"\t\"", "line 1, column 2: ", "0x09"},
        {"\"\\x\"", "line 1, column 3: ", "'x'"},
        {"\"\\u12g4\"", "line 1, column 6: ", "hexadecimal"},
        {"\"\\ud800\"", "line 1, column 2: ", "surrogate"},
        {"\"\\ud800\\u0041\"", "line 1, column 2: ", "surrogate"},
        {"\"\\udc00\\ud800\"", "line 1, column 2: ", "surrogate"},
        {"\"\xc3\"", "line 1, column 2: ", "UTF-8"},
        {"\"\xc0\xaf\"", "line 1, column 2: ", "UTF-8"},
        {"\"\xed\xa0\x80\"", "line 1, column 2: ", "UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "line 1, column 2: ", "UTF-8"},
        {"{\"b\": 1,\n \"a\": 2,\r\n  \"b\": 3}", "line 3, column 3: ", "'b' is there twice"},
        {"{\"a\": 1, \"\\u0061\": 2}", "line 1, column 10: ", "twice"},
        {"[\"\xc3\xa9\xe2\x82\xac\",\r\r!]", "line 3, column 1: ", "'!'"},
        {"[\"\xc3\xa9\xe2\x82\xac\", !]", "line 1, column 8: ", "'!'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        refused(cases[i].text, cases[i].place, cases[i].what);
    refused_size("[1, \0]", 6, "line 1, column 5: ", "0x00");
}

/* Nothing that is cut off is valid, nor read beyond its end. */
static void truncated(void **state) {
    (void)state;
    static const char text[] =
        "{\"a\": [1.5e-3, true, \"\\ud83d\\ude00\xf0\x9f\x98\x80\"], \"b\": {\"c\": null}}";
    for (size_t size = 0; size < sizeof text - 1; size++)
        refused_size(text, size, "line 1, column ", "");
    assert_int_equal(good(text)->count, 2);
}

/* Each byte replaced by each other: an answer, and no harm. */
static void altered(void **state) {
    (void)state;
    static const char text[] = "{\"a\": [-0.5e+1, true, \"\\u00e9\xc3\xa9\"], \"b\": null}";
    char other[sizeof text];
    size_t accepted = 0;
    for (size_t i = 0; i < sizeof text - 1; i++)
        for (int c = 0; c < 256; c++) {
            tq_error error;
            const tqi_json *root = NULL;
            memcpy(other, text, sizeof text);
            other[i] = (char)c;
            tq_status status = parse(other, sizeof text - 1, &root, &error);
            accepted += status == TQ_OK;
            if (status != TQ_OK)
                assert_failed(BAD, status, &error);
        }
    assert_in_range(accepted, sizeof text, 256 * sizeof text / 4);
}

static void nesting(void **state) {
    (void)state;
    enum { DEEP = 100000 };
    char *text = malloc(DEEP + 1);
    assert_non_null(text);
    memset(text, '[', DEEP);
    text[DEEP] = '\0';
    refused(text, "line 1, column 65: ", "deep");
    memset(text + TQI_JSON_DEPTH, ']', TQI_JSON_DEPTH);
    text[2 * TQI_JSON_DEPTH] = '\0';
    assert_int_equal(good(text)->count, 1);
    free(text);
    /* side by side is not deep */
    char wide[3 * 200 + 2] = "[";
    for (size_t i = 0; i < 200; i++)
        strcat(wide, i ? ",[]" : "[]");
    strcat(wide, "]");
    assert_int_equal(good(wide)->count, 200);
}

/* Time grows with the size, or this takes hours. */
static void many_keys(void **state) {
    (void)state;
    enum { KEYS = 200000, KEY = 16 };
    char *text = malloc((size_t)KEYS * KEY + 8);
    assert_non_null(text);
    size_t size = 0;
    for (int i = 0; i < KEYS; i++)
        size += (size_t)sprintf(text + size, "%c\"k%06d\":1", i ? ',' : '{', i);
    size += (size_t)sprintf(text + size, "}");
    assert_int_equal(good(text)->count, KEYS);
    memcpy(strstr(text, "k000007"), "k000003", 7);
    refused(text, "line 1, column ", "'k000003' is there twice");
    free(text);
}

static void lack_of_memory(void **state) {
    (void)state;
    tqi_heap small;
    tqi_arena little;
    tq_error error = TQ_ERROR_INIT;
    char text[4096];
    memset(text, '1', sizeof text);
    for (size_t i = 1; i < sizeof text; i += 2)
        text[i] = ',';
    text[0] = '[';
    text[sizeof text - 1] = ']';
    text[sizeof text - 2] = '1';
    text[1] = '1';
    tqi_json_text given = {text, sizeof text, BAD};
    const tqi_json *root = NULL;
    tqi_heap_init(&small, NULL, 40000);
    tqi_arena_init(&little, &small);
    assert_int_equal(tqi_json_read(&given, &root, &little, &error), TQ_ERR_MEMORY_LIMIT);
    assert_null(root);
    tqi_arena_free(&little);
    assert_int_equal(atomic_load(&small.used), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values, begin, end),
        cmocka_unit_test_setup_teardown(numbers, begin, end),
        cmocka_unit_test_setup_teardown(strings, begin, end),
        cmocka_unit_test_setup_teardown(grammar, begin, end),
        cmocka_unit_test_setup_teardown(truncated, begin, end),
        cmocka_unit_test_setup_teardown(altered, begin, end),
        cmocka_unit_test_setup_teardown(nesting, begin, end),
        cmocka_unit_test_setup_teardown(many_keys, begin, end),
        cmocka_unit_test_setup_teardown(lack_of_memory, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
