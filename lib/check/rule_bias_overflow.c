/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bias in int32 steps of s_in * s_w so large that, with what the layer sums up, int32 overflows:
 * in a channel with tiny weights and a bias that is not. Of a float model it can be said where the
 * range of the layer's input follows from what makes it (RELU6, LOGISTIC, TANH, SOFTMAX).
 *
 * Seen in: channels that pruning or batch normalization has left without weights; tools saturate
 * their biases without a word. Since: always. Until: not fixed; a larger scale for the channel
 * cures it.
 */
#include <inttypes.h>
#include <math.h>

#include "check/rules.h"
#include "check/scales.h"
#include "check/weights.h"
#include "tflite/builtins.h"
#include "tflite/op_facts.h"

static const double most = 2147483647.0, steps = 255.0, levels = 127.0;

static uint32_t bias_input(int32_t builtin) {
    return builtin == TQI_BUILTIN_TRANSPOSE_CONV ? 3 : 2;
}

/* ---- models that are int8 already ---- */

static tq_status visit(tqi_check *check, const tqi_at *at, tq_error *error) {
    enum { PIECE = 256 };
    const tqi_tensor *input = tqi_at_in(at, at->builtin == TQI_BUILTIN_TRANSPOSE_CONV ? 2 : 0);
    const tqi_tensor *weights = tqi_at_in(at, 1), *bias = tqi_at_in(at, bias_input(at->builtin));
    uint64_t n = 0, all = 0, bad = 0;
    double limit;
    if (tqi_input_role(at->builtin, 1) != TQI_ROLE_WEIGHT || !input || !weights || !bias ||
        tqi_input_role(at->builtin, bias_input(at->builtin)) != TQI_ROLE_BIAS ||
        input->type != TQI_TYPE_INT8 || bias->type != TQI_TYPE_INT32 ||
        !tqi_is_constant(check->graph, bias) || !tqi_tensor_elements(bias, &n) || n == 0 ||
        !tqi_tensor_elements(weights, &all))
        return TQ_OK;
    const tqi_content *content = tqi_tensor_content(check->graph, bias);
    if (content->size / 4 < n || content->kind == TQI_CONTENT_PRODUCED || !tqi_work(check, n))
        return TQ_OK;
    limit = most - (double)(all / n) * steps * levels;
    for (uint64_t i = 0, count; i < n; i += count) {
        uint8_t scratch[4 * PIECE];
        count = n - i < PIECE ? n - i : PIECE;
        const uint8_t *bytes = (const uint8_t *)content->memory;
        if (content->kind == TQI_CONTENT_FILE)
            TQI_TRY(tqi_source_fetch(check->graph->source, content->offset + 4 * i,
                                     (size_t)count * 4, scratch, &bytes, error));
        else
            bytes += 4 * i;
        for (uint64_t k = 0; k < count; k++)
            bad += fabs((double)tqi_load_i32(bytes + 4 * k)) > limit;
    }
    if (bad == 0)
        return TQ_OK;
    return tqi_find(check, &tqi_rule_bias_overflow, TQ_SEVERITY_WARNING,
                    tqi_at_input(at, bias_input(at->builtin)), "", error,
                    "%" PRIu64 " of its %" PRIu64
                    " biases are so large that the sums can overflow int32.",
                    bad, n);
}

/* ---- models that are float ---- */

