/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "api/model.h"

const tq_report *tq_model_report(const tq_model *model) {
    return model && model->quantized ? &model->report : NULL;
}

static uint32_t verdict_of(tqi_action action) {
    switch (action) {
    case TQI_ACTION_DYNAMIC:
    case TQI_ACTION_DYNAMIC_INT4:
    case TQI_ACTION_WEIGHT_ONLY:
        return TQ_VERDICT_QUANTIZED;
    case TQI_ACTION_FLOAT16:
        return TQ_VERDICT_FLOAT16;
    case TQI_ACTION_FOLD:
        return TQ_VERDICT_FOLDED;
    default:
        return TQ_VERDICT_KEPT;
    }
}

static double snr_of(const tq_model *model, uint32_t index) {
    const tqi_encoder *e = model->result.encoders ? model->result.encoders[index] : NULL;
    if (!e || !model->saved)
        return NAN;
    tqi_sums sums = tqi_encoder_sums(e);
    return sums.noise == 0 ? INFINITY : 10 * log10(sums.signal / sums.noise);
}

/* From noise over signal. */
static double output_snr(double error) {
    return isnan(error) ? (double)NAN : error == 0 ? (double)INFINITY : -10 * log10(error);
}

static void fill_use(const tq_model *model, const tqi_constant *c, tq_report_entry *entry) {
    const tqi_uses *uses = &model->plan.constants.uses[c->subgraph];
    entry->op = entry->op_input = entry->builtin_code = TQ_NO_INDEX;
    entry->op_name = "";
    if (!c->has_uses)
        return;
    tqi_use use = uses->list[uses->first[c->tensor]];
    const tqi_graph *graph = &model->input->graph;
    const tqi_operator *op = &graph->subgraphs[c->subgraph].operators[use.op];
    const tqi_opcode *code = &graph->opcodes[op->opcode];
    const char *name = tqi_op_name(code->builtin);
    entry->op = (int32_t)use.op;
    entry->op_input = (int32_t)use.input;
    entry->builtin_code = code->builtin;
    entry->op_name = code->builtin == TQI_OP_CUSTOM ? code->custom : name ? name : "unknown";
}

static bool is_dynamic(const tqi_decision *decision) {
    return decision->action == TQI_ACTION_DYNAMIC || decision->action == TQI_ACTION_DYNAMIC_INT4;
}

static uint32_t scales_of(const tqi_encoder *e) {
    if (e && e->block)
        return (uint32_t)(e->elements / e->block);
    return e && e->scale ? (uint32_t)e->channels : 0;
}

/* Runtimes unpack what they compute with in float32; integers stay as they are. */
static uint64_t runtime_bytes(const tqi_graph *graph, const tqi_constant *c,
                              const tqi_decision *decision) {
    if (decision && is_dynamic(decision))
        return tqi_planned_bytes(graph, c, decision);
    return tqi_is_float(c) ? sizeof(float) * c->elements : c->bytes;
}

tq_status tq_get_report_entry(const tq_report *report, uint32_t index, tq_report_entry *entry) {
    if (!report || index >= report->model->plan.constants.count)
        return TQ_ERR_INVALID_ARGUMENT;
    const tq_model *model = report->model;
    const tqi_constant *c = &model->plan.constants.list[index];
    const tqi_decision *decision = &model->plan.decisions[index];
    const tqi_graph *graph = &model->input->graph;
    const tqi_tensor *tensor = &graph->subgraphs[c->subgraph].tensors[c->tensor];
    const tqi_encoder *e = model->result.encoders[index];
    tq_report_entry result = {
        .verdict = verdict_of(decision->action),
        .reason = decision->reason,
        .subgraph = c->subgraph,
        .tensor = c->tensor,
        .name = tensor->name,
        .shape = tensor->shape,
        .rank = tensor->rank,
        .from_type = c->stored_type,
        .to_type = e ? e->to_type : c->stored_type,
        .from_sparse = c->sparse,
        .to_sparse = c->sparse && !e,
        .scales = scales_of(e),
        .elements = c->elements,
        .bytes_before = c->bytes,
        .bytes_after = tqi_planned_bytes(graph, c, decision),
        .snr_db = snr_of(model, index),
        .output_snr_db =
            output_snr(model->refinement.errors ? model->refinement.errors[index] : (double)NAN),
        .runtime_bytes = runtime_bytes(graph, c, decision),
        .is_dynamic = is_dynamic(decision),
    };
    fill_use(model, c, &result);
    return tqi_fill_struct(entry, &result, sizeof result);
}

