/* SPDX-License-Identifier: Apache-2.0 */
/* Synthetic inputs: their bits, their spectrum, their shapes; and the range that metadata gives. */
#include "graph_reader.h"
#include "model_builder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/input_range.h"

typedef struct input {
    tqi_value value;
    size_t size;
} input;

static const tqi_synthetic settings = {7, TQI_RANGE_UNIT, 50};

static input make(int32_t type, uint32_t rank, const int32_t *shape) {
    input made = {.value = {.type = type, .rank = rank, .elements = 1}};
    for (uint32_t d = 0; d < rank; d++) {
        made.value.shape[d] = shape[d];
        made.value.elements *= (uint64_t)shape[d];
    }
    made.size = (size_t)made.value.elements * (type == TQI_TYPE_INT64  ? 8
                                               : type == TQI_TYPE_BOOL ? 1
                                                                       : 4);
    made.value.data = malloc(made.size + 1);
    assert_non_null(made.value.data);
    memset(made.value.data, 0xcd, made.size + 1);
    return made;
}

static void fill(input *made, const tqi_synthetic *how, uint32_t number) {
    tqi_heap heap;
    tq_error error = TQ_ERROR_INIT;
    tqi_heap_init(&heap, NULL, 0);
    assert_ok(tqi_synthetic_fill(how, number, &made->value, &heap, &error), &error);
    assert_true(heap.used == 0);
    assert_int_equal(((uint8_t *)made->value.data)[made->size], 0xcd);
}

static uint32_t checksum(const input *made) {
    const uint8_t *data = made->value.data;
    uint32_t sum = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < made->size; i++)
        sum = (sum ^ data[i]) * 16777619u;
    return sum;
}

static void the_same_bits_everywhere(void **state) {
    (void)state;
    static const struct {
        int32_t type;
        uint32_t rank;
        int32_t shape[4];
        uint32_t number, sum;
    } cases[] = {
        {TQI_TYPE_FLOAT32, 4, {1, 64, 48, 3}, 0, 0x6632359f},
        {TQI_TYPE_FLOAT32, 4, {1, 64, 48, 3}, 1, 0x65d48577},
        {TQI_TYPE_FLOAT32, 4, {2, 33, 31, 4}, 2, 0xf395023c},
        {TQI_TYPE_FLOAT32, 2, {1, 4000}, 3, 0xaa14c562},
        {TQI_TYPE_FLOAT32, 3, {1, 96, 64}, 4, 0xb60041ad},
        {TQI_TYPE_FLOAT32, 4, {1, 9, 9, 16}, 5, 0x22f4d17a},
        {TQI_TYPE_INT32, 2, {1, 128}, 6, 0xc52e37e0},
        {TQI_TYPE_INT64, 1, {77}, 7, 0x0f2c0a1f},
        {TQI_TYPE_BOOL, 1, {100}, 8, 0x1d2172df},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        input made = make(cases[i].type, cases[i].rank, cases[i].shape);
        fill(&made, &settings, cases[i].number);
        if (checksum(&made) != cases[i].sum)
            fail_msg("case %zu: 0x%08x", i, checksum(&made));
        free(made.value.data);
    }
}

static double mean_of(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    return sum / (double)n;
}

static double deviation_of(const float *x, size_t n) {
    double sum = 0, mean = mean_of(x, n);
    for (size_t i = 0; i < n; i++)
        sum += ((double)x[i] - mean) * ((double)x[i] - mean);
    return sqrt(sum / (double)n);
}

/* E[(x(i + distance) - x(i))^2] along rows and columns. */
static double difference(const float *x, int32_t size, int32_t channels, int32_t distance) {
    double sum = 0;
    int32_t n = 0;
    for (int32_t i = 0; i < size; i++)
        for (int32_t j = 0; j + distance < size; j++)
            for (int32_t c = 0; c < channels; c++, n += 2) {
                const float *row = x + (i * size + j) * channels + c;
                const float *column = x + (j * size + i) * channels + c;
                double across = (double)row[distance * channels] - (double)row[0];
                double down = (double)column[distance * size * channels] - (double)column[0];
                sum += across * across + down * down;
            }
    return sum / n;
}

