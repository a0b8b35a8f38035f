/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/trials.h"

#include <math.h>
#include <string.h>

#include "execute/call.h"

#define RUINED 1e12 /* noise over signal where there is a NaN or an infinity */

/* Trials between two questions whether to go on. Of layers side by side, which take about as long.
 */
static uint32_t at_once(const tqi_trials *t) {
    enum { EACH = 4 };
    return EACH * t->n_workers;
}

tq_status tqi_trials_begin(tqi_trials *t, tqi_exec *exec, const tqi_graph *graph, uint32_t subgraph,
                           tqi_heap *heap, tq_error *error) {
    t->exec = exec;
    t->graph = graph;
    t->subgraph = subgraph;
    tqi_arena_init(&t->arena, heap);
    t->n_workers = t->runner && !t->observe && t->n_trials > 1 ? t->runner->workers : 1;
    for (uint32_t i = 0; i < t->n_trials; i++)
        t->results[i] = (tqi_trial){0, 0};
    TQI_NEW(&t->arena, &t->targets, graph->subgraphs[subgraph].n_tensors, error);
    TQI_NEW(&t->arena, &t->errors, at_once(t), error);
    TQI_NEW(&t->arena, &t->workers, t->n_workers, error);
    for (uint32_t i = 0; i < t->n_workers; i++)
        TQI_NEW(&t->arena, &t->workers[i].changes, t->most, error);
    return TQ_OK;
}

void tqi_trials_free(tqi_trials *t) {
    for (uint32_t i = 0; t->workers && i < t->n_workers; i++)
        tqi_exec_free(t->workers[i].exec);
    tqi_arena_free(&t->arena);
    t->workers = NULL;
}

/* ---- where it is measured ---- */

static bool is_measurable(const tqi_value *value) {
    return value->data && value->type == TQI_TYPE_FLOAT32 && value->elements > 0;
}

/* Of a SOFTMAX that is sure of itself nothing is to be seen: its input tells more. */
static int32_t before_softmax(const tqi_trials *t, int32_t tensor) {
    const tqi_subgraph *s = &t->graph->subgraphs[t->subgraph];
    for (uint32_t i = 0; i < s->n_operators; i++) {
        const tqi_operator *op = &s->operators[i];
        if (op->n_outputs == 1 && op->outputs[0] == tensor && op->n_inputs > 0 &&
            tqi_builtin(t->graph, op) == TQI_OP_SOFTMAX)
            return op->inputs[0];
    }
    return tensor;
}

static void add_target(tqi_trials *t, int32_t output) {
    int32_t tensor = before_softmax(t, output);
    if (tensor < 0 || !is_measurable(tqi_exec_value(t->exec, (uint32_t)tensor)))
        return;
    for (uint32_t i = 0; i < t->n_targets; i++)
        if (t->targets[i] == (uint32_t)tensor)
            return;
    t->targets[t->n_targets++] = (uint32_t)tensor;
}

/* Scores of one element may be near 0, where a ratio says nothing: they count where there is
 * nothing else. */
static void leave_scores_out(tqi_trials *t) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n_targets; i++)
        if (tqi_exec_value(t->exec, t->targets[i])->elements > 1)
            t->targets[n++] = t->targets[i];
    t->n_targets = n > 0 ? n : t->n_targets;
}

static tq_status find_targets(tqi_trials *t, tq_error *error) {
    const tqi_subgraph *s = &t->graph->subgraphs[t->subgraph];
    const uint8_t *states = tqi_exec_states(t->exec);
    for (uint32_t i = 0; i < s->n_outputs; i++)
        add_target(t, s->outputs[i]);
    for (uint32_t i = 0; i < s->n_operators; i++)
        if (states[i] == TQI_OP_REFUSED)
            for (uint32_t k = 0; k < s->operators[i].n_inputs; k++)
                add_target(t, s->operators[i].inputs[k]);
    leave_scores_out(t);
    for (uint32_t i = 0; i < t->n_targets; i++)
        TQI_TRY(tqi_exec_watch(t->exec, t->targets[i], error));
    TQI_NEW(&t->arena, &t->noise, (uint64_t)t->n_targets * t->n_trials, error);
    TQI_NEW(&t->arena, &t->signal, t->n_targets, error);
    return TQ_OK;
}

/* ---- measuring ---- */

