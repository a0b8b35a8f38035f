/* SPDX-License-Identifier: Apache-2.0 */
/* Codes, scales and float16 numbers against arithmetic written down once more, plainly. */
#include "graph_reader.h"
#include "model_builder.h"
#include "sample_models.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 1 << 16 };
static float values[MAX_VALUES];

/* Weights of every magnitude, a channel of zeros, one of tiny numbers, ties for rounding. */
static void fill(size_t n, size_t channels, size_t stride) {
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < n; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        size_t channel = i / stride % channels;
        float x = (float)(int32_t)(state >> 32) / 2147483648.0f;
        values[i] = channel == 1   ? 0.0f
                    : channel == 2 ? x * 1e-12f
                    : channel == 3 ? (float)((int)(state >> 40) % 255 - 127) / 2.0f
                                   : x * powf(4.0f, (float)(channel % 9) - 4.0f);
    }
}

/* ---- the reference ---- */

typedef struct geometry {
    size_t outer, channels, inner;
} geometry;

static size_t channel_of(const geometry *g, size_t i) {
    return i / g->inner % g->channels;
}

static void reference_scales(const geometry *g, float *scales) {
    size_t n = g->outer * g->channels * g->inner;
    for (size_t c = 0; c < g->channels; c++) {
        float bound = 1e-9f;
        for (size_t i = 0; i < n; i++)
            if (channel_of(g, i) == c && fabsf(values[i]) > bound)
                bound = fabsf(values[i]);
        scales[c] = bound / 127.0f;
    }
}

static int8_t reference_code(float x, float scale) {
    float code = rintf(x / scale);
    return (int8_t)(code > 127.0f ? 127.0f : code < -127.0f ? -127.0f : code);
}

/* By search: the float16 number nearest to x, the even one of two. x is in range. */
static double half_value(uint16_t half) {
    int exponent = half >> 10 & 31;
    double fraction = half & 1023;
    double size = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return half & 0x8000 ? -size : size;
}

static uint16_t reference_half(float x) {
    uint16_t low = 0, high = 0x7c00; /* magnitudes in order; `high` stands for 65536 */
    while (high - low > 1) {
        uint16_t middle = (uint16_t)((low + high) / 2);
        if (half_value(middle) <= fabs((double)x))
            low = middle;
        else
            high = middle;
    }
    double below = fabs((double)x) - half_value(low), above = half_value(high) - fabs((double)x);
    uint16_t nearest = below < above || (below == above && low % 2 == 0) ? low : high;
    return (uint16_t)(nearest | (signbit(x) ? 0x8000 : 0));
}

static double decibels(double signal, double noise) {
    return noise == 0 ? (double)INFINITY : 10 * log10(signal / noise);
}

/* Beyond 120 dB the noise is that of float32 arithmetic, which has no one value. */
static void assert_near(double found, double expected) {
    if (expected > 120 ? !(found > 120) : !(fabs(found - expected) < 1e-3))
        fail_msg("SNR %.9g, expected %.9g", found, expected);
}

/* ---- one constant through the whole line ---- */

