/* SPDX-License-Identifier: Apache-2.0 */
/* Associated files behind a flatbuffer: wherever they come to be, their offsets lead to them. */
#include "model_builder.h"
#include "zip_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64, COLUMNS = 64, WEIGHTS = ROWS * COLUMNS };
static float weights[WEIGHTS];

static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < WEIGHTS; i++)
        weights[i] = (float)(i * 37 % 101 - 50) / 64;
    return 0;
}

static const zip_member files[] = {
    {.name = "labels.txt", .content = "cat\ndog\n"},
    {.name = "vocabulary.txt", .content = "word ", .size = 3000, .deflated = true},
};
static const zip_member odd_files[] = {
    {.name = "wide.txt", .content = "text", .wide = true, .comment = "wide"},
    {.name = "d/"},
    {.name = "d/later", .content = "abc", .size = 900, .deflated = true, .descriptor = SIGNED},
    {.name = "behind a gap", .content = "abc", .gap = "a gap", .gap_size = 5},
};
static const zip_plan plans[] = {
    {PLAN(files)},
    {PLAN(files), .comment = "a comment", .reversed = true},
    {PLAN(odd_files)},
    {PLAN(odd_files), .wide = true, .end64_data = "data", .zeros = 9},
    {PLAN(odd_files), .wide = true, .comment = "wide"},
    {.n = 0},
};

static bytes zip_at(const zip_plan *plan, uint64_t counted_from) {
    zip_plan moved = *plan;
    moved.counted_from = counted_from;
    return build_zip(&moved);
}

/* A model with the archive, and where that is. */
static bytes with_zip(const zip_plan *plan, bool counted, size_t *at) {
    mb_model m;
    mb_fully_connected(&m, weights, ROWS, COLUMNS);
    bytes zip = zip_at(plan, 0);
    m.tail = zip.data;
    m.tail_size = (uint32_t)zip.size;
    bytes model = mb_build(&m);
    *at = m.tail_at;
    free(zip.data);
    if (counted) {
        zip = zip_at(plan, m.tail_at);
        memcpy(model.data + m.tail_at, zip.data, zip.size);
        free(zip.data);
    }
    return model;
}

/* The last bytes of the file. */
static bytes tail_of(bytes file, size_t size) {
    assert_true(size < file.size);
    return (bytes){file.data + (file.size - size), size};
}

static void check_tail(bytes output, const zip_plan *plan, bool counted, size_t size) {
    size_t at = output.size - size;
    bytes expected = zip_at(plan, counted ? at : 0);
    assert_true(same_bytes(tail_of(output, size), expected));
    free(expected.data);
    opened_zip o;
    assert_ok(open_zip(&o, &output, false, at, size), &o.error);
    assert_int_equal(o.zip.from_file, counted);
    for (uint32_t i = 0; i < o.zip.n_members; i++)
        assert_ok(tqi_zip_read(&o.zip, &o.zip.members[i], &o.heap, NULL, NULL, &o.error), &o.error);
    close_zip(&o);
}

static void offsets_follow(void **state) {
    (void)state;
    for (size_t p = 0; p < COUNT(plans); p++) {
        for (int counted = 0; counted < 2; counted++) {
            size_t at;
            bytes source = with_zip(&plans[p], counted, &at);
            for (size_t r = 0; r < UNIT_RECIPES; r++) {
                bytes output = convert(source, unit_recipes[r]);
                assert_true(r == UNIT_NONE || output.size + WEIGHTS < source.size);
                check_tail(output, &plans[p], counted, source.size - at);
                /* and once more */
                bytes again = convert(output, unit_recipes[UNIT_NONE]);
                check_tail(again, &plans[p], counted, source.size - at);
                free(again.data);
                free(output.data);
            }
            free(source.data);
        }
    }
}

/* ---- from a callback, to a callback ---- */

static int32_t read_bytes(void *opaque, uint64_t offset, void *data, size_t size) {
    const bytes *b = opaque;
    if (offset > b->size || size > b->size - offset)
        return EFAULT;
    memcpy(data, b->data + offset, size);
    return 0;
}

