/* SPDX-License-Identifier: Apache-2.0 */
/* Single operators of the executor: results, odd shapes, hostile numbers, memory that runs out. */
#include "unit.h"

#include "execute/approximate.h"
#include "execute/call.h"
#include "execute/custom.h"
#include "execute/families.h"
#include "execute/gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS = 6, OUTPUTS = 3, FIELDS = 8 };

/* A call made from arrays. Each array is a block of its own, so that sanitizers see its end. */
typedef struct bench {
    watch memory;
    tqi_heap heap;
    tqi_gemm gemm;
    tqi_kernels kernels;
    tqi_value in[INPUTS], out[OUTPUTS];
    const tqi_value *inputs[INPUTS];
    uint8_t file[128]; /* a vtable, a table of FIELDS numbers, a vector */
    tqi_graph graph;
    tqi_call call;
    tq_error error;
} bench;

enum { TABLE = 20, VECTOR = TABLE + 4 + 4 * FIELDS };

static void start(bench *b, uint64_t limit) {
    memset(b, 0, sizeof *b);
    tq_allocator allocator = watched(&b->memory);
    tqi_heap_init(&b->heap, &allocator, limit);
    tqi_gemm_init(&b->gemm, 0);
    tqi_kernels_init(&b->kernels, 0);
    b->file[0] = TABLE;
    b->file[2] = 4 + 4 * FIELDS;
    b->file[TABLE] = TABLE;
    b->graph.view = (tqi_view){b->file, sizeof b->file};
    b->call = (tqi_call){.graph = &b->graph,
                         .options = TABLE,
                         .inputs = b->inputs,
                         .n_outputs = OUTPUTS,
                         .outputs = b->out,
                         .kernels = &b->kernels,
                         .heap = &b->heap,
                         .gemm = &b->gemm};
    b->error = (tq_error)TQ_ERROR_INIT;
}

static void set_option(bench *b, int field, int32_t value) {
    b->file[4 + 2 * field] = (uint8_t)(4 + 4 * field);
    memcpy(b->file + TABLE + 4 + 4 * field, &value, sizeof value);
}

static void drop_outputs(bench *b) {
    for (int i = 0; i < OUTPUTS; i++)
        tqi_value_free(&b->heap, &b->out[i]);
}

static void end(bench *b) {
    drop_outputs(b);
    for (int i = 0; i < INPUTS; i++)
        free(b->in[i].data);
    assert_int_equal(b->memory.held, 0);
    assert_int_equal(b->memory.wrong, 0);
    assert_int_equal(b->heap.used, 0);
}

static void add_input(bench *b, int32_t type, uint32_t rank, const int32_t *shape,
                      const void *data) {
    tqi_value *value = &b->in[b->call.n_inputs];
    *value = (tqi_value){.type = type, .rank = rank, .elements = 1};
    for (uint32_t d = 0; d < rank; d++) {
        value->shape[d] = shape[d];
        value->elements *= (uint64_t)shape[d];
    }
    size_t size = tqi_value_bytes(value);
    value->data = malloc(size ? size : 1);
    assert_non_null(value->data);
    if (size)
        memcpy(value->data, data, size);
    b->inputs[b->call.n_inputs++] = value;
}

#define SHAPE(...)                                                                                 \
    (uint32_t)(sizeof((int32_t[]){__VA_ARGS__}) / 4), (const int32_t[]) {                          \
        __VA_ARGS__                                                                                \
    }
#define FLOATS(...)                                                                                \
    (const float[]) {                                                                              \
        __VA_ARGS__                                                                                \
    }
#define INTS(...)                                                                                  \
    (const int32_t[]) {                                                                            \
        __VA_ARGS__                                                                                \
    }

static void add_floats(bench *b, uint32_t rank, const int32_t *shape, const float *data) {
    add_input(b, TQI_TYPE_FLOAT32, rank, shape, data);
}

static void add_ints(bench *b, uint32_t rank, const int32_t *shape, const int32_t *data) {
    add_input(b, TQI_TYPE_INT32, rank, shape, data);
}

