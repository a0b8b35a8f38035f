/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and products of matrices against sums in double precision, written down as the
 * definitions say, on each level. */
#include "small_run.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 18 };
static float input[MOST], filter[MOST], bias[256];
static double want[MOST];

static const double TOLERANCE = 2e-6;

/* ---- one axis, as LiteRT pads ---- */

static int out_size(int in, int taps, int stride, int dilation, int padding) {
    int reach = (taps - 1) * dilation + 1;
    return padding == SAME ? (in + stride - 1) / stride : (in - reach + stride) / stride;
}

static int pad_before(int in, int out, int taps, int stride, int dilation) {
    int total = (out - 1) * stride + (taps - 1) * dilation + 1 - in;
    return total > 0 ? total / 2 : 0;
}

static double activate(double x, int activation) {
    if ((activation == 1 || activation == 3) && x < 0)
        return 0;
    if (activation == 2 && x < -1)
        return -1;
    return activation == 3 && x > 6 ? 6 : activation == 2 && x > 1 ? 1 : x;
}

/* ---- CONV_2D and DEPTHWISE_CONV_2D ---- */

typedef struct shape_case {
    int n, h, w, c;        /* input */
    int kh, kw, out, in_c; /* filter; in_c 0: depthwise */
    int sh, sw, dh, dw, padding, activation;
    bool no_bias;
} shape_case;

static double at(const shape_case *s, int n, int y, int x, int c) {
    if (y < 0 || y >= s->h || x < 0 || x >= s->w)
        return 0;
    return (double)input[((n * s->h + y) * s->w + x) * s->c + c];
}

/* The sum for output channel o; the filter is [out][kh][kw][in_c], or [kh][kw][out]. */
static double sum_at(const shape_case *s, int n, int y, int x, int o) {
    int groups = s->in_c ? s->c / s->in_c : 0, per_group = groups ? s->out / groups : 0;
    double sum = 0;
    for (int i = 0; i < s->kh; i++)
        for (int j = 0; j < s->kw; j++) {
            int iy = y + i * s->dh, ix = x + j * s->dw;
            if (!s->in_c) {
                sum += at(s, n, iy, ix, o / (s->out / s->c)) *
                       (double)filter[(i * s->kw + j) * s->out + o];
                continue;
            }
            for (int c = 0; c < s->in_c; c++)
                sum += at(s, n, iy, ix, o / per_group * s->in_c + c) *
                       (double)filter[((o * s->kh + i) * s->kw + j) * s->in_c + c];
        }
    return sum;
}

static void check_shape(const shape_case *s) {
    bool depthwise = s->in_c == 0;
    int oh = out_size(s->h, s->kh, s->sh, s->dh, s->padding);
    int ow = out_size(s->w, s->kw, s->sw, s->dw, s->padding);
    int ph = pad_before(s->h, oh, s->kh, s->sh, s->dh);
    int pw = pad_before(s->w, ow, s->kw, s->sw, s->dw);
    one_op op = {
        .builtin = depthwise ? OP_DEPTHWISE_CONV_2D : OP_CONV_2D,
        .options_type = depthwise ? OPTIONS_DEPTHWISE : OPTIONS_CONV_2D,
        .input = {4, {s->n, s->h, s->w, s->c}},
        .n_constants = s->no_bias ? 1 : 2,
        .shapes = {{4, {depthwise ? 1 : s->out, s->kh, s->kw, depthwise ? s->out : s->in_c}},
                   {1, {s->out}}},
        .data = {filter, bias}};
    uint8_t conv[MB_OPTIONS] = {(uint8_t)s->padding,    (uint8_t)s->sw, (uint8_t)s->sh,
                                (uint8_t)s->activation, (uint8_t)s->dw, (uint8_t)s->dh};
    uint8_t depth[MB_OPTIONS] = {
        (uint8_t)s->padding,    (uint8_t)s->sw, (uint8_t)s->sh, (uint8_t)(s->out / s->c),
        (uint8_t)s->activation, (uint8_t)s->dw, (uint8_t)s->dh};
    memcpy(op.options, depthwise ? depth : conv, sizeof op.options);
    assert_true(small_elements(op.input) <= MOST && small_elements(op.shapes[0]) <= MOST);
    small_fill(input, small_elements(op.input), 1);
    small_fill(filter, small_elements(op.shapes[0]), 2);
    small_fill(bias, COUNT(bias), 3);
    size_t count = 0;
    for (int n = 0; n < s->n; n++)
        for (int y = 0; y < oh; y++)
            for (int x = 0; x < ow; x++)
                for (int o = 0; o < s->out; o++)
                    want[count++] = activate(sum_at(s, n, y * s->sh - ph, x * s->sw - pw, o) +
                                                 (s->no_bias ? 0 : (double)bias[o]),
                                             s->activation);
    tqi_value got = small_run_all(&op, input);
    assert_non_null(got.data);
    const int32_t shape[] = {s->n, oh, ow, s->out};
    assert_int_equal(got.rank, 4);
    assert_memory_equal(got.shape, shape, sizeof shape);
    double difference = small_difference(tqi_floats(&got), want, count);
    if (difference > TOLERANCE)
        print_error("%dx%dx%dx%d, filter %dx%dx%dx%d, stride %dx%d, dilation %dx%d, padding %d\n",
                    s->n, s->h, s->w, s->c, s->out, s->kh, s->kw, s->in_c, s->sh, s->sw, s->dh,
                    s->dw, s->padding);
    assert_true(difference <= TOLERANCE);
}

