/* SPDX-License-Identifier: Apache-2.0 */
#include "zip_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bundle/zip_crc.h"
#include "bundle/zip_format.h"

/* ---- bytes that grow ---- */

static void put(bytes *b, const void *data, size_t size) {
    b->data = realloc(b->data, b->size + size + 1);
    assert_non_null(b->data);
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_text(bytes *b, const char *text) {
    put(b, text, text ? strlen(text) : 0);
}

static void put_number(bytes *b, uint64_t value, size_t size) {
    put(b, &value, size);
}

static size_t length(const char *text) {
    return text ? strlen(text) : 0;
}

/* ---- a member ---- */

typedef struct packed {
    bytes data;
    uint64_t unpacked, offset;
    uint32_t crc;
} packed;

bytes zip_content(const zip_member *m) {
    size_t n = m->file ? m->file->size : length(m->content);
    const char *content = m->file ? (const char *)m->file->data : m->content;
    bytes all = {NULL, m->size ? m->size : n};
    all.data = malloc(all.size + 1);
    assert_non_null(all.data);
    for (size_t i = 0; i < all.size; i++)
        all.data[i] = n ? (uint8_t)content[i % n] : 0;
    return all;
}

static packed pack(const zip_member *m) {
    bytes content = zip_content(m);
    packed p = {{NULL, 0}, content.size, 0, (uint32_t)crc32(0, content.data, (uInt)content.size)};
    if (!m->deflated) {
        p.data = content;
        return p;
    }
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    p.data.size = deflateBound(&z, (uLong)content.size);
    p.data.data = malloc(p.data.size);
    assert_non_null(p.data.data);
    z.next_in = content.data;
    z.avail_in = (uInt)content.size;
    z.next_out = p.data.data;
    z.avail_out = (uInt)p.data.size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    p.data.size = z.total_out;
    deflateEnd(&z);
    free(content.data);
    return p;
}

/* needed, flags, method, time, date */
static void put_common(bytes *b, const zip_member *m) {
    put_number(b, m->wide ? 45 : 20, 2);
    put_number(b, (m->descriptor ? 8u : 0u) | 0x800u, 2);
    put_number(b, m->deflated ? 8 : 0, 2);
    put_number(b, 0x6b5a, 2);
    put_number(b, 0x5a21, 2);
}

static void put_local(bytes *b, const zip_member *m, const packed *p) {
    bool later = m->descriptor != NO_DESCRIPTOR;
    put_number(b, ZIP_LOCAL, 4);
    put_common(b, m);
    put_number(b, later ? 0 : p->crc, 4);
    put_number(b, m->wide ? ZIP_MAX32 : later ? 0 : p->data.size, 4);
    put_number(b, m->wide ? ZIP_MAX32 : later ? 0 : p->unpacked, 4);
    put_number(b, length(m->name), 2);
    put_number(b, m->local_extra_size + (m->wide ? 20 : 0), 2);
    put_text(b, m->name);
    if (m->wide) {
        put_number(b, 0x100001, 4);
        put_number(b, later ? 0 : p->unpacked, 8);
        put_number(b, later ? 0 : p->data.size, 8);
    }
    put(b, m->local_extra, m->local_extra_size);
    put(b, p->data.data, p->data.size);
}

static void put_descriptor(bytes *b, const zip_member *m, const packed *p) {
    size_t size = m->descriptor >= WIDE ? 8 : 4;
    if (m->descriptor == NO_DESCRIPTOR)
        return;
    if (m->descriptor == SIGNED || m->descriptor == WIDE_SIGNED)
        put_number(b, ZIP_DESCRIPTOR, 4);
    put_number(b, p->crc, 4);
    put_number(b, p->data.size, size);
    put_number(b, p->unpacked, size);
}

static void put_central(bytes *b, const zip_member *m, const packed *p) {
    put_number(b, ZIP_CENTRAL, 4);
    put_number(b, 0x0314, 2);
    put_common(b, m);
    put_number(b, p->crc, 4);
    put_number(b, m->wide ? ZIP_MAX32 : p->data.size, 4);
    put_number(b, m->wide ? ZIP_MAX32 : p->unpacked, 4);
    put_number(b, length(m->name), 2);
    put_number(b, m->central_extra_size + (m->wide ? 28 : 0), 2);
    put_number(b, length(m->comment), 2);
    put_number(b, 0, 4); /* disk, internal attributes */
    put_number(b, m->attributes, 4);
    put_number(b, m->wide ? ZIP_MAX32 : p->offset, 4);
    put_text(b, m->name);
    put(b, m->central_extra, m->central_extra_size);
    if (m->wide) {
        put_number(b, 0x180001, 4);
        put_number(b, p->unpacked, 8);
        put_number(b, p->data.size, 8);
        put_number(b, p->offset, 8);
    }
    put_text(b, m->comment);
}

/* ---- the whole ---- */

static void put_end64(bytes *b, const zip_plan *plan, uint64_t size, uint64_t offset) {
    uint64_t at = offset + size;
    put_number(b, ZIP_END64, 4);
    put_number(b, 44 + length(plan->end64_data), 8);
    put_number(b, 0x2d032d, 4);
    put_number(b, 0, 8); /* disks */
    put_number(b, plan->n, 8);
    put_number(b, plan->n, 8);
    put_number(b, size, 8);
    put_number(b, offset, 8);
    put_text(b, plan->end64_data);
    put_number(b, ZIP_LOCATOR, 4);
    put_number(b, 0, 4);
    put_number(b, at, 8);
    put_number(b, 1, 4);
}

static void put_end(bytes *b, const zip_plan *plan, uint64_t size, uint64_t offset) {
    if (plan->wide)
        put_end64(b, plan, size, offset);
    put_number(b, ZIP_END, 4);
    put_number(b, 0, 4); /* disks */
    put_number(b, plan->wide ? ZIP_MAX16 : plan->n, 2);
    put_number(b, plan->wide ? ZIP_MAX16 : plan->n, 2);
    put_number(b, plan->wide ? ZIP_MAX32 : size, 4);
    put_number(b, plan->wide ? ZIP_MAX32 : offset, 4);
    put_number(b, length(plan->comment), 2);
    put_text(b, plan->comment);
    for (size_t i = 0; i < plan->zeros; i++)
        put_number(b, 0, 1);
}

bytes build_zip(const zip_plan *plan) {
    bytes b = {NULL, 0};
    packed *all = calloc(plan->n + 1, sizeof *all);
    assert_non_null(all);
    put_text(&b, plan->prefix);
    uint64_t start = b.size - plan->counted_from;
    for (uint32_t i = 0; i < plan->n; i++) {
        all[i] = pack(&plan->members[i]);
        put(&b, plan->members[i].gap, plan->members[i].gap_size);
        all[i].offset = b.size - start;
        put_local(&b, &plan->members[i], &all[i]);
        put_descriptor(&b, &plan->members[i], &all[i]);
    }
    size_t directory = b.size;
    for (uint32_t i = 0; i < plan->n; i++) {
        uint32_t j = plan->reversed ? plan->n - 1 - i : i;
        put_central(&b, &plan->members[j], &all[j]);
    }
    put_end(&b, plan, b.size - directory, directory - start);
    for (uint32_t i = 0; i < plan->n; i++)
        free(all[i].data.data);
    free(all);
    return b;
}

size_t zip_record(bytes zip, uint32_t signature, uint32_t index) {
    for (size_t at = 0; at + 4 <= zip.size; at++)
        if (tqi_load_u32(zip.data + at) == signature && index-- == 0)
            return at;
    fail_msg("no such record");
    return 0;
}

void poke_u16(bytes zip, size_t at, uint32_t value) {
    assert_true(at + 2 <= zip.size);
    tqi_store_u16(zip.data + at, (uint16_t)value);
}

void poke_u32(bytes zip, size_t at, uint32_t value) {
    assert_true(at + 4 <= zip.size);
    tqi_store_u32(zip.data + at, value);
}

/* ---- opening ---- */

static int32_t read_bytes(void *opaque, uint64_t offset, void *data, size_t size) {
    const bytes *b = opaque;
    if (offset > b->size || size > b->size - offset)
        return EFAULT;
    memcpy(data, b->data + offset, size);
    return 0;
}

tq_status open_zip(opened_zip *o, bytes *file, bool callback, uint64_t offset, uint64_t size) {
    const tqi_zip_limits none = {0, 0, 0};
    o->error = (tq_error)TQ_ERROR_INIT;
    tqi_heap_init(&o->heap, NULL, 0);
    tqi_arena_init(&o->arena, &o->heap);
    if (callback) {
        tq_source user = {sizeof user, 0, file, file->size, read_bytes};
        assert_ok(tqi_source_callback(&o->source, &user, &o->heap, &o->error), &o->error);
    } else {
        tqi_source_memory(&o->source, file->data, file->size);
    }
    return tqi_zip_open(&o->zip, &o->source, offset, size, &none, &o->arena, &o->error);
}

tq_status open_whole_zip(opened_zip *o, bytes *file) {
    return open_zip(o, file, false, 0, file->size);
}

void close_zip(opened_zip *o) {
    tqi_source_close(&o->source);
    tqi_arena_free(&o->arena);
    assert_int_equal(atomic_load(&o->heap.used), 0);
}

/* ---- writing ---- */

/* A sink that takes bytes in order only. */
typedef struct gather {
    tqi_sink base;
    bytes all;
} gather;

static tq_status gather_write(tqi_sink *base, uint64_t offset, const void *data, size_t size,
                              tq_error *error) {
    gather *g = (gather *)base;
    (void)error;
    assert_int_equal(offset, g->all.size);
    put(&g->all, data, size);
    return TQ_OK;
}

static tq_status count(void *opaque, uint64_t written, tq_error *error) {
    (void)error;
    *(uint64_t *)opaque += written;
    return TQ_OK;
}

static bytes write_in_order(tqi_zip_write write, const bytes *by_member) {
    const tqi_zip_layout *layout = write.layout;
    gather g = {{true, gather_write}, {NULL, 0}};
    tq_error error = TQ_ERROR_INIT;
    uint64_t ticked = 0, contents = 0;
    write.sink = &g.base;
    write.tick = count;
    write.opaque = &ticked;
    for (uint32_t k = 0; k <= layout->n_payloads; k++) {
        assert_ok(tqi_zip_write_part(&write, k, &error), &error);
        if (k == layout->n_payloads)
            break;
        bytes content = by_member[layout->payloads[k].member];
        assert_int_equal(g.all.size, layout->payloads[k].offset);
        put(&g.all, content.data, content.size);
        contents += content.size;
    }
    assert_int_equal(ticked + contents, layout->size);
    return g.all;
}

/* Contents backwards and each in two pieces, the frame last. */
static bytes write_in_any_order(tqi_zip_write write, const bytes *by_member, uint32_t *crcs) {
    const tqi_zip_layout *layout = write.layout;
    bytes all = {calloc(1, (size_t)layout->size + 1), (size_t)layout->size};
    tqi_memory_sink memory;
    tq_error error = TQ_ERROR_INIT;
    assert_non_null(all.data);
    tqi_sink_memory(&memory, all.data, all.size);
    for (uint32_t k = layout->n_payloads; k-- > 0;) {
        bytes content = by_member[layout->payloads[k].member];
        size_t half = content.size / 2;
        tqi_zip_crc crc;
        tqi_zip_crc_init(&crc, &memory.base, layout->payloads[k].offset, content.size);
        crc.base.write(&crc.base, half, content.data + half, content.size - half, &error);
        crc.base.write(&crc.base, 0, content.data, half, &error);
        crcs[k] = tqi_zip_crc_result(&crc);
        assert_int_equal(crcs[k], crc32(0, content.data, (uInt)content.size));
    }
    write.sink = &memory.base;
    assert_ok(tqi_zip_write_frame(&write, &error), &error);
    return all;
}

bytes rewrite_zip(opened_zip *o, const tqi_zip_change *changes, const bytes *by_member,
                  uint64_t origin) {
    tqi_zip_layout layout;
    assert_ok(tqi_zip_layout_make(&layout, &o->zip, changes, origin, &o->arena, &o->error),
              &o->error);
    uint32_t *crcs = calloc(layout.n_payloads + 1, sizeof *crcs);
    assert_non_null(crcs);
    tqi_zip_write write = {&layout, crcs, NULL, &o->heap, NULL, NULL};
    bytes all = write_in_any_order(write, by_member, crcs);
    bytes again = write_in_order(write, by_member);
    assert_true(same_bytes(all, again));
    free(again.data);
    free(crcs);
    return all;
}

bytes copy_zip(opened_zip *o) {
    tqi_zip_change *changes = calloc(o->zip.n_members + 1, sizeof *changes);
    assert_non_null(changes);
    bytes result = rewrite_zip(o, changes, NULL, o->zip.whole.offset);
    free(changes);
    return result;
}
