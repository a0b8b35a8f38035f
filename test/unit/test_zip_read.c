/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of every kind are read, and written again as they are. */
#include "zip_builder.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define TEXT(string) .local_extra = string, .local_extra_size = sizeof string - 1
#define CENTRAL_TEXT(string) .central_extra = string, .central_extra_size = sizeof string - 1
#define GAP(string) .gap = string, .gap_size = sizeof string - 1

static const zip_member simple[] = {
    {.name = "a.tflite", .content = "abcdefg", .size = 1000},
    {.name = "dir/", .attributes = 0x10},
    {.name = "dir/labels.txt", .content = "cat\ndog\n"},
};
static const zip_member mixed[] = {
    {.name = "deflated", .content = "all work and no play ", .size = 700000, .deflated = true},
    {.name = "stored", .content = "xyz"},
    {.name = "empty, deflated", .deflated = true},
    {.name = "empty"},
};
static const zip_member descriptors[] = {
    {.name = "plain", .content = "one", .descriptor = PLAIN},
    {.name = "signed", .content = "two", .size = 99, .deflated = true, .descriptor = SIGNED},
    {.name = "wide", .content = "three", .descriptor = WIDE},
    {.name = "wide, signed", .content = "four", .descriptor = WIDE_SIGNED, .wide = true},
    {.name = "empty", .deflated = true, .descriptor = SIGNED},
};
static const zip_member wide[] = {
    {.name = "stored", .content = "large", .wide = true},
    {.name = "deflated", .content = "large", .size = 5000, .deflated = true, .wide = true},
    {.name = "narrow", .content = "small"},
};
static const zip_member adorned[] = {
    {.name = "\xc3\xa9t\xc3\xa9",
     .content = "summer",
     .comment = "a comment",
     TEXT("UT\5\0\1abcd"),
     CENTRAL_TEXT("UT\5\0\1abcdux\0\0"),
     .attributes = 0x81a40000},
    {.name = "aligned", .content = "four", TEXT("\x35\xd9\4\0\4\0\0\0")},
    {.name = "zeros behind the fields", .content = "four", TEXT("\0\0\0")},
    {.name = "no fields at all", .content = "four", TEXT("\1\1\77\0garbage"), CENTRAL_TEXT("x")},
};
/* as MediaPipe's bundler does it */
static const zip_member gaps[] = {
    {.name = "a.tflite", .content = "model", GAP("\0\0")},
    {.name = "b.tflite", .content = "other", GAP("\0\0\0\0")},
    {.name = "c", .content = "odd", GAP("PK\3\4 something else")},
};

static const zip_plan good[] = {
    {PLAN(simple)},
    {PLAN(simple), .reversed = true, .comment = "the end"},
    {PLAN(simple), .comment = "PK\5\6 is not the end record, which wants 22 bytes"},
    {PLAN(simple), .zeros = 37},
    {PLAN(simple), .prefix = "#!/bin/sh\n"},
    {PLAN(simple), .prefix = "#!/bin/sh\n", .counted_from = 10},
    {PLAN(simple), .prefix = "#!/bin/sh\n", .counted_from = 7},
    {PLAN(simple), .counted_from = 12345},
    {PLAN(simple), .prefix = "prefix", .counted_from = 6, .wide = true},
    {PLAN(simple), .prefix = "prefix", .wide = true, .end64_data = "extensible"},
    {PLAN(simple), .prefix = "prefix", .counted_from = 3, .wide = true},
    {PLAN(mixed)},
    {PLAN(descriptors)},
    {PLAN(descriptors), .reversed = true},
    {PLAN(wide)},
    {PLAN(wide), .wide = true, .comment = "wide", .zeros = 1},
    {PLAN(adorned)},
    {PLAN(gaps)},
    {.n = 0},
    {.n = 0, .comment = "nothing in it", .wide = true},
    {.n = 0, .prefix = "nothing in it"},
};

static void check_member(opened_zip *o, const zip_member *expected, const tqi_zip_member *m) {
    bytes content = zip_content(expected);
    bytes got = {malloc(content.size + 1), content.size};
    assert_non_null(got.data);
    assert_string_equal(m->name, expected->name);
    assert_int_equal(m->size, content.size);
    assert_int_equal(m->method, expected->deflated ? 8 : 0);
    assert_int_equal(m->time, 0x6b5a);
    assert_int_equal(m->date, 0x5a21);
    assert_int_equal(m->made_by, 0x0314);
    assert_int_equal(m->external_attributes, expected->attributes);
    assert_int_equal(m->comment.size, expected->comment ? strlen(expected->comment) : 0);
    assert_int_equal(m->before.size, expected->gap_size);
    const unsigned descriptor_sizes[] = {0, 12, 16, 20, 24};
    assert_int_equal(m->descriptor.size, descriptor_sizes[expected->descriptor]);
    assert_int_equal(m->is_directory, expected->name[strlen(expected->name) - 1] == '/');
    assert_ok(tqi_zip_read(&o->zip, m, &o->heap, NULL, NULL, &o->error), &o->error);
    assert_ok(tqi_zip_read_into(&o->zip, m, &o->heap, got.data, &o->error), &o->error);
    assert_true(same_bytes(content, got));
    free(content.data);
    free(got.data);
}

