/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/model.h"
#include "base/checked.h"
#include "cpu/cpu.h"

/* Bundles within each other: more are made to keep readers busy. */
enum { MAX_DEPTH = 4 };

void tqi_input_release(tqi_input *input) {
    while (input && atomic_fetch_sub(&input->references, 1) == 1) {
        tqi_input *outer = input->outer;
        uint64_t size = input->source.size;
        tqi_arena_free(&input->arena);
        tqi_source_close(&input->source);
        if (input->inflated)
            tqi_free(input->heap, input->inflated, (size_t)size);
        /* the outermost one holds the heap that it is itself in */
        tqi_heap own = {.hooks = input->own_heap.hooks};
        tqi_free(outer ? input->heap : &own, input, sizeof *input);
        input = outer;
    }
}

tq_status tqi_model_create(tqi_input *input, tq_model **out, tq_error *error) {
    tq_model *model = tqi_alloc(input->heap, sizeof *model);
    if (!model)
        return tqi_no_memory(input->heap, sizeof *model, error);
    *model = (tq_model){.input = input};
    model->report.model = model;
    tqi_arena_init(&model->arena, input->heap);
    tqi_arena_init(&model->edits, input->heap);
    atomic_fetch_add(&input->references, 1);
    *out = model;
    return TQ_OK;
}

void tq_model_free(tq_model *model) {
    if (!model)
        return;
    tqi_input *input = model->input;
    for (uint32_t i = 0; model->members && i < input->container.n_members; i++)
        tq_model_free(model->members[i]);
    tqi_arena_free(&model->edits);
    tqi_arena_free(&model->arena);
    tqi_free(input->heap, model, sizeof *model);
    tqi_input_release(input);
}

static tq_status create_input(const tq_load_options *given, tqi_input **out, uint64_t *max_output,
                              tq_error *error) {
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
    *input = (tqi_input){.source = {.fd = -1}, .path = ""};
    tqi_heap_init(&input->own_heap, &heap.hooks, heap.limit);
    atomic_store(&input->own_heap.used, sizeof *input);
    input->heap = &input->own_heap;
    atomic_init(&input->references, 1);
    tqi_arena_init(&input->arena, input->heap);
    input->cpu_flags = tqi_cpu_flags() & ~options.cpu_disable;
    tqi_kernels_init(&input->kernels, input->cpu_flags);
    *max_output = options.max_output;
    *out = input;
    return TQ_OK;
}

tq_status tqi_input_derive(tqi_input *from, tqi_input **derived, tq_error *error) {
    tqi_input *input = tqi_alloc(from->heap, sizeof *input);
    if (!input)
        return tqi_no_memory(from->heap, sizeof *input, error);
    *input = (tqi_input){.heap = from->heap,
                         .outer = from,
                         .path = from->path,
                         .kernels = from->kernels,
                         .cpu_flags = from->cpu_flags,
                         .format = from->format};
    tqi_source_part(&input->source, &from->source, 0, from->source.size);
    atomic_init(&input->references, 1);
    atomic_fetch_add(&from->references, 1);
    tqi_arena_init(&input->arena, input->heap);
    *derived = input;
    return TQ_OK;
}

/* ---- members of a bundle ---- */

static tq_status take_into(void *opaque, const uint8_t *bytes, size_t size, tq_error *error) {
    uint8_t **at = opaque;
    (void)error;
    memcpy(*at, bytes, size);
    *at += size;
    return TQ_OK;
}

/* A deflated member is held in memory, so that it can be read anywhere. */
static tq_status open_member(tqi_input *input, const tqi_input *outer, uint32_t index,
                             tq_error *error) {
    const tqi_member *member = &outer->container.members[index];
    if (!member->is_deflated) {
        tqi_source_part(&input->source, (tqi_source *)(uintptr_t)&outer->source, member->offset,
                        member->size);
        return TQ_OK;
    }
    if (member->size <= SIZE_MAX)
        input->inflated = tqi_alloc(input->heap, (size_t)member->size);
    if (!input->inflated)
        return tqi_no_memory(input->heap, member->size, error);
    tqi_source_memory(&input->source, input->inflated, member->size);
    uint8_t *at = input->inflated;
    return tqi_container_read(&outer->container, index, input->heap, take_into, &at, error);
}

typedef struct beginning {
    uint8_t bytes[TQI_SNIFF_SIZE];
    size_t size;
} beginning;

/* Ends the reading by a status that is none. */
enum { ENOUGH = -1 };

static tq_status take_beginning(void *opaque, const uint8_t *bytes, size_t size, tq_error *error) {
    beginning *start = opaque;
    (void)error;
    size_t n = tqi_min_u64(sizeof start->bytes - start->size, size);
    memcpy(start->bytes + start->size, bytes, n);
    start->size += n;
    return start->size == sizeof start->bytes ? (tq_status)ENOUGH : TQ_OK;
}

/* false: neither a model nor a bundle. */
static tq_status sniff(const tqi_input *outer, uint32_t index, bool *known, uint32_t *format,
                       tq_error *error) {
    beginning start = {{0}, 0};
    *known = false;
    if (outer->container.members[index].is_directory)
        return TQ_OK;
    tq_status status =
        tqi_container_read(&outer->container, index, outer->heap, take_beginning, &start, error);
    if (status != TQ_OK && status != (tq_status)ENOUGH)
        return status;
    *known = tqi_container_sniff(start.bytes, start.size, format);
    return TQ_OK;
}

