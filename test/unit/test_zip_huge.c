/* SPDX-License-Identifier: Apache-2.0 */
/* Archives beyond 4 GiB: only their headers exist, what is between them reads as zeros. */
#include "zip_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/zip_format.h"
#include "bundle/zip_shift.h"

enum { MAX_PARTS = 64 };
#define HUGE_SIZE ((uint64_t)5 << 30)

typedef struct part {
    uint64_t offset;
    bytes data;
} part;

typedef struct sparse {
    tqi_sink base;
    uint64_t size;
    part parts[MAX_PARTS];
    uint32_t n;
} sparse;

static tq_status sparse_write(tqi_sink *base, uint64_t offset, const void *data, size_t size,
                              tq_error *error) {
    sparse *s = (sparse *)base;
    bytes copy = {malloc(size + 1), size};
    (void)error;
    assert_true(s->n < MAX_PARTS);
    assert_non_null(copy.data);
    memcpy(copy.data, data, size);
    s->parts[s->n++] = (part){offset, copy};
    return TQ_OK;
}

static int32_t sparse_read(void *opaque, uint64_t offset, void *data, size_t size) {
    const sparse *s = opaque;
    uint8_t *out = data;
    if (offset > s->size || size > s->size - offset)
        return EFAULT;
    memset(out, 0, size);
    for (uint32_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < s->parts[i].data.size; j++) {
            uint64_t at = s->parts[i].offset + j;
            if (at >= offset && at < offset + size)
                out[at - offset] = s->parts[i].data.data[j];
        }
    return 0;
}

static void forget(sparse *s) {
    for (uint32_t i = 0; i < s->n; i++)
        free(s->parts[i].data.data);
}

static void open_sparse(opened_zip *o, sparse *s, uint64_t offset) {
    const tqi_zip_limits none = {0, 0, 0};
    const tq_source user = {sizeof user, 0, s, s->size, sparse_read};
    o->error = (tq_error)TQ_ERROR_INIT;
    tqi_heap_init(&o->heap, NULL, 0);
    tqi_arena_init(&o->arena, &o->heap);
    assert_ok(tqi_source_callback(&o->source, &user, &o->heap, &o->error), &o->error);
    assert_ok(
        tqi_zip_open(&o->zip, &o->source, offset, s->size - offset, &none, &o->arena, &o->error),
        &o->error);
}

