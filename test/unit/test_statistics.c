/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics against straightforward sums, and what they do at the edges. */
#include "graph_reader.h"
#include "model_builder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/statistics.h"
#include "cpu/cpu.h"

typedef struct scene {
    bytes model;
    reader r;
    tqi_arena arena;
    tqi_constants constants;
    tqi_heap heap; /* of the statistics */
    tqi_statistics statistics;
    tq_error error;
} scene;

static const tqi_statistics_options everything = {NULL,       4096,  UINT32_MAX,
                                                  UINT64_MAX, false, UINT32_MAX};

static void begin(scene *s, mb_model *m, const tqi_statistics_options *options, uint64_t limit) {
    *s = (scene){.error = TQ_ERROR_INIT};
    s->model = mb_build(m);
    reader_open(&s->r, s->model);
    tqi_arena_init(&s->arena, &s->r.heap);
    assert_ok(tqi_find_constants(&s->r.graph, &s->arena, &s->constants, &s->error), &s->error);
    tqi_heap_init(&s->heap, NULL, limit);
    tqi_statistics_options able = *options;
    able.cpu_flags &= tqi_cpu_flags();
    assert_ok(tqi_statistics_begin(&s->statistics, &s->r.graph, &s->constants, 0, &able, &s->heap,
                                   &s->error),
              &s->error);
}

static void end(scene *s) {
    tqi_statistics_free(&s->statistics);
    assert_true(s->heap.used == 0);
    tqi_arena_free(&s->arena);
    reader_close(&s->r);
    free(s->model.data);
}

static uint32_t random_state = 1;

static float random_value(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return (float)(random_state >> 8) * 0x1p-23f - 0.75f;
}

static tqi_value make(mb_list shape) {
    tqi_value value = {.type = TQI_TYPE_FLOAT32, .rank = shape.count, .elements = 1};
    for (uint32_t d = 0; d < shape.count; d++) {
        value.shape[d] = shape.at[d];
        value.elements *= (uint64_t)shape.at[d];
    }
    value.data = malloc((size_t)value.elements * sizeof(float));
    assert_non_null(value.data);
    for (uint64_t i = 0; i < value.elements; i++)
        tqi_floats(&value)[i] = random_value();
    return value;
}

static void observe(scene *s, uint32_t op, const tqi_value *x, const tqi_value *y) {
    const tqi_value *inputs[] = {x, NULL, x};
    assert_ok(tqi_statistics_observe(&s->statistics, op, inputs, y, &s->error), &s->error);
}

/* ---- windows ---- */

enum {
    CONV = TQI_OP_CONV_2D,
    DEPTHWISE = TQI_OP_DEPTHWISE_CONV_2D,
    TRANSPOSED = TQI_OP_TRANSPOSE_CONV,
};
enum { SAME, VALID };

typedef struct window_case {
    int32_t builtin, input[4], filter[4], output[4];
    int32_t stride[2], dilation[2]; /* y, x */
    int32_t padding;
    int32_t before[2]; /* zeros above and to the left */
} window_case;

