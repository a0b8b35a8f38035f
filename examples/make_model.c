/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_model [--float16] OUT.tflite
 *
 * Writes a small image classifier with made-up weights, the same bytes each
 * time, for trying libtfquant without a model at hand. --float16 stores the
 * weights as float16 behind DEQUANTIZE operators, as converters do.
 */
#include "tiny_flatbuffer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Numbers of the TFLite schema. */
enum { TYPE_FLOAT32 = 0, TYPE_FLOAT16 = 1, TYPE_INT32 = 2 };
enum { PADDING_SAME = 0, ACTIVATION_RELU = 1, ACTIVATION_RELU6 = 3 };
enum op_kind { CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, SOFTMAX, MEAN, DEQUANTIZE, OP_KINDS };

static const struct {
    uint8_t builtin_code;
    uint8_t version;
    uint8_t options_type; /* 0: none */
    uint8_t fields;       /* of the options table */
    uint8_t field_sizes[5];
    /* clang-format off */
} op_kinds[OP_KINDS] = {
    [CONV_2D] = {3, 1, 1, 4, {1, 4, 4, 1}},
    [DEPTHWISE_CONV_2D] = {4, 1, 2, 5, {1, 4, 4, 4, 1}},
    [FULLY_CONNECTED] = {9, 1, 8, 1, {1}},
    [SOFTMAX] = {25, 1, 9, 1, {4}},
    [MEAN] = {40, 1, 27, 1, {1}},
    [DEQUANTIZE] = {6, 3, 0, 0, {0}},
};
/* clang-format on */

struct tensor {
    const char *name;
    const char *suffix;
    uint8_t type;
    uint8_t rank;
    int32_t shape[4];
    uint32_t buffer; /* 0: computed */
};

/* Weights are made while they are written. */
struct constant {
    uint8_t type;
    uint32_t count;
    uint32_t channels;
    uint32_t channel_stride; /* element i belongs to channel i / stride % channels */
    float deviation;
    const int32_t *ints;
};

struct op {
    enum op_kind kind;
    uint8_t input_count;
    int32_t inputs[3];
    int32_t output;
    uint32_t options[5];
};

enum { MAX_TENSORS = 64, MAX_CONSTANTS = 32, MAX_OPS = 32 };

struct graph {
    bool float16;
    struct tensor tensors[MAX_TENSORS];
    struct constant constants[MAX_CONSTANTS]; /* [0] stands for the empty buffer */
    struct op ops[MAX_OPS];
    uint32_t tensor_count, constant_count, op_count;
};

/* --- the graph --- */

static int32_t add_tensor(struct graph *graph, struct tensor tensor) {
    graph->tensors[graph->tensor_count] = tensor;
    return (int32_t)graph->tensor_count++;
}

static void add_op(struct graph *graph, struct op op) {
    graph->ops[graph->op_count++] = op;
}

/* `channel` is the dimension along which the weights differ in size, as they do in real models. */
static int32_t add_weights(struct graph *graph, struct tensor tensor, uint32_t channel,
                           float deviation) {
    struct constant constant = {
        .type = graph->float16 ? TYPE_FLOAT16 : TYPE_FLOAT32,
        .count = 1,
        .channels = (uint32_t)tensor.shape[channel],
        .channel_stride = 1,
        .deviation = deviation,
    };
    for (uint32_t i = 0; i < tensor.rank; i++) {
        constant.count *= (uint32_t)tensor.shape[i];
        if (i > channel)
            constant.channel_stride *= (uint32_t)tensor.shape[i];
    }
    tensor.type = constant.type;
    tensor.buffer = graph->constant_count;
    graph->constants[graph->constant_count++] = constant;
    if (!graph->float16)
        return add_tensor(graph, tensor);

    struct tensor unpacked = tensor;
    unpacked.type = TYPE_FLOAT32;
    unpacked.buffer = 0;
    struct op op = {.kind = DEQUANTIZE, .input_count = 1};
    op.inputs[0] = add_tensor(graph, tensor);
    op.output = add_tensor(graph, unpacked);
    add_op(graph, op);
    return op.output;
}