static void rewrite_sparse(opened_zip *o, const tqi_zip_change *changes, uint64_t origin,
                           sparse *s) {
    tqi_zip_layout layout;
    uint32_t crcs[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    *s = (sparse){.base = {false, sparse_write}};
    assert_ok(tqi_zip_layout_make(&layout, &o->zip, changes, origin, &o->arena, &o->error),
              &o->error);
    s->size = layout.size;
    tqi_zip_write write = {&layout, crcs, &s->base, &o->heap, NULL, NULL};
    assert_ok(tqi_zip_write_frame(&write, &o->error), &o->error);
}

static const zip_member members[] = {
    {.name = "small", .content = "text", .deflated = true},
    {.name = "grows", .content = "model"},
    {.name = "behind",
     .content = "more",
     .comment = "kept",
     .central_extra = "UT\1\0x",
     .central_extra_size = 5},
    {.name = "grows too", .content = "model"},
};

static void test_grows_and_shrinks(void **state) {
    (void)state;
    const tqi_zip_change grow[COUNT(members)] = {
        [1] = {.replaced = true, .size = HUGE_SIZE, .alignment = 64},
        [3] = {.replaced = true, .size = 5, .alignment = 64}};
    const tqi_zip_change shrink[COUNT(members)] = {
        [1] = {.replaced = true, .size = 5, .alignment = 64},
        [3] = {.replaced = true, .size = 5, .alignment = 64}};
    bytes file = build_zip(&(zip_plan){PLAN(members), .comment = "huge"});
    opened_zip o, is, again;
    sparse huge, small;
    assert_ok(open_whole_zip(&o, &file), &o.error);
    rewrite_sparse(&o, grow, 0, &huge);
    open_sparse(&is, &huge, 0);
    assert_true(is.zip.end64.size > 0);
    assert_int_equal(is.zip.members[1].size, HUGE_SIZE);
    assert_int_equal(is.zip.members[1].crc, 1);
    assert_int_equal(is.zip.members[1].needed, 45);
    assert_int_equal(is.zip.members[1].data.offset % 64, 0);
    assert_true(is.zip.members[2].wide_offset);
    assert_ok(tqi_zip_read(&is.zip, &is.zip.members[2], &is.heap, NULL, NULL, &is.error),
              &is.error);
    assert_true(is.zip.members[3].local.offset > HUGE_SIZE);
    rewrite_sparse(&is, shrink, 0, &small);
    assert_true(small.size < 2000);
    open_sparse(&again, &small, 0);
    assert_ok(
        tqi_zip_read(&again.zip, &again.zip.members[2], &again.heap, NULL, NULL, &again.error),
        &again.error);
    close_zip(&again);
    forget(&small);
    close_zip(&is);
    forget(&huge);
    close_zip(&o);
    free(file.data);
}

/* Deflated, either size may want 64 bits. */
static void test_deflated(void **state) {
    (void)state;
    static const uint64_t sizes[][2] = {{HUGE_SIZE, 1000}, {HUGE_SIZE, HUGE_SIZE - 1}, {5, 7}};
    bytes file = build_zip(&(zip_plan){PLAN(members)});
    for (size_t i = 0; i < COUNT(sizes); i++) {
        const tqi_zip_change changes[COUNT(members)] = {[1] = {.replaced = true,
                                                               .deflated = true,
                                                               .size = sizes[i][0],
                                                               .packed_size = sizes[i][1]}};
        opened_zip o, is;
        sparse result;
        assert_ok(open_whole_zip(&o, &file), &o.error);
        rewrite_sparse(&o, changes, 0, &result);
        open_sparse(&is, &result, 0);
        const tqi_zip_member *m = &is.zip.members[1];
        assert_int_equal(m->method, 8);
        assert_int_equal(m->size, sizes[i][0]);
        assert_int_equal(m->packed_size, sizes[i][1]);
        assert_int_equal(m->needed, i < 2 ? 45 : 20);
        assert_int_equal(m->local_extra.size, i < 2 ? 20 : 0);
        assert_ok(tqi_zip_read(&is.zip, &is.zip.members[2], &is.heap, NULL, NULL, &is.error),
                  &is.error);
        close_zip(&is);
        forget(&result);
        close_zip(&o);
    }
    free(file.data);
}

/* Counted from the start of a file of which it comes to be the last bytes. */
static void test_moves_beyond(void **state) {
    (void)state;
    bytes file = build_zip(&(zip_plan){PLAN(members), .prefix = "prefix", .counted_from = 6});
    const tqi_zip_change none[COUNT(members)] = {{.replaced = false}};
    opened_zip o, is;
    sparse tail;
    tqi_zip_patch *patches;
    uint32_t n;
    assert_ok(open_zip(&o, &file, false, 6, file.size - 6), &o.error);
    /* patches keep the size, so they can't do it */
    assert_failed(TQ_ERR_TOO_LARGE,
                  tqi_zip_shift(&o.zip, (int64_t)HUGE_SIZE, &o.arena, &patches, &n, &o.error),
                  &o.error);
    rewrite_sparse(&o, none, HUGE_SIZE, &tail);
    for (uint32_t i = 0; i < tail.n; i++)
        tail.parts[i].offset += HUGE_SIZE;
    tail.size += HUGE_SIZE;
    open_sparse(&is, &tail, HUGE_SIZE);
    assert_true(is.zip.from_file);
    for (uint32_t i = 0; i < COUNT(members); i++) {
        const tqi_zip_member *m = &is.zip.members[i];
        assert_true(m->wide_offset);
        assert_ok(tqi_zip_read(&is.zip, m, &is.heap, NULL, NULL, &is.error), &is.error);
    }
    /* and back: ZIP64's fields stay, but are patched */
    assert_ok(tqi_zip_shift(&is.zip, -(int64_t)HUGE_SIZE, &is.arena, &patches, &n, &is.error),
              &is.error);
    assert_int_equal(n, COUNT(members) + 2);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(patches[i].size, 8);
        assert_true(patches[i].value < tail.size - HUGE_SIZE);
    }
    close_zip(&is);
    forget(&tail);
    close_zip(&o);
    free(file.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_shrinks),
        cmocka_unit_test(test_deflated),
        cmocka_unit_test(test_moves_beyond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
