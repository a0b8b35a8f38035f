/* SPDX-License-Identifier: Apache-2.0 */
/* Layers, their memory, and sets. What is seen of a run: observe.c. */
#include "calibrate/statistics.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "calibrate/gram.h"
#include "tflite/op_facts.h"

/* ---- layers ---- */

/* Input and weight of an operator with weights; NULL where they are left out. */
static const tqi_tensor *tensor_at(const tqi_subgraph *subgraph, const tqi_operator *op,
                                   uint32_t input) {
    bool there = input < op->n_inputs && op->inputs[input] >= 0;
    return there ? &subgraph->tensors[op->inputs[input]] : NULL;
}

static bool describe_convolution(tqi_layer_statistics *layer, const tqi_tensor *input,
                                 const int32_t *filter) {
    if (!input || input->rank != 4 || input->shape[3] <= 0)
        return false;
    layer->window.tap_y = filter[1];
    layer->window.tap_x = filter[2];
    layer->taps = (uint32_t)filter[1] * (uint32_t)filter[2];
    layer->channels = (uint32_t)input->shape[3];
    if (layer->window.builtin == TQI_OP_DEPTHWISE_CONV_2D) {
        layer->groups = layer->channels;
        return filter[0] == 1 && (uint32_t)filter[3] % layer->channels == 0;
    }
    layer->groups = layer->channels / (uint32_t)filter[3];
    if (layer->window.builtin == TQI_OP_TRANSPOSE_CONV && layer->groups != 1)
        return false;
    return layer->groups > 0 && layer->channels % (uint32_t)filter[3] == 0 &&
           (uint32_t)filter[0] % layer->groups == 0;
}

static bool describe_matrix(tqi_layer_statistics *layer, const tqi_graph *graph,
                            const tqi_operator *op, const tqi_tensor *weight) {
    enum { BATCH_MATMUL_OPTIONS = 101, ADJ_X = 0, ADJ_Y = 1 };
    uint32_t dim = weight->rank - 1;
    if (layer->window.builtin == TQI_OP_BATCH_MATMUL) {
        uint32_t options = tqi_options(graph, op);
        if (options && tqi_get_i8(&graph->view, op->source, TQI_OPERATOR_BUILTIN_OPTIONS_TYPE, 0) !=
                           BATCH_MATMUL_OPTIONS)
            return false;
        if (options && tqi_get_i8(&graph->view, options, ADJ_X, 0))
            return false;
        if (weight->rank < 2)
            return false;
        for (uint32_t d = 0; d + 2 < weight->rank; d++)
            if (weight->shape[d] != 1)
                return false;
        if (!options || !tqi_get_i8(&graph->view, options, ADJ_Y, 0))
            dim = weight->rank - 2;
    } else if (weight->rank != 2)
        return false;
    layer->taps = layer->groups = 1;
    layer->channels = (uint32_t)weight->shape[dim];
    return true;
}

/* False: it has no weights, or ones that are not understood. */
static bool describe(tqi_layer_statistics *layer, const tqi_graph *graph,
                     const tqi_subgraph *subgraph, const tqi_operator *op) {
    const tqi_tensor *weight = tensor_at(subgraph, op, 1);
    uint64_t elements, filter = 1;
    if (!weight || !tqi_window_read(graph, op, &layer->window) ||
        !tqi_tensor_elements(weight, &elements) || elements == 0)
        return false;
    switch (layer->window.builtin) {
    case TQI_OP_CONV_2D:
    case TQI_OP_DEPTHWISE_CONV_2D:
    case TQI_OP_TRANSPOSE_CONV:
        if (weight->rank != 4 ||
            !tqi_mul_u64((uint64_t)weight->shape[1], (uint64_t)weight->shape[2], &filter) ||
            filter > INT32_MAX ||
            !describe_convolution(
                layer,
                tensor_at(subgraph, op, layer->window.builtin == TQI_OP_TRANSPOSE_CONV ? 2 : 0),
                weight->shape))
            return false;
        break;
    case TQI_OP_FULLY_CONNECTED:
    case TQI_OP_BATCH_MATMUL:
        if (!describe_matrix(layer, graph, op, weight))
            return false;
        break;
    default:
        return false;
    }
    return (uint64_t)layer->taps * layer->channels <= INT32_MAX;
}

