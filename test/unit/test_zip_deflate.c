/* SPDX-License-Identifier: Apache-2.0 */
/* The sink that deflates, and archives with members that somebody else deflated. */
#include "zip_builder.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bundle/zip_deflate.h"
#include "bundle/zip_format.h"

enum { CONTENT = 700000, SHIFT = 77 };

/* Partly text, partly noise, and more than a few of zlib's blocks. */
static bytes some_content(size_t size) {
    bytes b = {malloc(size + 1), size};
    uint32_t random = 7;
    assert_non_null(b.data);
    for (size_t i = 0; i < size; i++) {
        random = random * 1664525u + 1013904223u;
        b.data[i] = i / 5000 % 3 ? (uint8_t)(random >> 24) : (uint8_t) "a model "[random >> 29];
    }
    return b;
}

static tqi_heap unlimited(void) {
    tqi_heap heap;
    tqi_heap_init(&heap, NULL, 0);
    return heap;
}

/* Writes it in pieces of this size. `inner` has room for it from SHIFT on. */
static tq_status deflate_pieces(tqi_zip_deflate *d, tqi_sink *inner, bytes content, size_t piece,
                                tqi_heap *heap, tq_error *error) {
    tq_status status = tqi_zip_deflate_init(d, inner, SHIFT, heap, error);
    assert_true(d->base.sequential);
    for (size_t at = 0; at < content.size && status == TQ_OK; at += piece) {
        size_t n = content.size - at < piece ? content.size - at : piece;
        status = d->base.write(&d->base, at, content.data + at, n, error);
    }
    if (status == TQ_OK)
        status = tqi_zip_deflate_end(d, error);
    tqi_zip_deflate_free(d);
    return status;
}

static void check_inflated(bytes packed, bytes content) {
    bytes out = {malloc(content.size + 1), content.size};
    z_stream z = {0};
    assert_non_null(out.data);
    assert_int_equal(inflateInit2(&z, -MAX_WBITS), Z_OK);
    z.next_in = packed.data;
    z.avail_in = (uInt)packed.size;
    z.next_out = out.data;
    z.avail_out = (uInt)out.size + 1;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(z.total_out, content.size);
    inflateEnd(&z);
    assert_true(same_bytes(out, content));
    free(out.data);
}

static void test_any_pieces(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, CONTENT};
    static const size_t pieces[] = {1, 7, 4096, 65536, 65537, 100000, CONTENT};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        bytes content = some_content(sizes[s]), first = {NULL, 0};
        for (size_t p = 0; p < COUNT(pieces); p++) {
            tqi_heap heap = unlimited();
            tqi_zip_deflate d;
            tqi_sink null;
            tqi_memory_sink memory;
            tq_error error = TQ_ERROR_INIT;
            tqi_sink_null(&null);
            assert_ok(deflate_pieces(&d, &null, content, pieces[p], &heap, &error), &error);
            size_t size = (size_t)d.packed_size;
            bytes out = {calloc(1, SHIFT + size), SHIFT + size};
            assert_non_null(out.data);
            tqi_sink_memory(&memory, out.data, out.size);
            assert_ok(deflate_pieces(&d, &memory.base, content, pieces[p], &heap, &error), &error);
            assert_int_equal(d.packed_size, size);
            assert_int_equal(d.size, content.size);
            assert_int_equal(d.crc, crc32(0, content.data, (uInt)content.size));
            assert_int_equal(atomic_load(&heap.used), 0);
            if (first.data)
                assert_true(same_bytes(first, out));
            check_inflated((bytes){out.data + SHIFT, size}, content);
            if (first.data)
                free(out.data);
            else
                first = out;
        }
        free(first.data);
        free(content.data);
    }
}

static void test_out_of_order(void **state) {
    (void)state;
    tqi_heap heap = unlimited();
    tqi_zip_deflate d;
    tqi_sink null;
    tq_error error = TQ_ERROR_INIT;
    tqi_sink_null(&null);
    assert_ok(tqi_zip_deflate_init(&d, &null, 0, &heap, &error), &error);
    assert_ok(d.base.write(&d.base, 0, "abc", 3, &error), &error);
    assert_failed(TQ_ERR_INTERNAL, d.base.write(&d.base, 4, "e", 1, &error), &error);
    tqi_zip_deflate_free(&d);
    tqi_zip_deflate_free(&d);
}

