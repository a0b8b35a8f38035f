/* SPDX-License-Identifier: Apache-2.0 */
#include "check/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "tflite/builtins.h"

const char *tqi_type_text(int32_t type) {
    const char *label = tqi_type_label(type);
    return label ? label : "unknown";
}

bool tqi_read_release(const char *text, tqi_release *release) {
    enum { MOST = 99 };
    uint32_t part[3] = {0, 0, 0};
    uint32_t n = 0;
    for (const char *at = text; n < 3; at++) {
        bool any = false;
        for (; *at >= '0' && *at <= '9'; at++) {
            part[n] = part[n] * 10 + (uint32_t)(*at - '0');
            if (part[n] > MOST)
                return false;
            any = true;
        }
        n++;
        if (!any)
            return false;
        if (*at == '\0')
            break;
        if (*at != '.' || n == 3)
            return false;
    }
    *release = part[0] * 100 + part[1];
    return n >= 2 && *release > 0;
}

/* ---- findings ---- */

static const char *name_of(const tqi_graph *graph, int32_t subgraph, int32_t op) {
    if (op < 0)
        return "";
    const tqi_opcode *code = &graph->opcodes[graph->subgraphs[subgraph].operators[op].opcode];
    const char *name = tqi_op_name(code->builtin);
    return code->builtin == TQI_OP_CUSTOM ? code->custom : name ? name : "unknown";
}

tq_status tqi_find(tqi_check *check, const tqi_check_rule *rule, uint32_t severity, tqi_place place,
                   const char *cure, tq_error *error, const char *format, ...) {
    enum { LONGEST = 512 };
    char message[LONGEST];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    tqi_clean_line(message);
    const tqi_graph *graph = check->graph;
    tq_finding found = {.struct_size = sizeof found,
                        .severity = severity,
                        .rule = rule->name,
                        .subgraph = place.subgraph,
                        .op = place.op,
                        .op_input = place.op_input,
                        .tensor = place.tensor,
                        .builtin_code = TQ_NO_INDEX,
                        .op_name = name_of(graph, place.subgraph, place.op),
                        .tensor_name = "",
                        .message = message,
                        .cure = cure};
    if (place.tensor >= 0)
        found.tensor_name = graph->subgraphs[place.subgraph].tensors[place.tensor].name;
    if (place.op >= 0)
        found.builtin_code =
            tqi_builtin(graph, &graph->subgraphs[place.subgraph].operators[place.op]);
    return tqi_findings_add(check->findings, &found, error);
}

/* ---- operators ---- */

tqi_place tqi_at_input(const tqi_at *at, uint32_t input) {
    tqi_place place = tqi_at_op(at);
    place.op_input = (int32_t)input;
    place.tensor = input < at->op->n_inputs ? at->op->inputs[input] : -1;
    return place;
}

tqi_place tqi_at_output(const tqi_at *at, uint32_t output) {
    tqi_place place = tqi_at_op(at);
    place.tensor = output < at->op->n_outputs ? at->op->outputs[output] : -1;
    return place;
}

const tqi_tensor *tqi_at_in(const tqi_at *at, uint32_t input) {
    bool there = input < at->op->n_inputs && at->op->inputs[input] >= 0;
    return there ? &at->subgraph->tensors[at->op->inputs[input]] : NULL;
}

const tqi_tensor *tqi_at_out(const tqi_at *at, uint32_t output) {
    bool there = output < at->op->n_outputs && at->op->outputs[output] >= 0;
    return there ? &at->subgraph->tensors[at->op->outputs[output]] : NULL;
}

tq_status tqi_each_operator(tqi_check *check, tqi_visit *visit, tq_error *error) {
    const tqi_graph *graph = check->graph;
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) {
        const tqi_subgraph *subgraph = &graph->subgraphs[s];
        for (uint32_t i = 0; i < subgraph->n_operators; i++) {
            const tqi_operator *op = &subgraph->operators[i];
            const tqi_opcode *code = &graph->opcodes[op->opcode];
            const tqi_at at = {s,
                               i,
                               subgraph,
                               op,
                               code->builtin,
                               code->version,
                               name_of(graph, (int32_t)s, (int32_t)i)};
            TQI_TRY(visit(check, &at, error));
        }
    }
    return TQ_OK;
}

bool tqi_range_at(const tqi_check *check, uint32_t subgraph, int32_t tensor,
                  tqi_value_range *range) {
    if (!check->ranges || !check->ranges[subgraph] || tensor < 0 ||
        check->graph->subgraphs[subgraph].tensors[tensor].type != TQI_TYPE_FLOAT32)
        return false;
    *range = check->ranges[subgraph][tensor];
    return tqi_is_known(range);
}

/* ---- which subgraphs are called by others ---- */

