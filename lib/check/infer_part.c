/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a tensor, and tensors with something around them. */
#include <inttypes.h>

#include "check/infer.h"
#include "tflite/builtins.h"

/* ---- PAD ---- */

static bool is_pad_matrix(const tqi_shape *pads, const tqi_shape *input) {
    return pads->rank == 2 && pads->dims[0] == (int32_t)input->rank && pads->dims[1] == 2;
}

static tqi_fit padded(tqi_infer *infer, const tqi_shape *input, const int64_t *pads,
                      int64_t mode_offset) {
    int64_t dims[TQI_SHAPE_RANK];
    for (uint32_t d = 0; d < input->rank; d++) {
        int64_t before = pads[2 * d], after = pads[2 * d + 1], most = input->dims[d] - mode_offset;
        if (before < INT32_MIN || before > INT32_MAX || after < INT32_MIN || after > INT32_MAX)
            return tqi_infer_refuses(infer, "its padding is impossible");
        if (mode_offset < 0 && (before < 0 || after < 0))
            return tqi_infer_quotes(infer, "Pad value has to be greater than equal to 0.");
        if (mode_offset >= 0 && (before < 0 || after < 0 || before > most || after > most))
            return tqi_infer_refuses(infer, "dimension %" PRIu32 " can't mirror that much", d);
        dims[d] = input->dims[d] + before + after;
    }
    return tqi_infer_output(infer, 0, input->rank, dims);
}

static tqi_fit pad(tqi_infer *infer, int64_t mode_offset) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *matrix = tqi_infer_input(infer, 1);
    const int64_t *pads = NULL;
    uint32_t count = 0;
    if (!input->known || !matrix->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "with paddings of shape", matrix);
    if (!is_pad_matrix(matrix, input))
        return tqi_infer_refuses(infer, "its paddings are not two for each dimension");
    tqi_fit fit = tqi_infer_values(infer, 1, &pads, &count);
    if (fit != TQI_FITS)
        return fit;
    if (input->rank == 0 && mode_offset < 0)
        return TQI_FIT_LATE;
    return padded(infer, input, pads, mode_offset);
}

tqi_fit tqi_infer_pad(tqi_infer *infer) {
    const tqi_shape *value = tqi_infer_input(infer, 2), *input = tqi_infer_input(infer, 0);
    uint64_t n;
    if (infer->builtin == TQI_BUILTIN_PADV2 && infer->op->n_inputs == 3) {
        if (value->type != input->type)
            return tqi_infer_refuses(infer, "its value is of another type than its input");
        if (tqi_shape_elements(value, &n) && n != 1)
            return tqi_infer_refuses(infer, "its value is no single one");
    }
    return pad(infer, -1);
}

tqi_fit tqi_infer_mirror_pad(tqi_infer *infer) {
    int32_t mode = tqi_infer_i8(infer, tqi_infer_options(infer, TQI_INFER_MIRROR_PAD), 0, 0);
    if (mode != 0 && mode != 1)
        return tqi_infer_refuses(infer, "its mode is neither REFLECT nor SYMMETRIC");
    return pad(infer, mode == 0 ? 1 : 0); /* REFLECT leaves the edge out */
}

/* ---- SLICE ---- */

/* What the file says of the output counts, where it says all: else NULL. */
static const tqi_tensor *declared(const tqi_infer *infer) {
    const tqi_tensor *output = &infer->subgraph->tensors[infer->op->outputs[0]];
    if (tqi_has_open_signature(output))
        return NULL;
    bool says = output->rank > 0 && output->rank <= TQI_SHAPE_RANK;
    return says && tqi_tensor_elements(output, &(uint64_t){0}) ? output : NULL;
}

static tqi_fit as_declared(tqi_infer *infer, const tqi_tensor *output) {
    int64_t dims[TQI_SHAPE_RANK];
    for (uint32_t d = 0; d < output->rank; d++)
        dims[d] = output->shape[d];
    return tqi_infer_output(infer, 0, output->rank, dims);
}

static tqi_fit sliced(tqi_infer *infer, const tqi_shape *input, const int64_t *begin,
                      const int64_t *size, const tqi_tensor *said) {
    int64_t dims[TQI_SHAPE_RANK];
    for (uint32_t d = 0; d < input->rank; d++) {
        if (begin[d] < 0)
            return tqi_infer_quotes(infer, "Invalid begin.");
        if (size[d] < -1)
            return tqi_infer_quotes(infer, "Invalid size.");
        if (begin[d] > INT32_MAX || size[d] > INT32_MAX)
            return TQI_FIT_UNKNOWN;
        if (input->dims[d] < begin[d] + (size[d] < 0 ? 0 : size[d]))
            return tqi_infer_quotes(infer, "Invalid begin and size.");
        dims[d] = size[d] == -1 ? input->dims[d] - begin[d] : size[d];
        if (said && said->rank == input->rank && said->shape[d] != dims[d])
            return tqi_infer_refuses(infer,
                                     "dimension %" PRIu32 " of its output is %" PRId64
                                     ", and declared to be %" PRId32,
                                     d, dims[d], said->shape[d]);
    }
    return tqi_infer_output(infer, 0, input->rank, dims);
}