static tq_status finish_load(tqi_input *input, uint32_t format, uint32_t depth,
                             uint64_t *max_output, tq_model **model, tq_error *error);

/* "inner.task/a.tflite" */
static tq_status join_path(const tqi_input *outer, const char *name, tqi_arena *arena, char **path,
                           tq_error *error) {
    size_t before = strlen(outer->path), n = strlen(name);
    TQI_NEW(arena, path, (uint64_t)before + n + 2, error);
    memcpy(*path, outer->path, before);
    if (before > 0)
        (*path)[before++] = '/';
    memcpy(*path + before, name, n + 1);
    return TQ_OK;
}

static tq_status load_member(tqi_input *outer, uint32_t index, uint32_t format, uint32_t depth,
                             uint64_t *max_output, tq_model **model, tq_error *error) {
    if (format != TQ_FORMAT_TFLITE && depth + 1 >= MAX_DEPTH)
        return tqi_fail(error, TQ_ERR_UNSUPPORTED, "bundles within bundles go no deeper than %d",
                        MAX_DEPTH);
    tqi_input *input = tqi_alloc(outer->heap, sizeof *input);
    if (!input)
        return tqi_no_memory(outer->heap, sizeof *input, error);
    *input = (tqi_input){.heap = outer->heap,
                         .outer = outer,
                         .path = outer->paths[index],
                         .source = {.fd = -1},
                         .kernels = outer->kernels,
                         .cpu_flags = outer->cpu_flags};
    atomic_init(&input->references, 1);
    atomic_fetch_add(&outer->references, 1);
    tqi_arena_init(&input->arena, input->heap);
    tq_status status = open_member(input, outer, index, error);
    if (status != TQ_OK) {
        tqi_input_release(input);
        return status;
    }
    return finish_load(input, format, depth + 1, max_output, model, error);
}

static tq_status load_members(tq_model *model, uint32_t depth, uint64_t *max_output,
                              tq_error *error) {
    tqi_input *input = model->input;
    tqi_container *container = &input->container;
    TQI_NEW(&model->arena, &model->members, container->n_members, error);
    TQI_NEW(&input->arena, &input->paths, container->n_members, error);
    for (uint32_t i = 0; i < container->n_members; i++) {
        uint32_t format;
        bool known;
        TQI_TRY(
            join_path(input, container->members[i].name, &input->arena, &input->paths[i], error));
        TQI_TRY(sniff(input, i, &known, &format, error));
        if (!known)
            continue;
        tq_status status =
            load_member(input, i, format, depth, max_output, &model->members[i], error);
        if (status != TQ_OK)
            return tqi_blame_member(model, i, status, error);
    }
    return TQ_OK;
}

/* ---- any file ---- */

static tq_status load_content(tq_model *model, uint32_t depth, uint64_t *max_output,
                              tq_error *error) {
    tqi_input *input = model->input;
    model->file_size = input->source.size;
    if (!tqi_is_bundle(model))
        return tqi_graph_load(&input->graph, &input->source, &input->arena, error);
    TQI_TRY(tqi_container_open(&input->container, input->format, &input->source, max_output,
                               &input->arena, error));
    return load_members(model, depth, max_output, error);
}

/* Takes over the caller's reference to the input, also on failure. */
static tq_status finish_load(tqi_input *input, uint32_t format, uint32_t depth,
                             uint64_t *max_output, tq_model **out, tq_error *error) {
    tq_model *model = NULL;
    input->format = format;
    tq_status status = tqi_model_create(input, &model, error);
    tqi_input_release(input);
    if (status == TQ_OK)
        status = load_content(model, depth, max_output, error);
    if (status != TQ_OK) {
        tq_model_free(model);
        return status;
    }
    *out = model;
    return TQ_OK;
}

static tq_status load(tqi_input *input, uint64_t max_output, tq_model **model, tq_error *error) {
    enum { LEAST_OUTPUT = 64 << 20, USUAL_RATIO = 256 };
    uint32_t format;
    tq_status status = tqi_container_detect(&input->source, &format, error);
    if (status != TQ_OK) {
        tqi_input_release(input);
        return status;
    }
    if (max_output == 0) {
        if (!tqi_mul_u64(input->source.size, USUAL_RATIO, &max_output))
            max_output = UINT64_MAX;
        max_output = max_output < LEAST_OUTPUT ? LEAST_OUTPUT : max_output;
    }
    return finish_load(input, format, 0, &max_output, model, error);
}

static tq_status load_file(const char *path, const tq_load_options *options, tq_model **model,
                           tq_error *error) {
    if (!path || !model)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_load_file() needs a path and a model");
    tqi_input *input;
    uint64_t max_output;
    TQI_TRY(create_input(options, &input, &max_output, error));
    tq_status status = tqi_source_open(&input->source, path, error);
    if (status != TQ_OK) {
        tqi_input_release(input);
        return status;
    }
    return load(input, max_output, model, error);
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
    uint64_t max_output;
    TQI_TRY(create_input(options, &input, &max_output, error));
    tqi_source_memory(&input->source, data, size);
    return load(input, max_output, model, error);
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
    uint64_t max_output;
    TQI_TRY(create_input(options, &input, &max_output, error));
    tq_status status = tqi_source_callback(&input->source, &user, input->heap, error);
    if (status != TQ_OK) {
        tqi_input_release(input);
        return status;
    }
    return load(input, max_output, model, error);
}

tq_status tq_load_source(const tq_source *source, const tq_load_options *options, tq_model **model,
                         tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, load_source(source, options, model, &local));
}