static int32_t add_bias(struct graph *graph, const char *name, int32_t count) {
    const struct tensor tensor = {.name = name, .suffix = "/bias", .rank = 1, .shape = {count}};
    return add_weights(graph, tensor, 0, 0.05F);
}

static int32_t add_conv(struct graph *graph, const char *name, int32_t input, int32_t kernel,
                        int32_t stride, int32_t channels, float deviation) {
    const struct tensor *in = &graph->tensors[input];
    const struct tensor weights = {
        .name = name, .rank = 4, .shape = {channels, kernel, kernel, in->shape[3]}};
    const struct tensor output = {
        .name = name,
        .suffix = "/Relu6",
        .rank = 4,
        .shape = {1, in->shape[1] / stride, in->shape[2] / stride, channels}};
    struct op op = {
        .kind = CONV_2D,
        .input_count = 3,
        .options = {PADDING_SAME, (uint32_t)stride, (uint32_t)stride, ACTIVATION_RELU6}};
    op.inputs[0] = input;
    op.inputs[1] = add_weights(graph, weights, 0, deviation);
    op.inputs[2] = add_bias(graph, name, channels);
    op.output = add_tensor(graph, output);
    add_op(graph, op);
    return op.output;
}

static int32_t add_depthwise(struct graph *graph, const char *name, int32_t input,
                             float deviation) {
    const int32_t channels = graph->tensors[input].shape[3];
    const struct tensor weights = {.name = name, .rank = 4, .shape = {1, 3, 3, channels}};
    struct tensor output = graph->tensors[input];
    struct op op = {.kind = DEPTHWISE_CONV_2D,
                    .input_count = 3,
                    .options = {PADDING_SAME, 1, 1, 1, ACTIVATION_RELU6}};
    output.name = name;
    op.inputs[0] = input;
    op.inputs[1] = add_weights(graph, weights, 3, deviation);
    op.inputs[2] = add_bias(graph, name, channels);
    op.output = add_tensor(graph, output);
    add_op(graph, op);
    return op.output;
}

/* The mean of each channel over height and width. */
static int32_t add_mean(struct graph *graph, const char *name, int32_t input) {
    static const int32_t axes[] = {1, 2};
    const struct tensor axes_tensor = {.name = name,
                                       .suffix = "/axes",
                                       .type = TYPE_INT32,
                                       .rank = 1,
                                       .shape = {2},
                                       .buffer = graph->constant_count};
    const struct tensor output = {
        .name = name, .rank = 2, .shape = {1, graph->tensors[input].shape[3]}};
    struct op op = {.kind = MEAN, .input_count = 2};
    graph->constants[graph->constant_count++] =
        (struct constant){.type = TYPE_INT32, .count = 2, .ints = axes};
    op.inputs[0] = input;
    op.inputs[1] = add_tensor(graph, axes_tensor);
    op.output = add_tensor(graph, output);
    add_op(graph, op);
    return op.output;
}

static int32_t add_dense(struct graph *graph, const char *name, int32_t input, int32_t units,
                         uint32_t activation, float deviation) {
    const struct tensor weights = {
        .name = name, .rank = 2, .shape = {units, graph->tensors[input].shape[1]}};
    const struct tensor output = {
        .name = name, .suffix = "/MatMul", .rank = 2, .shape = {1, units}};
    struct op op = {.kind = FULLY_CONNECTED, .input_count = 3, .options = {activation}};
    op.inputs[0] = input;
    op.inputs[1] = add_weights(graph, weights, 0, deviation);
    op.inputs[2] = add_bias(graph, name, units);
    op.output = add_tensor(graph, output);
    add_op(graph, op);
    return op.output;
}

static int32_t add_softmax(struct graph *graph, const char *name, int32_t input) {
    struct tensor output = graph->tensors[input];
    const float beta = 1.0F;
    struct op op = {.kind = SOFTMAX, .input_count = 1};
    output.name = name;
    output.suffix = NULL;
    memcpy(&op.options[0], &beta, sizeof beta);
    op.inputs[0] = input;
    op.output = add_tensor(graph, output);
    add_op(graph, op);
    return op.output;
}

