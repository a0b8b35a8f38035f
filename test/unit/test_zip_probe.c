/* SPDX-License-Identifier: Apache-2.0 */
/* Telling archives from other files: never an error, and little is read. */
#include "zip_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/zip_format.h"

static const zip_member members[] = {
    {.name = "first", .content = "text", .size = 200000},
    {.name = "second", .content = "text", .deflated = true, .wide = true},
};

typedef struct counted {
    bytes file;
    uint64_t read;
    bool broken;
} counted;

static int32_t read_counted(void *opaque, uint64_t offset, void *data, size_t size) {
    counted *c = opaque;
    if (c->broken || offset > c->file.size || size > c->file.size - offset)
        return EIO;
    memcpy(data, c->file.data + offset, size);
    c->read += size;
    return 0;
}

static tq_status probe(counted *c, bool callback, uint64_t offset, uint64_t size, bool *is_zip,
                       tq_error *error) {
    tqi_heap heap;
    tqi_source source;
    const tq_source user = {sizeof user, 0, c, c->file.size, read_counted};
    tqi_heap_init(&heap, NULL, 0);
    *error = (tq_error)TQ_ERROR_INIT;
    if (callback)
        assert_ok(tqi_source_callback(&source, &user, &heap, error), error);
    else
        tqi_source_memory(&source, c->file.data, c->file.size);
    tq_status status = tqi_zip_probe(&source, offset, size, is_zip, error);
    tqi_source_close(&source);
    return status;
}

static bool is_zip(bytes file, uint64_t offset, uint64_t size) {
    bool answers[2];
    for (int callback = 0; callback < 2; callback++) {
        counted c = {file, 0, false};
        tq_error error;
        assert_ok(probe(&c, callback, offset, size, &answers[callback], &error), &error);
        assert_true(c.read <= 300000);
    }
    assert_int_equal(answers[0], answers[1]);
    return answers[0];
}

static void test_archives(void **state) {
    (void)state;
    static const zip_plan plans[] = {
        {PLAN(members)},
        {PLAN(members), .wide = true, .end64_data = "more", .comment = "end"},
        {PLAN(members), .prefix = "a program"},
        {PLAN(members), .prefix = "a program", .counted_from = 9},
        {PLAN(members), .prefix = "a program", .counted_from = 9, .wide = true, .zeros = 12},
        {.n = 0},
        {.n = 0, .comment = "nothing in it"},
        {.n = 0, .prefix = "something", .wide = true},
    };
    for (size_t i = 0; i < COUNT(plans); i++) {
        bytes file = build_zip(&plans[i]);
        assert_true(is_zip(file, 0, file.size));
        assert_false(is_zip(file, 0, 0));
        assert_false(is_zip(file, 0, 21));
        assert_false(is_zip(file, 0, file.size - plans[i].zeros - 1));
        size_t prefix = plans[i].prefix ? strlen(plans[i].prefix) : 0;
        assert_true(is_zip(file, prefix, file.size - prefix));
        free(file.data);
    }
}

/* Deep within, where only opening it looks, it may be as broken as it likes. */
static void test_damaged(void **state) {
    (void)state;
    bytes file = build_zip(&(zip_plan){PLAN(members)});
    memset(file.data, 'x', 100000);
    assert_true(is_zip(file, 0, file.size));
    poke_u32(file, zip_record(file, ZIP_CENTRAL, 0), 0);
    assert_false(is_zip(file, 0, file.size));
    free(file.data);
}

static void test_other_files(void **state) {
    (void)state;
    enum { LARGE = 1000000 };
    bytes files[] = {float32_model(), float16_model(), {malloc(LARGE), LARGE}};
    bytes large = files[2];
    assert_non_null(large.data);
    for (size_t i = 0; i < LARGE; i++)
        large.data[i] = (uint8_t) "PK\5\6\0\0PK\1\2"[i * 7 / 5 % 10];
    for (size_t i = 0; i < COUNT(files); i++) {
        for (size_t size = 0; size <= files[i].size; size += 1 + size / 3)
            assert_false(is_zip(files[i], 0, size));
        assert_false(is_zip(files[i], 0, files[i].size));
    }
    /* an end record can be a coincidence */
    for (size_t i = 0; i + 4 <= LARGE; i += 4)
        poke_u32(large, i, ZIP_END);
    assert_false(is_zip(large, 0, LARGE));
    memset(large.data, 0, LARGE);
    poke_u32(large, LARGE - 100, ZIP_END);
    assert_false(is_zip(large, 0, LARGE));
    /* so can ZIP64's, which claims to be nearly as large as the file */
    poke_u32(large, LARGE - 100, 0);
    poke_u32(large, LARGE - 22, ZIP_END);
    poke_u32(large, LARGE - 42, ZIP_LOCATOR);
    poke_u32(large, 0, ZIP_END64);
    poke_u32(large, 4, LARGE - 42 - 12);
    is_zip(large, 0, LARGE);
    for (size_t i = 0; i < COUNT(files); i++)
        free(files[i].data);
}

static void test_every_length_and_byte(void **state) {
    (void)state;
    static const zip_member small[] = {{.name = "m", .content = "model", .wide = true}};
    bytes file = build_zip(&(zip_plan){PLAN(small), .wide = true, .comment = "end"});
    for (size_t size = 0; size < file.size; size++) {
        assert_false(is_zip(file, 0, size));
        is_zip(file, size, file.size - size);
        for (int bit = 0; bit < 8; bit++) {
            file.data[size] ^= (uint8_t)(1 << bit);
            is_zip(file, 0, file.size);
            file.data[size] ^= (uint8_t)(1 << bit);
        }
    }
    free(file.data);
}

static void test_unreadable(void **state) {
    (void)state;
    bytes file = build_zip(&(zip_plan){PLAN(members)});
    counted c = {file, 0, true};
    tq_error error;
    bool is;
    assert_failed(TQ_ERR_READ, probe(&c, true, 0, file.size, &is, &error), &error);
    c.broken = false;
    assert_failed(TQ_ERR_INTERNAL, probe(&c, true, 1, file.size, &is, &error), &error);
    free(file.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_archives),    cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_other_files), cmocka_unit_test(test_every_length_and_byte),
        cmocka_unit_test(test_unreadable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
