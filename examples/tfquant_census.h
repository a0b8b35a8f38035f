/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of what a model is made of. */
#ifndef TFQUANT_EXAMPLES_TFQUANT_CENSUS_H
#define TFQUANT_EXAMPLES_TFQUANT_CENSUS_H

#include <tfquant/tfquant.h>

#include <stdbool.h>
#include <stdint.h>

struct operator_count {
    const char *name;
    int32_t version;
    bool is_custom;
    uint64_t count;
};

/* Operators by name and version, most frequent first. Free it by free(). false: no memory. */
bool count_operators(const tq_model *model, struct operator_count **counts, uint32_t *groups);

struct constant_count {
    int32_t type;
    bool sparse;
    bool quantized;
    uint64_t tensors;
    uint64_t bytes; /* a buffer that several tensors share counts once */
};
enum { CONSTANT_GROUPS = 128 };
struct constant_census {
    struct constant_count groups[CONSTANT_GROUPS];
    uint32_t count;
};

/* Constants by type, most bytes first. false: no memory. */
bool count_constants(const tq_model *model, struct constant_census *census);

#endif
