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

/* Whether an output is further apart than wanted. */
bool verify_is_below(const tq_comparison *output, double min_snr);

void verify_print(const struct cli_options *options, const struct verified_all *all, FILE *file);
void verify_json(const struct cli_options *options, const struct verified_all *all, FILE *file);

#endif
