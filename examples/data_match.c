/* SPDX-License-Identifier: Apache-2.0 */
#include "data_match.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_dynamic(const struct data_input *input, uint32_t i) {
    return input->signature != NULL && input->signature[i] < 0;
}

/* What the input has where nothing says otherwise: 1 for dimensions that are not known. */
static uint64_t usual(const struct data_input *input, uint32_t i) {
    return input->shape[i] > 0 ? (uint64_t)input->shape[i] : 1;
}

/* Whether `count` dimensions, from `dims`, are those of the input from `from` on. */
static bool fits(const struct data_input *input, uint32_t from, const uint64_t *dims,
                 uint32_t count) {
    if (input->rank - from != count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (dims[i] != usual(input, from + i) && !is_dynamic(input, from + i))
            return false;
    }
    return true;
}

/* The dimensions of one set; false: the shapes do not go together. */
static bool find_set(const struct array_file *file, const struct data_input *input,
                     uint64_t *dims) {
    const uint64_t *shape = file->shape;
    const uint32_t rank = input->rank;
    const uint64_t first = rank != 0 ? usual(input, 0) : 1;
    if (file->rank == rank && rank != 0 && fits(input, 1, shape + 1, rank - 1) &&
        shape[0] % first == 0 && !(rank == 1 && is_dynamic(input, 0))) {
        memcpy(dims, shape, rank * sizeof *dims);
        dims[0] = first;
        return true;
    }
    if (file->rank == rank && fits(input, 0, shape, rank)) {
        memcpy(dims, shape, rank * sizeof *dims);
        return true;
    }
    if (file->rank + 1 == rank && first == 1 && fits(input, 1, shape, rank - 1)) {
        dims[0] = 1;
        memcpy(dims + 1, shape, (rank - 1) * sizeof *dims);
        return true;
    }
    if (file->rank == rank + 1 && fits(input, 0, shape + 1, rank)) {
        memcpy(dims, shape + 1, rank * sizeof *dims);
        return true;
    }
    return false;
}

struct shape_text {
    char text[80];
};

static void append(struct shape_text *shape, const char *between, const char *size) {
    const size_t length = strlen(shape->text);
    snprintf(shape->text + length, sizeof shape->text - length, "%s%s", between, size);
}

static struct shape_text file_shape(const struct array_file *file) {
    struct shape_text shape = {"["};
    char size[24];
    for (uint32_t i = 0; i < file->rank; i++) {
        snprintf(size, sizeof size, "%" PRIu64, file->shape[i]);
        append(&shape, i != 0 ? ", " : "", size);
    }
    append(&shape, "", "]");
    return shape;
}

static struct shape_text input_shape(const struct data_input *input) {
    struct shape_text shape = {"["};
    char size[24];
    for (uint32_t i = 0; i < input->rank; i++) {
        snprintf(size, sizeof size, "%" PRId32, input->shape[i]);
        append(&shape, i != 0 ? ", " : "", is_dynamic(input, i) ? "?" : size);
    }
    append(&shape, "", "]");
    return shape;
}

static tq_status describe(struct array_file *file, const struct data_input *input,
                          tq_error *error) {
    uint64_t dims[ARRAY_RANK];
    uint64_t wanted = array_type_size(input->type);
    for (uint32_t i = 0; i < input->rank; i++) {
        dims[i] = usual(input, i);
        wanted = wanted <= UINT64_MAX / dims[i] ? wanted * dims[i] : UINT64_MAX;
    }
    if (file->size != wanted)
        return array_fail(error, TQ_ERR_UNSUPPORTED,
                          "it has %zu bytes, and input '%.60s' takes %" PRIu64 ", %s %s",
                          file->size, input->name, wanted, tq_type_name(input->type),
                          input_shape(input).text);
    return array_file_describe(file, input->type, dims, input->rank, error);
}

tq_status data_match(struct array_file *file, const struct data_input *input,
                     struct data_match *match, tq_error *error) {
    uint64_t dims[ARRAY_RANK];
    if (input->rank > ARRAY_RANK || array_type_size(input->type) == 0)
        return array_fail(error, TQ_ERR_UNSUPPORTED,
                          "input '%.60s' takes %s, which can't be read from files", input->name,
                          tq_type_name(input->type));
    if (file->is_raw) {
        const tq_status status = describe(file, input, error);
        if (status != TQ_OK)
            return status;
    }
    if (!find_set(file, input, dims))
        return array_fail(error, TQ_ERR_UNSUPPORTED, "its shape is %s, and input '%.60s' takes %s",
                          file_shape(file).text, input->name, input_shape(input).text);
    match->rank = input->rank;
    match->elements = 1;
    for (uint32_t i = 0; i < input->rank; i++) {
        if (dims[i] > INT32_MAX)
            return array_fail(error, TQ_ERR_TOO_LARGE, "its shape %s is too large",
                              file_shape(file).text);
        match->shape[i] = (int32_t)dims[i];
        match->elements *= dims[i];
    }
    match->sets = file->elements / match->elements;
    return TQ_OK;
}
