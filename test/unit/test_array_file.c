/* SPDX-License-Identifier: Apache-2.0 */
/* The command's reader of .npy and raw files; what NumPy writes itself is read in test/models. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../examples/array_file.h"

/* A .npy file of this version, header and values. Free it by free(). */
static bytes make(int version, const char *header, const void *values, size_t size) {
    const size_t start = version == 1 ? 10 : 12;
    const size_t length = strlen(header);
    bytes file = {malloc(start + length + size + 1), start + length + size};
    assert_non_null(file.data);
    memcpy(file.data, "\x93NUMPY", 6);
    file.data[6] = (uint8_t)version;
    file.data[7] = 0;
    for (size_t i = 8; i < start; i++)
        file.data[i] = (uint8_t)(length >> (8 * (i - 8)));
    memcpy(file.data + start, header, length);
    if (size != 0)
        memcpy(file.data + start + length, values, size);
    return file;
}

/* In a block of just that size, so that a sanitizer sees reads behind it. */
static tq_status parse(struct array_file *file, const void *data, size_t size, tq_error *error) {
    uint8_t *copy = malloc(size != 0 ? size : 1);
    assert_non_null(copy);
    if (size != 0)
        memcpy(copy, data, size);
    *error = (tq_error)TQ_ERROR_INIT;
    const tq_status status = array_file_parse(file, copy, size, error);
    free(copy); /* the values are gone; tests that want them parse by themselves */
    return status;
}

static void assert_refused(tq_status expected, const char *message, bytes file) {
    struct array_file array;
    tq_error error;
    assert_failed(expected, parse(&array, file.data, file.size, &error), &error);
    if (strstr(error.message, message) == NULL)
        fail_msg("'%s' does not say '%s'", error.message, message);
}

static void refuse(tq_status expected, const char *message, const char *header, size_t size) {
    static const uint8_t zeros[64];
    assert_true(size <= sizeof zeros);
    for (int version = 1; version <= 3; version++) {
        bytes file = make(version, header, zeros, size);
        assert_refused(expected, message, file);
        free_bytes(file);
    }
}

#define HEADER(type, order, shape)                                                                 \
    "{'descr': '" type "', 'fortran_order': " order ", 'shape': " shape ", }          \n"

static void versions_are_read(void **state) {
    (void)state;
    const float values[6] = {0, 1, 2, 3, 4, 5};
    for (int version = 1; version <= 3; version++) {
        bytes file = make(version, HEADER("<f4", "False", "(2, 3)"), values, sizeof values);
        struct array_file array;
        tq_error error = TQ_ERROR_INIT;
        float read[6];
        assert_ok(array_file_parse(&array, file.data, file.size, &error), &error);
        assert_int_equal(array.rank, 2);
        assert_int_equal(array.shape[0], 2);
        assert_int_equal(array.shape[1], 3);
        assert_ok(array_file_read(&array, 0, 6, ARRAY_FLOAT32, NULL, read, &error), &error);
        assert_memory_equal(read, values, sizeof values);
        assert_failed(TQ_ERR_INVALID_ARGUMENT,
                      array_file_read(&array, 1, 6, ARRAY_FLOAT32, NULL, read, &error), &error);
        free_bytes(file);
    }
}

static void unusual_headers_are_read(void **state) {
    (void)state;
    static const char *const headers[] = {
        "{'shape':(2,1L),'fortran_order':False,'descr':'|u1'}",
        "{\"descr\":\"|u1\", \"shape\": ( 2 , 1 ) , \"fortran_order\" : True }\n\n",
        HEADER("=u1", "False", "(2,)"),
    };
    for (size_t i = 0; i < COUNT(headers); i++) {
        struct array_file array;
        tq_error error;
        bytes file = make(1, headers[i], "ab", 2);
        assert_ok(parse(&array, file.data, file.size, &error), &error);
        assert_int_equal(array.elements, 2);
        free_bytes(file);
    }
}

static void truncated_files_are_refused(void **state) {
    (void)state;
    for (int version = 1; version <= 3; version++) {
        bytes file = make(version, HEADER("<i2", "False", "(3,)"), "abcdef", 6);
        struct array_file array;
        tq_error error;
        for (size_t size = 0; size < file.size; size++)
            assert_failed(TQ_ERR_CORRUPT, parse(&array, file.data, size, &error), &error);
        assert_ok(parse(&array, file.data, file.size, &error), &error);
        file.data[file.size] = 0;
        file.size++;
        assert_refused(TQ_ERR_CORRUPT, "longer than its shape says: 7 bytes", file);
        free_bytes(file);
    }
}

