/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever happens to an archive's bytes: an error, or an archive that can be read and written
 * again. Meant to run with sanitizers. */
#include "zip_builder.h"

#include <stdlib.h>
#include <string.h>

#include "bundle/zip_shift.h"

static const zip_member members[] = {
    {.name = "model", .content = "weights ", .size = 300, .wide = true},
    {.name = "packed", .content = "ab", .size = 60, .deflated = true, .descriptor = SIGNED},
    {.name = "d/", .local_extra = "UT\1\0x", .local_extra_size = 5},
    {.name = "wide",
     .content = "x",
     .descriptor = WIDE,
     .gap = "\0\0",
     .gap_size = 2,
     .comment = "why"},
};
static const zip_plan plans[] = {
    {PLAN(members), .comment = "end"},
    {PLAN(members), .wide = true, .end64_data = "more", .zeros = 3},
    {PLAN(members), .prefix = "prefix", .counted_from = 6, .reversed = true, .wide = true},
};

/* Everything that the room does with an archive. */
static void use(opened_zip *o) {
    tqi_zip_patch *patches;
    uint32_t n;
    uint32_t total = o->zip.n_members;
    tqi_zip_change *changes = calloc(total + 1, sizeof *changes);
    bytes *contents = calloc(total + 1, sizeof *contents);
    assert_true(changes && contents);
    for (uint32_t i = 0; i < total; i++) {
        tq_status status =
            tqi_zip_read(&o->zip, &o->zip.members[i], &o->heap, NULL, NULL, &o->error);
        assert_true(status == TQ_OK || status == TQ_ERR_CORRUPT);
        if (i % 2 == 0 && !o->zip.members[i].is_directory) {
            changes[i] = (tqi_zip_change){.replaced = true, .size = 7, .alignment = 64};
            contents[i] = (bytes){(uint8_t *)(uintptr_t) "content", 7};
        }
    }
    (void)tqi_zip_shift(&o->zip, 100, &o->arena, &patches, &n, &o->error);
    bytes changed = rewrite_zip(o, changes, contents, o->zip.whole.offset);
    opened_zip again;
    tq_status status = open_whole_zip(&again, &changed);
    /* a hidden local header may now be at the start: nothing else can go wrong */
    assert_ok(status, &again.error);
    assert_int_equal(again.zip.n_members, total);
    close_zip(&again);
    free(changed.data);
    free(changes);
    free(contents);
}

static void try_it(bytes *file, bool callback) {
    opened_zip o;
    tq_status status = open_zip(&o, file, callback, 0, file->size);
    bool is_zip;
    assert_ok(tqi_zip_probe(&o.source, 0, file->size, &is_zip, &o.error), &o.error);
    if (status == TQ_OK) {
        assert_true(is_zip || o.zip.n_members == 0);
        bytes copied = copy_zip(&o);
        assert_true(same_bytes(*file, copied));
        free(copied.data);
        use(&o);
    } else {
        assert_true(status == TQ_ERR_CORRUPT || status == TQ_ERR_UNSUPPORTED);
        assert_message(&o.error);
    }
    close_zip(&o);
}

/* The block is exactly as large, so that a sanitizer sees what goes beyond. */
static void test_every_length(void **state) {
    (void)state;
    for (size_t p = 0; p < COUNT(plans); p++) {
        bytes whole = build_zip(&plans[p]);
        for (size_t size = 1; size < whole.size; size++) {
            bytes cut = {malloc(size), size};
            assert_non_null(cut.data);
            memcpy(cut.data, whole.data, size);
            opened_zip o;
            tq_status status = open_zip(&o, &cut, size % 2, 0, cut.size);
            bool only_padding = size + plans[p].zeros >= whole.size;
            assert_int_equal(status, only_padding ? TQ_OK : TQ_ERR_CORRUPT);
            close_zip(&o);
            memcpy(cut.data, whole.data + whole.size - size, size);
            try_it(&cut, size % 2);
            free(cut.data);
        }
        free(whole.data);
    }
}

static void test_flips(void **state) {
    (void)state;
    static const uint8_t masks[] = {0x01, 0x08, 0x40, 0x80, 0xff};
    for (size_t p = 0; p < COUNT(plans); p++) {
        bytes file = build_zip(&plans[p]);
        for (size_t at = 0; at < file.size; at++) {
            for (size_t k = 0; k < COUNT(masks); k++) {
                file.data[at] ^= masks[k];
                try_it(&file, k % 2);
                file.data[at] ^= masks[k];
            }
        }
        free(file.data);
    }
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Several bytes at once, with values that are likely to mean something. */
static void test_scribbles(void **state) {
    (void)state;
    static const uint8_t values[] = {0, 1, 2, 8, 20, 45, 0x7f, 0x80, 0xfe, 0xff, 'P', 'K'};
    uint32_t random = 1;
    int rounds = UNIT_SLOW ? 3000 : 30000;
    for (int i = 0; i < rounds; i++) {
        bytes file = build_zip(&plans[i % (int)COUNT(plans)]);
        uint32_t n = 1 + next_random(&random) % 4;
        while (n-- > 0) {
            size_t at = next_random(&random) % file.size;
            size_t length = 1 + next_random(&random) % 4;
            uint8_t value = values[next_random(&random) % COUNT(values)];
            for (size_t j = at; j < at + length && j < file.size; j++)
                file.data[j] = value;
        }
        try_it(&file, i % 2);
        free(file.data);
    }
}

/* Every allocation fails once. */
static void test_no_memory(void **state) {
    (void)state;
    bytes file = build_zip(&plans[0]);
    for (uint64_t fail_at = 1;; fail_at++) {
        watch w = {.fail_at = fail_at};
        tq_allocator hooks = watched(&w);
        const tqi_zip_limits none = {0, 0, 0};
        tqi_heap heap;
        tqi_arena arena;
        tqi_source source;
        tqi_zip zip;
        tq_error error = TQ_ERROR_INIT;
        tqi_heap_init(&heap, &hooks, 0);
        tqi_arena_init(&arena, &heap);
        tqi_source_memory(&source, file.data, file.size);
        tq_status status = tqi_zip_open(&zip, &source, 0, file.size, &none, &arena, &error);
        for (uint32_t i = 0; i < zip.n_members && status == TQ_OK; i++)
            status = tqi_zip_read(&zip, &zip.members[i], &heap, NULL, NULL, &error);
        tqi_arena_free(&arena);
        assert_int_equal(w.held, 0);
        assert_int_equal(w.wrong, 0);
        if (w.calls < fail_at) {
            assert_ok(status, &error);
            break;
        }
        assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
    }
    free(file.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_scribbles),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
