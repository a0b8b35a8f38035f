/* SPDX-License-Identifier: Apache-2.0 */
/* Archives that deceive, or that can't be kept: each is refused with its status, naming the member
 * and the place. */
#include "zip_builder.h"

#include <stdlib.h>
#include <string.h>

#include "bundle/zip_format.h"

static const zip_member pair[] = {
    {.name = "first", .content = "some text, ", .size = 3000, .deflated = true},
    {.name = "second", .content = "stored"},
};
static const zip_member with_descriptor[] = {
    {.name = "first", .content = "some text", .deflated = true, .descriptor = SIGNED},
    {.name = "second", .content = "stored"},
};
static const zip_member wide_pair[] = {
    {.name = "first", .content = "some text", .wide = true},
    {.name = "second", .content = "stored"},
};

typedef enum base { PAIR, DESCRIPTOR, WIDE_PAIR } base;
static const zip_plan bases[] = {
    {PLAN(pair)},
    {PLAN(with_descriptor)},
    {PLAN(wide_pair), .wide = true},
};

typedef struct poke {
    uint32_t signature, index, at, size, value;
} poke;

typedef struct bad_zip {
    const char *says; /* in the message */
    base base;
    tq_status status;
    poke pokes[3]; /* size 0: none */
} bad_zip;

#define BOTH_HEADERS(local, central, size, value)                                                  \
    {                                                                                              \
        {ZIP_LOCAL, 0, local, size, value}, {                                                      \
            ZIP_CENTRAL, 0, central, size, value                                                   \
        }                                                                                          \
    }