/* ---- failures ---- */

typedef struct short_sink {
    tqi_sink base;
    uint64_t room;
} short_sink;

static tq_status short_write(tqi_sink *base, uint64_t offset, const void *data, size_t size,
                             tq_error *error) {
    (void)data;
    if (offset + size > ((short_sink *)base)->room)
        return tqi_fail(error, TQ_ERR_WRITE, "the disk is full");
    return TQ_OK;
}

static void test_no_room(void **state) {
    (void)state;
    bytes content = some_content(CONTENT);
    for (uint64_t room = 0; room < CONTENT / 2; room += CONTENT / 10) {
        short_sink sink = {{true, short_write}, room};
        tqi_heap heap = unlimited();
        tqi_zip_deflate d;
        tq_error error = TQ_ERROR_INIT;
        assert_failed(TQ_ERR_WRITE, deflate_pieces(&d, &sink.base, content, 1000, &heap, &error),
                      &error);
        assert_int_equal(atomic_load(&heap.used), 0);
    }
    free(content.data);
}

static void test_no_memory(void **state) {
    (void)state;
    bytes content = some_content(1000);
    for (uint64_t fail_at = 1;; fail_at++) {
        watch w = {.fail_at = fail_at};
        tq_allocator hooks = watched(&w);
        tqi_heap heap;
        tqi_zip_deflate d;
        tqi_sink null;
        tq_error error = TQ_ERROR_INIT;
        tqi_heap_init(&heap, &hooks, 0);
        tqi_sink_null(&null);
        tq_status status = tqi_zip_deflate_init(&d, &null, 0, &heap, &error);
        if (status == TQ_OK)
            status = tqi_zip_deflate_end(&d, &error);
        tqi_zip_deflate_free(&d);
        assert_int_equal(w.held + w.wrong, 0);
        if (w.calls < fail_at) {
            assert_ok(status, &error);
            assert_true(fail_at > 3);
            break;
        }
        assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
    }
    free(content.data);
}

/* ---- in archives ---- */

static const zip_member bundle[] = {
    {.name = "stored", .content = "0123456789", .size = 1001},
    {.name = "deflated", .content = "abc", .size = 3000, .deflated = true, .descriptor = SIGNED},
    {.name = "aligned",
     .content = "xyz",
     .size = 100,
     .local_extra = "\x35\xd9\4\0\4\0\0\0",
     .local_extra_size = 8},
    {.name = "kept.txt", .content = "kept", .gap = "\0\0", .gap_size = 2},
};
enum { MEMBERS = COUNT(bundle) };

/* Rewrites with deflated members where `which` says so, in order, as a caller would do it. */
static bytes deflate_into(opened_zip *o, unsigned which, bytes content) {
    tqi_zip_change changes[MEMBERS] = {{.replaced = false}};
    uint32_t crcs[MEMBERS];
    tqi_zip_deflate d;
    tqi_sink null;
    tqi_sink_null(&null);
    assert_ok(deflate_pieces(&d, &null, content, 999, &o->heap, &o->error), &o->error);
    for (unsigned i = 0; i < MEMBERS; i++) {
        crcs[i] = d.crc;
        if (which >> i & 1)
            changes[i] = (tqi_zip_change){.replaced = true,
                                          .deflated = true,
                                          .size = content.size,
                                          .packed_size = d.packed_size,
                                          .alignment = 64};
    }
    tqi_zip_layout layout;
    assert_ok(tqi_zip_layout_make(&layout, &o->zip, changes, 0, &o->arena, &o->error), &o->error);
    bytes all = {calloc(1, (size_t)layout.size), (size_t)layout.size};
    assert_non_null(all.data);
    tqi_memory_sink memory;
    tqi_sink_memory(&memory, all.data, all.size);
    tqi_zip_write write = {.layout = &layout, .crcs = crcs, .sink = &memory.base, .heap = &o->heap};
    for (uint32_t k = 0; k <= layout.n_payloads; k++) {
        assert_ok(tqi_zip_write_part(&write, k, &o->error), &o->error);
        if (k == layout.n_payloads)
            break;
        assert_int_equal(layout.payloads[k].size, d.packed_size);
        tqi_zip_deflate again;
        assert_ok(tqi_zip_deflate_init(&again, &memory.base, layout.payloads[k].offset, &o->heap,
                                       &o->error),
                  &o->error);
        assert_ok(again.base.write(&again.base, 0, content.data, content.size, &o->error),
                  &o->error);
        assert_ok(tqi_zip_deflate_end(&again, &o->error), &o->error);
        assert_int_equal(again.packed_size, d.packed_size);
        tqi_zip_deflate_free(&again);
    }
    return all;
}

