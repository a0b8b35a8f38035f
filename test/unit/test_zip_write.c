/* SPDX-License-Identifier: Apache-2.0 */
/* Archives with members replaced: what is new, and that all else stays. */
#include "zip_builder.h"

#include <stdlib.h>
#include <string.h>

#include "bundle/zip_format.h"

#define GAP(string) .gap = string, .gap_size = sizeof string - 1
#define EXTRA(string) .local_extra = string, .local_extra_size = sizeof string - 1

static const zip_member bundle[] = {
    {.name = "a.tflite",
     .content = "0123456789",
     .size = 1001,
     .comment = "first",
     .attributes = 0x81a40000},
    {.name = "labels.txt",
     .content = "cat dog ",
     .size = 500,
     .deflated = true,
     EXTRA("UT\5\0\1abcd"),
     .central_extra = "UT\1\0c",
     .central_extra_size = 5},
    {.name = "b.tflite", .content = "abc", .size = 3000, .deflated = true, .descriptor = SIGNED},
    {.name = "c.tflite", .content = "xyz", .size = 100, EXTRA("\x35\xd9\4\0\4\0\0\0UT\1\0l\0\0")},
    {.name = "wide.tflite", .content = "w", .wide = true},
};
enum { MEMBERS = COUNT(bundle) };

static bytes filled(size_t size, char what) {
    bytes b = {malloc(size + 1), size};
    assert_non_null(b.data);
    memset(b.data, what, size);
    return b;
}

static bytes content_of(opened_zip *o, const tqi_zip_member *m) {
    bytes b = {malloc((size_t)m->size + 1), (size_t)m->size};
    assert_non_null(b.data);
    assert_ok(tqi_zip_read_into(&o->zip, m, &o->heap, b.data, &o->error), &o->error);
    return b;
}

static bool same_range(opened_zip *a, tqi_zip_range left, opened_zip *b, tqi_zip_range right) {
    return left.size == right.size &&
           memcmp(a->source.data + left.offset, b->source.data + right.offset, left.size) == 0;
}

static void check_kept(opened_zip *was, opened_zip *is, uint32_t i) {
    const tqi_zip_member *a = &was->zip.members[i], *b = &is->zip.members[i];
    tqi_zip_range all_a = {a->local.offset,
                           a->descriptor.offset + a->descriptor.size - a->local.offset};
    tqi_zip_range all_b = {b->local.offset, all_a.size};
    assert_true(same_range(was, all_a, is, all_b));
    assert_int_equal(a->central.size, b->central.size);
    assert_int_equal(a->flags, b->flags);
}

static void check_replaced(opened_zip *was, opened_zip *is, uint32_t i, bytes content,
                           const tqi_zip_change *change, uint64_t origin) {
    const tqi_zip_member *a = &was->zip.members[i], *b = &is->zip.members[i];
    bytes got = content_of(is, b);
    assert_true(same_bytes(got, content));
    free(got.data);
    assert_int_equal(b->method, 0);
    assert_int_equal(b->flags, a->flags & ~0xeu);
    assert_int_equal(b->descriptor.size, 0);
    assert_int_equal(b->time, a->time);
    assert_int_equal(b->date, a->date);
    assert_int_equal(b->made_by, a->made_by);
    assert_int_equal(b->external_attributes, a->external_attributes);
    assert_true(same_range(was, a->comment, is, b->comment));
    if (change->alignment > 1)
        assert_int_equal((b->data.offset + origin) % change->alignment, 0);
}

/* Rewrites, opens the result, and compares all members with the original's. */
static bytes check_rewrite(opened_zip *o, const tqi_zip_change *changes, const bytes *contents,
                           uint64_t origin) {
    bytes result = rewrite_zip(o, changes, contents, origin);
    opened_zip is;
    assert_ok(open_whole_zip(&is, &result), &is.error);
    assert_int_equal(is.zip.n_members, o->zip.n_members);
    for (uint32_t i = 0; i < o->zip.n_members; i++) {
        assert_string_equal(is.zip.members[i].name, o->zip.members[i].name);
        if (changes[i].replaced)
            check_replaced(o, &is, i, contents[i], &changes[i], origin);
        else
            check_kept(o, &is, i);
    }
    assert_true(same_range(o, o->zip.comment, &is, is.zip.comment));
    bytes copied = copy_zip(&is);
    assert_true(same_bytes(copied, result));
    free(copied.data);
    close_zip(&is);
    return result;
}

/* ---- every choice of members, sizes and alignments ---- */

