/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors that a GPU delegate does not take: with more than four dimensions, of unknown shape, of
 * int16, and constants of int4, int2 or in blocks on the classic delegate.
 *
 * Seen in: LiteRT#2540 and litert-torch#1090 (five dimensions), tensorflow#38036, tensorflow#46388
 * (unknown shapes). Since: always. Until: not fixed in f6745779.
 */
#include <inttypes.h>

#include "check/rules.h"
#include "tflite/builtins.h"

enum { MOST_RANK = 4 };

static tq_status look(tqi_check *check, const tqi_at *at, int32_t t, tq_error *error) {
    const tqi_tensor *tensor = &at->subgraph->tensors[t];
    const tqi_shape *shape = &check->shapes[at->subgraph_index].list[t];
    tqi_place place = tqi_at_op(at);
    bool constant = tqi_is_constant(check->graph, tensor);
    uint32_t rank = shape->known ? shape->rank : tensor->rank;
    place.tensor = t;
    if (rank > MOST_RANK)
        return tqi_find(check, &tqi_rule_gpu_tensor, TQ_SEVERITY_ERROR, place, "", error,
                        "A tensor of %s has %" PRIu32 " dimensions; GPU delegates take four.",
                        at->name, rank);
    if (!constant && check->uses[at->subgraph_index].producer[t] < 0 &&
        tqi_has_open_signature(tensor))
        return tqi_find(
            check, &tqi_rule_gpu_tensor, TQ_SEVERITY_WARNING, place, "", error,
            "The input of %s has open dimensions; GPU delegates take fixed shapes. Resize "
            "it before they see the model, or freeze it.",
            at->name);
    if (!constant && tensor->type == TQI_TYPE_INT16)
        return tqi_find(check, &tqi_rule_gpu_tensor, TQ_SEVERITY_ERROR, place, "", error,
                        "A tensor of %s is of type INT16, which GPU delegates do not take.",
                        at->name);
    if (constant && (tensor->type == TQI_TYPE_INT4 || tensor->type == TQI_TYPE_INT2))
        return tqi_find(check, &tqi_rule_gpu_tensor, TQ_SEVERITY_WARNING, place, "", error,
                        "A constant of %s is of type %s, which the classic GPU delegate does not "
                        "take.",
                        at->name, tqi_type_text(tensor->type));
    return TQ_OK;
}

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    for (uint32_t i = 0; i < at->op->n_outputs; i++)
        if (at->op->outputs[i] >= 0)
            TQI_TRY(look(check, at, at->op->outputs[i], error));
    for (uint32_t i = 0; i < at->op->n_inputs; i++) {
        int32_t t = at->op->inputs[i];
        /* what another operator makes is its output */
        if (t >= 0 && check->uses[at->subgraph_index].producer[t] < 0)
            TQI_TRY(look(check, at, t, error));
    }
    return TQ_OK;
}

static tq_status run(tqi_check *check, tq_error *error) {
    return tqi_each_operator(check, visit, error);
}

const tqi_check_rule tqi_rule_gpu_tensor = {
    "gpu-tensor", "tensors whose rank, type or open shape GPU delegates do not take", TQI_FOR_GPU,
    run, false};