static const window_case windows[] = {
    {CONV, {1, 7, 6, 3}, {5, 3, 3, 3}, {1, 7, 6, 5}, {1, 1}, {1, 1}, SAME, {1, 1}},
    {CONV, {2, 7, 6, 3}, {5, 3, 2, 3}, {2, 5, 5, 5}, {1, 1}, {1, 1}, VALID, {0, 0}},
    {CONV, {1, 8, 9, 5}, {2, 3, 3, 5}, {1, 4, 5, 2}, {2, 2}, {1, 1}, SAME, {0, 1}},
    {CONV, {1, 9, 9, 2}, {2, 2, 3, 2}, {1, 4, 3, 2}, {2, 3}, {1, 1}, VALID, {0, 0}},
    {CONV, {1, 9, 8, 2}, {2, 3, 3, 2}, {1, 9, 8, 2}, {1, 1}, {2, 3}, SAME, {2, 3}},
    {CONV, {1, 9, 8, 2}, {2, 3, 3, 2}, {1, 5, 4, 2}, {1, 1}, {2, 2}, VALID, {0, 0}},
    {CONV, {1, 5, 5, 19}, {4, 1, 1, 19}, {1, 5, 5, 4}, {1, 1}, {1, 1}, SAME, {0, 0}},
    {CONV, {1, 5, 5, 8}, {4, 1, 1, 8}, {1, 3, 3, 4}, {2, 2}, {1, 1}, SAME, {0, 0}},
    {CONV, {1, 6, 6, 6}, {9, 3, 3, 2}, {1, 6, 6, 9}, {1, 1}, {1, 1}, SAME, {1, 1}},
    {CONV, {1, 1, 1, 4}, {3, 3, 3, 4}, {1, 1, 1, 3}, {1, 1}, {1, 1}, SAME, {1, 1}},
    {DEPTHWISE, {1, 7, 9, 19}, {1, 3, 3, 19}, {1, 7, 9, 19}, {1, 1}, {1, 1}, SAME, {1, 1}},
    {DEPTHWISE, {2, 8, 8, 4}, {1, 5, 5, 12}, {2, 4, 4, 12}, {2, 2}, {1, 1}, SAME, {1, 1}},
    {DEPTHWISE, {1, 9, 9, 8}, {1, 3, 3, 8}, {1, 5, 5, 8}, {1, 1}, {2, 2}, VALID, {0, 0}},
    {DEPTHWISE, {1, 6, 6, 1}, {1, 3, 3, 2}, {1, 6, 6, 2}, {1, 1}, {1, 1}, SAME, {1, 1}},
    {DEPTHWISE, {1, 6, 5, 45}, {1, 5, 5, 45}, {1, 6, 5, 45}, {1, 1}, {1, 1}, SAME, {2, 2}},
    {TRANSPOSED, {1, 4, 5, 3}, {2, 3, 3, 3}, {1, 8, 10, 2}, {2, 2}, {1, 1}, SAME, {0, 0}},
    {TRANSPOSED, {1, 4, 5, 3}, {2, 2, 3, 3}, {1, 8, 11, 2}, {2, 2}, {1, 1}, VALID, {0, 0}},
    {TRANSPOSED, {1, 3, 3, 2}, {2, 4, 4, 2}, {1, 3, 3, 2}, {1, 1}, {1, 1}, SAME, {1, 1}},
};

static mb_list list_of(const int32_t shape[4]) {
    return (mb_list){4, {shape[0], shape[1], shape[2], shape[3]}};
}

static void add_window(mb_model *m, const window_case *c) {
    static float filter[4096];
    size_t n = 1;
    for (uint32_t d = 0; d < 4; d++)
        n *= (size_t)c->filter[d];
    assert_true(n <= COUNT(filter));
    bool transposed = c->builtin == TRANSPOSED;
    bool depthwise = c->builtin == DEPTHWISE;
    mb_subgraph *s = &m->subgraphs[0];
    m->n_subgraphs = 1;
    m->opcodes[m->n_opcodes] = (mb_opcode){.builtin = c->builtin};
    int32_t x = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = list_of(c->input)});
    uint32_t buffer = mb_add_buffer(m, filter, n * sizeof(float));
    int32_t w =
        mb_add_tensor(s, (mb_tensor){.name = "w", .buffer = buffer, .shape = list_of(c->filter)});
    int32_t y = mb_add_tensor(s, (mb_tensor){.name = "y", .shape = list_of(c->output)});
    buffer = mb_add_buffer(m, c->output, 16);
    int32_t shape = mb_add_tensor(
        s,
        (mb_tensor){.name = "shape", .type = TQI_TYPE_INT32, .buffer = buffer, .shape = {1, {4}}});
    mb_op op = {.opcode = m->n_opcodes++, .inputs = {2, {x, w}}, .outputs = {1, {y}}};
    if (transposed)
        op.inputs = (mb_list){3, {shape, w, x}};
    op.options_type = transposed ? 49 : depthwise ? 2 : 1;
    op.options[0] = (uint8_t)c->padding;
    op.options[1] = (uint8_t)c->stride[1];
    op.options[2] = (uint8_t)c->stride[0];
    if (depthwise)
        op.options[3] = (uint8_t)(c->filter[3] / c->input[3]);
    if (!transposed) {
        op.options[depthwise ? 5 : 4] = (uint8_t)c->dilation[1];
        op.options[depthwise ? 6 : 5] = (uint8_t)c->dilation[0];
    }
    mb_add_op(s, op);
    s->inputs = (mb_list){1, {x}};
    s->outputs = (mb_list){1, {y}};
}

