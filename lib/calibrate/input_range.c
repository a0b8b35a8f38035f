/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/input_range.h"

#include <string.h>

#include "flatbuffer/verify.h"

/* The way to the normalization, from the schema of TFLite's metadata; what is beside it is a slot
 * that nobody looks at. Later versions may have more fields: some are spare. */
#define SKIPPED                                                                                    \
    { "skipped", TQI_FIELD_SCALAR, 1, 1, 0 }
#define TABLES(name, table)                                                                        \
    { name, TQI_FIELD_TABLES, 4, 4, &table }
#define FLOATS(name)                                                                               \
    { name, TQI_FIELD_VECTOR, 4, 4, 0 }
#define TABLE(id, name, ...)                                                                       \
    static const tqi_field id##_fields[] = {__VA_ARGS__};                                          \
    static const tqi_table id = {name, id##_fields, sizeof id##_fields / sizeof id##_fields[0]}

enum { MEAN, STD };
TABLE(normalization, "NormalizationOptions", FLOATS("mean"), FLOATS("std"), SKIPPED, SKIPPED);

TABLE(other_options, "ProcessUnitOptions", SKIPPED, SKIPPED, SKIPPED, SKIPPED, SKIPPED, SKIPPED);

enum { NORMALIZATION = 1 };
#define OTHER                                                                                      \
    { "other", TQI_FIELD_TABLE, 4, 4, &other_options }
TABLE(unit_options, "ProcessUnitOptions",
      {"NormalizationOptions", TQI_FIELD_TABLE, 4, 4, &normalization}, OTHER, OTHER, OTHER, OTHER,
      OTHER, OTHER, OTHER);

enum { UNIT_OPTIONS_TYPE, UNIT_OPTIONS };
TABLE(process_unit, "ProcessUnit", {"options_type", TQI_FIELD_SCALAR, 1, 1, 0},
      {"options", TQI_FIELD_UNION, 4, 4, &unit_options});

enum { TENSOR_PROCESS_UNITS = 4 };
TABLE(tensor_metadata, "TensorMetadata", SKIPPED, SKIPPED, SKIPPED, SKIPPED,
      TABLES("process_units", process_unit), SKIPPED, SKIPPED, SKIPPED, SKIPPED);

enum { SUBGRAPH_INPUTS = 2 };
TABLE(subgraph_metadata, "SubGraphMetadata", SKIPPED, SKIPPED,
      TABLES("input_tensor_metadata", tensor_metadata), SKIPPED, SKIPPED, SKIPPED, SKIPPED, SKIPPED,
      SKIPPED, SKIPPED, SKIPPED, SKIPPED);

enum { MODEL_SUBGRAPHS = 3 };
TABLE(model_metadata, "ModelMetadata", SKIPPED, SKIPPED, SKIPPED,
      TABLES("subgraph_metadata", subgraph_metadata), SKIPPED, SKIPPED, SKIPPED, SKIPPED, SKIPPED,
      SKIPPED);

/* Of one value, all channels have it. */
static bool read_channels(const tqi_view *view, uint32_t table, uint32_t field,
                          float channels[TQI_RANGE_CHANNELS]) {
    tqi_vector values = tqi_get_vector(view, table, field);
    if (values.count == 0 || values.count > TQI_RANGE_CHANNELS)
        return false;
    for (uint32_t c = 0; c < TQI_RANGE_CHANNELS; c++) {
        uint32_t i = c < values.count ? c : values.count - 1;
        memcpy(&channels[c], view->data + values.at + 4 * i, sizeof channels[c]);
    }
    return true;
}

static bool read_normalization(const tqi_view *view, uint32_t table, tqi_input_range *range) {
    enum { MAX_MAGNITUDE = 1 << 20, WHITE = 255 };
    float mean[TQI_RANGE_CHANNELS], std[TQI_RANGE_CHANNELS];
    if (!read_channels(view, table, MEAN, mean) || !read_channels(view, table, STD, std))
        return false;
    for (uint32_t c = 0; c < TQI_RANGE_CHANNELS; c++) {
        /* comparisons with NaN are false */
        if (!(mean[c] >= -MAX_MAGNITUDE && mean[c] <= MAX_MAGNITUDE) ||
            !(std[c] >= 1.0f / MAX_MAGNITUDE && std[c] <= MAX_MAGNITUDE))
            return false;
        range->low[c] = (0 - mean[c]) / std[c];
        range->high[c] = (WHITE - mean[c]) / std[c];
    }
    return true;
}

/* Of a verified view. */
static bool read_range(const tqi_view *view, uint32_t subgraph, uint32_t input, uint32_t n_inputs,
                       tqi_input_range *range) {
    tqi_vector subgraphs = tqi_get_vector(view, tqi_follow(view, 0), MODEL_SUBGRAPHS);
    if (subgraph >= subgraphs.count)
        return false;
    tqi_vector inputs =
        tqi_get_vector(view, tqi_element(view, subgraphs, subgraph), SUBGRAPH_INPUTS);
    if (inputs.count != n_inputs) /* it is about other inputs */
        return false;
    tqi_vector units = tqi_get_vector(view, tqi_element(view, inputs, input), TENSOR_PROCESS_UNITS);
    for (uint32_t i = 0; i < units.count; i++) {
        uint32_t unit = tqi_element(view, units, i);
        uint32_t options = tqi_get_table(view, unit, UNIT_OPTIONS);
        if (options && tqi_get_i8(view, unit, UNIT_OPTIONS_TYPE, 0) == NORMALIZATION)
            return read_normalization(view, options, range);
    }
    return false;
}

static bool verify_and_read(const uint8_t *bytes, uint32_t size, uint32_t subgraph, uint32_t input,
                            uint32_t n_inputs, tqi_input_range *range) {
    enum { IDENTIFIER = 4, MIN_SIZE = 8 };
    tqi_view view = {bytes, size};
    tqi_source source;
    tq_error ignored = TQ_ERROR_INIT;
    uint32_t end;
    if (size < MIN_SIZE || memcmp(bytes + IDENTIFIER, "M001", 4) != 0)
        return false;
    tqi_source_memory(&source, bytes, size);
    bool valid = tqi_verify(&view, &source, &model_metadata, &end, &ignored) == TQ_OK;
    tqi_source_close(&source);
    return valid && read_range(&view, subgraph, input, n_inputs, range);
}

tq_status tqi_input_range_find(const tqi_graph *graph, uint32_t subgraph, uint32_t input,
                               tqi_heap *heap, tqi_input_range *range, bool *known,
                               tq_error *error) {
    enum { MAX_SIZE = 1 << 24 };
    const tqi_content *content = NULL;
    *known = false;
    for (uint32_t i = 0; i < graph->n_metadata && !content; i++)
        if (strcmp(graph->metadata[i].name, "TFLITE_METADATA") == 0 &&
            graph->metadata[i].buffer < graph->n_buffers)
            content = &graph->buffers[graph->metadata[i].buffer].content;
    uint32_t n_inputs = graph->subgraphs[subgraph].n_inputs;
    if (!content || content->size > MAX_SIZE || input >= n_inputs)
        return TQ_OK;
    uint32_t size = (uint32_t)content->size;
    if (content->kind == TQI_CONTENT_MEMORY)
        *known = verify_and_read(content->memory, size, subgraph, input, n_inputs, range);
    if (content->kind != TQI_CONTENT_FILE)
        return TQ_OK;
    void *scratch = tqi_alloc(heap, size);
    const uint8_t *bytes;
    if (!scratch)
        return tqi_no_memory(heap, size, error);
    tq_status status =
        tqi_source_fetch(graph->source, content->offset, size, scratch, &bytes, error);
    if (status == TQ_OK) {
        *known = verify_and_read(bytes, size, subgraph, input, n_inputs, range);
        tqi_source_done(graph->source, content->offset, size);
    }
    tqi_free(heap, scratch, size);
    return status;
}
