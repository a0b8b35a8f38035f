/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a value, and values as parts of something larger. */
#include "execute/families.h"
#include "execute/walk.h"

/* ---- parts ---- */

tq_status tqi_run_slice(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    int64_t begin[TQI_MAX_RANK], size[TQI_MAX_RANK], to[TQI_MAX_RANK], from[TQI_MAX_RANK];
    uint32_t n_begin = 0, n_size = 0;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_numbers(call, 1, TQI_MAX_RANK, begin, &n_begin, error));
    TQI_TRY(tqi_call_numbers(call, 2, TQI_MAX_RANK, size, &n_size, error));
    if (n_begin != input->rank || n_size != input->rank)
        return tqi_call_refuse(call, error, "its bounds do not fit to its input");
    tqi_steps(input, from);
    uint8_t *start = input->data;
    for (uint32_t d = 0; d < input->rank; d++) {
        int64_t dim = input->shape[d];
        if (begin[d] < 0 || begin[d] > dim || size[d] < -1 || size[d] > dim - begin[d])
            return tqi_call_refuse(call, error, "its bounds lie outside of its input");
        if (size[d] == -1)
            size[d] = dim - begin[d];
        start += begin[d] * from[d];
    }
    TQI_TRY(tqi_call_make(call, 0, input->type, input->rank, size, &output, error));
    tqi_steps(output, to);
    tqi_walk walk = {.at = {output->data, start}};
    for (uint32_t d = 0; d < input->rank; d++)
        tqi_walk_dim(&walk, size[d], to[d], from[d]);
    tqi_walk_copy(&walk, tqi_type_size(input->type));
    return TQ_OK;
}

/* A mask has a bit for each entry of the lists. */
typedef struct strided {
    uint32_t count;
    int64_t begin[2 * TQI_MAX_RANK], end[2 * TQI_MAX_RANK], stride[2 * TQI_MAX_RANK];
    uint32_t begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_mask;
    bool end_is_offset;
} strided;