/* Says which tensor is the input and which the output. */
static void build(struct graph *graph, int32_t *input, int32_t *output) {
    const struct tensor image = {.name = "image", .rank = 4, .shape = {1, 32, 32, 3}};
    graph->constant_count = 1;
    *input = add_tensor(graph, image);
    int32_t at = add_conv(graph, "stem", *input, 3, 2, 32, 0.27F);
    at = add_depthwise(graph, "block/depthwise", at, 0.47F);
    at = add_conv(graph, "block/pointwise", at, 1, 1, 128, 0.25F);
    at = add_mean(graph, "pool", at);
    at = add_dense(graph, "hidden", at, 256, ACTIVATION_RELU, 0.125F);
    at = add_dense(graph, "classes", at, 10, 0, 0.09F);
    *output = add_softmax(graph, "probabilities", at);
}

/* --- the weights --- */

static uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 32;
}

/* Bell-shaped with a standard deviation near 1: the sum of four uniform numbers. */
static float next_weight(uint64_t *state) {
    int32_t sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (int32_t)(next_random(state) & 0xFFFF) - 0x8000;
    return (float)sum * (1.0F / 37837.0F);
}

static uint16_t to_float16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    const int32_t exponent = (int32_t)(bits >> 23 & 0xFF) - 112; /* with float16's bias */
    uint32_t mantissa = bits & 0x7FFFFF;
    uint32_t shift = 13;
    if (exponent >= 31)
        return (uint16_t)(sign | 0x7C00);
    if (exponent < -10)
        return sign;
    if (exponent <= 0) {
        mantissa |= 0x800000;
        shift = (uint32_t)(14 - exponent);
    }
    uint32_t half = mantissa >> shift;
    if (exponent > 0)
        half |= (uint32_t)exponent << 10;
    /* To nearest, ties to even; a carry into the exponent is right as it is. */
    const uint32_t rest = mantissa & ((1U << shift) - 1);
    const uint32_t tie = 1U << (shift - 1);
    if (rest > tie || (rest == tie && (half & 1) != 0))
        half++;
    return (uint16_t)(sign | half);
}

static void write_constant(struct fb *fb, const struct constant *constant, uint32_t seed,
                           size_t slot) {
    const uint32_t element_size = constant->type == TYPE_FLOAT16 ? 2 : 4;
    const size_t vector = fb_vector(fb, constant->count * element_size, 1, 16);
    uint64_t state = seed;
    fb_refer(fb, slot, vector);
    for (uint32_t i = 0; i < constant->count; i++) {
        const size_t at = fb_element(vector, element_size, i);
        if (constant->ints != NULL) {
            fb_set32(fb, at, (uint32_t)constant->ints[i]);
            continue;
        }
        const uint32_t channel = i / constant->channel_stride % constant->channels;
        /* Half to one and a half times the deviation, by channel. */
        const float factor = (float)(512 + channel * 2654435761U % 1024) * (1.0F / 1024.0F);
        const float scale = constant->deviation * factor;
        const float weight = next_weight(&state) * scale;
        uint32_t bits;
        memcpy(&bits, &weight, sizeof bits);
        if (constant->type == TYPE_FLOAT16)
            fb_set16(fb, at, to_float16(weight));
        else
            fb_set32(fb, at, bits);
    }
}

/* --- the file --- */

static void refer_string(struct fb *fb, size_t table, uint16_t field, const char *text) {
    fb_refer(fb, fb_field(fb, table, field), fb_string(fb, text));
}

static void refer_ints(struct fb *fb, size_t table, uint16_t field, const int32_t *values,
                       uint32_t count) {
    fb_refer(fb, fb_field(fb, table, field), fb_ints(fb, values, count));
}

/* A vector of tables, whose slots the caller fills. */
static size_t refer_tables(struct fb *fb, size_t table, uint16_t field, uint32_t count) {
    const size_t vector = fb_vector(fb, count, 4, 4);
    fb_refer(fb, fb_field(fb, table, field), vector);
    return vector;
}

static size_t add_table(struct fb *fb, size_t vector, uint32_t index, const uint8_t *field_sizes,
                        uint16_t fields) {
    const size_t table = fb_table(fb, field_sizes, fields);
    fb_refer(fb, fb_element(vector, 4, index), table);
    return table;
}