static void rewrite_some(bytes *file, unsigned which, size_t size, uint32_t alignment,
                         uint64_t origin) {
    opened_zip o;
    tqi_zip_change changes[MEMBERS] = {{.replaced = false}};
    bytes contents[MEMBERS];
    assert_ok(open_whole_zip(&o, file), &o.error);
    for (unsigned i = 0; i < MEMBERS; i++) {
        contents[i] = filled(size + i, (char)('0' + i));
        if (which >> i & 1)
            changes[i] =
                (tqi_zip_change){.replaced = true, .size = size + i, .alignment = alignment};
    }
    bytes result = check_rewrite(&o, changes, contents, origin);
    if (which == 0)
        assert_true(same_bytes(result, *file));
    free(result.data);
    for (unsigned i = 0; i < MEMBERS; i++)
        free(contents[i].data);
    close_zip(&o);
}

static void test_choices(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 999, 5000};
    static const uint32_t alignments[] = {0, 1, 4, 16, 64, 4096, 32768};
    const zip_plan plans[] = {
        {PLAN(bundle), .comment = "bundle"},
        {PLAN(bundle), .reversed = true},
        {PLAN(bundle), .wide = true, .end64_data = "data"},
        {PLAN(bundle), .prefix = "prefix"},
    };
    for (size_t p = 0; p < COUNT(plans); p++) {
        bytes file = build_zip(&plans[p]);
        for (unsigned which = 0; which < 1u << MEMBERS; which++)
            for (size_t s = 0; s < COUNT(sizes); s++)
                for (size_t a = which % 2; a < COUNT(alignments); a += 2)
                    rewrite_some(&file, which, sizes[s], alignments[a], which * 17);
        free(file.data);
    }
}

/* ---- how the alignment is made ---- */

static const tqi_zip_member *reopen(opened_zip *o, bytes *file, uint32_t member) {
    assert_ok(open_whole_zip(o, file), &o->error);
    return &o->zip.members[member];
}

static void test_extra_fields(void **state) {
    (void)state;
    bytes file = build_zip(&(zip_plan){PLAN(bundle)});
    opened_zip o, is;
    tqi_zip_change changes[MEMBERS] = {[3] = {.replaced = true, .size = 10, .alignment = 64},
                                       [4] = {.replaced = true, .size = 10, .alignment = 0}};
    bytes contents[MEMBERS] = {[3] = filled(10, 'c'), [4] = filled(10, 'w')};
    assert_ok(open_whole_zip(&o, &file), &o.error);
    bytes result = check_rewrite(&o, changes, contents, 0);
    const tqi_zip_member *m = reopen(&is, &result, 3);
    const uint8_t *extra = result.data + m->local_extra.offset;
    /* the padding is one field with the alignment in it, and the old padding is gone */
    assert_int_equal(tqi_load_u16(extra), 0xd935);
    assert_int_equal(tqi_load_u16(extra + 2) + 4 + 5, m->local_extra.size);
    assert_int_equal(tqi_load_u16(extra + 4), 64);
    assert_memory_equal(extra + m->local_extra.size - 5, "UT\1\0l", 5);
    /* small again */
    m = &is.zip.members[4];
    assert_int_equal(m->local_extra.size, 0);
    assert_int_equal(m->central_extra.size, 0);
    close_zip(&is);
    close_zip(&o);
    free(contents[3].data);
    free(contents[4].data);
    free(result.data);
    free(file.data);
}

/* A bundle as MediaPipe's own bundler makes it: zeros before the headers. */
static void test_gaps(void **state) {
    (void)state;
    const zip_member members[] = {
        {.name = "a.tflite", .content = "12345", GAP("\0\0")},         /* 40 */
        {.name = "b.tflite", .content = "123456789", GAP("\0")},       /* 84 */
        {.name = "kept.txt", .content = "1234", GAP("\0")},            /* 132 */
        {.name = "not zeros", .content = "1234", GAP("PK\7\10 junk")}, /* anywhere */
    };
    bytes file = build_zip(&(zip_plan){PLAN(members)});
    opened_zip o, is;
    tqi_zip_change changes[COUNT(members)] = {{.replaced = true, .size = 7, .alignment = 16},
                                              {.replaced = true, .size = 2, .alignment = 4}};
    bytes contents[COUNT(members)] = {filled(7, 'a'), filled(2, 'b')};
    assert_ok(open_whole_zip(&o, &file), &o.error);
    assert_int_equal(o.zip.members[2].data.offset, 132);
    bytes result = check_rewrite(&o, changes, contents, 0);
    reopen(&is, &result, 0);
    assert_int_equal(is.zip.members[0].local.offset, 10);
    assert_int_equal(is.zip.members[0].data.offset, 48);
    assert_int_equal(is.zip.members[0].local_extra.size, 0);
    assert_int_equal(is.zip.members[1].data.offset % 4, 0);
    assert_int_equal(is.zip.members[2].data.offset % 4, 0);
    assert_int_equal(is.zip.members[3].before.size, 9);
    close_zip(&is);
    close_zip(&o);
    free(contents[0].data);
    free(contents[1].data);
    free(result.data);
    free(file.data);
}

