/* SPDX-License-Identifier: Apache-2.0 */
/* One result, whatever it is written to, read from, and run by. */
#include "sample_models.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- a sink that gathers, and may refuse ---- */

typedef struct gather {
    bytes all;
    uint64_t refuse_at; /* from this byte on; 0: never */
    int32_t code;
} gather;

static int32_t gather_write(void *opaque, const void *data, size_t size) {
    gather *g = opaque;
    if (g->code && g->all.size + size > g->refuse_at)
        return g->code;
    g->all.data = realloc(g->all.data, g->all.size + size + 1);
    assert_non_null(g->all.data);
    memcpy(g->all.data + g->all.size, data, size);
    g->all.size += size;
    return 0;
}

static tq_sink gathering(gather *g) {
    return (tq_sink){sizeof(tq_sink), 0, g, gather_write};
}

/* ---- runners ---- */

static void run_backwards(void *opaque, tq_task task, void *data, uint32_t count) {
    uint32_t *most = opaque;
    for (uint32_t i = count; i-- > 0;)
        task(data, i, i % 3);
    if (count > *most)
        *most = count;
}

typedef struct crew {
    pthread_mutex_t lock;
    tq_task task;
    void *data;
    uint32_t next, count;
} crew;

typedef struct hand {
    crew *crew;
    uint32_t worker;
} hand;

static void *work(void *opaque) {
    hand *h = opaque;
    for (;;) {
        pthread_mutex_lock(&h->crew->lock);
        uint32_t i = h->crew->next < h->crew->count ? h->crew->next++ : UINT32_MAX;
        pthread_mutex_unlock(&h->crew->lock);
        if (i == UINT32_MAX)
            return NULL;
        h->crew->task(h->crew->data, i, h->worker);
    }
}

enum { WORKERS = 4 };