static void write_op_codes(struct fb *fb, size_t model, const struct graph *graph) {
    static const uint8_t sizes[] = {1, 0, 4, 4};
    const uint32_t count = graph->float16 ? OP_KINDS : DEQUANTIZE; /* the last, used only then */
    const size_t codes = refer_tables(fb, model, 1, count);
    for (uint32_t i = 0; i < count; i++) {
        const size_t code = add_table(fb, codes, i, sizes, sizeof sizes);
        fb_set8(fb, fb_field(fb, code, 0), op_kinds[i].builtin_code);
        fb_set32(fb, fb_field(fb, code, 2), op_kinds[i].version);
        fb_set32(fb, fb_field(fb, code, 3), op_kinds[i].builtin_code);
    }
}

static void write_tensors(struct fb *fb, size_t subgraph, const struct graph *graph) {
    static const uint8_t sizes[] = {4, 1, 4, 4, 0, 0, 0, 0, 1};
    const size_t tensors = refer_tables(fb, subgraph, 0, graph->tensor_count);
    for (uint32_t i = 0; i < graph->tensor_count; i++) {
        const struct tensor *tensor = &graph->tensors[i];
        const size_t table = add_table(fb, tensors, i, sizes, sizeof sizes);
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", tensor->name,
                 tensor->suffix != NULL ? tensor->suffix : "",
                 tensor->type == TYPE_FLOAT16 ? "_f16" : "");
        fb_set8(fb, fb_field(fb, table, 1), tensor->type);
        fb_set32(fb, fb_field(fb, table, 2), tensor->buffer);
        fb_set8(fb, fb_field(fb, table, 8), 1); /* has_rank */
        refer_ints(fb, table, 0, tensor->shape, tensor->rank);
        refer_string(fb, table, 3, name);
    }
}

static void write_options(struct fb *fb, size_t op_table, const struct op *op) {
    const uint8_t *sizes = op_kinds[op->kind].field_sizes;
    const size_t options = fb_table(fb, sizes, op_kinds[op->kind].fields);
    fb_refer(fb, fb_field(fb, op_table, 4), options);
    for (uint16_t i = 0; i < op_kinds[op->kind].fields; i++) {
        if (sizes[i] == 1)
            fb_set8(fb, fb_field(fb, options, i), (uint8_t)op->options[i]);
        else
            fb_set32(fb, fb_field(fb, options, i), op->options[i]);
    }
}

static void write_ops(struct fb *fb, size_t subgraph, const struct graph *graph) {
    const size_t ops = refer_tables(fb, subgraph, 3, graph->op_count);
    for (uint32_t i = 0; i < graph->op_count; i++) {
        const struct op *op = &graph->ops[i];
        const uint8_t options_type = op_kinds[op->kind].options_type;
        const bool has_options = options_type != 0;
        const uint8_t sizes[] = {4, 4, 4, has_options ? 1 : 0, has_options ? 4 : 0};
        const size_t table = add_table(fb, ops, i, sizes, sizeof sizes);
        fb_set32(fb, fb_field(fb, table, 0), (uint32_t)op->kind);
        refer_ints(fb, table, 1, op->inputs, op->input_count);
        refer_ints(fb, table, 2, &op->output, 1);
        if (has_options) {
            fb_set8(fb, fb_field(fb, table, 3), options_type);
            write_options(fb, table, op);
        }
    }
}

static void write_subgraph(struct fb *fb, size_t model, const struct graph *graph, int32_t input,
                           int32_t output) {
    static const uint8_t sizes[] = {4, 4, 4, 4, 4};
    const size_t subgraphs = refer_tables(fb, model, 2, 1);
    const size_t subgraph = add_table(fb, subgraphs, 0, sizes, sizeof sizes);
    write_tensors(fb, subgraph, graph);
    refer_ints(fb, subgraph, 1, &input, 1);
    refer_ints(fb, subgraph, 2, &output, 1);
    write_ops(fb, subgraph, graph);
    refer_string(fb, subgraph, 4, "main");
}

