/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite/op_facts.h"

typedef struct op_facts {
    int32_t builtin;
    int8_t weight, bias; /* inputs; bias -1: has none */
    int8_t rank;         /* of the weight; 0: see tqi_channel_dim() */
    int8_t channel_dim;
    int8_t hybrid_version; /* int8 per channel */
    bool needs_bias;       /* the int8 kernels read it without asking */
    int8_t activation;     /* field of its options; -1: there is none */
} op_facts;

static const op_facts facts[] = {
    {TQI_OP_CONV_2D, 1, 2, 4, 0, 5, true, 3},
    {TQI_OP_DEPTHWISE_CONV_2D, 1, 2, 4, 3, 6, true, 4},
    {TQI_OP_TRANSPOSE_CONV, 1, 3, 4, 0, 2, false, 3},
    {TQI_OP_FULLY_CONNECTED, 1, 2, 2, 0, 12, false, 0},
    {TQI_OP_EMBEDDING_LOOKUP, 1, -1, 0, 0, 4, false, -1},
    {TQI_OP_BATCH_MATMUL, 1, -1, 0, -1, 1, false, -1},
};

static const op_facts *find(int32_t builtin) {
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (facts[i].builtin == builtin)
            return &facts[i];
    return NULL;
}

/* An input that is there, or NULL. */
static const tqi_tensor *input(const tqi_subgraph *subgraph, const tqi_operator *op, int32_t i) {
    bool there = i >= 0 && (uint32_t)i < op->n_inputs && op->inputs[i] >= 0;
    return there ? &subgraph->tensors[op->inputs[i]] : NULL;
}

tqi_role tqi_input_role(int32_t builtin, uint32_t index) {
    const op_facts *f = find(builtin);
    if (f && (int32_t)index == f->weight)
        return TQI_ROLE_WEIGHT;
    return f && (int32_t)index == f->bias ? TQI_ROLE_BIAS : TQI_ROLE_OTHER;
}

int32_t tqi_bias_input(const tqi_graph *graph, const tqi_operator *op) {
    const op_facts *f = find(tqi_builtin(graph, op));
    bool there = f && f->bias >= 0 && (uint32_t)f->bias < op->n_inputs && op->inputs[f->bias] >= 0;
    return there ? f->bias : -1;
}

int32_t tqi_fused_activation(const tqi_graph *graph, const tqi_operator *op) {
    const op_facts *f = find(tqi_builtin(graph, op));
    uint32_t options = f && f->activation >= 0 ? tqi_options(graph, op) : 0;
    return options ? tqi_get_i8(&graph->view, options, (uint32_t)f->activation, 0) : 0;
}

int32_t tqi_channel_dim(const tqi_graph *graph, const tqi_subgraph *subgraph,
                        const tqi_operator *op, uint32_t index) {
    const op_facts *f = find(tqi_builtin(graph, op));
    const tqi_tensor *weight = input(subgraph, op, (int32_t)index);
    if (!f || f->weight != (int32_t)index || !weight || weight->rank == 0)
        return -1;
    if (f->builtin == TQI_OP_BATCH_MATMUL) {
        enum { ADJ_Y = 1, MIN_RANK = 2, MAX_RANK = 5 };
        uint32_t options = tqi_options(graph, op);
        bool adj_y = options && tqi_get_i8(&graph->view, options, ADJ_Y, 0);
        if (weight->rank < MIN_RANK || weight->rank > MAX_RANK)
            return -1;
        return (int32_t)weight->rank - (adj_y ? 2 : 1);
    }
    return f->rank == 0 || weight->rank == (uint32_t)f->rank ? f->channel_dim : -1;
}

static bool is_float(const tqi_tensor *tensor) {
    return tensor && tensor->type == TQI_TYPE_FLOAT32;
}

