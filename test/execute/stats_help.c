/* SPDX-License-Identifier: Apache-2.0 */
#include "stats_help.h"

#include <string.h>

static const mb_list LINE = {2, {1, N}}, SQUARE = {2, {N, N}};

static int32_t add(mb_model *m, int32_t x, const float *weights, const float *bias, bool relu) {
    small_layer l = {OP_FULLY_CONNECTED, x, SQUARE, weights, NULL, bias, relu, 0};
    return small_add_layer(m, &l);
}

bytes stats_file(uint32_t seed, bool lost) {
    enum { LAYERS = 4 };
    static float weights[LAYERS][N * N], bias[LAYERS][N];
    for (uint32_t i = 0; i < LAYERS; i++) {
        small_fill(weights[i], N * N, seed * 10 + i);
        small_fill(bias[i], N, seed * 10 + i + 5);
    }
    mb_model m = small_graph(LINE);
    mb_subgraph *s = &m.subgraphs[0];
    int32_t ids = mb_add_tensor(
        s, (mb_tensor){.name = "ids", .type = TQI_TYPE_INT32, .shape = {2, {1, IDS}}});
    int32_t y = add(&m, 0, weights[0], bias[0], true);
    int32_t side = add(&m, y, weights[1], bias[1], false);
    if (lost)
        y = small_add_op(&m, OP_CUSTOM, (mb_list){1, {y}}, TQI_TYPE_FLOAT32, LINE);
    y = add(&m, y, weights[2], bias[2], true);
    y = add(&m, y, weights[3], bias[3], false);
    int32_t number =
        small_add_op(&m, OP_CAST, (mb_list){1, {ids}}, TQI_TYPE_FLOAT32, (mb_list){2, {1, IDS}});
    s->inputs = (mb_list){2, {0, ids}};
    s->outputs = (mb_list){3, {y, side, number}};
    return mb_build(&m);
}

bytes stats_file_of_two(void) {
    static float weights[2][4 * N * N];
    mb_model m = {.n_subgraphs = 2, .n_buffers = 1, .n_signatures = 2};
    static const char *const names[] = {"main", "other"};
    m.n_opcodes = 1;
    m.opcodes[0].builtin = OP_FULLY_CONNECTED;
    for (int32_t i = 0; i < 2; i++) {
        mb_subgraph *s = &m.subgraphs[i];
        int32_t n = (i + 1) * N;
        size_t count = (size_t)(n * n);
        small_fill(weights[i], count, (uint32_t)i + 60);
        uint32_t buffer = mb_add_buffer(&m, weights[i], count * sizeof(float));
        mb_add_tensor(s, (mb_tensor){.name = "x", .shape = {2, {1, n}}});
        mb_add_tensor(s, (mb_tensor){.name = "w", .buffer = buffer, .shape = {2, {n, n}}});
        mb_add_tensor(s, (mb_tensor){.name = "y", .shape = {2, {1, n}}});
        mb_add_op(s, (mb_op){.options_type = OPTIONS_FULLY_CONNECTED,
                             .inputs = {2, {0, 1}},
                             .outputs = {1, {2}}});
        s->name = names[i];
        s->inputs = (mb_list){1, {0}};
        s->outputs = (mb_list){1, {2}};
        m.signatures[i] = (mb_signature){names[i], (uint32_t)i, s->inputs, s->outputs};
    }
    return mb_build(&m);
}

tq_array stats_array(const void *data, int32_t type, mb_list shape) {
    static int32_t shapes[16][MB_LIST];
    static uint32_t next;
    uint32_t at = next++ % COUNT(shapes);
    memcpy(shapes[at], shape.at, sizeof shapes[at]);
    uint64_t each = type == TQI_TYPE_INT64 ? 8 : type == TQI_TYPE_BOOL ? 1 : 4;
    return (tq_array){data, small_elements(shape) * each, shapes[at], shape.count, type};
}

const tq_array *stats_inputs(uint32_t seed) {
    static float lines[8][N];
    static int32_t ids[IDS] = {1, 2, 3};
    static tq_array arrays[8][2];
    uint32_t at = seed % 8;
    small_fill(lines[at], N, seed);
    for (uint32_t i = 0; i < N; i++)
        lines[at][i] += (float)(i % 3);
    arrays[at][0] = stats_array(lines[at], TQI_TYPE_FLOAT32, LINE);
    arrays[at][1] = stats_array(ids, TQI_TYPE_INT32, (mb_list){2, {1, IDS}});
    return arrays[at];
}

tq_stats *stats_of(const tq_model *model, uint32_t sets) {
    tq_stats *stats = NULL;
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tq_stats_create(model, NULL, &stats, &error), &error);
    for (uint32_t i = 0; i < sets; i++)
        assert_ok(tq_stats_add(stats, stats_inputs(i), 2, &error), &error);
    return stats;
}

tq_stats_info stats_info(const tq_stats *stats) {
    tq_stats_info info = {.struct_size = sizeof info};
    assert_int_equal(tq_get_stats_info(stats, &info), TQ_OK);
    return info;
}

tq_status stats_try_quantize(const tq_model *model, const char *recipe_name,
                             const tq_quantize_options *options, tq_model **result,
                             tq_error *error) {
    tq_recipe *recipe = NULL;
    *error = (tq_error)TQ_ERROR_INIT;
    *result = NULL;
    assert_int_equal(tq_recipe_create(recipe_name, &recipe, NULL), TQ_OK);
    tq_status status = tq_quantize(model, recipe, options, result, error);
    assert_true((*result != NULL) == (status == TQ_OK));
    tq_recipe_free(recipe);
    return status;
}

tq_model *stats_quantize(const tq_model *model, const char *recipe,
                         const tq_quantize_options *options) {
    tq_model *result;
    tq_error error;
    assert_ok(stats_try_quantize(model, recipe, options, &result, &error), &error);
    return result;
}

bytes stats_result_of(const tq_model *model, const char *recipe,
                      const tq_quantize_options *options) {
    tq_model *result = stats_quantize(model, recipe, options);
    bytes file = saved(result);
    tq_model_free(result);
    return file;
}

tq_report_totals stats_totals_of(const tq_model *result) {
    tq_report_totals totals = {.struct_size = sizeof totals};
    assert_int_equal(tq_get_report_totals(tq_model_report(result), &totals), TQ_OK);
    return totals;
}

bytes stats_result_with(const tq_model *model, tq_stats *const *stats, uint32_t n) {
    tq_quantize_options options = TQ_QUANTIZE_OPTIONS_INIT;
    options.stats = stats;
    options.n_stats = n;
    return stats_result_of(model, "int8", &options);
}

uint32_t stats_refused_within(bytes file, stats_life *life, uint32_t ceilings) {
    watch all = {0};
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = watched_load(file, &all, 0);
    uint64_t loaded = all.held;
    assert_ok(life(model, &error), &error);
    tq_model_free(model);
    uint32_t refused = 0;
    for (uint64_t limit = loaded; limit < all.peak; limit += (all.peak - loaded) / ceilings) {
        watch memory = {0};
        model = watched_load(file, &memory, limit);
        tq_status status = life(model, &error);
        if (status != TQ_OK) /* with less room less is kept */
            assert_failed(TQ_ERR_MEMORY_LIMIT, status, &error);
        refused += status != TQ_OK;
        assert_true(memory.peak <= limit);
        tq_model_free(model);
        assert_true(memory.held == 0);
    }
    return refused;
}