/* The input position that a tap meets at an output position; false: none. */
static bool meets(const window_case *c, int32_t out, int32_t tap, bool vertical, int32_t *in) {
    int32_t stride = c->stride[!vertical], dilation = c->dilation[!vertical];
    int32_t before = c->before[!vertical], size = c->input[vertical ? 1 : 2];
    if (c->builtin == TRANSPOSED) {
        for (*in = 0; *in < size; ++*in)
            if (*in * stride + tap - before == out)
                return true;
        return false;
    }
    *in = out * stride - before + tap * dilation;
    return *in >= 0 && *in < size;
}

/* Element of a patch of all channels. */
static double patch_at(const window_case *c, const tqi_value *x, int32_t image, int32_t oy,
                       int32_t ox, size_t element) {
    size_t channels = (size_t)c->input[3], tap = element / channels;
    int32_t width = c->filter[2], iy, ix;
    if (!meets(c, oy, (int32_t)tap / width, true, &iy) ||
        !meets(c, ox, (int32_t)tap % width, false, &ix))
        return 0;
    size_t pixel = (size_t)((image * c->input[1] + iy) * c->input[2] + ix);
    return (double)tqi_floats(x)[pixel * channels + element % channels];
}

/* E[p_a p_b], or E[p_a] where b is SIZE_MAX. */
static double expectation(const window_case *c, const tqi_value *x, size_t a, size_t b) {
    double sum = 0;
    int32_t n = 0;
    for (int32_t image = 0; image < c->input[0]; image++)
        for (int32_t oy = 0; oy < c->output[1]; oy++)
            for (int32_t ox = 0; ox < c->output[2]; ox++, n++) {
                double p = patch_at(c, x, image, oy, ox, a);
                sum += b == SIZE_MAX ? p : p * patch_at(c, x, image, oy, ox, b);
            }
    return sum / n;
}

static void assert_close(double found, double expected, double tolerance) {
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%.9g, expected %.9g", found, expected);
}

