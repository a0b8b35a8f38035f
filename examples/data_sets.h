/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inputs for a model out of files: for a model with one input each file holds sets of its own; for
 * one with several, NAME.0.npy is for the first input, NAME.1.npy for the second, and so on. Sets
 * are in the order of the names' bytes, so that they are the same on each machine.
 *
 * A file holds one set where it has the input's shape (dynamic dimensions may have any size), or
 * that without a first dimension of 1. It holds several where its first dimension is a
 * multiple of the input's, or comes before all of the input's.
 */
#ifndef TFQUANT_EXAMPLES_DATA_SETS_H
#define TFQUANT_EXAMPLES_DATA_SETS_H

#include <tfquant/tfquant.h>

struct data_sets;

/* `path` is a folder, or one file. Looks at all files, so that what is wrong with their shapes
 * shows at once. `range`, or NULL, is as for array_file_read(); both it and the model (a .tflite,
 * or a member of a bundle) are borrowed. Free `*sets` even after a failure: it knows the culprit.
 * It is NULL when memory is short. */
tq_status data_sets_open(const char *path, const tq_model *model, const double *range,
                         struct data_sets **sets, tq_error *error);
void data_sets_free(struct data_sets *sets);

uint64_t data_sets_count(const struct data_sets *sets);
/* The file or folder that the last failure was about. */
const char *data_sets_culprit(const struct data_sets *sets);

/* Gets the inputs of a model, in its order; they live until it returns. Not TQ_OK stops. */
typedef tq_status (*data_sets_visit)(void *opaque, uint64_t set, const tq_array *inputs,
                                     uint32_t n_inputs, tq_error *error);
tq_status data_sets_each(struct data_sets *sets, data_sets_visit visit, void *opaque,
                         tq_error *error);

#endif