tqi_fit tqi_infer_slice(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *begins = tqi_infer_input(infer, 1),
                    *lengths = tqi_infer_input(infer, 2);
    const tqi_tensor *said = declared(infer);
    const int64_t *begin = NULL, *size = NULL;
    uint32_t n = 0, m = 0;
    if (!begins->known || !lengths->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, begins, "and", lengths);
    if (begins->rank != 1 || lengths->rank != 1 || begins->dims[0] != lengths->dims[0])
        return tqi_infer_refuses(infer, "its begin and size are not vectors of one length");
    tqi_fit fit = tqi_infer_values(infer, 1, &begin, &n);
    if (fit == TQI_FITS)
        fit = tqi_infer_values(infer, 2, &size, &m);
    if (fit == TQI_FIT_LATE && said)
        return as_declared(infer, said);
    if (fit != TQI_FITS)
        return fit;
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "with begin and size of shape", begins);
    if (n != input->rank)
        return tqi_infer_refuses(infer, "its begin and size are not for each dimension");
    return sliced(infer, input, begin, size, said);
}

/* ---- STRIDED_SLICE ---- */

typedef struct strides {
    const int64_t *begin, *end, *stride;
    uint32_t n;
    uint32_t begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_mask;
    bool offset;
} strides;

static bool has_bit(uint32_t mask, uint32_t i) {
    return i < 32 && (mask >> i & 1) != 0;
}

static int64_t clamped(int64_t x, int64_t least, int64_t most) {
    return x < least ? least : x > most ? most : x;
}

/* The first index along a dimension, and how many. */
static int64_t span(const strides *s, uint32_t i, int64_t size, int64_t *first) {
    int64_t step = s->stride[i], begin = s->begin[i], end = s->end[i];
    int64_t least = step > 0 ? 0 : -1, most = step > 0 ? size : size - 1;
    begin = clamped(begin < 0 ? begin + size : begin, least, most);
    if (has_bit(s->begin_mask, i))
        begin = step > 0 ? 0 : size - 1;
    *first = begin;
    if (s->offset)
        end += begin;
    end = clamped(end < 0 ? end + size : end, least, most);
    if (has_bit(s->end_mask, i))
        end = step > 0 ? size : -1;
    int64_t distance = end - begin;
    if (distance == 0 || (distance < 0) != (step < 0))
        return 0;
    return step < 0 ? (distance + 1) / step + 1 : (distance - 1) / step + 1;
}

/* A plain slice of a known vector, as shape arithmetic has it. */
static void fix_slice(tqi_infer *infer, const tqi_shape *input, const strides *s, int64_t first,
                      int64_t count) {
    int64_t values[TQI_SHAPE_VALUES];
    bool known = input->values && input->rank == 1 && s->n == 1 && !s->ellipsis_mask &&
                 !s->new_axis_mask && count <= TQI_SHAPE_VALUES && count >= 0;
    if (known && has_bit(s->shrink_mask, 0))
        count = 1;
    for (int64_t i = 0; known && i < count; i++) {
        int64_t at = first + i * s->stride[0];
        known = at >= 0 && at < input->dims[0];
        values[i] = known ? input->values[at] : 0;
    }
    tqi_infer_fix(infer, known ? values : NULL, (uint32_t)count);
}

