/* SPDX-License-Identifier: Apache-2.0 */
#include "small_run.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "execute/call.h"

void small_load(small_run *run, mb_model *model, const tq_allocator *allocator, uint64_t limit) {
    *run = (small_run){.file = mb_build(model)};
    tq_error error = TQ_ERROR_INIT;
    /* the graph is not what is tested: its memory is not counted */
    static tqi_heap aside;
    tqi_heap_init(&aside, NULL, 0);
    tqi_heap_init(&run->heap, allocator, limit);
    tqi_arena_init(&run->arena, &aside);
    tqi_source_memory(&run->source, run->file.data, run->file.size);
    assert_ok(tqi_graph_load(&run->graph, &run->source, &run->arena, &error), &error);
    tqi_kernels_init(&run->kernels, tqi_cpu_flags());
    run->options = (tqi_exec_options){
        .kernels = &run->kernels, .cpu_flags = tqi_cpu_flags(), .heap = &run->heap};
}

tq_status small_open(small_run *run, tq_error *error) {
    return tqi_exec_create(&run->exec, &run->graph, 0, &run->options, error);
}

void small_close(small_run *run) {
    tqi_exec_free(run->exec);
    tqi_arena_free(&run->arena);
    free_bytes(run->file);
    assert_true(atomic_load(&run->heap.used) == 0);
}

size_t small_elements(mb_list shape) {
    size_t n = 1;
    for (uint32_t i = 0; i < shape.count; i++)
        n *= (size_t)shape.at[i];
    return n;
}

tqi_value small_value(mb_list shape, float *data) {
    tqi_value value = {.type = TQI_TYPE_FLOAT32,
                       .rank = shape.count,
                       .elements = small_elements(shape),
                       .data = data};
    memcpy(value.shape, shape.at, shape.count * sizeof *shape.at);
    return value;
}

void small_fill(float *data, size_t n, uint32_t seed) {
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (float)(state >> 8) / (float)(1 << 23) - 1.0f;
    }
}

mb_model small_one_op(const one_op *op) {
    mb_model model = {.n_opcodes = 1, .n_subgraphs = 1, .n_buffers = 1};
    mb_subgraph *s = &model.subgraphs[0];
    model.opcodes[0].builtin = op->builtin;
    mb_op call = {.options_type = op->options_type, .inputs = op->order};
    memcpy(call.options, op->options, sizeof call.options);
    mb_add_tensor(s, (mb_tensor){.name = "x", .shape = op->input});
    for (uint32_t i = 0; i < op->n_constants; i++) {
        /* int32, such as output shapes, have as many bytes */
        uint32_t buffer = mb_add_buffer(&model, op->data[i], 4 * small_elements(op->shapes[i]));
        bool is_shape = op->builtin == OP_TRANSPOSE_CONV && i == 0;
        mb_add_tensor(s, (mb_tensor){.name = "constant",
                                     .buffer = buffer,
                                     .shape = op->shapes[i],
                                     .type = is_shape ? TQI_TYPE_INT32 : TQI_TYPE_FLOAT32});
    }
    int32_t y = mb_add_tensor(s, (mb_tensor){.name = "y"});
    if (call.inputs.count == 0)
        for (int32_t i = 0; i < y; i++)
            call.inputs.at[call.inputs.count++] = i;
    call.outputs = (mb_list){1, {y}};
    mb_add_op(s, call);
    s->inputs = (mb_list){1, {0}};
    s->outputs = (mb_list){1, {y}};
    return model;
}

uint32_t small_shared;

enum { WORKERS = 3 };

typedef struct worker {
    pthread_t thread;
    tq_task task;
    void *data;
    uint32_t index, count;
} worker;

static void *work(void *opaque) {
    const worker *w = opaque;
    for (uint32_t i = w->index; i < w->count; i += WORKERS)
        w->task(w->data, i, w->index);
    return NULL;
}

static void run_threads(void *opaque, tq_task task, void *data, uint32_t count) {
    worker workers[WORKERS];
    (void)opaque;
    small_shared++;
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i] = (worker){.task = task, .data = data, .index = i, .count = count};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        pthread_join(workers[i].thread, NULL);
}

tqi_value small_run_all(const one_op *op, float *input) {
    static float first[1 << 18];
    tq_runner runner = {sizeof runner, WORKERS, NULL, run_threads};
    tqi_value result = {0}, given = small_value(op->input, input);
    mb_model model = small_one_op(op);
    uint32_t levels[] = {0, TQ_CPU_AVX2, TQ_CPU_AVX512, TQ_CPU_NEON};
    for (size_t i = 0; i <= COUNT(levels); i++) {
        tq_error error = TQ_ERROR_INIT;
        small_run run;
        small_load(&run, &model, NULL, 0);
        run.options.runner = i == COUNT(levels) ? &runner : NULL;
        if (i < COUNT(levels))
            run.options.cpu_flags = levels[i] & tqi_cpu_flags();
        assert_ok(small_open(&run, &error), &error);
        tq_status status = tqi_exec_run(run.exec, &given, 1, NULL, NULL, &error);
        if (status == TQ_OK) {
            const tqi_value *y = tqi_exec_output(run.exec, 0);
            size_t size = tqi_value_bytes(y);
            assert_true(size <= sizeof first);
            if (i > 0)
                assert_memory_equal(first, y->data, size);
            memcpy(first, y->data, size);
            result = *y;
            result.data = first;
        } else {
            assert_failed(TQ_ERR_UNSUPPORTED, status, &error);
            assert_int_equal(error.op, 0);
        }
        small_close(&run);
    }
    return result;
}

double small_difference(const float *got, const double *want, size_t n) {
    double most = 0, difference = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]);
        most = fabs(want[i]) > most ? fabs(want[i]) : most;
        difference = d > difference || d != d ? d : difference;
    }
    return most > 0 ? difference / most : difference;
}