static void check_int8(bytes source, const char *name, const geometry *g, int32_t dim) {
    static float scales[4096];
    size_t n = g->outer * g->channels * g->inner;
    reference_scales(g, scales);
    double signal = 0, noise = 0;
    for (size_t i = 0; i < n; i++) {
        float scale = scales[channel_of(g, i)];
        double error = (double)values[i] - (double)scale * reference_code(values[i], scale);
        signal += (double)values[i] * (double)values[i];
        noise += error * error;
    }
    for (size_t r = 0; r < 2; r++) { /* both int8 recipes give the same numbers */
        tq_model *model = load(source), *result = quantized(model, unit_recipes[r]);
        bytes output = saved(result);
        tq_report_entry entry = entry_of(result, name);
        assert_int_equal(entry.verdict, TQ_VERDICT_QUANTIZED);
        assert_int_equal(entry.scales, g->channels);
        assert_near(entry.snr_db, decibels(signal, noise));
        reader read;
        reader_open(&read, output);
        const tqi_tensor *tensor = reader_tensor(&read, 0, name);
        bytes codes = reader_data(&read, tensor);
        uint32_t count;
        const uint8_t *found = reader_scales(&read, tensor, &count);
        assert_int_equal(tensor->type, TQI_TYPE_INT8);
        assert_int_equal(count, g->channels);
        assert_memory_equal(found, scales, count * sizeof(float));
        assert_int_equal(tqi_get_i32(&read.graph.view, tensor->old_quantization,
                                     TQI_QUANT_QUANTIZED_DIMENSION, 0),
                         dim);
        tqi_vector zeros =
            tqi_get_vector(&read.graph.view, tensor->old_quantization, TQI_QUANT_ZERO_POINT);
        assert_int_equal(zeros.count, count);
        for (uint32_t i = 0; i < 8 * count; i++)
            assert_int_equal(output.data[zeros.at + i], 0);
        assert_int_equal(codes.size, n);
        for (size_t i = 0; i < n; i++)
            if ((int8_t)codes.data[i] != reference_code(values[i], scales[channel_of(g, i)]))
                fail_msg("%s[%zu] is %d", name, i, (int8_t)codes.data[i]);
        reader_close(&read);
        free(output.data);
        tq_model_free(result);
        tq_model_free(model);
    }
}

/* An operator with a float32 weight at input 1, and nothing else that matters. */
static bytes with_weight(int32_t builtin, mb_list shape, mb_list input_shape, uint8_t options_type,
                         const uint8_t *options, bool bias) {
    static const float zeros[4096];
    size_t n = 1;
    for (uint32_t i = 0; i < shape.count; i++)
        n *= (size_t)shape.at[i];
    assert_true(n <= MAX_VALUES);
    mb_model m = {.n_opcodes = 1, .n_subgraphs = 1};
    m.opcodes[0] = (mb_opcode){.builtin = builtin};
    mb_subgraph *s = &m.subgraphs[0];
    bool lookup = builtin == TQI_OP_EMBEDDING_LOOKUP;
    mb_add_tensor(s, (mb_tensor){.name = "x",
                                 .type = lookup ? TQI_TYPE_INT32 : TQI_TYPE_FLOAT32,
                                 .shape = input_shape});
    uint32_t buffer = mb_add_buffer(&m, values, n * sizeof(float));
    mb_add_tensor(s, (mb_tensor){.name = "weight", .buffer = buffer, .shape = shape});
    mb_add_tensor(s, (mb_tensor){.name = "y", .shape = input_shape});
    int32_t third = -1;
    if (bias) {
        int32_t channels = shape.at[builtin == TQI_OP_DEPTHWISE_CONV_2D ? 3 : 0];
        buffer = mb_add_buffer(&m, zeros, (size_t)channels * sizeof(float));
        third = mb_add_tensor(
            s, (mb_tensor){.name = "bias", .buffer = buffer, .shape = {1, {channels}}});
    }
    mb_op op = {.inputs = {2, {0, 1}}, .outputs = {1, {2}}, .options_type = options_type};
    if (bias)
        op.inputs = (mb_list){3, {0, 1, third}};
    if (options)
        memcpy(op.options, options, sizeof op.options);
    mb_add_op(s, op);
    s->inputs = (mb_list){1, {0}};
    s->outputs = (mb_list){1, {2}};
    return mb_build(&m);
}

