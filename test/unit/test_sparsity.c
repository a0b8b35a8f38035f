/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse tensors: where stored values belong, against a dense tensor that is packed by a plain
 * reading of the format; and descriptions that are wrong. */
#include "graph_reader.h"
#include "model_builder.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tflite/sparsity.h"

enum { MAX_DENSE = 4096, MAX_LEVELS = MB_LIST };

/* ---- packing: the format, written down once more ---- */

typedef struct packed {
    mb_sparsity sparsity;
    uint32_t rank;
    int32_t shape[MAX_LEVELS];
    float values[MAX_DENSE];
    uint32_t n_values;
    int32_t segments[MAX_LEVELS][MAX_DENSE + 1], indices[MAX_LEVELS][MAX_DENSE];
    uint32_t n_segments[MAX_LEVELS], n_indices[MAX_LEVELS];
    uint8_t narrow[2 * MAX_LEVELS][4 * MAX_DENSE + 4]; /* index arrays in their widths */
} packed;

/* Size of dimension `d` of the blocked tensor: outer ones come in steps of their block. */
static int32_t size_of(const packed *p, const int32_t *block, uint32_t d) {
    if (d >= p->rank)
        return block[d - p->rank];
    int32_t size = p->shape[d];
    for (uint32_t k = 0; k < p->sparsity.n_blocks; k++)
        if (p->sparsity.blocks[k] == (int32_t)d)
            size /= block[k];
    return size;
}

/* Place in the dense tensor of a point of the blocked one. */
static size_t place_of(const packed *p, const int32_t *block, const int32_t *point) {
    size_t place = 0;
    for (uint32_t d = 0; d < p->rank; d++) {
        int32_t at = point[d];
        for (uint32_t k = 0; k < p->sparsity.n_blocks; k++)
            if (p->sparsity.blocks[k] == (int32_t)d)
                at = at * block[k] + point[p->rank + k];
        place = place * (size_t)p->shape[d] + (size_t)at;
    }
    return place;
}

/* Is anything below this point of the first `level` levels? */
static bool any_below(const packed *p, const int32_t *block, const float *dense, int32_t *point,
                      uint32_t level) {
    if (level == p->sparsity.n_levels)
        return dense[place_of(p, block, point)] != 0;
    uint32_t d = (uint32_t)p->sparsity.order[level];
    for (point[d] = 0; point[d] < size_of(p, block, d); point[d]++)
        if (any_below(p, block, dense, point, level + 1)) {
            point[d] = 0;
            return true;
        }
    point[d] = 0;
    return false;
}

static void pack(packed *p, const int32_t *block, const float *dense, int32_t *point,
                 uint32_t level) {
    if (level == p->sparsity.n_levels) {
        p->values[p->n_values++] = dense[place_of(p, block, point)];
        return;
    }
    uint32_t d = (uint32_t)p->sparsity.order[level];
    bool sparse = p->sparsity.levels[level].dense == 0;
    for (point[d] = 0; point[d] < size_of(p, block, d); point[d]++) {
        if (sparse && !any_below(p, block, dense, point, level + 1))
            continue;
        if (sparse)
            p->indices[level][p->n_indices[level]++] = point[d];
        int32_t at = point[d];
        pack(p, block, dense, point, level + 1);
        point[d] = at;
    }
    if (sparse)
        p->segments[level][p->n_segments[level]++] = (int32_t)p->n_indices[level];
    point[d] = 0;
}

static const void *narrowed(packed *p, uint32_t which, const int32_t *list, uint32_t n,
                            uint32_t width) {
    for (uint32_t i = 0; i < n; i++)
        memcpy(p->narrow[which] + i * width, &list[i], width); /* little-endian */
    return p->narrow[which];
}

typedef struct form {
    uint32_t rank, n_levels, n_blocks;
    int32_t shape[MAX_LEVELS], order[MAX_LEVELS], blocks[MAX_LEVELS], block[MAX_LEVELS];
    bool sparse[MAX_LEVELS];
    uint32_t width;
} form;

static void pack_as(packed *p, const form *f, const float *dense) {
    int32_t point[MAX_LEVELS] = {0};
    *p = (packed){.rank = f->rank};
    p->sparsity.n_levels = f->n_levels;
    p->sparsity.n_blocks = f->n_blocks;
    memcpy(p->shape, f->shape, sizeof p->shape);
    memcpy(p->sparsity.order, f->order, sizeof f->order);
    memcpy(p->sparsity.blocks, f->blocks, sizeof f->blocks);
    for (uint32_t i = 0; i < f->n_levels; i++) {
        int32_t size = size_of(p, f->block, (uint32_t)f->order[i]);
        p->sparsity.levels[i] = (mb_level){.dense = f->sparse[i] ? 0 : size, .width = f->width};
        p->n_segments[i] = 1; /* the first is 0 */
    }
    pack(p, f->block, dense, point, 0);
    for (uint32_t i = 0; i < f->n_levels; i++) {
        mb_level *level = &p->sparsity.levels[i];
        if (!f->sparse[i])
            continue;
        level->n_segments = p->n_segments[i];
        level->n_indices = p->n_indices[i];
        level->segments = narrowed(p, 2 * i, p->segments[i], level->n_segments, f->width);
        level->indices = narrowed(p, 2 * i + 1, p->indices[i], level->n_indices, f->width);
    }
}

