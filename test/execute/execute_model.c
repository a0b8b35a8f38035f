/* SPDX-License-Identifier: Apache-2.0 */
/* execute_model MODEL DIRECTORY [--disable FLAGS] [--repeat N] [--keep BYTES] [--subgraph N]
 *               [--limit BYTES] [--fill 1] [--elements N] [--work N]
 *
 * Runs a model on DIRECTORY/input_0.bin and so on, which hold little-endian numbers of the input's
 * type after their shape (rank, then dimensions, int32). Writes output_0.bin and so on in the same
 * way, and says as JSON what ran. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "cpu/cpu.h"
#include "execute/call.h"
#include "execute/execute.h"

typedef struct program {
    const char *model, *directory;
    uint32_t disable, repeat, subgraph, fill;
    uint64_t keep, limit;
    tqi_budget budget;
    tqi_heap heap;
    tqi_source source;
    tqi_arena arena;
    tqi_graph graph;
    tqi_kernels kernels;
    tqi_exec *exec;
    tqi_value *inputs;
} program;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static FILE *open_value(const program *p, const char *kind, uint32_t index, const char *mode) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s_%u.bin", p->directory, kind, index);
    return fopen(path, mode);
}

/* For damaged models: an input of zeros. One that is too large or not covered is left out. */
static void fill_input(const program *p, uint32_t index, tqi_value *value) {
    enum { MOST = 1 << 26 };
    tq_error ignored = TQ_ERROR_INIT;
    if (tqi_exec_input(p->exec, index, value, &ignored) == TQ_OK && value->elements < MOST)
        value->data = calloc((size_t)value->elements + 1, tqi_type_size(value->type));
}

/* A file that is not there leaves the input out. */
static tq_status read_input(program *p, uint32_t index, tq_error *error) {
    tqi_value known, *value = &p->inputs[index];
    FILE *file = open_value(p, "input", index, "rb");
    *value = (tqi_value){0};
    if (!file && p->fill)
        fill_input(p, index, value);
    if (!file)
        return TQ_OK;
    int32_t rank = 0;
    tq_status status = tqi_exec_input(p->exec, index, &known, error);
    bool good = status == TQ_OK && fread(&rank, sizeof rank, 1, file) == 1 && rank >= 0 &&
                rank <= TQI_MAX_RANK;
    value->type = known.type;
    value->rank = (uint32_t)rank;
    value->elements = 1;
    good = good && fread(value->shape, sizeof(int32_t), value->rank, file) == value->rank;
    for (uint32_t i = 0; i < value->rank; i++)
        value->elements *= (uint64_t)value->shape[i];
    size_t bytes = good ? tqi_value_bytes(value) : 0;
    value->data = malloc(bytes + 1);
    good = good && value->data && fread(value->data, 1, bytes, file) == bytes;
    fclose(file);
    if (status == TQ_OK && !good)
        return tqi_fail(error, TQ_ERR_READ, "input %u can't be read", index);
    return status;
}

static void write_output(const program *p, uint32_t index) {
    const tqi_value *value = tqi_exec_output(p->exec, index);
    int32_t rank = (int32_t)value->rank;
    printf("%s{\"type\":\"%s\"}", index ? "," : "",
           value->data ? tqi_type_label(value->type) : "MISSING");
    FILE *file = value->data ? open_value(p, "output", index, "wb") : NULL;
    if (!file)
        return;
    fwrite(&rank, sizeof rank, 1, file);
    fwrite(value->shape, sizeof(int32_t), value->rank, file);
    fwrite(value->data, 1, tqi_value_bytes(value), file);
    fclose(file);
}

static void print_text(const char *text) {
    putchar('"');
    for (; *text; text++)
        if (*text != '"' && *text != '\\')
            putchar(*text);
    putchar('"');
}