/* Offsets that count from the file's start still do at another place of it. */
static void test_origin(void **state) {
    (void)state;
    enum { PREFIX = 10, ORIGIN = 3000 };
    bytes file =
        build_zip(&(zip_plan){PLAN(bundle), .prefix = "flatbuffer", .counted_from = PREFIX});
    opened_zip o, is;
    tqi_zip_change changes[MEMBERS] = {{.replaced = false}};
    assert_ok(open_zip(&o, &file, false, PREFIX, file.size - PREFIX), &o.error);
    assert_true(o.zip.from_file);
    bytes moved = rewrite_zip(&o, changes, NULL, ORIGIN);
    bytes larger = filled(ORIGIN + moved.size, 'F');
    memcpy(larger.data + ORIGIN, moved.data, moved.size);
    assert_ok(open_zip(&is, &larger, false, ORIGIN, moved.size), &is.error);
    assert_true(is.zip.from_file);
    assert_int_equal(is.zip.members[0].local.offset, ORIGIN);
    for (uint32_t i = 0; i < MEMBERS; i++)
        check_kept(&o, &is, i);
    close_zip(&is);
    close_zip(&o);
    free(larger.data);
    free(moved.data);
    free(file.data);
}

/* ---- what is no good ---- */

static void test_refusals(void **state) {
    (void)state;
    const zip_member members[] = {{.name = "d/"}, {.name = "m", .content = "m"}};
    static const struct {
        uint32_t member;
        tq_status status;
        tqi_zip_change change;
    } bad[] = {
        {0, TQ_ERR_INTERNAL, {.replaced = true, .size = 1, .alignment = 0}},
        {1, TQ_ERR_INTERNAL, {.replaced = true, .size = 1, .alignment = 3}},
        {1, TQ_ERR_INTERNAL, {.replaced = true, .size = 1, .alignment = 65536}},
        {1, TQ_ERR_TOO_LARGE, {.replaced = true, .size = UINT64_MAX, .alignment = 0}},
    };
    bytes file = build_zip(&(zip_plan){PLAN(members)});
    for (size_t i = 0; i < COUNT(bad); i++) {
        tqi_zip_change changes[COUNT(members)] = {{.replaced = false}};
        opened_zip o;
        tqi_zip_layout layout;
        changes[bad[i].member] = bad[i].change;
        assert_ok(open_whole_zip(&o, &file), &o.error);
        assert_failed(bad[i].status,
                      tqi_zip_layout_make(&layout, &o.zip, changes, 0, &o.arena, &o.error),
                      &o.error);
        close_zip(&o);
    }
    free(file.data);
}

static void test_no_room_for_padding(void **state) {
    (void)state;
    char extra[65530] = "UT\xf6\xff";
    const zip_member member = {
        .name = "m", .content = "m", .local_extra = extra, .local_extra_size = sizeof extra};
    const tqi_zip_change change = {.replaced = true, .size = 10, .alignment = 32768};
    bytes file = build_zip(&(zip_plan){.members = &member, .n = 1});
    opened_zip o;
    tqi_zip_layout layout;
    assert_ok(open_whole_zip(&o, &file), &o.error);
    assert_failed(TQ_ERR_TOO_LARGE,
                  tqi_zip_layout_make(&layout, &o.zip, &change, 0, &o.arena, &o.error), &o.error);
    close_zip(&o);
    free(file.data);
}

static tq_status stop(void *opaque, uint64_t written, tq_error *error) {
    (void)written;
    return --*(int *)opaque < 0 ? tqi_fail(error, TQ_ERR_CANCELLED, "cancelled") : TQ_OK;
}

static void test_cancelled(void **state) {
    (void)state;
    bytes file = build_zip(&(zip_plan){PLAN(bundle)});
    const tqi_zip_change changes[MEMBERS] = {[1] = {.replaced = true, .size = 5, .alignment = 0}};
    opened_zip o;
    tqi_zip_layout layout;
    tqi_sink sink;
    uint32_t crc = 0;
    tqi_sink_null(&sink);
    assert_ok(open_whole_zip(&o, &file), &o.error);
    assert_ok(tqi_zip_layout_make(&layout, &o.zip, changes, 0, &o.arena, &o.error), &o.error);
    for (int steps = 0;; steps++) {
        int left = steps;
        tqi_zip_write write = {&layout, &crc, &sink, &o.heap, stop, &left};
        tq_status status = tqi_zip_write_frame(&write, &o.error);
        if (status == TQ_OK)
            break;
        assert_failed(TQ_ERR_CANCELLED, status, &o.error);
        assert_true(steps < 100);
    }
    close_zip(&o);
    free(file.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choices),   cmocka_unit_test(test_extra_fields),
        cmocka_unit_test(test_gaps),      cmocka_unit_test(test_origin),
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_no_room_for_padding),
        cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