/* 0, 1, 2 and so on. */
static void add_counted(bench *b, uint32_t rank, const int32_t *shape) {
    float counted[512];
    for (int i = 0; i < (int)COUNT(counted); i++)
        counted[i] = (float)i;
    add_floats(b, rank, shape, counted);
}

#define LIST(b, ...)                                                                               \
    add_ints(b, 1, (const int32_t[]){sizeof((int32_t[]){__VA_ARGS__}) / 4}, INTS(__VA_ARGS__))

static void run(bench *b, tqi_run_operator *function) {
    assert_ok(function(&b->call, &b->error), &b->error);
}

static void refused(bench *b, tqi_run_operator *function) {
    assert_failed(TQ_ERR_UNSUPPORTED, function(&b->call, &b->error), &b->error);
    end(b);
}

static void expect(bench *b, uint32_t output, int32_t type, uint32_t rank, const int32_t *shape,
                   const void *data) {
    const tqi_value *value = &b->out[output];
    assert_int_equal(value->type, type);
    assert_int_equal(value->rank, rank);
    uint64_t elements = 1;
    for (uint32_t d = 0; d < rank; d++) {
        assert_int_equal(value->shape[d], shape[d]);
        elements *= (uint64_t)shape[d];
    }
    assert_int_equal(value->elements, elements);
    assert_int_equal((uintptr_t)value->data % 64, 0);
    if (elements)
        assert_memory_equal(value->data, data, tqi_value_bytes(value));
}

static void expect_floats(bench *b, uint32_t rank, const int32_t *shape, const float *data) {
    expect(b, 0, TQI_TYPE_FLOAT32, rank, shape, data);
    end(b);
}

/* ---- results ---- */

static void test_broadcasts(void **state) {
    (void)state;
    bench b;
    start(&b, 0);
    add_floats(&b, SHAPE(2, 1, 2), FLOATS(1, 2, 3, 4));
    add_floats(&b, SHAPE(3, 1), FLOATS(10, -20, 30));
    set_option(&b, 0, 1); /* RELU */
    run(&b, tqi_run_add);
    expect_floats(&b, SHAPE(2, 3, 2), FLOATS(11, 12, 0, 0, 31, 32, 13, 14, 0, 0, 33, 34));
    start(&b, 0);
    add_floats(&b, 0, NULL, FLOATS(7));
    add_floats(&b, 0, NULL, FLOATS(2));
    run(&b, tqi_run_sub);
    expect_floats(&b, 0, NULL, FLOATS(5));
    start(&b, 0);
    add_floats(&b, SHAPE(2), FLOATS(1, 2));
    add_floats(&b, SHAPE(3), FLOATS(1, 2, 3));
    refused(&b, tqi_run_mul);
    start(&b, 0);
    add_floats(&b, SHAPE(1), FLOATS(1));
    LIST(&b, 1);
    refused(&b, tqi_run_mul);
    start(&b, 0);
    add_floats(&b, SHAPE(0, 3), NULL);
    add_floats(&b, SHAPE(1), FLOATS(1));
    run(&b, tqi_run_mul);
    expect_floats(&b, SHAPE(0, 3), NULL);
}

static void test_divides_integers(void **state) {
    (void)state;
    bench b;
    start(&b, 0);
    LIST(&b, INT32_MIN, -7, 7, -6);
    LIST(&b, -1, 2, -2, 3);
    run(&b, tqi_run_div);
    expect(&b, 0, TQI_TYPE_INT32, SHAPE(4), INTS(INT32_MIN, -3, -3, -2));
    drop_outputs(&b);
    run(&b, tqi_run_floor_div);
    expect(&b, 0, TQI_TYPE_INT32, SHAPE(4), INTS(INT32_MIN, -4, -4, -2));
    drop_outputs(&b);
    run(&b, tqi_run_floor_mod);
    expect(&b, 0, TQI_TYPE_INT32, SHAPE(4), INTS(0, 1, -1, 0));
    end(&b);
    tqi_run_operator *const dividing[] = {tqi_run_div, tqi_run_floor_div, tqi_run_floor_mod};
    for (size_t i = 0; i < COUNT(dividing); i++) {
        start(&b, 0);
        LIST(&b, 1, 2);
        LIST(&b, 3, 0);
        refused(&b, dividing[i]);
    }
}