static void pictures_look_like_some(void **state) {
    (void)state;
    enum { SIZE = 128, CHANNELS = 3, N = SIZE * SIZE * CHANNELS, SERIES = 8 };
    input made = make(TQI_TYPE_FLOAT32, 4, (int32_t[]){1, SIZE, SIZE, CHANNELS});
    const float *x = tqi_floats(&made.value);
    double steps[5] = {0};
    for (uint32_t number = 0; number < SERIES; number++) {
        fill(&made, &settings, number);
        for (size_t i = 0; i < N; i++)
            assert_true(x[i] >= 0 && x[i] <= 1);
        double mean = mean_of(x, N), deviation = deviation_of(x, N);
        if (number % 2 == 0) {
            assert_true(fabs(mean - 0.45) < 0.02);
            assert_true(deviation > 0.15 && deviation < 0.3);
            for (int32_t k = 0; k < 5; k++)
                steps[k] += difference(x, SIZE, CHANNELS, 1 << k);
        } else {
            assert_true(fabs(mean - 0.5) < 0.15);
            assert_true(deviation > 0.2 && deviation < 0.35);
            assert_true(difference(x, SIZE, CHANNELS, 1) < 0.03); /* edges are rare */
        }
    }
    /* squared differences grow about as the distance; a bit faster where all is interpolated */
    for (size_t k = 1; k < 5; k++)
        if (!(steps[k] / steps[k - 1] > 1.4 && steps[k] / steps[k - 1] < (k == 1 ? 3.3 : 2.6)))
            fail_msg("%g times at distance %d", steps[k] / steps[k - 1], 1 << k);
    free(made.value.data);
}

static void ranges_are_stretched(void **state) {
    (void)state;
    static const int32_t shape[] = {1, 20, 30, 3};
    tqi_synthetic wide = {7, {{-1, 0, -2, 0}, {1, 255, 2, 0}}, 0};
    input plain = make(TQI_TYPE_FLOAT32, 4, shape), stretched = make(TQI_TYPE_FLOAT32, 4, shape);
    for (uint32_t number = 0; number < 2; number++) {
        fill(&plain, &settings, number);
        fill(&stretched, &wide, number);
        const float *x = tqi_floats(&plain.value), *y = tqi_floats(&stretched.value);
        for (size_t i = 0; i < plain.value.elements; i++) {
            const float *low = wide.range.low, *high = wide.range.high;
            float expected = low[i % 3] + (high[i % 3] - low[i % 3]) * x[i];
            assert_true(fabsf(y[i] - expected) < 1e-4f);
        }
    }
    free(plain.value.data);
    free(stretched.value.data);
}

