/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A constant has fewer bytes than its shape and type say, or a variable has a value: the runtime
 * does not load the model.
 *
 * Seen in: models that were edited by hand or by tools that change shapes only.
 * Since: always. Until: not fixed; longer ones are accepted.
 */
#include <inttypes.h>

#include "check/rules.h"

static tq_status look(tqi_check *check, uint32_t s, uint32_t t, tq_error *error) {
    const tqi_tensor *tensor = &check->graph->subgraphs[s].tensors[t];
    const tqi_buffer *buffer = &check->graph->buffers[tensor->buffer];
    const tqi_place place = {(int32_t)s, -1, -1, (int32_t)t};
    uint64_t elements = 0, bytes = 0, has = buffer->content.size;
    /* the runtime takes a data vector without bytes for a constant, and buffer 0 for none */
    bool constant = tensor->buffer != 0 && (has > 0 || buffer->has_data);
    if (!constant || tensor->is_external)
        return TQ_OK;
    if (tensor->is_variable)
        return tqi_find(check, &tqi_rule_constant_size, TQ_SEVERITY_ERROR, place, "", error,
                        "Tensor %" PRIu32 " is a variable tensor with buffer.", t);
    if (tensor->sparsity || tensor->type == TQI_TYPE_STRING || tqi_type_bits(tensor->type) == 0)
        return TQ_OK;
    bool fits = tqi_tensor_elements(tensor, &elements) &&
                tqi_type_bytes(tensor->type, elements, &bytes) && bytes <= has;
    if (fits)
        return TQ_OK;
    return tqi_find(check, &tqi_rule_constant_size, TQ_SEVERITY_ERROR, place, "", error,
                    "Tensor %" PRIu32 " is invalidly specified in schema: its buffer has %" PRIu64
                    " bytes, its shape and type ask for %" PRIu64 ".",
                    t, has, bytes);
}

static tq_status run(tqi_check *check, tq_error *error) {
    for (uint32_t s = 0; s < check->graph->n_subgraphs; s++)
        for (uint32_t t = 0; t < check->graph->subgraphs[s].n_tensors; t++)
            TQI_TRY(look(check, s, t, error));
    return TQ_OK;
}

const tqi_check_rule tqi_rule_constant_size = {
    "constant-size", "constants with fewer bytes than their shape asks for", TQI_FOR_ALL, run,
    false};