static void test_slices(void **state) {
    (void)state;
    bench b;
    start(&b, 0); /* x[..., ::-2, newaxis] */
    add_counted(&b, SHAPE(2, 2, 3));
    LIST(&b, 0, 2, 0);
    LIST(&b, 0, 0, 0);
    LIST(&b, 1, -2, 1);
    set_option(&b, 1, 2); /* end_mask */
    set_option(&b, 2, 1); /* ellipsis_mask */
    set_option(&b, 3, 4); /* new_axis_mask */
    run(&b, tqi_run_strided_slice);
    expect_floats(&b, SHAPE(2, 2, 2, 1), FLOATS(2, 0, 5, 3, 8, 6, 11, 9));
    start(&b, 0); /* x[-1, 1] */
    add_counted(&b, SHAPE(2, 2));
    LIST(&b, -1, 1);
    LIST(&b, 0, 0);
    LIST(&b, 1, 1);
    set_option(&b, 4, 3);
    run(&b, tqi_run_strided_slice);
    expect_floats(&b, 0, NULL, FLOATS(3));
    static const int32_t wrong[][3] = {{0, 1, 0}, {2, 3, 1}, {-3, 1, 1}};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        start(&b, 0);
        add_counted(&b, SHAPE(2));
        for (int j = 0; j < 3; j++)
            LIST(&b, wrong[i][j]);
        set_option(&b, 4, 1);
        refused(&b, tqi_run_strided_slice);
    }
    start(&b, 0);
    add_counted(&b, SHAPE(3, 3));
    LIST(&b, INT32_MIN, INT32_MAX);
    LIST(&b, INT32_MAX, INT32_MIN);
    LIST(&b, INT32_MAX, INT32_MIN);
    run(&b, tqi_run_strided_slice);
    expect_floats(&b, SHAPE(1, 1), FLOATS(2));
    start(&b, 0);
    add_counted(&b, SHAPE(4));
    LIST(&b, 3);
    LIST(&b, 2);
    refused(&b, tqi_run_slice);
}

static void test_goes_along_axes(void **state) {
    (void)state;
    bench b;
    start(&b, 0);
    add_counted(&b, SHAPE(2, 2, 3));
    LIST(&b, -3, 2);
    set_option(&b, 0, 1); /* keep_dims */
    run(&b, tqi_run_mean);
    expect_floats(&b, SHAPE(1, 2, 1), FLOATS(4, 7));
    start(&b, 0);
    add_counted(&b, SHAPE(3, 2));
    LIST(&b, 2);
    refused(&b, tqi_run_sum);
    start(&b, 0);
    add_counted(&b, SHAPE(3, 0));
    LIST(&b, 1);
    refused(&b, tqi_run_mean);
    start(&b, 0);
    add_counted(&b, SHAPE(2, 3));
    LIST(&b, -2);
    set_option(&b, 0, TQI_TYPE_INT64);
    run(&b, tqi_run_arg_max);
    expect(&b, 0, TQI_TYPE_INT64, SHAPE(3), (const int64_t[]){1, 1, 1});
    end(&b);
    start(&b, 0);
    add_counted(&b, SHAPE(2, 3));
    LIST(&b, -3);
    refused(&b, tqi_run_arg_max);
}

static void test_permutes(void **state) {
    (void)state;
    bench b;
    start(&b, 0);
    add_counted(&b, SHAPE(1, 2, 3));
    LIST(&b, -1, 0, 1);
    run(&b, tqi_run_transpose);
    expect_floats(&b, SHAPE(3, 1, 2), FLOATS(0, 3, 1, 4, 2, 5));
    static const int32_t wrong[][3] = {{0, 0, 1}, {0, 1, 3}, {0, 1, -1000000}};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        start(&b, 0);
        add_counted(&b, SHAPE(1, 2, 3));
        LIST(&b, wrong[i][0], wrong[i][1], wrong[i][2]);
        refused(&b, tqi_run_transpose);
    }
}

/* ---- hostile numbers ---- */

