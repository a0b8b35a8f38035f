/* SPDX-License-Identifier: Apache-2.0 */
/* Two models side by side: what belongs together, what is skipped, what is refused, and that every
 * failure is survived. */
#include "compared.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what belongs together ---- */

static void layers_with_the_same_name_go_by_order(void **state) {
    (void)state;
    damage none = {.layer = -1}, coarse = {.layer = 2, .coarse = 6, .reversed = true};
    compared c = compare(chain(none), chain(coarse), NULL);
    assert_int_equal(c.info.compared_layers, LAYERS);
    assert_int_equal(c.info.entry_layer, 2);
    for (uint32_t i = 0; i < LAYERS; i++)
        assert_int_equal(layer(&c, i).other_op, i);
    done(&c);
    /* one more operator: which ones belong together is not to be known */
    coarse.relu = true;
    c = compare(chain(none), chain(coarse), NULL);
    assert_int_equal(c.info.layers, 0);
    assert_int_equal(c.info.unmatched, LAYERS);
    assert_int_equal(c.info.other_unmatched, LAYERS + 1);
    assert_int_equal(c.info.compared_outputs, 1);
    assert_int_equal(c.info.entry_layer, TQ_NO_INDEX);
    done(&c);
    /* by names it is */
    coarse.names = none.names = true;
    c = compare(chain(none), chain(coarse), NULL);
    assert_int_equal(c.info.layers, LAYERS);
    assert_int_equal(c.info.other_unmatched, 1);
    assert_int_equal(layer(&c, 1).other_op, 1);
    assert_int_equal(layer(&c, 2).other_op, 3);
    /* what RELU does is an error of the layer behind */
    assert_int_equal(c.info.entry_layer, 2);
    done(&c);
}

/* Between layers with names of their own the rest goes by order. */
static void names_are_anchors(void **state) {
    (void)state;
    damage plain = {.layer = -1, .names = true}, more = {.layer = -1, .names = true, .relu = true};
    mb_model a = chain(plain), b = chain(more);
    for (int i = 0; i < 2; i++) {
        mb_subgraph *s = i ? &b.subgraphs[0] : &a.subgraphs[0];
        for (uint32_t j = 0; j < s->n_tensors; j++)
            if (strchr("adf", s->tensors[j].name[0]) && s->tensors[j].name[1] == 0)
                s->tensors[j].name = i ? "" : "other"; /* "f" is last, "a" first */
    }
    compared c = compare(a, b, NULL);
    static const int32_t want[] = {0, 1, 3, 4, 5, 6};
    assert_int_equal(c.info.layers, LAYERS);
    for (uint32_t i = 0; i < LAYERS; i++)
        assert_int_equal(layer(&c, i).other_op, want[i]);
    assert_int_equal(c.info.unmatched, 0);
    assert_int_equal(c.info.other_unmatched, 1);
    done(&c);
}

/* Constants behind DEQUANTIZE are no layers. */
static void what_recipes_make_matches(void **state) {
    (void)state;
    for (size_t i = 0; i < UNIT_NONE; i++)
        for (int half = 0; half < 2; half++) {
            bytes source = half ? float16_model() : float32_model();
            bytes small = convert(source, unit_recipes[i]);
            tq_model *models[] = {load(source), load(small)};
            tq_error error = TQ_ERROR_INIT;
            compared c = {.info = {.struct_size = sizeof c.info}};
            assert_ok(tq_verify(models[0], models[1], NULL, &c.v, &error), &error);
            assert_int_equal(tq_get_verification_info(c.v, &c.info), TQ_OK);
            assert_true(c.info.layers > 0 && c.info.compared_layers == c.info.layers);
            assert_int_equal(c.info.unmatched + c.info.other_unmatched, 0);
            assert_true(output(&c, 0).snr_db > 25);
            tq_verification_free(c.v);
            for (int j = 0; j < 2; j++)
                tq_model_free(models[j]);
            free(small.data);
            free(source.data);
        }
}