static void check_member(opened_zip *is, unsigned i, bool replaced, bytes content) {
    const tqi_zip_member *m = &is->zip.members[i];
    assert_string_equal(m->name, bundle[i].name);
    bytes expected = replaced ? content : zip_content(&bundle[i]);
    bytes got = {malloc((size_t)m->size + 1), (size_t)m->size};
    assert_non_null(got.data);
    assert_ok(tqi_zip_read_into(&is->zip, m, &is->heap, got.data, &is->error), &is->error);
    assert_true(same_bytes(got, expected));
    if (replaced) {
        assert_int_equal(m->method, ZIP_DEFLATED);
        assert_int_equal(m->flags, 0x800);
        assert_int_equal(m->needed, 20);
        assert_int_equal(m->descriptor.size, 0);
        assert_int_equal(m->local_extra.size, bundle[i].local_extra_size);
    } else {
        free(expected.data);
    }
    free(got.data);
}

static void test_archives(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 5, 200000};
    bytes file = build_zip(&(zip_plan){PLAN(bundle), .comment = "bundle"});
    for (size_t s = 0; s < COUNT(sizes); s++) {
        bytes content = some_content(sizes[s]);
        for (unsigned which = 0; which < 1u << MEMBERS; which++) {
            opened_zip o, is;
            assert_ok(open_whole_zip(&o, &file), &o.error);
            bytes result = deflate_into(&o, which, content);
            assert_ok(open_whole_zip(&is, &result), &is.error);
            for (unsigned i = 0; i < MEMBERS; i++)
                check_member(&is, i, which >> i & 1, content);
            bytes copied = copy_zip(&is);
            assert_true(same_bytes(copied, result));
            free(copied.data);
            close_zip(&is);
            close_zip(&o);
            free(result.data);
        }
        free(content.data);
    }
    free(file.data);
}

static void test_raises_version(void **state) {
    (void)state;
    const zip_member member = {.name = "m", .content = "m"};
    bytes file = build_zip(&(zip_plan){.members = &member, .n = 1});
    poke_u16(file, zip_record(file, ZIP_LOCAL, 0) + LOCAL_NEEDED, 10);
    poke_u16(file, zip_record(file, ZIP_CENTRAL, 0) + CENTRAL_NEEDED, 10);
    for (unsigned deflated = 0; deflated < 2; deflated++) {
        const tqi_zip_change change = {
            .replaced = true, .deflated = deflated, .size = 1, .packed_size = deflated ? 3 : 0};
        /* "x", deflated */
        const bytes content = {(uint8_t *)(uintptr_t)(deflated ? "\xab\0" : "x"), deflated ? 3 : 1};
        opened_zip o;
        assert_ok(open_whole_zip(&o, &file), &o.error);
        bytes result = rewrite_zip(&o, &change, &content, 0);
        unsigned expected = deflated ? 20 : 10;
        assert_int_equal(result.data[zip_record(result, ZIP_LOCAL, 0) + LOCAL_NEEDED], expected);
        assert_int_equal(result.data[zip_record(result, ZIP_CENTRAL, 0) + CENTRAL_NEEDED],
                         expected);
        close_zip(&o);
        free(result.data);
    }
    free(file.data);
}

static void test_too_large(void **state) {
    (void)state;
    const zip_member member = {.name = "m", .content = "m"};
    const tqi_zip_change change = {.replaced = true, .deflated = true, .packed_size = UINT64_MAX};
    bytes file = build_zip(&(zip_plan){.members = &member, .n = 1});
    opened_zip o;
    tqi_zip_layout layout;
    assert_ok(open_whole_zip(&o, &file), &o.error);
    assert_failed(TQ_ERR_TOO_LARGE,
                  tqi_zip_layout_make(&layout, &o.zip, &change, 0, &o.arena, &o.error), &o.error);
    close_zip(&o);
    free(file.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_pieces), cmocka_unit_test(test_out_of_order),
        cmocka_unit_test(test_no_room),    cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_archives),   cmocka_unit_test(test_raises_version),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