static void test_looks_up_only_what_is_there(void **state) {
    (void)state;
    static const int32_t wrong[] = {-1, 4, INT32_MAX, INT32_MIN};
    bench b;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        start(&b, 0);
        add_counted(&b, SHAPE(4, 2));
        LIST(&b, 0, wrong[i]);
        refused(&b, tqi_run_gather);
        start(&b, 0);
        add_counted(&b, SHAPE(4, 2));
        LIST(&b, wrong[i]);
        refused(&b, tqi_run_gather_nd);
        start(&b, 0);
        LIST(&b, 3, wrong[i]);
        add_counted(&b, SHAPE(4, 2));
        refused(&b, tqi_run_embedding_lookup);
    }
    start(&b, 0);
    add_counted(&b, SHAPE(4, 2));
    LIST(&b, 3, 1);
    set_option(&b, 0, -2);
    run(&b, tqi_run_gather);
    expect_floats(&b, SHAPE(2, 2), FLOATS(6, 7, 2, 3));
    start(&b, 0);
    add_counted(&b, SHAPE(4));
    LIST(&b, 5);
    refused(&b, tqi_run_topk_v2);
}

static void test_pools_odd_shapes(void **state) {
    (void)state;
    bench b;
    start(&b, 0);
    add_counted(&b, SHAPE(1, 3, 1, 1));
    for (int i = 1; i < 3; i++)
        set_option(&b, i, 2);
    for (int i = 3; i < 5; i++)
        set_option(&b, i, INT32_MAX);
    run(&b, tqi_run_average_pool_2d);
    expect_floats(&b, SHAPE(1, 2, 1, 1), FLOATS(1, 1));
    for (int zero = 1; zero < 5; zero++) {
        start(&b, 0);
        add_counted(&b, SHAPE(1, 3, 3, 2));
        for (int i = 1; i < 5; i++)
            set_option(&b, i, i == zero ? 0 : 2);
        refused(&b, tqi_run_max_pool_2d);
    }
}

static void test_refuses_impossible_shapes(void **state) {
    (void)state;
    static const int32_t shapes[][2] = {{-1, -1}, {-2, 3}, {5, 5}, {INT32_MAX, INT32_MAX},
                                        {0, -1},  {7, -1}};
    bench b;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        start(&b, 0);
        add_counted(&b, SHAPE(2, 3));
        LIST(&b, shapes[i][0], shapes[i][1]);
        refused(&b, tqi_run_reshape);
    }
    static const int32_t large[] = {INT32_MAX, INT32_MAX};
    tqi_run_operator *const growing[] = {tqi_run_tile, tqi_run_broadcast_to};
    for (size_t i = 0; i < COUNT(growing); i++) {
        start(&b, 0);
        add_counted(&b, SHAPE(1, 1));
        LIST(&b, large[0], large[1]);
        refused(&b, growing[i]);
    }
    start(&b, 0);
    LIST(&b, INT32_MAX, INT32_MAX);
    add_floats(&b, 0, NULL, FLOATS(1));
    refused(&b, tqi_run_fill);
    start(&b, 0);
    add_counted(&b, SHAPE(2));
    LIST(&b, INT32_MAX, INT32_MAX);
    refused(&b, tqi_run_pad);
    start(&b, 0);
    add_counted(&b, SHAPE(2, 2));
    LIST(&b, INT32_MAX);
    LIST(&b, INT32_MAX, INT32_MAX);
    refused(&b, tqi_run_space_to_batch_nd);
    start(&b, 0);
    LIST(&b, INT32_MIN);
    LIST(&b, INT32_MAX);
    LIST(&b, 1);
    refused(&b, tqi_run_range);
}

/* Options of another operator are not read as its own. */
static void test_ignores_foreign_options(void **state) {
    (void)state;
    bench b;
    tqi_operator op = {.source = TABLE};
    tqi_subgraph subgraph = {.operators = &op, .n_operators = 1};
    start(&b, 0);
    b.graph.subgraphs = &subgraph;
    b.call.op = &op;
    b.call.subgraph = &subgraph;
    add_counted(&b, SHAPE(1, 2));
    set_option(&b, TQI_OPERATOR_BUILTIN_OPTIONS_TYPE, TQI_OPTIONS_POOL_2D);
    set_option(&b, 0, 1000000); /* were it that of SQUEEZE, it would lead astray */
    run(&b, tqi_run_squeeze);
    expect_floats(&b, SHAPE(2), FLOATS(0, 1));
}

