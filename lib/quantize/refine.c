/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/refine.h"

#include <string.h>

#include "base/checked.h"
#include "calibrate/statistics.h"
#include "calibrate/synthetic.h"
#include "execute/call.h"
#include "execute/constant_values.h"
#include "execute/execute.h"
#include "quantize/bias_correction.h"
#include "quantize/rounding_gptq.h"
#include "tflite/op_facts.h"

enum { MAX_PATCH = 1280, PATCHES = 3000 };
static const uint64_t GRAM_BUDGET = 192 << 20;
static const int LARGEST = 127;

typedef struct refiner {
    const tqi_graph *graph;
    const tqi_plan *plan;
    const tqi_refine_options *options;
    tqi_refinement *out;
    uint32_t subgraph;
    tqi_statistics statistics;
    tqi_arena *arena;
    tq_error *error;
} refiner;

/* ---- a layer ---- */

typedef struct layer {
    const tqi_constant *constant;
    uint32_t op;
    const tqi_layer_statistics *known;
    tqi_value weights;
    tqi_weight_rows rows;
    float *scales;
    int8_t *codes;
} layer;

/* Weights by one input, E[x] in their order. */
static void arrange_means(const layer *l, double *means) {
    for (uint32_t g = 0; g < l->rows.groups; g++)
        for (uint32_t i = 0; i < l->rows.taps; i++)
            means[g * l->rows.taps + i] = l->known->total.means[tqi_layer_index(l->known, g, i)];
}

static bool set_rows(layer *l, int32_t builtin, uint32_t channels) {
    const tqi_layer_statistics *known = l->known;
    if (builtin == TQI_OP_DEPTHWISE_CONV_2D) {
        if (known->channels == 0 || channels % known->channels != 0)
            return false;
        l->rows =
            tqi_rows_depthwise(known->taps, known->channels, channels / known->channels, l->scales);
    } else {
        if (known->groups == 0 || channels % known->groups != 0)
            return false;
        l->rows = tqi_rows_dense(channels, tqi_layer_length(known), known->groups, l->scales);
    }
    return (uint64_t)l->rows.groups * l->rows.rows * l->rows.taps == l->weights.elements;
}

/* As plain rounding sets them; false: a weight is not finite. */
static bool set_scales(const refiner *r, const layer *l, uint32_t channels) {
    const tqi_kernels *k = r->options->kernels;
    const float *w = tqi_floats(&l->weights);
    uint32_t bits;
    memset(l->scales, 0, channels * sizeof *l->scales);
    if (l->rows.tap_stride == 1)
        for (uint32_t c = 0; c < channels; c++) {
            bits = k->absmax_f32(w + c * l->rows.row_stride, l->rows.taps);
            memcpy(&l->scales[c], &bits, sizeof bits);
        }
    else
        k->absmax_columns_f32(w, l->rows.taps, channels, channels, (void *)l->scales);
    for (uint32_t c = 0; c < channels; c++)
        if (!tqi_int8_scale(l->scales[c], &l->scales[c]))
            return false;
    return true;
}

static void round_plainly(const layer *l) {
    const float *w = tqi_floats(&l->weights);
    for (size_t g = 0; g < l->rows.groups; g++)
        for (size_t row = 0; row < l->rows.rows; row++)
            for (size_t t = 0; t < l->rows.taps; t++) {
                size_t at = tqi_weight_at(&l->rows, g, row, t);
                l->codes[at] = (int8_t)tqi_plain_code(w[at], tqi_scale_at(&l->rows, g, row, t),
                                                      -LARGEST, LARGEST);
            }
}