/* ---- through the library ---- */

static bytes model_of(const packed *p) {
    mb_model m = {.n_opcodes = 1, .n_subgraphs = 1};
    mb_subgraph *s = &m.subgraphs[0];
    m.opcodes[0] = (mb_opcode){.builtin = TQI_OP_FULLY_CONNECTED};
    uint32_t buffer = mb_add_buffer(&m, p->values, p->n_values * sizeof(float));
    mb_tensor tensor = {.name = "sparse", .buffer = buffer, .sparsity = &p->sparsity};
    tensor.shape.count = p->rank;
    memcpy(tensor.shape.at, p->shape, sizeof p->shape);
    mb_add_tensor(s, tensor);
    return mb_build(&m);
}

/* Places for the stored values, or false. */
static bool places(const packed *p, uint64_t stored, uint64_t *place) {
    bytes model = model_of(p);
    reader r;
    reader_open(&r, model);
    bool fits = tqi_sparsity_places(&r.graph.view, reader_tensor(&r, 0, "sparse"), stored, place);
    reader_close(&r);
    free(model.data);
    return fits;
}

static const form forms[] = {
    /* rows, and columns first */
    {2, 2, 0, {20, 24}, {0, 1}, {0}, {0}, {false, true}, 1},
    {2, 2, 0, {40, 48}, {1, 0}, {0}, {0}, {false, true}, 2},
    {2, 2, 0, {40, 48}, {0, 1}, {0}, {0}, {true, true}, 4},
    {2, 2, 0, {40, 48}, {0, 1}, {0}, {0}, {false, false}, 4},
    /* blocks of 1x16 and 1x4 as converters make them; 2x4 with both orders inside */
    {2, 3, 1, {32, 64}, {0, 1, 2}, {1}, {16}, {false, true, false}, 1},
    {2, 3, 1, {32, 64}, {0, 1, 2}, {1}, {4}, {false, true, false}, 2},
    {2, 4, 2, {32, 64}, {0, 1, 2, 3}, {0, 1}, {2, 4}, {false, true, false, false}, 4},
    {2, 4, 2, {32, 64}, {1, 0, 3, 2}, {1, 0}, {4, 2}, {false, true, false, false}, 2},
    /* convolutions */
    {4, 4, 0, {8, 3, 3, 16}, {0, 1, 2, 3}, {0}, {0}, {false, false, false, true}, 2},
    {4, 4, 0, {64, 1, 1, 16}, {0, 1, 2, 3}, {0}, {0}, {false, false, false, true}, 2},
    {4, 4, 0, {8, 3, 3, 16}, {3, 0, 2, 1}, {0}, {0}, {false, true, false, true}, 4},
};

static void check_form(const form *f, uint32_t one_in) {
    static packed p;
    static float dense[MAX_DENSE], unpacked[MAX_DENSE];
    uint64_t place[MAX_DENSE];
    size_t n = 1;
    for (uint32_t d = 0; d < f->rank; d++)
        n *= (size_t)f->shape[d];
    assert_true(n <= MAX_DENSE);
    for (size_t i = 0; i < n; i++)
        dense[i] = i * 2654435761u % 1009 % one_in == 0 ? (float)(i + 1) : 0;
    pack_as(&p, f, dense);
    for (uint32_t i = 0; i < f->n_levels && f->width == 1; i++)
        assert_true(p.n_indices[i] < 256);
    if (!places(&p, p.n_values, place))
        fail_msg("form %d with %u values", (int)(f - forms), p.n_values);
    memset(unpacked, 0, sizeof unpacked);
    for (uint32_t i = 0; i < p.n_values; i++) {
        assert_true(place[i] < n);
        unpacked[place[i]] = p.values[i];
    }
    assert_memory_equal(unpacked, dense, n * sizeof *dense);
    /* another number of values contradicts it */
    assert_false(places(&p, p.n_values + 1, place));
    assert_false(places(&p, p.n_values - 1, place));
}

static void values_find_their_places(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        check_form(&forms[i], 2);
        check_form(&forms[i], 7);
    }
}

/* A handful of values in a tensor of many rows. */
static void hardly_any_values(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++)
        check_form(&forms[i], 1009);
}