static void write_tensor_map(struct fb *fb, size_t signature, uint16_t field, const char *name,
                             int32_t tensor) {
    static const uint8_t sizes[] = {4, 4};
    const size_t maps = refer_tables(fb, signature, field, 1);
    const size_t map = add_table(fb, maps, 0, sizes, sizeof sizes);
    fb_set32(fb, fb_field(fb, map, 1), (uint32_t)tensor);
    refer_string(fb, map, 0, name);
}

static void write_signature(struct fb *fb, size_t model, int32_t input, int32_t output) {
    static const uint8_t sizes[] = {4, 4, 4, 0, 4};
    const size_t signatures = refer_tables(fb, model, 7, 1);
    const size_t signature = add_table(fb, signatures, 0, sizes, sizeof sizes);
    write_tensor_map(fb, signature, 0, "image", input);
    write_tensor_map(fb, signature, 1, "probabilities", output);
    refer_string(fb, signature, 2, "serving_default");
}

static void write_metadata(struct fb *fb, size_t model, uint32_t buffer) {
    static const uint8_t sizes[] = {4, 4};
    const size_t entries = refer_tables(fb, model, 6, 1);
    const size_t entry = add_table(fb, entries, 0, sizes, sizeof sizes);
    fb_set32(fb, fb_field(fb, entry, 1), buffer);
    refer_string(fb, entry, 0, "min_runtime_version");
}

static void write_buffers(struct fb *fb, size_t model, const struct graph *graph) {
    static const uint8_t empty[] = {0};
    static const uint8_t filled[] = {4};
    static const char runtime_version[16] = "1.15.0";
    const uint32_t metadata = graph->constant_count;
    const size_t buffers = refer_tables(fb, model, 4, graph->constant_count + 1);
    add_table(fb, buffers, 0, empty, sizeof empty);
    for (uint32_t i = 1; i < graph->constant_count; i++) {
        const size_t buffer = add_table(fb, buffers, i, filled, sizeof filled);
        write_constant(fb, &graph->constants[i], i, fb_field(fb, buffer, 0));
    }
    const size_t buffer = add_table(fb, buffers, metadata, filled, sizeof filled);
    const size_t data = fb_vector(fb, sizeof runtime_version, 1, 16);
    fb_refer(fb, fb_field(fb, buffer, 0), data);
    for (uint32_t i = 0; i < sizeof runtime_version; i++)
        fb_set8(fb, fb_element(data, 1, i), (uint8_t)runtime_version[i]);
}

static void write_model(struct fb *fb, const struct graph *graph, int32_t input, int32_t output) {
    static const uint8_t sizes[] = {4, 4, 4, 4, 4, 0, 4, 4};
    fb_start(fb, "TFL3");
    const size_t model = fb_table(fb, sizes, sizeof sizes);
    fb_refer(fb, 0, model);
    fb_set32(fb, fb_field(fb, model, 0), 3);
    write_op_codes(fb, model, graph);
    write_subgraph(fb, model, graph, input, output);
    refer_string(fb, model, 3, "A small image classifier with made-up weights.");
    write_metadata(fb, model, graph->constant_count);
    write_signature(fb, model, input, output);
    write_buffers(fb, model, graph);
}

static bool write_file(const char *path, const struct fb *fb) {
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return false;
    const bool complete = fwrite(fb->bytes, 1, fb->size, file) == fb->size;
    return fclose(file) == 0 && complete;
}

int main(int argc, char **argv) {
    static struct graph graph;
    const char *path = NULL;
    int32_t input, output;
    struct fb fb;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--float16") == 0) {
            graph.float16 = true;
        } else if (argv[i][0] != '-' && path == NULL) {
            path = argv[i];
        } else {
            path = NULL;
            break;
        }
    }
    if (path == NULL) {
        fputs("usage: make_model [--float16] OUT.tflite\n", stderr);
        return 2;
    }
    build(&graph, &input, &output);
    write_model(&fb, &graph, input, output);
    const bool written = !fb.failed && write_file(path, &fb);
    if (!written)
        fprintf(stderr, "make_model: %s: %s\n", path,
                fb.failed ? "out of memory" : strerror(errno));
    fb_free(&fb);
    return written ? 0 : 1;
}
