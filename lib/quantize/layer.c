/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/layer.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "execute/call.h"
#include "execute/constant_values.h"
#include "quantize/bias_correction.h"
#include "quantize/encode_blocks.h"
#include "quantize/rounding_gptq.h"
#include "quantize/rounding_sums.h"
#include "tflite/op_facts.h"

static int largest(const tqi_layer *l) {
    return l->block ? 7 : 127;
}

static int smallest(const tqi_layer *l) {
    return l->block ? -8 : -127;
}

/* ---- what is a layer ---- */

tq_status tqi_layer_open(tqi_layer *layer, bool *is_one, const tqi_layer_context *context,
                         uint32_t constant, tqi_arena *arena, tq_error *error) {
    const tqi_constant *c = &context->plan->constants.list[constant];
    const tqi_decision *decision = &context->plan->decisions[constant];
    const tqi_subgraph *s = &context->graph->subgraphs[c->subgraph];
    const tqi_uses *uses = &context->plan->constants.uses[c->subgraph];
    *is_one = false;
    if (tqi_use_count(uses, c->tensor) != 1 || decision->channel_dim < 0)
        return TQ_OK;
    const tqi_operator *op = &s->operators[uses->list[uses->first[c->tensor]].op];
    if (!tqi_has_means_for(tqi_builtin(context->graph, op)))
        return TQ_OK;
    *layer =
        (tqi_layer){.constant = constant,
                    .subgraph = c->subgraph,
                    .op = uses->list[uses->first[c->tensor]].op,
                    .channels = (uint32_t)s->tensors[c->tensor].shape[decision->channel_dim],
                    .bias_input = context->corrects_bias ? tqi_bias_input(context->graph, op) : -1};
    if (layer->bias_input >= 0 && tqi_constant_storage(context->graph, c->subgraph, uses,
                                                       (uint32_t)op->inputs[layer->bias_input]) < 0)
        layer->bias_input = -1;
    TQI_NEW(arena, &layer->scales, layer->channels, error);
    TQI_NEW(arena, &layer->codes, c->elements, error);
    if (layer->bias_input >= 0)
        TQI_NEW(arena, &layer->bias, layer->channels, error);
    *is_one = true;
    return TQ_OK;
}

tq_status tqi_layer_open_blocks(tqi_layer *blocks, bool *is_one, const tqi_layer *layer,
                                const tqi_layer_context *context, tqi_arena *arena,
                                tq_error *error) {
    const tqi_subgraph *s = &context->graph->subgraphs[layer->subgraph];
    uint64_t elements = context->plan->constants.list[layer->constant].elements;
    *is_one = tqi_runs_int4_blocks(context->graph, s, &s->operators[layer->op], TQI_BLOCK);
    if (!*is_one)
        return TQ_OK;
    *blocks = *layer;
    blocks->block = TQI_BLOCK;
    TQI_NEW(arena, &blocks->scales, elements / TQI_BLOCK, error);
    TQI_NEW(arena, &blocks->codes, elements, error);
    if (layer->bias)
        TQI_NEW(arena, &blocks->bias, layer->channels, error);
    return TQ_OK;
}

/* ---- one under way ---- */

typedef struct work {
    tqi_layer *layer;
    const tqi_layer_context *context;
    const tqi_layer_statistics *known;
    int32_t builtin;
    tqi_value weights;
    tq_error *error;
} work;

static tq_status load(const tqi_layer_context *context, uint32_t subgraph, uint32_t storage,
                      tqi_value *value, tq_error *error) {
    return tqi_constant_load(context->graph, subgraph, storage, context->kernels, context->heap,
                             value, error);
}

static tq_status load_weights(const tqi_layer *layer, const tqi_layer_context *context,
                              tqi_value *weights, tq_error *error) {
    const tqi_constant *c = &context->plan->constants.list[layer->constant];
    return load(context, c->subgraph, c->storage, weights, error);
}

static int32_t builtin_of(const tqi_layer *layer, const tqi_layer_context *context) {
    return tqi_builtin(context->graph,
                       &context->graph->subgraphs[layer->subgraph].operators[layer->op]);
}