static tqi_fit read_strides(tqi_infer *infer, strides *s) {
    uint32_t n = 0, m = 0, options = tqi_infer_options(infer, TQI_INFER_STRIDED_SLICE);
    for (uint32_t i = 1; i <= 3; i++)
        if (tqi_infer_input(infer, i)->type != TQI_TYPE_INT32)
            return tqi_infer_refuses(infer, "its input %" PRIu32 " is not of type INT32", i);
    for (uint32_t i = 1; i <= 3; i++)
        if (tqi_infer_input(infer, i)->known && tqi_infer_input(infer, i)->rank != 1)
            return tqi_infer_refuses(infer, "its input %" PRIu32 " is not a vector", i);
    tqi_fit fit = tqi_infer_values(infer, 1, &s->begin, &s->n);
    if (fit == TQI_FITS)
        fit = tqi_infer_values(infer, 2, &s->end, &n);
    if (fit == TQI_FITS)
        fit = tqi_infer_values(infer, 3, &s->stride, &m);
    if (fit != TQI_FITS)
        return fit;
    if (n != s->n)
        return tqi_infer_refuses(infer, "it has %" PRIu32 " begins and %" PRIu32 " ends", s->n, n);
    if (m != n)
        return TQI_FIT_UNKNOWN;
    for (uint32_t i = 0; i < n; i++) {
        if (s->stride[i] == 0)
            return tqi_infer_quotes(infer, "stride value has to be non-zero");
        if (s->stride[i] == INT32_MIN)
            return tqi_infer_quotes(infer, "stride value INT32_MIN is not supported");
    }
    uint32_t *masks[] = {&s->begin_mask, &s->end_mask, &s->ellipsis_mask, &s->new_axis_mask,
                         &s->shrink_mask};
    for (uint32_t i = 0; i < 5; i++)
        *masks[i] = (uint32_t)tqi_infer_i32(infer, options, i, 0);
    s->offset = tqi_infer_i8(infer, options, 5, 0) != 0;
    return TQI_FITS;
}

tqi_fit tqi_infer_strided_slice(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0);
    strides s = {0};
    int64_t dims[2 * TQI_SHAPE_RANK], first = 0, count = 0;
    uint32_t rank = 0, from = 0, added = 0;
    tqi_fit fit = read_strides(infer, &s);
    if (fit != TQI_FITS)
        return fit;
    if (!input->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, input, "with begin of shape", tqi_infer_input(infer, 1));
    for (uint32_t i = 0; i < s.n; i++)
        added += has_bit(s.new_axis_mask, i) && !has_bit(s.ellipsis_mask, i);
    if (s.n > 31 || (s.ellipsis_mask | s.new_axis_mask) >> s.n != 0)
        return TQI_FIT_UNKNOWN;
    uint32_t used = s.n - added - (s.ellipsis_mask != 0);
    if ((s.ellipsis_mask & (s.ellipsis_mask - 1)) != 0 || used > input->rank || s.offset ||
        input->rank + added > TQI_SHAPE_RANK)
        return TQI_FIT_UNKNOWN;
    for (uint32_t i = 0; i < s.n; i++) {
        if (has_bit(s.ellipsis_mask, i)) {
            for (uint32_t k = used; k < input->rank; k++)
                dims[rank++] = input->dims[from++];
        } else if (has_bit(s.new_axis_mask, i)) {
            dims[rank++] = 1;
        } else {
            count = span(&s, i, input->dims[from++], &first);
            if (!has_bit(s.shrink_mask, i))
                dims[rank++] = count;
        }
    }
    while (from < input->rank)
        dims[rank++] = input->dims[from++];
    fit = tqi_infer_output(infer, 0, rank, dims);
    if (fit == TQI_FITS && input->fixed)
        fix_slice(infer, input, &s, first, count);
    return fit;
}

/* ---- GATHER ---- */

static void fix_gathered(tqi_infer *infer, const tqi_shape *input, const tqi_shape *places) {
    int64_t values[TQI_SHAPE_VALUES];
    uint64_t n = 0;
    bool known = input->values && places->values && input->rank == 1 && places->rank <= 1 &&
                 tqi_shape_elements(places, &n) && n <= TQI_SHAPE_VALUES;
    for (uint64_t i = 0; known && i < n; i++) {
        known = places->values[i] >= 0 && places->values[i] < input->dims[0];
        values[i] = known ? input->values[places->values[i]] : 0;
    }
    tqi_infer_fix(infer, known ? values : NULL, (uint32_t)n);
}

/* One of the places is known not to be there. */
static bool is_outside(const tqi_shape *places, int32_t size) {
    uint64_t n = 0;
    (void)tqi_shape_elements(places, &n);
    for (uint64_t i = 0; places->values && i < n; i++)
        if (places->values[i] < 0 || places->values[i] >= size)
            return true;
    return false;
}

