/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of models on data of the user's. */
#include "tfquant_cli.h"

#include "array_file.h"
#include "data_sets.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What one --data says. */
struct source {
    char *pattern; /* NULL: for the only model */
    const char *folder;
    bool used;
};

struct gathering {
    const struct cli_options *options;
    const tq_runner *runner;
    struct cli_data *data;
    struct source *sources;
    uint32_t count;
    struct cli_progress progress;
    uint64_t total;
    tq_stats *stats; /* of the model at hand */
    tq_status status;
    tq_error *error;
};

/* --- what the options say --- */

static bool exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

/* What is there under the whole name is a folder, '=' or not. */
static tq_status read_source(const char *text, struct source *source, tq_error *error) {
    const char *equals = strchr(text, '=');
    *source = (struct source){.folder = text};
    if (equals == NULL || exists(text))
        return TQ_OK;
    source->folder = equals + 1;
    source->pattern = malloc((size_t)(equals - text) + 1);
    if (source->pattern == NULL)
        return array_fail(error, TQ_ERR_OUT_OF_MEMORY, "out of memory");
    memcpy(source->pattern, text, (size_t)(equals - text));
    source->pattern[equals - text] = '\0';
    return TQ_OK;
}

static tq_status read_sources(struct gathering *gathering) {
    const struct cli_list *given = &gathering->options->data;
    gathering->sources = calloc(given->count, sizeof *gathering->sources);
    if (gathering->sources == NULL)
        return array_fail(gathering->error, TQ_ERR_OUT_OF_MEMORY, "out of memory");
    for (; gathering->count < given->count; gathering->count++) {
        const tq_status status =
            read_source(given->items[gathering->count], &gathering->sources[gathering->count],
                        gathering->error);
        if (status != TQ_OK)
            return status;
    }
    return TQ_OK;
}

/* --- running a model --- */

static tq_status add_set(void *opaque, uint64_t set, const tq_array *inputs, uint32_t n_inputs,
                         tq_error *error) {
    struct gathering *gathering = opaque;
    if (cli_progress_report(&gathering->progress, set, gathering->total) != 0)
        return array_fail(error, TQ_ERR_CANCELLED, "cancelled");
    const tq_status status = tq_stats_add(gathering->stats, inputs, n_inputs, error);
    gathering->data->models[gathering->data->count - 1].sets += status == TQ_OK;
    return status;
}

static tq_status run_model(struct gathering *gathering, const tq_model *model, const char *path,
                           const char *folder) {
    struct cli_data *data = gathering->data;
    const struct cli_options *options = gathering->options;
    const double *range = options->input_range.is_given ? options->input_range.ends : NULL;
    data_sets_free(data->files);
    tq_status status = data_sets_open(folder, model, range, &data->files, gathering->error);
    tq_stats_options how = TQ_STATS_OPTIONS_INIT;
    how.runner = gathering->runner;
    if (status == TQ_OK)
        status = tq_stats_create(model, &how, &gathering->stats, gathering->error);
    else if (data->files != NULL)
        data->culprit = data_sets_culprit(data->files);
    if (status != TQ_OK)
        return status;
    data->models[data->count].path = path;
    data->stats[data->count++] = gathering->stats;
    gathering->total = data_sets_count(data->files);
    cli_progress_start(&gathering->progress, options->verbosity >= 0 && isatty(STDERR_FILENO),
                       "sets of inputs");
    status = data_sets_each(data->files, add_set, gathering, gathering->error);
    cli_progress_stop(&gathering->progress);
    if (status != TQ_OK && status != TQ_ERR_CANCELLED)
        data->culprit = data_sets_culprit(data->files);
    return status;
}

/* --- which models --- */

/* The first source that fits counts. */
static bool run_member(void *opaque, const struct cli_member *member) {
    struct gathering *gathering = opaque;
    const struct source *chosen = NULL;
    if (member->info.kind != TQ_MEMBER_MODEL || member->model == NULL)
        return false;
    for (uint32_t i = 0; i < gathering->count; i++) {
        struct source *source = &gathering->sources[i];
        if (source->pattern != NULL && !cli_fits(source->pattern, member->info.path))
            continue;
        source->used = true;
        if (chosen == NULL)
            chosen = source;
    }
    if (chosen != NULL)
        gathering->status = run_model(gathering, member->model, member->info.path, chosen->folder);
    return gathering->status != TQ_OK;
}

static tq_status check_sources(const struct gathering *gathering, const tq_model *model,
                               uint32_t models) {
    const bool is_bundle = cli_format(model) != TQ_FORMAT_TFLITE;
    for (uint32_t i = 0; i < gathering->count; i++) {
        const struct source *source = &gathering->sources[i];
        if (is_bundle && models > 1 && source->pattern == NULL)
            return array_fail(gathering->error, TQ_ERR_INVALID_ARGUMENT,
                              "there are %" PRIu32 " models in it: say for which '%.80s' is, as "
                              "--data PATTERN=FOLDER",
                              models, source->folder);
        if (!is_bundle && gathering->count > 1)
            return array_fail(gathering->error, TQ_ERR_INVALID_ARGUMENT,
                              "a single model takes one --data");
    }
    return TQ_OK;
}

static tq_status run_bundle(struct gathering *gathering, tq_model *bundle) {
    if (cli_each_member(bundle, run_member, gathering))
        return gathering->status;
    for (uint32_t i = 0; i < gathering->count; i++) {
        const struct source *source = &gathering->sources[i];
        if (!source->used)
            return array_fail(gathering->error, TQ_ERR_INVALID_ARGUMENT,
                              "there is no model that '%.80s' fits",
                              source->pattern != NULL ? source->pattern : source->folder);
    }
    return TQ_OK;
}

static tq_status gather(struct gathering *gathering, tq_model *model) {
    const uint32_t models = cli_count_models(model).models;
    gathering->data->stats = calloc((size_t)models + 1, sizeof *gathering->data->stats);
    gathering->data->models = calloc((size_t)models + 1, sizeof *gathering->data->models);
    if (gathering->data->stats == NULL || gathering->data->models == NULL)
        return array_fail(gathering->error, TQ_ERR_OUT_OF_MEMORY, "out of memory");
    tq_status status = read_sources(gathering);
    if (status == TQ_OK)
        status = check_sources(gathering, model, models);
    if (status != TQ_OK)
        return status;
    if (cli_format(model) != TQ_FORMAT_TFLITE)
        return run_bundle(gathering, model);
    return run_model(gathering, model, "", gathering->options->data.items[0]);
}

tq_status cli_gather(const struct cli_options *options, tq_model *model, const tq_runner *runner,
                     struct cli_data *data, tq_error *error) {
    struct gathering gathering = {
        .options = options,
        .runner = runner,
        .data = data,
        .error = error,
    };
    *data = (struct cli_data){.count = 0};
    if (options->data.count == 0)
        return TQ_OK;
    const tq_status status = gather(&gathering, model);
    for (uint32_t i = 0; i < gathering.count; i++)
        free(gathering.sources[i].pattern);
    free(gathering.sources);
    return status;
}

void cli_data_free(struct cli_data *data) {
    for (uint32_t i = 0; i < data->count; i++)
        tq_stats_free(data->stats[i]);
    free(data->stats);
    free(data->models);
    data_sets_free(data->files);
}

uint64_t cli_data_sets(const struct cli_data *data, const char *path) {
    uint64_t sets = 0;
    for (uint32_t i = 0; i < data->count; i++) {
        if (path == NULL || strcmp(path, data->models[i].path) == 0)
            sets += data->models[i].sets;
    }
    return sets;
}
