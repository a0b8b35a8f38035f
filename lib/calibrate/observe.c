/* SPDX-License-Identifier: Apache-2.0 */
/* What statistics take from a run of an operator. */
#include <float.h>
#include <string.h>

#include "calibrate/gram.h"
#include "calibrate/statistics.h"

#define MAX_SQUARE 1e30 /* mean squares beyond this are no use, and overflow a gram */

/* The operator's input as images, which a matrix' rows become one by one. */
static bool shape_images(const tqi_layer_statistics *layer, const tqi_value *input,
                         const tqi_value *output, int32_t in[4], int32_t out[4]) {
    if (!input || input->type != TQI_TYPE_FLOAT32 || !input->data ||
        output->type != TQI_TYPE_FLOAT32 || !output->data || input->elements == 0)
        return false;
    int32_t builtin = layer->window.builtin;
    if (builtin == TQI_OP_FULLY_CONNECTED || builtin == TQI_OP_BATCH_MATMUL) {
        uint64_t rows = input->elements / layer->channels;
        bool whole = input->elements % layer->channels == 0 && rows <= INT32_MAX;
        for (uint32_t d = 0; d < 4; d++)
            in[d] = out[d] = 1;
        in[0] = out[0] = whole ? (int32_t)rows : 0;
        in[3] = (int32_t)layer->channels;
        if (builtin == TQI_OP_BATCH_MATMUL &&
            (input->rank < 2 || input->shape[input->rank - 1] != in[3]))
            return false;
        return whole;
    }
    if (input->rank != 4 || output->rank != 4 || input->shape[3] != (int32_t)layer->channels)
        return false;
    memcpy(in, input->shape, 4 * sizeof *in);
    memcpy(out, output->shape, 4 * sizeof *out);
    return true;
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Steps of about a golden section of all positions, without a common divisor: any number of them
 * are spread evenly, and none comes twice. */
static uint64_t even_step(uint64_t total) {
    uint64_t step = (uint64_t)((double)total * 0.6180339887498949);
    if (step < 1)
        step = 1;
    while (greatest_divisor(total, step) != 1)
        step++;
    return step;
}

/* Patches on their way into a gram. */
typedef struct block {
    float *patches; /* [block][tap][channel] where groups are taken one by one, else one patch */
    float *part;    /* a group's patch */
    float *packed;
} block;

typedef enum layout { ONE_GROUP, BY_CHANNEL, BY_GROUP } layout;

static layout layout_of(const tqi_layer_statistics *layer) {
    return layer->groups == 1 ? ONE_GROUP : tqi_layer_share(layer) == 1 ? BY_CHANNEL : BY_GROUP;
}

static void add_by_group(const tqi_layer_statistics *layer, const block *b, float *gram,
                         size_t count) {
    size_t share = tqi_layer_share(layer), length = tqi_layer_length(layer);
    for (size_t g = 0; g < layer->groups; g++) {
        for (size_t n = 0; n < count; n++) {
            const float *patch = b->patches + n * layer->taps * layer->channels + g * share;
            for (size_t t = 0; t < layer->taps; t++)
                memcpy(b->part + t * share, patch + t * layer->channels, share * sizeof(float));
            tqi_gram_pack(b->packed, b->part, length, n);
        }
        tqi_gram_add(gram + g * tqi_triangle(length), b->packed, length, count);
    }
}

static void add_block(const tqi_layer_statistics *layer, const block *b, float *gram,
                      size_t count) {
    switch (layout_of(layer)) {
    case ONE_GROUP:
        tqi_gram_add(gram, b->packed, tqi_layer_length(layer), count);
        break;
    case BY_CHANNEL:
        tqi_gram_add_channels(gram, b->packed, layer->taps, layer->channels, count);
        break;
    case BY_GROUP:
        add_by_group(layer, b, gram, count);
    }
}

static void gather_gram(tqi_layer_statistics *layer, const tqi_patches *patches, const float *input,
                        uint64_t most, const block *b) {
    tqi_moments *set = &layer->set;
    layout how = layout_of(layer);
    size_t elements = (size_t)layer->taps * layer->channels;
    uint64_t total = tqi_patch_count(patches), step = even_step(total);
    uint64_t wanted = total < most ? total : most;
    uint64_t at = layer->runs * wanted % total * step % total; /* where the last run ended */
    for (uint64_t done = 0; done < wanted;) {
        size_t count = 0;
        for (; count < TQI_GRAM_BLOCK && done < wanted; count++, done++) {
            float *patch = b->patches + (how == BY_GROUP ? count * elements : 0);
            tqi_patch_read(patches, input, at, patch);
            for (size_t i = 0; i < elements; i++)
                set->patch_means[i] += (double)patch[i];
            if (how == ONE_GROUP)
                tqi_gram_pack(b->packed, patch, elements, count);
            else if (how == BY_CHANNEL)
                tqi_gram_pack_channels(b->packed, patch, layer->taps, layer->channels, count);
            at = at + step < total ? at + step : at + step - total;
        }
        add_block(layer, b, set->gram, count);
    }
    set->patches += wanted;
}

/* False: there is a NaN or an infinity, or something near one. */
static bool gather_output(tqi_layer_statistics *layer, const tqi_value *output) {
    enum { LANES = 8 };
    const float *values = tqi_floats(output);
    double squares[LANES] = {0}, sum = 0;
    float low[LANES], high[LANES];
    size_t n = (size_t)output->elements, i = 0;
    for (size_t l = 0; l < LANES; l++) {
        low[l] = FLT_MAX;
        high[l] = -FLT_MAX;
    }
    for (; i < n / LANES * LANES; i += LANES)
        for (size_t l = 0; l < LANES; l++) {
            float v = values[i + l];
            squares[l] += (double)v * (double)v;
            low[l] = v < low[l] ? v : low[l];
            high[l] = v > high[l] ? v : high[l];
        }
    for (size_t l = 0; i < n; i++, l++) {
        float v = values[i];
        squares[l] += (double)v * (double)v;
        low[l] = v < low[l] ? v : low[l];
        high[l] = v > high[l] ? v : high[l];
    }
    for (size_t l = 0; l < LANES; l++)
        sum += squares[l];
    if (!(sum <= MAX_SQUARE * (double)n))
        return false;
    for (size_t l = 0; l < LANES; l++) {
        layer->output_min = low[l] < layer->output_min ? low[l] : layer->output_min;
        layer->output_max = high[l] > layer->output_max ? high[l] : layer->output_max;
    }
    layer->set.output_square += sum;
    layer->set.outputs += n;
    return true;
}

/* Sums of one run go to `scratch` first: a run that is no good leaves no trace. */
static tq_status gather(tqi_statistics *s, tqi_layer_statistics *layer, const tqi_patches *patches,
                        const tqi_value *input, const tqi_value *output, tq_error *error) {
    bool with_gram = layer->gram_state == TQI_GRAM_KEPT;
    uint64_t elements = (uint64_t)layer->taps * layer->channels;
    uint64_t row = (uint64_t)patches->x.taps * layer->channels;
    uint64_t doubles = elements + row, floats = 0, length = tqi_layer_length(layer);
    uint64_t raw = elements * (layout_of(layer) == BY_GROUP ? TQI_GRAM_BLOCK : 1);
    if (with_gram)
        floats =
            raw + length +
            (layout_of(layer) == BY_CHANNEL ? tqi_gram_packed_channels(layer->taps, layer->channels)
                                            : tqi_gram_packed((size_t)length));
    uint64_t bytes = doubles * sizeof(double) + floats * sizeof(float);
    double *sums = bytes <= SIZE_MAX ? tqi_alloc(s->heap, (size_t)bytes) : NULL;
    if (!sums)
        return tqi_no_memory(s->heap, bytes, error);
    double energy;
    float *scratch = (float *)(sums + doubles);
    block b = {scratch, scratch + raw, scratch + raw + length};
    tq_status status = TQ_OK;
    tqi_patches_sum(patches, tqi_floats(input), sums + elements, sums, &energy);
    if (!(energy <= MAX_SQUARE * (double)tqi_patch_count(patches)))
        layer->skipped++;
    else if ((status = tqi_moments_open(layer, &layer->set, s->heap, error)) == TQ_OK) {
        if (gather_output(layer, output)) {
            for (size_t i = 0; i < elements; i++)
                layer->set.means[i] += sums[i];
            layer->set.energy += energy;
            layer->set.positions += tqi_patch_count(patches);
            if (with_gram)
                gather_gram(layer, patches, tqi_floats(input), s->options.patches_per_run, &b);
            layer->runs++;
        } else
            layer->skipped++;
    }
    tqi_free(s->heap, sums, (size_t)bytes);
    return status;
}

tq_status tqi_statistics_observe(tqi_statistics *statistics, uint32_t op,
                                 const tqi_value *const *inputs, const tqi_value *outputs,
                                 tq_error *error) {
    tqi_layer_statistics *layer = tqi_statistics_layer(statistics, op);
    if (!layer)
        return TQ_OK;
    const tqi_value *input = inputs[layer->window.builtin == TQI_OP_TRANSPOSE_CONV ? 2 : 0];
    int32_t in[4], out[4];
    tqi_patches patches;
    if (!shape_images(layer, input, &outputs[0], in, out)) {
        layer->skipped++;
        return TQ_OK;
    }
    tq_status status = tqi_patches_open(&patches, &layer->window, in, out, statistics->heap, error);
    if (status == TQ_ERR_UNSUPPORTED) {
        layer->skipped++;
        return TQ_OK;
    }
    if (status == TQ_OK) {
        status = gather(statistics, layer, &patches, input, &outputs[0], error);
        tqi_patches_close(&patches, statistics->heap);
    }
    return status;
}