static void check_members(opened_zip *o, const zip_plan *plan) {
    assert_int_equal(o->zip.n_members, plan->n);
    for (uint32_t i = 0; i < plan->n; i++) {
        const tqi_zip_member *m = &o->zip.members[plan->reversed ? plan->n - 1 - i : i];
        assert_ptr_equal(o->zip.by_position[i], m);
        assert_ptr_equal(tqi_zip_find(&o->zip, m->name), m);
        if (i == 0 && plan->prefix)
            continue; /* the prefix counts as a gap */
        check_member(o, &plan->members[i], m);
    }
    assert_null(tqi_zip_find(&o->zip, "no such member"));
}

static void test_good(void **state) {
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(good); i++) {
        const zip_plan *plan = &good[i / 2];
        bytes file = build_zip(plan);
        opened_zip o;
        assert_ok(open_zip(&o, &file, i % 2, 0, file.size), &o.error);
        check_members(&o, plan);
        assert_int_equal(o.zip.behind_end.size, plan->zeros);
        bytes copied = copy_zip(&o);
        assert_true(same_bytes(file, copied));
        close_zip(&o);
        free(copied.data);
        free(file.data);
    }
}

/* The same archives as a range of a larger file. */
static void test_ranges(void **state) {
    (void)state;
    enum { BEFORE = 33, BEHIND = 100 };
    for (size_t i = 0; i < 2 * COUNT(good); i++) {
        bytes inner = build_zip(&good[i / 2]);
        bytes file = {malloc(BEFORE + inner.size + BEHIND), BEFORE + inner.size + BEHIND};
        assert_non_null(file.data);
        memset(file.data, 'P', file.size);
        memcpy(file.data + BEFORE, inner.data, inner.size);
        opened_zip o;
        assert_ok(open_zip(&o, &file, i % 2, BEFORE, inner.size), &o.error);
        assert_false(o.zip.from_file);
        check_members(&o, &good[i / 2]);
        bytes copied = copy_zip(&o);
        assert_true(same_bytes(inner, copied));
        close_zip(&o);
        free(copied.data);
        free(inner.data);
        free(file.data);
    }
}

/* A stored member is itself a range with an archive in it. */
static void test_nested(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        bytes inner = build_zip(&good[i]);
        const zip_member place = {.name = "inner.task", .content = "?", .size = inner.size};
        bytes file = build_zip(&(zip_plan){.members = &place, .n = 1});
        opened_zip outer, o;
        assert_ok(open_whole_zip(&outer, &file), &outer.error);
        const tqi_zip_member *m = &outer.zip.members[0];
        memcpy(file.data + m->data.offset, inner.data, inner.size);
        assert_ok(open_zip(&o, &file, false, m->data.offset, m->data.size), &o.error);
        check_members(&o, &good[i]);
        bytes copied = copy_zip(&o);
        assert_true(same_bytes(inner, copied));
        close_zip(&o);
        close_zip(&outer);
        free(copied.data);
        free(inner.data);
        free(file.data);
    }
}

static void test_behind_a_flatbuffer(void **state) {
    (void)state;
    const char *prefix = "not really a flatbuffer";
    size_t start = strlen(prefix);
    for (int counted = 0; counted < 2; counted++) {
        zip_plan plan = {PLAN(simple), .prefix = prefix};
        plan.counted_from = counted ? start : 0;
        bytes file = build_zip(&plan);
        bytes tail = {file.data + start, file.size - start};
        opened_zip o;
        assert_ok(open_zip(&o, &file, false, start, tail.size), &o.error);
        assert_int_equal(o.zip.from_file, counted);
        bytes copied = copy_zip(&o);
        assert_true(same_bytes(tail, copied));
        close_zip(&o);
        free(copied.data);
        free(file.data);
    }
}

/* Some writers set the flag and write no descriptor. */
static void test_descriptor_only_promised(void **state) {
    (void)state;
    bytes file = build_zip(&good[0]);
    opened_zip o;
    poke_u16(file, zip_record(file, 0x04034b50, 0) + 6, 0x808);
    poke_u16(file, zip_record(file, 0x02014b50, 0) + 8, 0x808);
    assert_ok(open_whole_zip(&o, &file), &o.error);
    assert_int_equal(o.zip.members[0].descriptor.size, 0);
    bytes copied = copy_zip(&o);
    assert_true(same_bytes(file, copied));
    close_zip(&o);
    free(copied.data);
    free(file.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_behind_a_flatbuffer),
        cmocka_unit_test(test_descriptor_only_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