static tq_status round_by_inputs(const refiner *r, const layer *l, bool *rounded) {
    tqi_heap *heap = r->options->heap;
    uint64_t square = (uint64_t)l->rows.taps * l->rows.taps, size;
    *rounded = false;
    if (!r->options->rounding || !tqi_layer_has_gram(l->known) ||
        !tqi_mul_u64(square * sizeof(double), l->rows.groups, &size) || size > SIZE_MAX)
        return TQ_OK;
    double *covariance = tqi_alloc(heap, (size_t)size);
    if (!covariance)
        return TQ_OK; /* plain rounding needs none */
    for (uint32_t g = 0; g < l->rows.groups; g++)
        tqi_layer_covariance(l->known, g, covariance + g * square);
    /* around the mean already: the bias takes care of that */
    tqi_gptq task = {.rows = l->rows,
                     .weights = tqi_floats(&l->weights),
                     .moments = {.second = covariance},
                     .min = -LARGEST,
                     .max = LARGEST,
                     .damping = TQI_GPTQ_DAMPING,
                     .cpu_flags = r->options->cpu_flags};
    tqi_gptq_result result;
    tq_status status = tqi_round_gptq(&task, l->codes, &result, heap, r->error);
    tqi_free(heap, covariance, (size_t)size);
    *rounded = status == TQ_OK;
    return status == TQ_ERR_UNSUPPORTED || status == TQ_ERR_MEMORY_LIMIT ? TQ_OK : status;
}

static tqi_sums sum_errors(const layer *l) {
    const float *w = tqi_floats(&l->weights);
    tqi_sums sums = {0, 0};
    for (size_t g = 0; g < l->rows.groups; g++)
        for (size_t row = 0; row < l->rows.rows; row++)
            for (size_t t = 0; t < l->rows.taps; t++) {
                size_t at = tqi_weight_at(&l->rows, g, row, t);
                double scale = (double)tqi_scale_at(&l->rows, g, row, t);
                double d = (double)w[at] - scale * l->codes[at];
                sums.signal += (double)w[at] * (double)w[at];
                sums.noise += d * d;
            }
    return sums;
}

/* ---- its bias ---- */

static int32_t bias_input(const refiner *r, const tqi_operator *op) {
    for (uint32_t i = 0; i < op->n_inputs; i++)
        if (op->inputs[i] >= 0 && tqi_input_role(tqi_builtin(r->graph, op), i) == TQI_ROLE_BIAS)
            return (int32_t)i;
    return -1;
}

static tq_status correct_bias(refiner *r, const layer *l, uint32_t channels) {
    const tqi_subgraph *s = &r->graph->subgraphs[r->subgraph];
    const tqi_operator *op = &s->operators[l->op];
    const tqi_uses *uses = &r->plan->constants.uses[r->subgraph];
    tqi_heap *heap = r->options->heap;
    int32_t input = bias_input(r, op), storage = -1;
    if (input >= 0)
        storage = tqi_constant_storage(r->graph, r->subgraph, uses, (uint32_t)op->inputs[input]);
    if (storage < 0)
        return TQ_OK;
    tqi_value bias;
    TQI_TRY(tqi_constant_load(r->graph, r->subgraph, (uint32_t)storage, r->options->kernels, heap,
                              &bias, r->error));
    tq_status status = TQ_OK;
    size_t size = l->rows.groups * l->rows.taps * sizeof(double);
    double *means = tqi_alloc(heap, size);
    float *values = NULL;
    if (!means)
        status = tqi_no_memory(heap, size, r->error);
    if (status == TQ_OK && bias.type == TQI_TYPE_FLOAT32 && bias.elements == channels)
        status = tqi_arena_alloc(r->arena, channels, sizeof *values, &values, r->error);
    if (values) {
        arrange_means(l, means);
        tqi_bias_task task = {.rows = l->rows,
                              .weights = tqi_floats(&l->weights),
                              .codes = l->codes,
                              .mean = means,
                              .bias = tqi_floats(&bias)};
        status = tqi_correct_bias(&task, values, NULL, r->error);
        if (status == TQ_OK)
            r->out->biases[r->out->n_biases++] =
                (tqi_new_bias){r->subgraph, l->op, (uint32_t)input, values, channels};
        else if (status == TQ_ERR_UNSUPPORTED)
            status = TQ_OK; /* numbers that are none: the bias stays */
    }
    if (means)
        tqi_free(heap, means, size);
    tqi_value_free(heap, &bias);
    return status;
}

