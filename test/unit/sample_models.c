/* SPDX-License-Identifier: Apache-2.0 */
#include "sample_models.h"

#include <math.h>

#include "tflite/schema.h"

enum { N = 16, NN = N * N };
static float weights[NN];
static uint16_t halves[NN];

static void fill_weights(void) {
    for (int i = 0; i < NN; i++) {
        weights[i] = (float)(i * 37 % 101 - 50) / 64;
        halves[i] = (uint16_t)(0x3000 + i);
    }
}

/* 16 by 16 with every fourth value of a row. */
static mb_sparsity *a_quarter(void) {
    static uint8_t segments[N + 1], indices[NN / 4];
    static mb_sparsity sparsity;
    for (int i = 0; i <= N; i++)
        segments[i] = (uint8_t)(i * N / 4);
    for (int i = 0; i < NN / 4; i++)
        indices[i] = (uint8_t)(i % 4 * 4 + i / 4 % 4);
    sparsity = (mb_sparsity){.n_levels = 2, .order = {0, 1}};
    sparsity.levels[0] = (mb_level){.dense = N};
    sparsity.levels[1] = (mb_level){0, 1, N + 1, NN / 4, segments, indices};
    return &sparsity;
}

enum opcode { FULLY_CONNECTED, DEQUANTIZE, DENSIFY, CUSTOM, DISPATCH, COMPOSITE };

static void add_opcodes(mb_model *m) {
    static const mb_opcode opcodes[] = {
        [FULLY_CONNECTED] = {TQI_OP_FULLY_CONNECTED, 1, NULL, true},
        [DEQUANTIZE] = {TQI_OP_DEQUANTIZE, 3, NULL, false},
        [DENSIFY] = {TQI_OP_DENSIFY, 1, NULL, false},
        [CUSTOM] = {TQI_OP_CUSTOM, 1, "Mine", false},
        [DISPATCH] = {TQI_OP_CUSTOM, 1, "DISPATCH_OP", false},
        [COMPOSITE] = {TQI_OP_STABLEHLO_COMPOSITE, 1, NULL, false},
    };
    m->n_opcodes = COUNT(opcodes);
    for (size_t i = 0; i < COUNT(opcodes); i++)
        m->opcodes[i] = opcodes[i];
}

static int32_t add_layer(mb_subgraph *s, int32_t input, int32_t weight) {
    static const char *const names[] = {"l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7"};
    int32_t output =
        mb_add_tensor(s, (mb_tensor){.name = names[s->n_ops % 8], .shape = {2, {1, N}}});
    mb_add_op(s, (mb_op){.opcode = FULLY_CONNECTED,
                         .inputs = {3, {input, weight, -1}},
                         .outputs = {1, {output}},
                         .options_type = 8});
    return output;
}

static int32_t add_unary(mb_subgraph *s, enum opcode opcode, int32_t input, mb_tensor tensor) {
    int32_t output = mb_add_tensor(s, tensor);
    mb_add_op(s, (mb_op){.opcode = opcode, .inputs = {1, {input}}, .outputs = {1, {output}}});
    return output;
}

static int32_t add_custom(mb_subgraph *s, enum opcode opcode, int32_t input, const void *options,
                          uint32_t size, bool outside) {
    int32_t output = add_unary(s, opcode, input, (mb_tensor){.name = "c", .shape = {2, {1, N}}});
    mb_op *op = &s->ops[s->n_ops - 1];
    op->custom = options;
    op->custom_size = size;
    op->custom_outside = outside;
    return output;
}