/* ---- as far as it goes ---- */

static void what_can_be_compared_is_compared(void **state) {
    (void)state;
    damage none = {.layer = -1, .names = true, .custom = true};
    compared c = compare(
        chain(none),
        chain((damage){.fine = 127, .layer = 1, .coarse = 6, .names = true, .custom = true}), NULL);
    assert_int_equal(c.info.compared_layers, 3);
    assert_int_equal(c.info.layers, LAYERS);
    assert_int_equal(c.info.compared_outputs, 0);
    assert_int_equal(c.info.worst_output, TQ_NO_INDEX);
    assert_int_equal(c.info.skipped, 3);
    assert_int_equal(c.info.other_skipped, 3);
    assert_non_null(strstr(c.info.refusal, "Mystery"));
    assert_int_equal(c.info.entry_layer, 1);
    tq_comparison y = output(&c, 0), skipped = layer(&c, 4);
    assert_int_equal(y.sets, 0);
    assert_true(isnan(y.snr_db) && isnan(y.mean_difference) && isnan(y.cosine));
    assert_int_equal(skipped.sets, 0);
    assert_true(layer(&c, 1).snr_db < 30);
    done(&c);
}

/* ---- what is refused ---- */

static void refuse(mb_model a, mb_model b, const tq_verify_options *options, const char *says) {
    tq_error error = TQ_ERROR_INIT;
    compared c;
    tq_status status = try_compare(&c, &a, &b, NULL, options, &error);
    assert_failed(TQ_ERR_INVALID_ARGUMENT, status, &error);
    assert_null(c.v);
    if (!strstr(error.message, says))
        fail_msg("'%s' does not say '%s'", error.message, says);
    done(&c);
}

static void different_models_are_refused(void **state) {
    (void)state;
    damage none = {.layer = -1, .names = true};
    mb_model a = chain(none), b = chain(none);
    b.subgraphs[0].tensors[0].shape.at[1]++;
    refuse(a, b, NULL, "input 0 ('x')");
    b = a;
    b.subgraphs[0].tensors[0].type = TQI_TYPE_INT32;
    refuse(a, b, NULL, "input 0 ('x')");
    b = a;
    b.subgraphs[0].outputs.at[b.subgraphs[0].outputs.count++] = 2;
    refuse(a, b, NULL, "1 and 2 outputs");
    b = a;
    b.subgraphs[0].outputs.at[0] = 0; /* as wide: it can be compared */
    compared c = compare(a, b, NULL);
    assert_int_equal(output(&c, 0).other_op, TQ_NO_INDEX);
    done(&c);
    a.n_signatures = 1;
    a.signatures[0] = (mb_signature){.key = "first", .inputs = a.subgraphs[0].inputs};
    b = a;
    b.signatures[0].key = "second";
    refuse(a, b, NULL, "no signature 'first'");
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    options.signature = "third";
    refuse(a, a, &options, "no signature 'third'");
}