static int32_t write_bytes(void *opaque, const void *data, size_t size) {
    bytes *all = opaque;
    all->data = realloc(all->data, all->size + size + 1);
    assert_non_null(all->data);
    memcpy(all->data + all->size, data, size);
    all->size += size;
    return 0;
}

static void through_callbacks(void **state) {
    (void)state;
    for (size_t p = 0; p < COUNT(plans); p++) {
        size_t at;
        bytes source = with_zip(&plans[p], true, &at);
        const tq_source in = {sizeof in, 0, &source, source.size, read_bytes};
        bytes all = {NULL, 0};
        const tq_sink out = {.struct_size = sizeof out, .opaque = &all, .write = write_bytes};
        tq_error error = TQ_ERROR_INIT;
        tq_model *model = NULL;
        assert_ok(tq_load_source(&in, NULL, &model, &error), &error);
        tq_model *small = quantized(model, unit_recipes[0]);
        assert_ok(tq_save_sink(small, &out, NULL, &error), &error);
        check_tail(all, &plans[p], true, source.size - at);
        bytes same = convert(source, unit_recipes[0]);
        assert_true(same_bytes(same, all));
        free(same.data);
        free(all.data);
        tq_model_free(small);
        tq_model_free(model);
        free(source.data);
    }
}

/* What can't be opened is kept byte for byte: who knows what it is. */
static void damaged_ones_stay(void **state) {
    (void)state;
    for (size_t p = 0; p < COUNT(plans); p++) {
        size_t at;
        bytes source = with_zip(&plans[p], true, &at);
        size_t size = source.size - at;
        for (size_t i = 4; i < size; i += UNIT_SLOW ? 7 : 1) {
            source.data[at + i] ^= 0xff;
            bytes output = convert(source, unit_recipes[0]), tail = tail_of(source, size);
            opened_zip o;
            tq_status status = open_zip(&o, &source, false, at, size);
            if (status != TQ_OK || !o.zip.from_file)
                assert_true(same_bytes(tail_of(output, size), tail));
            close_zip(&o);
            if (status == TQ_OK) {
                assert_ok(open_zip(&o, &output, false, output.size - size, size), &o.error);
                close_zip(&o);
            }
            free(output.data);
            source.data[at + i] ^= 0xff;
        }
        free(source.data);
    }
}

static void cut_ones_stay(void **state) {
    (void)state;
    size_t at;
    bytes source = with_zip(&plans[3], true, &at);
    for (size_t size = at + 1; size < source.size; size += UNIT_SLOW ? 5 : 1) {
        bytes cut = {malloc(size), size};
        assert_non_null(cut.data);
        memcpy(cut.data, source.data, size);
        bytes output = convert(cut, unit_recipes[0]);
        if (size + plans[3].zeros < source.size)
            assert_true(same_bytes(tail_of(output, size - at), tail_of(cut, size - at)));
        else
            assert_false(same_bytes(tail_of(output, size - at), tail_of(cut, size - at)));
        free(output.data);
        free(cut.data);
    }
    free(source.data);
}

static void no_memory(void **state) {
    (void)state;
    size_t at;
    bytes source = with_zip(&plans[3], true, &at);
    for (uint64_t fail_at = 1;; fail_at++) {
        watch w = {.fail_at = fail_at};
        tq_allocator hooks = watched(&w);
        tq_load_options options = TQ_LOAD_OPTIONS_INIT;
        tq_error error = TQ_ERROR_INIT;
        tq_model *model = NULL;
        options.allocator = &hooks;
        tq_status status = tq_load_memory(source.data, source.size, &options, &model, &error);
        if (status == TQ_OK)
            status = tq_save_sink(model, NULL, NULL, &error);
        tq_model_free(model);
        assert_int_equal(w.held + w.wrong, 0);
        if (w.calls < fail_at) {
            assert_ok(status, &error);
            break;
        }
        assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
    }
    free(source.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_follow),    cmocka_unit_test(through_callbacks),
        cmocka_unit_test(damaged_ones_stay), cmocka_unit_test(cut_ones_stay),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