static void int8_codes(void **state) {
    (void)state;
    static const uint8_t adj_y[MB_OPTIONS] = {0, 1};
    static const struct {
        int32_t builtin;
        mb_list shape, input;
        uint8_t options_type;
        const uint8_t *options;
        bool bias;
        geometry g;
        int32_t dim;
    } cases[] = {
        {TQI_OP_CONV_2D, {4, {13, 3, 3, 7}}, {4, {1, 9, 9, 7}}, 1, NULL, true, {1, 13, 63}, 0},
        {TQI_OP_DEPTHWISE_CONV_2D,
         {4, {1, 3, 3, 37}},
         {4, {1, 9, 9, 37}},
         2,
         NULL,
         true,
         {9, 37, 1},
         3},
        {TQI_OP_FULLY_CONNECTED, {2, {61, 67}}, {2, {1, 67}}, 8, NULL, false, {1, 61, 67}, 0},
        {TQI_OP_FULLY_CONNECTED, {2, {5, 8209}}, {2, {1, 8209}}, 8, NULL, true, {1, 5, 8209}, 0},
        {TQI_OP_FULLY_CONNECTED, {2, {300, 1}}, {2, {1, 1}}, 8, NULL, true, {1, 300, 1}, 0},
        {TQI_OP_BATCH_MATMUL, {3, {3, 17, 29}}, {3, {3, 1, 17}}, 101, NULL, false, {51, 29, 1}, 2},
        {TQI_OP_BATCH_MATMUL, {3, {3, 17, 29}}, {3, {3, 1, 29}}, 101, adj_y, false, {3, 17, 29}, 1},
        {TQI_OP_EMBEDDING_LOOKUP, {2, {100, 33}}, {1, {5}}, 0, NULL, false, {1, 100, 33}, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const geometry *g = &cases[i].g;
        fill(g->outer * g->channels * g->inner, g->channels, g->inner);
        bytes source = with_weight(cases[i].builtin, cases[i].shape, cases[i].input,
                                   cases[i].options_type, cases[i].options, cases[i].bias);
        check_int8(source, "weight", g, cases[i].dim);
        free(source.data);
    }
}

static void float16_values(void **state) {
    (void)state;
    enum { ROWS = 64, COLUMNS = 256, N = ROWS * COLUMNS };
    fill(N, ROWS, COLUMNS);
    /* the ends of the range, ties, subnormals, signed zeros */
    static const float special[] = {65504.0f, -65519.996f,  65519.0f,     0x1.002p0f, 0x1.006p0f,
                                    0x1p-24f, 0x1p-25f,     0x1.8p-25f,   0x1p-26f,   -0.0f,
                                    0x1p-14f, 0x1.ffcp-15f, 0x1.ffep-15f, FLT_MIN,    -FLT_MIN};
    memcpy(values + 2 * COLUMNS, special, sizeof special);
    bytes source = with_weight(TQI_OP_FULLY_CONNECTED, (mb_list){2, {ROWS, COLUMNS}},
                               (mb_list){2, {1, COLUMNS}}, 8, NULL, false);
    tq_model *model = load(source), *result = quantized(model, "fp16");
    bytes output = saved(result);
    reader read;
    reader_open(&read, output);
    bytes halves = reader_data(&read, reader_tensor(&read, 0, "weight"));
    assert_int_equal(halves.size, 2 * N);
    double signal = 0, noise = 0;
    for (size_t i = 0; i < N; i++) {
        uint16_t half, expected = reference_half(values[i]);
        memcpy(&half, halves.data + 2 * i, sizeof half);
        if (half != expected)
            fail_msg("%a is %04x, not %04x", (double)values[i], half, expected);
        double error = (double)values[i] - half_value(half);
        signal += (double)values[i] * (double)values[i];
        noise += error * error;
    }
    tq_report_entry entry = entry_of(result, "weight");
    assert_int_equal(entry.verdict, TQ_VERDICT_FLOAT16);
    assert_near(entry.snr_db, decibels(signal, noise));
    reader_close(&read);
    free(output.data);
    tq_model_free(result);
    tq_model_free(model);
    free(source.data);
}

/* ---- what can't be encoded ---- */

static int32_t swallow(void *opaque, const void *data, size_t size) {
    (void)data;
    *(uint64_t *)opaque += size;
    return 0;
}

static void save_in_way(tq_model *model, unsigned way) {
    tq_error error = TQ_ERROR_INIT;
    uint64_t size = 0;
    tq_sink sink = {sizeof sink, 0, &size, swallow};
    tq_save_options options = TQ_SAVE_OPTIONS_INIT;
    options.flags = TQ_SAVE_OVERWRITE;
    if (way == 0)
        free(saved(model).data);
    else if (way == 1)
        assert_ok(tq_save_file(model, scratch_path("out"), &options, &error), &error);
    else
        assert_ok(tq_save_sink(model, way == 2 ? &sink : NULL, &options, &error), &error);
}

static void not_encodable_is_kept(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t int8_reason, fp16_reason;
    } cases[] = {{"good", TQ_REASON_NONE, TQ_REASON_NONE},
                 {"nan", TQ_REASON_NOT_FINITE, TQ_REASON_NOT_FINITE},
                 {"inf", TQ_REASON_NOT_FINITE, TQ_REASON_NOT_FINITE},
                 {"huge", TQ_REASON_NONE, TQ_REASON_OUT_OF_RANGE}};
    bytes source = sample_not_encodable();
    reader before;
    reader_open(&before, source);
    scratch_begin();
    for (size_t r = 0; r < UNIT_NONE; r++) {
        bytes expected = convert(source, unit_recipes[r]);
        reader after;
        reader_open(&after, expected);
        for (unsigned way = 0; way < 4; way++) {
            tq_model *model = load(source), *result = quantized(model, unit_recipes[r]);
            save_in_way(result, way);
            for (size_t i = 0; i < COUNT(cases); i++) {
                uint32_t reason = r < 2 ? cases[i].int8_reason : cases[i].fp16_reason;
                tq_report_entry entry = entry_of(result, cases[i].name);
                assert_int_equal(entry.reason, reason);
                assert_int_equal(entry.verdict == TQ_VERDICT_KEPT, reason != TQ_REASON_NONE);
                assert_int_equal(entry.to_type == TQI_TYPE_FLOAT32, reason != TQ_REASON_NONE);
                assert_true(isnan(entry.snr_db) == (reason != TQ_REASON_NONE));
                if (reason == TQ_REASON_NONE)
                    continue;
                assert_true(entry.bytes_after == entry.bytes_before);
                bytes was = reader_data(&before, reader_tensor(&before, 0, cases[i].name));
                bytes is = reader_data(&after, reader_tensor(&after, 0, cases[i].name));
                assert_true(same_bytes(was, is));
            }
            bytes again = saved(result);
            assert_true(same_bytes(again, expected));
            free(again.data);
            tq_model_free(result);
            tq_model_free(model);
        }
        reader_close(&after);
        free(expected.data);
    }
    scratch_end();
    reader_close(&before);
    free(source.data);
}