static void add_main(mb_model *m, const uint8_t *dispatch, uint32_t dispatch_size) {
    static const float scales[] = {0.5f};
    static const uint8_t codes[NN];
    mb_subgraph *s = &m->subgraphs[0];
    const mb_list square = {2, {N, N}}, row = {2, {1, N}};
    uint32_t plain = mb_add_buffer(m, weights, sizeof weights);
    uint32_t half = mb_add_buffer(m, halves, sizeof halves);
    uint32_t sparse = mb_add_buffer(m, weights, sizeof weights / 4);
    uint32_t code = mb_add_buffer(m, codes, NN / 2);
    uint32_t scale = mb_add_buffer(m, halves, N);
    m->buffers[half].outside = true;
    s->name = "main";
    int32_t x = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = row});
    int32_t w = mb_add_tensor(s, (mb_tensor){.name = "plain", .buffer = plain, .shape = square});
    int32_t h = mb_add_tensor(
        s, (mb_tensor){.name = "half", .type = TQI_TYPE_FLOAT16, .buffer = half, .shape = square});
    int32_t z = mb_add_tensor(
        s,
        (mb_tensor){.name = "sparse", .buffer = sparse, .shape = square, .sparsity = a_quarter()});
    int32_t b = mb_add_tensor(
        s, (mb_tensor){.type = TQI_TYPE_FLOAT16, .buffer = scale, .shape = {1, {N / 2}}});
    int32_t k = mb_add_tensor(s, (mb_tensor){.name = "blocks",
                                             .type = TQI_TYPE_INT4,
                                             .buffer = code,
                                             .shape = square,
                                             .blockwise = true,
                                             .block_scales = b});
    int32_t q = mb_add_tensor(s, (mb_tensor){.name = "scaled",
                                             .type = TQI_TYPE_INT8,
                                             .buffer = code,
                                             .shape = {2, {N / 2, N}},
                                             .n_scales = 1,
                                             .scales = scales});
    mb_add_tensor(s, (mb_tensor){.name = "state", .shape = row, .variable = true});
    int32_t hw = add_unary(s, DEQUANTIZE, h, (mb_tensor){.name = "half_w", .shape = square});
    int32_t zw = add_unary(s, DENSIFY, z, (mb_tensor){.name = "sparse_w", .shape = square});
    int32_t at = add_layer(s, x, w);
    at = add_layer(s, at, hw);
    at = add_layer(s, at, zw);
    at = add_layer(s, at, k);
    at = add_layer(s, at, q);
    if (dispatch_size > 0)
        at = add_custom(s, DISPATCH, at, dispatch, dispatch_size, false);
    else
        at = add_custom(s, CUSTOM, at, "options outside", 15, true);
    at = add_unary(s, COMPOSITE, at, (mb_tensor){.name = "y", .shape = row});
    mb_op *composite = &s->ops[s->n_ops - 1];
    composite->options_2_type = 21; /* StableHLOCompositeOptions */
    composite->options_2[1] = 1;    /* decomposition_subgraph_index */
    s->ops[3].intermediates = (mb_list){2, {h, -1}};
    s->inputs = (mb_list){1, {x}};
    s->outputs = (mb_list){1, {at}};
    m->signatures[0] = (mb_signature){.key = "serve", .inputs = {1, {x}}, .outputs = {1, {at}}};
}

bytes sample_everything(bool byte_code) {
    static const char code[40] = "byte code of an accelerator, not to lose";
    uint8_t dispatch[96];
    uint32_t size = byte_code ? mb_dispatch_options(dispatch, 0, 0) : 0;
    mb_model m = {.description = "everything", .n_subgraphs = 2, .n_signatures = 1};
    fill_weights();
    add_opcodes(&m);
    add_main(&m, dispatch, size);
    mb_subgraph *s = &m.subgraphs[1];
    s->name = "body";
    int32_t x = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = {2, {1, N}}});
    int32_t w = mb_add_tensor(s, (mb_tensor){.name = "w", .buffer = 1, .shape = {2, {N, N}}});
    s->inputs = (mb_list){1, {x}};
    s->outputs = (mb_list){1, {add_layer(s, x, w)}};
    m.n_metadata = 1;
    m.metadata[0] = (mb_metadata){"note", mb_add_buffer(&m, "a note", 6)};
    m.legacy_metadata = (mb_list){1, {(int32_t)m.metadata[0].buffer}};
    if (!byte_code)
        return mb_build(&m);
    m.tail = code;
    m.tail_size = sizeof code;
    m.tail_align = 64;
    free_bytes(mb_build(&m)); /* to learn where the byte code goes */
    mb_dispatch_options(dispatch, m.tail_at, sizeof code);
    return mb_build(&m);
}

bytes sample_not_encodable(void) {
    enum { SIDE = 32, LAYERS = 4 };
    static float values[LAYERS][SIDE * SIDE];
    static const char *const names[] = {"good", "nan", "inf", "huge"};
    static const char *const outputs[] = {"y0", "y1", "y2", "y3"};
    mb_model m = {.n_opcodes = 1, .n_subgraphs = 1};
    m.opcodes[0] = (mb_opcode){.builtin = TQI_OP_FULLY_CONNECTED};
    mb_subgraph *s = &m.subgraphs[0];
    int32_t at = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = {2, {1, SIDE}}});
    s->inputs = (mb_list){1, {at}};
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int i = 0; i < SIDE * SIDE; i++)
            values[layer][i] = (float)(i * (31 + layer) % 211 - 105) / 128;
        values[layer][SIDE * 20 + 5] = layer == 1   ? NAN
                                       : layer == 2 ? -INFINITY
                                       : layer == 3 ? 65520.0f
                                                    : 0.5f;
        uint32_t buffer = mb_add_buffer(&m, values[layer], sizeof values[layer]);
        int32_t w = mb_add_tensor(
            s, (mb_tensor){.name = names[layer], .buffer = buffer, .shape = {2, {SIDE, SIDE}}});
        int32_t y = mb_add_tensor(s, (mb_tensor){.name = outputs[layer], .shape = {2, {1, SIDE}}});
        mb_add_op(s, (mb_op){.inputs = {3, {at, w, -1}}, .outputs = {1, {y}}, .options_type = 8});
        at = y;
    }
    s->outputs = (mb_list){1, {at}};
    return mb_build(&m);
}