static tq_status read_strided(const tqi_call *call, strided *s, tq_error *error) {
    uint32_t n_end = 0, n_stride = 0;
    TQI_TRY(tqi_call_numbers(call, 1, 2 * TQI_MAX_RANK, s->begin, &s->count, error));
    TQI_TRY(tqi_call_numbers(call, 2, 2 * TQI_MAX_RANK, s->end, &n_end, error));
    TQI_TRY(tqi_call_numbers(call, 3, 2 * TQI_MAX_RANK, s->stride, &n_stride, error));
    if (n_end != s->count || n_stride != s->count)
        return tqi_call_refuse(call, error, "its lists differ in length");
    uint32_t options = tqi_call_options(call, TQI_OPTIONS_STRIDED_SLICE);
    s->begin_mask = (uint32_t)tqi_option_i32(call, options, 0, 0);
    s->end_mask = (uint32_t)tqi_option_i32(call, options, 1, 0);
    s->ellipsis_mask = (uint32_t)tqi_option_i32(call, options, 2, 0);
    s->new_axis_mask = (uint32_t)tqi_option_i32(call, options, 3, 0);
    s->shrink_mask = (uint32_t)tqi_option_i32(call, options, 4, 0);
    s->end_is_offset = tqi_option_i8(call, options, 5, 0) != 0;
    return TQ_OK;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

/* Where entry `i` begins in a dimension, and how many elements it takes; false: impossible. */
static bool entry_range(const strided *s, uint32_t i, int64_t dim, int64_t *begin, int64_t *count) {
    const int64_t far = (int64_t)1 << 40; /* beyond any index, so that nothing overflows */
    int64_t stride = clamp(s->stride[i], -far, far);
    int64_t start = clamp(s->begin[i], -far, far), end = clamp(s->end[i], -far, far);
    if (stride == 0)
        return false;
    int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? dim : dim - 1;
    start = s->begin_mask >> i & 1 ? (stride > 0 ? 0 : dim - 1) : start < 0 ? start + dim : start;
    if (s->shrink_mask >> i & 1) {
        *begin = start;
        *count = 1;
        return start >= 0 && start < dim;
    }
    start = clamp(start, low, high);
    if (s->end_is_offset)
        end += start;
    else if (end < 0)
        end += dim;
    end = s->end_mask >> i & 1 ? (stride > 0 ? dim : -1) : clamp(end, low, high);
    int64_t distance = stride > 0 ? end - start : start - end, step = stride > 0 ? stride : -stride;
    *begin = start;
    *count = distance <= 0 ? 0 : (distance + step - 1) / step;
    return true;
}

/* The dimensions of the output with their steps in the input. */
typedef struct picture {
    uint32_t rank, used;
    int64_t size[3 * TQI_MAX_RANK], step[3 * TQI_MAX_RANK], start;
} picture;

static void add_dim(picture *p, int64_t size, int64_t step) {
    p->size[p->rank] = size;
    p->step[p->rank++] = step;
}

static bool add_entry(picture *p, const strided *s, uint32_t i, const tqi_value *input,
                      const int64_t *steps) {
    int64_t begin = 0, count = 0;
    if (p->used >= input->rank || !entry_range(s, i, input->shape[p->used], &begin, &count))
        return false;
    int64_t step = steps[p->used++];
    if (count > 0)
        p->start += begin * step;
    if (!(s->shrink_mask >> i & 1))
        add_dim(p, count, count > 1 ? clamp(s->stride[i], -INT32_MAX, INT32_MAX) * step : 0);
    return true;
}

/* Entries that are neither an ellipsis nor a new axis take a dimension of the input each. An
 * ellipsis takes what the others leave; without one, it stands at the end. */
static tq_status draw(const tqi_call *call, const strided *s, const tqi_value *input, picture *p,
                      tq_error *error) {
    uint32_t takers = 0, all = s->count == 0 ? 0 : (1u << s->count) - 1;
    uint32_t ellipsis = s->ellipsis_mask & all;
    int64_t steps[TQI_MAX_RANK];
    tqi_steps(input, steps);
    for (uint32_t i = 0; i < s->count; i++)
        takers += !((s->ellipsis_mask | s->new_axis_mask) >> i & 1);
    if (takers > input->rank || (ellipsis & (ellipsis - 1)) != 0)
        return tqi_call_refuse(call, error, "its lists do not fit to its input");
    for (uint32_t i = 0; i <= s->count; i++) {
        bool rest = i == s->count ? ellipsis == 0 : ellipsis >> i & 1;
        for (uint32_t n = rest ? input->rank - takers : 0; n > 0; n--, p->used++)
            add_dim(p, input->shape[p->used], steps[p->used]);
        if (rest || i == s->count)
            continue;
        if (s->new_axis_mask >> i & 1)
            add_dim(p, 1, 0);
        else if (!add_entry(p, s, i, input, steps))
            return tqi_call_refuse(call, error, "its bounds lie outside of its input");
    }
    return TQ_OK;
}

tq_status tqi_run_strided_slice(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    strided s = {0};
    picture p = {0};
    int64_t to[TQI_MAX_RANK];
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(read_strided(call, &s, error));
    TQI_TRY(draw(call, &s, input, &p, error));
    TQI_TRY(tqi_call_make(call, 0, input->type, p.rank, p.size, &output, error));
    tqi_steps(output, to);
    tqi_walk walk = {.at = {output->data, (uint8_t *)input->data + p.start}};
    for (uint32_t d = 0; d < p.rank; d++)
        tqi_walk_dim(&walk, p.size[d], to[d], p.step[d]);
    tqi_walk_copy(&walk, tqi_type_size(input->type));
    return TQ_OK;
}

/* ---- in something larger ---- */

/* Copies all of `part` to where it begins in `whole`. */
static void put_at(const tqi_value *whole, const tqi_value *part, const int64_t *begin) {
    int64_t to[TQI_MAX_RANK], from[TQI_MAX_RANK];
    tqi_steps(whole, to);
    tqi_steps(part, from);
    uint8_t *start = whole->data;
    tqi_walk walk = {0};
    for (uint32_t d = 0; d < part->rank; d++) {
        start += begin[d] * to[d];
        tqi_walk_dim(&walk, part->shape[d], to[d], from[d]);
    }
    walk.at[0] = start;
    walk.at[1] = part->data;
    tqi_walk_copy(&walk, tqi_type_size(part->type));
}

tq_status tqi_run_dynamic_update_slice(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL, *update = NULL;
    tqi_value *output = NULL;
    int64_t begin[TQI_MAX_RANK];
    uint32_t count = 0;
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(tqi_call_input(call, 1, input->type, &update, error));
    TQI_TRY(tqi_call_numbers(call, 2, TQI_MAX_RANK, begin, &count, error));
    if (update->rank != input->rank || count != input->rank)
        return tqi_call_refuse(call, error, "its update does not fit to its input");
    for (uint32_t d = 0; d < count; d++) {
        if (update->shape[d] > input->shape[d])
            return tqi_call_refuse(call, error, "its update does not fit to its input");
        begin[d] = clamp(begin[d], 0, input->shape[d] - update->shape[d]);
    }
    TQI_TRY(tqi_call_like(call, 0, input->type, input, &output, error));
    memcpy(output->data, input->data, tqi_value_bytes(input));
    if (update->elements > 0)
        put_at(output, update, begin);
    return TQ_OK;
}

/* Makes the output, of the input's shape with `before` and `after`. */
static tq_status padded(const tqi_call *call, const tqi_value *input, int64_t *before,
                        int64_t *after, tqi_value **output, tq_error *error) {
    int64_t edges[2 * TQI_MAX_RANK], shape[TQI_MAX_RANK];
    uint32_t count = 0;
    TQI_TRY(tqi_call_numbers(call, 1, 2 * TQI_MAX_RANK, edges, &count, error));
    if (count != 2 * input->rank)
        return tqi_call_refuse(call, error, "its padding does not fit to its input");
    for (uint32_t d = 0; d < input->rank; d++) {
        before[d] = edges[2 * d];
        after[d] = edges[2 * d + 1];
        if (before[d] < 0 || before[d] > INT32_MAX || after[d] < 0 || after[d] > INT32_MAX)
            return tqi_call_refuse(call, error, "its padding is impossible");
        shape[d] = before[d] + input->shape[d] + after[d];
    }
    return tqi_call_make(call, 0, input->type, input->rank, shape, output, error);
}

static tq_status pad(const tqi_call *call, const tqi_value *value, tq_error *error) {
    static const uint8_t zero[8] = {0};
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    int64_t before[TQI_MAX_RANK], after[TQI_MAX_RANK];
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    if (value && (value->type != input->type || value->elements != 1))
        return tqi_call_refuse(call, error, "its value does not fit to its input");
    TQI_TRY(padded(call, input, before, after, &output, error));
    tqi_fill(output, value ? value->data : zero);
    if (input->elements > 0)
        put_at(output, input, before);
    return TQ_OK;
}

tq_status tqi_run_pad(const tqi_call *call, tq_error *error) {
    return pad(call, NULL, error);
}

tq_status tqi_run_padv2(const tqi_call *call, tq_error *error) {
    const tqi_value *value = NULL;
    if (tqi_call_has(call, 2))
        TQI_TRY(tqi_call_any(call, 2, &value, error));
    return pad(call, value, error);
}

/* Along dimension `dim`, `count` elements from `from` on go backwards to `to` and on. What lies
 * before `dim` is copied only where the input is, what lies behind it is complete already. */
static void mirror(const tqi_value *output, const tqi_value *input, const int64_t *before,
                   uint32_t dim, int64_t to, int64_t from, int64_t count) {
    int64_t steps[TQI_MAX_RANK];
    tqi_steps(output, steps);
    uint8_t *start = output->data;
    tqi_walk walk = {0};
    for (uint32_t d = 0; d < output->rank; d++) {
        if (d < dim)
            start += before[d] * steps[d];
        if (d == dim)
            tqi_walk_dim(&walk, count, steps[d], -steps[d]);
        else
            tqi_walk_dim(&walk, d < dim ? input->shape[d] : output->shape[d], steps[d], steps[d]);
    }
    walk.at[0] = start + to * steps[dim];
    walk.at[1] = start + from * steps[dim];
    tqi_walk_copy(&walk, tqi_type_size(output->type));
}

tq_status tqi_run_mirror_pad(const tqi_call *call, tq_error *error) {
    const tqi_value *input = NULL;
    tqi_value *output = NULL;
    int64_t before[TQI_MAX_RANK], after[TQI_MAX_RANK];
    TQI_TRY(tqi_call_any(call, 0, &input, error));
    TQI_TRY(padded(call, input, before, after, &output, error));
    /* REFLECT leaves the edge out, SYMMETRIC repeats it */
    int64_t skip = tqi_option_i8(call, tqi_call_options(call, TQI_OPTIONS_MIRROR_PAD), 0, 0) == 0;
    for (uint32_t d = 0; d < input->rank; d++)
        if (before[d] > input->shape[d] - skip || after[d] > input->shape[d] - skip)
            return tqi_call_refuse(call, error, "its padding is larger than its input");
    if (input->elements == 0)
        return tqi_call_refuse(call, error, "its input is empty");
    put_at(output, input, before);
    for (uint32_t d = input->rank; d-- > 0;) {
        int64_t n = input->shape[d], end = before[d] + n;
        if (before[d] > 0)
            mirror(output, input, before, d, 0, 2 * before[d] - 1 + skip, before[d]);
        if (after[d] > 0)
            mirror(output, input, before, d, end, end - 1 - skip, after[d]);
    }
    return TQ_OK;
}