static void hostile_headers_are_refused(void **state) {
    (void)state;
    /* 2^32 * 2^32 wraps to 0, and 2^61 * 8 bytes too. */
    refuse(TQ_ERR_CORRUPT, "impossibly large", HEADER("<f4", "False", "(4294967296, 4294967296)"),
           0);
    refuse(TQ_ERR_CORRUPT, "impossibly large", HEADER("<f8", "False", "(2305843009213693952,)"), 0);
    refuse(TQ_ERR_CORRUPT, "truncated", HEADER("<f4", "False", "(2305843009213693952,)"), 8);
    refuse(TQ_ERR_CORRUPT, "damaged", HEADER("<f4", "False", "(99999999999999999999999,)"), 0);
    refuse(TQ_ERR_CORRUPT, "no values", HEADER("<f4", "False", "(0, 3)"), 0);
    refuse(TQ_ERR_UNSUPPORTED, "dimensions",
           HEADER("<f4", "False", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"), 4);
    refuse(TQ_ERR_CORRUPT, "damaged", HEADER("<f4", "False", "(-1,)"), 4);
    refuse(TQ_ERR_CORRUPT, "damaged", HEADER("<f4", "False", "(1"), 4);
    refuse(TQ_ERR_CORRUPT, "damaged", HEADER("<f4", "Maybe", "(1,)"), 4);
    refuse(TQ_ERR_UNSUPPORTED, "'<c8'", HEADER("<c8", "False", "(1,)"), 8);
    refuse(TQ_ERR_UNSUPPORTED, "'<U4'", HEADER("<U4", "False", "(1,)"), 16);
    refuse(TQ_ERR_UNSUPPORTED, "'f4'", HEADER("f4", "False", "(1,)"), 4);
    refuse(TQ_ERR_UNSUPPORTED, "Python objects", HEADER("|O", "False", "(1,)"), 8);
    refuse(TQ_ERR_UNSUPPORTED, "records",
           "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4);
    refuse(TQ_ERR_CORRUPT, "damaged", "{'descr': '<f4', 'shape': (1,)}", 4);
    refuse(TQ_ERR_CORRUPT, "damaged",
           "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4);
    refuse(TQ_ERR_CORRUPT, "damaged",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}", 4);
    refuse(TQ_ERR_CORRUPT, "damaged", HEADER("<f4", "False", "(1,)") "x", 4);
    refuse(TQ_ERR_CORRUPT, "damaged", "", 4);

    bytes file = make(1, HEADER("<f4", "False", "(1,)"), "abcd", 4);
    file.data[6] = 4;
    assert_refused(TQ_ERR_UNSUPPORTED, "version 4.0", file);
    file.data[6] = 2; /* then the header's first bytes are of its length */
    assert_refused(TQ_ERR_CORRUPT, "truncated", file);
    file.data[1] = 'n';
    assert_refused(TQ_ERR_CORRUPT, "not a .npy file", file);
    free_bytes(file);
}

/* No byte of a header changed makes it read outside; a sanitizer looks. */
static void damaged_headers_are_survived(void **state) {
    (void)state;
    bytes file = make(1, HEADER(">f8", "True", "(1, 2)"), "0123456789abcdef", 16);
    for (size_t i = 0; i < file.size - 16; i++) {
        const uint8_t before = file.data[i];
        for (int value = 0; value < 256; value += UNIT_SLOW ? 7 : 1) {
            struct array_file array;
            tq_error error;
            file.data[i] = (uint8_t)value;
            if (parse(&array, file.data, file.size, &error) == TQ_OK)
                assert_int_equal(array.elements * array.item, 16);
            else
                assert_message(&error);
        }
        file.data[i] = before;
    }
    free_bytes(file);
}

/* Reads one value as `type`, with or without range. */
static tq_status read_one(const char *header, const void *value, size_t size, int32_t type,
                          const double *range, void *out, tq_error *error) {
    struct array_file array;
    bytes file = make(1, header, value, size);
    *error = (tq_error)TQ_ERROR_INIT;
    assert_ok(array_file_parse(&array, file.data, file.size, error), error);
    const tq_status status = array_file_read(&array, 0, 1, type, range, out, error);
    free_bytes(file);
    return status;
}

static void values_that_do_not_fit_are_refused(void **state) {
    (void)state;
    tq_error error;
    float f;
    int32_t i;
    int64_t l;
    bool b;
    const double range[2] = {-1, 1};
    const char *u1 = HEADER("|u1", "False", "()");
    assert_ok(read_one(HEADER("<i8", "False", "()"), "\0\0\0\x80\xFF\xFF\xFF\xFF", 8, ARRAY_INT32,
                       NULL, &i, &error),
              &error);
    assert_int_equal(i, INT32_MIN);
    assert_failed(TQ_ERR_TOO_LARGE,
                  read_one(HEADER("<i8", "False", "()"), "\0\0\0\x80\0\0\0\0", 8, ARRAY_INT32, NULL,
                           &i, &error),
                  &error);
    assert_failed(TQ_ERR_TOO_LARGE,
                  read_one(HEADER("<u8", "False", "()"), "\0\0\0\0\0\0\0\x80", 8, ARRAY_INT64, NULL,
                           &l, &error),
                  &error);
    assert_ok(read_one(u1, "\1", 1, ARRAY_BOOL, NULL, &b, &error), &error);
    assert_true(b);
    assert_failed(TQ_ERR_TOO_LARGE, read_one(u1, "\2", 1, ARRAY_BOOL, NULL, &b, &error), &error);
    /* 1e300, and a half that is no number */
    assert_failed(TQ_ERR_TOO_LARGE,
                  read_one(HEADER(">f8", "False", "()"), "\x7E\x37\xE4\x3C\x88\0\x75\x9C", 8,
                           ARRAY_FLOAT32, NULL, &f, &error),
                  &error);
    assert_failed(
        TQ_ERR_CORRUPT,
        read_one(HEADER("<f2", "False", "()"), "\1\x7E", 2, ARRAY_FLOAT32, NULL, &f, &error),
        &error);
    assert_failed(TQ_ERR_UNSUPPORTED, read_one(u1, "\x80", 1, ARRAY_FLOAT32, NULL, &f, &error),
                  &error);
    assert_non_null(strstr(error.message, "--input-range"));
    assert_ok(read_one(u1, "\xFF", 1, ARRAY_FLOAT32, range, &f, &error), &error);
    assert_true(f == 1.0f);
    assert_failed(TQ_ERR_UNSUPPORTED,
                  read_one(HEADER("<f4", "False", "()"), "abcd", 4, ARRAY_INT32, NULL, &i, &error),
                  &error);
    assert_failed(TQ_ERR_UNSUPPORTED, read_one(u1, "a", 1, 5 /* STRING */, NULL, &f, &error),
                  &error);
}

static void files_are_told_by_their_endings(void **state) {
    (void)state;
    const float values[4] = {1, 2, 3, 4};
    const uint64_t shape[2] = {2, 2};
    const uint64_t wrong[2] = {2, 3};
    struct array_file array;
    tq_error error = TQ_ERROR_INIT;
    float read[2];
    (void)scratch_begin();
    write_file(scratch_path("a.raw"), values, sizeof values);
    write_file(scratch_path("a.npy"), values, sizeof values);
    write_file(scratch_path("empty.npy"), values, 0);
    assert_true(array_file_has_ending("x/a.bin"));
    assert_false(array_file_has_ending("x/a.txt"));
    assert_false(array_file_has_ending(".npy"));

    assert_ok(array_file_open(&array, scratch_path("a.raw"), &error), &error);
    assert_failed(TQ_ERR_CORRUPT, array_file_describe(&array, ARRAY_FLOAT32, wrong, 2, &error),
                  &error);
    assert_ok(array_file_describe(&array, ARRAY_FLOAT32, shape, 2, &error), &error);
    assert_ok(array_file_read(&array, 2, 2, ARRAY_FLOAT32, NULL, read, &error), &error);
    assert_memory_equal(read, values + 2, sizeof read);
    array_file_close(&array);

    assert_failed(TQ_ERR_CORRUPT, array_file_open(&array, scratch_path("a.npy"), &error), &error);
    assert_failed(TQ_ERR_CORRUPT, array_file_open(&array, scratch_path("empty.npy"), &error),
                  &error);
    assert_failed(TQ_ERR_OPEN, array_file_open(&array, scratch_path("none.npy"), &error), &error);
    scratch_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_read),
        cmocka_unit_test(unusual_headers_are_read),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(damaged_headers_are_survived),
        cmocka_unit_test(values_that_do_not_fit_are_refused),
        cmocka_unit_test(files_are_told_by_their_endings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
