/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets the bytes: against all possibilities, on cases small enough to try them. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quantize/islands.h"

static uint32_t state;

static uint32_t below(uint32_t n) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (state >> 4) % n;
}

/* ---- islands ---- */

enum { LAYERS = 10 };

static tqi_islands islands(const tqi_island *layers, size_t n, uint64_t budget,
                           tqi_island_choice *choices) {
    tqi_heap heap;
    tq_error error = TQ_ERROR_INIT;
    tqi_islands result;
    tqi_heap_init(&heap, NULL, 0);
    assert_ok(tqi_choose_islands(layers, n, budget, choices, &result, &heap, &error), &error);
    assert_int_equal(atomic_load(&heap.used), 0);
    return result;
}

static tqi_island random_layer(void) {
    uint64_t channels = 1 + below(8), taps = 1 + below(60);
    return (tqi_island){.bytes_int8 = channels * (taps + 12) + 150,
                        .bytes_float16 = 2 * channels * taps + 100,
                        .noise_ratio = below(5) ? below(1000) / 1000.0 : 0,
                        .int8_allowed = below(10) != 0,
                        .float16_allowed = below(10) != 0};
}

static bool is_free(const tqi_island *layer) {
    return layer->float16_allowed &&
           (!layer->int8_allowed || layer->bytes_float16 <= layer->bytes_int8);
}

static void check_choices(const tqi_island *layers, uint64_t budget,
                          const tqi_island_choice *choices, const tqi_islands *result) {
    uint64_t total = 0, extra = 0;
    size_t float16 = 0;
    for (size_t i = 0; i < LAYERS; i++) {
        const tqi_island *l = &layers[i];
        switch (choices[i]) {
        case TQI_ISLAND_KEEP:
            assert_true(!l->int8_allowed && !l->float16_allowed);
            break;
        case TQI_ISLAND_INT8:
            assert_true(l->int8_allowed && !is_free(l));
            total += l->bytes_int8;
            break;
        case TQI_ISLAND_FLOAT16:
            assert_true(l->float16_allowed);
            total += l->bytes_float16;
            extra += is_free(l) ? 0 : l->bytes_float16 - l->bytes_int8;
            float16++;
            break;
        }
    }
    assert_true(extra <= budget);
    assert_int_equal(extra, result->extra);
    assert_int_equal(total, result->bytes);
    assert_int_equal(float16, result->float16);
}

static bool can_be_island(const tqi_island *layer) {
    return layer->int8_allowed && layer->float16_allowed && !is_free(layer);
}

/* The least noise of all subsets; and the most that one layer has. */
static double least_noise(const tqi_island *layers, uint64_t budget, double *largest) {
    double least = INFINITY;
    *largest = 0;
    for (uint32_t set = 0; set < 1u << LAYERS; set++) {
        double noise = 0;
        uint64_t extra = 0;
        bool valid = true;
        for (size_t i = 0; i < LAYERS; i++) {
            const tqi_island *l = &layers[i];
            if (!can_be_island(l)) {
                valid = valid && !(set >> i & 1);
                noise += l->int8_allowed && !is_free(l) ? l->noise_ratio : 0;
            } else if (set >> i & 1) {
                extra += l->bytes_float16 - l->bytes_int8;
            } else {
                noise += l->noise_ratio;
            }
            *largest = fmax(*largest, can_be_island(l) ? l->noise_ratio : 0);
        }
        if (valid && extra <= budget)
            least = fmin(least, noise);
    }
    return least;
}

static void islands_near_the_best(void **unused) {
    (void)unused;
    state = 1;
    double sum = 0, sum_least = 0;
    for (int trial = 0; trial < (UNIT_SLOW ? 50 : 400); trial++) {
        tqi_island layers[LAYERS];
        tqi_island_choice choices[LAYERS], again[LAYERS];
        for (size_t i = 0; i < LAYERS; i++)
            layers[i] = random_layer();
        uint64_t budget = below(1500);
        tqi_islands result = islands(layers, LAYERS, budget, choices);
        double largest, least = least_noise(layers, budget, &largest);
        check_choices(layers, budget, choices, &result);
        assert_true(result.noise >= least - 1e-12 && result.noise <= least + largest + 1e-12);
        sum += result.noise;
        sum_least += least;
        islands(layers, LAYERS, budget, again);
        assert_memory_equal(choices, again, sizeof choices);
        /* without a budget nothing is spent, with enough of it nothing is noisy */
        assert_int_equal(islands(layers, LAYERS, 0, again).extra, 0);
        islands(layers, LAYERS, UINT64_MAX, again);
        for (size_t i = 0; i < LAYERS; i++)
            assert_true(again[i] != TQI_ISLAND_INT8 || layers[i].noise_ratio == 0 ||
                        !layers[i].float16_allowed);
    }
    assert_true(sum < 1.1 * sum_least);
}

