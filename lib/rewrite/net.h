/* SPDX-License-Identifier: Apache-2.0 */
/* Who makes and who reads each tensor of a subgraph, kept up to date while it is edited. Every
 * edit costs as much as the readers that it moves. */
#ifndef TQI_REWRITE_NET_H
#define TQI_REWRITE_NET_H

#include "tflite/edit.h"

/* An input of an operator, in the list of its tensor's readers. */
typedef struct tqi_edge {
    uint32_t op, input;
    int32_t previous, next; /* edges; -1: none */
} tqi_edge;

typedef struct tqi_net {
    tqi_graph *graph;
    uint32_t subgraph;
    tqi_arena *arena; /* that of the graph */
    /* by tensor */
    int32_t *producer; /* operator, or -1 */
    int32_t *readers;  /* first edge, or -1 */
    uint32_t *n_readers;
    bool *pinned; /* stays, under its name: at the boundary, a state, made twice, ... */
    bool *entry;  /* an input of the subgraph, or otherwise not to be made by another operator */
    /* by operator: its first edge; that of input i is i further */
    uint32_t *edges_of;
    tqi_edge *edges;
    int32_t *loose; /* tensors that lost a reader; a stack */
    uint32_t n_edges, n_loose;
    uint32_t tensor_capacity, operator_capacity, edge_capacity, loose_capacity;
} tqi_net;

tq_status tqi_net_make(tqi_net *net, tqi_graph *graph, uint32_t subgraph, tq_error *error);

static inline tqi_subgraph *tqi_net_graph(const tqi_net *net) {
    return &net->graph->subgraphs[net->subgraph];
}
static inline tqi_tensor *tqi_net_tensor(const tqi_net *net, int32_t tensor) {
    return &tqi_net_graph(net)->tensors[tensor];
}
static inline tqi_operator *tqi_net_operator(const tqi_net *net, uint32_t op) {
    return &tqi_net_graph(net)->operators[op];
}
static inline int32_t tqi_net_builtin(const tqi_net *net, uint32_t op) {
    return tqi_builtin(net->graph, tqi_net_operator(net, op));
}

/* Operators that are not looked into: custom ones, control flow, composites, StableHLO, and
 * what the schema does not name. They are neither changed nor given other inputs. */
bool tqi_is_opaque(int32_t builtin);
/* It computes its outputs from its inputs, and does nothing else. */
bool tqi_net_is_pure(const tqi_net *net, uint32_t op);
/* Some reader is opaque. */
bool tqi_net_opaque_reader(const tqi_net *net, int32_t tensor);
/* Some reader takes it as weights or bias: were it a constant, runtimes might run that reader by
 * another kernel, which sums in another order. */
bool tqi_net_is_weight(const tqi_net *net, int32_t tensor);
/* A constant that no operator makes, dense, with all its bytes. */
bool tqi_net_is_constant(const tqi_net *net, int32_t tensor);

/* Pointers to tensors, or to operators, are invalid afterwards. */
tq_status tqi_net_add_tensor(tqi_net *net, const tqi_tensor *tensor, int32_t *index,
                             tq_error *error);
tq_status tqi_net_add_operator(tqi_net *net, const tqi_new_operator *op, tq_error *error);

/* All readers of `from` read `to`. */
void tqi_net_move_readers(tqi_net *net, int32_t from, int32_t to);
/* The operator reads another tensor, which must not be -1, nor what it reads now. */
tq_status tqi_net_change_input(tqi_net *net, uint32_t op, uint32_t input, int32_t tensor,
                               tq_error *error);
/* Removes the operator; then tensors that nothing needs any more, and pure operators that make
 * only such. */
tq_status tqi_net_remove(tqi_net *net, uint32_t op, tq_error *error);
/* The operator's output is its input: its readers read that, or, where the output is one of the
 * graph, the input's producer makes it. *done false: neither is possible. */
tq_status tqi_net_bypass(tqi_net *net, uint32_t op, int32_t input, int32_t output, bool *done,
                         tq_error *error);

#endif