static bool has_weights(const tqi_graph *graph, const tqi_subgraph *subgraph,
                        const tqi_operator *op, const bool *is_weight) {
    enum { WEIGHT = 1 }; /* also its input */
    return tqi_input_role(tqi_builtin(graph, op), WEIGHT) == TQI_ROLE_WEIGHT && !op->removed &&
           tensor_at(subgraph, op, WEIGHT) && op->n_outputs > 0 && is_weight[op->inputs[WEIGHT]];
}

/* Bytes of its gram; they fit, for the product of two numbers of 31 bits does. */
static uint64_t gram_bytes(const tqi_layer_statistics *layer) {
    uint64_t each = tqi_triangle(tqi_layer_length(layer)), bytes;
    bool fits = tqi_mul_u64(each, sizeof(float) * (uint64_t)layer->groups, &bytes);
    return fits ? bytes : UINT64_MAX;
}

typedef struct candidate {
    uint64_t bytes;
    uint32_t layer;
} candidate;

static int smaller_first(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return x->layer < y->layer ? -1 : x->layer > y->layer;
}

/* Small grams first: more layers get one. */
static tq_status share_budget(tqi_statistics *s, tq_error *error) {
    const tqi_statistics_options *o = &s->options;
    size_t size = s->n_layers * sizeof(candidate), n = 0;
    candidate *list = tqi_alloc(s->heap, size);
    if (!list)
        return tqi_no_memory(s->heap, size, error);
    for (uint32_t i = 0; i < s->n_layers; i++) {
        tqi_layer_statistics *layer = &s->layers[i];
        bool wanted =
            o->max_length > 0 && o->patches_per_run > 0 && (!o->grams || o->grams[layer->op]);
        if (!wanted)
            layer->gram_state = TQI_GRAM_UNWANTED;
        else if (tqi_layer_length(layer) > o->max_length)
            layer->gram_state = TQI_GRAM_TOO_LONG;
        else
            list[n++] = (candidate){gram_bytes(layer), i};
    }
    qsort(list, n, sizeof *list, smaller_first);
    uint64_t left = o->gram_budget;
    for (size_t i = 0; i < n; i++) {
        uint64_t copies = o->one_set ? 1 : 2, bytes;
        bool fits = tqi_mul_u64(list[i].bytes, copies, &bytes) && bytes <= left;
        s->layers[list[i].layer].gram_state = fits ? TQI_GRAM_KEPT : TQI_GRAM_NO_ROOM;
        left -= fits ? bytes : 0;
    }
    s->gram_bytes = o->gram_budget - left;
    tqi_free(s->heap, list, size);
    return TQ_OK;
}

static tq_status find_layers(tqi_statistics *s, const bool *is_weight, tq_error *error) {
    const tqi_subgraph *subgraph = &s->graph->subgraphs[s->subgraph];
    uint32_t count = 0;
    for (uint32_t i = 0; i < subgraph->n_operators; i++) {
        tqi_layer_statistics layer;
        if (has_weights(s->graph, subgraph, &subgraph->operators[i], is_weight) &&
            describe(&layer, s->graph, subgraph, &subgraph->operators[i]))
            count++;
    }
    s->layers = tqi_alloc(s->heap, count * sizeof *s->layers);
    if (!s->layers)
        return tqi_no_memory(s->heap, count * sizeof *s->layers, error);
    s->n_layers = count;
    memset(s->layers, 0, count * sizeof *s->layers);
    for (uint32_t i = 0, n = 0; i < subgraph->n_operators && n < count; i++) {
        tqi_layer_statistics *layer = &s->layers[n];
        if (!has_weights(s->graph, subgraph, &subgraph->operators[i], is_weight) ||
            !describe(layer, s->graph, subgraph, &subgraph->operators[i]))
            continue;
        layer->op = i;
        layer->output_min = FLT_MAX;
        layer->output_max = -FLT_MAX;
        n++;
    }
    return share_budget(s, error);
}

