/* SPDX-License-Identifier: Apache-2.0 */
#include "check/findings.h"

#include <string.h>

void tqi_findings_init(tqi_findings *findings, tqi_heap *heap) {
    *findings = (tqi_findings){.path = ""};
    findings->end = &findings->first;
    tqi_arena_init(&findings->arena, heap);
}

void tqi_findings_free(tqi_findings *findings) {
    tqi_arena_free(&findings->arena);
}

tq_status tqi_findings_text(tqi_findings *findings, const char *text, const char **copy,
                            tq_error *error) {
    char *made = NULL;
    size_t size = strlen(text) + 1;
    *copy = "";
    if (size == 1)
        return TQ_OK;
    TQI_NEW(&findings->arena, &made, size, error);
    memcpy(made, text, size);
    *copy = made;
    return TQ_OK;
}

tq_status tqi_findings_add(tqi_findings *findings, const tq_finding *found, tq_error *error) {
    tqi_finding *entry = NULL;
    if (findings->of_rule >= TQI_MOST_OF_A_RULE)
        return TQ_OK;
    TQI_NEW(&findings->arena, &entry, 1, error);
    entry->shown = *found;
    const char **texts[] = {&entry->shown.op_name, &entry->shown.tensor_name,
                            &entry->shown.message};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        TQI_TRY(tqi_findings_text(findings, *texts[i], texts[i], error));
    entry->shown.path = findings->path;
    *findings->end = entry;
    findings->end = &entry->next;
    findings->of_rule++;
    findings->count++;
    return TQ_OK;
}