/* ---- all layers ---- */

static tq_status refine_layer(refiner *r, layer *l, tqi_refined *refined) {
    const tqi_subgraph *s = &r->graph->subgraphs[r->subgraph];
    const tqi_decision *decision = &r->plan->decisions[l->constant - r->plan->constants.list];
    const tqi_tensor *tensor = &s->tensors[l->constant->tensor];
    uint32_t channels = (uint32_t)tensor->shape[decision->channel_dim];
    int32_t builtin = tqi_builtin(r->graph, &s->operators[l->op]);
    bool rounded;
    TQI_NEW(r->arena, &l->scales, channels, r->error);
    if (!set_rows(l, builtin, channels) || !set_scales(r, l, channels))
        return TQ_OK;
    TQI_NEW(r->arena, &l->codes, l->weights.elements, r->error);
    TQI_TRY(round_by_inputs(r, l, &rounded));
    if (!rounded)
        round_plainly(l);
    *refined = (tqi_refined){l->codes, l->scales, sum_errors(l)};
    return correct_bias(r, l, channels);
}

static bool has_means_for(int32_t builtin) {
    return builtin == TQI_OP_CONV_2D || builtin == TQI_OP_DEPTHWISE_CONV_2D ||
           builtin == TQI_OP_FULLY_CONNECTED;
}

/* Weights that one operator reads, and that are to be int8. */
static tq_status refine_constant(refiner *r, uint32_t index) {
    const tqi_constant *c = &r->plan->constants.list[index];
    const tqi_uses *uses = &r->plan->constants.uses[c->subgraph];
    tqi_action action = r->plan->decisions[index].action;
    if (c->subgraph != r->subgraph || tqi_use_count(uses, c->tensor) != 1 ||
        (action != TQI_ACTION_DYNAMIC && action != TQI_ACTION_WEIGHT_ONLY))
        return TQ_OK;
    layer l = {.constant = c, .op = uses->list[uses->first[c->tensor]].op};
    const tqi_operator *op = &r->graph->subgraphs[c->subgraph].operators[l.op];
    l.known = tqi_statistics_layer(&r->statistics, l.op);
    if (!has_means_for(tqi_builtin(r->graph, op)) || !l.known || !tqi_layer_has_means(l.known))
        return TQ_OK;
    TQI_TRY(tqi_constant_load(r->graph, c->subgraph, c->storage, r->options->kernels,
                              r->options->heap, &l.weights, r->error));
    tq_status status = TQ_OK;
    if (l.weights.type == TQI_TYPE_FLOAT32 && l.weights.elements == c->elements)
        status = refine_layer(r, &l, &r->out->constants[index]);
    tqi_value_free(r->options->heap, &l.weights);
    return status;
}

/* ---- running ---- */

static tq_status observe(void *opaque, const tqi_seen *seen, tq_error *error) {
    refiner *r = opaque;
    return tqi_statistics_observe(&r->statistics, seen->op, seen->inputs, seen->outputs, error);
}

typedef struct input_set {
    tqi_value *values;
    uint32_t n;
} input_set;

static tq_status open_inputs(const refiner *r, const tqi_exec *exec, input_set *set) {
    const tqi_subgraph *s = &r->graph->subgraphs[r->subgraph];
    TQI_NEW(r->arena, &set->values, s->n_inputs, r->error);
    for (; set->n < s->n_inputs; set->n++) {
        tqi_value *value = &set->values[set->n];
        TQI_TRY(tqi_exec_input(exec, set->n, value, r->error));
        TQI_TRY(tqi_value_new(r->options->heap, value->type, value->rank, value->shape, value,
                              r->error));
    }
    return TQ_OK;
}

static void close_inputs(const refiner *r, input_set *set) {
    for (uint32_t i = 0; i < set->n; i++)
        tqi_value_free(r->options->heap, &set->values[i]);
}