static void island_rules(void **unused) {
    (void)unused;
    static const tqi_island layers[] = {
        {210, 180, 0, true, true},   /* a small depthwise filter */
        {200, 200, 0.1, true, true}, /* as large, and exact */
        {100, 150, 0.2, true, true}, /* two equals: the first */
        {100, 150, 0.2, true, true}, {100, 140, INFINITY, true, true}, /* noise only */
        {100, 110, 0, true, true},                                     /* not known */
        {100, 500, 9, true, true},                                     /* does not fit */
        {100, 150, 1, true, false},  {100, 150, 0, false, true},       {9, 9, 1, false, false},
    };
    tqi_island_choice choices[COUNT(layers)];
    tqi_islands result = islands(layers, COUNT(layers), 99, choices);
    static const tqi_island_choice want[] = {
        TQI_ISLAND_FLOAT16, TQI_ISLAND_FLOAT16, TQI_ISLAND_FLOAT16, TQI_ISLAND_INT8,
        TQI_ISLAND_FLOAT16, TQI_ISLAND_INT8,    TQI_ISLAND_INT8,    TQI_ISLAND_INT8,
        TQI_ISLAND_FLOAT16, TQI_ISLAND_KEEP};
    assert_memory_equal(choices, want, sizeof want);
    assert_int_equal(result.extra, 90);
    assert_int_equal(result.bytes, 180 + 200 + 150 + 100 + 140 + 100 + 100 + 100 + 150);
    assert_int_equal(islands(layers, 0, 99, choices).bytes, 0);
}

static void island_errors(void **unused) {
    (void)unused;
    tqi_island layer = {100, 150, NAN, true, true};
    tqi_island_choice choice;
    tqi_islands result;
    tqi_heap heap;
    tq_error error = TQ_ERROR_INIT;
    tqi_heap_init(&heap, NULL, 0);
    assert_failed(TQ_ERR_UNSUPPORTED,
                  tqi_choose_islands(&layer, 1, 9, &choice, &result, &heap, &error), &error);
    layer.noise_ratio = -1;
    assert_failed(TQ_ERR_UNSUPPORTED,
                  tqi_choose_islands(&layer, 1, 9, &choice, &result, &heap, &error), &error);
    layer = (tqi_island){UINT64_MAX, 150, 0, true, true};
    assert_failed(TQ_ERR_TOO_LARGE,
                  tqi_choose_islands(&layer, 1, 9, &choice, &result, &heap, &error), &error);
    layer = (tqi_island){100, 150, 1, true, true};
    tqi_heap_init(&heap, NULL, 10);
    assert_failed(TQ_ERR_MEMORY_LIMIT,
                  tqi_choose_islands(&layer, 1, 9, &choice, &result, &heap, &error), &error);
}

/* ---- allocation ---- */

enum { ITEMS = 6, WAYS = 4, ALL = 1 << (2 * ITEMS) };

static tqi_allocated allocate(const tqi_option *options, bool for_error, uint64_t size, double most,
                              size_t *choices) {
    tqi_allocation task = {options, ITEMS, WAYS};
    tqi_heap heap;
    tq_error error = TQ_ERROR_INIT;
    tqi_allocated result;
    tqi_heap_init(&heap, NULL, 0);
    assert_ok(for_error ? tqi_allocate_error(&task, most, choices, &result, &heap, &error)
                        : tqi_allocate_bytes(&task, size, choices, &result, &heap, &error),
              &error);
    assert_int_equal(atomic_load(&heap.used), 0);
    uint64_t total = 0;
    double sum = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        const tqi_option *o = &options[i * WAYS + choices[i]];
        assert_true(o->allowed);
        total += o->bytes;
        sum += o->error;
    }
    assert_int_equal(total, result.bytes);
    assert_true(sum == result.error);
    assert_int_equal(result.reached, for_error ? sum <= most : total <= size);
    return result;
}

