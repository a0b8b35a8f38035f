/* SPDX-License-Identifier: Apache-2.0 */
#include "check/infer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/checked.h"

static const tqi_shape absent;

uint32_t tqi_infer_options(const tqi_infer *infer, int8_t member) {
    const tqi_view *view = &infer->graph->view;
    if (!infer->op->source ||
        tqi_get_i8(view, infer->op->source, TQI_OPERATOR_BUILTIN_OPTIONS_TYPE, 0) != member)
        return 0;
    return tqi_options(infer->graph, infer->op);
}

int32_t tqi_infer_i32(const tqi_infer *infer, uint32_t options, uint32_t field, int32_t otherwise) {
    return options ? tqi_get_i32(&infer->graph->view, options, field, otherwise) : otherwise;
}

int32_t tqi_infer_i8(const tqi_infer *infer, uint32_t options, uint32_t field, int32_t otherwise) {
    return options ? tqi_get_i8(&infer->graph->view, options, field, (int8_t)otherwise) : otherwise;
}

bool tqi_infer_has(const tqi_infer *infer, uint32_t index) {
    return index < infer->op->n_inputs && infer->op->inputs[index] >= 0;
}

const tqi_shape *tqi_infer_input(const tqi_infer *infer, uint32_t index) {
    return tqi_infer_has(infer, index) ? &infer->shapes[infer->op->inputs[index]] : &absent;
}

tqi_fit tqi_infer_values(const tqi_infer *infer, uint32_t index, const int64_t **values,
                         uint32_t *count) {
    const tqi_shape *input = tqi_infer_input(infer, index);
    uint64_t elements;
    if (input->known && !input->fixed)
        return TQI_FIT_LATE;
    if (!input->values || !tqi_shape_elements(input, &elements))
        return TQI_FIT_UNKNOWN;
    *values = input->values;
    *count = (uint32_t)elements;
    return TQI_FITS;
}

bool tqi_infer_axis(int64_t axis, uint32_t rank, uint32_t *dim) {
    if (axis < 0)
        axis += rank;
    *dim = (uint32_t)axis;
    return axis >= 0 && axis < (int64_t)rank;
}

static tqi_shape *output_of(tqi_infer *infer, uint32_t index) {
    bool there = index < infer->op->n_outputs && infer->op->outputs[index] >= 0;
    return there ? &infer->shapes[infer->op->outputs[index]] : NULL;
}

tqi_fit tqi_infer_output(tqi_infer *infer, uint32_t index, uint32_t rank, const int64_t *dims) {
    tqi_shape *output = output_of(infer, index);
    uint64_t elements = 1, bytes;
    if (!output)
        return tqi_infer_refuses(infer, "it has no output %" PRIu32, index);
    if (rank > TQI_SHAPE_RANK)
        return TQI_FIT_UNKNOWN;
    for (uint32_t d = 0; d < rank; d++) {
        if (dims[d] < 0 || dims[d] > INT32_MAX)
            return tqi_infer_refuses(infer, "dimension %" PRIu32 " of its output would be %" PRId64,
                                     d, dims[d]);
        if (!tqi_mul_u64(elements, (uint64_t)dims[d], &elements))
            return tqi_infer_refuses(infer, "its output would be too large");
    }
    if (tqi_type_bits(output->type) && !tqi_type_bytes(output->type, elements, &bytes))
        return tqi_infer_refuses(infer, "its output would be too large");
    output->known = true;
    output->rank = rank;
    for (uint32_t d = 0; d < rank; d++)
        output->dims[d] = (int32_t)dims[d];
    return TQI_FITS;
}

tqi_fit tqi_infer_same(tqi_infer *infer, uint32_t index, const tqi_shape *shape) {
    int64_t dims[TQI_SHAPE_RANK];
    if (!shape->known)
        return TQI_FIT_UNKNOWN;
    for (uint32_t d = 0; d < shape->rank; d++)
        dims[d] = shape->dims[d];
    return tqi_infer_output(infer, index, shape->rank, dims);
}

void tqi_infer_type(tqi_infer *infer, uint32_t index, int32_t type) {
    tqi_shape *output = output_of(infer, index);
    if (output)
        output->type = type;
}

void tqi_infer_fix(tqi_infer *infer, const int64_t *values, uint32_t count) {
    tqi_shape *output = output_of(infer, 0);
    int64_t *copy = NULL;
    uint64_t elements;
    if (!output)
        return;
    output->fixed = true;
    if (!values || count > TQI_SHAPE_VALUES || !tqi_shape_elements(output, &elements) ||
        elements != count)
        return;
    infer->status = tqi_arena_alloc(infer->arena, count, sizeof *copy, &copy, infer->error);
    if (infer->status != TQ_OK)
        return;
    for (uint32_t i = 0; i < count; i++)
        copy[i] = values[i];
    output->values = copy;
}

/* ---- refusals ---- */

tqi_fit tqi_infer_refuses(tqi_infer *infer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(infer->why, sizeof infer->why, format, arguments);
    va_end(arguments);
    return TQI_FIT_NONE;
}

tqi_fit tqi_infer_quotes(tqi_infer *infer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(infer->why, sizeof infer->why, format, arguments);
    va_end(arguments);
    infer->is_runtimes = true;
    return TQI_FIT_NONE;
}

void tqi_infer_show(tqi_infer *infer, const tqi_shape *a, const char *between, const tqi_shape *b) {
    char first[TQI_SHAPE_TEXT], second[TQI_SHAPE_TEXT];
    snprintf(infer->what, sizeof infer->what, "%s %s %s", tqi_shape_text(a, first), between,
             tqi_shape_text(b, second));
}

/* ---- shapes ---- */

const char *tqi_shape_text(const tqi_shape *shape, char text[TQI_SHAPE_TEXT]) {
    size_t at = 0;
    if (!shape->known) {
        snprintf(text, TQI_SHAPE_TEXT, "[?]");
        return text;
    }
    text[at++] = '[';
    for (uint32_t d = 0; d < shape->rank; d++)
        at += (size_t)snprintf(text + at, TQI_SHAPE_TEXT - at, "%s%" PRId32, d ? "," : "",
                               shape->dims[d]);
    text[at++] = ']';
    text[at] = '\0';
    return text;
}

bool tqi_shape_elements(const tqi_shape *shape, uint64_t *elements) {
    *elements = 1;
    for (uint32_t d = 0; shape->known && d < shape->rank; d++)
        if (!tqi_mul_u64(*elements, (uint64_t)shape->dims[d], elements))
            return false;
    return shape->known;
}

bool tqi_shapes_equal(const tqi_shape *a, const tqi_shape *b) {
    if (!a->known || !b->known || a->rank != b->rank)
        return false;
    for (uint32_t d = 0; d < a->rank; d++)
        if (a->dims[d] != b->dims[d])
            return false;
    return true;
}
