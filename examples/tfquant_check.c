/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include <inttypes.h>
#include <string.h>

enum { SEVERITIES = 3 };

/* false: there is no target of this name. */
static bool find_target(const char *name, uint32_t *target) {
    for (uint32_t i = 0; strcmp(tq_target_name(i), "unknown") != 0; i++) {
        if (strcmp(tq_target_name(i), name) == 0) {
            *target = i;
            return true;
        }
    }
    return false;
}

static enum cli_exit unknown_target(const struct cli_options *options) {
    char names[120] = "";
    for (uint32_t i = 0; strcmp(tq_target_name(i), "unknown") != 0; i++) {
        const size_t length = strlen(names);
        snprintf(names + length, sizeof names - length, "%s%s", i != 0 ? ", " : "",
                 tq_target_name(i));
    }
    return cli_usage_error(options->command_name, "there is no target '%s', only %s",
                           options->check_target, names);
}

static tq_finding finding_at(const tq_findings *findings, uint32_t index) {
    tq_finding finding = {.struct_size = sizeof finding};
    tq_get_finding(findings, index, &finding);
    return finding;
}

static void count(const tq_findings *findings, uint32_t counts[SEVERITIES]) {
    memset(counts, 0, SEVERITIES * sizeof counts[0]);
    for (uint32_t i = 0; i < tq_findings_count(findings); i++) {
        const uint32_t severity = finding_at(findings, i).severity;
        counts[severity < SEVERITIES ? severity : TQ_SEVERITY_ERROR]++;
    }
}

/* --- JSON --- */

static void put_index(struct json_out *json, const char *key, int32_t index) {
    json_key(json, key);
    if (index == TQ_NO_INDEX)
        json_null(json);
    else
        json_int(json, index);
}

static void put_text(struct json_out *json, const char *key, const char *text) {
    json_key(json, key);
    if (text == NULL || *text == '\0')
        json_null(json);
    else
        json_string(json, text);
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
    put_text(json, "cure", finding->cure);
    json_close(json, '}');
}

static void json_rules(struct json_out *json, uint32_t target) {
    tq_rule_info info = {.struct_size = sizeof info};
    json_key(json, "rules");
    json_open(json, '[');
    for (uint32_t i = 0; tq_get_rule_info(i, &info) == TQ_OK; i++) {
        if ((info.targets >> target & 1) == 0)
            continue;
        json_open(json, '{');
        json_put_string(json, "name", info.name);
        json_put_string(json, "summary", info.summary);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void print_json(const struct cli_options *options, uint32_t target,
                       const tq_findings *findings, bool clean) {
    struct json_out json;
    uint32_t counts[SEVERITIES];
    count(findings, counts);
    cli_json_begin(&json, options, stdout);
    json_put_string(&json, "input", options->input);
    json_put_string(&json, "target", tq_target_name(target));
    put_text(&json, "runtime", options->runtime);
    json_put_bool(&json, "clean", clean);
    json_key(&json, "counts");
    json_open(&json, '{');
    for (uint32_t i = SEVERITIES; i-- > 0;)
        json_put_uint(&json, tq_severity_name(i), counts[i]);
    json_close(&json, '}');
    json_key(&json, "findings");
    json_open(&json, '[');
    for (uint32_t i = 0; i < tq_findings_count(findings); i++) {
        const tq_finding finding = finding_at(findings, i);
        json_finding(&json, &finding);
    }
    json_close(&json, ']');
    json_rules(&json, target);
    cli_json_end(&json);
}

/* --- text --- */

static void print_finding(const tq_finding *finding) {
    printf("%s: ", tq_severity_name(finding->severity));
    if (*finding->path != '\0') {
        cli_print_name(stdout, finding->path, 0);
        fputs(": ", stdout);
    }
    if (finding->op != TQ_NO_INDEX) {
        printf("operator %" PRId32 " (", finding->op);
        cli_print_name(stdout, finding->op_name, 40);
        putchar(')');
        if (finding->subgraph > 0)
            printf(" of subgraph %" PRId32, finding->subgraph);
    } else if (finding->tensor != TQ_NO_INDEX) {
        printf("tensor %" PRId32, finding->tensor);
    }
    if (*finding->tensor_name != '\0') {
        fputs(finding->op != TQ_NO_INDEX ? ", " : " ", stdout);
        cli_print_name(stdout, finding->tensor_name, 60);
    }
    fputs("\n  ", stdout);
    cli_print_name(stdout, finding->message, 0);
    printf(" [%s%s%s]\n", finding->rule, *finding->cure != '\0' ? ", cured by " : "",
           finding->cure);
}

static void print_text(const struct cli_options *options, uint32_t target,
                       const tq_findings *findings) {
    uint32_t counts[SEVERITIES];
    count(findings, counts);
    for (uint32_t i = 0; i < tq_findings_count(findings); i++) {
        const tq_finding finding = finding_at(findings, i);
        if (finding.severity > TQ_SEVERITY_NOTE || options->verbosity > 0)
            print_finding(&finding);
    }
    cli_print_name(stdout, options->input, 0);
    printf(" for %s: %" PRIu32 " error%s, %" PRIu32 " warning%s, %" PRIu32 " note%s%s\n",
           tq_target_name(target), counts[TQ_SEVERITY_ERROR],
           counts[TQ_SEVERITY_ERROR] == 1 ? "" : "s", counts[TQ_SEVERITY_WARNING],
           counts[TQ_SEVERITY_WARNING] == 1 ? "" : "s", counts[TQ_SEVERITY_NOTE],
           counts[TQ_SEVERITY_NOTE] == 1 ? "" : "s",
           counts[TQ_SEVERITY_NOTE] != 0 && options->verbosity <= 0 ? " (shown by -v)" : "");
}

enum cli_exit cli_check(const struct cli_options *options) {
    tq_error error = TQ_ERROR_INIT;
    tq_check_options check = TQ_CHECK_OPTIONS_INIT;
    tq_model *model = NULL;
    tq_findings *findings = NULL;
    uint32_t counts[SEVERITIES];
    if (options->check_target != NULL && !find_target(options->check_target, &check.target))
        return unknown_target(options);
    check.runtime = options->runtime;
    tq_status status = cli_load(options, &model, &error);
    if (status == TQ_OK)
        status = tq_check(model, &check, &findings, &error);
    if (status != TQ_OK) {
        tq_model_free(model);
        return cli_report_error(options, options->input, &error, stdout);
    }
    count(findings, counts);
    const bool clean = counts[TQ_SEVERITY_ERROR] == 0 && counts[TQ_SEVERITY_WARNING] == 0;
    if (options->json)
        print_json(options, check.target, findings, clean);
    else if (options->verbosity >= 0)
        print_text(options, check.target, findings);
    tq_findings_free(findings);
    tq_model_free(model);
    return cli_finish_output(stdout, clean ? CLI_DONE : CLI_FOUND);
}