static void a_layer_is_unpacked(void **state) {
    (void)state;
    enum { ROWS = 32, COLUMNS = 64 };
    static packed p;
    static float dense[ROWS * COLUMNS];
    for (size_t i = 0; i < COUNT(dense); i++)
        dense[i] = i % 5 ? (float)(i * 37 % 255) - 127 : 0;
    pack_as(&p, &forms[6], dense);
    mb_model m;
    mb_fully_connected(&m, p.values, ROWS, COLUMNS);
    m.buffers[1].size = p.n_values * (uint32_t)sizeof(float);
    m.subgraphs[0].tensors[1].sparsity = &p.sparsity;
    bytes source = mb_build(&m);
    mb_fully_connected(&m, dense, ROWS, COLUMNS);
    bytes plain = mb_build(&m);
    bytes output = convert(source, "dynamic_wi8_afp32"),
          wanted = convert(plain, "dynamic_wi8_afp32");
    reader r, w;
    reader_open(&r, output);
    reader_open(&w, wanted);
    const tqi_tensor *tensor = reader_tensor(&r, 0, "weight");
    assert_int_equal(tensor->type, TQI_TYPE_INT8);
    assert_int_equal(tensor->sparsity, 0);
    assert_true(
        same_bytes(reader_data(&r, tensor), reader_data(&w, reader_tensor(&w, 0, "weight"))));
    reader_close(&w);
    reader_close(&r);
    free(wanted.data);
    free(output.data);
    free(plain.data);
    free(source.data);
}

/* ---- descriptions that are wrong ---- */

static void contradictions(void **state) {
    (void)state;
    static float dense[32 * 64];
    static packed good, bad;
    static const int32_t far[] = {0, 1000000}, back[] = {5, 0};
    uint64_t place[MAX_DENSE];
    for (size_t i = 0; i < COUNT(dense); i++)
        dense[i] = i % 3 == 0;
    form f = forms[6];
    pack_as(&good, &f, dense);
    assert_true(places(&good, good.n_values, place));
#define WRONG(change)                                                                              \
    do {                                                                                           \
        bad = good;                                                                                \
        change;                                                                                    \
        assert_false(places(&bad, bad.n_values, place));                                           \
    } while (0)
    WRONG(bad.sparsity.order[1] = 0); /* a dimension twice */
    WRONG(bad.sparsity.order[1] = 4); /* one that is not there */
    WRONG(bad.sparsity.order[1] = -1);
    WRONG(bad.sparsity.blocks[0] = 2); /* a block of none */
    WRONG(bad.sparsity.blocks[0] = -1);
    WRONG(bad.sparsity.n_blocks = 1); /* too few */
    WRONG(bad.sparsity.n_levels = 3);
    WRONG(bad.sparsity.levels[0].dense = -1);
    WRONG(bad.sparsity.levels[0].dense = INT32_MAX);
    WRONG(bad.sparsity.levels[3].dense = INT32_MAX);
    WRONG(bad.sparsity.levels[0].dense++);
    WRONG(bad.sparsity.levels[1].n_segments--); /* the last row has no end */
    WRONG(bad.sparsity.levels[1].n_segments = 0);
    WRONG(bad.sparsity.levels[1].n_indices--);
    WRONG(bad.sparsity.levels[1].indices =
              narrowed(&bad, 11, (int32_t[MAX_DENSE]){1 << 20}, bad.n_indices[1], 4));
    WRONG(bad.sparsity.levels[1].segments = far; bad.sparsity.levels[1].n_segments = 2);
    WRONG(bad.sparsity.levels[1].segments = back; bad.sparsity.levels[1].n_segments = 2);
    WRONG(bad.shape[0] = 4);
    WRONG(bad.shape[1] = -64);
#undef WRONG
}

/* Levels of one sparse entry each that multiply: rows that all run through the same values. */
static void time_is_bounded(void **state) {
    (void)state;
    enum { WIDE = 4000 };
    static packed p;
    static uint64_t place[MAX_DENSE];
    static int32_t segments[WIDE + 1], indices[WIDE];
    for (int i = 0; i <= WIDE; i++)
        segments[i] = i % 2 ? WIDE : 0; /* forth and back */
    p = (packed){.rank = 3, .shape = {WIDE, WIDE, WIDE}, .n_values = MAX_DENSE};
    p.sparsity = (mb_sparsity){.n_levels = 3, .order = {0, 1, 2}};
    clock_t start = clock();
    for (unsigned form_ = 0; form_ < 8; form_++) {
        for (unsigned i = 0; i < 3; i++) {
            p.sparsity.levels[i] = (mb_level){.dense = WIDE};
            if (form_ >> i & 1)
                p.sparsity.levels[i] = (mb_level){0, 4, WIDE + 1, WIDE, segments, indices};
        }
        assert_false(places(&p, p.n_values, place));
    }
    /* ways that all lead to nothing: WIDE^3 of them */
    static const int32_t nothing[WIDE + 1];
    p.rank = p.sparsity.n_levels = 4;
    p.shape[3] = WIDE;
    p.sparsity.order[3] = 3;
    p.sparsity.levels[0] = (mb_level){.dense = WIDE};
    p.sparsity.levels[1] = (mb_level){0, 4, WIDE + 1, WIDE, segments, indices};
    p.sparsity.levels[2] = p.sparsity.levels[1];
    p.sparsity.levels[3] = (mb_level){0, 4, WIDE + 1, WIDE, nothing, indices};
    assert_false(places(&p, p.n_values, place));
    assert_true(clock() - start < 2 * CLOCKS_PER_SEC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_find_their_places), cmocka_unit_test(hardly_any_values),
        cmocka_unit_test(a_layer_is_unpacked),      cmocka_unit_test(contradictions),
        cmocka_unit_test(time_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