static bool set_rows(work *w) {
    const tqi_layer_statistics *known = w->known;
    tqi_layer *l = w->layer;
    if (w->builtin == TQI_OP_DEPTHWISE_CONV_2D) {
        if (known->channels == 0 || l->channels % known->channels != 0)
            return false;
        l->rows = tqi_rows_depthwise(known->taps, known->channels, l->channels / known->channels,
                                     l->scales);
    } else {
        if (known->groups == 0 || l->channels % known->groups != 0)
            return false;
        l->rows = tqi_rows_dense(l->channels, tqi_layer_length(known), known->groups, l->scales);
    }
    l->rows.scale_block = l->block;
    if (l->block && l->rows.taps % l->block != 0)
        return false;
    return (uint64_t)l->rows.groups * l->rows.rows * l->rows.taps == w->weights.elements;
}

/* As plain rounding sets them; false: a weight is not finite. */
static bool set_scales(const work *w) {
    const tqi_kernels *k = w->context->kernels;
    const tqi_layer *l = w->layer;
    const float *values = tqi_floats(&w->weights);
    uint32_t bits;
    if (l->block)
        return tqi_block_scales(k, values, w->weights.elements, l->block, l->scales);
    memset(l->scales, 0, l->channels * sizeof *l->scales);
    if (l->rows.tap_stride == 1)
        for (uint32_t c = 0; c < l->channels; c++) {
            bits = k->absmax_f32(values + c * l->rows.row_stride, l->rows.taps);
            memcpy(&l->scales[c], &bits, sizeof bits);
        }
    else
        k->absmax_columns_f32(values, l->rows.taps, l->channels, l->channels, (void *)l->scales);
    for (uint32_t c = 0; c < l->channels; c++)
        if (!tqi_int8_scale(l->scales[c], &l->scales[c]))
            return false;
    return true;
}

/* ---- rounding ---- */

/* Fills in the sums too. */
static void round_plainly(const work *w) {
    tqi_layer *l = w->layer;
    const float *values = tqi_floats(&w->weights);
    const tqi_kernels *k = w->context->kernels;
    if (l->rows.tap_stride == 1 && !l->block)
        for (size_t c = 0; c < l->channels; c++) {
            tqi_sums sums = {0, 0};
            size_t at = c * l->rows.row_stride;
            k->quantize_f32_s8(values + at, l->codes + at, l->rows.taps, l->scales[c], &sums);
            l->sums.signal += sums.signal;
            l->sums.noise += sums.noise;
        }
    else
        for (size_t g = 0; g < l->rows.groups; g++)
            for (size_t row = 0; row < l->rows.rows; row++)
                for (size_t t = 0; t < l->rows.taps; t++) {
                    size_t at = tqi_weight_at(&l->rows, g, row, t);
                    l->codes[at] = (int8_t)tqi_plain_code(
                        values[at], tqi_scale_at(&l->rows, g, row, t), smallest(l), largest(l));
                }
}

/* A lack of memory, or of sense in the numbers, leaves a simpler way. */
static tq_status or_simpler(tq_status status, bool *done, tq_error *error) {
    *done = status == TQ_OK;
    if (status == TQ_ERR_UNSUPPORTED || status == TQ_ERR_MEMORY_LIMIT) {
        *error = (tq_error)TQ_ERROR_INIT;
        return TQ_OK;
    }
    return status;
}

static tq_status round_sums(const work *w, bool *done) {
    const tqi_layer *l = w->layer;
    bool depthwise = w->builtin == TQI_OP_DEPTHWISE_CONV_2D;
    tqi_kernel_sums task = {.weights = tqi_floats(&w->weights),
                            .outer = depthwise ? 1 : l->channels,
                            .taps = w->known->taps,
                            .inner = depthwise ? l->channels : tqi_layer_share(w->known),
                            .scales = l->scales,
                            .scale_by_inner = depthwise,
                            .min = smallest(l),
                            .max = largest(l)};
    return or_simpler(tqi_round_sums(&task, l->codes, NULL, w->context->heap, w->error), done,
                      w->error);
}

