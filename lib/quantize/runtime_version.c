/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/runtime_version.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "tflite/builtins.h"

/* As the converter writes it: text in 16 bytes, padded with NUL. */
enum { TEXT_SIZE = 16 };

typedef struct release {
    uint32_t major, minor, patch;
} release;

/* The first release with an operator's version, for those that quantization and rewrites ask for.
 * Read from LiteRT's table of runtime versions (November 2026). */
static const struct {
    int32_t builtin, version;
    release release;
} first_releases[] = {
    {TQI_OP_BATCH_MATMUL, 4, {2, 5, 0}},      {TQI_OP_CONV_2D, 5, {2, 4, 0}},
    {TQI_OP_CONV_2D, 6, {2, 9, 0}},           {TQI_OP_DEPTHWISE_CONV_2D, 6, {2, 3, 0}},
    {TQI_OP_DEQUANTIZE, 3, {1, 15, 0}},       {TQI_OP_DEQUANTIZE, 5, {2, 7, 0}},
    {TQI_OP_EMBEDDING_LOOKUP, 4, {2, 18, 0}}, {TQI_OP_FULLY_CONNECTED, 12, {2, 17, 0}},
    {TQI_OP_EMBEDDING_LOOKUP, 5, {2, 21, 0}}, {TQI_OP_FULLY_CONNECTED, 14, {2, 21, 0}},
    {TQI_OP_TRANSPOSE_CONV, 2, {2, 2, 0}},    {TQI_OP_TRANSPOSE_CONV, 3, {2, 3, 0}},
    {TQI_OP_TRANSPOSE_CONV, 4, {2, 13, 0}},   {TQI_BUILTIN_MUL, 2, {1, 14, 0}},
    {TQI_BUILTIN_TILE, 3, {2, 8, 0}},         {TQI_BUILTIN_TRANSPOSE, 2, {1, 14, 0}},
};

static bool is_older(release a, release b) {
    if (a.major != b.major)
        return a.major < b.major;
    return a.minor != b.minor ? a.minor < b.minor : a.patch < b.patch;
}

static release needed_release(const tqi_graph *graph) {
    release needed = {0, 0, 0};
    for (uint32_t i = 0; i < graph->n_opcodes; i++)
        for (size_t k = 0; k < sizeof first_releases / sizeof *first_releases; k++)
            if (first_releases[k].builtin == graph->opcodes[i].builtin &&
                first_releases[k].version == graph->opcodes[i].version &&
                is_older(needed, first_releases[k].release))
                needed = first_releases[k].release;
    return needed;
}

static tq_status read_text(const tqi_graph *graph, const tqi_content *content,
                           char text[TEXT_SIZE + 1], tq_error *error) {
    const uint8_t *bytes = content->memory;
    uint8_t scratch[TEXT_SIZE];
    size_t size = (size_t)tqi_min_u64(content->size, TEXT_SIZE);
    text[0] = '\0';
    if (size == 0)
        return TQ_OK;
    if (content->kind == TQI_CONTENT_FILE)
        TQI_TRY(tqi_source_fetch(graph->source, content->offset, size, scratch, &bytes, error));
    memcpy(text, bytes, size);
    text[size] = '\0';
    return TQ_OK;
}

static tq_status raise(tqi_graph *graph, tqi_metadata *entry, release needed, tqi_arena *arena,
                       tq_error *error) {
    char text[TEXT_SIZE + 1], *raised = NULL;
    release told = {0, 0, 0};
    TQI_TRY(read_text(graph, &graph->buffers[entry->buffer].content, text, error));
    /* what is no version is left alone */
    if (sscanf(text, "%4u.%4u.%4u", &told.major, &told.minor, &told.patch) < 2 ||
        !is_older(told, needed))
        return TQ_OK;
    TQI_NEW(arena, &raised, TEXT_SIZE, error);
    snprintf(raised, TEXT_SIZE, "%u.%u.%u", needed.major, needed.minor, needed.patch);
    tqi_content content = {.kind = TQI_CONTENT_MEMORY, .size = TEXT_SIZE, .memory = raised};
    return tqi_add_buffer(graph, &content, &entry->buffer, error);
}

tq_status tqi_raise_runtime_version(tqi_graph *graph, tqi_arena *arena, tq_error *error) {
    release needed = needed_release(graph);
    for (uint32_t i = 0; i < graph->n_metadata; i++)
        if (strcmp(graph->metadata[i].name, "min_runtime_version") == 0)
            TQI_TRY(raise(graph, &graph->metadata[i], needed, arena, error));
    return TQ_OK;
}
