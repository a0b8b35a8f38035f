/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_ranges.h"

#include "array_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct measuring {
    struct cli_ranges *ranges;
    uint32_t target;
    const tq_runner *runner;
    tq_error *error;
    tq_status status;
};

/* NULL: memory is short. */
static struct cli_range_source *add_source(struct measuring *m, const char *path) {
    struct cli_ranges *ranges = m->ranges;
    if (ranges->count == ranges->capacity) {
        const uint32_t capacity = 2 * ranges->capacity + 4;
        void *more = realloc(ranges->sources, capacity * sizeof *ranges->sources);
        if (more == NULL) {
            m->status = array_fail(m->error, TQ_ERR_OUT_OF_MEMORY, "out of memory");
            return NULL;
        }
        ranges->sources = more;
        ranges->capacity = capacity;
    }
    struct cli_range_source *source = &ranges->sources[ranges->count++];
    *source = (struct cli_range_source){.path = path};
    return source;
}

static void describe(struct cli_range_source *source) {
    tq_stats_info info = {.struct_size = sizeof info};
    if (tq_get_stats_info(source->stats, &info) != TQ_OK)
        return;
    source->operators = info.operators;
    source->refused = info.refused;
    snprintf(source->reason, sizeof source->reason, "%s", info.refusal);
}

/* --- synthetic inputs --- */

/* The library runs the model when it first checks it with these statistics: here, so that a model
 * that can't be run is checked all the same. */
static tq_status try_stats(const tq_model *model, uint32_t target, tq_stats *stats,
                           tq_error *error) {
    tq_check_options check = TQ_CHECK_OPTIONS_INIT;
    tq_findings *findings = NULL;
    check.target = target;
    check.flags = TQ_CHECK_GRAPH;
    check.stats = &stats;
    check.n_stats = 1;
    const tq_status status = tq_check(model, &check, &findings, error);
    tq_findings_free(findings);
    return status;
}

static void run_synthetic(struct measuring *m, const tq_model *model, const char *path,
                          uint32_t subgraph) {
    tq_stats_options options = TQ_STATS_OPTIONS_INIT;
    tq_error error = TQ_ERROR_INIT;
    struct cli_range_source *source = add_source(m, path);
    if (source == NULL)
        return;
    options.subgraph = source->subgraph = subgraph;
    options.runner = m->runner;
    tq_status status = tq_stats_create(model, &options, &source->stats, &error);
    if (status == TQ_OK) {
        source->owned = true;
        status = try_stats(model, m->target, source->stats, &error);
    }
    if (status == TQ_OK) {
        describe(source);
        return;
    }
    snprintf(source->reason, sizeof source->reason, "%s", error.message);
    tq_stats_free(source->stats);
    source->stats = NULL;
}

/* Subgraphs that callers can run: those of signatures, and the main one. */
static void run_entry_points(struct measuring *m, const tq_model *model, const char *path) {
    tq_signature_info info = {.struct_size = sizeof info};
    tq_model_info about = {.struct_size = sizeof about};
    if (tq_get_model_info(model, &about) != TQ_OK)
        return;
    for (uint32_t s = 0; s < about.subgraphs && m->status == TQ_OK; s++) {
        bool is_entry = s == 0;
        for (uint32_t i = 0; !is_entry && tq_get_signature_info(model, i, &info) == TQ_OK; i++)
            is_entry = info.subgraph == s;
        if (is_entry)
            run_synthetic(m, model, path, s);
    }
}

/* --- all models --- */

static void measure_model(struct measuring *m, const tq_model *model, const char *path) {
    const struct cli_data *data = &m->ranges->data;
    for (uint32_t i = 0; i < data->count; i++) {
        if (strcmp(path, data->models[i].path) != 0)
            continue;
        struct cli_range_source *source = add_source(m, path);
        if (source == NULL)
            return;
        source->stats = data->stats[i];
        source->sets = data->models[i].sets;
        describe(source);
        return;
    }
    if (m->target == TQ_TARGET_INT8_ONLY)
        run_entry_points(m, model, path);
}

static bool measure_member(void *opaque, const struct cli_member *member) {
    struct measuring *m = opaque;
    if (member->info.kind == TQ_MEMBER_MODEL && member->model != NULL)
        measure_model(m, member->model, member->info.path);
    return m->status != TQ_OK;
}

tq_status cli_measure_ranges(const struct cli_options *options, tq_model *model, uint32_t target,
                             const tq_runner *runner, struct cli_ranges *ranges, tq_error *error) {
    struct measuring m = {.ranges = ranges, .target = target, .runner = runner, .error = error};
    *ranges = (struct cli_ranges){.count = 0};
    m.status = cli_gather(options, model, runner, &ranges->data, error);
    if (m.status != TQ_OK)
        return m.status;
    if (cli_format(model) == TQ_FORMAT_TFLITE)
        measure_model(&m, model, "");
    else
        cli_each_member(model, measure_member, &m);
    if (m.status != TQ_OK || ranges->count == 0)
        return m.status;
    ranges->stats = calloc(ranges->count, sizeof *ranges->stats);
    if (ranges->stats == NULL)
        return array_fail(error, TQ_ERR_OUT_OF_MEMORY, "out of memory");
    for (uint32_t i = 0; i < ranges->count; i++)
        if (ranges->sources[i].stats != NULL)
            ranges->stats[ranges->n_stats++] = ranges->sources[i].stats;
    return TQ_OK;
}

void cli_ranges_free(struct cli_ranges *ranges) {
    for (uint32_t i = 0; i < ranges->count; i++)
        if (ranges->sources[i].owned)
            tq_stats_free(ranges->sources[i].stats);
    free(ranges->sources);
    free(ranges->stats);
    cli_data_free(&ranges->data);
    *ranges = (struct cli_ranges){.count = 0};
}

/* --- what they were measured on --- */

void cli_print_ranges(FILE *file, const struct cli_ranges *ranges) {
    for (uint32_t i = 0; i < ranges->count; i++) {
        const struct cli_range_source *source = &ranges->sources[i];
        if (*source->path != '\0') {
            cli_print_name(file, source->path, 0);
            fputs(": ", file);
        }
        if (source->subgraph > 0)
            fprintf(file, "subgraph %" PRIu32 ": ", source->subgraph);
        if (source->stats == NULL)
            fputs("note: ranges of values are not known", file);
        else if (source->sets != 0)
            fprintf(file, "ranges of values are those on %" PRIu64 " given set%s of inputs",
                    source->sets, source->sets == 1 ? "" : "s");
        else
            fputs("ranges of values are those on synthetic inputs", file);
        if (source->refused != 0)
            fprintf(file, "; note: %" PRIu32 " of %" PRIu32 " operators can't be run",
                    source->refused, source->operators);
        if (*source->reason != '\0') {
            fputs(": ", file);
            cli_print_name(file, source->reason, 0);
        }
        putc('\n', file);
    }
}

void cli_json_ranges(struct json_out *json, const struct cli_ranges *ranges) {
    json_key(json, "ranges");
    json_open(json, '[');
    for (uint32_t i = 0; i < ranges->count; i++) {
        const struct cli_range_source *source = &ranges->sources[i];
        json_open(json, '{');
        json_put_string(json, "path", source->path);
        json_put_uint(json, "subgraph", source->subgraph);
        json_put_bool(json, "known", source->stats != NULL);
        json_put_uint(json, "data_sets", source->sets);
        json_put_uint(json, "refused", source->refused);
        json_put_string(json, "refusal", source->reason);
        json_close(json, '}');
    }
    json_close(json, ']');
}
