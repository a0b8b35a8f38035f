/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED and BATCH_MATMUL. */
#include "execute/share.h"
#include "execute/window.h"

/* ---- FULLY_CONNECTED ---- */

enum { FULLY_CONNECTED_OPTIONS = 8 };
enum { ACTIVATION, WEIGHTS_FORMAT, KEEP_NUM_DIMS };

typedef struct connected {
    const float *x, *weights, *bias;
    size_t rows, depth, columns;
    int32_t activation;
    float *y;
} connected;

static tq_status set_up_connected(const tqi_call *call, connected *c, tq_error *error) {
    const tqi_value *x = NULL, *weights = NULL;
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, &x, error));
    TQI_TRY(tqi_call_input(call, 1, TQI_TYPE_FLOAT32, &weights, error));
    uint32_t o = tqi_call_options(call, FULLY_CONNECTED_OPTIONS);
    if (tqi_option_i8(call, o, WEIGHTS_FORMAT, 0) != 0)
        return tqi_call_refuse(call, error, "its weights are shuffled");
    if (weights->rank != 2 || weights->shape[1] == 0 ||
        x->elements % (uint64_t)weights->shape[1] != 0)
        return tqi_call_refuse(call, error, "its input has no whole number of rows");
    c->activation = tqi_option_i8(call, o, ACTIVATION, 0);
    if (!tqi_activation_known(c->activation))
        return tqi_call_refuse(call, error, "its activation function is unknown");
    c->depth = (size_t)weights->shape[1];
    c->columns = (size_t)weights->shape[0];
    c->rows = (size_t)x->elements / c->depth;
    int64_t shape[TQI_MAX_RANK] = {(int64_t)c->rows, weights->shape[0]};
    uint32_t rank = 2;
    if (tqi_option_i8(call, o, KEEP_NUM_DIMS, 0) != 0) {
        if (x->rank == 0 || x->shape[x->rank - 1] != weights->shape[1])
            return tqi_call_refuse(call, error, "its weights do not fit the last dimension");
        rank = x->rank;
        for (uint32_t i = 0; i + 1 < rank; i++)
            shape[i] = x->shape[i];
        shape[rank - 1] = weights->shape[0];
    }
    TQI_TRY(tqi_call_bias(call, 2, c->columns, &c->bias, error));
    TQI_TRY(tqi_call_work(call, c->rows, c->depth, c->columns, error));
    tqi_value *y = NULL;
    TQI_TRY(tqi_call_make(call, 0, TQI_TYPE_FLOAT32, rank, shape, &y, error));
    c->x = tqi_floats(x);
    c->weights = tqi_floats(weights);
    c->y = tqi_floats(y);
    return TQ_OK;
}

/* Columns of the result; all of a large layer's weights packed would be as large again. */
typedef struct slab {
    const tqi_gemm *gemm;
    const connected *c;
    float *panels; /* `size` floats for each worker */
    size_t size;
} slab;

static void run_columns(void *data, size_t first, size_t n, uint32_t worker) {
    const slab *part = data;
    const connected *c = part->c;
    float *panels = part->panels + worker * part->size;
    tqi_panels_pack(c->weights + first * c->depth, 1, c->depth, c->depth, n, panels);
    tqi_multiply(part->gemm, c->x, c->depth, c->rows, panels, c->depth, n, c->y + first,
                 c->columns);
}

static tq_status run_connected(const tqi_call *call, const connected *c, tqi_arena *arena,
                               tq_error *error) {
    enum { COLUMNS = 8 * TQI_GEMM_LANES, OF_PACKING = 4 }; /* as much as so many rows */
    size_t most = c->columns < COLUMNS ? c->columns : COLUMNS;
    uint32_t workers = tqi_workers(call, (uint64_t)(c->rows + OF_PACKING) * c->depth * c->columns);
    uint64_t floats;
    slab part = {.gemm = call->gemm, .c = c};
    if (!tqi_panels_size(c->depth, most, &floats) || floats > SIZE_MAX / 4 / workers)
        return tqi_call_refuse(call, error, "its weights are too large");
    part.size = (size_t)floats;
    TQI_TRY(tqi_floats_new(arena, floats * workers, &part.panels, error));
    tqi_share_rows(call, workers, c->columns, COLUMNS, TQI_GEMM_LANES, run_columns, &part);
    tqi_finish_rows(c->y, c->columns, c->rows, c->columns, c->bias, c->activation);
    return TQ_OK;
}

tq_status tqi_run_fully_connected(const tqi_call *call, tq_error *error) {
    connected c = {0};
    TQI_TRY(set_up_connected(call, &c, error));
    tqi_arena arena;
    tqi_arena_init(&arena, call->heap);
    tq_status status = run_connected(call, &c, &arena, error);
    tqi_arena_free(&arena);
    return status;
}

/* ---- BATCH_MATMUL ---- */

enum { BATCH_MATMUL_OPTIONS = 101 };
enum { ADJ_X, ADJ_Y };

/* The last two dimensions are matrices, those before it are broadcast. */
typedef struct batches {
    const tqi_value *x, *y;
    bool adj_x, adj_y;
    size_t rows, depth, columns;
    uint32_t rank; /* of the result */
    int64_t shape[TQI_MAX_RANK];
    float *result;
} batches;

static int32_t dimension(const tqi_value *value, uint32_t rank, uint32_t i) {
    return i + value->rank < rank ? 1 : value->shape[i + value->rank - rank];
}