static void convolutions(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(windows); i++) {
        const window_case *c = &windows[i];
        mb_model m = {0};
        scene s;
        add_window(&m, c);
        begin(&s, &m, &everything, 0);
        tqi_layer_statistics *layer = tqi_statistics_layer(&s.statistics, 0);
        assert_non_null(layer);
        tqi_value x = make(list_of(c->input)), y = make(list_of(c->output));
        observe(&s, 0, &x, &y);
        assert_int_equal(layer->skipped, 0);
        assert_ok(tqi_statistics_finish(&s.statistics, &s.error), &s.error);

        uint32_t share = c->builtin == DEPTHWISE ? 1 : (uint32_t)c->filter[3];
        uint64_t positions = (uint64_t)(c->output[0] * c->output[1] * c->output[2]);
        assert_int_equal(layer->taps, c->filter[1] * c->filter[2]);
        assert_int_equal(layer->channels, c->input[3]);
        assert_int_equal(tqi_layer_share(layer), share);
        assert_true(layer->total.positions == positions && layer->total.patches == positions);
        assert_true(tqi_layer_has_means(layer) && tqi_layer_has_gram(layer));
        double trace = 0;
        uint32_t length = tqi_layer_length(layer);
        double *covariance = malloc(length * length * sizeof *covariance);
        assert_non_null(covariance);
        for (uint32_t g = 0; g < layer->groups; g++) {
            tqi_layer_covariance(layer, g, covariance);
            for (uint32_t a = 0; a < length; a++) {
                size_t at = tqi_layer_index(layer, g, a);
                double mean = expectation(c, &x, at, SIZE_MAX);
                assert_close(layer->total.means[at], mean, 1e-12);
                assert_close(layer->total.patch_means[at], mean, 1e-12);
                for (uint32_t b = 0; b <= a; b++) {
                    size_t other = tqi_layer_index(layer, g, b);
                    double product = expectation(c, &x, at, other);
                    size_t place = tqi_layer_gram_index(layer, g, a, b);
                    assert_close((double)layer->total.gram[place], product, 1e-6);
                    product -= mean * expectation(c, &x, other, SIZE_MAX);
                    assert_close(covariance[a * length + b], product, 1e-6);
                    assert_true(covariance[b * length + a] == covariance[a * length + b]);
                    trace += a == b ? (double)layer->total.gram[place] : 0;
                }
            }
        }
        assert_close(layer->total.energy, trace, 1e-5 * trace);
        double square = 0;
        float low = 2, high = -2;
        for (uint64_t e = 0; e < y.elements; e++) {
            float v = tqi_floats(&y)[e];
            square += (double)v * (double)v;
            low = fminf(low, v);
            high = fmaxf(high, v);
        }
        assert_close(layer->total.output_square, square / (double)y.elements, 1e-12);
        assert_true(layer->output_min == low && layer->output_max == high);
        free(covariance);
        free(x.data);
        free(y.data);
        end(&s);
    }
}

/* ---- matrices ---- */

static void add_matrix(mb_model *m, int32_t builtin, mb_list input, mb_list weight,
                       uint8_t first_option, uint8_t second_option) {
    static float data[4096];
    mb_subgraph *s = &m->subgraphs[0];
    m->n_subgraphs = 1;
    size_t n = 1;
    for (uint32_t d = 0; d < weight.count; d++)
        n *= (size_t)weight.at[d];
    assert_true(n <= COUNT(data));
    m->opcodes[m->n_opcodes] = (mb_opcode){.builtin = builtin};
    int32_t x = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = input});
    uint32_t buffer = mb_add_buffer(m, data, n * sizeof(float));
    int32_t w = mb_add_tensor(s, (mb_tensor){.name = "w", .buffer = buffer, .shape = weight});
    int32_t y = mb_add_tensor(s, (mb_tensor){.name = "y", .shape = input});
    mb_add_op(s, (mb_op){.opcode = m->n_opcodes++,
                         .inputs = {2, {x, w}},
                         .outputs = {1, {y}},
                         .options_type = builtin == TQI_OP_BATCH_MATMUL ? 101 : 8,
                         .options = {first_option, second_option}});
    s->inputs = (mb_list){1, {x}};
    s->outputs = (mb_list){1, {y}};
}

