/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_census.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *left, const void *right) {
    const struct operator_count *a = left;
    const struct operator_count *b = right;
    if (a->is_custom != b->is_custom)
        return a->is_custom ? 1 : -1;
    const int order = strcmp(a->name, b->name);
    if (order != 0)
        return order;
    return a->version < b->version ? -1 : a->version > b->version;
}

static int by_count(const void *left, const void *right) {
    const struct operator_count *a = left;
    const struct operator_count *b = right;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return by_name(left, right);
}

static size_t operators_of(const tq_model *model, struct operator_count *all) {
    size_t total = 0;
    tq_subgraph_info subgraph = {.struct_size = sizeof subgraph};
    tq_operator_info op = {.struct_size = sizeof op};
    for (uint32_t s = 0; tq_get_subgraph_info(model, s, &subgraph) == TQ_OK; s++) {
        for (uint32_t i = 0; i < subgraph.operators; i++, total++) {
            if (all == NULL || tq_get_operator_info(model, s, i, &op) != TQ_OK)
                continue;
            all[total] = (struct operator_count){op.name, op.version, op.is_custom != 0, 1};
        }
    }
    return total;
}

bool count_operators(const tq_model *model, struct operator_count **counts, uint32_t *groups) {
    const size_t total = operators_of(model, NULL);
    struct operator_count *all = calloc(total + 1, sizeof *all);
    if (all == NULL)
        return false;
    operators_of(model, all);
    qsort(all, total, sizeof *all, by_name);
    uint32_t used = 0;
    for (size_t i = 0; i < total; i++) {
        if (used != 0 && by_name(&all[used - 1], &all[i]) == 0)
            all[used - 1].count++;
        else
            all[used++] = all[i];
    }
    qsort(all, used, sizeof *all, by_count);
    *counts = all;
    *groups = used;
    return true;
}

static int by_bytes(const void *left, const void *right) {
    const struct constant_count *a = left;
    const struct constant_count *b = right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->type < b->type ? -1 : a->type > b->type;
}

static void count_constant(struct constant_census *census, const tq_tensor_info *tensor,
                           uint8_t *buffer_seen) {
    const bool sparse = tensor->is_sparse != 0;
    const bool quantized = tensor->scales != 0;
    uint32_t i = 0;
    while (i < census->count &&
           (census->groups[i].type != tensor->type || census->groups[i].sparse != sparse ||
            census->groups[i].quantized != quantized))
        i++;
    if (i == CONSTANT_GROUPS)
        return;
    if (i == census->count) {
        census->groups[i] = (struct constant_count){tensor->type, sparse, quantized, 0, 0};
        census->count++;
    }
    census->groups[i].tensors++;
    if (!*buffer_seen)
        census->groups[i].bytes += tensor->bytes;
    *buffer_seen = 1;
}

bool count_constants(const tq_model *model, struct constant_census *census) {
    tq_model_info info = {.struct_size = sizeof info};
    tq_subgraph_info subgraph = {.struct_size = sizeof subgraph};
    tq_tensor_info tensor = {.struct_size = sizeof tensor};
    *census = (struct constant_census){.count = 0};
    if (tq_get_model_info(model, &info) != TQ_OK)
        return true;
    uint8_t *seen = calloc((size_t)info.buffers + 1, 1);
    if (seen == NULL)
        return false;
    for (uint32_t s = 0; tq_get_subgraph_info(model, s, &subgraph) == TQ_OK; s++) {
        for (uint32_t i = 0; i < subgraph.tensors; i++) {
            if (tq_get_tensor_info(model, s, i, &tensor) == TQ_OK && tensor.bytes != 0 &&
                tensor.buffer < info.buffers)
                count_constant(census, &tensor, &seen[tensor.buffer]);
        }
    }
    free(seen);
    qsort(census->groups, census->count, sizeof census->groups[0], by_bytes);
    return true;
}
