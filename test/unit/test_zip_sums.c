/* SPDX-License-Identifier: Apache-2.0 */
/* CRCs of what is written in pieces, reading what is packed, and archives that move. */
#include "zip_builder.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bundle/zip_crc.h"
#include "bundle/zip_format.h"
#include "bundle/zip_shift.h"

/* ---- CRCs ---- */

enum { TOTAL = 300000, SHIFT = 777, HANDS = 4 };

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

typedef struct writing {
    tqi_zip_crc crc;
    const uint8_t *data;
    const size_t *ends; /* of the pieces */
    uint32_t *order;
    uint32_t n;
} writing;

typedef struct hand {
    writing *all;
    uint32_t first;
} hand;

static void *write_pieces(void *opaque) {
    const hand *h = opaque;
    tq_error error = TQ_ERROR_INIT;
    for (uint32_t i = h->first; i < h->all->n; i += HANDS) {
        uint32_t piece = h->all->order[i];
        size_t start = piece > 0 ? h->all->ends[piece - 1] : 0;
        if (piece % 7 == 3)
            continue; /* a hole */
        h->all->crc.base.write(&h->all->crc.base, start, h->all->data + start,
                               h->all->ends[piece] - start, &error);
    }
    return NULL;
}

static void write_by_threads(writing *w) {
    pthread_t threads[HANDS];
    hand hands[HANDS];
    for (uint32_t i = 0; i < HANDS; i++) {
        hands[i] = (hand){w, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_pieces, &hands[i]), 0);
    }
    for (uint32_t i = 0; i < HANDS; i++)
        pthread_join(threads[i], NULL);
}