static void matrices(void **state) {
    (void)state;
    static const struct {
        int32_t builtin;
        mb_list input, weight;
        uint8_t adj_x, adj_y;
        bool known;
    } cases[] = {
        {TQI_OP_FULLY_CONNECTED, {2, {5, 13}}, {2, {3, 13}}, 0, 0, true},
        {TQI_OP_FULLY_CONNECTED, {4, {1, 2, 3, 4}}, {2, {3, 24}}, 0, 0, true},
        {TQI_OP_FULLY_CONNECTED, {3, {2, 70, 9}}, {2, {3, 9}}, 0, 0, true},
        {TQI_OP_BATCH_MATMUL, {3, {2, 7, 6}}, {2, {6, 3}}, 0, 0, true},
        {TQI_OP_BATCH_MATMUL, {3, {2, 7, 6}}, {3, {1, 3, 6}}, 0, 1, true},
        {TQI_OP_BATCH_MATMUL, {3, {2, 6, 7}}, {2, {6, 3}}, 1, 0, false},
        {TQI_OP_BATCH_MATMUL, {3, {2, 7, 6}}, {3, {2, 6, 3}}, 0, 0, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        mb_model m = {0};
        scene s;
        add_matrix(&m, cases[i].builtin, cases[i].input, cases[i].weight, cases[i].adj_x,
                   cases[i].adj_y);
        begin(&s, &m, &everything, 0);
        tqi_value x = make(cases[i].input);
        const float *values = tqi_floats(&x);
        observe(&s, 0, &x, &x);
        assert_ok(tqi_statistics_finish(&s.statistics, &s.error), &s.error);
        const tqi_layer_statistics *layer = tqi_statistics_layer(&s.statistics, 0);
        assert_true((layer != NULL) == cases[i].known);
        size_t length = layer ? layer->channels : 0, rows = layer ? x.elements / length : 0;
        if (layer)
            assert_true(layer->total.positions == rows && layer->groups == 1);
        for (uint32_t a = 0; a < length; a++)
            for (uint32_t b = 0; b <= a; b++) {
                double mean = 0, product = 0;
                for (size_t r = 0; r < rows; r++) {
                    mean += (double)values[r * length + a];
                    product += (double)values[r * length + a] * (double)values[r * length + b];
                }
                assert_close(layer->total.means[a], mean / (double)rows, 1e-12);
                assert_close((double)layer->total.gram[tqi_layer_gram_index(layer, 0, a, b)],
                             product / (double)rows, 1e-6);
            }
        free(x.data);
        end(&s);
    }
}

/* Rows that are told apart by where their only value is. */
static void patches_are_spread(void **state) {
    (void)state;
    enum { ROWS = 60, PART = 20 };
    tqi_statistics_options options = everything;
    options.patches_per_run = PART;
    mb_model m = {0};
    scene s;
    add_matrix(&m, TQI_OP_FULLY_CONNECTED, (mb_list){2, {ROWS, ROWS}}, (mb_list){2, {2, ROWS}}, 0,
               0);
    begin(&s, &m, &options, 0);
    tqi_value x = make((mb_list){2, {ROWS, ROWS}});
    for (size_t i = 0; i < x.elements; i++)
        tqi_floats(&x)[i] = i / ROWS == i % ROWS ? 1.0f : 0.0f;
    tqi_layer_statistics *layer = tqi_statistics_layer(&s.statistics, 0);
    for (uint32_t run = 1; run <= ROWS / PART; run++) {
        uint32_t largest_gap = 0, gap = 0;
        float before[ROWS] = {0};
        for (uint32_t i = 0; run > 1 && i < ROWS; i++)
            before[i] = layer->set.gram[tqi_layer_gram_index(layer, 0, i, i)];
        observe(&s, 0, &x, &x);
        assert_true(layer->set.patches == run * PART);
        for (uint32_t i = 0; i < ROWS; i++) {
            float times = layer->set.gram[tqi_layer_gram_index(layer, 0, i, i)];
            assert_true(times <= 1); /* none comes again before all were there */
            gap = times > before[i] ? 0 : gap + 1;
            largest_gap = gap > largest_gap ? gap : largest_gap;
        }
        assert_true(largest_gap < 8);
    }
    free(x.data);
    end(&s);
}

/* ---- sets ---- */

static void sets_count_by_energy(void **state) {
    (void)state;
    enum { N = 12 };
    mb_model m = {0};
    scene s;
    add_matrix(&m, TQI_OP_FULLY_CONNECTED, (mb_list){2, {30, N}}, (mb_list){2, {2, N}}, 0, 0);
    begin(&s, &m, &everything, 0);
    double weight[3] = {1, 1, 2.5}, mean[N] = {0}, gram[N][N] = {{0}}, output = 0, sum = 0;
    tqi_value x = make((mb_list){2, {30, N}});
    const float *values = tqi_floats(&x);
    for (size_t set = 0; set < 3; set++) {
        double energy = 0;
        for (size_t i = 0; i < x.elements; i++)
            tqi_floats(&x)[i] = random_value() * (set == 1 ? 100.0f : 1.0f);
        for (size_t i = 0; i < x.elements; i++)
            energy += (double)values[i] * (double)values[i] / 30;
        observe(&s, 0, &x, &x);
        observe(&s, 0, &x, &x);
        double w = weight[set] / energy;
        sum += w;
        output += w * energy / N;
        for (size_t r = 0; r < 30; r++)
            for (size_t a = 0; a < N; a++) {
                mean[a] += w * (double)values[r * N + a] / 30;
                for (size_t b = 0; b < N; b++)
                    gram[a][b] += w * (double)values[r * N + a] * (double)values[r * N + b] / 30;
            }
        if (set < 2)
            assert_ok(tqi_statistics_end_set(&s.statistics, weight[set], &s.error), &s.error);
        else { /* the last one; a set in which nothing runs doesn't matter */
            assert_ok(tqi_statistics_end_set(&s.statistics, weight[set], &s.error), &s.error);
            assert_ok(tqi_statistics_end_set(&s.statistics, 1000, &s.error), &s.error);
        }
    }
    assert_failed(TQ_ERR_INVALID_ARGUMENT, tqi_statistics_end_set(&s.statistics, 0, &s.error),
                  &s.error);
    /* nor does one that is all zero */
    memset(x.data, 0, (size_t)x.elements * sizeof(float));
    observe(&s, 0, &x, &x);
    assert_ok(tqi_statistics_finish(&s.statistics, &s.error), &s.error);
    const tqi_layer_statistics *layer = tqi_statistics_layer(&s.statistics, 0);
    assert_int_equal(layer->runs, 7);
    assert_close(layer->total.output_square / (output / sum), 1, 1e-9);
    for (uint32_t a = 0; a < N; a++) {
        assert_close(layer->total.means[a], mean[a] / sum, 1e-9);
        for (uint32_t b = 0; b <= a; b++)
            assert_close((double)layer->total.gram[tqi_layer_gram_index(layer, 0, a, b)],
                         gram[a][b] / sum, 1e-4);
    }
    free(x.data);
    end(&s);
}

/* ---- edges ---- */

static void same_bits(const window_case *c, uint32_t patches) {
    static const uint32_t disabled[] = {0, 0, TQ_CPU_AVX512, UINT32_MAX};
    tqi_statistics_options options = everything;
    options.patches_per_run = patches;
    scene s[COUNT(disabled)];
    for (size_t i = 0; i < COUNT(disabled); i++) {
        mb_model m = {0};
        random_state = 99;
        add_window(&m, c);
        options.cpu_flags = ~disabled[i];
        begin(&s[i], &m, &options, 0);
        for (size_t run = 0; run < 3; run++) {
            tqi_value x = make(list_of(c->input)), y = make(list_of(c->output));
            observe(&s[i], 0, &x, &y);
            free(x.data);
            free(y.data);
        }
        assert_ok(tqi_statistics_finish(&s[i].statistics, &s[i].error), &s[i].error);
    }
    const tqi_layer_statistics *a = &s[0].statistics.layers[0];
    assert_int_equal(a->total.patches, 3 * patches);
    for (size_t i = 1; i < COUNT(disabled); i++) {
        const tqi_layer_statistics *b = &s[i].statistics.layers[0];
        assert_true(a->total.memory_size == b->total.memory_size);
        assert_memory_equal(a->total.means, b->total.means, a->total.memory_size);
        assert_memory_equal(&a->total.energy, &b->total.energy, sizeof a->total.energy);
        assert_memory_equal(&a->total.output_square, &b->total.output_square,
                            sizeof a->total.output_square);
        assert_true(a->output_min == b->output_min && a->output_max == b->output_max);
    }
    for (size_t i = 0; i < COUNT(disabled); i++)
        end(&s[i]);
}

/* Every time and on every level. */
static void the_same_bits(void **state) {
    (void)state;
    static const window_case dense = {CONV,   {1, 40, 40, 16}, {4, 3, 3, 16}, {1, 40, 40, 4},
                                      {1, 1}, {1, 1},          SAME,          {1, 1}};
    static const window_case depthwise = {
        DEPTHWISE, {1, 41, 40, 45}, {1, 5, 5, 45}, {1, 21, 20, 45}, {2, 2}, {1, 1}, SAME, {2, 1}};
    same_bits(&dense, 500);
    same_bits(&depthwise, 300);
}

static void unusable_runs_are_counted(void **state) {
    (void)state;
    const window_case *c = &windows[0];
    mb_model m = {0};
    scene s;
    add_window(&m, c);
    begin(&s, &m, &everything, 0);
    tqi_layer_statistics *layer = tqi_statistics_layer(&s.statistics, 0);
    tqi_value x = make(list_of(c->input)), y = make(list_of(c->output));
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3e30f};
    for (size_t i = 0; i < COUNT(bad); i++) {
        float was = tqi_floats(&x)[5];
        tqi_floats(&x)[5] = bad[i];
        observe(&s, 0, &x, &y);
        tqi_floats(&x)[5] = was;
        was = tqi_floats(&y)[5];
        tqi_floats(&y)[5] = bad[i];
        observe(&s, 0, &x, &y);
        tqi_floats(&y)[5] = was;
    }
    assert_int_equal(layer->skipped, 8);
    for (uint32_t d = 0; d < 4; d++) {
        tqi_value other = x;
        other.shape[d] += 7;
        observe(&s, 0, &other, &y);
    }
    tqi_value typed = x, empty = x;
    typed.type = TQI_TYPE_INT32;
    empty.data = NULL;
    observe(&s, 0, &typed, &y);
    observe(&s, 0, &empty, &y);
    observe(&s, 0, NULL, &y);
    assert_int_equal(layer->skipped, 15);
    assert_int_equal(layer->runs, 0);
    assert_false(tqi_layer_has_means(layer));
    observe(&s, 0, &x, &y);
    observe(&s, 1, &x, &y); /* there is no such operator */
    assert_ok(tqi_statistics_finish(&s.statistics, &s.error), &s.error);
    assert_true(layer->runs == 1 && tqi_layer_has_gram(layer));
    assert_true(layer->output_max < 2);
    free(x.data);
    free(y.data);
    end(&s);
}