/* What the activation that an operator ends in lets through; 0: not known. */
static double range_of(const tqi_check *check, const tqi_subgraph *subgraph, int32_t op) {
    enum { RELU_N1_TO_1 = 2, RELU6 = 3 };
    static const struct {
        uint8_t builtin, member, field;
    } fused[] = {{TQI_BUILTIN_CONV_2D, 1, 3},
                 {TQI_BUILTIN_DEPTHWISE_CONV_2D, 2, 4},
                 {TQI_BUILTIN_FULLY_CONNECTED, 8, 0},
                 {TQI_BUILTIN_ADD, 11, 0}};
    if (op < 0)
        return 0.0;
    const tqi_operator *maker = &subgraph->operators[op];
    const tqi_view *view = &check->graph->view;
    int32_t builtin = tqi_builtin(check->graph, maker);
    switch (builtin) {
    case TQI_BUILTIN_RELU6:
        return 6.0;
    case TQI_BUILTIN_LOGISTIC:
    case TQI_BUILTIN_SOFTMAX:
    case TQI_BUILTIN_RELU_0_TO_1:
        return 1.0;
    case TQI_BUILTIN_TANH:
    case TQI_BUILTIN_RELU_N1_TO_1:
        return 2.0;
    default:
        break;
    }
    uint32_t options = tqi_options(check->graph, maker);
    for (size_t i = 0; options && i < sizeof fused / sizeof *fused; i++) {
        if (fused[i].builtin != builtin ||
            tqi_get_i8(view, maker->source, TQI_OPERATOR_BUILTIN_OPTIONS_TYPE, 0) !=
                fused[i].member)
            continue;
        int8_t activation = tqi_get_i8(view, options, fused[i].field, 0);
        return activation == RELU6 ? 6.0 : activation == RELU_N1_TO_1 ? 2.0 : 0.0;
    }
    return 0.0;
}

static tq_status look(tqi_check *check, const tqi_weight *w, tq_error *error) {
    const tqi_subgraph *subgraph = &check->graph->subgraphs[w->subgraph];
    const tqi_operator *op = tqi_weight_op(check, w);
    int32_t builtin = tqi_builtin(check->graph, op);
    uint32_t b = bias_input(builtin), x = builtin == TQI_BUILTIN_TRANSPOSE_CONV ? 2 : 0, bad = 0;
    if (tqi_input_role(builtin, b) != TQI_ROLE_BIAS || b >= op->n_inputs || op->inputs[b] < 0 ||
        op->inputs[x] < 0 || w->not_finite > 0)
        return TQ_OK;
    const tqi_at at = {
        .subgraph_index = w->subgraph, .op_index = w->op, .subgraph = subgraph, .op = op};
    const tqi_tensor *bias = tqi_stored_floats(check, &at, b);
    double range = range_of(check, subgraph, check->uses[w->subgraph].producer[op->inputs[x]]);
    uint64_t n = 0;
    if (range == 0.0 || !bias || !tqi_tensor_elements(bias, &n) || n != w->channels)
        return TQ_OK;
    const tqi_content *content = tqi_tensor_content(check->graph, bias);
    bool is_half = bias->type == TQI_TYPE_FLOAT16;
    size_t size = is_half ? 2 : 4;
    if (content->size / size < n)
        return TQ_OK;
    for (uint32_t c = 0; c < w->channels; c++) {
        uint8_t scratch[4];
        const uint8_t *bytes = (const uint8_t *)content->memory;
        float value;
        if (content->kind == TQI_CONTENT_FILE)
            TQI_TRY(tqi_source_fetch(check->graph->source, content->offset + size * c, size,
                                     scratch, &bytes, error));
        else
            bytes += size * c;
        if (is_half)
            value = tqi_half_value(tqi_load_u16(bytes));
        else
            memcpy(&value, bytes, sizeof value);
        double step = range / steps * ((double)w->largest[c] / levels);
        bad += w->largest[c] > 0.0f &&
               fabs((double)value) / step > most - (double)w->depth * steps * levels;
    }
    if (bad == 0)
        return TQ_OK;
    tqi_place place = tqi_weight_place(check, w);
    place.op_input = (int32_t)b;
    place.tensor = op->inputs[b];
    return tqi_find(check, &tqi_rule_bias_overflow, TQ_SEVERITY_WARNING, place, "", error,
                    "%" PRIu32 " of its %" PRIu32
                    " biases would overflow int32 with the scales of input and weights.",
                    bad, w->channels);
}

static tq_status run(tqi_check *check, tq_error *error) {
    const tqi_weights *weights;
    TQI_TRY(tqi_each_operator(check, visit, error));
    TQI_TRY(tqi_find_weights(check, &weights, error));
    for (uint32_t i = 0; i < weights->count; i++)
        TQI_TRY(look(check, &weights->list[i], error));
    return TQ_OK;
}

const tqi_check_rule tqi_rule_bias_overflow = {"bias-overflow",
                                               "biases that int32 can't hold beside the sums",
                                               TQI_FOR_INT8 | TQI_FOR_MICRO, run, true};
