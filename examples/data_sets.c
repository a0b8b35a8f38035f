/* SPDX-License-Identifier: Apache-2.0 */
#include "data_sets.h"

#include "data_match.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct data_path {
    char *path;
    const char *name;   /* within it */
    size_t name_length; /* without what is said of the input, and the ending */
    uint32_t input;
};

struct data_sets {
    char *folder; /* or file */
    const char *culprit;
    const double *range;
    struct data_input *inputs;
    uint32_t n_inputs;
    struct data_path *paths; /* those of a set's inputs one behind the other */
    size_t n_paths;
    size_t capacity;
    uint64_t sets;
};

static tq_status no_memory(tq_error *error) {
    return array_fail(error, TQ_ERR_OUT_OF_MEMORY, "out of memory");
}

void data_sets_free(struct data_sets *sets) {
    if (sets == NULL)
        return;
    for (size_t i = 0; i < sets->n_paths; i++)
        free(sets->paths[i].path);
    free(sets->paths);
    free(sets->inputs);
    free(sets->folder);
    free(sets);
}

uint64_t data_sets_count(const struct data_sets *sets) {
    return sets->sets;
}

const char *data_sets_culprit(const struct data_sets *sets) {
    return sets->culprit;
}

/* --- the model's side --- */

static tq_status find_inputs(struct data_sets *sets, const tq_model *model, tq_error *error) {
    tq_subgraph_info graph = {.struct_size = sizeof graph};
    if (tq_get_subgraph_info(model, 0, &graph) != TQ_OK || graph.inputs == 0)
        return array_fail(error, TQ_ERR_UNSUPPORTED, "the model takes no inputs");
    sets->inputs = calloc(graph.inputs, sizeof *sets->inputs);
    if (sets->inputs == NULL)
        return no_memory(error);
    sets->n_inputs = graph.inputs;
    for (uint32_t i = 0; i < graph.inputs; i++) {
        tq_tensor_info tensor = {.struct_size = sizeof tensor};
        if (tq_get_tensor_info(model, 0, (uint32_t)graph.input_tensors[i], &tensor) != TQ_OK)
            return array_fail(error, TQ_ERR_UNSUPPORTED,
                              "the model's input %" PRIu32 " is no tensor", i);
        sets->inputs[i] = (struct data_input){
            .name = tensor.name,
            .type = tensor.type,
            .rank = tensor.rank,
            .shape = tensor.shape,
            .signature = tensor.signature_rank == tensor.rank ? tensor.shape_signature : NULL,
        };
    }
    return TQ_OK;
}

/* --- the files' side --- */

static char *join(const char *folder, const char *name) {
    const size_t length = strlen(folder);
    const size_t size = length + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL)
        snprintf(path, size, "%s%s%s", folder, length != 0 && folder[length - 1] == '/' ? "" : "/",
                 name);
    return path;
}

static tq_status add_path(struct data_sets *sets, char *path, tq_error *error) {
    if (path == NULL)
        return no_memory(error);
    if (sets->n_paths == sets->capacity) {
        const size_t capacity = sets->capacity != 0 ? 2 * sets->capacity : 64;
        struct data_path *paths = realloc(sets->paths, capacity * sizeof *paths);
        if (paths == NULL) {
            free(path);
            return no_memory(error);
        }
        sets->paths = paths;
        sets->capacity = capacity;
    }
    const char *slash = strrchr(path, '/');
    struct data_path entry = {.path = path, .name = slash != NULL ? slash + 1 : path};
    entry.name_length = strlen(entry.name);
    sets->paths[sets->n_paths++] = entry;
    return TQ_OK;
}

static tq_status refused(tq_error *error) {
    const int code = errno;
    array_fail(error, TQ_ERR_OPEN, "can't be opened: %s", strerror(code));
    error->system_code = code;
    return error->status;
}

static tq_status list_files(struct data_sets *sets, tq_error *error) {
    struct stat info;
    if (stat(sets->folder, &info) != 0)
        return refused(error);
    if (!S_ISDIR(info.st_mode)) {
        if (array_file_has_ending(sets->folder))
            return add_path(sets, strdup(sets->folder), error);
        return array_fail(error, TQ_ERR_OPEN, "is neither a folder nor a .npy, .raw or .bin file");
    }
    DIR *folder = opendir(sets->folder);
    if (folder == NULL)
        return refused(error);
    tq_status status = TQ_OK;
    for (const struct dirent *entry; status == TQ_OK && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.' && array_file_has_ending(entry->d_name))
            status = add_path(sets, join(sets->folder, entry->d_name), error);
    }
    closedir(folder);
    if (status == TQ_OK && sets->n_paths == 0)
        return array_fail(error, TQ_ERR_OPEN, "there is no .npy, .raw or .bin file in it");
    return status;
}

