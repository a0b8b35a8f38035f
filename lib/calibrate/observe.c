/* SPDX-License-Identifier: Apache-2.0 */
/* What statistics take from a run of an operator. */
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

/* Patches on their way into a gram, or some channels of them where each channel is for itself: the
 * block is to stay in the cache. */
enum { READ_AT_ONCE = 8, PACKED_FLOATS = 1 << 16 };

typedef struct block {
    const tqi_layer_statistics *layer;
    size_t first, channels;
    float *patches; /* [READ_AT_ONCE][tap][channel] */
    float *packed;  /* by group; see calibrate/gram.h */
    size_t count;
} block;

static bool by_channel(const tqi_layer_statistics *layer) {
    return layer->groups > 1 && tqi_layer_share(layer) == 1;
}

static size_t channels_at_once(const tqi_layer_statistics *layer) {
    size_t panels = PACKED_FLOATS / (TQI_GRAM_BLOCK * TQI_GRAM_PANEL) / layer->taps;
    size_t channels = (panels > 0 ? panels : 1) * TQI_GRAM_PANEL;
    return by_channel(layer) && channels < layer->channels ? channels : layer->channels;
}

static uint64_t packed_floats(const tqi_layer_statistics *layer) {
    return by_channel(layer) ? tqi_gram_packed_channels(layer->taps, channels_at_once(layer))
                             : (uint64_t)layer->groups * tqi_gram_packed(tqi_layer_length(layer));
}

static void pack_patch(const float *patch, block *b) {
    const tqi_layer_statistics *layer = b->layer;
    size_t taps = layer->taps, share = tqi_layer_share(layer), at = b->count++;
    size_t size = tqi_gram_packed(tqi_layer_length(layer));
    if (by_channel(layer))
        tqi_gram_pack_channels(b->packed, patch, taps, b->channels, at);
    else
        for (size_t g = 0; g < layer->groups; g++)
            tqi_gram_pack(b->packed + g * size, patch + g * share, taps, share, b->channels, at);
}

static void add_block(const tqi_algebra *algebra, block *b) {
    const tqi_layer_statistics *layer = b->layer;
    size_t length = tqi_layer_length(layer), size = tqi_gram_packed(length);
    float *gram = layer->set.gram;
    if (by_channel(layer))
        algebra->gram_channels(gram + b->first, layer->channels, b->packed, layer->taps,
                               b->channels, b->count);
    else
        for (size_t g = 0; g < layer->groups; g++)
            algebra->gram(gram + g * tqi_triangle(length), b->packed + g * size, length, b->count);
    b->count = 0;
}

static void add_means(const tqi_algebra *algebra, const block *b, size_t n) {
    const float *rows[READ_AT_ONCE];
    size_t taps = b->layer->taps, channels = b->layer->channels;
    bool whole = b->channels == channels; /* then taps lie together */
    for (size_t t = 0; t < (whole ? 1 : taps); t++) {
        for (size_t i = 0; i < n; i++)
            rows[i] = b->patches + (i * taps + t) * b->channels;
        algebra->add_rows(b->layer->set.patch_means + t * channels + b->first, NULL, rows, n,
                          whole ? taps * channels : b->channels);
    }
}

static void gather_gram(const tqi_statistics *s, const tqi_patches *patches, const float *input,
                        block *b) {
    uint64_t most = s->options.patches_per_run;
    uint64_t total = tqi_patch_count(patches), step = even_step(total);
    uint64_t wanted = total < most ? total : most;
    uint64_t at = b->layer->runs * wanted % total * step % total; /* where the last run ended */
    size_t size = b->layer->taps * b->channels;
    for (uint64_t done = 0; done < wanted;) {
        size_t n = 0;
        for (; n < READ_AT_ONCE && done < wanted; n++, done++) {
            tqi_patch_read(patches, input, at, b->first, b->channels, b->patches + n * size);
            at = at + step < total ? at + step : at + step - total;
        }
        add_means(&s->algebra, b, n);
        for (size_t i = 0; i < n; i++)
            pack_patch(b->patches + i * size, b);
        if (b->count == TQI_GRAM_BLOCK || done == wanted)
            add_block(&s->algebra, b);
    }
}

static void gather_grams(const tqi_statistics *s, tqi_layer_statistics *layer,
                         const tqi_patches *patches, const float *input, float *scratch) {
    size_t channels = channels_at_once(layer);
    block b = {.layer = layer, .patches = scratch};
    b.packed = scratch + (size_t)READ_AT_ONCE * layer->taps * channels;
    for (; b.first < layer->channels; b.first += channels) {
        b.channels = layer->channels - b.first < channels ? layer->channels - b.first : channels;
        gather_gram(s, patches, input, &b);
    }
    uint64_t total = tqi_patch_count(patches), most = s->options.patches_per_run;
    layer->set.patches += total < most ? total : most;
}

/* False: there is a NaN or an infinity, or something near one. */
static bool gather_output(const tqi_algebra *algebra, tqi_layer_statistics *layer,
                          const tqi_value *output) {
    size_t n = (size_t)output->elements;
    float range[2] = {layer->output_min, layer->output_max};
    double sum = algebra->sum_squares(tqi_floats(output), n, range);
    if (!(sum <= MAX_SQUARE * (double)n))
        return false;
    layer->output_min = range[0];
    layer->output_max = range[1];
    layer->set.output_square += sum;
    layer->set.outputs += n;
    return true;
}

/* Sums of one run go to `scratch` first: a run that is no good leaves no trace. */
static tq_status gather(tqi_statistics *s, tqi_layer_statistics *layer, const tqi_patches *patches,
                        const tqi_value *input, const tqi_value *output, tq_error *error) {
    bool with_gram = layer->gram_state == TQI_GRAM_KEPT;
    uint64_t elements = (uint64_t)layer->taps * layer->channels;
    uint64_t doubles = elements + tqi_patches_scratch(patches), floats = 0;
    if (with_gram)
        floats =
            (uint64_t)READ_AT_ONCE * layer->taps * channels_at_once(layer) + packed_floats(layer);
    uint64_t bytes = doubles * sizeof(double) + floats * sizeof(float);
    double *sums = bytes <= SIZE_MAX ? tqi_alloc(s->heap, (size_t)bytes) : NULL;
    if (!sums)
        return tqi_no_memory(s->heap, bytes, error);
    double energy;
    tq_status status = TQ_OK;
    tqi_patches_sum(patches, &s->algebra, tqi_floats(input), sums + elements, sums, &energy);
    if (!(energy <= MAX_SQUARE * (double)tqi_patch_count(patches)))
        layer->skipped++;
    else if ((status = tqi_moments_open(layer, &layer->set, s->heap, error)) == TQ_OK) {
        if (gather_output(&s->algebra, layer, output)) {
            for (size_t i = 0; i < elements; i++)
                layer->set.means[i] += sums[i];
            layer->set.energy += energy;
            layer->set.positions += tqi_patch_count(patches);
            if (with_gram)
                gather_grams(s, layer, patches, tqi_floats(input), (float *)(sums + doubles));
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
