/* SPDX-License-Identifier: Apache-2.0 */
/* int4 in blocks: codes and scales that are made and that are given, and the graph around them. */
#include "graph_reader.h"
#include "model_builder.h"
#include "sample_models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "quantize/apply.h"
#include "quantize/encode_blocks.h"

static const char recipe_name[] = "dynamic_wi4b32_afp32";
enum { BLOCK = 32, ROWS = 1027, COLUMNS = 1056, N = ROWS * COLUMNS };
static float values[N];

static void fill(void) {
    uint32_t state = 1;
    for (size_t i = 0; i < N; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = ((float)(state >> 8) * 0x1p-23f - 1.0f) * powf(2.0f, (float)(i / BLOCK % 7));
    }
    memset(values + 5 * BLOCK, 0, BLOCK * sizeof *values); /* a block of zeros */
}

static const tq_recipe *recipe(void) {
    for (uint32_t i = 0; tqi_preset(i); i++)
        if (strcmp(tqi_preset(i)->name, recipe_name) == 0)
            return tqi_preset(i);
    fail_msg("no recipe %s", recipe_name);
    return NULL;
}

/* ---- encoders ---- */

static void make_all(tqi_producer *p, uint8_t *result) {
    tq_error error = TQ_ERROR_INIT;
    uint8_t *scratch = malloc(p->scratch);
    assert_non_null(scratch);
    if (p->measure)
        assert_ok(p->measure(p, scratch, &error), &error);
    uint64_t covered = 0;
    for (uint32_t i = p->tiles; i-- > 0;) { /* in any order */
        uint64_t offset;
        const uint8_t *piece;
        size_t size;
        assert_ok(p->tile(p, i, scratch, &offset, &piece, &size, &error), &error);
        assert_true(piece >= scratch && piece + size <= scratch + p->scratch);
        assert_true(offset + size <= p->size);
        memcpy(result + offset, piece, size);
        covered += size;
    }
    assert_true(covered == p->size);
    free(scratch);
}

typedef struct made {
    uint8_t codes[N / 2];
    uint16_t scales[N / BLOCK];
    tqi_sums sums;
} made;

static void encode(uint32_t cpu_flags, made *m) {
    tq_error error = TQ_ERROR_INIT;
    tqi_heap heap;
    tqi_arena arena;
    tqi_source source;
    tqi_kernels kernels;
    tqi_heap_init(&heap, NULL, 0);
    tqi_arena_init(&arena, &heap);
    tqi_source_memory(&source, values, sizeof values);
    tqi_kernels_init(&kernels, cpu_flags);
    tqi_encoder e = {.kernels = &kernels,
                     .source = &source,
                     .from = {TQI_CONTENT_FILE, sizeof values, 0, NULL, NULL},
                     .from_type = TQI_TYPE_FLOAT32,
                     .to_type = TQI_TYPE_INT4,
                     .elements = N,
                     .values = N,
                     .block = BLOCK};
    assert_ok(tqi_encoder_init_blocks(&e, &arena, &error), &error);
    assert_true(e.producer.tiles > 1);
    assert_int_equal(e.producer.size, N / 2);
    assert_int_equal(e.scales.producer.size, N / BLOCK * 2);
    make_all(&e.producer, m->codes);
    make_all(&e.scales.producer, (uint8_t *)m->scales);
    m->sums = tqi_encoder_sums(&e);
    tqi_arena_free(&arena);
    assert_true(heap.used == 0);
}

static double half(uint16_t bits) {
    return ldexp(1024 + (bits & 1023), (bits >> 10) - 25);
}

static int code_at(const uint8_t *packed, size_t i) {
    return ((packed[i / 2] >> i % 2 * 4 & 15) ^ 8) - 8;
}

static void codes_are_the_nearest(void **state) {
    (void)state;
    static made m;
    encode(0, &m);
    double signal = 0, noise = 0;
    for (size_t b = 0; b < N / BLOCK; b++) {
        float most = 0;
        for (size_t i = b * BLOCK; i < (b + 1) * BLOCK; i++)
            most = fabsf(values[i]) > most ? fabsf(values[i]) : most;
        /* 2^-14 for zeros, which is a normal number; else within what bfloat16 rounds away */
        double scale = half(m.scales[b]), wanted = most > 0 ? (double)most / 7 : 0x1p-14;
        assert_true(m.scales[b] >= 0x0400 && m.scales[b] < 0x7c00);
        assert_true(fabs(scale - wanted) <= wanted / 256);
        for (size_t i = b * BLOCK; i < (b + 1) * BLOCK; i++) {
            double v = (double)values[i] / scale, q = code_at(m.codes, i);
            assert_true(fabs(v - q) <= 0.5 + 1e-6);
            signal += (double)values[i] * (double)values[i];
            noise += (v - q) * scale * (v - q) * scale;
        }
    }
    assert_true(fabs(m.sums.signal / signal - 1) < 1e-5);
    assert_true(fabs(m.sums.noise / noise - 1) < 1e-5);
}