/* Sums of fixed order; the compiler makes vectors of the lanes. */
static double sum_squares(const float *a, const float *b, uint64_t n) {
    enum { LANES = 8 };
    double lanes[LANES] = {0}, sum = 0;
    uint64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t l = 0; l < LANES; l++) {
            double d = (double)a[i + l] - (b ? (double)b[i + l] : 0);
            lanes[l] += d * d;
        }
    for (; i < n; i++) {
        double d = (double)a[i] - (b ? (double)b[i] : 0);
        sum += d * d;
    }
    for (uint32_t l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

static void measure(const tqi_trials *t, const tqi_exec *exec, double *noise) {
    for (uint32_t i = 0; i < t->n_targets; i++) {
        const tqi_value *was = tqi_exec_value(t->exec, t->targets[i]);
        const tqi_value *is = tqi_exec_varied(exec, t->targets[i]);
        if (!is || !is_measurable(was))
            continue;
        noise[i] += is->elements == was->elements
                        ? sum_squares(tqi_floats(was), tqi_floats(is), was->elements)
                        : (double)INFINITY;
    }
}

static void ruin(const tqi_trials *t, double *noise) {
    for (uint32_t i = 0; i < t->n_targets; i++)
        noise[i] = (double)INFINITY;
}

/* With other numbers an operator may be impossible that could be run: one that slices where they
 * say, for example. */
static tq_status try_changes(const tqi_trials *t, tqi_exec *exec, uint32_t worker, uint32_t trial,
                             tq_error *error) {
    double *noise = t->noise + (size_t)trial * t->n_targets;
    tqi_change *changes = t->workers[worker].changes;
    uint32_t n = 0;
    TQI_TRY(t->make(t->opaque, worker, trial, changes, &n, error));
    tq_status status = tqi_exec_vary(exec, changes, n, error);
    if (status == TQ_ERR_UNSUPPORTED) {
        *error = (tq_error)TQ_ERROR_INIT;
        ruin(t, noise);
        return TQ_OK;
    }
    TQI_TRY(status);
    measure(t, exec, noise);
    if (t->observe)
        t->observe(t->opaque, trial);
    return TQ_OK;
}

/* ---- several at once ---- */

typedef struct batch {
    const tqi_trials *t;
    uint32_t first;
} batch;

static void run_one(void *data, uint32_t index, uint32_t worker) {
    const batch *b = data;
    tqi_exec *exec = b->t->workers[worker].exec;
    tq_error *error = &b->t->errors[index];
    *error = (tq_error)TQ_ERROR_INIT;
    (void)try_changes(b->t, exec, worker, b->first + index, error);
    tqi_exec_drop_variation(exec);
}

static bool has_views(tqi_trials *t, tq_error *error) {
    if (t->n_workers == 1 || !tqi_exec_allows_views(t->exec))
        return false;
    for (uint32_t i = 0; i < t->n_workers; i++)
        if (!t->workers[i].exec &&
            tqi_exec_open_view(&t->workers[i].exec, t->exec, error) != TQ_OK) {
            *error = (tq_error)TQ_ERROR_INIT; /* for lack of memory, of which one takes less */
            return false;
        }
    return true;
}

static tq_status tell(const tqi_trials *t, tq_error *error) {
    uint64_t operators = 0;
    for (uint32_t i = 0; i < t->n_workers; i++) {
        tqi_trial_worker *w = &t->workers[i];
        uint64_t varied = tqi_exec_count_varied(w->exec);
        operators += varied - w->told;
        w->told = varied;
    }
    if (t->tell && !t->tell(t->opaque, operators))
        return tqi_fail(error, TQ_ERR_CANCELLED, "cancelled");
    return TQ_OK;
}

/* Where several have no room, each has it alone. */
static tq_status run_batch(const tqi_trials *t, uint32_t first, uint32_t n, tq_error *error) {
    batch b = {t, first};
    t->runner->run(t->runner->opaque, run_one, &b, n);
    TQI_TRY(tell(t, error));
    for (uint32_t i = 0; i < n; i++) {
        tq_status status = t->errors[i].status;
        if (status == TQ_ERR_OUT_OF_MEMORY || status == TQ_ERR_MEMORY_LIMIT)
            TQI_TRY(try_changes(t, t->exec, 0, first + i, error));
        else if (status != TQ_OK) {
            *error = t->errors[i];
            return status;
        }
    }
    return TQ_OK;
}

static tq_status run_trials(tqi_trials *t, tq_error *error) {
    for (uint32_t i = 0, n = 1; i < t->n_trials; i += n) {
        uint32_t left = t->n_trials - i;
        bool together = left > 1 && has_views(t, error);
        n = !together ? 1 : left < at_once(t) ? left : at_once(t);
        TQI_TRY(together ? run_batch(t, i, n, error) : try_changes(t, t->exec, 0, i, error));
    }
    return TQ_OK;
}

tq_status tqi_trials_run(tqi_trials *t, const tqi_sample *sample, tq_error *error) {
    TQI_TRY(tqi_exec_run(t->exec, sample->values, sample->n, NULL, NULL, error));
    if (!t->signal)
        TQI_TRY(find_targets(t, error));
    for (uint32_t i = 0; i < t->n_targets; i++) {
        const tqi_value *value = tqi_exec_value(t->exec, t->targets[i]);
        if (is_measurable(value))
            t->signal[i] += sum_squares(tqi_floats(value), NULL, value->elements);
    }
    return run_trials(t, error);
}

/* Outputs that are 0, or no numbers, say nothing. */
static double ratio_of(double noise, double signal) {
    if (noise == 0 || !(signal > 0) || !isfinite(signal))
        return 0;
    double ratio = noise / signal;
    return ratio < RUINED ? ratio : RUINED;
}

void tqi_trials_end_set(tqi_trials *t) {
    if (!t->signal)
        return;
    for (uint32_t i = 0; i < t->n_trials; i++) {
        double sum = 0, worst = 0;
        for (uint32_t k = 0; k < t->n_targets; k++) {
            double ratio = ratio_of(t->noise[(size_t)i * t->n_targets + k], t->signal[k]);
            sum += ratio;
            worst = ratio > worst ? ratio : worst;
        }
        t->results[i].sum += sum;
        t->results[i].worst += worst;
    }
    memset(t->signal, 0, t->n_targets * sizeof *t->signal);
    memset(t->noise, 0, (size_t)t->n_targets * t->n_trials * sizeof *t->noise);
    t->sets++;
}

void tqi_trials_finish(tqi_trials *t) {
    bool measured = t->sets > 0 && t->n_targets > 0;
    for (uint32_t i = 0; i < t->n_trials; i++) {
        t->results[i].sum = measured ? t->results[i].sum / t->sets : (double)NAN;
        t->results[i].worst = measured ? t->results[i].worst / t->sets : (double)NAN;
    }
}