/* Which range a model wants is not known here: both, so weighted that neither outweighs. */
static tq_status run_all(refiner *r, tqi_exec *exec, input_set *set) {
    static const tqi_input_range ranges[] = {TQI_RANGE_UNIT, TQI_RANGE_SIGNED};
    enum { RANGES = sizeof ranges / sizeof *ranges };
    for (uint32_t range = 0; range < RANGES; range++) {
        tqi_synthetic synthetic = {1, ranges[range], 2};
        for (uint32_t i = 0; i < r->options->images / RANGES; i++) {
            for (uint32_t k = 0; k < set->n; k++)
                TQI_TRY(tqi_synthetic_fill(&synthetic, i * set->n + k, &set->values[k],
                                           r->options->heap, r->error));
            TQI_TRY(tqi_exec_run(exec, set->values, set->n, observe, r, r->error));
        }
        TQI_TRY(tqi_statistics_end_set(&r->statistics, 1, r->error));
    }
    return tqi_statistics_finish(&r->statistics, r->error);
}

static tq_status gather(refiner *r) {
    tqi_exec_options how = {.kernels = r->options->kernels,
                            .cpu_flags = r->options->cpu_flags,
                            .heap = r->options->heap,
                            .as_far_as_possible = true,
                            .keep = UINT64_MAX};
    tqi_exec *exec = NULL;
    input_set set = {NULL, 0};
    TQI_TRY(tqi_exec_create(&exec, r->graph, r->subgraph, &how, r->error));
    tq_status status = open_inputs(r, exec, &set);
    if (status == TQ_OK)
        status = run_all(r, exec, &set);
    close_inputs(r, &set);
    tqi_exec_free(exec);
    return status;
}

static tq_status refine_subgraph(refiner *r) {
    tqi_statistics_options wanted = {.max_length = r->options->rounding ? MAX_PATCH : 0,
                                     .patches_per_run = PATCHES / r->options->images,
                                     .gram_budget = GRAM_BUDGET,
                                     .cpu_flags = r->options->cpu_flags};
    TQI_TRY(tqi_statistics_begin(&r->statistics, r->graph, &r->plan->constants, r->subgraph,
                                 &wanted, r->options->heap, r->error));
    tq_status status = gather(r);
    for (uint32_t i = 0; i < r->plan->constants.count && status == TQ_OK; i++)
        status = refine_constant(r, i);
    tqi_statistics_free(&r->statistics);
    return status;
}

/* Bodies of control flow and compositions get inputs that nobody knows. */
static bool is_entry(const tqi_graph *graph, uint32_t subgraph) {
    for (uint32_t i = 0; i < graph->n_signatures; i++)
        if (graph->signatures[i].subgraph == subgraph)
            return true;
    return subgraph == 0;
}

static bool has_work(const tqi_plan *plan, uint32_t subgraph) {
    for (uint32_t i = 0; i < plan->constants.count; i++)
        if (plan->constants.list[i].subgraph == subgraph &&
            (plan->decisions[i].action == TQI_ACTION_DYNAMIC ||
             plan->decisions[i].action == TQI_ACTION_WEIGHT_ONLY))
            return true;
    return false;
}

tq_status tqi_refine(tqi_refinement *refinement, const tqi_plan *plan, const tqi_graph *graph,
                     const tqi_refine_options *options, tqi_arena *arena, tq_error *error) {
    refiner r = {.graph = graph,
                 .plan = plan,
                 .options = options,
                 .out = refinement,
                 .arena = arena,
                 .error = error};
    *refinement = (tqi_refinement){NULL, NULL, 0};
    TQI_NEW(arena, &refinement->constants, plan->constants.count, error);
    TQI_NEW(arena, &refinement->biases, plan->constants.count, error);
    for (r.subgraph = 0; r.subgraph < graph->n_subgraphs; r.subgraph++)
        if (is_entry(graph, r.subgraph) && has_work(plan, r.subgraph))
            TQI_TRY(refine_subgraph(&r));
    return TQ_OK;
}
