/* SPDX-License-Identifier: Apache-2.0 */
/* What a check found. Texts are copies: findings outlive the graph. */
#ifndef TQI_CHECK_FINDINGS_H
#define TQI_CHECK_FINDINGS_H

#include "base/error.h"
#include "base/heap.h"

/* One finding, and those behind it. */
typedef struct tqi_finding tqi_finding;
struct tqi_finding {
    tqi_finding *next;
    tq_finding shown;
};

typedef struct tqi_findings {
    tqi_arena arena;
    tqi_finding *first, **end;
    uint32_t count;
    const char *path; /* of the model that is looked at */
    uint32_t of_rule; /* found by the rule that runs */
} tqi_findings;

/* More of one rule in one model are left out. */
enum { TQI_MOST_OF_A_RULE = 4096 };

void tqi_findings_init(tqi_findings *findings, tqi_heap *heap);
void tqi_findings_free(tqi_findings *findings);
/* `found` is copied with its texts. */
tq_status tqi_findings_add(tqi_findings *findings, const tq_finding *found, tq_error *error);
/* A copy that lives as long as the findings. */
tq_status tqi_findings_text(tqi_findings *findings, const char *text, const char **copy,
                            tq_error *error);

#endif
