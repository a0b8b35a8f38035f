/* SPDX-License-Identifier: Apache-2.0 */
#include "busy_model.h"

#include "tflite/builtins.h"
#include "tflite/schema.h"

enum { SIDE = 32, ROWS = 4 };
static float weights[SIDE * SIDE];
static uint16_t halves[SIDE * SIDE];

bytes busy_model(void) {
    static const int32_t row[] = {1, SIDE}, full[] = {ROWS, SIDE}, half_of[] = {ROWS / 2},
                         twice[] = {2}, side[] = {SIDE};
    const mb_list one_row = {2, {1, SIDE}}, rows = {2, {ROWS, SIDE}}, pair = {1, {2}},
                  single = {1, {1}};
    mb_model m = {.description = "busy", .n_subgraphs = 1, .n_signatures = 1, .n_opcodes = 8};
    mb_subgraph *s = &m.subgraphs[0];
    static const int32_t codes[] = {TQI_BUILTIN_FULLY_CONNECTED,
                                    TQI_BUILTIN_RESHAPE,
                                    TQI_BUILTIN_BROADCAST_TO,
                                    TQI_BUILTIN_ADD,
                                    TQI_BUILTIN_MUL,
                                    TQI_BUILTIN_CONCATENATION,
                                    TQI_BUILTIN_DEQUANTIZE,
                                    TQI_BUILTIN_RELU};
    enum { FC, RESHAPE, BROADCAST, ADD, MUL, CONCATENATION, DEQUANTIZE, RELU };
    for (uint32_t i = 0; i < COUNT(codes); i++)
        m.opcodes[i] = (mb_opcode){.builtin = codes[i], .version = codes[i] == 130 ? 2 : 1};
    for (int i = 0; i < SIDE * SIDE; i++) {
        weights[i] = (float)(i * 31 % 211 - 105) / 128;
        halves[i] = (uint16_t)(0x3000 + i % 512);
    }
    int32_t x = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = one_row});
    int32_t y = mb_add_tensor(s, (mb_tensor){.name = "y", .shape = rows});
    int32_t w = mb_add_tensor(s, (mb_tensor){.name = "w",
                                             .shape = {2, {SIDE, SIDE}},
                                             .buffer = mb_add_buffer(&m, weights, sizeof weights)});
    int32_t dead = mb_add_tensor(s, (mb_tensor){.name = "dead", .shape = one_row});
    mb_add_op(s, (mb_op){.opcode = RELU, .inputs = {1, {x}}, .outputs = {1, {dead}}});
    int32_t h = mb_add_tensor(s, (mb_tensor){.name = "h", .shape = one_row});
    mb_add_op(
        s,
        (mb_op){.opcode = FC, .inputs = {3, {x, w, -1}}, .outputs = {1, {h}}, .options_type = 8});
    int32_t to_row = mb_add_tensor(s, (mb_tensor){.name = "row",
                                                  .type = TQI_TYPE_INT32,
                                                  .shape = pair,
                                                  .buffer = mb_add_buffer(&m, row, sizeof row)});
    int32_t same = mb_add_tensor(s, (mb_tensor){.name = "same", .shape = one_row});
    mb_add_op(s, (mb_op){.opcode = RESHAPE, .inputs = {2, {h, to_row}}, .outputs = {1, {same}}});

    /* the target of one BROADCAST_TO is computed: [ROWS / 2] * [2] and [SIDE], joined */
    int32_t part = mb_add_tensor(s, (mb_tensor){.name = "part",
                                                .type = TQI_TYPE_INT32,
                                                .shape = single,
                                                .buffer = mb_add_buffer(&m, half_of, 4)});
    int32_t two = mb_add_tensor(s, (mb_tensor){.name = "two",
                                               .type = TQI_TYPE_INT32,
                                               .shape = single,
                                               .buffer = mb_add_buffer(&m, twice, 4)});
    int32_t product =
        mb_add_tensor(s, (mb_tensor){.name = "product", .type = TQI_TYPE_INT32, .shape = single});
    mb_add_op(s, (mb_op){.opcode = MUL,
                         .inputs = {2, {part, two}},
                         .outputs = {1, {product}},
                         .options_type = 21});
    int32_t last = mb_add_tensor(s, (mb_tensor){.name = "last",
                                                .type = TQI_TYPE_INT32,
                                                .shape = single,
                                                .buffer = mb_add_buffer(&m, side, 4)});
    int32_t target =
        mb_add_tensor(s, (mb_tensor){.name = "target", .type = TQI_TYPE_INT32, .shape = pair});
    mb_add_op(s, (mb_op){.opcode = CONCATENATION,
                         .inputs = {2, {product, last}},
                         .outputs = {1, {target}},
                         .options_type = 10});
    int32_t stated = mb_add_tensor(s, (mb_tensor){.name = "stated",
                                                  .type = TQI_TYPE_INT32,
                                                  .shape = pair,
                                                  .buffer = mb_add_buffer(&m, full, sizeof full)});
    int32_t wide = mb_add_tensor(s, (mb_tensor){.name = "wide", .shape = rows});
    int32_t wider = mb_add_tensor(s, (mb_tensor){.name = "wider", .shape = rows});
    int32_t z = mb_add_tensor(s, (mb_tensor){.name = "z", .shape = rows});
    int32_t joined =
        mb_add_tensor(s, (mb_tensor){.name = "joined", .shape = {2, {ROWS, 2 * SIDE}}});
    mb_add_op(s,
              (mb_op){.opcode = BROADCAST, .inputs = {2, {same, target}}, .outputs = {1, {wide}}});
    mb_add_op(s, (mb_op){.opcode = BROADCAST, .inputs = {2, {h, stated}}, .outputs = {1, {wider}}});
    mb_add_op(
        s,
        (mb_op){.opcode = ADD, .inputs = {2, {y, wide}}, .outputs = {1, {z}}, .options_type = 11});
    mb_add_op(s, (mb_op){.opcode = CONCATENATION,
                         .inputs = {2, {wider, y}},
                         .outputs = {1, {joined}},
                         .options_type = 10,
                         .options = {1}});
    int32_t half =
        mb_add_tensor(s, (mb_tensor){.name = "half",
                                     .type = TQI_TYPE_FLOAT16,
                                     .shape = {2, {SIDE, SIDE}},
                                     .buffer = mb_add_buffer(&m, halves, sizeof halves)});
    int32_t plain = mb_add_tensor(s, (mb_tensor){.name = "plain", .shape = {2, {SIDE, SIDE}}});
    int32_t out = mb_add_tensor(s, (mb_tensor){.name = "out", .shape = one_row});
    mb_add_op(s, (mb_op){.opcode = DEQUANTIZE, .inputs = {1, {half}}, .outputs = {1, {plain}}});
    mb_add_op(s, (mb_op){.opcode = FC,
                         .inputs = {3, {x, plain, -1}},
                         .outputs = {1, {out}},
                         .options_type = 8});
    s->inputs = (mb_list){2, {x, y}};
    s->outputs = (mb_list){3, {z, joined, out}};
    m.signatures[0] = (mb_signature){.key = "serve", .inputs = s->inputs, .outputs = s->outputs};
    m.n_metadata = 1;
    m.metadata[0] = (mb_metadata){"note", mb_add_buffer(&m, "a note", 6)};
    m.legacy_metadata = (mb_list){1, {(int32_t)m.metadata[0].buffer}};
    return mb_build(&m);
}

