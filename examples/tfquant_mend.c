/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_mend.h"

#include <string.h>

enum { MOST_CURES = 64 };

struct cures {
    const char *names[MOST_CURES]; /* static ones, of the library */
    uint32_t count;
};

/* Whether it was not there yet. */
static bool add(struct cures *cures, const char *name) {
    for (uint32_t i = 0; i < cures->count; i++)
        if (strcmp(cures->names[i], name) == 0)
            return false;
    if (cures->count == MOST_CURES)
        return false;
    cures->names[cures->count++] = name;
    return true;
}

/* The cure of a BROADCAST_TO is the first of its rewrites that can be had: to drop it is better
 * than TILE, and MUL is for targets without TILE. */
static bool belongs(const char *rewrite, const char *cure) {
    static const char family[] = "broadcast-to-";
    const size_t length = sizeof family - 1;
    return strcmp(rewrite, cure) == 0 ||
           (strncmp(cure, family, length) == 0 && strncmp(rewrite, family, length) == 0);
}

/* Whether the findings name any that was not there yet. */
static bool gather(struct cures *cures, const tq_findings *findings, uint32_t severity) {
    tq_finding finding = {.struct_size = sizeof finding};
    tq_rewrite_info info = {.struct_size = sizeof info};
    bool any = false;
    for (uint32_t i = 0; tq_get_finding(findings, i, &finding) == TQ_OK; i++) {
        if (finding.severity < severity || *finding.cure == '\0')
            continue;
        for (uint32_t k = 0; tq_get_rewrite_info(k, &info) == TQ_OK; k++)
            if (belongs(info.name, finding.cure) && add(cures, info.name))
                any = true;
    }
    return any;
}

tq_status cli_mend(const tq_model *model, const tq_check_options *check, uint32_t severity,
                   tq_findings **findings, tq_model **mended, tq_error *error) {
    struct cures cures = {.count = 0};
    tq_model *result = NULL;
    tq_findings *left = NULL;
    /* What one cure leaves can need another: a mended BROADCAST_TO may still be one too many. */
    while (gather(&cures, left != NULL ? left : *findings, severity)) {
        tq_rewrite_options rewrite = TQ_REWRITE_OPTIONS_INIT;
        tq_model *next = NULL;
        tq_findings *found = NULL;
        rewrite.target = check->target;
        rewrite.names = cures.names;
        rewrite.n_names = cures.count;
        tq_status status = tq_rewrite(model, &rewrite, &next, error);
        if (status == TQ_OK)
            status = tq_check(next, check, &found, error);
        tq_model_free(result);
        tq_findings_free(left);
        result = next;
        left = found;
        if (status != TQ_OK) {
            tq_model_free(result);
            return status;
        }
    }
    if (result == NULL || cli_count_edits(result) == 0) {
        tq_findings_free(left);
        tq_model_free(result);
        return TQ_OK;
    }
    tq_findings_free(*findings);
    *findings = left;
    *mended = result;
    return TQ_OK;
}
