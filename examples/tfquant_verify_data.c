/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_verify.h"

#include "array_file.h"
#include "data_sets.h"

#include <stdlib.h>
#include <string.h>

struct taking {
    struct verify_inputs *inputs;
    uint32_t most; /* sets */
};

/* Ends the reading by a status that is none. */
enum { ENOUGH = -1 };

/* Values and shape in one block. */
static bool copy_array(const tq_array *from, tq_array *to) {
    const size_t shape = from->rank * sizeof *from->shape;
    char *block = malloc((size_t)from->bytes + shape + 1);
    *to = *from;
    to->shape = (const int32_t *)block;
    to->data = block;
    if (block == NULL)
        return false;
    if (shape != 0)
        memcpy(block, from->shape, shape);
    to->data = block + shape;
    memcpy(block + shape, from->data, (size_t)from->bytes);
    return true;
}

static tq_status take_set(void *opaque, uint64_t set, const tq_array *arrays, uint32_t n_inputs,
                          tq_error *error) {
    struct taking *taking = opaque;
    struct verify_inputs *inputs = taking->inputs;
    if (set >= taking->most)
        return ENOUGH;
    if (inputs->sets == inputs->room) {
        inputs->room = inputs->room != 0 ? 2 * inputs->room : 8;
        tq_array *more = realloc(inputs->arrays, (size_t)inputs->room * n_inputs * sizeof *more);
        if (more == NULL)
            return array_fail(error, TQ_ERR_OUT_OF_MEMORY, "out of memory");
        inputs->arrays = more;
    }
    tq_array *to = inputs->arrays + (size_t)inputs->sets * n_inputs;
    inputs->n_inputs = n_inputs;
    for (uint32_t i = 0; i < n_inputs; i++)
        to[i].shape = NULL;
    inputs->sets++;
    for (uint32_t i = 0; i < n_inputs; i++) {
        if (!copy_array(&arrays[i], &to[i]))
            return array_fail(error, TQ_ERR_OUT_OF_MEMORY, "out of memory");
    }
    return TQ_OK;
}

tq_status verify_read_inputs(const struct cli_options *options, const tq_model *model,
                             struct verify_inputs *inputs, tq_error *error) {
    const double *range = options->input_range.is_given ? options->input_range.ends : NULL;
    struct taking taking = {inputs, options->samples != 0 ? options->samples : UINT32_MAX};
    *inputs = (struct verify_inputs){.arrays = NULL};
    if (options->inputs == NULL)
        return TQ_OK;
    tq_status status = data_sets_open(options->inputs, model, range, &inputs->files, error);
    if (status == TQ_OK)
        status = data_sets_each(inputs->files, take_set, &taking, error);
    if (status == ENOUGH)
        status = TQ_OK;
    if (status != TQ_OK)
        inputs->culprit =
            inputs->files != NULL ? data_sets_culprit(inputs->files) : options->inputs;
    return status;
}

void verify_inputs_free(struct verify_inputs *inputs) {
    for (size_t i = 0; i < (size_t)inputs->sets * inputs->n_inputs; i++)
        free((void *)(uintptr_t)inputs->arrays[i].shape);
    free(inputs->arrays);
    data_sets_free(inputs->files);
}