/* What comes with the inputs' means is no error of the outputs only if a bias takes it back. */
static void add_means(const work *w, uint32_t group, double *covariance) {
    size_t taps = w->layer->rows.taps;
    const double *means = w->known->total.patch_means;
    for (uint32_t i = 0; i < taps; i++)
        for (uint32_t j = 0; j < taps; j++)
            covariance[i * taps + j] += means[tqi_layer_index(w->known, group, i)] *
                                        means[tqi_layer_index(w->known, group, j)];
}

/* Where there are few patches, what taps seem to have in common is chance. */
static void shrink(double *covariance, size_t taps, double patches) {
    const double enough = 4; /* patches for each tap */
    double keep = patches / (enough * (double)taps);
    for (size_t i = 0; i < taps && keep < 1; i++)
        for (size_t j = 0; j < taps; j++)
            if (i != j)
                covariance[i * taps + j] *= keep;
}

static tq_status round_by_inputs(const work *w, bool *done) {
    tqi_layer *l = w->layer;
    tqi_heap *heap = w->context->heap;
    uint64_t square = (uint64_t)l->rows.taps * l->rows.taps, size;
    *done = false;
    if (!tqi_layer_has_gram(w->known) ||
        !tqi_mul_u64(square * sizeof(double), l->rows.groups, &size) || size > SIZE_MAX)
        return TQ_OK;
    double *covariance = tqi_alloc(heap, (size_t)size);
    if (!covariance)
        return TQ_OK;
    for (uint32_t g = 0; g < l->rows.groups; g++) {
        tqi_layer_covariance(w->known, g, covariance + g * square);
        shrink(covariance + g * square, l->rows.taps, (double)w->known->total.patches);
        if (!w->context->corrects_bias)
            add_means(w, g, covariance + g * square);
    }
    tqi_gptq task = {.rows = l->rows,
                     .weights = tqi_floats(&w->weights),
                     .moments = {.second = covariance},
                     .min = smallest(l),
                     .max = largest(l),
                     .damping = TQI_GPTQ_DAMPING,
                     .cancel = w->context->cancel,
                     .cpu_flags = w->context->cpu_flags};
    tqi_gptq_result result;
    tq_status status = tqi_round_gptq(&task, l->codes, &result, heap, w->error);
    tqi_free(heap, covariance, (size_t)size);
    return or_simpler(status, done, w->error);
}

static tq_status round_weights(const work *w) {
    bool done = false;
    if (w->context->rounding == TQI_ROUND_INPUTS)
        TQI_TRY(round_by_inputs(w, &done));
    /* kernels of one tap have no sums to keep */
    if (!done && w->context->rounding != TQI_ROUND_PLAIN && w->known->taps > 1 && !w->layer->block)
        TQI_TRY(round_sums(w, &done));
    if (!done)
        round_plainly(w);
    return TQ_OK;
}

static tqi_sums sum_errors(const work *w) {
    const tqi_layer *l = w->layer;
    const float *values = tqi_floats(&w->weights);
    tqi_sums sums = {0, 0};
    for (size_t g = 0; g < l->rows.groups; g++)
        for (size_t row = 0; row < l->rows.rows; row++)
            for (size_t t = 0; t < l->rows.taps; t++) {
                size_t at = tqi_weight_at(&l->rows, g, row, t);
                double scale = (double)tqi_scale_at(&l->rows, g, row, t);
                double d = (double)values[at] - scale * l->codes[at];
                sums.signal += (double)values[at] * (double)values[at];
                sums.noise += d * d;
            }
    return sums;
}

/* ---- bias ---- */

/* Weights by one input, E[x] in their order. */
static void arrange_means(const work *w, double *means) {
    const tqi_weight_rows *rows = &w->layer->rows;
    for (uint32_t g = 0; g < rows->groups; g++)
        for (uint32_t i = 0; i < rows->taps; i++)
            means[g * rows->taps + i] = w->known->total.means[tqi_layer_index(w->known, g, i)];
}

static tq_status correct(const work *w, const tqi_value *bias, double *means, bool *done) {
    const tqi_layer *l = w->layer;
    arrange_means(w, means);
    tqi_bias_task task = {.rows = l->rows,
                          .weights = tqi_floats(&w->weights),
                          .codes = l->codes,
                          .mean = means,
                          .bias = tqi_floats(bias)};
    return or_simpler(tqi_correct_bias(&task, l->bias, w->error), done, w->error);
}

