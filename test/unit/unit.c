/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const unit_recipes[] = {"dynamic_wi8_afp32", "weight_only_wi8_afp32", "fp16", "none"};

bytes read_file(const char *path) {
    FILE *file = path ? fopen(path, "rb") : NULL;
    assert_non_null(file);
    bytes result = {NULL, 0};
    size_t capacity = 0, got;
    do {
        if (result.size == capacity) {
            capacity = capacity ? 2 * capacity : 1 << 16;
            result.data = realloc(result.data, capacity);
            assert_non_null(result.data);
        }
        got = fread(result.data + result.size, 1, capacity - result.size, file);
        result.size += got;
    } while (got > 0);
    fclose(file);
    return result;
}

void write_file(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

bool same_bytes(bytes a, bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

void free_bytes(bytes block) {
    free(block.data);
}

bytes float32_model(void) {
    return read_file(getenv("TFQUANT_TEST_FLOAT32"));
}

bytes float16_model(void) {
    return read_file(getenv("TFQUANT_TEST_FLOAT16"));
}

/* ---- statuses ---- */

void assert_ok(tq_status status, const tq_error *error) {
    if (status != TQ_OK)
        print_error("%s: %s\n", tq_status_name(status), error ? error->message : "");
    assert_int_equal(status, TQ_OK);
}

/* Bytes of the UTF-8 sequence at `at`, or 0 if it is none. */
static size_t utf8_length(const unsigned char *at) {
    size_t length = at[0] < 0x80                    ? 1
                    : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                    : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                    : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                    : 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

void assert_message(const tq_error *error) {
    assert_non_null(memchr(error->message, 0, sizeof error->message));
    assert_true(error->message[0] != 0);
    const unsigned char *at = (const unsigned char *)error->message;
    while (*at) {
        size_t length = utf8_length(at);
        if (length == 0 || *at < 0x20 || *at == 0x7f)
            fail_msg("not printable UTF-8: %s", error->message);
        at += length;
    }
}

void assert_failed(tq_status expected, tq_status status, const tq_error *error) {
    if (status != expected)
        print_error("%s: %s\n", tq_status_name(status), error->message);
    assert_int_equal(status, expected);
    assert_int_equal(error->status, expected);
    assert_message(error);
}

/* ---- the line ---- */

tq_model *load(bytes source) {
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = NULL;
    assert_ok(tq_load_memory(source.data, source.size, NULL, &model, &error), &error);
    return model;
}

tq_model *quantized(const tq_model *model, const char *recipe_name) {
    tq_error error = TQ_ERROR_INIT;
    tq_recipe *recipe = NULL;
    tq_model *result = NULL;
    assert_ok(tq_recipe_create(recipe_name, &recipe, &error), &error);
    assert_ok(tq_quantize(model, recipe, NULL, &result, &error), &error);
    tq_recipe_free(recipe);
    return result;
}

bytes saved(tq_model *model) {
    tq_error error = TQ_ERROR_INIT;
    void *data = NULL;
    uint64_t size = 0;
    assert_ok(tq_save_memory(model, NULL, &data, &size, &error), &error);
    bytes result = {malloc((size_t)size), (size_t)size};
    assert_non_null(result.data);
    memcpy(result.data, data, result.size);
    tq_memory_free(model, data, size);
    return result;
}

bytes convert(bytes source, const char *recipe) {
    tq_model *model = load(source);
    tq_model *result = quantized(model, recipe);
    bytes output = saved(result);
    tq_model_free(result);
    tq_model_free(model);
    return output;
}

tq_report_entry entry_of(const tq_model *model, const char *name) {
    tq_report_entry entry = {.struct_size = sizeof entry};
    for (uint32_t i = 0; tq_get_report_entry(tq_model_report(model), i, &entry) == TQ_OK; i++)
        if (strcmp(entry.name, name) == 0)
            return entry;
    fail_msg("no constant '%s' in the report", name);
    return entry;
}

/* ---- memory ---- */

/* The size goes before the block, so that free() can compare. */
enum { BEFORE = 16 };

static void *watched_alloc(void *opaque, size_t size) {
    watch *w = opaque;
    w->calls++;
    if (w->calls == w->fail_at || (w->ceiling && w->held + size > w->ceiling))
        return NULL;
    uint8_t *block = malloc(size + BEFORE);
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof size);
    memset(block + BEFORE, 0xa5, size); /* nobody may count on zeros */
    w->held += size;
    if (w->held > w->peak)
        w->peak = w->held;
    return block + BEFORE;
}

static void watched_free(void *opaque, void *memory, size_t size) {
    watch *w = opaque;
    uint8_t *block = (uint8_t *)memory - BEFORE;
    size_t was;
    memcpy(&was, block, sizeof was);
    w->wrong += was != size;
    w->held -= was;
    free(block);
}

tq_allocator watched(watch *w) {
    return (tq_allocator){sizeof(tq_allocator), 0, w, watched_alloc, watched_free};
}

tq_model *watched_load(bytes source, watch *w, uint64_t max_memory) {
    tq_allocator allocator = watched(w);
    tq_load_options options = TQ_LOAD_OPTIONS_INIT;
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = NULL;
    options.allocator = &allocator;
    options.max_memory = max_memory;
    assert_ok(tq_load_memory(source.data, source.size, &options, &model, &error), &error);
    return model;
}

/* ---- files ---- */

static char directory[64];

const char *scratch_begin(void) {
    snprintf(directory, sizeof directory, "tfquant-unit-XXXXXX");
    assert_non_null(mkdtemp(directory));
    return directory;
}

static int for_each(void (*visit)(const char *path)) {
    int n = 0;
    DIR *open = opendir(directory);
    if (!open)
        return 0;
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        n++;
        if (visit)
            visit(scratch_path(entry->d_name));
    }
    closedir(open);
    return n;
}

int scratch_files(void) {
    return for_each(NULL);
}

static void erase(const char *path) {
    if (unlink(path) != 0)
        (void)rmdir(path);
}

void scratch_end(void) {
    for_each(erase);
    (void)rmdir(directory);
}

const char *scratch_path(const char *name) {
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % COUNT(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}
