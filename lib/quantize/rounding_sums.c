/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/rounding_sums.h"

/* What a code may go back by, best first at the top of a heap. */
typedef struct candidate {
    double gain; /* how far it was rounded the wrong way, in steps */
    size_t tap;
} candidate;

static bool before(const candidate *a, const candidate *b) {
    return a->gain > b->gain || (a->gain == b->gain && a->tap < b->tap);
}

static void sift(candidate *heap, size_t n, size_t at) {
    candidate moving = heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            break;
        if (child + 1 < n && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &moving))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

/* How far the code is above the weight, in steps. Beyond the range more than half a step is
 * nothing that others could make up for. */
static double excess(float weight, float scale, int code) {
    double e = (double)code - (double)weight / (double)scale;
    return e > 0.5 ? 0.5 : e < -0.5 ? -0.5 : e;
}

/* Of one kernel, whose taps are `stride` apart. */
static size_t balance(const float *weights, int8_t *codes, const tqi_kernel_sums *task, float scale,
                      candidate *heap) {
    size_t stride = task->inner;
    double sum = 0;
    for (size_t t = 0; t < task->taps; t++)
        sum += excess(weights[t * stride], scale, codes[t * stride]);
    int sign = sum > 0 ? 1 : -1, end = sum > 0 ? task->min : task->max;
    double off = sum * sign;
    size_t n = 0;
    for (size_t t = 0; t < task->taps; t++) {
        double gain = sign * excess(weights[t * stride], scale, codes[t * stride]);
        if (gain > 0 && codes[t * stride] != end)
            heap[n++] = (candidate){gain, t};
    }
    for (size_t i = n / 2; i-- > 0;)
        sift(heap, n, i);
    size_t moved = 0;
    for (; off > 0.5 && n > 0; off -= 1, moved++) {
        size_t at = heap[0].tap * stride;
        codes[at] = (int8_t)(codes[at] - sign);
        heap[0] = heap[--n];
        sift(heap, n, 0);
    }
    return moved;
}

static float scale_of(const tqi_kernel_sums *task, size_t outer, size_t inner) {
    return task->scales[task->scale_by_inner ? inner : outer];
}

static tq_status check(const tqi_kernel_sums *task, tq_error *error) {
    size_t scales = task->scale_by_inner ? task->inner : task->outer;
    if (task->min < INT8_MIN || task->max > INT8_MAX || task->min > 0 || task->max < 0)
        return tqi_fail(error, TQ_ERR_INTERNAL, "rounding was asked for wrongly");
    for (size_t i = 0; i < scales; i++)
        if (!tqi_is_scale(task->scales[i]))
            return tqi_fail(error, TQ_ERR_UNSUPPORTED, "scale %zu is none", i);
    for (size_t i = 0; i < task->outer * task->taps * task->inner; i++)
        if (!isfinite(task->weights[i]))
            return tqi_fail(error, TQ_ERR_UNSUPPORTED, "weight %zu is not finite", i);
    return TQ_OK;
}

tq_status tqi_round_sums(const tqi_kernel_sums *task, int8_t *codes, size_t *moved, tqi_heap *heap,
                         tq_error *error) {
    TQI_TRY(check(task, error));
    tqi_arena arena;
    candidate *candidates;
    tqi_arena_init(&arena, heap);
    TQI_NEW(&arena, &candidates, task->taps, error);
    size_t count = 0;
    for (size_t o = 0; o < task->outer; o++) {
        size_t first = o * task->taps * task->inner;
        for (size_t i = 0; i < task->taps * task->inner; i++)
            codes[first + i] = (int8_t)tqi_plain_code(
                task->weights[first + i], scale_of(task, o, i % task->inner), task->min, task->max);
        for (size_t i = 0; i < task->inner; i++) {
            float scale = scale_of(task, o, i);
            if (scale > 0)
                count +=
                    balance(task->weights + first + i, codes + first + i, task, scale, candidates);
        }
    }
    tqi_arena_free(&arena);
    if (moved)
        *moved = count;
    return TQ_OK;
}