static void convolutions(void **state) {
    (void)state;
    static const shape_case cases[] = {
        {1, 8, 8, 3, 3, 3, 5, 3, 2, 2, 1, 1, SAME, 0, false},   /* odd padding is behind */
        {2, 7, 9, 4, 2, 2, 16, 4, 2, 2, 1, 1, SAME, 1, false},  /* even filter */
        {1, 5, 5, 2, 2, 4, 17, 2, 1, 1, 1, 1, SAME, 3, false},  /* padding 0 and 1, 1 and 2 */
        {1, 9, 11, 3, 3, 3, 4, 3, 1, 1, 2, 3, SAME, 2, false},  /* dilation, per axis */
        {1, 9, 11, 3, 3, 2, 4, 3, 1, 2, 2, 1, VALID, 0, true},  /* no bias */
        {1, 2, 2, 3, 5, 5, 33, 3, 1, 1, 1, 1, SAME, 0, false},  /* filter beyond the image */
        {1, 3, 3, 2, 3, 3, 4, 2, 1, 1, 4, 4, SAME, 0, false},   /* all taps but one beyond */
        {1, 6, 6, 8, 3, 3, 6, 4, 1, 1, 1, 1, SAME, 0, false},   /* 2 groups */
        {2, 6, 5, 6, 1, 1, 51, 2, 1, 1, 1, 1, VALID, 1, false}, /* 3 groups, pixels as they are */
        {1, 6, 5, 6, 1, 1, 20, 6, 2, 3, 1, 1, SAME, 0, false},  /* 1x1 with strides */
        {3, 11, 10, 33, 1, 1, 31, 33, 1, 1, 1, 1, SAME, 0, false}, /* many rows */
        {1, 4, 4, 70, 2, 2, 9, 70, 1, 1, 1, 1, SAME, 0, false},    /* deeper than a block */
        {1, 1, 1, 256, 1, 1, 16, 256, 1, 1, 1, 1, VALID, 0, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        check_shape(&cases[i]);
}

/* What several threads share. */
static void large_convolutions(void **state) {
    (void)state;
    static const shape_case cases[] = {
        {1, 31, 30, 16, 3, 3, 40, 16, 1, 1, 1, 1, SAME, 1, false},
        {1, 40, 41, 8, 3, 3, 120, 4, 1, 1, 1, 1, SAME, 0, false},   /* 2 groups */
        {1, 37, 40, 40, 1, 1, 50, 40, 1, 1, 1, 1, VALID, 0, false}, /* pixels as they are */
        {1, 79, 80, 40, 3, 3, 40, 0, 1, 1, 1, 1, SAME, 3, false},   /* depthwise */
        {1, 84, 90, 1, 6, 6, 8, 0, 1, 1, 1, 1, SAME, 0, false},     /* multiplier 8 */
        {1, 250, 249, 4, 3, 3, 4, 0, 1, 1, 1, 1, VALID, 0, false},  /* less than a vector */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        small_shared = 0;
        check_shape(&cases[i]);
        assert_true(small_shared > 0);
    }
}

static void depthwise_convolutions(void **state) {
    (void)state;
    static const shape_case cases[] = {
        {1, 8, 8, 16, 3, 3, 16, 0, 2, 2, 1, 1, SAME, 0, false},
        {2, 7, 9, 40, 2, 2, 40, 0, 2, 2, 1, 1, SAME, 3,
         false}, /* channels: two and a half vectors */
        {1, 9, 20, 17, 3, 5, 17, 0, 1, 1, 1, 1, SAME, 1, true},
        {1, 9, 9, 32, 3, 3, 32, 0, 1, 1, 2, 2, SAME, 0, false},
        {1, 9, 9, 3, 3, 3, 3, 0, 1, 1, 1, 1, VALID, 0, false}, /* less than a vector */
        {1, 6, 7, 1, 3, 3, 8, 0, 1, 2, 1, 1, SAME, 0, false},  /* multiplier 8 */
        {2, 6, 7, 5, 3, 3, 20, 0, 2, 1, 1, 1, SAME, 2, false}, /* multiplier 4 */
        {1, 2, 2, 24, 7, 7, 24, 0, 1, 1, 1, 1, SAME, 0, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        check_shape(&cases[i]);
}

/* ---- TRANSPOSE_CONV: each input is spread over the outputs ---- */

typedef struct transpose_case {
    int n, h, w, c, kh, kw, out, sh, sw, padding, oh, ow;
    bool has_bias;
} transpose_case;

static void check_transposed(const transpose_case *t) {
    const int32_t shape[] = {t->n, t->oh, t->ow, t->out};
    float as_floats[4];
    memcpy(as_floats, shape, sizeof shape);
    one_op op = {.builtin = OP_TRANSPOSE_CONV,
                 .options_type = OPTIONS_TRANSPOSE_CONV,
                 .options = {(uint8_t)t->padding, (uint8_t)t->sw, (uint8_t)t->sh},
                 .input = {4, {t->n, t->h, t->w, t->c}},
                 .n_constants = t->has_bias ? 3 : 2,
                 .shapes = {{1, {4}}, {4, {t->out, t->kh, t->kw, t->c}}, {1, {t->out}}},
                 .data = {as_floats, filter, bias},
                 .order = {t->has_bias ? 4 : 3, {1, 2, 0, 3}}};
    small_fill(input, small_elements(op.input), 4);
    small_fill(filter, small_elements(op.shapes[1]), 5);
    small_fill(bias, COUNT(bias), 6);
    int ph = pad_before(t->oh, out_size(t->oh, t->kh, t->sh, 1, t->padding), t->kh, t->sh, 1);
    int pw = pad_before(t->ow, out_size(t->ow, t->kw, t->sw, 1, t->padding), t->kw, t->sw, 1);
    size_t count = (size_t)(t->n * t->oh * t->ow * t->out);
    for (size_t i = 0; i < count; i++)
        want[i] = t->has_bias ? (double)bias[i % (size_t)t->out] : 0;
    for (int n = 0; n < t->n; n++)
        for (int y = 0; y < t->h * t->kh; y++)
            for (int x = 0; x < t->w * t->kw; x++) {
                int iy = y / t->kh, i = y % t->kh, ix = x / t->kw, j = x % t->kw;
                int oy = iy * t->sh + i - ph, ox = ix * t->sw + j - pw;
                if (oy < 0 || oy >= t->oh || ox < 0 || ox >= t->ow)
                    continue;
                for (int o = 0; o < t->out; o++)
                    for (int c = 0; c < t->c; c++)
                        want[((n * t->oh + oy) * t->ow + ox) * t->out + o] +=
                            (double)input[((n * t->h + iy) * t->w + ix) * t->c + c] *
                            (double)filter[((o * t->kh + i) * t->kw + j) * t->c + c];
            }
    tqi_value got = small_run_all(&op, input);
    assert_non_null(got.data);
    assert_memory_equal(got.shape, shape, sizeof shape);
    assert_true(small_difference(tqi_floats(&got), want, count) <= TOLERANCE);
}

static void transposed_convolutions(void **state) {
    (void)state;
    static const transpose_case cases[] = {
        {1, 4, 5, 3, 3, 3, 7, 2, 2, SAME, 8, 10, true},
        {2, 4, 4, 3, 2, 2, 16, 2, 2, SAME, 8, 8, false},
        {1, 4, 4, 2, 4, 4, 5, 2, 2, SAME, 8, 8, true},
        {1, 3, 4, 2, 3, 3, 5, 2, 2, VALID, 7, 9, true},
        {1, 3, 4, 2, 2, 2, 5, 3, 3, VALID, 8, 11, true}, /* outputs that no tap reaches */
        {1, 4, 4, 20, 3, 3, 18, 1, 1, SAME, 4, 4, false},
        {1, 3, 3, 2, 3, 3, 2, 2, 2, SAME, 5, 5, true}, /* odd output */
        {1, 3, 3, 2, 5, 5, 2, 2, 3, VALID, 9, 11, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        check_transposed(&cases[i]);
    small_shared = 0;
    check_transposed(&(transpose_case){1, 40, 41, 20, 4, 4, 17, 2, 2, SAME, 80, 82, true});
    assert_int_equal(small_shared, 4); /* phases */
}

/* ---- FULLY_CONNECTED ---- */

static tqi_value connect(mb_list x, int32_t rows, int32_t depth, bool keep_dims, bool has_bias) {
    one_op op = {.builtin = OP_FULLY_CONNECTED,
                 .options_type = OPTIONS_FULLY_CONNECTED,
                 .options = {1, 0, keep_dims},
                 .input = x,
                 .n_constants = has_bias ? 2 : 1,
                 .shapes = {{2, {rows, depth}}, {1, {rows}}},
                 .data = {filter, bias}};
    size_t n = small_elements(x) / (size_t)depth;
    small_fill(input, small_elements(x), 7);
    small_fill(filter, small_elements(op.shapes[0]), 8);
    small_fill(bias, COUNT(bias), 9);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < (size_t)rows; j++) {
            double sum = has_bias ? (double)bias[j] : 0;
            for (size_t k = 0; k < (size_t)depth; k++)
                sum += (double)input[i * (size_t)depth + k] * (double)filter[j * (size_t)depth + k];
            want[i * (size_t)rows + j] = activate(sum, 1);
        }
    tqi_value got = small_run_all(&op, input);
    if (got.data) {
        assert_int_equal(got.elements, n * (size_t)rows);
        assert_true(small_difference(tqi_floats(&got), want, n * (size_t)rows) <= TOLERANCE);
    }
    return got;
}

static void fully_connected(void **state) {
    (void)state;
    tqi_value y = connect((mb_list){3, {2, 3, 10}}, 7, 10, true, true);
    const int32_t kept[] = {2, 3, 7}, flat[] = {6, 7}, regrouped[] = {12, 7};
    assert_int_equal(y.rank, 3);
    assert_memory_equal(y.shape, kept, sizeof kept);
    y = connect((mb_list){3, {2, 3, 10}}, 7, 10, false, false);
    assert_int_equal(y.rank, 2);
    assert_memory_equal(y.shape, flat, sizeof flat);
    y = connect((mb_list){3, {2, 3, 10}}, 7, 5, false, true);
    assert_memory_equal(y.shape, regrouped, sizeof regrouped);
    assert_non_null(connect((mb_list){2, {1, 600}}, 100, 600, false, true).data);
    assert_non_null(connect((mb_list){2, {13, 300}}, 150, 300, false, true).data);
    small_shared = 0;
    assert_non_null(connect((mb_list){2, {45, 300}}, 180, 300, false, true).data);
    assert_int_equal(small_shared, 1);
    assert_null(connect((mb_list){3, {2, 3, 10}}, 7, 4, true, true).data);
    assert_null(connect((mb_list){2, {3, 10}}, 7, 4, false, true).data);
}

/* ---- BATCH_MATMUL ---- */

typedef struct batch_case {
    mb_list x, y, shape; /* of the result; count 0: refused */
    bool adj_x, adj_y;
} batch_case;

/* Where the matrix of a value begins for batch `index` of the result. */
static size_t batch_start(mb_list value, mb_list result, size_t index) {
    size_t start = 0, step = (size_t)(value.at[value.count - 1] * value.at[value.count - 2]);
    for (uint32_t i = 2; i < result.count; i++) {
        size_t place = index % (size_t)result.at[result.count - 1 - i];
        index /= (size_t)result.at[result.count - 1 - i];
        if (i >= value.count)
            continue;
        size_t size = (size_t)value.at[value.count - 1 - i];
        start += (size == 1 ? 0 : place) * step;
        step *= size;
    }
    return start;
}

static void check_batches(const batch_case *b) {
    one_op op = {.builtin = OP_BATCH_MATMUL,
                 .options_type = OPTIONS_BATCH_MATMUL,
                 .options = {b->adj_x, b->adj_y},
                 .input = b->x,
                 .n_constants = 1,
                 .shapes = {b->y},
                 .data = {filter}};
    small_fill(input, small_elements(b->x), 10);
    small_fill(filter, small_elements(b->y), 11);
    tqi_value got = small_run_all(&op, input);
    if (b->shape.count == 0) {
        assert_null(got.data);
        return;
    }
    assert_non_null(got.data);
    assert_int_equal(got.rank, b->shape.count);
    assert_memory_equal(got.shape, b->shape.at, b->shape.count * sizeof *b->shape.at);
    size_t rows = (size_t)b->shape.at[b->shape.count - 2];
    size_t columns = (size_t)b->shape.at[b->shape.count - 1];
    size_t depth = (size_t)b->x.at[b->x.count - (b->adj_x ? 2 : 1)];
    for (size_t i = 0; i < got.elements; i++) {
        size_t batch = i / columns / rows, r = i / columns % rows, c = i % columns;
        const float *x = input + batch_start(b->x, b->shape, batch);
        const float *y = filter + batch_start(b->y, b->shape, batch);
        want[i] = 0;
        for (size_t k = 0; k < depth; k++)
            want[i] += (double)x[b->adj_x ? k * rows + r : r * depth + k] *
                       (double)y[b->adj_y ? c * depth + k : k * columns + c];
    }
    assert_true(small_difference(tqi_floats(&got), want, (size_t)got.elements) <= TOLERANCE);
}

static void batch_matmul(void **state) {
    (void)state;
    static const batch_case cases[] = {
        {{2, {3, 5}}, {2, {5, 4}}, {2, {3, 4}}, false, false},
        {{3, {2, 3, 5}}, {2, {5, 17}}, {3, {2, 3, 17}}, false, false},
        {{2, {3, 5}}, {3, {2, 5, 17}}, {3, {2, 3, 17}}, false, false},
        {{4, {2, 1, 3, 5}}, {4, {1, 3, 5, 2}}, {4, {2, 3, 3, 2}}, false, false},
        {{4, {2, 3, 5, 3}}, {3, {3, 5, 2}}, {4, {2, 3, 3, 2}}, true, false},
        {{4, {2, 1, 3, 5}}, {4, {2, 3, 20, 5}}, {4, {2, 3, 3, 20}}, false, true},
        {{3, {2, 300, 9}}, {3, {1, 33, 300}}, {3, {2, 9, 33}}, true, true},
        {{2, {1, 5}}, {2, {5, 1}}, {2, {1, 1}}, false, false},
        {{3, {2, 130, 200}}, {3, {2, 200, 90}}, {3, {2, 130, 90}}, false, false}, /* shared */
        {{3, {2, 3, 5}}, {3, {3, 5, 2}}, {0, {0}}, false, false},
        {{2, {3, 5}}, {2, {4, 5}}, {0, {0}}, false, false},
        {{1, {5}}, {2, {5, 1}}, {0, {0}}, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        check_batches(&cases[i]);
}

/* ---- what is no convolution ---- */

static void is_refused(one_op op) {
    static float zeros[4096];
    assert_null(small_run_all(&op, zeros).data);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    one_op good = {.builtin = OP_CONV_2D,
                   .options_type = OPTIONS_CONV_2D,
                   .options = {VALID, 1, 1, 0, 1, 1},
                   .input = {4, {1, 4, 4, 6}},
                   .n_constants = 2,
                   .shapes = {{4, {4, 3, 3, 6}}, {1, {4}}},
                   .data = {filter, bias}};
    assert_non_null(small_run_all(&good, input).data);
    one_op op = good;
    op.options[1] = 0; /* stride */
    is_refused(op);
    op = good;
    op.options[0] = 2; /* padding */
    is_refused(op);
    op = good;
    op.options[3] = 5; /* SIGN_BIT */
    is_refused(op);
    op = good;
    op.options[4] = 2; /* the filter reaches over the image */
    is_refused(op);
    op = good;
    op.options_type = OPTIONS_DEPTHWISE; /* options of another operator: strides are 0 */
    is_refused(op);
    op = good;
    op.shapes[0] = (mb_list){4, {4, 3, 3, 4}}; /* 6 channels, 4 of a filter */
    is_refused(op);
    op = good;
    op.shapes[0] = (mb_list){4, {4, 3, 3, 1}}; /* 6 groups, 4 filters */
    is_refused(op);
    op = good;
    op.shapes[1] = (mb_list){1, {3}};
    is_refused(op);
    op = good;
    op.shapes[0] = (mb_list){3, {4, 3, 6}};
    is_refused(op);
    op = good;
    op.n_constants = 0;
    is_refused(op);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),           cmocka_unit_test(large_convolutions),
        cmocka_unit_test(depthwise_convolutions), cmocka_unit_test(transposed_convolutions),
        cmocka_unit_test(fully_connected),        cmocka_unit_test(batch_matmul),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests_name("convolutions", tests, NULL, NULL);
}