/* Reads the number of the input behind a name: "face.1.npy" */
static bool split_name(struct data_path *path, uint32_t n_inputs) {
    const char *end = strrchr(path->name, '.');
    const char *dot = end;
    uint64_t number = 0;
    while (dot > path->name && dot[-1] != '.')
        dot--;
    if (dot == path->name || dot == end || end - dot > 6)
        return false;
    for (const char *at = dot; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        number = 10 * number + (uint64_t)(*at - '0');
    }
    path->name_length = (size_t)(dot - 1 - path->name);
    path->input = (uint32_t)number;
    return path->name_length != 0 && number < n_inputs;
}

static int by_name(const void *left, const void *right) {
    const struct data_path *a = left;
    const struct data_path *b = right;
    const size_t shorter = a->name_length < b->name_length ? a->name_length : b->name_length;
    const int order = memcmp(a->name, b->name, shorter);
    if (order != 0)
        return order;
    if (a->name_length != b->name_length)
        return a->name_length < b->name_length ? -1 : 1;
    if (a->input != b->input)
        return a->input < b->input ? -1 : 1;
    return strcmp(a->name, b->name);
}

static bool is_same_set(const struct data_path *a, const struct data_path *b) {
    return a->name_length == b->name_length && memcmp(a->name, b->name, a->name_length) == 0;
}

static bool is_same_input(const struct data_path *a, const struct data_path *b) {
    return is_same_set(a, b) && a->input == b->input;
}

/* All inputs of a set are there, once. */
static tq_status check_groups(struct data_sets *sets, tq_error *error) {
    for (size_t i = 0; i < sets->n_paths; i++) {
        const struct data_path *path = &sets->paths[i];
        const struct data_path *first = &sets->paths[i - i % sets->n_inputs];
        const uint32_t wanted = (uint32_t)(i % sets->n_inputs);
        const bool same = is_same_set(first, path);
        if (i != 0 && is_same_input(path, path - 1)) {
            sets->culprit = path->path;
            return array_fail(error, TQ_ERR_UNSUPPORTED,
                              "there is another file for the same input of the same set");
        }
        if (same && path->input == wanted)
            continue;
        sets->culprit = first->path;
        return array_fail(error, TQ_ERR_UNSUPPORTED,
                          "there is no '%.*s.%" PRIu32 ".npy' (or .raw, .bin) for input '%.60s'",
                          first->name_length < 80 ? (int)first->name_length : 80, first->name,
                          wanted, sets->inputs[wanted].name);
    }
    const size_t over = sets->n_paths % sets->n_inputs;
    if (over == 0)
        return TQ_OK;
    const struct data_path *first = &sets->paths[sets->n_paths - over];
    sets->culprit = first->path;
    return array_fail(error, TQ_ERR_UNSUPPORTED,
                      "there is no '%.*s.%zu.npy' (or .raw, .bin) for input '%.60s'",
                      first->name_length < 80 ? (int)first->name_length : 80, first->name, over,
                      sets->inputs[over].name);
}

static tq_status group(struct data_sets *sets, tq_error *error) {
    for (size_t i = 0; sets->n_inputs > 1 && i < sets->n_paths; i++) {
        if (split_name(&sets->paths[i], sets->n_inputs))
            continue;
        sets->culprit = sets->paths[i].path;
        return array_fail(error, TQ_ERR_UNSUPPORTED,
                          "the model takes %" PRIu32 " inputs, and the name does not say for "
                          "which this is: NAME.0.npy to NAME.%" PRIu32 ".npy",
                          sets->n_inputs, sets->n_inputs - 1);
    }
    qsort(sets->paths, sets->n_paths, sizeof *sets->paths, by_name);
    return sets->n_inputs > 1 ? check_groups(sets, error) : TQ_OK;
}

/* --- sets --- */

/* The files of a set's inputs, or of several sets. */
struct open_group {
    const struct data_path *paths;
    struct array_file *files; /* one for each input, as the rest */
    struct data_match *matches;
    tq_array *arrays;
    void **values;
    uint64_t sets;
};