static const bad_zip bad[] = {
    /* what can't be kept */
    {"'first': it is encrypted", PAIR, TQ_ERR_UNSUPPORTED,
     BOTH_HEADERS(LOCAL_FLAGS, CENTRAL_FLAGS, 2, 1)},
    {"'first': it is encrypted", PAIR, TQ_ERR_UNSUPPORTED, {{ZIP_LOCAL, 0, LOCAL_FLAGS, 2, 1}}},
    {"'second': it is encrypted",
     PAIR,
     TQ_ERR_UNSUPPORTED,
     {{ZIP_CENTRAL, 1, CENTRAL_FLAGS, 2, 0x2000}}},
    {"'first': it is patch", PAIR, TQ_ERR_UNSUPPORTED, {{ZIP_CENTRAL, 0, CENTRAL_FLAGS, 2, 32}}},
    {"method 12", PAIR, TQ_ERR_UNSUPPORTED, BOTH_HEADERS(LOCAL_METHOD, CENTRAL_METHOD, 2, 12)},
    {"'second': it is in another part",
     PAIR,
     TQ_ERR_UNSUPPORTED,
     {{ZIP_CENTRAL, 1, CENTRAL_DISK, 2, 1}}},
    {"one part of several", PAIR, TQ_ERR_UNSUPPORTED, {{ZIP_END, 0, END_DISK, 2, 1}}},
    {"one part of several", PAIR, TQ_ERR_UNSUPPORTED, {{ZIP_END, 0, END_DIRECTORY_DISK, 2, 1}}},
    {"one part of several", PAIR, TQ_ERR_UNSUPPORTED, {{ZIP_END, 0, END_ENTRIES_HERE, 2, 1}}},
    {"one part of several", WIDE_PAIR, TQ_ERR_UNSUPPORTED, {{ZIP_END64, 0, END64_DISK, 4, 1}}},
    {"one part of several", WIDE_PAIR, TQ_ERR_UNSUPPORTED, {{ZIP_LOCATOR, 0, LOCATOR_DISKS, 4, 2}}},
    /* sizes and places that lie */
    {"'first': its header and the directory tell different sizes",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_LOCAL, 0, LOCAL_UNPACKED, 4, 3001}}},
    {"'first': its header and the directory tell different sizes",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_LOCAL, 0, LOCAL_PACKED, 4, 1}}},
    {"'first': its header and the directory tell different sizes",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_LOCAL, 0, LOCAL_UNPACKED, 4, 0}}},
    {"'first': its header and the directory tell different CRCs",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_LOCAL, 0, LOCAL_CRC, 4, 7}}},
    {"'first': its header and the directory tell different methods",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_LOCAL, 0, LOCAL_METHOD, 2, 0}}},
    {"'first': it has another name",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_LOCAL, 0, ZIP_LOCAL_SIZE, 2, 0x4141}}},
    {"'first': it has another name",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_LOCAL, 0, LOCAL_NAME_LENGTH, 2, 4}}},
    {"'second': it is stored, but its two sizes",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_CENTRAL, 1, CENTRAL_PACKED, 4, 5}}},
    {"'first': 2147483648 bytes lead beyond", PAIR, TQ_ERR_CORRUPT,
     BOTH_HEADERS(LOCAL_PACKED, CENTRAL_PACKED, 4, 0x80000000)},
    {"'second': its header is cut off",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_LOCAL, 1, LOCAL_EXTRA_LENGTH, 2, 0xffff}}},
    {"'first': another member starts within it",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_LOCAL, 0, LOCAL_EXTRA_LENGTH, 2, 8}}},
    {"'first': another member starts within it",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_CENTRAL, 1, CENTRAL_OFFSET, 4, 0}}},
    {"'second': nothing of it is at its offset 1",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_CENTRAL, 1, CENTRAL_OFFSET, 4, 1}}},
    {"'second': nothing of it is at its offset 2147483648",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_CENTRAL, 1, CENTRAL_OFFSET, 4, 0x80000000}}},
    {"'first': what is behind its data",
     DESCRIPTOR,
     TQ_ERR_CORRUPT,
     {{ZIP_DESCRIPTOR, 0, 4, 4, 0}}},
    {"'first': what is behind its data",
     DESCRIPTOR,
     TQ_ERR_CORRUPT,
     {{ZIP_DESCRIPTOR, 0, 12, 4, 10}}},
    {"'first': its ZIP64 sizes are cut off",
     WIDE_PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_CENTRAL, 0, ZIP_CENTRAL_SIZE + 7, 2, 16}}},
    /* the directory */
    {"no end record", PAIR, TQ_ERR_CORRUPT, {{ZIP_END, 0, 0, 4, 0}}},
    {"no end record", PAIR, TQ_ERR_CORRUPT, {{ZIP_END, 0, END_COMMENT_LENGTH, 2, 1}}},
    {"holds more than the 1 members",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_END, 0, END_ENTRIES_HERE, 2, 1}, {ZIP_END, 0, END_ENTRIES, 2, 1}}},
    {"claims 3 members in a directory of 103 bytes",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_END, 0, END_ENTRIES_HERE, 2, 3}, {ZIP_END, 0, END_ENTRIES, 2, 3}}},
    {"breaks off at member 1 of 2", PAIR, TQ_ERR_CORRUPT, {{ZIP_CENTRAL, 1, 0, 4, 0}}},
    {"breaks off at member 1 of 2",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_CENTRAL, 1, CENTRAL_COMMENT_LENGTH, 2, 9}}},
    {"breaks off at member 0 of 2",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_CENTRAL, 0, CENTRAL_EXTRA_LENGTH, 2, 0xffff}}},
    {"directory of 102 bytes is not where",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_END, 0, END_SIZE, 4, 102}, {ZIP_END, 0, END_OFFSET, 4, 0}}},
    {"directory of 2147483648 bytes is not where",
     PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_END, 0, END_SIZE, 4, 0x80000000}}},
    {"contradict each other", WIDE_PAIR, TQ_ERR_CORRUPT, {{ZIP_END, 0, END_SIZE, 4, 7}}},
    {"contradict each other", WIDE_PAIR, TQ_ERR_CORRUPT, {{ZIP_END, 0, END_OFFSET, 4, 7}}},
    {"contradict each other",
     WIDE_PAIR,
     TQ_ERR_CORRUPT,
     {{ZIP_END, 0, END_ENTRIES_HERE, 2, 1}, {ZIP_END, 0, END_ENTRIES, 2, 1}}},
    {"of 4294967295 bytes", WIDE_PAIR, TQ_ERR_CORRUPT, {{ZIP_END64, 0, END64_LENGTH, 4, 45}}},
    {"of 4294967295 bytes", WIDE_PAIR, TQ_ERR_CORRUPT, {{ZIP_LOCATOR, 0, 0, 4, 0}}},
};

static void apply(bytes file, const poke *p) {
    size_t at = zip_record(file, p->signature, p->index) + p->at;
    if (p->size == 2)
        poke_u16(file, at, p->value);
    else
        poke_u32(file, at, p->value);
}

static void refused(bytes *file, tq_status status, const char *says) {
    for (int callback = 0; callback < 2; callback++) {
        opened_zip o;
        tq_status got = open_zip(&o, file, callback, 0, file->size);
        if (got != status || !strstr(o.error.message, says))
            print_error("expected '%s', got '%s'\n", says, o.error.message);
        assert_failed(status, got, &o.error);
        assert_non_null(strstr(o.error.message, says));
        assert_true(o.error.offset <= file->size);
        close_zip(&o);
    }
}

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        bytes file = build_zip(&bases[bad[i].base]);
        for (size_t j = 0; j < COUNT(bad[i].pokes) && bad[i].pokes[j].size > 0; j++)
            apply(file, &bad[i].pokes[j]);
        refused(&file, bad[i].status, bad[i].says);
        free(file.data);
    }
}

/* ---- names ---- */

