/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of 'tfquant verify' share. */
#ifndef TFQUANT_EXAMPLES_TFQUANT_VERIFY_H
#define TFQUANT_EXAMPLES_TFQUANT_VERIFY_H

#include "tfquant_cli.h"

/* Two models that were compared, or why they could not be. */
struct verified {
    const char *path; /* in a bundle; NULL: the models themselves */
    tq_verification *verification;
    tq_error error;
    bool below; /* an output is below the SNR that is wanted */
};

struct verified_all {
    struct verified *list;
    uint32_t count;
    const char **missing, **additional; /* paths of models in one bundle only */
    uint32_t n_missing, n_additional;
    uint32_t format;
};

/* Inputs of the user's, all at once. */
struct verify_inputs {
    tq_array *arrays; /* set by set; NULL: none were asked for */
    uint32_t sets;
    uint32_t room; /* sets */
    uint32_t n_inputs;
    struct data_sets *files;
    const char *culprit; /* file or folder that a failure is about, or NULL */
};

/* Reads what the options name, for this model. Free it either way. */
tq_status verify_read_inputs(const struct cli_options *options, const tq_model *model,
                             struct verify_inputs *inputs, tq_error *error);
void verify_inputs_free(struct verify_inputs *inputs);

/* Whether an output is further apart than wanted. */
bool verify_is_below(const tq_comparison *output, double min_snr);

void verify_print(const struct cli_options *options, const struct verified_all *all, FILE *file);
void verify_json(const struct cli_options *options, const struct verified_all *all, FILE *file);

#endif