static void every_level_makes_the_same(void **state) {
    (void)state;
    static made plain, best;
    encode(0, &plain);
    encode(tqi_cpu_flags(), &best);
    assert_memory_equal(plain.codes, best.codes, sizeof plain.codes);
    assert_memory_equal(plain.scales, best.scales, sizeof plain.scales);
    assert_memory_equal(&plain.sums, &best.sums, sizeof plain.sums);
}

static void scales_are_those_of_plain_rounding(void **state) {
    (void)state;
    static made m;
    static float scales[N / BLOCK];
    tqi_kernels kernels;
    tqi_kernels_init(&kernels, 0);
    encode(0, &m);
    assert_true(tqi_block_scales(&kernels, values, N, BLOCK, scales));
    for (size_t b = 0; b < N / BLOCK; b++)
        assert_true((double)scales[b] == half(m.scales[b]));
    float bad[BLOCK] = {[7] = NAN};
    assert_false(tqi_block_scales(&kernels, bad, BLOCK, BLOCK, scales));
    bad[7] = 1e6f;
    assert_false(tqi_block_scales(&kernels, bad, BLOCK, BLOCK, scales));
}

/* ---- the graph ---- */

/* Two layers with the same weights, float16 behind DEQUANTIZE, which goes. */
static bytes two_layers(const uint16_t *halves, int32_t rows) {
    static mb_model m;
    m = (mb_model){.n_opcodes = 2, .n_subgraphs = 1};
    m.opcodes[0] = (mb_opcode){.builtin = TQI_OP_DEQUANTIZE, .version = 3};
    m.opcodes[1] = (mb_opcode){.builtin = TQI_OP_FULLY_CONNECTED};
    mb_subgraph *s = &m.subgraphs[0];
    uint32_t buffer = mb_add_buffer(&m, halves, (size_t)rows * (size_t)rows * 2);
    const mb_list shape = {2, {rows, rows}}, row = {2, {1, rows}};
    static const char *const names[] = {"half 0", "half 1"}, *const plain[] = {"w0", "w1"};
    int32_t at = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = row});
    s->inputs = (mb_list){1, {at}};
    for (int i = 0; i < 2; i++) {
        int32_t h = mb_add_tensor(s, (mb_tensor){
                                         .name = names[i],
                                         .type = TQI_TYPE_FLOAT16,
                                         .buffer = buffer,
                                         .shape = shape,
                                     });
        int32_t w = mb_add_tensor(s, (mb_tensor){.name = plain[i], .shape = shape});
        int32_t y = mb_add_tensor(s, (mb_tensor){.name = i ? "y" : "between", .shape = row});
        mb_add_op(s, (mb_op){.opcode = 0, .inputs = {1, {h}}, .outputs = {1, {w}}});
        mb_add_op(s, (mb_op){.opcode = 1,
                             .inputs = {3, {at, w, -1}},
                             .outputs = {1, {y}},
                             .options_type = 8});
        at = y;
    }
    s->outputs = (mb_list){1, {at}};
    return mb_build(&m);
}

/* Each has its tensor of scales, under the numbers that tensors have in the end; both share their
 * bytes. */
