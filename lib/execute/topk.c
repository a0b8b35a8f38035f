/* SPDX-License-Identifier: Apache-2.0 */
/* The k largest numbers of each row of the last dimension, in order; of equal ones the first. */
#include "execute/families.h"

#include "execute/call.h"

/* A heap of indices with the worst at the top. */
typedef struct best {
    const tqi_value *input;
    uint64_t row; /* first element */
    int32_t *heap;
    uint32_t count;
} best;

static bool is_worse(const best *b, int32_t i, int32_t j) {
    uint64_t at_i = b->row + (uint64_t)i, at_j = b->row + (uint64_t)j;
    if (b->input->type == TQI_TYPE_FLOAT32) {
        float x = tqi_floats(b->input)[at_i], y = tqi_floats(b->input)[at_j];
        return x < y || (!(x > y) && i > j);
    }
    int64_t x = tqi_integer(b->input, at_i), y = tqi_integer(b->input, at_j);
    return x < y || (x == y && i > j);
}

static void swap(best *b, uint32_t i, uint32_t j) {
    int32_t kept = b->heap[i];
    b->heap[i] = b->heap[j];
    b->heap[j] = kept;
}

static void sift_down(best *b, uint32_t at, uint32_t count) {
    for (;;) {
        uint32_t worst = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (is_worse(b, b->heap[child], b->heap[worst]))
                worst = child;
        if (worst == at)
            return;
        swap(b, at, worst);
        at = worst;
    }
}

static void find(best *b, uint32_t n) {
    for (uint32_t i = 0; i < b->count; i++)
        b->heap[i] = (int32_t)i;
    for (uint32_t i = b->count / 2; i-- > 0;)
        sift_down(b, i, b->count);
    for (uint32_t i = b->count; i < n; i++)
        if (is_worse(b, b->heap[0], (int32_t)i)) {
            b->heap[0] = (int32_t)i;
            sift_down(b, 0, b->count);
        }
    for (uint32_t end = b->count; end > 1; end--) { /* the worst goes last */
        swap(b, 0, end - 1);
        sift_down(b, 0, end - 1);
    }
}

tq_status tqi_run_topk_v2(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *values = NULL, *indices = NULL;
    int64_t k = 0, shape[TQI_MAX_RANK];
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_number(call, 1, &k, error));
    if (input->type != TQI_TYPE_FLOAT32 && !tqi_is_integer(input))
        return tqi_call_refuse(call, error, "its type is not covered");
    uint32_t last = input->rank ? input->rank - 1 : 0;
    if (input->rank == 0 || k < 0 || k > input->shape[last])
        return tqi_call_refuse(call, error, "there are not so many numbers");
    for (uint32_t d = 0; d < last; d++)
        shape[d] = input->shape[d];
    shape[last] = k;
    TQI_TRY(tqi_call_make(call, 0, input->type, input->rank, shape, &values, error));
    TQI_TRY(tqi_call_make(call, 1, TQI_TYPE_INT32, input->rank, shape, &indices, error));
    uint32_t n = (uint32_t)input->shape[last];
    size_t element = tqi_type_size(input->type);
    best b = {.input = input, .heap = indices->data, .count = (uint32_t)k};
    uint8_t *to = values->data;
    for (uint64_t done = 0; done < values->elements; done += (uint64_t)k) {
        find(&b, n);
        for (uint32_t i = 0; i < b.count; i++, to += element)
            memcpy(to, (uint8_t *)input->data + (b.row + (uint64_t)b.heap[i]) * element, element);
        b.heap += k;
        b.row += n;
    }
    return TQ_OK;
}