static void signals(void **state) {
    (void)state;
    static const struct {
        uint32_t rank;
        int32_t shape[5];
        double deviation;
    } cases[] = {{2, {1, 16000}, 0.25}, {1, {5000}, 0.25},      {3, {1, 96, 64}, 1},
                 {3, {4, 50, 1}, 1},    {4, {1, 40, 30, 8}, 1}, {5, {2, 3, 20, 20, 3}, 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        input made = make(TQI_TYPE_FLOAT32, cases[i].rank, cases[i].shape);
        fill(&made, &settings, 1);
        const float *x = tqi_floats(&made.value);
        size_t n = (size_t)made.value.elements;
        double chance = 3 / sqrt((double)n);
        assert_true(fabs(mean_of(x, n)) < 0.01 + chance * cases[i].deviation);
        assert_true(fabs(deviation_of(x, n) / cases[i].deviation - 1) < 0.02 + chance);
        free(made.value.data);
    }
}

/* Of neighbours in the last dimension. */
static double correlation(const float *x, size_t n) {
    double sum = 0, deviation = deviation_of(x, n), mean = mean_of(x, n);
    for (size_t i = 0; i + 1 < n; i++)
        sum += ((double)x[i] - mean) * ((double)x[i + 1] - mean);
    return sum / (double)n / (deviation * deviation);
}

static void one_signal_of_three_is_smooth(void **state) {
    (void)state;
    static const int32_t shape[] = {1, 96, 64};
    input made = make(TQI_TYPE_FLOAT32, 3, shape);
    for (uint32_t number = 0; number < 6; number++) {
        fill(&made, &settings, number);
        double found = correlation(tqi_floats(&made.value), (size_t)made.value.elements);
        assert_true(number % 3 == 0 ? found > 0.5 : fabs(found) < 0.05);
    }
    free(made.value.data);
}

/* A tensor of features is none for having four of them. */
static void what_is_a_picture(void **state) {
    (void)state;
    static const struct {
        int32_t shape[4];
        bool is_one;
    } cases[] = {{{1, 224, 224, 3}, true}, {{1, 16, 16, 1}, true},  {{1, 720, 1280, 4}, true},
                 {{8, 100, 32, 4}, false}, {{1, 8, 64, 3}, false},  {{1, 16, 100, 1}, false},
                 {{1, 64, 64, 16}, false}, {{1, 100, 16, 1}, false}};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(tqi_is_picture(4, cases[i].shape), cases[i].is_one);
    assert_false(tqi_is_picture(3, cases[0].shape));
}

static void small_and_odd_shapes(void **state) {
    (void)state;
    static const struct {
        uint32_t rank;
        int32_t shape[4];
    } cases[] = {{4, {1, 1, 1, 3}}, {4, {1, 2, 1, 1}}, {4, {1, 1, 7, 4}}, {4, {3, 5, 3, 3}},
                 {2, {1, 1}},       {0, {0}},          {1, {1}},          {3, {1, 1, 1}},
                 {2, {4, 0}},       {4, {0, 8, 8, 3}}, {3, {2, 1, 3}},    {2, {1, 2}}};
    for (size_t i = 0; i < COUNT(cases); i++)
        for (uint32_t number = 0; number < 4; number++) {
            input made = make(TQI_TYPE_FLOAT32, cases[i].rank, cases[i].shape);
            fill(&made, &settings, number);
            for (size_t e = 0; e < made.value.elements; e++)
                assert_true(fabsf(tqi_floats(&made.value)[e]) < 4);
            free(made.value.data);
        }
}

static void series_differ(void **state) {
    (void)state;
    input a = make(TQI_TYPE_FLOAT32, 4, (int32_t[]){3, 16, 16, 3});
    uint32_t sums[32], n = 0;
    for (uint32_t number = 0; number < 8; number++)
        for (uint32_t seed = 0; seed < 4; seed++) {
            tqi_synthetic how = settings;
            how.seed = seed;
            fill(&a, &how, number);
            sums[n] = checksum(&a);
            for (uint32_t i = 0; i < n; i++)
                assert_true(sums[i] != sums[n]);
            n++;
            const float *x = tqi_floats(&a.value);
            assert_true(memcmp(x, x + 768, 768 * sizeof *x) != 0);
            assert_true(memcmp(x, x + 1536, 768 * sizeof *x) != 0);
        }
    free(a.value.data);
}

static void integers(void **state) {
    (void)state;
    input made = make(TQI_TYPE_INT32, 2, (int32_t[]){1, 1000});
    const int32_t *x = made.value.data;
    tqi_synthetic how = settings;
    bool seen[50] = {false};
    fill(&made, &how, 0);
    for (size_t i = 0; i < 1000; i++) {
        assert_in_range(x[i], 0, 49);
        seen[x[i]] = true;
    }
    for (size_t i = 0; i < COUNT(seen); i++)
        assert_true(seen[i]);
    for (how.bound = -1; how.bound < 2; how.bound++) {
        fill(&made, &how, 0);
        for (size_t i = 0; i < 1000; i++)
            assert_int_equal(x[i], 0);
    }
    free(made.value.data);
}

static void failures(void **state) {
    (void)state;
    tqi_heap heap;
    tq_error error = TQ_ERROR_INIT;
    input made = make(TQI_TYPE_FLOAT32, 4, (int32_t[]){1, 64, 64, 3});
    tqi_heap_init(&heap, NULL, 100);
    assert_failed(TQ_ERR_MEMORY_LIMIT, tqi_synthetic_fill(&settings, 0, &made.value, &heap, &error),
                  &error);
    assert_true(heap.used == 0);
    made.value.type = TQI_TYPE_STRING;
    assert_failed(TQ_ERR_UNSUPPORTED, tqi_synthetic_fill(&settings, 0, &made.value, &heap, &error),
                  &error);
    free(made.value.data);
}

/* ---- metadata ---- */

typedef struct writer {
    uint8_t bytes[512];
    uint32_t size;
} writer;

static uint32_t put32(writer *w, uint32_t value) {
    assert_true(w->size + 4 <= sizeof w->bytes);
    memcpy(w->bytes + w->size, &value, 4);
    w->size += 4;
    return w->size - 4;
}

static void link_to(writer *w, uint32_t slot, uint32_t at) {
    uint32_t offset = at - slot;
    memcpy(w->bytes + slot, &offset, 4);
}

/* A table of fields of 4 bytes, of which only `first` and on are there. Returns its position;
 * field `first + i` is 4 + 4 * i behind it. */
static uint32_t put_table(writer *w, uint32_t first, uint32_t count) {
    uint16_t vtable[16] = {(uint16_t)(4 + 2 * (first + count)), (uint16_t)(4 + 4 * count)};
    uint32_t at = w->size;
    for (uint32_t i = 0; i < count; i++)
        vtable[2 + first + i] = (uint16_t)(4 + 4 * i);
    memcpy(w->bytes + at, vtable, sizeof vtable);
    w->size += sizeof vtable;
    uint32_t table = put32(w, (uint32_t)sizeof vtable);
    for (uint32_t i = 0; i < count; i++)
        put32(w, 0);
    return table;
}

/* A table in a vector of one, that `slot` refers to. */
static uint32_t put_only(writer *w, uint32_t slot, uint32_t first, uint32_t count) {
    link_to(w, slot, put32(w, 1));
    uint32_t element = put32(w, 0);
    uint32_t table = put_table(w, first, count);
    link_to(w, element, table);
    return table;
}

static void put_floats(writer *w, uint32_t slot, uint32_t count, const float *values) {
    link_to(w, slot, put32(w, count));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], 4);
        put32(w, bits);
    }
}