static void mark(tqi_check *check, uint32_t subgraph) {
    if (subgraph < check->graph->n_subgraphs)
        check->is_called[subgraph] = true;
}

/* The options of these operators name subgraphs, in fields of four bytes. */
static const struct {
    uint8_t builtin, member; /* of BuiltinOptions, or of BuiltinOptions2 */
    bool is_second;
    int8_t fields[2]; /* -1: none */
} callers[] = {
    {TQI_BUILTIN_CALL, 16, false, {0, -1}},
    {TQI_BUILTIN_IF, 92, false, {0, 1}},
    {TQI_BUILTIN_WHILE, 93, false, {0, 1}},
    {TQI_BUILTIN_CALL_ONCE, 103, false, {0, -1}},
    {TQI_BUILTIN_STABLEHLO_REDUCE, 6, true, {1, -1}},
    {TQI_BUILTIN_STABLEHLO_SCATTER, 7, true, {6, -1}},
    {TQI_BUILTIN_STABLEHLO_REDUCE_WINDOW, 13, true, {5, -1}},
    {TQI_BUILTIN_STABLEHLO_SORT, 14, true, {2, -1}},
    {TQI_BUILTIN_STABLEHLO_WHILE, 15, true, {0, 1}},
    {TQI_BUILTIN_STABLEHLO_COMPOSITE, 21, true, {1, -1}},
};

/* Of one of the two unions, if they are of this kind: others have other fields. */
static uint32_t options_of(const tqi_view *view, const tqi_operator *op, bool is_second,
                           uint8_t member) {
    uint32_t field = is_second ? TQI_OPERATOR_BUILTIN_OPTIONS_2 : TQI_OPERATOR_BUILTIN_OPTIONS;
    bool is_kind = op->source && (uint8_t)tqi_get_i8(view, op->source, field - 1, 0) == member;
    return is_kind ? tqi_get_table(view, op->source, field) : 0;
}

static tq_status mark_called(tqi_check *check, const tqi_at *at, tq_error *error) {
    const tqi_view *view = &check->graph->view;
    (void)error;
    for (size_t i = 0; i < sizeof callers / sizeof *callers; i++) {
        if (callers[i].builtin != at->builtin)
            continue;
        uint32_t options = options_of(view, at->op, callers[i].is_second, callers[i].member);
        for (int f = 0; options && f < 2; f++)
            if (callers[i].fields[f] >= 0)
                mark(check, tqi_get_u32(view, options, (uint32_t)callers[i].fields[f], 0));
    }
    if (at->builtin == TQI_BUILTIN_STABLEHLO_CASE) {
        enum { CASE_OPTIONS = 23 };
        uint32_t options = options_of(view, at->op, true, CASE_OPTIONS);
        tqi_vector list = options ? tqi_get_vector(view, options, 0) : (tqi_vector){0, 0};
        for (uint32_t k = 0; k < list.count && tqi_work(check, 1); k++)
            mark(check, tqi_load_u32(view->data + list.at + 4 * k));
    }
    return TQ_OK;
}

/* ---- all of it ---- */

static tq_status run_rules(tqi_check *check, uint32_t flags, tq_error *error) {
    const tqi_graph *graph = check->graph;
    TQI_NEW(check->arena, &check->uses, graph->n_subgraphs, error);
    TQI_NEW(check->arena, &check->shapes, graph->n_subgraphs, error);
    TQI_NEW(check->arena, &check->is_called, graph->n_subgraphs, error);
    TQI_TRY(tqi_each_operator(check, mark_called, error));
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) {
        TQI_TRY(tqi_find_uses(graph, s, check->arena, &check->uses[s], error));
    }
    TQI_TRY(tqi_infer_shapes(graph, check->is_called, check->arena, check->shapes, error));
    const tqi_check_rule *rule;
    for (uint32_t i = 0; (rule = tqi_check_rule_at(i)) != NULL; i++) {
        check->findings->of_rule = 0;
        bool quick = (flags & TQ_CHECK_GRAPH) != 0;
        if ((rule->targets >> check->target & 1) && !(quick && rule->reads_weights))
            TQI_TRY(rule->run(check, error));
    }
    return TQ_OK;
}

tq_status tqi_check_graph(const tqi_graph *graph, const tqi_check_options *options, tqi_heap *heap,
                          tqi_findings *findings, tq_error *error) {
    enum { WORK_BASE = 1 << 24 };
    tqi_arena arena;
    tqi_arena_init(&arena, heap);
    tqi_check check = {.graph = graph,
                       .target = options->target,
                       .runtime = options->runtime,
                       .ranges = options->ranges,
                       .work_left = WORK_BASE + graph->source->size,
                       .findings = findings,
                       .arena = &arena,
                       .heap = heap};
    tq_status status = run_rules(&check, options->flags, error);
    tqi_arena_free(&arena);
    return status;
}