static tq_status set_up_batches(const tqi_call *call, batches *b, tq_error *error) {
    TQI_TRY(tqi_call_input(call, 0, TQI_TYPE_FLOAT32, &b->x, error));
    TQI_TRY(tqi_call_input(call, 1, TQI_TYPE_FLOAT32, &b->y, error));
    uint32_t o = tqi_call_options(call, BATCH_MATMUL_OPTIONS);
    b->adj_x = tqi_option_i8(call, o, ADJ_X, 0) != 0;
    b->adj_y = tqi_option_i8(call, o, ADJ_Y, 0) != 0;
    if (b->x->rank < 2 || b->y->rank < 2)
        return tqi_call_refuse(call, error, "its inputs are no matrices");
    b->rank = b->x->rank > b->y->rank ? b->x->rank : b->y->rank;
    for (uint32_t i = 0; i + 2 < b->rank; i++) {
        int32_t x = dimension(b->x, b->rank, i), y = dimension(b->y, b->rank, i);
        if (x != y && x != 1 && y != 1)
            return tqi_call_refuse(call, error, "its batches do not fit together");
        b->shape[i] = x == 1 ? y : x;
    }
    const int32_t *x = b->x->shape + b->x->rank - 2, *y = b->y->shape + b->y->rank - 2;
    if (x[b->adj_x ? 0 : 1] != y[b->adj_y ? 1 : 0])
        return tqi_call_refuse(call, error, "its matrices do not fit together");
    b->depth = (size_t)x[b->adj_x ? 0 : 1];
    b->shape[b->rank - 2] = x[b->adj_x ? 1 : 0];
    b->shape[b->rank - 1] = y[b->adj_y ? 0 : 1];
    b->rows = (size_t)b->shape[b->rank - 2];
    b->columns = (size_t)b->shape[b->rank - 1];
    tqi_value *result = NULL;
    TQI_TRY(tqi_call_make(call, 0, TQI_TYPE_FLOAT32, b->rank, b->shape, &result, error));
    b->result = tqi_floats(result);
    return TQ_OK;
}

/* The matrix of an input for batch `index` of the result. */
static const float *matrix_of(const batches *b, const tqi_value *value, uint64_t index) {
    uint64_t at = 0, step = 1;
    for (uint32_t i = b->rank - 2; i-- > 0;) {
        uint64_t size = (uint64_t)dimension(value, b->rank, i);
        if (size != 1)
            at += index % (uint64_t)b->shape[i] * step;
        index /= (uint64_t)b->shape[i];
        step *= size;
    }
    uint64_t matrix =
        (uint64_t)value->shape[value->rank - 2] * (uint64_t)value->shape[value->rank - 1];
    return tqi_floats(value) + at * matrix;
}

static void transpose(const float *from, size_t rows, size_t columns, float *to) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            to[i * columns + j] = from[j * rows + i];
}

typedef struct product {
    const tqi_gemm *gemm;
    const batches *b;
    const float *x, *panels;
    float *y;
} product;

static void run_rows(void *data, size_t first, size_t n, uint32_t worker) {
    const product *p = data;
    const batches *b = p->b;
    (void)worker;
    tqi_multiply(p->gemm, p->x + first * b->depth, b->depth, n, p->panels, b->depth, b->columns,
                 p->y + first * b->columns, b->columns);
}

static tq_status run_batches(const tqi_call *call, const batches *b, tqi_arena *arena,
                             tq_error *error) {
    float *panels = NULL, *turned = NULL;
    uint64_t floats, count = 1;
    if (!tqi_panels_size(b->depth, b->columns, &floats))
        return tqi_call_refuse(call, error, "its matrices are too large");
    TQI_TRY(tqi_floats_new(arena, floats, &panels, error));
    if (b->adj_x)
        TQI_TRY(tqi_floats_new(arena, (uint64_t)b->rows * b->depth, &turned, error));
    for (uint32_t i = 0; i + 2 < b->rank; i++)
        count *= (uint64_t)b->shape[i];
    TQI_TRY(tqi_call_work(call, count, b->rows + 1,
                          (uint64_t)(b->depth + 1) * (b->columns + TQI_GEMM_LANES), error));
    uint32_t workers = tqi_workers(call, (uint64_t)b->rows * b->depth * b->columns);
    const float *packed = NULL;
    for (uint64_t i = 0; i < count; i++) {
        const float *x = matrix_of(b, b->x, i), *y = matrix_of(b, b->y, i);
        if (y != packed)
            tqi_panels_pack(y, b->adj_y ? 1 : b->columns, b->adj_y ? b->depth : 1, b->depth,
                            b->columns, panels);
        packed = y;
        if (b->adj_x)
            transpose(x, b->rows, b->depth, turned);
        product p = {call->gemm, b, b->adj_x ? turned : x, panels,
                     b->result + i * b->rows * b->columns};
        tqi_share_rows(call, workers, b->rows, b->rows, TQI_GEMM_STEP, run_rows, &p);
    }
    return TQ_OK;
}

tq_status tqi_run_batch_matmul(const tqi_call *call, tq_error *error) {
    batches b = {0};
    TQI_TRY(set_up_batches(call, &b, error));
    tqi_arena arena;
    tqi_arena_init(&arena, call->heap);
    tq_status status = run_batches(call, &b, &arena, error);
    tqi_arena_free(&arena);
    return status;
}