static void tensors_name_their_scales(void **state) {
    (void)state;
    enum { SIDE = 160 }; /* codes are too many to be made at once, scales are not */
    static uint16_t halves[SIDE * SIDE];
    for (size_t i = 0; i < COUNT(halves); i++)
        halves[i] = (uint16_t)(0x3000 + i * 37 % 2048);
    bytes source = two_layers(halves, SIDE), output = convert(source, recipe_name);
    reader r;
    reader_open(&r, output);
    assert_int_equal(r.graph.subgraphs[0].n_operators, 2);
    assert_int_equal(reader_find(&r, 0, "half 0"), -1);
    static const char *const names[2][2] = {{"w0", "w0_scales"}, {"w1", "w1_scales"}};
    const tqi_tensor *w[2], *scales[2];
    for (int i = 0; i < 2; i++) {
        w[i] = reader_tensor(&r, 0, names[i][0]);
        scales[i] = reader_tensor(&r, 0, names[i][1]);
        assert_int_equal(w[i]->type, TQI_TYPE_INT4);
        assert_int_equal(reader_data(&r, w[i]).size, SIDE * SIDE / 2);
        assert_int_equal(scales[i]->type, TQI_TYPE_FLOAT16);
        assert_int_equal(scales[i]->rank, 2);
        assert_int_equal(scales[i]->shape[0], SIDE);
        assert_int_equal(scales[i]->shape[1], SIDE / BLOCK);
        assert_int_equal(reader_data(&r, scales[i]).size, SIDE * SIDE / BLOCK * 2);
        int32_t named[2];
        tqi_details_tensors(&r.graph.view, &r.graph.subgraphs[0], w[i], named);
        assert_int_equal(named[0], reader_find(&r, 0, names[i][1]));
        assert_int_equal(named[1], -1);
        uint32_t count;
        reader_scales(&r, w[i], &count);
        assert_int_equal(count, 0);
    }
    assert_int_equal(w[0]->buffer, w[1]->buffer);
    assert_int_equal(scales[0]->buffer, scales[1]->buffer);
    reader_close(&r);

    /* what is quantized, before it is saved, and what is read again */
    tq_model *model = load(source), *result = quantized(model, recipe_name);
    tq_model *again = load(output);
    const tq_model *const both[] = {result, again};
    for (size_t i = 0; i < COUNT(both); i++) {
        uint32_t found = 0;
        tq_tensor_info info = {.struct_size = sizeof info};
        for (uint32_t t = 0; tq_get_tensor_info(both[i], 0, t, &info) == TQ_OK; t++) {
            if (info.type != TQI_TYPE_INT4)
                continue;
            found++;
            assert_int_equal(info.scales, SIDE * SIDE / BLOCK);
            assert_int_equal(info.block_size, BLOCK);
            assert_null(info.scale);
            assert_null(info.zero_point);
        }
        assert_int_equal(found, 2);
    }
    tq_report_entry entry = entry_of(result, "w1");
    assert_int_equal(entry.to_type, TQI_TYPE_INT4);
    assert_int_equal(entry.scales, SIDE * SIDE / BLOCK);
    assert_int_equal(entry.bytes_after, SIDE * SIDE / 2 + SIDE * SIDE / BLOCK * 2);
    assert_true(entry.is_dynamic && entry.runtime_bytes == entry.bytes_after);
    tq_model_free(again);
    tq_model_free(result);
    tq_model_free(model);
    free(output.data);
    free(source.data);
}

/* Codes that something cleverer than rounding chose are stored as they are. */
static void given_codes_are_kept(void **state) {
    (void)state;
    enum { SIDE = 64 };
    static uint16_t halves[SIDE * SIDE];
    static int8_t codes[SIDE * SIDE];
    static float scales[SIDE * SIDE / BLOCK];
    for (size_t i = 0; i < COUNT(halves); i++) {
        halves[i] = 0x3c00;
        codes[i] = (int8_t)(i * 7 % 16) - 8;
    }
    for (size_t b = 0; b < COUNT(scales); b++)
        scales[b] = (float)(b + 1) / 64;
    bytes source = two_layers(halves, SIDE);
    reader r;
    tq_error error = TQ_ERROR_INIT;
    tqi_plan plan;
    tqi_result result;
    tqi_kernels kernels;
    tqi_arena edits;
    reader_open(&r, source);
    tqi_arena_init(&edits, &r.heap);
    tqi_kernels_init(&kernels, 0);
    assert_ok(tqi_plan_make(&plan, &r.graph, recipe(), TQ_TARGET_XNNPACK, &r.arena, &error),
              &error);
    assert_int_equal(plan.constants.count, 2);
    assert_int_equal(plan.decisions[1].action, TQI_ACTION_DYNAMIC_INT4);
    assert_int_equal(plan.decisions[1].block, BLOCK);
    tqi_refined refined[2] = {[1] = {codes, scales, {3.0, 0.5}}};
    tqi_refinement refinement = {.constants = refined};
    assert_ok(tqi_apply(&result, &plan, &refinement, &r.graph, &kernels, &edits, &error), &error);
    const tqi_encoder *e = result.encoders[1];
    assert_true(tqi_encoder_sums(e).signal == 3.0 && tqi_encoder_sums(e).noise == 0.5);
    const tqi_subgraph *s = &result.graph.subgraphs[0];
    for (uint32_t t = 0; t < s->n_tensors; t++) {
        const tqi_content *content = tqi_tensor_content(&result.graph, &s->tensors[t]);
        if (strcmp(s->tensors[t].name, "w1") == 0) {
            assert_int_equal(content->size, SIDE * SIDE / 2);
            for (size_t i = 0; i < COUNT(codes); i++)
                assert_int_equal(code_at(content->memory, i), codes[i]);
            assert_string_equal(s->tensors[s->tensors[t].quantization->scales].name, "w1_scales");
        } else if (strcmp(s->tensors[t].name, "w1_scales") == 0) {
            assert_int_equal(content->size, sizeof scales / 2);
            for (size_t b = 0; b < COUNT(scales); b++) {
                uint16_t bits;
                memcpy(&bits, (const uint8_t *)content->memory + 2 * b, sizeof bits);
                assert_true(half(bits) == (double)scales[b]);
            }
        }
    }
    tqi_arena_free(&edits);
    reader_close(&r);
    free(source.data);
}

