/* SPDX-License-Identifier: Apache-2.0 */
#include "rewrite/net.h"

#include <string.h>

#include "tflite/builtins.h"
#include "tflite/op_facts.h"
#include "tflite/uses.h"

/* ---- arrays that grow ---- */

/* Room for `count` elements; *array is a pointer to the first. */
static tq_status grow(tqi_arena *arena, void *array, uint32_t used, uint32_t count, size_t size,
                      tq_error *error) {
    void *old, *grown = NULL;
    memcpy(&old, array, sizeof old);
    TQI_TRY(tqi_arena_alloc(arena, count, size, &grown, error));
    if (used > 0)
        memcpy(grown, old, used * size);
    memcpy(array, &grown, sizeof grown);
    return TQ_OK;
}

static tq_status grow_tensors(tqi_net *net, uint32_t used, uint32_t count, tq_error *error) {
    TQI_TRY(grow(net->arena, &net->producer, used, count, sizeof *net->producer, error));
    TQI_TRY(grow(net->arena, &net->readers, used, count, sizeof *net->readers, error));
    TQI_TRY(grow(net->arena, &net->n_readers, used, count, sizeof *net->n_readers, error));
    TQI_TRY(grow(net->arena, &net->pinned, used, count, sizeof *net->pinned, error));
    TQI_TRY(grow(net->arena, &net->entry, used, count, sizeof *net->entry, error));
    net->tensor_capacity = count;
    return TQ_OK;
}

enum { MORE = 64 };

static tq_status room_for_edges(tqi_net *net, uint32_t more, tq_error *error) {
    if (net->edge_capacity - net->n_edges >= more)
        return TQ_OK;
    uint32_t count = 2 * net->n_edges + more + MORE;
    TQI_TRY(grow(net->arena, &net->edges, net->n_edges, count, sizeof *net->edges, error));
    net->edge_capacity = count;
    return TQ_OK;
}

static tq_status push_loose(tqi_net *net, int32_t tensor, tq_error *error) {
    if (net->n_loose == net->loose_capacity) {
        uint32_t count = 2 * net->n_loose + MORE;
        TQI_TRY(grow(net->arena, &net->loose, net->n_loose, count, sizeof *net->loose, error));
        net->loose_capacity = count;
    }
    net->loose[net->n_loose++] = tensor;
    return TQ_OK;
}

/* ---- lists of readers ---- */

static void link_edge(tqi_net *net, uint32_t edge, int32_t tensor) {
    tqi_edge *e = &net->edges[edge];
    e->previous = -1;
    e->next = net->readers[tensor];
    if (e->next >= 0)
        net->edges[e->next].previous = (int32_t)edge;
    net->readers[tensor] = (int32_t)edge;
    net->n_readers[tensor]++;
}

static void unlink_edge(tqi_net *net, uint32_t edge, int32_t tensor) {
    const tqi_edge *e = &net->edges[edge];
    if (e->previous >= 0)
        net->edges[e->previous].next = e->next;
    else
        net->readers[tensor] = e->next;
    if (e->next >= 0)
        net->edges[e->next].previous = e->previous;
    net->n_readers[tensor]--;
}

static tq_status add_edges(tqi_net *net, uint32_t index, tq_error *error) {
    const tqi_operator *op = tqi_net_operator(net, index);
    TQI_TRY(room_for_edges(net, op->n_inputs, error));
    net->edges_of[index] = net->n_edges;
    for (uint32_t i = 0; i < op->n_inputs; i++) {
        net->edges[net->n_edges] = (tqi_edge){index, i, -1, -1};
        if (op->inputs[i] >= 0)
            link_edge(net, net->n_edges, op->inputs[i]);
        net->n_edges++;
    }
    return TQ_OK;
}

static void note_outputs(tqi_net *net, uint32_t index) {
    const tqi_operator *op = tqi_net_operator(net, index);
    for (uint32_t i = 0; i < op->n_outputs; i++) {
        int32_t tensor = op->outputs[i];
        if (tensor < 0)
            continue;
        /* what two operators make, or what is made though it has values, is not understood */
        if (net->producer[tensor] >= 0 ||
            tqi_tensor_content(net->graph, tqi_net_tensor(net, tensor))->size > 0)
            net->pinned[tensor] = net->entry[tensor] = true;
        net->producer[tensor] = (int32_t)index;
    }
}