bytes idle_model(void) {
    static const float scale = 0.0625f;
    static const int32_t order[] = {0, 1, 2, 3}, zeros[8], sizes[] = {1, 2, 2, -1},
                         ends[] = {1, 2, 2, 3}, ones[] = {1, 1, 1, 1}, target[] = {1, 2, 2, 3};
    static const int8_t numbers[] = {1, 2, 3};
    static const int32_t codes[] = {TQI_BUILTIN_DEQUANTIZE,    TQI_BUILTIN_QUANTIZE,
                                    TQI_BUILTIN_TRANSPOSE,     TQI_BUILTIN_SLICE,
                                    TQI_BUILTIN_STRIDED_SLICE, TQI_BUILTIN_PAD,
                                    TQI_BUILTIN_TILE,          TQI_BUILTIN_BROADCAST_TO};
    enum { DEQUANTIZE, QUANTIZE, TRANSPOSE, SLICE, STRIDED_SLICE, PAD, TILE, BROADCAST };
    const mb_list image = {4, {1, 2, 2, 3}}, four = {1, {4}};
    const mb_tensor integers = {
        .type = TQI_TYPE_INT8, .shape = image, .n_scales = 1, .scales = &scale};
    mb_model m = {.n_subgraphs = 1, .n_opcodes = COUNT(codes)};
    mb_subgraph *s = &m.subgraphs[0];
    for (uint32_t i = 0; i < COUNT(codes); i++)
        m.opcodes[i] = (mb_opcode){.builtin = codes[i], .version = 2};
    struct {
        const char *name;
        const int32_t *values;
        uint32_t count;
        int32_t tensor;
    } vectors[] = {{"order", order, 4, 0}, {"begin", zeros, 4, 0}, {"size", sizes, 4, 0},
                   {"ends", ends, 4, 0},   {"ones", ones, 4, 0},   {"target", target, 4, 0},
                   {"pads", zeros, 8, 0}};
    enum { ORDER, BEGIN, SIZE, ENDS, ONES, TARGET, PADS };
    for (uint32_t i = 0; i < COUNT(vectors); i++)
        vectors[i].tensor = mb_add_tensor(
            s, (mb_tensor){.name = vectors[i].name,
                           .type = TQI_TYPE_INT32,
                           .shape = i == PADS ? (mb_list){2, {4, 2}} : four,
                           .buffer = mb_add_buffer(&m, vectors[i].values, 4 * vectors[i].count)});
    int32_t x = mb_add_tensor(s, integers), at = x;
    int32_t single = mb_add_tensor(s, (mb_tensor){.name = "single", .shape = image});
    mb_add_op(s, (mb_op){.opcode = DEQUANTIZE, .inputs = {1, {at}}, .outputs = {1, {single}}});
    at = mb_add_tensor(s, integers);
    mb_add_op(s, (mb_op){.opcode = QUANTIZE, .inputs = {1, {single}}, .outputs = {1, {at}}});
    const struct {
        uint32_t opcode, n;
        uint32_t more[3];
        uint8_t options_type;
    } steps[] = {{TRANSPOSE, 1, {ORDER}, 0},
                 {SLICE, 2, {BEGIN, SIZE}, 0},
                 {STRIDED_SLICE, 3, {BEGIN, ENDS, ONES}, 32},
                 {PAD, 1, {PADS}, 0},
                 {TILE, 1, {ONES}, 0}};
    for (uint32_t i = 0; i < COUNT(steps); i++) {
        mb_op op = {.opcode = steps[i].opcode,
                    .inputs = {1 + steps[i].n, {at}},
                    .options_type = steps[i].options_type};
        for (uint32_t j = 0; j < steps[i].n; j++)
            op.inputs.at[1 + j] = vectors[steps[i].more[j]].tensor;
        at = mb_add_tensor(s, integers);
        op.outputs = (mb_list){1, {at}};
        mb_add_op(s, op);
    }
    mb_tensor constant = integers, swapped = integers;
    constant.shape = (mb_list){1, {3}};
    constant.buffer = mb_add_buffer(&m, numbers, sizeof numbers);
    swapped.shape = (mb_list){4, {1, 3, 1, 1}};
    int32_t y = mb_add_tensor(s, swapped), to = vectors[TARGET].tensor;
    int32_t c = mb_add_tensor(s, constant), wide = mb_add_tensor(s, integers),
            filled = mb_add_tensor(s, integers), padded = mb_add_tensor(s, integers);
    mb_add_op(s, (mb_op){.opcode = BROADCAST, .inputs = {2, {y, to}}, .outputs = {1, {wide}}});
    mb_add_op(s, (mb_op){.opcode = BROADCAST, .inputs = {2, {c, to}}, .outputs = {1, {filled}}});
    mb_add_op(s, (mb_op){.opcode = PAD,
                         .inputs = {2, {filled, vectors[PADS].tensor}},
                         .outputs = {1, {padded}}});
    s->inputs = (mb_list){2, {x, y}};
    s->outputs = (mb_list){3, {at, wide, padded}};
    return mb_build(&m);
}
