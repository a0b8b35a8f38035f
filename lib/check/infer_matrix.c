/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED, BATCH_MATMUL, EMBEDDING_LOOKUP. */
#include <inttypes.h>

#include "check/infer.h"

tqi_fit tqi_infer_fully_connected(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *weights = tqi_infer_input(infer, 1);
    const tqi_shape *bias = tqi_infer_input(infer, 2);
    uint32_t o = tqi_infer_options(infer, TQI_INFER_FULLY_CONNECTED);
    bool keeps = tqi_infer_i8(infer, o, 2, 0) != 0;
    int64_t dims[TQI_SHAPE_RANK];
    uint64_t n, values;
    if (tqi_infer_i8(infer, o, 1, 0) != 0)
        return TQI_FIT_UNKNOWN; /* shuffled weights */
    if (!input->known || !weights->known || !tqi_shape_elements(input, &n))
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "with weights", weights);
    if (weights->rank != 2)
        return tqi_infer_refuses(infer, "its weights have not two dimensions");
    int32_t units = weights->dims[0], depth = weights->dims[1];
    if (depth == 0)
        return TQI_FIT_UNKNOWN;
    if (tqi_infer_has(infer, 2) && tqi_shape_elements(bias, &values) && values != (uint64_t)units)
        return tqi_infer_refuses(infer, "its bias has %" PRIu64 " values for %" PRId32 " channels",
                                 values, units);
    if (!keeps) {
        dims[0] = (int64_t)(n / (uint64_t)depth);
        dims[1] = units;
        return tqi_infer_output(infer, 0, 2, dims);
    }
    if (input->rank == 0)
        return TQI_FIT_UNKNOWN;
    if (input->dims[input->rank - 1] != depth)
        return tqi_infer_refuses(infer,
                                 "its input has %" PRId32 " channels, its weights are for %" PRId32,
                                 input->dims[input->rank - 1], depth);
    for (uint32_t d = 0; d < input->rank; d++)
        dims[d] = input->dims[d];
    dims[input->rank - 1] = units;
    return tqi_infer_output(infer, 0, input->rank, dims);
}

static int32_t from_end(const tqi_shape *shape, uint32_t back) {
    return back <= shape->rank ? shape->dims[shape->rank - back] : 1;
}

tqi_fit tqi_infer_batch_matmul(tqi_infer *infer) {
    enum { LEAST = 2, MOST = 5 };
    const tqi_shape *a = tqi_infer_input(infer, 0), *b = tqi_infer_input(infer, 1);
    uint32_t o = tqi_infer_options(infer, TQI_INFER_BATCH_MATMUL);
    bool adj_x = tqi_infer_i8(infer, o, 0, 0) != 0, adj_y = tqi_infer_i8(infer, o, 1, 0) != 0;
    int64_t dims[MOST];
    if (!a->known || !b->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, a, "times", b);
    if (a->rank < LEAST || a->rank > MOST || b->rank < LEAST || b->rank > MOST)
        return tqi_infer_refuses(infer, "its inputs must have from two to five dimensions");
    uint32_t rank = a->rank > b->rank ? a->rank : b->rank;
    for (uint32_t back = rank; back > LEAST; back--) {
        int32_t x = from_end(a, back), y = from_end(b, back);
        if (x != y && x != 1 && y != 1)
            return tqi_infer_refuses(infer, "its inputs' batches do not fit together");
        dims[rank - back] = x != y && x == 1 ? y : x;
    }
    int32_t x = from_end(a, adj_x ? 2 : 1), y = from_end(b, adj_y ? 1 : 2);
    if (x != y)
        return tqi_infer_refuses(infer, "rows of %" PRId32 " meet columns of %" PRId32, x, y);
    dims[rank - 2] = from_end(a, adj_x ? 1 : 2);
    dims[rank - 1] = from_end(b, adj_y ? 2 : 1);
    return tqi_infer_output(infer, 0, rank, dims);
}

tqi_fit tqi_infer_embedding(tqi_infer *infer) {
    const tqi_shape *ids = tqi_infer_input(infer, 0), *table = tqi_infer_input(infer, 1);
    int64_t dims[TQI_SHAPE_RANK];
    if (!ids->known || !table->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, ids, "in a table of", table);
    if (ids->rank != 1 || ids->type != TQI_TYPE_INT32 || table->rank < 2)
        return tqi_infer_refuses(infer, "it needs a vector of INT32, and a table");
    dims[0] = ids->dims[0];
    for (uint32_t d = 1; d < table->rank; d++)
        dims[d] = table->dims[d];
    return tqi_infer_output(infer, 0, table->rank, dims);
}