/* Three layers with patches of 27, 9 and 50 elements. */
static void add_layers(mb_model *m) {
    add_window(m, &windows[0]);
    add_matrix(m, TQI_OP_FULLY_CONNECTED, (mb_list){2, {4, 9}}, (mb_list){2, {3, 9}}, 0, 0);
    add_matrix(m, TQI_OP_FULLY_CONNECTED, (mb_list){2, {4, 50}}, (mb_list){2, {3, 50}}, 0, 0);
}

static void budgets(void **state) {
    (void)state;
    enum { SMALL = 9 * 10 / 2 * 4, MIDDLE = 27 * 28 / 2 * 4, LARGE = 50 * 51 / 2 * 4 };
    static const bool wanted[] = {false, true, true};
    static const struct {
        tqi_statistics_options options;
        tqi_gram_state states[3];
        uint64_t bytes;
    } cases[] = {
        {{NULL, 50, 1, UINT64_MAX, true, 0},
         {TQI_GRAM_KEPT, TQI_GRAM_KEPT, TQI_GRAM_KEPT},
         SMALL + MIDDLE + LARGE},
        {{NULL, 49, 1, UINT64_MAX, true, 0},
         {TQI_GRAM_KEPT, TQI_GRAM_KEPT, TQI_GRAM_TOO_LONG},
         SMALL + MIDDLE},
        {{NULL, 50, 1, SMALL + MIDDLE, true, 0},
         {TQI_GRAM_KEPT, TQI_GRAM_KEPT, TQI_GRAM_NO_ROOM},
         SMALL + MIDDLE},
        {{NULL, 50, 1, SMALL + MIDDLE, false, 0},
         {TQI_GRAM_NO_ROOM, TQI_GRAM_KEPT, TQI_GRAM_NO_ROOM},
         2 * SMALL},
        {{NULL, 50, 1, SMALL + MIDDLE - 1, true, 0},
         {TQI_GRAM_NO_ROOM, TQI_GRAM_KEPT, TQI_GRAM_NO_ROOM},
         SMALL},
        {{wanted, 50, 1, UINT64_MAX, true, 0},
         {TQI_GRAM_UNWANTED, TQI_GRAM_KEPT, TQI_GRAM_KEPT},
         SMALL + LARGE},
        {{NULL, 0, 1, UINT64_MAX, true, 0},
         {TQI_GRAM_UNWANTED, TQI_GRAM_UNWANTED, TQI_GRAM_UNWANTED},
         0},
        {{NULL, 50, 0, UINT64_MAX, true, 0},
         {TQI_GRAM_UNWANTED, TQI_GRAM_UNWANTED, TQI_GRAM_UNWANTED},
         0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        mb_model m = {0};
        scene s;
        add_layers(&m);
        begin(&s, &m, &cases[i].options, 0);
        assert_int_equal(s.statistics.n_layers, 3);
        assert_true(s.statistics.gram_bytes == cases[i].bytes);
        tqi_value x = make((mb_list){2, {4, 9}});
        observe(&s, 1, &x, &x);
        assert_ok(tqi_statistics_finish(&s.statistics, &s.error), &s.error);
        for (uint32_t op = 0; op < 3; op++) {
            const tqi_layer_statistics *layer = tqi_statistics_layer(&s.statistics, op);
            assert_int_equal(layer->gram_state, cases[i].states[op]);
            assert_true(tqi_layer_has_means(layer) == (op == 1));
            assert_true(tqi_layer_has_gram(layer) ==
                        (op == 1 && layer->gram_state == TQI_GRAM_KEPT));
        }
        free(x.data);
        end(&s);
    }
}

static void memory_limits(void **state) {
    (void)state;
    uint64_t limit = 2048; /* enough to begin */
    tq_status status = TQ_ERR_MEMORY_LIMIT;
    for (; status != TQ_OK; limit += 300) {
        mb_model m = {0};
        scene s;
        add_layers(&m);
        begin(&s, &m, &everything, limit);
        tqi_value x = make(list_of(windows[0].input)), y = make(list_of(windows[0].output));
        const tqi_value *inputs[] = {&x, NULL, NULL};
        status = tqi_statistics_observe(&s.statistics, 0, inputs, &y, &s.error);
        if (status != TQ_OK)
            assert_failed(TQ_ERR_MEMORY_LIMIT, status, &s.error);
        free(x.data);
        free(y.data);
        end(&s);
    }
    assert_in_range(limit, 5000, 100000);
}

/* As a loader would do it. */
static void filled_in_from_elsewhere(void **state) {
    (void)state;
    mb_model m = {0};
    scene s;
    add_layers(&m);
    begin(&s, &m, &everything, 0);
    tqi_layer_statistics *layer = tqi_statistics_layer(&s.statistics, 1);
    assert_ok(tqi_moments_open(layer, &layer->total, &s.heap, &s.error), &s.error);
    for (uint32_t i = 0; i < 9; i++) {
        layer->total.means[i] = layer->total.patch_means[i] = i;
        for (uint32_t j = 0; j <= i; j++)
            layer->total.gram[tqi_layer_gram_index(layer, 0, i, j)] = (float)(i * j + (i == j));
    }
    layer->total.positions = layer->total.patches = 100;
    assert_true(tqi_layer_has_means(layer) && tqi_layer_has_gram(layer));
    double covariance[81];
    tqi_layer_covariance(layer, 0, covariance);
    for (uint32_t i = 0; i < 81; i++)
        assert_true(covariance[i] == (i % 10 == 0));
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),
        cmocka_unit_test(matrices),
        cmocka_unit_test(patches_are_spread),
        cmocka_unit_test(sets_count_by_energy),
        cmocka_unit_test(the_same_bits),
        cmocka_unit_test(unusable_runs_are_counted),
        cmocka_unit_test(budgets),
        cmocka_unit_test(memory_limits),
        cmocka_unit_test(filled_in_from_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