static void wrong_arrays_are_refused(void **state) {
    (void)state;
    damage none = {.layer = -1, .names = true};
    static float data[2 * WIDTH];
    static const int32_t shape[] = {1, WIDTH}, large[] = {2, WIDTH}, negative[] = {1, -WIDTH};
    const tq_array cases[] = {
        {NULL, WIDTH * 4, shape, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 4 - 1, shape, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 8, shape, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 8, large, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 4, negative, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 4, shape, 2, TQI_TYPE_INT32},
        {data, WIDTH * 4, NULL, 2, TQI_TYPE_FLOAT32},
        {data, WIDTH * 4, shape, 9, TQI_TYPE_FLOAT32},
        {data, WIDTH * 4, shape, 2, 1000},
    };
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    options.n_sets = 1;
    for (size_t i = 0; i < COUNT(cases); i++) {
        options.inputs = &cases[i];
        refuse(chain(none), chain(none), &options, "input 0");
    }
    options.n_sets = 0;
    refuse(chain(none), chain(none), &options, "number of sets");
    options = (tq_verify_options)TQ_VERIFY_OPTIONS_INIT;
    options.low = options.high = 1;
    refuse(chain(none), chain(none), &options, "range");
    options.low = (double)NAN;
    refuse(chain(none), chain(none), &options, "range");
}

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    mb_model model = chain((damage){.layer = -1});
    bytes source = mb_build(&model);
    tq_error error = TQ_ERROR_INIT;
    tq_model *plain = load(source), *small = quantized(plain, NULL);
    tq_verification *v = NULL;
    const tq_status statuses[] = {
        tq_verify(NULL, plain, NULL, &v, &error),    tq_verify(plain, NULL, NULL, &v, &error),
        tq_verify(plain, plain, NULL, NULL, &error), tq_verify(plain, small, NULL, &v, &error),
        tq_verify(small, plain, NULL, &v, &error),   tq_get_verification_info(NULL, NULL),
        tq_get_output_comparison(NULL, 0, NULL),     tq_get_layer_comparison(NULL, 0, NULL),
    };
    for (size_t i = 0; i < COUNT(statuses); i++)
        assert_int_equal(statuses[i], TQ_ERR_INVALID_ARGUMENT);
    assert_null(v);
    tq_verification_free(NULL);
    assert_ok(tq_verify(plain, plain, NULL, &v, &error), &error);
    tq_comparison none = {.struct_size = sizeof none};
    assert_int_equal(tq_get_output_comparison(v, 1, &none), TQ_ERR_INVALID_ARGUMENT);
    assert_int_equal(tq_get_layer_comparison(v, LAYERS, &none), TQ_ERR_INVALID_ARGUMENT);
    tq_verification_free(v);
    tq_model_free(small);
    tq_model_free(plain);
    free_bytes(source);
}

/* ---- structs of any age ---- */

static void structs_of_any_age(void **state) {
    (void)state;
    enum { ROOM = 1024, TAIL = 16 };
    mb_model a = chain((damage){.layer = -1}), b = chain((damage){.layer = 1, .coarse = 6});
    compared c = compare(a, b, NULL);
    static const tq_verify_options plain = TQ_VERIFY_OPTIONS_INIT;
    tq_error error = TQ_ERROR_INIT;
    for (uint32_t size = 8; size <= sizeof plain + TAIL; size += 8) {
        uint8_t *block = calloc(size, 1);
        memcpy(block, &plain, size < sizeof plain ? size : sizeof plain);
        memcpy(block, &size, sizeof size);
        tq_verification *v = NULL;
        assert_ok(tq_verify(c.models[0], c.models[1], (void *)block, &v, &error), &error);
        tq_verification_free(v);
        block[size - 1] = size > sizeof plain;
        if (size > sizeof plain)
            assert_failed(TQ_ERR_INVALID_ARGUMENT,
                          tq_verify(c.models[0], c.models[1], (void *)block, &v, &error), &error);
        free(block);
    }
    for (int kind = 0; kind < 2; kind++) {
        uint32_t size = kind ? sizeof(tq_comparison) : sizeof(tq_verification_info);
        uint8_t full[ROOM] = {0}, info[ROOM];
        memcpy(full, &size, sizeof size);
        for (uint32_t given = size; given >= 4; given -= 4) {
            memset(info, 0x5a, sizeof info);
            memcpy(info, &given, sizeof given);
            tq_status status = kind ? tq_get_layer_comparison(c.v, 1, (void *)info)
                                    : tq_get_verification_info(c.v, (void *)info);
            assert_int_equal(status, TQ_OK);
            if (given == size)
                memcpy(full, info, size);
            assert_memory_equal(info + 4, full + 4, given - 4);
            for (uint32_t at = given; at < ROOM; at++)
                assert_int_equal(info[at], 0x5a);
        }
    }
    done(&c);
}

/* ---- memory, progress ---- */

