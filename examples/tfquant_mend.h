/* SPDX-License-Identifier: Apache-2.0 */
/* What checks find, the rewrites that cure it, and what these did: shared by the commands. */
#ifndef TFQUANT_EXAMPLES_TFQUANT_MEND_H
#define TFQUANT_EXAMPLES_TFQUANT_MEND_H

#include "tfquant_cli.h"

/* --- findings --- */

enum { CLI_SEVERITIES = 3 };
struct cli_counts {
    uint32_t of[CLI_SEVERITIES]; /* by TQ_SEVERITY_... */
    bool clean;                  /* but for notes */
};
struct cli_counts cli_count_findings(const tq_findings *findings);
/* Those of this severity and above, two lines each. */
void cli_print_findings(FILE *file, const tq_findings *findings, uint32_t severity);
/* "1 error, 2 warnings, 0 notes" */
void cli_print_counts(FILE *file, const struct cli_counts *counts);
/* The keys clean, counts and findings of an object that is open. */
void cli_json_findings(struct json_out *json, const tq_findings *findings);

/* --- edits --- */

/* Of a bundle those of the models in it. */
uint32_t cli_count_edits(tq_model *model);
void cli_print_edits(FILE *file, tq_model *model);
/* The key edits of an object that is open. */
void cli_json_edits(struct json_out *json, tq_model *model);

/* --- cures --- */

/* Rewrites the model by what cures the findings of this severity and above, and checks it again
 * until there is nothing more to cure. `*findings` are those of `model`, and become those of
 * `*mended`; that stays NULL where there is no cure. After an error both are as they were. */
tq_status cli_mend(const tq_model *model, const tq_check_options *check, uint32_t severity,
                   tq_findings **findings, tq_model **mended, tq_error *error);

/* Writes a model that was not quantized to where the options say. */
tq_status cli_save_plain(const struct cli_options *options, tq_model *model, tq_error *error);

#endif
