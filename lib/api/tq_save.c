/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/write.h"

typedef struct save_options {
    uint32_t flags;
    tqi_write_options write;
    tq_runner runner;
} save_options;

static tq_status read_options(const tq_save_options *given, save_options *options,
                              tq_error *error) {
    tq_save_options known = TQ_SAVE_OPTIONS_INIT;
    TQI_TRY(tqi_read_options(&known, sizeof known, given, "tq_save_options", error));
    *options = (save_options){known.flags, {NULL, known.progress, known.progress_opaque}, {0}};
    if (known.flags & ~(uint32_t)(TQ_SAVE_OVERWRITE | TQ_SAVE_SYNC))
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_save_options.flags has unknown bits");
    return tqi_read_runner(known.runner, &options->runner, &options->write.runner, error);
}

/* Writing again after a refusal starts from the beginning, which a callback can't undo: a dry
 * run settles what can be encoded. */
static tq_status settle(tq_model *model, const save_options *options, tq_error *error) {
    tqi_sink nothing;
    tqi_sink_null(&nothing);
    tq_status status;
    while ((status = tqi_write_any(model, &nothing, &options->write, error)) ==
           (tq_status)TQI_NOT_ENCODABLE) {
        TQI_TRY(tqi_model_refuse(model, error));
    }
    if (status == TQ_OK)
        tqi_mark_saved(model);
    return status;
}

static tq_status save_sink(tq_model *model, const tq_sink *given, const tq_save_options *options_,
                           tq_error *error) {
    save_options options;
    tq_sink user = {sizeof user, 0, NULL, NULL};
    TQI_TRY(read_options(options_, &options, error));
    TQI_TRY(tqi_read_options(&user, sizeof user, given, "tq_sink", error));
    if (!model || (given && !user.write))
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_save_sink() needs a model and a sink that writes");
    if (!given)
        return settle(model, &options, error);
    if (tqi_model_changed(model) && !model->saved) {
        save_options quiet = options;
        quiet.write.progress = NULL;
        TQI_TRY(settle(model, &quiet, error));
    }
    tqi_callback_sink sink;
    tqi_sink_callback(&sink, &user);
    return tqi_write_any(model, &sink.base, &options.write, error);
}

tq_status tq_save_sink(tq_model *model, const tq_sink *sink, const tq_save_options *options,
                       tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, save_sink(model, sink, options, &local));
}

static const tqi_input *outermost(const tq_model *model) {
    const tqi_input *input = model->input;
    while (input->outer)
        input = input->outer;
    return input;
}

static tq_status save_file(tq_model *model, const char *path, const tq_save_options *given,
                           tq_error *error) {
    save_options options;
    TQI_TRY(read_options(given, &options, error));
    if (!model || !path)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_save_file() needs a model and a path");
    for (;;) {
        tqi_file_sink sink;
        TQI_TRY(tqi_sink_file(&sink, model->input->heap, path, options.flags & TQ_SAVE_OVERWRITE,
                              &outermost(model)->source, error));
        tq_status status = tqi_write_any(model, &sink.base, &options.write, error);
        if (status == TQ_OK) {
            TQI_TRY(tqi_sink_file_commit(&sink, options.flags & TQ_SAVE_SYNC, error));
            tqi_mark_saved(model);
            return TQ_OK;
        }
        tqi_sink_file_abort(&sink);
        if (status != (tq_status)TQI_NOT_ENCODABLE)
            return status;
        TQI_TRY(tqi_model_refuse(model, error));
    }
}

tq_status tq_save_file(tq_model *model, const char *path, const tq_save_options *options,
                       tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, save_file(model, path, options, &local));
}

static tq_status save_memory(tq_model *model, const tq_save_options *given, void **data,
                             uint64_t *size, tq_error *error) {
    save_options options;
    TQI_TRY(read_options(given, &options, error));
    if (!model || !data || !size)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_save_memory() needs a model and places for data and size");
    tqi_heap *heap = model->input->heap;
    for (;;) {
        uint8_t *bytes = NULL;
        uint64_t total = 0;
        tq_status status = tqi_measure_any(model, &options.write, &total, error);
        if (status == TQ_OK) {
            bytes = total <= SIZE_MAX ? tqi_alloc(heap, (size_t)total) : NULL;
            if (!bytes)
                status = tqi_no_memory(heap, total, error);
        }
        if (status == TQ_OK) {
            memset(bytes, 0, (size_t)total);
            tqi_memory_sink sink;
            tqi_sink_memory(&sink, bytes, total);
            status = tqi_write_any(model, &sink.base, &options.write, error);
        }
        if (status == TQ_OK) {
            tqi_mark_saved(model);
            *data = bytes;
            *size = total;
            return TQ_OK;
        }
        tqi_free(heap, bytes, (size_t)total);
        if (status != (tq_status)TQI_NOT_ENCODABLE)
            return status;
        TQI_TRY(tqi_model_refuse(model, error));
    }
}

tq_status tq_save_memory(tq_model *model, const tq_save_options *options, void **data,
                         uint64_t *size, tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, save_memory(model, options, data, size, &local));
}

void tq_memory_free(const tq_model *model, void *data, uint64_t size) {
    if (model && data)
        tqi_free(model->input->heap, data, (size_t)size);
}
