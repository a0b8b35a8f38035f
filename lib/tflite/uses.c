/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite/uses.h"

static void mark(bool *boundary, const int32_t *list, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (list[i] >= 0)
            boundary[list[i]] = true;
}

static void mark_signatures(const tqi_graph *graph, uint32_t subgraph, bool *boundary) {
    for (uint32_t i = 0; i < graph->n_signatures; i++) {
        const tqi_signature *signature = &graph->signatures[i];
        if (signature->subgraph != subgraph)
            continue;
        for (uint32_t field = TQI_SIGNATURE_INPUTS; field <= TQI_SIGNATURE_OUTPUTS; field++) {
            tqi_vector map = tqi_get_vector(&graph->view, signature->source, field);
            for (uint32_t j = 0; j < map.count; j++) {
                uint32_t entry = tqi_element(&graph->view, map, j);
                int32_t tensor =
                    tqi_index_now(&graph->subgraphs[subgraph],
                                  tqi_get_i32(&graph->view, entry, TQI_MAP_TENSOR_INDEX, 0));
                mark(boundary, &tensor, 1);
            }
        }
    }
}

tq_status tqi_find_uses(const tqi_graph *graph, uint32_t subgraph, tqi_arena *arena, tqi_uses *uses,
                        tq_error *error) {
    const tqi_subgraph *s = &graph->subgraphs[subgraph];
    uint64_t total = 0;
    TQI_NEW(arena, &uses->producer, s->n_tensors, error);
    TQI_NEW(arena, &uses->first, (uint64_t)s->n_tensors + 2, error);
    TQI_NEW(arena, &uses->boundary, s->n_tensors, error);
    for (uint32_t i = 0; i < s->n_tensors; i++)
        uses->producer[i] = -1;
    for (uint32_t i = 0; i < s->n_operators; i++) {
        const tqi_operator *op = &s->operators[i];
        for (uint32_t j = 0; j < op->n_outputs; j++)
            if (op->outputs[j] >= 0)
                uses->producer[op->outputs[j]] = (int32_t)i;
        for (uint32_t j = 0; j < op->n_inputs; j++) {
            if (op->inputs[j] < 0)
                continue;
            uses->first[op->inputs[j] + 2]++;
            total++;
        }
    }
    TQI_NEW(arena, &uses->list, total, error);
    for (uint32_t i = 0; i < s->n_tensors; i++)
        uses->first[i + 2] += uses->first[i + 1];
    for (uint32_t i = 0; i < s->n_operators; i++)
        for (uint32_t j = 0; j < s->operators[i].n_inputs; j++) {
            int32_t tensor = s->operators[i].inputs[j];
            if (tensor >= 0)
                uses->list[uses->first[tensor + 1]++] = (tqi_use){i, j};
        }
    mark(uses->boundary, s->inputs, s->n_inputs);
    mark(uses->boundary, s->outputs, s->n_outputs);
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        int32_t named[2];
        tqi_details_tensors(&graph->view, s, &s->tensors[i], named);
        mark(uses->boundary, named, 2);
    }
    mark_signatures(graph, subgraph, uses->boundary);
    return TQ_OK;
}