/* As real encodings: half the bytes, a multiple of the error, now and then something odd. */
static void random_options(tqi_option *options) {
    for (size_t i = 0; i < ITEMS; i++) {
        uint64_t size = 10 + below(400);
        double error = (1 + below(1000)) / 1000.0;
        for (size_t w = 0; w < WAYS; w++) {
            tqi_option *o = &options[i * WAYS + w];
            *o = (tqi_option){size * (4 - w) + below(20), error * (double)(1u << (3 * w)), true};
            o->error = w == 0 ? 0 : o->error;
            o->allowed = below(8) != 0;
            if (below(8) == 0)
                o->error = below(100);
            if (below(10) == 0)
                o->bytes = below(1000);
        }
        options[i * WAYS + below(WAYS)].allowed = true;
    }
}

/* All that can be had, and what is least. */
typedef struct best {
    double error, least_error;
    uint64_t bytes, least_bytes;
} best;

static best try_all(const tqi_option *options, uint64_t most_bytes, double most_error) {
    best b = {INFINITY, INFINITY, UINT64_MAX, UINT64_MAX};
    for (uint32_t code = 0; code < ALL; code++) {
        uint64_t total = 0;
        double error = 0;
        bool allowed = true;
        for (size_t i = 0; i < ITEMS && allowed; i++) {
            const tqi_option *o = &options[i * WAYS + (code >> (2 * i) & 3)];
            allowed = o->allowed;
            total += o->bytes;
            error += o->error;
        }
        if (!allowed)
            continue;
        b.least_bytes = total < b.least_bytes ? total : b.least_bytes;
        b.least_error = fmin(b.least_error, error);
        if (total <= most_bytes)
            b.error = fmin(b.error, error);
        if (error <= most_error && total < b.bytes)
            b.bytes = total;
    }
    return b;
}

static void allocation_near_the_best(void **unused) {
    (void)unused;
    state = 5;
    int trials = UNIT_SLOW ? 40 : 600, exact_error = 0, exact_bytes = 0, reached = 0;
    double ratio_bytes = 0;
    for (int t = 0; t < trials; t++) {
        tqi_option options[ITEMS * WAYS];
        size_t choices[ITEMS], again[ITEMS];
        random_options(options);
        uint64_t most_bytes = 300 + below(4500);
        double most_error = below(3000) / 30.0;
        best b = try_all(options, most_bytes, most_error);

        tqi_allocated result = allocate(options, false, most_bytes, 0, choices);
        assert_int_equal(result.reached, b.least_bytes <= most_bytes);
        if (result.reached)
            assert_true(result.error >= b.error);
        else
            assert_int_equal(result.bytes, b.least_bytes);
        exact_error += !result.reached || result.error <= b.error * 1.02 + 1e-9;
        allocate(options, false, most_bytes, 0, again);
        assert_memory_equal(choices, again, sizeof choices);

        result = allocate(options, true, 0, most_error, choices);
        assert_int_equal(result.reached, b.least_error <= most_error);
        if (result.reached) {
            assert_true(result.bytes >= b.bytes);
            ratio_bytes += (double)result.bytes / (double)b.bytes;
            reached++;
        } else {
            assert_true(fabs(result.error - b.least_error) < 1e-9);
        }
        exact_bytes += !result.reached || result.bytes == b.bytes;
        allocate(options, true, 0, most_error, again);
        assert_memory_equal(choices, again, sizeof choices);
    }
#ifdef SHOW
    print_message("best error %d, best bytes %d of %d; bytes over best %g\n", exact_error,
                  exact_bytes, trials, ratio_bytes / reached);
#endif
    assert_true(exact_error > trials * 8 / 10);
    assert_true(exact_bytes > trials * 8 / 10);
    assert_true(ratio_bytes < 1.01 * reached);
}