static writer metadata(uint32_t count, const float *mean, const float *std) {
    writer w = {.size = 0};
    put32(&w, 0);
    put32(&w, 0x3130304d); /* M001 */
    uint32_t model = put_table(&w, 3, 1);
    link_to(&w, 0, model);
    uint32_t subgraph = put_only(&w, model + 4, 2, 1);
    uint32_t tensor = put_only(&w, subgraph + 4, 4, 1);
    uint32_t unit = put_only(&w, tensor + 4, 0, 2);
    w.bytes[unit + 4] = 1; /* NormalizationOptions */
    uint32_t options = put_table(&w, 0, 2);
    link_to(&w, unit + 8, options);
    put_floats(&w, options + 4, count, mean);
    put_floats(&w, options + 8, count, std);
    return w;
}

static bytes with_metadata(const writer *w) {
    static const float weights[4] = {1, 2, 3, 4};
    mb_model m = {0};
    mb_fully_connected(&m, weights, 2, 2);
    uint32_t buffer = mb_add_buffer(&m, w->bytes, w->size);
    m.metadata[m.n_metadata++] = (mb_metadata){"TFLITE_METADATA", buffer};
    return mb_build(&m);
}

static bool find_range(reader *r, tqi_input_range *range) {
    bool known = false;
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tqi_input_range_find(&r->graph, 0, 0, &r->heap, range, &known, &error), &error);
    return known;
}

static void range_of_metadata(void **state) {
    (void)state;
    static const float mean[] = {127.5f, 0, 100}, std[] = {127.5f, 255, 50};
    static const float bad[][2] = {{NAN, 1}, {0, 0}, {0, -1}, {INFINITY, 1}, {0, NAN}};
    writer w = metadata(3, mean, std);
    bytes model = with_metadata(&w);
    reader r;
    tqi_input_range range;
    reader_open(&r, model);
    assert_true(find_range(&r, &range));
    assert_true(range.low[0] == -1 && range.high[0] == 1);
    assert_true(range.low[1] == 0 && range.high[1] == 1);
    assert_true(range.low[2] == -2 && range.high[2] == 3.1f);
    reader_close(&r);
    free(model.data);
    for (size_t i = 0; i < COUNT(bad); i++) {
        w = metadata(1, &bad[i][0], &bad[i][1]);
        model = with_metadata(&w);
        reader_open(&r, model);
        assert_false(find_range(&r, &range));
        reader_close(&r);
        free(model.data);
    }
}

/* Any damage: no crash, nothing read beyond the end. */
static void damaged_metadata(void **state) {
    (void)state;
    static const float mean = 127.5f, std = 127.5f;
    writer w = metadata(1, &mean, &std);
    bytes model = with_metadata(&w);
    reader r;
    tqi_input_range range;
    reader_open(&r, model);
    tqi_content *content = &r.graph.buffers[r.graph.metadata[0].buffer].content;
    for (uint32_t cut = 0; cut <= w.size; cut++) {
        uint8_t *copy = malloc(cut + !cut);
        assert_non_null(copy);
        memcpy(copy, w.bytes, cut);
        *content = (tqi_content){.kind = TQI_CONTENT_MEMORY, .size = cut, .memory = copy};
        assert_true(find_range(&r, &range) == (cut == w.size));
        free(copy);
    }
    uint8_t *copy = malloc(w.size);
    assert_non_null(copy);
    *content = (tqi_content){.kind = TQI_CONTENT_MEMORY, .size = w.size, .memory = copy};
    for (uint32_t at = 0; at < w.size; at++)
        for (uint32_t value = 0; value < 256; value += UNIT_SLOW ? 15 : 1) {
            memcpy(copy, w.bytes, w.size);
            copy[at] = (uint8_t)value;
            find_range(&r, &range);
        }
    free(copy);
    reader_close(&r);
    free(model.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bits_everywhere),
        cmocka_unit_test(pictures_look_like_some),
        cmocka_unit_test(ranges_are_stretched),
        cmocka_unit_test(signals),
        cmocka_unit_test(one_signal_of_three_is_smooth),
        cmocka_unit_test(what_is_a_picture),
        cmocka_unit_test(small_and_odd_shapes),
        cmocka_unit_test(series_differ),
        cmocka_unit_test(integers),
        cmocka_unit_test(failures),
        cmocka_unit_test(range_of_metadata),
        cmocka_unit_test(damaged_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
