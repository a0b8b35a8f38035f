/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator reads what a later one makes, or what nothing makes. The runtime does not notice: it
 * runs operators as they come, and gives garbage.
 *
 * Seen in: LiteRT's own test topo_sort_fork_violation; models that tools have put together.
 * Since: always. Until: not fixed; LiteRT's compiler plugins sort, its interpreter does not.
 */
#include <inttypes.h>

#include "check/rules.h"

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_uses *uses = &check->uses[at->subgraph_index];
    for (uint32_t i = 0; i < at->op->n_inputs; i++) {
        const tqi_tensor *tensor = tqi_at_in(at, i);
        int32_t t = at->op->inputs[i];
        uint64_t elements;
        if (!tensor || tensor->is_variable || tensor->is_external)
            continue;
        int32_t producer = uses->producer[t];
        if (producer >= (int32_t)at->op_index)
            TQI_TRY(tqi_find(check, &tqi_rule_operator_order, TQ_SEVERITY_WARNING,
                             tqi_at_input(at, i), "", error,
                             "It reads what operator %" PRId32
                             " makes, which runs later. The runtime does not notice, and gives "
                             "garbage.",
                             producer));
        bool nothing = producer < 0 && !tqi_is_constant(check->graph, tensor) &&
                       tqi_tensor_elements(tensor, &elements) && elements > 0;
        if (nothing && !uses->boundary[t])
            TQI_TRY(tqi_find(check, &tqi_rule_operator_order, TQ_SEVERITY_WARNING,
                             tqi_at_input(at, i), "", error,
                             "It reads a tensor that nothing makes: whatever is in memory."));
    }
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_operator_order = {
    "operator-order", "operators that read what a later one makes, or nothing", TQI_FOR_ALL, run,
    false};