/* Hundreds of tensors: a budget is used up, and beats the uniform choices of the same size. */
static void allocation_of_many(void **unused) {
    (void)unused;
    enum { MANY = 300 };
    static tqi_option options[MANY * 3];
    static size_t choices[MANY];
    tqi_allocation task = {options, MANY, 3};
    uint64_t uniform_bytes = 0, all = 0;
    double uniform_error = 0;
    state = 9;
    for (size_t i = 0; i < MANY; i++) {
        uint64_t size = 100 + below(1u << (4 + below(14)));
        double noise = (1 + below(1u << below(20))) * 1e-6;
        options[i * 3] = (tqi_option){size / 2 + size / 16, 150 * noise, true};
        options[i * 3 + 1] = (tqi_option){size + 200, noise, true};
        options[i * 3 + 2] = (tqi_option){2 * size, 0, true};
        uniform_bytes += size + 200;
        uniform_error += noise;
        all += 2 * size;
    }
    tqi_heap heap;
    tq_error error = TQ_ERROR_INIT;
    tqi_allocated result;
    tqi_heap_init(&heap, NULL, 0);
    assert_ok(tqi_allocate_bytes(&task, uniform_bytes, choices, &result, &heap, &error), &error);
    assert_true(result.reached && result.error < 0.5 * uniform_error);
    assert_true(result.bytes * 1000 > uniform_bytes * 997);
    double reached_error = result.error;
    assert_ok(tqi_allocate_error(&task, reached_error, choices, &result, &heap, &error), &error);
    assert_true(result.reached && result.bytes * 100 < uniform_bytes * 101);
    assert_ok(tqi_allocate_bytes(&task, UINT64_MAX, choices, &result, &heap, &error), &error);
    assert_true(result.error == 0 && result.bytes <= all);
    assert_ok(tqi_allocate_error(&task, 0, choices, &result, &heap, &error), &error);
    assert_true(result.error == 0 && result.bytes == all);
    assert_ok(tqi_allocate_error(&task, INFINITY, choices, &result, &heap, &error), &error);
    assert_true(result.bytes < uniform_bytes);
}

static void allocation_errors(void **unused) {
    (void)unused;
    tqi_option options[4] = {{10, 1, true}, {20, 0, true}, {10, 1, true}, {20, 0, true}};
    tqi_allocation task = {options, 2, 2};
    size_t choices[2];
    tqi_allocated result;
    tqi_heap heap;
    tq_error error = TQ_ERROR_INIT;
    tqi_heap_init(&heap, NULL, 0);
    /* equals: the first item gets it */
    assert_ok(tqi_allocate_bytes(&task, 30, choices, &result, &heap, &error), &error);
    assert_true(choices[0] == 1 && choices[1] == 0);
    assert_failed(TQ_ERR_INVALID_ARGUMENT,
                  tqi_allocate_error(&task, NAN, choices, &result, &heap, &error), &error);
    static const double bad[] = {NAN, INFINITY, -1};
    for (size_t i = 0; i < COUNT(bad); i++) {
        options[3].error = bad[i];
        assert_failed(TQ_ERR_UNSUPPORTED,
                      tqi_allocate_bytes(&task, 30, choices, &result, &heap, &error), &error);
    }
    /* what is not allowed is not looked at */
    options[3].allowed = false;
    options[3].bytes = UINT64_MAX;
    assert_ok(tqi_allocate_bytes(&task, 30, choices, &result, &heap, &error), &error);
    options[3] = (tqi_option){UINT64_MAX, 1, true};
    assert_failed(TQ_ERR_TOO_LARGE, tqi_allocate_bytes(&task, 30, choices, &result, &heap, &error),
                  &error);
    options[2].allowed = options[3].allowed = false;
    assert_failed(TQ_ERR_INTERNAL, tqi_allocate_bytes(&task, 30, choices, &result, &heap, &error),
                  &error);
    options[2].allowed = true;
    for (uint64_t fail_at = 1, done = 0; !done; fail_at++) {
        watch w = {.fail_at = fail_at};
        tq_allocator allocator = watched(&w);
        tqi_heap_init(&heap, &allocator, 0);
        tq_status status = tqi_allocate_bytes(&task, 30, choices, &result, &heap, &error);
        assert_int_equal(w.held, 0);
        assert_true(status == TQ_OK || status == TQ_ERR_OUT_OF_MEMORY);
        done = status == TQ_OK;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(islands_near_the_best), cmocka_unit_test(island_rules),
        cmocka_unit_test(island_errors),         cmocka_unit_test(allocation_near_the_best),
        cmocka_unit_test(allocation_of_many),    cmocka_unit_test(allocation_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