tqi_fit tqi_infer_gather(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *places = tqi_infer_input(infer, 1);
    uint32_t axis, rank = 0, options = tqi_infer_options(infer, TQI_INFER_GATHER);
    int64_t batch = tqi_infer_i32(infer, options, 1, 0), dims[2 * TQI_SHAPE_RANK];
    if (!input->known || !places->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_type(infer, 0, input->type);
    tqi_infer_show(infer, input, "by places of shape", places);
    if (input->type == TQI_TYPE_STRING && input->rank != 1)
        return tqi_infer_refuses(infer, "its input of type STRING is not a vector");
    batch += batch < 0 ? places->rank : 0;
    if (!tqi_infer_axis(tqi_infer_i32(infer, options, 0, 0), input->rank, &axis))
        return tqi_infer_refuses(infer, "there is no axis %" PRId32 " in its input",
                                 tqi_infer_i32(infer, options, 0, 0));
    if (batch < 0 || batch > axis || batch > places->rank)
        return tqi_infer_refuses(infer, "its number of batch dimensions is impossible");
    for (uint32_t d = 0; d < batch; d++)
        if (input->dims[d] != places->dims[d])
            return tqi_infer_refuses(infer, "its batch dimension %" PRIu32 " differs", d);
    for (uint32_t d = 0; d < axis; d++)
        dims[rank++] = input->dims[d];
    for (uint32_t d = (uint32_t)batch; d < places->rank; d++)
        dims[rank++] = places->dims[d];
    for (uint32_t d = axis + 1; d < input->rank; d++)
        dims[rank++] = input->dims[d];
    tqi_fit fit = tqi_infer_output(infer, 0, rank, dims);
    if (fit == TQI_FITS && input->fixed && places->fixed && is_outside(places, input->dims[axis]))
        return tqi_infer_quotes(infer, "gather index out of bounds");
    if (fit == TQI_FITS && input->fixed && places->fixed)
        fix_gathered(infer, input, places);
    return fit;
}

tqi_fit tqi_infer_gather_nd(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *places = tqi_infer_input(infer, 1);
    int64_t dims[2 * TQI_SHAPE_RANK];
    uint32_t rank = 0;
    if (!input->known || !places->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_type(infer, 0, input->type);
    tqi_infer_show(infer, input, "by places of shape", places);
    if (input->rank < 1)
        return tqi_infer_quotes(infer, "Params must be at least a vector.");
    if (places->rank < 1)
        return tqi_infer_quotes(infer, "Indices must be at least a vector.");
    uint32_t depth = (uint32_t)places->dims[places->rank - 1];
    if (depth > input->rank)
        return tqi_infer_quotes(infer,
                                "Index innermost dimension length must be in [0, params rank].");
    for (uint32_t d = 0; d + 1 < places->rank; d++)
        dims[rank++] = places->dims[d];
    for (uint32_t d = depth; d < input->rank; d++)
        dims[rank++] = input->dims[d];
    return tqi_infer_output(infer, 0, rank, dims);
}

tqi_fit tqi_infer_update_slice(tqi_infer *infer) {
    const tqi_shape *input = tqi_infer_input(infer, 0), *update = tqi_infer_input(infer, 1),
                    *start = tqi_infer_input(infer, 2);
    if (!input->known || !update->known || !start->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_type(infer, 0, input->type);
    tqi_infer_show(infer, update, "into", input);
    bool fits = update->rank == input->rank;
    for (uint32_t d = 0; fits && d < input->rank; d++)
        fits = update->dims[d] <= input->dims[d];
    if (!fits)
        return tqi_infer_refuses(infer, "its update does not fit into its input");
    if (start->rank != 1 || start->dims[0] != (int32_t)input->rank)
        return tqi_infer_refuses(infer, "its start does not have a value for each dimension");
    if (input->type != update->type)
        return tqi_infer_refuses(infer, "its update is of another type");
    return tqi_infer_same(infer, 0, input);
}

tqi_fit tqi_infer_scatter_nd(tqi_infer *infer) {
    const tqi_shape *places = tqi_infer_input(infer, 0), *updates = tqi_infer_input(infer, 1),
                    *shape = tqi_infer_input(infer, 2);
    const int64_t *dims = NULL;
    uint32_t rank = 0;
    tqi_infer_type(infer, 0, updates->type);
    if (places->type != shape->type)
        return tqi_infer_quotes(infer, "Indices and shape must have the same type.");
    tqi_fit fit = tqi_infer_values(infer, 2, &dims, &rank);
    if (fit != TQI_FITS)
        return fit;
    if (!places->known || !updates->known)
        return TQI_FIT_UNKNOWN;
    tqi_infer_show(infer, updates, "at places of shape", places);
    if (places->rank < 1 || updates->rank < 1 || shape->rank != 1)
        return tqi_infer_refuses(infer, "its places, updates and shape must be vectors at least");
    uint32_t outer = places->rank - 1;
    int64_t depth = places->dims[outer];
    bool fits = updates->rank >= outer && (int64_t)(updates->rank - outer) == rank - depth;
    for (uint32_t d = 0; fits && d < outer; d++)
        fits = places->dims[d] == updates->dims[d];
    for (uint32_t d = outer; fits && d < updates->rank; d++)
        fits = updates->dims[d] == dims[depth + d - outer];
    if (!fits)
        return tqi_infer_refuses(infer, "its updates do not fit to its places and shape");
    return tqi_infer_output(infer, 0, rank, dims);
}