tq_status tqi_statistics_begin(tqi_statistics *statistics, const tqi_graph *graph,
                               const tqi_constants *constants, uint32_t subgraph,
                               const tqi_statistics_options *options, tqi_heap *heap,
                               tq_error *error) {
    *statistics =
        (tqi_statistics){.graph = graph, .subgraph = subgraph, .heap = heap, .options = *options};
    tqi_algebra_init(&statistics->algebra, options->cpu_flags);
    size_t size = graph->subgraphs[subgraph].n_tensors * sizeof(bool);
    bool *is_weight = tqi_alloc(heap, size);
    if (!is_weight)
        return tqi_no_memory(heap, size, error);
    memset(is_weight, 0, size);
    for (uint32_t i = 0; i < constants->count; i++) {
        const tqi_constant *constant = &constants->list[i];
        if (constant->subgraph == subgraph && constant->well_formed && tqi_is_float(constant))
            is_weight[constant->tensor] = true;
    }
    tq_status status = find_layers(statistics, is_weight, error);
    tqi_free(heap, is_weight, size);
    if (status != TQ_OK)
        tqi_statistics_free(statistics);
    return status;
}

/* ---- memory ---- */

tq_status tqi_moments_open(const tqi_layer_statistics *layer, tqi_moments *moments, tqi_heap *heap,
                           tq_error *error) {
    if (moments->means)
        return TQ_OK;
    bool with_gram = layer->gram_state == TQI_GRAM_KEPT;
    size_t elements = (size_t)layer->taps * layer->channels;
    uint64_t means = (with_gram ? 2 : 1) * (uint64_t)elements * sizeof(double);
    uint64_t bytes = means + (with_gram ? gram_bytes(layer) : 0);
    if (bytes < means || bytes > SIZE_MAX || !(moments->means = tqi_alloc(heap, (size_t)bytes)))
        return tqi_no_memory(heap, bytes, error);
    memset(moments->means, 0, (size_t)bytes);
    moments->memory_size = (size_t)bytes;
    moments->patch_means = with_gram ? moments->means + elements : NULL;
    moments->gram = with_gram ? (float *)(moments->means + 2 * elements) : NULL;
    return TQ_OK;
}

static void close_moments(tqi_moments *moments, tqi_heap *heap) {
    tqi_free(heap, moments->means, moments->memory_size);
    *moments = (tqi_moments){0};
}

void tqi_statistics_free(tqi_statistics *statistics) {
    for (uint32_t i = 0; i < statistics->n_layers; i++) {
        close_moments(&statistics->layers[i].set, statistics->heap);
        close_moments(&statistics->layers[i].total, statistics->heap);
    }
    tqi_free(statistics->heap, statistics->layers,
             statistics->n_layers * sizeof *statistics->layers);
    *statistics = (tqi_statistics){0};
}

/* ---- sets ---- */

#define MIN_SQUARE 1e-30 /* less is nothing */

static double over(double sum, uint64_t count) {
    return count ? sum / (double)count : 0;
}