static bool is_metadata(const tqi_graph *graph, uint32_t buffer) {
    for (uint32_t i = 0; i < graph->n_metadata; i++)
        if (graph->metadata[i].buffer == buffer)
            return true;
    return false;
}

/* Data of all constants, each stored once. */
static uint64_t data_bytes(const tqi_graph *graph) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < graph->n_buffers; i++)
        if (!is_metadata(graph, i))
            total += graph->buffers[i].content.size;
    return total;
}

/* What a constant takes beside its data: scales, zero points, sparse indices. */
static uint64_t side_bytes(const tq_model *model, uint32_t index, bool after) {
    const tqi_constant *c = &model->plan.constants.list[index];
    const tqi_graph *graph = &model->input->graph;
    const tqi_encoder *e = model->result.encoders[index];
    if (after && e && e->block)
        return 0; /* scales of blocks are data */
    if (after && e)
        return tqi_planned_bytes(graph, c, &model->plan.decisions[index]) - e->producer.size;
    const tqi_tensor *storage = &graph->subgraphs[c->subgraph].tensors[c->storage];
    return c->bytes - tqi_tensor_content(graph, storage)->size;
}

/* What is summed up over the models of a bundle. */
typedef struct tally {
    tq_report_totals totals;
    double snr;
    uint32_t measured;
    double error, plain_error; /* of the worst model */
} tally;

static void count(const tq_model *model, tally *t) {
    tq_report_totals *totals = &t->totals;
    totals->changed |= model->result.changed;
    totals->layers += model->refinement.layers;
    totals->known_layers += model->refinement.known;
    if (!totals->refusal[0] && model->refinement.refusal)
        totals->refusal = model->refinement.refusal;
    if (isnan(t->error) || model->refinement.error > t->error) {
        t->error = model->refinement.error;
        t->plain_error = model->refinement.plain_error;
    }
    totals->constants += model->plan.constants.count;
    totals->constant_bytes_before += data_bytes(&model->input->graph);
    totals->constant_bytes_after += data_bytes(tqi_model_graph(model));
    for (uint32_t i = 0; i < model->plan.constants.count; i++) {
        totals->constant_bytes_before += side_bytes(model, i, false);
        totals->constant_bytes_after += side_bytes(model, i, true);
        const tqi_constant *c = &model->plan.constants.list[i];
        const tqi_decision *decision = &model->plan.decisions[i];
        totals->runtime_bytes_before += runtime_bytes(&model->input->graph, c, NULL);
        totals->runtime_bytes_after += runtime_bytes(&model->input->graph, c, decision);
        uint32_t verdict = verdict_of(decision->action);
        totals->quantized += verdict == TQ_VERDICT_QUANTIZED;
        totals->float16 += verdict == TQ_VERDICT_FLOAT16;
        totals->folded += verdict == TQ_VERDICT_FOLDED;
        double db = snr_of(model, i);
        if (isfinite(db)) {
            t->snr += db;
            t->measured++;
        }
    }
}

static void count_all(const tq_model *model, tally *t) {
    if (!tqi_is_bundle(model)) {
        count(model, t);
        return;
    }
    for (uint32_t i = 0; i < model->input->container.n_members; i++)
        if (model->members[i])
            count_all(model->members[i], t);
}

tq_status tq_get_report_totals(const tq_report *report, tq_report_totals *totals) {
    if (!report)
        return TQ_ERR_INVALID_ARGUMENT;
    const tq_model *model = report->model;
    tally t = {.totals = {.file_bytes_before = model->input->source.size,
                          .file_bytes_after =
                              model->input->outer ? tqi_size_within(model) : model->file_size,
                          .refusal = ""},
               .error = NAN,
               .plain_error = NAN};
    count_all(model, &t);
    t.totals.mean_snr_db = t.measured ? t.snr / t.measured : (double)NAN;
    t.totals.output_snr_db = output_snr(t.error);
    t.totals.plain_output_snr_db = output_snr(t.plain_error);
    return tqi_fill_struct(totals, &t.totals, sizeof t.totals);
}
