/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_mend.h"

#include <inttypes.h>

static tq_finding finding_at(const tq_findings *findings, uint32_t index) {
    tq_finding finding = {.struct_size = sizeof finding};
    tq_get_finding(findings, index, &finding);
    return finding;
}

struct cli_counts cli_count_findings(const tq_findings *findings) {
    struct cli_counts counts = {.clean = true};
    for (uint32_t i = 0; i < tq_findings_count(findings); i++) {
        const uint32_t severity = finding_at(findings, i).severity;
        counts.of[severity < CLI_SEVERITIES ? severity : TQ_SEVERITY_ERROR]++;
        if (severity > TQ_SEVERITY_NOTE)
            counts.clean = false;
    }
    return counts;
}

/* --- JSON --- */

static void put_index(struct json_out *json, const char *key, int32_t index) {
    json_key(json, key);
    if (index == TQ_NO_INDEX)
        json_null(json);
    else
        json_int(json, index);
}

static void json_finding(struct json_out *json, const tq_finding *finding) {
    json_open(json, '{');
    json_put_string(json, "severity", tq_severity_name(finding->severity));
    json_put_string(json, "rule", finding->rule);
    json_put_string(json, "path", finding->path);
    put_index(json, "subgraph", finding->subgraph);
    put_index(json, "op", finding->op);
    put_index(json, "op_input", finding->op_input);
    json_put_string(json, "op_name", finding->op_name);
    put_index(json, "builtin_code", finding->builtin_code);
    put_index(json, "tensor", finding->tensor);
    json_put_string(json, "tensor_name", finding->tensor_name);
    json_put_string(json, "message", finding->message);
    json_key(json, "cure");
    *finding->cure != '\0' ? json_string(json, finding->cure) : json_null(json);
    json_close(json, '}');
}

void cli_json_findings(struct json_out *json, const tq_findings *findings) {
    const struct cli_counts counts = cli_count_findings(findings);
    json_put_bool(json, "clean", counts.clean);
    json_key(json, "counts");
    json_open(json, '{');
    for (uint32_t i = CLI_SEVERITIES; i-- > 0;)
        json_put_uint(json, tq_severity_name(i), counts.of[i]);
    json_close(json, '}');
    json_key(json, "findings");
    json_open(json, '[');
    for (uint32_t i = 0; i < tq_findings_count(findings); i++) {
        const tq_finding finding = finding_at(findings, i);
        json_finding(json, &finding);
    }
    json_close(json, ']');
}

/* --- text --- */

static void print_finding(FILE *file, const tq_finding *finding) {
    fprintf(file, "%s: ", tq_severity_name(finding->severity));
    if (*finding->path != '\0') {
        cli_print_name(file, finding->path, 0);
        fputs(": ", file);
    }
    if (finding->op != TQ_NO_INDEX) {
        fprintf(file, "operator %" PRId32 " (", finding->op);
        cli_print_name(file, finding->op_name, 40);
        putc(')', file);
        if (finding->subgraph > 0)
            fprintf(file, " of subgraph %" PRId32, finding->subgraph);
    } else if (finding->tensor != TQ_NO_INDEX) {
        fprintf(file, "tensor %" PRId32, finding->tensor);
    }
    if (*finding->tensor_name != '\0') {
        fputs(finding->op != TQ_NO_INDEX ? ", " : " ", file);
        cli_print_name(file, finding->tensor_name, 60);
    }
    fputs("\n  ", file);
    cli_print_name(file, finding->message, 0);
    fprintf(file, " [%s%s%s]\n", finding->rule, *finding->cure != '\0' ? ", cured by " : "",
            finding->cure);
}

void cli_print_findings(FILE *file, const tq_findings *findings, uint32_t severity) {
    for (uint32_t i = 0; i < tq_findings_count(findings); i++) {
        const tq_finding finding = finding_at(findings, i);
        if (finding.severity >= severity)
            print_finding(file, &finding);
    }
}

void cli_print_counts(FILE *file, const struct cli_counts *counts) {
    for (uint32_t i = CLI_SEVERITIES; i-- > 0;)
        fprintf(file, "%" PRIu32 " %s%s%s", counts->of[i], tq_severity_name(i),
                counts->of[i] == 1 ? "" : "s", i != 0 ? ", " : "");
}
