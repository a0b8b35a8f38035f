/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets the bytes: against all possibilities, on cases small enough to try them. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quantize/allocation.h"

static uint32_t state;

static uint32_t below(uint32_t n) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (state >> 4) % n;
}

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
        cmocka_unit_test(allocation_near_the_best),
        cmocka_unit_test(allocation_of_many),
        cmocka_unit_test(allocation_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
