/* SPDX-License-Identifier: Apache-2.0 */
#include "compared.h"

#include <math.h>
#include <string.h>

/* ---- models ---- */

static const mb_list WIDE = {2, {1, WIDTH}};
static const mb_list SQUARE = {2, {WIDTH, WIDTH}};
static float weights[LAYERS][CELLS];

float rounded(float value, int steps) {
    return steps ? (float)(rint((double)value * steps) / steps) : value;
}

uint32_t add_weights(mb_model *model, int layer, const damage *d) {
    static float made[2 * LAYERS][CELLS]; /* two models at a time */
    static int next;
    float *to = made[next++ % (2 * LAYERS)];
    int steps = layer == d->layer ? d->coarse : d->fine;
    small_fill(weights[layer], CELLS, (uint32_t)layer + 1);
    for (int i = 0; i < CELLS; i++)
        to[i] = 0.3f * rounded(weights[layer][i], steps);
    return mb_add_buffer(model, to, sizeof made[0]);
}

int32_t add_layer(mb_subgraph *s, const char *name, bool named) {
    return mb_add_tensor(s, (mb_tensor){.name = named ? name : "y", .shape = WIDE});
}

mb_model chain(damage d) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    mb_model model = {.n_opcodes = 3, .n_subgraphs = 1, .n_buffers = 1};
    mb_subgraph *s = &model.subgraphs[0];
    int32_t constants[LAYERS];
    model.opcodes[0].builtin = OP_FULLY_CONNECTED;
    model.opcodes[1].builtin = OP_RELU;
    model.opcodes[2] = (mb_opcode){OP_CUSTOM, 1, "Mystery", false};
    for (int i = 0; i < LAYERS && d.reversed; i++)
        constants[i] = mb_add_tensor(
            s, (mb_tensor){.name = "w", .buffer = add_weights(&model, i, &d), .shape = SQUARE});
    int32_t at = mb_add_tensor(s, (mb_tensor){.name = "x", .shape = WIDE});
    s->inputs = (mb_list){1, {at}};
    for (int i = 0; i < LAYERS; i++) {
        if (!d.reversed)
            constants[i] = mb_add_tensor(
                s, (mb_tensor){.name = "w", .buffer = add_weights(&model, i, &d), .shape = SQUARE});
        int32_t y = add_layer(s, names[i], d.names);
        bool custom = d.custom && i == 3;
        mb_add_op(s, (mb_op){.opcode = custom ? 2 : 0,
                             .options_type = custom ? 0 : OPTIONS_FULLY_CONNECTED,
                             .inputs = {2, {at, constants[i]}},
                             .outputs = {1, {y}}});
        at = y;
        if (d.relu && i == 1) {
            at = add_layer(s, "relu", d.names);
            mb_add_op(s, (mb_op){.opcode = 1, .inputs = {1, {y}}, .outputs = {1, {at}}});
        }
    }
    s->outputs = (mb_list){1, {at}};
    return model;
}

/* ---- comparing ---- */

tq_status try_compare(compared *c, mb_model *a, mb_model *b, const tq_load_options *load,
                      const tq_verify_options *options, tq_error *error) {
    *c = (compared){.files = {mb_build(a), mb_build(b)}};
    for (int i = 0; i < 2; i++)
        TQI_TRY(tq_load_memory(c->files[i].data, c->files[i].size, load, &c->models[i], error));
    TQI_TRY(tq_verify(c->models[0], c->models[1], options, &c->v, error));
    c->info.struct_size = sizeof c->info;
    assert_int_equal(tq_get_verification_info(c->v, &c->info), TQ_OK);
    return TQ_OK;
}

compared compare(mb_model a, mb_model b, const tq_verify_options *options) {
    tq_error error = TQ_ERROR_INIT;
    compared c;
    assert_ok(try_compare(&c, &a, &b, NULL, options, &error), &error);
    return c;
}

void done(compared *c) {
    for (int i = 0; i < 2; i++)
        tq_model_free(c->models[i]);
    tq_verification_free(c->v);
    for (int i = 0; i < 2; i++)
        free_bytes(c->files[i]);
}

tq_comparison layer(const compared *c, uint32_t index) {
    tq_comparison found = {.struct_size = sizeof found};
    assert_int_equal(tq_get_layer_comparison(c->v, index, &found), TQ_OK);
    return found;
}

tq_comparison output(const compared *c, uint32_t index) {
    tq_comparison found = {.struct_size = sizeof found};
    assert_int_equal(tq_get_output_comparison(c->v, index, &found), TQ_OK);
    return found;
}