tq_status tqi_net_make(tqi_net *net, tqi_graph *graph, uint32_t subgraph, tq_error *error) {
    *net = (tqi_net){.graph = graph, .subgraph = subgraph, .arena = graph->arena};
    const tqi_subgraph *s = &graph->subgraphs[subgraph];
    tqi_uses uses;
    TQI_TRY(tqi_find_uses(graph, subgraph, graph->arena, &uses, error));
    TQI_TRY(grow_tensors(net, 0, s->n_tensors + MORE, error));
    net->operator_capacity = s->n_operators + MORE;
    TQI_NEW(net->arena, &net->edges_of, net->operator_capacity, error);
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        const tqi_tensor *t = &s->tensors[i];
        net->producer[i] = net->readers[i] = -1;
        net->pinned[i] = uses.boundary[i] || t->is_variable || t->is_external;
        net->entry[i] = t->is_variable || t->is_external;
    }
    for (uint32_t i = 0; i < s->n_inputs; i++)
        if (s->inputs[i] >= 0)
            net->entry[s->inputs[i]] = true;
    for (uint32_t i = 0; i < s->n_operators; i++) {
        const tqi_operator *op = &s->operators[i];
        TQI_TRY(add_edges(net, i, error));
        note_outputs(net, i);
        for (uint32_t j = 0; j < op->n_intermediates; j++)
            if (op->intermediates[j] >= 0)
                net->pinned[op->intermediates[j]] = net->entry[op->intermediates[j]] = true;
    }
    return TQ_OK;
}

/* ---- questions ---- */

bool tqi_is_opaque(int32_t builtin) {
    switch (builtin) {
    case TQI_BUILTIN_CUSTOM:
    case TQI_BUILTIN_DELEGATE:
    case TQI_BUILTIN_PLACEHOLDER_FOR_GREATER_OP_CODES:
    case TQI_BUILTIN_CALL:
    case TQI_BUILTIN_CALL_ONCE:
    case TQI_BUILTIN_IF:
    case TQI_BUILTIN_WHILE:
        return true;
    default:
        break;
    }
    const char *name = tqi_op_name(builtin);
    return !name || strncmp(name, "STABLEHLO_", 10) == 0;
}

static bool has_effects(int32_t builtin) {
    switch (builtin) {
    case TQI_BUILTIN_HASHTABLE:
    case TQI_BUILTIN_HASHTABLE_FIND:
    case TQI_BUILTIN_HASHTABLE_IMPORT:
    case TQI_BUILTIN_HASHTABLE_LOOKUP:
    case TQI_BUILTIN_HASHTABLE_SIZE:
    case TQI_BUILTIN_VAR_HANDLE:
    case TQI_BUILTIN_READ_VARIABLE:
    case TQI_BUILTIN_ASSIGN_VARIABLE:
    case TQI_BUILTIN_MULTINOMIAL:
    case TQI_BUILTIN_RANDOM_STANDARD_NORMAL:
    case TQI_BUILTIN_RANDOM_UNIFORM:
        return true;
    default:
        return tqi_is_opaque(builtin);
    }
}

bool tqi_net_is_pure(const tqi_net *net, uint32_t index) {
    const tqi_operator *op = tqi_net_operator(net, index);
    if (has_effects(tqi_net_builtin(net, index)))
        return false;
    for (uint32_t i = 0; i < op->n_inputs; i++)
        if (op->inputs[i] >= 0 && tqi_net_tensor(net, op->inputs[i])->is_variable)
            return false;
    return true;
}

bool tqi_net_opaque_reader(const tqi_net *net, int32_t tensor) {
    for (int32_t i = net->readers[tensor]; i >= 0; i = net->edges[i].next)
        if (tqi_is_opaque(tqi_net_builtin(net, net->edges[i].op)))
            return true;
    return false;
}

bool tqi_net_is_weight(const tqi_net *net, int32_t tensor) {
    for (int32_t i = net->readers[tensor]; i >= 0; i = net->edges[i].next) {
        const tqi_edge *e = &net->edges[i];
        if (tqi_input_role(tqi_net_builtin(net, e->op), e->input) != TQI_ROLE_OTHER)
            return true;
    }
    return false;
}

bool tqi_net_is_constant(const tqi_net *net, int32_t index) {
    const tqi_tensor *tensor = tqi_net_tensor(net, index);
    const tqi_content *content = tqi_tensor_content(net->graph, tensor);
    uint64_t elements, bytes;
    return net->producer[index] < 0 && !net->entry[index] && !tensor->sparsity &&
           tqi_is_constant(net->graph, tensor) && content->kind != TQI_CONTENT_PRODUCED &&
           tqi_tensor_elements(tensor, &elements) && elements > 0 &&
           tqi_type_bytes(tensor->type, elements, &bytes) && content->size >= bytes;
}

/* ---- edits ---- */

tq_status tqi_net_add_tensor(tqi_net *net, const tqi_tensor *tensor, int32_t *index,
                             tq_error *error) {
    uint32_t n = tqi_net_graph(net)->n_tensors;
    if (n == net->tensor_capacity)
        TQI_TRY(grow_tensors(net, n, 2 * n + MORE, error));
    tqi_tensor made = *tensor;
    made.edited = true; /* or its type would not be written */
    TQI_TRY(tqi_add_tensor(net->graph, net->subgraph, &made, index, error));
    net->producer[n] = net->readers[n] = -1;
    net->n_readers[n] = 0;
    net->pinned[n] = net->entry[n] = false;
    return TQ_OK;
}