/* ---- anything at all ---- */

static uint32_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)(*seed >> 16);
}

/* Mostly small, so that some calls succeed. */
static int32_t some_number(uint64_t *seed) {
    static const int32_t odd[] = {INT32_MAX, INT32_MIN, -1, -2, 1 << 16, 255};
    uint32_t r = next_random(seed);
    return r % 16 == 0 ? odd[r / 16 % COUNT(odd)] : (int32_t)(r / 16 % 3);
}

/* The first one has any shape; the others often what operators want beside it. */
static uint32_t some_shape(const bench *b, uint64_t *seed, int32_t *shape) {
    static const uint32_t ranks[] = {0, 1, 1, 2, 3, 4, 4, 8};
    const tqi_value *first = &b->in[0];
    uint32_t rank = ranks[next_random(seed) % COUNT(ranks)];
    uint32_t wanted = b->call.n_inputs == 0 ? 5 : next_random(seed) % 6;
    if (wanted == 0)
        return 0;
    if (wanted <= 2) { /* a list, or pairs, for each dimension */
        shape[0] = (int32_t)first->rank;
        shape[1] = 2;
        return wanted;
    }
    if (wanted == 3) {
        memcpy(shape, first->shape, sizeof first->shape);
        return first->rank;
    }
    for (uint32_t d = 0; d < rank; d++)
        shape[d] = next_random(seed) % 16 ? 1 + (int32_t)(next_random(seed) % (d < 3 ? 4 : 2)) : 0;
    return rank;
}

static void add_anything(bench *b, uint64_t *seed) {
    static const int32_t types[] = {TQI_TYPE_FLOAT32, TQI_TYPE_FLOAT32, TQI_TYPE_INT32,
                                    TQI_TYPE_INT32,   TQI_TYPE_INT64,   TQI_TYPE_BOOL};
    int64_t numbers[4 * 4 * 4 << 5];
    int32_t shape[TQI_MAX_RANK], type = types[next_random(seed) % COUNT(types)];
    uint32_t rank = some_shape(b, seed, shape), elements = 1;
    if (b->call.n_inputs > 0 && next_random(seed) % 2)
        type = b->in[0].type;
    for (uint32_t d = 0; d < rank; d++)
        elements *= (uint32_t)shape[d];
    for (uint32_t i = 0; i < elements; i++) {
        int32_t number = some_number(seed);
        if (type == TQI_TYPE_FLOAT32)
            ((float *)(void *)numbers)[i] = (float)number;
        else if (type == TQI_TYPE_INT32)
            ((int32_t *)(void *)numbers)[i] = number;
        else if (type == TQI_TYPE_INT64)
            numbers[i] = number;
        else
            ((uint8_t *)numbers)[i] = (uint8_t)number;
    }
    add_input(b, type, rank, shape, numbers);
}

static void set_custom_options(bench *b, tqi_operator *op, uint64_t *seed) {
    op->source = TABLE;
    set_option(b, TQI_OPERATOR_CUSTOM_OPTIONS,
               VECTOR - (TABLE + 4 + 4 * TQI_OPERATOR_CUSTOM_OPTIONS));
    b->file[VECTOR] = (uint8_t)(next_random(seed) % 16 ? 24 : next_random(seed) % 24);
    for (int i = 0; i < 6; i++) {
        int32_t number =
            next_random(seed) % 4 ? 1 + (int32_t)(next_random(seed) % 3) : some_number(seed);
        memcpy(b->file + VECTOR + 4 + 4 * i, &number, sizeof number);
    }
}