static void run_threads(void *opaque, tq_task task, void *data, uint32_t count) {
    (void)opaque;
    crew c = {PTHREAD_MUTEX_INITIALIZER, task, data, 0, count};
    hand hands[WORKERS];
    pthread_t threads[WORKERS];
    for (uint32_t i = 0; i < WORKERS; i++) {
        hands[i] = (hand){&c, i};
        if (pthread_create(&threads[i], NULL, work, &hands[i]) != 0)
            abort();
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
}

static uint32_t most_tasks;
static const tq_runner runners[] = {
    {sizeof(tq_runner), 3, &most_tasks, run_backwards},
    {sizeof(tq_runner), WORKERS, NULL, run_threads},
};

/* ---- every way out ---- */

static bytes save_in_way(tq_model *model, unsigned way, const tq_runner *runner) {
    tq_save_options options = TQ_SAVE_OPTIONS_INIT;
    tq_error error = TQ_ERROR_INIT;
    gather g = {{NULL, 0}, 0, 0};
    options.runner = runner;
    options.flags = TQ_SAVE_OVERWRITE;
    if (way == 0) {
        void *data = NULL;
        uint64_t size = 0;
        assert_ok(tq_save_memory(model, &options, &data, &size, &error), &error);
        gather_write(&g, data, (size_t)size);
        tq_memory_free(model, data, size);
    } else if (way == 1) {
        assert_ok(tq_save_file(model, scratch_path("out"), &options, &error), &error);
        g.all = read_file(scratch_path("out"));
    } else {
        tq_sink sink = gathering(&g);
        assert_ok(tq_save_sink(model, &sink, &options, &error), &error);
    }
    return g.all;
}

static int32_t read_bytes(void *opaque, uint64_t offset, void *data, size_t size) {
    const bytes *b = opaque;
    if (offset > b->size || size > b->size - offset)
        return EFAULT; /* it may ask for nothing beyond the end */
    memcpy(data, b->data + offset, size);
    return 0;
}

/* From memory, from memory at an odd address, from a file, through a callback. */
static tq_model *load_in_way(bytes *source, unsigned way) {
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = NULL;
    if (way < 2) {
        assert_ok(tq_load_memory(source->data, source->size, NULL, &model, &error), &error);
    } else if (way == 2) {
        write_file(scratch_path("in"), source->data, source->size);
        assert_ok(tq_load_file(scratch_path("in"), NULL, &model, &error), &error);
    } else {
        tq_source callback = {sizeof callback, 0, source, source->size, read_bytes};
        assert_ok(tq_load_source(&callback, NULL, &model, &error), &error);
    }
    return model;
}

static void same_from_everywhere(bytes source) {
    bytes shifted = {malloc(source.size + 1), source.size};
    memcpy(shifted.data + 1, source.data, source.size);
    bytes odd = {shifted.data + 1, source.size};
    for (size_t r = 0; r < UNIT_RECIPES; r++) {
        bytes expected = convert(source, unit_recipes[r]);
        for (unsigned way = 0; way < 12; way++) {
            bytes *from = way / 3 == 1 ? &odd : &source;
            tq_model *model = load_in_way(from, way / 3);
            tq_model *result = quantized(model, unit_recipes[r]);
            for (size_t i = 0; i <= COUNT(runners); i++) {
                bytes output = save_in_way(result, way % 3, i ? &runners[i - 1] : NULL);
                assert_true(same_bytes(output, expected));
                free(output.data);
            }
            tq_model_free(result);
            tq_model_free(model);
        }
        free(expected.data);
    }
    free(shifted.data);
    free(source.data);
}

static void all_ways_give_the_same(void **state) {
    (void)state;
    scratch_begin();
    same_from_everywhere(float32_model());
    same_from_everywhere(float16_model());
    same_from_everywhere(sample_everything(true));
    same_from_everywhere(sample_everything(false));
    same_from_everywhere(sample_not_encodable());
    assert_true(most_tasks > 1);
    scratch_end();
}

static void every_level_gives_the_same(void **state) {
    (void)state;
    bytes source = float32_model();
    bytes expected = convert(source, "dynamic_wi8_afp32");
    for (uint32_t disable = 0; disable < 8; disable++) {
        tq_load_options options = TQ_LOAD_OPTIONS_INIT;
        tq_error error = TQ_ERROR_INIT;
        tq_model *model = NULL;
        options.cpu_disable = disable;
        assert_ok(tq_load_memory(source.data, source.size, &options, &model, &error), &error);
        tq_model *result = quantized(model, "dynamic_wi8_afp32");
        bytes output = saved(result);
        assert_true(same_bytes(output, expected));
        free(output.data);
        tq_model_free(result);
        tq_model_free(model);
    }
    free(expected.data);
    free(source.data);
}

static void a_sink_may_refuse(void **state) {
    (void)state;
    bytes source = float32_model();
    tq_model *model = load(source), *result = quantized(model, "dynamic_wi8_afp32");
    bytes expected = saved(result), copy = saved(model);
    for (size_t i = 0; i < 2; i++) {
        tq_model *which = i ? result : model;
        uint64_t total = i ? expected.size : copy.size;
        for (uint64_t at = 0; at < total; at += total / 7) {
            gather g = {{NULL, 0}, at, ENOSPC};
            tq_sink sink = gathering(&g);
            tq_error error = TQ_ERROR_INIT;
            assert_failed(TQ_ERR_WRITE, tq_save_sink(which, &sink, NULL, &error), &error);
            assert_int_equal(error.system_code, ENOSPC);
            assert_true(g.all.size <= at);
            free(g.all.data);
        }
    }
    /* and then the same model can be saved */
    bytes again = save_in_way(result, 2, NULL);
    assert_true(same_bytes(again, expected));
    free(again.data);
    free(copy.data);
    free(expected.data);
    tq_model_free(result);
    tq_model_free(model);
    free(source.data);
}

static int32_t failing_read(void *opaque, uint64_t offset, void *data, size_t size) {
    (void)opaque;
    (void)offset;
    (void)data;
    (void)size;
    return EIO;
}

/* Reads everything up to the weights, and no more. */
static int32_t tables_only(void *opaque, uint64_t offset, void *data, size_t size) {
    const bytes *b = opaque;
    return offset + size > b->size / 2 ? EIO : read_bytes(opaque, offset, data, size);
}

static void a_source_may_fail(void **state) {
    (void)state;
    bytes source = float32_model();
    tq_source callback = {sizeof callback, 0, &source, source.size, failing_read};
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = NULL;
    assert_failed(TQ_ERR_READ, tq_load_source(&callback, NULL, &model, &error), &error);
    assert_int_equal(error.system_code, EIO);
    assert_null(model);
    callback.read = tables_only;
    tq_status status = tq_load_source(&callback, NULL, &model, &error);
    if (status == TQ_OK) {
        tq_model *result = NULL;
        tq_recipe *recipe = NULL;
        assert_ok(tq_recipe_create(NULL, &recipe, &error), &error);
        status = tq_quantize(model, recipe, NULL, &result, &error);
        if (status == TQ_OK)
            status = tq_save_sink(result, NULL, NULL, &error);
        tq_model_free(result);
    }
    assert_failed(TQ_ERR_READ, status, &error);
    assert_int_equal(error.system_code, EIO);
    tq_model_free(model);
    free(source.data);
}

/* ---- progress ---- */

typedef struct steps {
    uint64_t done, total, calls;
    bool wrong;
} steps;

static int32_t follow(void *opaque, uint64_t done, uint64_t total) {
    steps *s = opaque;
    s->wrong = s->wrong || done < s->done || done > total || (s->calls && total != s->total);
    s->done = done;
    s->total = total;
    s->calls++;
    return 0;
}

static void check_progress(bytes source, bool same_total) {
    scratch_begin();
    for (unsigned way = 0; way < 4; way++) {
        tq_model *model = load(source), *result = quantized(model, "fp16");
        tq_save_options options = TQ_SAVE_OPTIONS_INIT;
        tq_error error = TQ_ERROR_INIT;
        steps s = {0, 0, 0, false};
        gather g = {{NULL, 0}, 0, 0};
        tq_sink sink = gathering(&g);
        void *data = NULL;
        uint64_t size = 0;
        options.progress = follow;
        options.progress_opaque = &s;
        options.runner = way % 2 ? &runners[1] : NULL;
        tq_status status = way == 0   ? tq_save_memory(result, &options, &data, &size, &error)
                           : way == 1 ? tq_save_sink(result, NULL, &options, &error)
                           : way == 2 ? tq_save_sink(result, &sink, &options, &error)
                                      : tq_save_file(result, scratch_path("out"), &options, &error);
        assert_ok(status, &error);
        assert_true(s.calls >= 2);
        assert_true(s.done == s.total);
        assert_false(s.wrong && same_total);
        tq_model_info info = {.struct_size = sizeof info};
        assert_int_equal(tq_get_model_info(result, &info), TQ_OK);
        assert_true(s.total == info.file_size);
        tq_memory_free(result, data, size);
        free(g.all.data);
        tq_model_free(result);
        tq_model_free(model);
    }
    scratch_end();
    free(source.data);
}

static void progress_goes_up(void **state) {
    (void)state;
    check_progress(float32_model(), true);
    check_progress(sample_everything(true), true);
}

/* A constant that is refused on the way starts the file anew; the end is right all the same. */
static void progress_after_a_refusal(void **state) {
    (void)state;
    check_progress(sample_not_encodable(), false);
}

/* ---- the report ---- */

static void a_dry_run_tells_all(void **state) {
    (void)state;
    bytes sources[] = {float32_model(), float16_model(), sample_everything(true),
                       sample_everything(false), sample_not_encodable()};
    for (size_t i = 0; i < COUNT(sources); i++) {
        for (size_t r = 0; r < UNIT_RECIPES; r++) {
            tq_model *model = load(sources[i]), *result = quantized(model, unit_recipes[r]);
            tq_report_totals dry = {.struct_size = sizeof dry}, real = dry;
            tq_error error = TQ_ERROR_INIT;
            assert_ok(tq_save_sink(result, NULL, NULL, &error), &error);
            assert_int_equal(tq_get_report_totals(tq_model_report(result), &dry), TQ_OK);
            tq_model_free(result);
            result = quantized(model, unit_recipes[r]);
            bytes output = saved(result);
            assert_int_equal(tq_get_report_totals(tq_model_report(result), &real), TQ_OK);
            assert_memory_equal(&dry, &real, sizeof dry);
            assert_true(dry.file_bytes_after == output.size);
            assert_true(dry.file_bytes_before == sources[i].size);
            if (i == 0 || r == UNIT_NONE)
                assert_int_equal(dry.changed, r != UNIT_NONE);
            free(output.data);
            tq_model_free(result);
            tq_model_free(model);
        }
        free(sources[i].data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_give_the_same), cmocka_unit_test(every_level_gives_the_same),
        cmocka_unit_test(a_sink_may_refuse),      cmocka_unit_test(a_source_may_fail),
        cmocka_unit_test(progress_goes_up),       cmocka_unit_test(progress_after_a_refusal),
        cmocka_unit_test(a_dry_run_tells_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