tq_status tqi_net_add_operator(tqi_net *net, const tqi_new_operator *op, tq_error *error) {
    uint32_t index = tqi_net_graph(net)->n_operators;
    if (index == net->operator_capacity) {
        uint32_t count = 2 * index + MORE;
        TQI_TRY(grow(net->arena, &net->edges_of, index, count, sizeof *net->edges_of, error));
        net->operator_capacity = count;
    }
    TQI_TRY(tqi_insert_operator(net->graph, net->subgraph, op, &index, error));
    net->producer[op->output] = (int32_t)index;
    return add_edges(net, index, error);
}

static void set_input(tqi_net *net, uint32_t index, uint32_t input, int32_t tensor) {
    tqi_operator *op = tqi_net_operator(net, index);
    uint32_t edge = net->edges_of[index] + input;
    unlink_edge(net, edge, op->inputs[input]);
    op->inputs[input] = tensor;
    link_edge(net, edge, tensor);
}

void tqi_net_move_readers(tqi_net *net, int32_t from, int32_t to) {
    while (from != to && net->readers[from] >= 0) {
        const tqi_edge *e = &net->edges[net->readers[from]];
        set_input(net, e->op, e->input, to);
    }
}

static tq_status drop_operator(tqi_net *net, uint32_t index, tq_error *error) {
    tqi_operator *op = tqi_net_operator(net, index);
    op->removed = true;
    for (uint32_t i = 0; i < op->n_inputs; i++) {
        if (op->inputs[i] < 0)
            continue;
        unlink_edge(net, net->edges_of[index] + i, op->inputs[i]);
        TQI_TRY(push_loose(net, op->inputs[i], error));
    }
    for (uint32_t i = 0; i < op->n_outputs; i++) {
        if (op->outputs[i] < 0 || net->producer[op->outputs[i]] != (int32_t)index)
            continue;
        net->producer[op->outputs[i]] = -1;
        TQI_TRY(push_loose(net, op->outputs[i], error));
    }
    return TQ_OK;
}

static bool is_needed(const tqi_net *net, int32_t tensor) {
    return net->pinned[tensor] || net->n_readers[tensor] > 0;
}

static bool makes_nothing(const tqi_net *net, uint32_t index) {
    const tqi_operator *op = tqi_net_operator(net, index);
    for (uint32_t i = 0; i < op->n_outputs; i++)
        if (op->outputs[i] >= 0 && is_needed(net, op->outputs[i]))
            return false;
    return !op->removed && tqi_net_is_pure(net, index);
}

/* What lost its last reader goes, and what made only that. */
static tq_status sweep(tqi_net *net, tq_error *error) {
    while (net->n_loose > 0) {
        int32_t tensor = net->loose[--net->n_loose], producer = net->producer[tensor];
        if (is_needed(net, tensor) || net->entry[tensor])
            continue;
        if (producer < 0)
            tqi_net_tensor(net, tensor)->removed = true;
        else if (makes_nothing(net, (uint32_t)producer))
            TQI_TRY(drop_operator(net, (uint32_t)producer, error));
    }
    return TQ_OK;
}

tq_status tqi_net_remove(tqi_net *net, uint32_t index, tq_error *error) {
    TQI_TRY(drop_operator(net, index, error));
    return sweep(net, error);
}

tq_status tqi_net_change_input(tqi_net *net, uint32_t index, uint32_t input, int32_t tensor,
                               tq_error *error) {
    int32_t old = tqi_net_operator(net, index)->inputs[input];
    set_input(net, index, input, tensor);
    TQI_TRY(push_loose(net, old, error));
    return sweep(net, error);
}

/* `producer` makes `output` where it made `input`. */
static void make_instead(tqi_net *net, uint32_t producer, int32_t input, int32_t output) {
    tqi_operator *op = tqi_net_operator(net, producer);
    for (uint32_t i = 0; i < op->n_outputs; i++)
        if (op->outputs[i] == input)
            op->outputs[i] = output;
    net->producer[input] = -1;
    net->producer[output] = (int32_t)producer;
}

tq_status tqi_net_bypass(tqi_net *net, uint32_t index, int32_t input, int32_t output, bool *done,
                         tq_error *error) {
    int32_t producer = net->producer[input];
    *done = false;
    if (input == output || net->entry[output] || tqi_net_tensor(net, input)->is_variable ||
        tqi_net_tensor(net, input)->is_external)
        return TQ_OK;
    if (!net->pinned[output]) {
        if (tqi_net_opaque_reader(net, output))
            return TQ_OK;
        tqi_net_move_readers(net, output, input);
    } else {
        bool free = producer >= 0 && producer != (int32_t)index && !net->pinned[input] &&
                    !net->entry[input] && net->n_readers[input] == 1 &&
                    !tqi_is_opaque(tqi_net_builtin(net, (uint32_t)producer));
        if (!free)
            return TQ_OK;
        make_instead(net, (uint32_t)producer, input, output);
    }
    *done = true;
    return tqi_net_remove(net, index, error);
}
