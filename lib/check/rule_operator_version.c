/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator code asks for a version that the runtime does not have: it then does not load the
 * model, used or not. With a release as the ceiling, also for what came after it.
 *
 * Seen in: LiteRT#2146 (FULLY_CONNECTED 12 where 9 is the newest), tensorflow#76743,
 * tensorflow#80736. Since: always. Until: not fixed; each release adds versions. Version 1 of
 * BROADCAST_TO never was one.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "tflite/builtins.h"
#include "tflite/op_support.h"

/* The first operator that has each code. */
static tq_status find_users(const tqi_check *check, tqi_place **users, tq_error *error) {
    const tqi_graph *graph = check->graph;
    TQI_NEW(check->arena, users, graph->n_opcodes, error);
    for (uint32_t c = 0; c < graph->n_opcodes; c++)
        (*users)[c] = (tqi_place){-1, -1, -1, -1};
    for (uint32_t s = 0; s < graph->n_subgraphs; s++)
        for (uint32_t i = 0; i < graph->subgraphs[s].n_operators; i++) {
            tqi_place *user = &(*users)[graph->subgraphs[s].operators[i].opcode];
            if (user->op < 0)
                *user = (tqi_place){(int32_t)s, (int32_t)i, -1, -1};
        }
    return TQ_OK;
}

static bool is_registered(const tqi_op_support *support, int32_t builtin, int32_t version) {
    enum { FIRST_BROADCAST_TO = 2 };
    int32_t oldest = builtin == TQI_BUILTIN_BROADCAST_TO ? FIRST_BROADCAST_TO : 1;
    return support && version >= oldest && version <= support->newest;
}

static tq_status run(tqi_check *check, tq_error *error) {
    const tqi_graph *graph = check->graph;
    tqi_place *users = NULL;
    TQI_TRY(find_users(check, &users, error));
    for (uint32_t c = 0; c < graph->n_opcodes; c++) {
        const tqi_opcode *code = &graph->opcodes[c];
        const char *name = tqi_op_name(code->builtin);
        if (code->builtin == TQI_BUILTIN_CUSTOM)
            continue;
        const tqi_op_support *support = tqi_find_support(code->builtin);
        uint32_t since = tqi_first_release(code->builtin, code->version);
        bool is_known = is_registered(support, code->builtin, code->version);
        bool is_newer = check->runtime && since > check->runtime;
        if (is_known && !is_newer)
            continue;
        tqi_place place = users[c];
        name = name ? name : "unknown";
        if (!is_known)
            TQI_TRY(tqi_find(check, &tqi_rule_operator_version, TQ_SEVERITY_ERROR, place, "", error,
                             "Didn't find op for builtin opcode '%s' version '%" PRId32
                             "'. The newest that LiteRT 2.3 has is %d.",
                             name, code->version, support ? support->newest : 0));
        else
            TQI_TRY(tqi_find(check, &tqi_rule_operator_version, TQ_SEVERITY_ERROR, place, "", error,
                             "Didn't find op for builtin opcode '%s' version '%" PRId32
                             "'. It came with %" PRIu32 ".%" PRIu32 ", after %" PRIu32 ".%" PRIu32
                             ".",
                             name, code->version, since / 100, since % 100, check->runtime / 100,
                             check->runtime % 100));
    }
    return TQ_OK;
}

const tqi_check_rule tqi_rule_operator_version = {
    "operator-version", "operators and versions of them that the runtime does not have",
    TQI_FOR_ALL, run, false};
