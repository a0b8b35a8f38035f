/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/heads.h"

#include <math.h>

#include "execute/constant_values.h"
#include "quantize/layer.h"
#include "tflite/op_facts.h"

static bool is_layer(int32_t builtin) {
    enum { WEIGHTS = 1 };
    return tqi_input_role(builtin, WEIGHTS) == TQI_ROLE_WEIGHT;
}

static tq_status add_head(tqi_heads *heads, const tqi_graph *graph, uint32_t subgraph, uint32_t op,
                          const tqi_uses *uses, tqi_arena *arena, tq_error *error) {
    const tqi_subgraph *s = &graph->subgraphs[subgraph];
    const tqi_operator *o = &s->operators[op];
    int32_t input = tqi_bias_input(graph, o), storage = -1;
    if (input >= 0 && tqi_has_means_for(tqi_builtin(graph, o)))
        storage = tqi_constant_storage(graph, subgraph, uses, (uint32_t)o->inputs[input]);
    if (storage < 0 || o->n_outputs != 1 || o->outputs[0] < 0 ||
        tqi_fused_activation(graph, o) != 0)
        return TQ_OK;
    const tqi_tensor *bias = &s->tensors[o->inputs[input]];
    if (bias->rank != 1 || bias->shape[0] < 1)
        return TQ_OK;
    tqi_head *head = &heads->list[heads->n];
    *head = (tqi_head){.op = op,
                       .input = (uint32_t)input,
                       .tensor = (uint32_t)o->outputs[0],
                       .storage = storage,
                       .channels = (uint32_t)bias->shape[0]};
    TQI_NEW(arena, &head->sum, head->channels, error);
    TQI_NEW(arena, &head->squares, head->channels, error);
    TQI_NEW(arena, &head->correction, head->channels, error);
    heads->n++;
    return TQ_OK;
}

tq_status tqi_heads_find(tqi_heads *heads, const tqi_graph *graph, uint32_t subgraph,
                         const tqi_uses *uses, tqi_arena *arena, tq_error *error) {
    const tqi_subgraph *s = &graph->subgraphs[subgraph];
    bool *leads = NULL; /* by tensor: to another layer */
    *heads = (tqi_heads){NULL, 0, 0, 0};
    TQI_NEW(arena, &heads->list, s->n_operators, error);
    TQI_NEW(arena, &leads, s->n_tensors, error);
    for (uint32_t i = s->n_operators; i-- > 0;) {
        const tqi_operator *op = &s->operators[i];
        bool on = false, layer = is_layer(tqi_builtin(graph, op));
        for (uint32_t k = 0; k < op->n_outputs; k++)
            on = on || (op->outputs[k] >= 0 && leads[op->outputs[k]]);
        if (layer && !on)
            TQI_TRY(add_head(heads, graph, subgraph, i, uses, arena, error));
        for (uint32_t k = 0; k < op->n_inputs; k++)
            if (op->inputs[k] >= 0)
                leads[op->inputs[k]] = leads[op->inputs[k]] || on || layer;
    }
    return TQ_OK;
}

static void observe_head(tqi_head *head, const float *was, const float *is, uint64_t positions) {
    for (uint32_t c = 0; c < head->channels; c++) {
        double sum = 0;
        for (uint64_t i = 0; i < positions; i++)
            sum += (double)was[i * head->channels + c] - (double)is[i * head->channels + c];
        double mean = sum / (double)positions;
        head->sum[c] += mean;
        head->squares[c] += mean * mean;
    }
}

void tqi_heads_observe(tqi_heads *heads, const tqi_exec *exec) {
    for (uint32_t i = 0; i < heads->n; i++) {
        tqi_head *head = &heads->list[i];
        const tqi_value *was = tqi_exec_value(exec, head->tensor);
        const tqi_value *is = tqi_exec_varied(exec, head->tensor);
        if (was->data && is && was->type == TQI_TYPE_FLOAT32 && was->elements == is->elements &&
            was->elements > 0 && was->elements % head->channels == 0)
            observe_head(head, tqi_floats(was), tqi_floats(is), was->elements / head->channels);
    }
    heads->samples++;
}

/* The mean m of n samples is off by v / n, v their variance: m (1 - v / n / m^2) is what an
 * estimate shrunk towards no correction takes (James and Stein, 1961). */
static double correction(const tqi_heads *heads, const tqi_head *head, uint32_t channel) {
    double n = heads->samples;
    if (n < 2)
        return 0;
    double mean = head->sum[channel] / n;
    double variance = (head->squares[channel] - n * mean * mean) / (n - 1);
    double share = mean != 0 ? 1 - variance / n / (mean * mean) : 0;
    return isfinite(share) && share > 0 && isfinite(mean) ? mean * share : 0;
}

/* The smaller one of two with the same sign. */
static double agreed(double a, double b) {
    if (a * b <= 0)
        return 0;
    return fabs(a) < fabs(b) ? a : b;
}

void tqi_heads_end_set(tqi_heads *heads) {
    for (uint32_t i = 0; i < heads->n; i++) {
        tqi_head *head = &heads->list[i];
        for (uint32_t c = 0; c < head->channels; c++) {
            double found = correction(heads, head, c);
            head->correction[c] = heads->sets ? agreed(head->correction[c], found) : found;
            head->sum[c] = head->squares[c] = 0;
        }
    }
    heads->samples = 0;
    heads->sets++;
}