/* ---- what can't be encoded, and too little memory ---- */

static int32_t swallow(void *opaque, const void *data, size_t size) {
    (void)opaque, (void)data, (void)size;
    return 0;
}

static void not_encodable_is_kept(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t reason;
    } cases[] = {{"good", TQ_REASON_NONE},
                 {"nan", TQ_REASON_NOT_FINITE},
                 {"inf", TQ_REASON_NOT_FINITE},
                 {"huge", TQ_REASON_NONE}};
    bytes source = sample_not_encodable(), expected = convert(source, recipe_name);
    tq_sink sink = {sizeof sink, 0, NULL, swallow};
    for (int way = 0; way < 2; way++) {
        tq_error error = TQ_ERROR_INIT;
        tq_model *model = load(source), *result = quantized(model, recipe_name);
        assert_ok(tq_save_sink(result, way ? &sink : NULL, NULL, &error), &error);
        for (size_t i = 0; i < COUNT(cases); i++) {
            tq_report_entry entry = entry_of(result, cases[i].name);
            assert_int_equal(entry.reason, cases[i].reason);
            assert_int_equal(entry.to_type, cases[i].reason ? TQI_TYPE_FLOAT32 : TQI_TYPE_INT4);
        }
        bytes again = saved(result);
        assert_true(same_bytes(again, expected));
        free(again.data);
        tq_model_free(result);
        tq_model_free(model);
    }
    free(expected.data);
    free(source.data);
}

/* Weights that are small throughout have no scales in float16; one large one is enough. */
static void small_weights(void **state) {
    (void)state;
    enum { SIDE = 64 };
    static float small[SIDE * SIDE];
    for (int large = 0; large < 2; large++) {
        for (size_t i = 0; i < COUNT(small); i++)
            small[i] = 0x1p-12f * (float)(i % 5);
        small[COUNT(small) - 1] = large ? 0.0018f : 0.0017f;
        mb_model m;
        mb_fully_connected(&m, small, SIDE, SIDE);
        bytes source = mb_build(&m);
        tq_model *model = load(source), *result = quantized(model, recipe_name);
        free(saved(result).data);
        tq_report_entry entry = entry_of(result, "weight");
        assert_int_equal(entry.reason, large ? TQ_REASON_NONE : TQ_REASON_OUT_OF_RANGE);
        tq_model_free(result);
        tq_model_free(model);
        free(source.data);
    }
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    enum { SIDE = 160 };
    static uint16_t halves[SIDE * SIDE];
    for (size_t i = 0; i < COUNT(halves); i++)
        halves[i] = (uint16_t)(0x3000 + i % 999);
    bytes source = two_layers(halves, SIDE);
    tq_status status = TQ_ERR_OUT_OF_MEMORY;
    uint64_t calls = 0;
    while (status != TQ_OK) {
        watch memory = {.fail_at = ++calls};
        tq_allocator allocator = watched(&memory);
        tq_load_options options = TQ_LOAD_OPTIONS_INIT;
        options.allocator = &allocator;
        tq_error error = TQ_ERROR_INIT;
        tq_model *model = NULL, *result = NULL;
        tq_recipe *named = NULL;
        void *data = NULL;
        uint64_t size = 0;
        assert_ok(tq_recipe_create(recipe_name, &named, &error), &error);
        status = tq_load_memory(source.data, source.size, &options, &model, &error);
        if (status == TQ_OK)
            status = tq_quantize(model, named, NULL, &result, &error);
        if (status == TQ_OK)
            status = tq_save_memory(result, NULL, &data, &size, &error);
        if (status == TQ_OK)
            tq_memory_free(result, data, size);
        else
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
        tq_model_free(result);
        tq_model_free(model);
        tq_recipe_free(named);
        assert_true(memory.held == 0 && memory.wrong == 0);
    }
    assert_true(calls > 20);
    free(source.data);
}

int main(void) {
    fill();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_the_nearest),
        cmocka_unit_test(every_level_makes_the_same),
        cmocka_unit_test(scales_are_those_of_plain_rounding),
        cmocka_unit_test(tensors_name_their_scales),
        cmocka_unit_test(given_codes_are_kept),
        cmocka_unit_test(not_encodable_is_kept),
        cmocka_unit_test(small_weights),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