static void close_group(struct data_sets *sets, struct open_group *open) {
    for (uint32_t i = 0; i < sets->n_inputs; i++) {
        if (open->files != NULL)
            array_file_close(&open->files[i]);
        if (open->values != NULL)
            free(open->values[i]);
    }
    free(open->files);
    free(open->matches);
    free(open->arrays);
    free(open->values);
}

static tq_status open_group(struct data_sets *sets, const struct data_path *paths,
                            struct open_group *open, tq_error *error) {
    const uint32_t count = sets->n_inputs;
    *open = (struct open_group){
        .paths = paths,
        .files = calloc(count, sizeof *open->files),
        .matches = calloc(count, sizeof *open->matches),
        .arrays = calloc(count, sizeof *open->arrays),
        .values = calloc(count, sizeof *open->values),
    };
    if (open->files == NULL || open->matches == NULL || open->arrays == NULL ||
        open->values == NULL)
        return no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        struct data_match *match = &open->matches[i];
        sets->culprit = paths[i].path;
        tq_status status = array_file_open(&open->files[i], paths[i].path, error);
        if (status == TQ_OK)
            status = data_match(&open->files[i], &sets->inputs[i], match, error);
        if (status != TQ_OK)
            return status;
        if (i != 0 && match->sets != open->sets)
            return array_fail(error, TQ_ERR_UNSUPPORTED,
                              "it holds %" PRIu64 " sets, and that for input 0 holds %" PRIu64,
                              match->sets, open->sets);
        open->sets = match->sets;
    }
    return TQ_OK;
}

/* Reads the inputs of a set into memory of the group's. */
static tq_status read_set(struct data_sets *sets, struct open_group *open, uint64_t set,
                          tq_error *error) {
    for (uint32_t i = 0; i < sets->n_inputs; i++) {
        const struct data_match *match = &open->matches[i];
        const int32_t type = sets->inputs[i].type;
        const uint64_t bytes = match->elements * array_type_size(type);
        sets->culprit = open->paths[i].path;
        if (open->values[i] == NULL && bytes <= SIZE_MAX)
            open->values[i] = malloc((size_t)bytes);
        if (open->values[i] == NULL)
            return no_memory(error);
        open->arrays[i] = (tq_array){
            .data = open->values[i],
            .bytes = bytes,
            .shape = match->shape,
            .rank = match->rank,
            .type = type,
        };
        const tq_status status =
            array_file_read(&open->files[i], set * match->elements, match->elements, type,
                            sets->range, open->values[i], error);
        if (status != TQ_OK)
            return status;
    }
    return TQ_OK;
}

static tq_status each_in_group(struct data_sets *sets, const struct data_path *paths,
                               uint64_t first, data_sets_visit visit, void *opaque, uint64_t *count,
                               tq_error *error) {
    struct open_group open;
    tq_status status = open_group(sets, paths, &open, error);
    for (uint64_t i = 0; status == TQ_OK && visit != NULL && i < open.sets; i++) {
        status = read_set(sets, &open, i, error);
        if (status == TQ_OK) {
            sets->culprit = paths[0].path;
            status = visit(opaque, first + i, open.arrays, sets->n_inputs, error);
        }
    }
    *count = open.sets;
    close_group(sets, &open);
    return status;
}

/* `visit` NULL: only looks at the files. */
static tq_status each(struct data_sets *sets, data_sets_visit visit, void *opaque, uint64_t *total,
                      tq_error *error) {
    *total = 0;
    for (size_t i = 0; i < sets->n_paths; i += sets->n_inputs) {
        uint64_t count;
        const tq_status status =
            each_in_group(sets, &sets->paths[i], *total, visit, opaque, &count, error);
        if (status != TQ_OK)
            return status;
        *total += count;
    }
    return TQ_OK;
}

tq_status data_sets_each(struct data_sets *sets, data_sets_visit visit, void *opaque,
                         tq_error *error) {
    uint64_t total;
    return each(sets, visit, opaque, &total, error);
}

tq_status data_sets_open(const char *path, const tq_model *model, const double *range,
                         struct data_sets **sets, tq_error *error) {
    struct data_sets *made = calloc(1, sizeof *made);
    *sets = made;
    if (made == NULL)
        return no_memory(error);
    made->range = range;
    made->folder = strdup(path);
    made->culprit = made->folder;
    if (made->folder == NULL)
        return no_memory(error);
    tq_status status = find_inputs(made, model, error);
    if (status == TQ_OK)
        status = list_files(made, error);
    if (status == TQ_OK)
        status = group(made, error);
    return status == TQ_OK ? each(made, NULL, NULL, &made->sets, error) : status;
}
