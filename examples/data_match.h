/* SPDX-License-Identifier: Apache-2.0 */
/* How the array in a file becomes sets of one input of a model. */
#ifndef TFQUANT_EXAMPLES_DATA_MATCH_H
#define TFQUANT_EXAMPLES_DATA_MATCH_H

#include "array_file.h"

/* An input of a model; names and shapes are the model's. */
struct data_input {
    const char *name;
    int32_t type;
    uint32_t rank;
    const int32_t *shape;
    const int32_t *signature; /* -1: dynamic; NULL: nothing is */
};

struct data_match {
    uint64_t sets;
    uint64_t elements; /* of a set */
    int32_t shape[ARRAY_RANK];
    uint32_t rank;
};

/* Describes a raw file on the way. TQ_ERR_UNSUPPORTED with both shapes where they differ. */
tq_status data_match(struct array_file *file, const struct data_input *input,
                     struct data_match *match, tq_error *error);

#endif