bool tqi_runs_hybrid(const tqi_graph *graph, const tqi_subgraph *subgraph, const tqi_operator *op) {
    const op_facts *f = find(tqi_builtin(graph, op));
    if (!f || op->n_outputs < 1 || op->outputs[0] < 0 ||
        !is_float(&subgraph->tensors[op->outputs[0]]))
        return false;
    if (f->builtin == TQI_OP_EMBEDDING_LOOKUP) {
        const tqi_tensor *ids = input(subgraph, op, 0);
        return ids && ids->type == TQI_TYPE_INT32 && ids->rank == 1;
    }
    int32_t activation = f->builtin == TQI_OP_TRANSPOSE_CONV ? 2 : 0;
    if (f->builtin == TQI_OP_FULLY_CONNECTED) {
        enum { WEIGHTS_FORMAT = 1 };
        uint32_t options = tqi_options(graph, op);
        if (options && tqi_get_i8(&graph->view, options, WEIGHTS_FORMAT, 0) != 0)
            return false; /* shuffled weights */
    }
    return is_float(input(subgraph, op, activation)) &&
           (!f->needs_bias || input(subgraph, op, f->bias));
}

int32_t tqi_hybrid_version(const tqi_graph *graph, const tqi_subgraph *subgraph,
                           const tqi_operator *op) {
    const op_facts *f = find(tqi_builtin(graph, op));
    const tqi_tensor *weight = input(subgraph, op, 1);
    if (f->builtin == TQI_OP_CONV_2D) {
        const tqi_tensor *image = input(subgraph, op, 0);
        bool grouped = image && image->rank == 4 && weight->rank == 4 && weight->shape[3] > 0 &&
                       image->shape[3] > 0 && image->shape[3] != weight->shape[3];
        return grouped ? 6 : f->hybrid_version;
    }
    if (f->builtin == TQI_OP_TRANSPOSE_CONV) {
        if (tqi_fused_activation(graph, op) != 0)
            return 4;
        return input(subgraph, op, f->bias) ? 3 : 2;
    }
    if (f->builtin == TQI_OP_BATCH_MATMUL) {
        enum { ASYMMETRIC_INPUTS = 2 };
        uint32_t options = tqi_options(graph, op);
        return options && tqi_get_i8(&graph->view, options, ASYMMETRIC_INPUTS, 0) ? 4 : 1;
    }
    return f->hybrid_version;
}

bool tqi_runs_int4_blocks(const tqi_graph *graph, const tqi_subgraph *subgraph,
                          const tqi_operator *op, uint32_t block) {
    enum { WHOLE_BLOCKS = 32, LEAST_ROWS = 4 };
    const tqi_tensor *weight = input(subgraph, op, 1);
    if (!tqi_runs_hybrid(graph, subgraph, op) || !weight || weight->rank != 2 || block == 0 ||
        block % WHOLE_BLOCKS != 0 || weight->shape[1] <= 0 ||
        (uint32_t)weight->shape[1] % block != 0)
        return false;
    if (tqi_builtin(graph, op) == TQI_OP_EMBEDDING_LOOKUP)
        return true;
    /* The builtin kernel computes the bias alone for fewer rows, and forgets the activation. */
    return tqi_builtin(graph, op) == TQI_OP_FULLY_CONNECTED && weight->shape[0] >= LEAST_ROWS &&
           tqi_fused_activation(graph, op) == 0;
}

/* The runtime's rules don't know blocks. LiteRT has kernels since 1.3 (FULLY_CONNECTED) and 1.4
 * (EMBEDDING_LOOKUP); what is older would load the model and compute garbage. These versions came
 * with 2.1.0 and 2.1.2, and keep it from that. */
int32_t tqi_int4_blocks_version(const tqi_graph *graph, const tqi_operator *op) {
    enum { EMBEDDING_LOOKUP = 5, FULLY_CONNECTED = 14 };
    return tqi_builtin(graph, op) == TQI_OP_EMBEDDING_LOOKUP ? EMBEDDING_LOOKUP : FULLY_CONNECTED;
}
