/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in_memory INPUT OUTPUT: the library without files or malloc of its own. The
 * model comes from memory and goes to memory, all of the library's storage comes
 * from an allocator that counts, and the report is walked.
 */
#include <tfquant/tfquant.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Without a runner all calls come from one thread, so plain numbers will do. */
struct counter {
    uint64_t calls;
    uint64_t held;
    uint64_t peak;
};

static void *counting_alloc(void *opaque, size_t size) {
    struct counter *counter = opaque;
    void *memory = malloc(size);
    if (memory == NULL)
        return NULL;
    counter->calls++;
    counter->held += size;
    if (counter->held > counter->peak)
        counter->peak = counter->held;
    return memory;
}

static void counting_free(void *opaque, void *memory, size_t size) {
    struct counter *counter = opaque;
    if (memory == NULL)
        return;
    counter->held -= size;
    free(memory);
}

static void *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    unsigned char *data = NULL;
    long length = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        length = ftell(file);
    if (length >= 0 && fseek(file, 0, SEEK_SET) == 0)
        data = malloc((size_t)length + 1);
    if (data != NULL && fread(data, 1, (size_t)length, file) != (size_t)length) {
        free(data);
        data = NULL;
    }
    if (data != NULL)
        *size = (size_t)length;
    if (file != NULL)
        fclose(file);
    return data;
}

static int write_file(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return 0;
    const int complete = fwrite(data, 1, size, file) == size;
    return fclose(file) == 0 && complete;
}

static void walk_report(const tq_report *report) {
    tq_report_totals totals = {.struct_size = sizeof totals};
    tq_report_entry entry = {.struct_size = sizeof entry};
    for (uint32_t i = 0; tq_get_report_entry(report, i, &entry) == TQ_OK; i++) {
        printf("%s of %s: %s -> %s, %s", entry.name, entry.op_name, tq_type_name(entry.from_type),
               tq_type_name(entry.to_type), tq_verdict_name(entry.verdict));
        if (entry.reason != TQ_REASON_NONE)
            printf(" (%s)", tq_reason_text(entry.reason));
        if (isfinite(entry.snr_db))
            printf(", %.1f dB", entry.snr_db);
        putchar('\n');
    }
    if (tq_get_report_totals(report, &totals) == TQ_OK)
        printf("%" PRIu32 " of %" PRIu32 " constants quantized, %" PRIu64 " -> %" PRIu64 " bytes\n",
               totals.quantized, totals.constants, totals.file_bytes_before,
               totals.file_bytes_after);
}

static tq_status shrink(const void *data, size_t size, const char *output,
                        const tq_allocator *allocator, tq_error *error) {
    tq_load_options options = TQ_LOAD_OPTIONS_INIT;
    tq_recipe *recipe = NULL;
    tq_model *model = NULL;
    tq_model *smaller = NULL;
    void *result = NULL;
    uint64_t result_size = 0;
    options.allocator = allocator;

    tq_status status = tq_recipe_create(NULL, &recipe, error);
    if (status == TQ_OK)
        status = tq_load_memory(data, size, &options, &model, error);
    if (status == TQ_OK)
        status = tq_quantize(model, recipe, NULL, &smaller, error);
    if (status == TQ_OK)
        status = tq_save_memory(smaller, NULL, &result, &result_size, error);
    if (status == TQ_OK) {
        walk_report(tq_model_report(smaller));
        if (!write_file(output, result, (size_t)result_size)) {
            snprintf(error->message, sizeof error->message, "can't write %s", output);
            status = TQ_ERR_WRITE;
        }
        tq_memory_free(smaller, result, result_size);
    }
    tq_model_free(smaller);
    tq_model_free(model);
    tq_recipe_free(recipe);
    return status;
}

int main(int argc, char **argv) {
    struct counter counter = {0};
    const tq_allocator allocator = {
        .struct_size = sizeof allocator,
        .opaque = &counter,
        .alloc = counting_alloc,
        .free = counting_free,
    };
    tq_error error = TQ_ERROR_INIT;
    size_t size = 0;
    if (argc != 3) {
        fputs("usage: in_memory INPUT OUTPUT\n", stderr);
        return 2;
    }
    void *data = read_file(argv[1], &size);
    if (data == NULL) {
        fprintf(stderr, "in_memory: can't read %s\n", argv[1]);
        return 1;
    }
    const tq_status status = shrink(data, size, argv[2], &allocator, &error);
    free(data);
    if (status != TQ_OK)
        fprintf(stderr, "in_memory: %s: %s\n", tq_status_name(status), error.message);
    printf("%" PRIu64 " allocations, %" PRIu64 " bytes at most, %" PRIu64 " left\n", counter.calls,
           counter.peak, counter.held);
    return status == TQ_OK && counter.held == 0 ? 0 : 1;
}
