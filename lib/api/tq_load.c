/* SPDX-License-Identifier: Apache-2.0 */
#include "api/model.h"
#include "cpu/cpu.h"

static void release_input(tqi_input *input) {
    if (atomic_fetch_sub(&input->references, 1) != 1)
        return;
    tqi_arena_free(&input->arena);
    tqi_source_close(&input->source);
    tqi_heap heap = input->heap;
    tqi_free(&heap, input, sizeof *input);
}

tq_status tqi_model_create(tqi_input *input, tq_model **out, tq_error *error) {
    tq_model *model = tqi_alloc(&input->heap, sizeof *model);
    if (!model)
        return tqi_no_memory(&input->heap, sizeof *model, error);
    *model = (tq_model){.input = input};
    model->report.model = model;
    tqi_arena_init(&model->arena, &input->heap);
    tqi_arena_init(&model->edits, &input->heap);
    atomic_fetch_add(&input->references, 1);
    *out = model;
    return TQ_OK;
}

void tq_model_free(tq_model *model) {
    if (!model)
        return;
    tqi_input *input = model->input;
    tqi_arena_free(&model->edits);
    tqi_arena_free(&model->arena);
    tqi_free(&input->heap, model, sizeof *model);
    release_input(input);
}

static tq_status create_input(const tq_load_options *given, tqi_input **out, tq_error *error) {
    tq_load_options options = TQ_LOAD_OPTIONS_INIT;
    TQI_TRY(tqi_read_options(&options, sizeof options, given, "tq_load_options", error));
    tq_allocator hooks = {sizeof hooks, 0, NULL, NULL, NULL};
    TQI_TRY(tqi_read_options(&hooks, sizeof hooks, options.allocator, "tq_allocator", error));
    if (options.allocator && (!hooks.alloc || !hooks.free))
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_allocator lacks a function");
    tqi_heap heap;
    tqi_heap_init(&heap, options.allocator ? &hooks : NULL, options.max_memory);
    tqi_input *input = tqi_alloc(&heap, sizeof *input);
    if (!input)
        return tqi_no_memory(&heap, sizeof *input, error);
    *input = (tqi_input){.source = {.fd = -1}};
    tqi_heap_init(&input->heap, &heap.hooks, heap.limit);
    atomic_store(&input->heap.used, sizeof *input);
    atomic_init(&input->references, 1);
    tqi_arena_init(&input->arena, &input->heap);
    tqi_kernels_init(&input->kernels, tqi_cpu_flags() & ~options.cpu_disable);
    *out = input;
    return TQ_OK;
}

/* Takes over the caller's reference to the input, also on failure. */
static tq_status finish_load(tqi_input *input, tq_model **out, tq_error *error) {
    tq_model *model = NULL;
    tq_status status = tqi_graph_load(&input->graph, &input->source, &input->arena, error);
    if (status == TQ_OK)
        status = tqi_model_create(input, &model, error);
    release_input(input);
    if (status != TQ_OK)
        return status;
    model->file_size = input->source.size;
    *out = model;
    return TQ_OK;
}

static tq_status load_file(const char *path, const tq_load_options *options, tq_model **model,
                           tq_error *error) {
    if (!path || !model)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_load_file() needs a path and a model");
    tqi_input *input;
    TQI_TRY(create_input(options, &input, error));
    tq_status status = tqi_source_open(&input->source, path, error);
    if (status != TQ_OK) {
        release_input(input);
        return status;
    }
    return finish_load(input, model, error);
}

tq_status tq_load_file(const char *path, const tq_load_options *options, tq_model **model,
                       tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, load_file(path, options, model, &local));
}

static tq_status load_memory(const void *data, uint64_t size, const tq_load_options *options,
                             tq_model **model, tq_error *error) {
    if (!data || !model)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_load_memory() needs data and a model");
    tqi_input *input;
    TQI_TRY(create_input(options, &input, error));
    tqi_source_memory(&input->source, data, size);
    return finish_load(input, model, error);
}

tq_status tq_load_memory(const void *data, uint64_t size, const tq_load_options *options,
                         tq_model **model, tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, load_memory(data, size, options, model, &local));
}

static tq_status load_source(const tq_source *given, const tq_load_options *options,
                             tq_model **model, tq_error *error) {
    tq_source user = {sizeof user, 0, NULL, 0, NULL};
    TQI_TRY(tqi_read_options(&user, sizeof user, given, "tq_source", error));
    if (!model || !user.read)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_load_source() needs a source that reads, and a model");
    tqi_input *input;
    TQI_TRY(create_input(options, &input, error));
    tq_status status = tqi_source_callback(&input->source, &user, &input->heap, error);
    if (status != TQ_OK) {
        release_input(input);
        return status;
    }
    return finish_load(input, model, error);
}

tq_status tq_load_source(const tq_source *source, const tq_load_options *options, tq_model **model,
                         tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, load_source(source, options, model, &local));
}