static void test_names(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"../a", "leads out"},
        {"a/../../b", "leads out"},
        {"..", "leads out"},
        {"a/..", "leads out"},
        {"/etc/passwd", "absolute"},
        {"c:evil", "drive"},
        {"C:/evil", "drive"},
        {"a\\b", "backslash"},
        {"", "no name"},
        {"same", "two of this name"},
        {"\xff\xfe/../\n", "'\?\?/../?': its name leads out"},
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        const zip_member members[] = {{.name = "same", .content = "a"}, {.name = names[i][0]}};
        bytes file = build_zip(&(zip_plan){PLAN(members)});
        refused(&file, TQ_ERR_CORRUPT, names[i][1]);
        free(file.data);
    }
    bytes file = build_zip(&bases[PAIR]);
    poke_u16(file, zip_record(file, ZIP_CENTRAL, 0) + ZIP_CENTRAL_SIZE, 'f');
    refused(&file, TQ_ERR_CORRUPT, "holds a NUL");
    free(file.data);
}

static void test_harmless_names(void **state) {
    (void)state;
    const zip_member members[] = {{.name = "..."}, {.name = "a..b/..c"}, {.name = "./a"},
                                  {.name = "1:b"}, {.name = "a"},        {.name = "A"}};
    bytes file = build_zip(&(zip_plan){PLAN(members)});
    opened_zip o;
    assert_ok(open_whole_zip(&o, &file), &o.error);
    close_zip(&o);
    free(file.data);
}

static void test_long_name(void **state) {
    (void)state;
    char name[1000];
    memset(name, 'n', sizeof name - 1);
    memcpy(name, "../", 3);
    name[sizeof name - 1] = 0;
    const zip_member member = {.name = name};
    bytes file = build_zip(&(zip_plan){.members = &member, .n = 1});
    refused(&file, TQ_ERR_CORRUPT, "nnn...': its name leads out of the archive");
    free(file.data);
}

/* ---- archives that were cut, or glued together ---- */

static void test_goes_on(void **state) {
    (void)state;
    zip_plan plan = bases[PAIR];
    plan.zeros = 5;
    bytes file = build_zip(&plan);
    file.data[file.size - 2] = 1;
    refused(&file, TQ_ERR_CORRUPT, "goes on behind its end");
    free(file.data);
}

/* Cut right behind a member that is an archive, or some bytes later. */
static void test_cut_behind_nested(void **state) {
    (void)state;
    bytes inner = build_zip(&bases[PAIR]);
    const zip_member members[] = {{.name = "inner", .content = "?", .size = inner.size},
                                  {.name = "behind", .content = "text"}};
    bytes file = build_zip(&(zip_plan){PLAN(members)});
    opened_zip o;
    assert_ok(open_whole_zip(&o, &file), &o.error);
    size_t at = (size_t)o.zip.members[0].data.offset;
    close_zip(&o);
    memcpy(file.data + at, inner.data, inner.size);
    file.size = at + inner.size;
    refused(&file, TQ_ERR_CORRUPT, "does not list: truncated?");
    file.size += 2;
    refused(&file, TQ_ERR_CORRUPT, "goes on behind its end");
    free(inner.data);
    free(file.data);
}

/* ---- limits ---- */

static tq_status open_limited(bytes *file, tqi_zip_limits limits, tq_error *error) {
    tqi_heap heap;
    tqi_arena arena;
    tqi_source source;
    tqi_zip zip;
    tqi_heap_init(&heap, NULL, 0);
    tqi_arena_init(&arena, &heap);
    tqi_source_memory(&source, file->data, file->size);
    tq_status status = tqi_zip_open(&zip, &source, 0, file->size, &limits, &arena, error);
    tqi_arena_free(&arena);
    return status;
}

static void test_limits(void **state) {
    (void)state;
    const zip_member bombs[] = {
        {.name = "one", .size = 1000000, .deflated = true},
        {.name = "two", .size = 1000000, .deflated = true},
        {.name = "stored", .size = 1000},
    };
    bytes file = build_zip(&(zip_plan){PLAN(bombs)});
    tq_error error = TQ_ERROR_INIT;
    assert_ok(open_limited(&file, (tqi_zip_limits){2000000, 1032, 3}, &error), &error);
    assert_failed(TQ_ERR_TOO_LARGE, open_limited(&file, (tqi_zip_limits){0, 500, 0}, &error),
                  &error);
    assert_non_null(strstr(error.message, "'one'"));
    assert_failed(TQ_ERR_TOO_LARGE, open_limited(&file, (tqi_zip_limits){1999999, 0, 0}, &error),
                  &error);
    assert_non_null(strstr(error.message, "'two'"));
    assert_failed(TQ_ERR_TOO_LARGE, open_limited(&file, (tqi_zip_limits){0, 0, 2}, &error), &error);
    free(file.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_name), cmocka_unit_test(test_harmless_names),
        cmocka_unit_test(test_goes_on),   cmocka_unit_test(test_cut_behind_nested),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