/* Pieces of random sizes in random order; some are never written. */
static void test_any_order(void **state) {
    (void)state;
    static uint8_t data[TOTAL], output[SHIFT + TOTAL];
    size_t ends[1000];
    uint32_t order[COUNT(ends)], random = 5;
    for (int round = 0; round < 20; round++) {
        writing w = {.data = data, .ends = ends, .order = order};
        tqi_memory_sink sink;
        memset(output, 0, sizeof output);
        for (size_t at = 0; at < TOTAL; w.n++) {
            at = w.n + 1 < COUNT(ends) ? at + next_random(&random) % 2000 : TOTAL;
            ends[w.n] = at < TOTAL ? at : TOTAL;
            order[w.n] = w.n;
        }
        for (size_t i = 0; i < TOTAL; i++)
            data[i] = (uint8_t)next_random(&random);
        for (uint32_t i = w.n; i-- > 1;) {
            uint32_t j = next_random(&random) % (i + 1), kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        tqi_sink_memory(&sink, output, sizeof output);
        tqi_zip_crc_init(&w.crc, &sink.base, SHIFT, TOTAL);
        write_by_threads(&w);
        assert_int_equal(tqi_zip_crc_result(&w.crc), crc32(0, output + SHIFT, TOTAL));
        assert_int_equal(output[SHIFT - 1], 0);
    }
}

static void test_few_bytes(void **state) {
    (void)state;
    tqi_sink sink;
    tqi_zip_crc crc;
    tq_error error = TQ_ERROR_INIT;
    tqi_sink_null(&sink);
    tqi_zip_crc_init(&crc, &sink, 0, 0);
    assert_int_equal(tqi_zip_crc_result(&crc), 0);
    tqi_zip_crc_init(&crc, &sink, 0, 9);
    assert_ok(crc.base.write(&crc.base, 4, "", 0, &error), &error);
    assert_ok(crc.base.write(&crc.base, 0, "123456789", 9, &error), &error);
    assert_int_equal(tqi_zip_crc_result(&crc), 0xcbf43926);
    assert_failed(TQ_ERR_INTERNAL, crc.base.write(&crc.base, 5, "12345", 5, &error), &error);
    /* 5 GiB of zeros */
    tqi_zip_crc_init(&crc, &sink, 0, (uint64_t)5 << 30);
    assert_int_equal(tqi_zip_crc_result(&crc), 0x193838c3);
}

/* ---- packed data that deceives ---- */

static tq_status read_first(bytes *file, const char **says) {
    static opened_zip o;
    assert_ok(open_whole_zip(&o, file), &o.error);
    tq_status status = tqi_zip_read(&o.zip, &o.zip.members[0], &o.heap, NULL, NULL, &o.error);
    *says = o.error.message;
    close_zip(&o);
    return status;
}

static void set_both(bytes file, size_t local, size_t central, uint32_t value) {
    poke_u32(file, zip_record(file, ZIP_LOCAL, 0) + local, value);
    poke_u32(file, zip_record(file, ZIP_CENTRAL, 0) + central, value);
}

static void corrupt(bytes *file, const char *expected) {
    const char *says;
    assert_int_equal(read_first(file, &says), TQ_ERR_CORRUPT);
    if (!strstr(says, expected))
        print_error("expected '%s', got '%s'\n", expected, says);
    assert_non_null(strstr(says, expected));
    assert_non_null(strstr(says, "member 'm'"));
    free(file->data);
}

static bytes one(bool deflated, size_t size) {
    const zip_member m = {
        .name = "m", .content = size ? "abcde" : "", .size = size, .deflated = deflated};
    return build_zip(&(zip_plan){.members = &m, .n = 1});
}

static void test_deceiving_data(void **state) {
    (void)state;
    for (int deflated = 0; deflated < 2; deflated++) {
        bytes file = one(deflated, 1000000);
        set_both(file, LOCAL_CRC, CENTRAL_CRC, 1);
        corrupt(&file, "its CRC is ");
    }
    bytes file = one(true, 1000000);
    set_both(file, LOCAL_UNPACKED, CENTRAL_UNPACKED, 999999);
    corrupt(&file, "more than the 999999 bytes");
    file = one(true, 1000000);
    set_both(file, LOCAL_UNPACKED, CENTRAL_UNPACKED, 1000001);
    corrupt(&file, "it holds 1000000 bytes, not 1000001");
    file = one(true, 100);
    uint32_t packed = tqi_load_u32(file.data + LOCAL_PACKED);
    set_both(file, LOCAL_PACKED, CENTRAL_PACKED, packed - 1);
    corrupt(&file, "breaks off");
    file = one(true, 100);
    file.data[31] = 0xff;
    corrupt(&file, "can't be inflated");
}

static void test_data_behind_the_stream(void **state) {
    (void)state;
    const zip_member m = {
        .name = "m", .content = "abc", .size = 99, .deflated = true, .descriptor = WIDE_SIGNED};
    bytes file = build_zip(&(zip_plan){.members = &m, .n = 1});
    uint32_t packed = tqi_load_u32(file.data + zip_record(file, ZIP_DESCRIPTOR, 0) + 8);
    poke_u16(file, LOCAL_FLAGS, 0);
    poke_u32(file, LOCAL_CRC, tqi_load_u32(file.data + zip_record(file, ZIP_DESCRIPTOR, 0) + 4));
    poke_u32(file, LOCAL_UNPACKED, 99);
    set_both(file, LOCAL_PACKED, CENTRAL_PACKED, packed + 24);
    corrupt(&file, "ends before its packed size");
}

/* An empty member without the two bytes that deflate makes of it. */
static void test_nothing_deflated(void **state) {
    (void)state;
    bytes file = one(false, 0);
    const char *says;
    poke_u16(file, LOCAL_METHOD, ZIP_DEFLATED);
    poke_u16(file, zip_record(file, ZIP_CENTRAL, 0) + CENTRAL_METHOD, ZIP_DEFLATED);
    set_both(file, LOCAL_UNPACKED, CENTRAL_UNPACKED, 0);
    assert_int_equal(read_first(&file, &says), TQ_OK);
    set_both(file, LOCAL_UNPACKED, CENTRAL_UNPACKED, 1);
    corrupt(&file, "it holds 0 bytes, not 1");
}

typedef struct taken {
    uint64_t size, most, stop_at;
} taken;

static tq_status take(void *opaque, const uint8_t *piece, size_t size, tq_error *error) {
    taken *t = opaque;
    assert_true(size > 0 && memchr("abcde", piece[0], 5));
    t->size += size;
    t->most = size > t->most ? size : t->most;
    if (t->stop_at && t->size >= t->stop_at)
        return tqi_fail(error, TQ_ERR_CANCELLED, "enough");
    return TQ_OK;
}

/* Bounded memory, whatever the size; and the taker may end it. */
static void test_pieces(void **state) {
    (void)state;
    for (int deflated = 0; deflated < 2; deflated++) {
        bytes file = one(deflated, 10000000);
        opened_zip o;
        watch w = {.ceiling = 1 << 21};
        tq_allocator hooks = watched(&w);
        tqi_heap heap;
        taken t = {0, 0, 0};
        tqi_heap_init(&heap, &hooks, 0);
        assert_ok(open_zip(&o, &file, true, 0, file.size), &o.error);
        const tqi_zip_member *m = &o.zip.members[0];
        assert_ok(tqi_zip_read(&o.zip, m, &heap, take, &t, &o.error), &o.error);
        assert_int_equal(t.size, 10000000);
        assert_true(t.most <= 1 << 20);
        t = (taken){0, 0, 5000000};
        assert_failed(TQ_ERR_CANCELLED, tqi_zip_read(&o.zip, m, &heap, take, &t, &o.error),
                      &o.error);
        assert_true(t.size < 7000000);
        assert_int_equal(w.held + w.wrong, 0);
        close_zip(&o);
        free(file.data);
    }
}

/* ---- moved ---- */

static const zip_member members[] = {
    {.name = "labels.txt", .content = "cat dog"},
    {.name = "wide", .content = "text", .wide = true},
    {.name = "packed", .content = "text", .size = 100, .deflated = true},
};

static bytes moved(opened_zip *o, bytes tail, size_t to, int64_t delta, uint32_t expected) {
    tqi_zip_patch *patches;
    uint32_t n;
    bytes file = {calloc(1, to + tail.size), to + tail.size};
    assert_non_null(file.data);
    memcpy(file.data + to, tail.data, tail.size);
    assert_ok(tqi_zip_shift(&o->zip, delta, &o->arena, &patches, &n, &o->error), &o->error);
    assert_int_equal(n, expected);
    for (uint32_t i = 0; i < n; i++)
        memcpy(file.data + to + patches[i].at, &patches[i].value, patches[i].size);
    return file;
}

static void test_shift(void **state) {
    (void)state;
    enum { PREFIX = 6 };
    const zip_plan plans[] = {
        {PLAN(members), .prefix = "prefix", .counted_from = PREFIX},
        {PLAN(members), .prefix = "prefix", .counted_from = PREFIX, .wide = true},
        {PLAN(members), .prefix = "prefix"},
        {PLAN(members), .prefix = "prefix", .wide = true},
        {.n = 0, .prefix = "prefix", .counted_from = PREFIX},
    };
    const uint32_t expected[] = {4, 5, 0, 0, 1};
    for (size_t p = 0; p < COUNT(plans); p++) {
        for (int64_t delta = -5; delta < 1000; delta += 201) {
            bytes file = build_zip(&plans[p]);
            bytes tail = {file.data + PREFIX, file.size - PREFIX};
            zip_plan other = plans[p];
            char prefix[2000] = "";
            memset(prefix, 'x', (size_t)(PREFIX + delta));
            other.prefix = prefix;
            other.counted_from = other.counted_from ? (uint64_t)(PREFIX + delta) : 0;
            bytes same = build_zip(&other);
            opened_zip o;
            assert_ok(open_zip(&o, &file, true, PREFIX, tail.size), &o.error);
            size_t to = (size_t)(PREFIX + delta);
            bytes result = moved(&o, tail, to, delta, expected[p]);
            assert_int_equal(result.size, same.size);
            assert_memory_equal(result.data + to, same.data + to, tail.size);
            close_zip(&o);
            free(same.data);
            free(result.data);
            free(file.data);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_few_bytes),
        cmocka_unit_test(test_deceiving_data),
        cmocka_unit_test(test_data_behind_the_stream),
        cmocka_unit_test(test_nothing_deflated),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_shift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