static void try_anything(tqi_run_operator *function, int32_t builtin, uint64_t *seed, int *done) {
    enum { LIMIT = 1 << 18 };
    bench b;
    tqi_tensor declared = {.type = (int32_t)(next_random(seed) % 8)};
    int32_t tensors[OUTPUTS] = {0};
    tqi_operator op = {.outputs = tensors, .n_outputs = OUTPUTS};
    tqi_subgraph subgraph = {.operators = &op, .n_operators = 1, .tensors = &declared};
    start(&b, LIMIT);
    b.graph.subgraphs = &subgraph;
    b.call.op = &op;
    b.call.subgraph = &subgraph;
    b.call.builtin = builtin;
    b.call.n_outputs = 1 + next_random(seed) % OUTPUTS;
    for (uint32_t n = next_random(seed) % 8 ? 1 + next_random(seed) % 4 : 0; n > 0; n--)
        add_anything(&b, seed);
    for (uint32_t i = 0; i < b.call.n_inputs && next_random(seed) % 8 == 0; i++)
        b.inputs[i] = NULL;
    /* these have a list as their first option */
    if (builtin == 22 || builtin == 43) {
        set_option(&b, 0, VECTOR - (TABLE + 4));
        b.file[VECTOR] = (uint8_t)(next_random(seed) % 10);
        for (int i = 0; i < 10; i++) {
            int32_t number = some_number(seed);
            memcpy(b.file + VECTOR + 4 + 4 * i, &number, sizeof number);
        }
    }
    for (int i = builtin == 22 || builtin == 43; i < FIELDS; i++)
        if (next_random(seed) % 4)
            set_option(&b, i, some_number(seed));
    if (builtin == TQI_OP_CUSTOM)
        set_custom_options(&b, &op, seed);
    tq_status status = function(&b.call, &b.error);
    if (status != TQ_OK && status != TQ_ERR_MEMORY_LIMIT) {
        assert_failed(TQ_ERR_UNSUPPORTED, status, &b.error);
        assert_int_equal(b.error.op, 0);
    }
    *done += status == TQ_OK;
    end(&b);
}

static void test_survives_anything(void **state) {
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int32_t builtin = 0; builtin < 256; builtin++) {
        tqi_run_operator *function = tqi_find_operator(builtin);
        int done = 0;
        if (builtin == TQI_OP_CUSTOM)
            continue;
        for (int i = 0; function && i < (UNIT_SLOW ? 1000 : 4000); i++)
            try_anything(function, builtin, &seed, &done);
    }
}

static void test_custom_ones_survive_anything(void **state) {
    (void)state;
    static const char *const names[] = {"Convolution2DTransposeBias", "MaxPoolingWithArgmax2D",
                                        "MaxUnpooling2D", "LiteRtMaxUnpooling2D"};
    uint64_t seed = 88172645463325252u;
    for (size_t n = 0; n < COUNT(names); n++) {
        tqi_run_operator *function = tqi_find_custom(names[n]);
        int done = 0;
        assert_non_null(function);
        for (int i = 0; i < 16000; i++)
            try_anything(function, TQI_OP_CUSTOM, &seed, &done);
        assert_true(done > 10);
    }
    assert_null(tqi_find_custom("Convolution2DTransposeBia"));
}

/* ---- memory ---- */

static void fail_each(tqi_run_operator *function, void (*prepare)(bench *b)) {
    bool failed = true;
    for (uint64_t at = 1; failed; at++) {
        bench b;
        start(&b, 0);
        prepare(&b);
        b.memory.fail_at = at;
        tq_status status = function(&b.call, &b.error);
        failed = b.memory.calls >= at;
        if (failed)
            assert_failed(TQ_ERR_OUT_OF_MEMORY, status, &b.error);
        else
            assert_ok(status, &b.error);
        end(&b);
    }
}

static void two_pictures(bench *b) {
    add_counted(b, SHAPE(1, 2, 2, 3));
    add_counted(b, SHAPE(1, 2, 2, 3));
}

static void picture_and_size(bench *b) {
    add_counted(b, SHAPE(1, 2, 2, 3));
    LIST(b, 3, 1);
}

static void picture_to_split(bench *b) {
    LIST(b, -1);
    add_counted(b, SHAPE(1, 2, 2, 3));
}