static tq_status in_memory(watch *memory, uint64_t limit, double *snr, tq_error *error) {
    tq_allocator allocator = watched(memory);
    tq_load_options load_options = TQ_LOAD_OPTIONS_INIT;
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    load_options.allocator = &allocator;
    load_options.max_memory = limit;
    options.n_sets = 1;
    options.n_trials = 2;
    mb_model a = chain((damage){.layer = -1}), b = chain((damage){.layer = 1, .coarse = 6});
    compared c;
    tq_status status = try_compare(&c, &a, &b, &load_options, &options, error);
    if (status == TQ_OK)
        *snr = output(&c, 0).snr_db;
    done(&c);
    assert_true(memory->held == 0 && memory->wrong == 0);
    return status;
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    watch whole = {0};
    tq_error error = TQ_ERROR_INIT;
    double want = 0, got = 0;
    assert_ok(in_memory(&whole, 0, &want, &error), &error);
    for (uint64_t n = 1; n <= whole.calls; n += UNIT_SLOW ? 7 : 1) {
        watch memory = {.fail_at = n};
        error = (tq_error)TQ_ERROR_INIT;
        tq_status status = in_memory(&memory, 0, &got, &error);
        if (status == TQ_OK) /* constants were freed instead */
            assert_true(got == want);
        else
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &error);
    }
}

static void the_limit_is_kept(void **state) {
    (void)state;
    watch whole = {0};
    tq_error error = TQ_ERROR_INIT;
    double want = 0, got = 0;
    assert_ok(in_memory(&whole, 0, &want, &error), &error);
    bool enough = false;
    for (uint64_t limit = 1; limit < whole.peak; limit += whole.peak / 60) {
        watch memory = {0};
        error = (tq_error)TQ_ERROR_INIT;
        tq_status status = in_memory(&memory, limit, &got, &error);
        /* the other model has a limit of its own */
        assert_true(memory.peak <= 2 * limit);
        if (status == TQ_OK)
            assert_true(got == want);
        else
            assert_failed(TQ_ERR_MEMORY_LIMIT, status, &error);
        enough |= status == TQ_OK;
    }
    assert_true(enough); /* with less than without a limit */
}

typedef struct steps {
    uint64_t calls, stop_at, last, total;
} steps;

static int32_t note(void *opaque, uint64_t done_, uint64_t total) {
    steps *s = opaque;
    assert_true(done_ >= s->last && done_ <= total);
    assert_true(s->total == 0 || s->total == total);
    s->last = done_;
    s->total = total;
    return ++s->calls == s->stop_at;
}

static void progress_is_told_and_may_cancel(void **state) {
    (void)state;
    steps s = {0};
    tq_verify_options options = TQ_VERIFY_OPTIONS_INIT;
    options.progress = note;
    options.progress_opaque = &s;
    mb_model a = chain((damage){.layer = -1}), b = chain((damage){.layer = 1, .coarse = 6});
    compared c = compare(a, b, &options);
    assert_true(s.calls > 100 && s.last == s.total);
    done(&c);
    uint64_t calls = s.calls;
    for (uint64_t n = 1; n <= calls; n += calls / 20) {
        tq_error error = TQ_ERROR_INIT;
        s = (steps){.stop_at = n};
        assert_failed(TQ_ERR_CANCELLED, try_compare(&c, &a, &b, NULL, &options, &error), &error);
        assert_null(c.v);
        assert_int_equal(s.calls, n);
        done(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_with_the_same_name_go_by_order),
        cmocka_unit_test(names_are_anchors),
        cmocka_unit_test(what_recipes_make_matches),
        cmocka_unit_test(what_can_be_compared_is_compared),
        cmocka_unit_test(different_models_are_refused),
        cmocka_unit_test(wrong_arrays_are_refused),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(structs_of_any_age),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(the_limit_is_kept),
        cmocka_unit_test(progress_is_told_and_may_cancel),
    };
    return cmocka_run_group_tests_name("verify_graphs", tests, NULL, NULL);
}