/* float16 that is quantized goes by its own values. */
static void float16_to_int8(void **state) {
    (void)state;
    bytes source = float16_model();
    bytes output = convert(source, "dynamic_wi8_afp32");
    reader before, after;
    reader_open(&before, source);
    reader_open(&after, output);
    bytes halves = reader_data(&before, reader_tensor(&before, 0, "hidden_f16"));
    const tqi_tensor *tensor = reader_tensor(&after, 0, "hidden");
    geometry g = {1, (size_t)tensor->shape[0], (size_t)tensor->shape[1]};
    static float scales[1024];
    size_t n = halves.size / 2;
    assert_true(n == g.channels * g.inner && n <= MAX_VALUES);
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, halves.data + 2 * i, sizeof half);
        values[i] = (float)half_value(half);
    }
    reference_scales(&g, scales);
    uint32_t count;
    assert_memory_equal(reader_scales(&after, tensor, &count), scales, g.channels * sizeof(float));
    assert_int_equal(count, g.channels);
    bytes codes = reader_data(&after, tensor);
    for (size_t i = 0; i < n; i++)
        assert_int_equal((int8_t)codes.data[i],
                         reference_code(values[i], scales[channel_of(&g, i)]));
    reader_close(&after);
    reader_close(&before);
    free(output.data);
    free(source.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8_codes),
        cmocka_unit_test(float16_values),
        cmocka_unit_test(not_encodable_is_kept),
        cmocka_unit_test(float16_to_int8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