static void numbers_to_sort(bench *b) {
    add_counted(b, SHAPE(5, 7));
    LIST(b, 3);
}

static void test_survives_each_failing_allocation(void **state) {
    (void)state;
    fail_each(tqi_run_add, two_pictures);
    fail_each(tqi_run_softmax, two_pictures);
    fail_each(tqi_run_concatenation, two_pictures);
    fail_each(tqi_run_sum, picture_and_size);
    fail_each(tqi_run_resize_bilinear, picture_and_size);
    fail_each(tqi_run_resize_nearest_neighbor, picture_and_size);
    fail_each(tqi_run_split, picture_to_split);
    fail_each(tqi_run_topk_v2, numbers_to_sort);
}

/* ---- functions ---- */

typedef struct compared {
    float (*ours)(float x);
    double (*right)(double x);
    float most; /* magnitude of what is compared */
} compared;

static double right_logistic(double x) {
    return 1.0 / (1.0 + exp(-x));
}

static void test_approximates(void **state) {
    (void)state;
    static const compared functions[] = {
        {tqi_exp, exp, 1e3f},    {tqi_logistic, right_logistic, 80.0f},
        {tqi_tanh, tanh, 1e30f}, {tqi_expm1, expm1, 1e3f},
        {tqi_log, log, 3e38f},   {tqi_sin, sin, 1e6f},
        {tqi_cos, cos, 1e6f},    {tqi_erf, erf, 1e30f},
    };
    for (size_t f = 0; f < COUNT(functions); f++)
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += UNIT_SLOW ? 65521 : 4099) {
            float x = tqi_float_of((uint32_t)bits);
            double right = functions[f].right((double)x);
            if (!(fabsf(x) <= functions[f].most) || fabs(right) < 1.2e-38 ||
                !(fabs(right) < 3.4e38))
                continue;
            double error = fabs((double)functions[f].ours(x) - right) / fabs(right);
            if (error > 2e-7)
                fail_msg("function %zu of %g is off by %g", f, (double)x, error);
        }
    for (float x = 0.01f; x < 40.0f; x *= 1.07f)
        for (float y = -9.0f; y < 9.0f; y += 0.37f) {
            double right = pow((double)x, (double)y);
            assert_true(fabs((double)tqi_pow(x, y) - right) <= 2e-7 * right);
        }
}

static void test_special_numbers(void **state) {
    (void)state;
    static const float special[] = {0.0f, -0.0f, 1.0f,     -1.0f,     2.0f, -3.0f,
                                    0.5f, -0.5f, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < COUNT(special); i++)
        for (size_t j = 0; j < COUNT(special); j++) {
            float ours = tqi_pow(special[i], special[j]);
            float right = (float)pow((double)special[i], (double)special[j]);
            assert_true((isnan(ours) && isnan(right)) ||
                        (fabsf(ours - right) <= 1e-6f && signbit(ours) == signbit(right)) ||
                        ours == right);
        }
    assert_true(isnan(tqi_exp(NAN)) && isnan(tqi_tanh(NAN)) && isnan(tqi_logistic(NAN)));
    assert_true(isnan(tqi_log(-1.0f)) && isnan(tqi_sin(INFINITY)) && isnan(tqi_erf(NAN)));
    assert_true(isinf(tqi_exp(INFINITY)) && tqi_exp(-INFINITY) == 0.0f);
    assert_true(tqi_log(0.0f) == -INFINITY && tqi_tanh(-INFINITY) == -1.0f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broadcasts),
        cmocka_unit_test(test_divides_integers),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_goes_along_axes),
        cmocka_unit_test(test_permutes),
        cmocka_unit_test(test_looks_up_only_what_is_there),
        cmocka_unit_test(test_pools_odd_shapes),
        cmocka_unit_test(test_refuses_impossible_shapes),
        cmocka_unit_test(test_ignores_foreign_options),
        cmocka_unit_test(test_survives_anything),
        cmocka_unit_test(test_custom_ones_survive_anything),
        cmocka_unit_test(test_survives_each_failing_allocation),
        cmocka_unit_test(test_approximates),
        cmocka_unit_test(test_special_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