static tq_status correct_bias(const work *w) {
    tqi_layer *l = w->layer;
    const tqi_layer_context *context = w->context;
    tqi_heap *heap = context->heap;
    if (!l->bias)
        return TQ_OK;
    const tqi_subgraph *s = &context->graph->subgraphs[l->subgraph];
    uint32_t tensor = (uint32_t)s->operators[l->op].inputs[l->bias_input];
    int32_t storage = tqi_constant_storage(context->graph, l->subgraph,
                                           &context->plan->constants.uses[l->subgraph], tensor);
    tqi_value bias;
    TQI_TRY(load(context, l->subgraph, (uint32_t)storage, &bias, w->error));
    tq_status status = TQ_OK;
    size_t size = l->rows.groups * l->rows.taps * sizeof(double);
    double *means = tqi_alloc(heap, size);
    bool done = false;
    if (!means)
        status = tqi_no_memory(heap, size, w->error);
    else if (bias.type == TQI_TYPE_FLOAT32 && bias.elements == l->channels)
        status = correct(w, &bias, means, &done);
    if (!done)
        l->bias = NULL;
    tqi_free(heap, means, size);
    tqi_value_free(heap, &bias);
    return status;
}

/* ---- all of it ---- */

static tq_status round_layer(const work *w, const tqi_layer *same) {
    tqi_layer *l = w->layer;
    if (!set_rows((work *)w) || !set_scales(w))
        return TQ_OK;
    if (same && same->ready && same->channels == l->channels) {
        l->codes = same->codes;
        l->scales = same->scales;
        l->rows.scales = same->scales;
    } else {
        TQI_TRY(round_weights(w));
    }
    if (l->sums.signal == 0)
        l->sums = sum_errors(w);
    TQI_TRY(correct_bias(w));
    l->ready = true;
    return TQ_OK;
}

tq_status tqi_layer_round(tqi_layer *layer, const tqi_layer_context *context,
                          const tqi_layer_statistics *known, const tqi_layer *same,
                          tq_error *error) {
    const tqi_constant *c = &context->plan->constants.list[layer->constant];
    work w = {.layer = layer,
              .context = context,
              .known = known,
              .builtin = builtin_of(layer, context),
              .error = error};
    if (!known || !tqi_layer_has_means(known))
        return TQ_OK;
    TQI_TRY(load_weights(layer, context, &w.weights, error));
    tq_status status = TQ_OK;
    if (w.weights.type == TQI_TYPE_FLOAT32 && w.weights.elements == c->elements)
        status = round_layer(&w, same);
    tqi_value_free(context->heap, &w.weights);
    return status;
}

tq_status tqi_layer_values(const tqi_layer *layer, const tqi_layer_context *context, bool plain,
                           tqi_value *values, tq_error *error) {
    TQI_TRY(load_weights(layer, context, values, error));
    float *w = tqi_floats(values);
    const tqi_weight_rows *rows = &layer->rows;
    for (size_t g = 0; g < rows->groups; g++)
        for (size_t row = 0; row < rows->rows; row++)
            for (size_t t = 0; t < rows->taps; t++) {
                size_t at = tqi_weight_at(rows, g, row, t);
                float scale = tqi_scale_at(rows, g, row, t);
                int code = plain ? tqi_plain_code(w[at], scale, smallest(layer), largest(layer))
                                 : layer->codes[at];
                w[at] = scale * (float)code;
            }
    return TQ_OK;
}

tq_status tqi_layer_halves(const tqi_layer *layer, const tqi_layer_context *context,
                           tqi_value *values, tq_error *error) {
    TQI_TRY(load_weights(layer, context, values, error));
    tqi_heap *heap = context->heap;
    size_t n = (size_t)values->elements, size = n * sizeof(uint16_t);
    uint16_t *halves = tqi_alloc(heap, size);
    if (!halves) {
        tqi_value_free(heap, values);
        return tqi_no_memory(heap, size, error);
    }
    context->kernels->f32_to_f16(values->data, halves, n, NULL);
    context->kernels->f16_to_f32(halves, values->data, n);
    tqi_free(heap, halves, size);
    return TQ_OK;
}
