/* SPDX-License-Identifier: Apache-2.0 */
#include "small_layers.h"

#include <string.h>

mb_model small_graph(mb_list input) {
    mb_model model = {.n_subgraphs = 1, .n_buffers = 1};
    mb_subgraph *s = &model.subgraphs[0];
    mb_add_tensor(s, (mb_tensor){.name = "x", .shape = input});
    s->inputs = (mb_list){1, {0}};
    return model;
}

uint32_t small_opcode(mb_model *model, int32_t builtin) {
    for (uint32_t i = 0; i < model->n_opcodes; i++)
        if (model->opcodes[i].builtin == builtin)
            return i;
    assert_true(model->n_opcodes < COUNT(model->opcodes));
    model->opcodes[model->n_opcodes] =
        (mb_opcode){.builtin = builtin, .custom = builtin == OP_CUSTOM ? "Mystery" : NULL};
    return model->n_opcodes++;
}

int32_t small_add_constant(mb_model *model, const void *data, int32_t type, mb_list shape) {
    size_t each = type == TQI_TYPE_INT8 ? 1 : 4;
    return mb_add_tensor(
        &model->subgraphs[0],
        (mb_tensor){.name = "constant",
                    .buffer = mb_add_buffer(model, data, each * small_elements(shape)),
                    .type = type,
                    .shape = shape});
}

int32_t small_add_op(mb_model *model, int32_t builtin, mb_list inputs, int32_t type,
                     mb_list shape) {
    mb_subgraph *s = &model->subgraphs[0];
    int32_t y = mb_add_tensor(s, (mb_tensor){.name = "y", .type = type, .shape = shape});
    mb_op op = {.opcode = small_opcode(model, builtin), .inputs = inputs, .outputs = {1, {y}}};
    mb_add_op(s, op);
    return y;
}

static void set_options(mb_op *op, const small_layer *layer) {
    bool depthwise = layer->builtin == OP_DEPTHWISE_CONV_2D;
    if (layer->builtin == OP_FULLY_CONNECTED) {
        op->options_type = OPTIONS_FULLY_CONNECTED;
        op->options[0] = layer->activation;
        return;
    }
    op->options_type = depthwise ? OPTIONS_DEPTHWISE : OPTIONS_CONV_2D;
    op->options[0] = SAME;
    op->options[1] = op->options[2] = 1;
    op->options[3] = 1; /* depth multiplier */
    op->options[depthwise ? 4 : 3] = layer->activation;
    uint8_t *dilation = &op->options[depthwise ? 5 : 4];
    dilation[0] = dilation[1] = 1;
}

int32_t small_add_layer(mb_model *model, const small_layer *layer) {
    mb_subgraph *s = &model->subgraphs[0];
    bool depthwise = layer->builtin == OP_DEPTHWISE_CONV_2D;
    int32_t channels = layer->filter.at[depthwise ? 3 : 0], w = layer->weights_tensor;
    mb_list shape = s->tensors[layer->x].shape;
    mb_op op = {.opcode = small_opcode(model, layer->builtin)};
    if (w == 0) {
        int32_t type = layer->scales ? TQI_TYPE_INT8 : TQI_TYPE_FLOAT32;
        w = small_add_constant(model, layer->weights, type, layer->filter);
        s->tensors[w].scales = layer->scales;
        s->tensors[w].n_scales = layer->scales ? (uint32_t)channels : 0;
    }
    op.inputs = (mb_list){2, {layer->x, w}};
    if (layer->bias)
        op.inputs.at[op.inputs.count++] =
            small_add_constant(model, layer->bias, TQI_TYPE_FLOAT32, (mb_list){1, {channels}});
    shape.at[shape.count - 1] = channels;
    int32_t y = mb_add_tensor(s, (mb_tensor){.name = "y", .shape = shape});
    op.outputs = (mb_list){1, {y}};
    set_options(&op, layer);
    mb_add_op(s, op);
    return y;
}