/* y = y + factor * x */
static void add_doubles(double *y, const double *x, size_t n, double factor) {
    for (size_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

static void add_floats(float *y, const float *x, size_t n, double factor) {
    for (size_t i = 0; i < n; i++)
        y[i] = (float)((double)y[i] + factor * (double)x[i]);
}

static void scale_doubles(double *x, size_t n, double factor) {
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

static void scale_floats(float *x, size_t n, double factor) {
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)x[i] * factor);
}

static size_t gram_elements(const tqi_layer_statistics *layer) {
    return layer->gram_state == TQI_GRAM_KEPT ? (size_t)(gram_bytes(layer) / sizeof(float)) : 0;
}

/* Sums of a set become its part of the total. */
static void merge_set(tqi_layer_statistics *layer, double weight, tqi_heap *heap) {
    tqi_moments *set = &layer->set, *total = &layer->total;
    if (set->positions == 0)
        return;
    double energy = over(set->energy, set->positions);
    double scale = energy > MIN_SQUARE ? weight / energy : 0; /* all zero: it says nothing */
    double of_means = over(scale, set->positions), of_gram = over(scale, set->patches);
    size_t elements = (size_t)layer->taps * layer->channels, grams = gram_elements(layer);
    if (total->means) {
        add_doubles(total->means, set->means, elements, of_means);
        if (grams)
            add_doubles(total->patch_means, set->patch_means, elements, of_gram);
        add_floats(total->gram, set->gram, grams, of_gram);
    } else {
        total->means = set->means; /* the only set, most often: its memory will do */
        total->patch_means = set->patch_means;
        total->gram = set->gram;
        total->memory_size = set->memory_size;
        scale_doubles(total->means, elements, of_means);
        if (grams)
            scale_doubles(total->patch_means, elements, of_gram);
        scale_floats(total->gram, grams, of_gram);
        set->means = NULL;
    }
    total->positions += set->positions;
    total->patches += set->patches;
    total->outputs += set->outputs;
    total->weight += scale;
    total->energy += scale * energy;
    total->output_square += over(scale * set->output_square, set->outputs);
    close_moments(set, heap);
}

tq_status tqi_statistics_end_set(tqi_statistics *statistics, double weight, tq_error *error) {
    if (!(weight > 0 && weight <= FLT_MAX))
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "a set's weight must be positive and finite");
    for (uint32_t i = 0; i < statistics->n_layers; i++)
        merge_set(&statistics->layers[i], weight, statistics->heap);
    return TQ_OK;
}

tq_status tqi_statistics_finish(tqi_statistics *statistics, tq_error *error) {
    TQI_TRY(tqi_statistics_end_set(statistics, 1, error));
    for (uint32_t i = 0; i < statistics->n_layers; i++) {
        tqi_layer_statistics *layer = &statistics->layers[i];
        tqi_moments *total = &layer->total;
        if (!(total->weight > 0))
            continue;
        size_t elements = (size_t)layer->taps * layer->channels;
        double scale = 1 / total->weight;
        scale_doubles(total->means, elements, scale);
        if (total->gram)
            scale_doubles(total->patch_means, elements, scale);
        scale_floats(total->gram, gram_elements(layer), scale);
        total->energy *= scale;
        total->output_square *= scale;
        total->weight = 1;
    }
    return TQ_OK;
}

/* ---- reading ---- */

tqi_layer_statistics *tqi_statistics_layer(const tqi_statistics *statistics, uint32_t op) {
    uint32_t low = 0, high = statistics->n_layers;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (statistics->layers[middle].op < op)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < statistics->n_layers && statistics->layers[low].op == op;
    return found ? &statistics->layers[low] : NULL;
}

void tqi_layer_covariance(const tqi_layer_statistics *layer, uint32_t group, double *covariance) {
    enum { TILE = 16 }; /* so that lines of both triangles stay in the cache */
    const tqi_moments *total = &layer->total;
    uint32_t length = tqi_layer_length(layer);
    for (uint32_t i0 = 0; i0 < length; i0 += TILE)
        for (uint32_t j0 = 0; j0 <= i0; j0 += TILE) {
            double means[TILE];
            for (uint32_t j = j0; j < j0 + TILE && j < length; j++)
                means[j - j0] = total->patch_means[tqi_layer_index(layer, group, j)];
            for (uint32_t i = i0; i < i0 + TILE && i < length; i++) {
                double mean = total->patch_means[tqi_layer_index(layer, group, i)];
                for (uint32_t j = j0; j < j0 + TILE && j <= i; j++) {
                    size_t at = tqi_layer_gram_index(layer, group, i, j);
                    double value = (double)total->gram[at] - mean * means[j - j0];
                    if (i == j && value < 0)
                        value = 0; /* rounding */
                    covariance[(size_t)i * length + j] = covariance[(size_t)j * length + i] = value;
                }
            }
        }
}