static void report(const program *p, double seconds) {
    const tqi_subgraph *s = &p->graph.subgraphs[p->subgraph];
    const uint8_t *states = tqi_exec_states(p->exec);
    const char *separator = "";
    printf("{\"seconds\":%.6f,\"refusal\":", seconds);
    print_text(tqi_exec_refusal(p->exec)->message);
    printf(",\"refused\":[");
    for (uint32_t i = 0; i < s->n_operators; i++) {
        const tqi_opcode *code = &p->graph.opcodes[s->operators[i].opcode];
        const char *name = tqi_op_name(code->builtin);
        if (states[i] != TQI_OP_REFUSED)
            continue;
        printf("%s[%u,", separator, i);
        print_text(code->builtin == TQI_OP_CUSTOM ? code->custom : name ? name : "unknown");
        printf("]");
        separator = ",";
    }
    uint32_t starved = 0;
    for (uint32_t i = 0; i < s->n_operators; i++)
        starved += states[i] == TQI_OP_STARVED;
    printf("],\"starved\":%u,\"outputs\":[", starved);
    for (uint32_t i = 0; i < s->n_outputs; i++)
        write_output(p, i);
    printf("]}\n");
}

static tq_status run(program *p, tq_error *error) {
    TQI_TRY(tqi_source_open(&p->source, p->model, error));
    TQI_TRY(tqi_graph_load(&p->graph, &p->source, &p->arena, error));
    uint32_t flags = tqi_cpu_flags() & ~p->disable;
    tqi_kernels_init(&p->kernels, flags);
    const tqi_exec_options options = {.kernels = &p->kernels,
                                      .cpu_flags = flags,
                                      .heap = &p->heap,
                                      .as_far_as_possible = true,
                                      .keep = p->keep,
                                      .budget = p->budget};
    TQI_TRY(tqi_exec_create(&p->exec, &p->graph, p->subgraph, &options, error));
    uint32_t n = p->graph.subgraphs[p->subgraph].n_inputs;
    p->inputs = calloc(n + 1, sizeof *p->inputs);
    if (!p->inputs)
        return tqi_fail(error, TQ_ERR_OUT_OF_MEMORY, "no memory");
    for (uint32_t i = 0; i < n; i++)
        TQI_TRY(read_input(p, i, error));
    double best = 1e9;
    for (uint32_t i = 0; i < p->repeat; i++) {
        double start = now(), taken;
        TQI_TRY(tqi_exec_run(p->exec, p->inputs, n, NULL, NULL, error));
        taken = now() - start;
        best = taken < best ? taken : best;
    }
    report(p, best);
    return TQ_OK;
}

int main(int argc, char **argv) {
    program p = {.repeat = 1, .budget = tqi_default_budget};
    if (argc < 3) {
        fprintf(stderr, "usage: execute_model MODEL DIRECTORY [--OPTION VALUE]...\n");
        return 2;
    }
    p.model = argv[1];
    p.directory = argv[2];
    for (int i = 3; i + 1 < argc; i += 2) {
        unsigned long long value = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--disable") == 0)
            p.disable = (uint32_t)value;
        else if (strcmp(argv[i], "--repeat") == 0)
            p.repeat = (uint32_t)value;
        else if (strcmp(argv[i], "--subgraph") == 0)
            p.subgraph = (uint32_t)value;
        else if (strcmp(argv[i], "--fill") == 0)
            p.fill = (uint32_t)value;
        else if (strcmp(argv[i], "--keep") == 0)
            p.keep = value;
        else if (strcmp(argv[i], "--limit") == 0)
            p.limit = value;
        else if (strcmp(argv[i], "--elements") == 0)
            p.budget.elements = value;
        else if (strcmp(argv[i], "--work") == 0)
            p.budget.work = value;
    }
    p.source.fd = -1;
    tqi_heap_init(&p.heap, NULL, p.limit);
    tqi_arena_init(&p.arena, &p.heap);
    tq_error error = TQ_ERROR_INIT;
    tq_status status = run(&p, &error);
    if (status != TQ_OK)
        fprintf(stderr, "%s: %s\n", tq_status_name(status), error.message);
    tqi_exec_free(p.exec);
    for (uint32_t i = 0; p.inputs && i < p.graph.subgraphs[p.subgraph].n_inputs; i++)
        free(p.inputs[i].data);
    free(p.inputs);
    tqi_arena_free(&p.arena);
    tqi_source_close(&p.source);
    return status == TQ_OK ? 0 : 1;
}
