/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate/input_sets.h"

#include <inttypes.h>
#include <string.h>

#include "calibrate/input_range.h"
#include "calibrate/samples.h"
#include "execute/call.h"
#include "execute/constant_values.h"

/* ---- arrays that are given ---- */

static tq_status take_array(const tqi_input_sets *sets, uint64_t index, tqi_value *value,
                            tq_error *error) {
    const char *wrong = tqi_view_array(&sets->wanted.given[index], value);
    if (wrong)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "set %" PRIu64 ", input %" PRIu64 ": it %s",
                        index / sets->n_inputs, index % sets->n_inputs, wrong);
    return TQ_OK;
}

/* ---- ranges ---- */

static tqi_input_range same_range(double low, double high) {
    tqi_input_range range;
    for (int c = 0; c < TQI_RANGE_CHANNELS; c++) {
        range.low[c] = (float)low;
        range.high[c] = (float)high;
    }
    return range;
}

static tq_status find_ranges(tqi_input_sets *sets, const tqi_graph *graph, uint32_t subgraph,
                             tq_error *error) {
    bool both = false, chosen = sets->wanted.low != 0 || sets->wanted.high != 0;
    for (uint32_t i = 0; i < sets->n_inputs; i++) {
        const tqi_value *value = &sets->values[i];
        tqi_input_range *ranges = sets->ranges[i];
        bool known = chosen;
        ranges[0] = chosen ? same_range(sets->wanted.low, sets->wanted.high) : same_range(0, 1);
        if (value->type != TQI_TYPE_FLOAT32 || !tqi_is_picture(value->rank, value->shape))
            continue;
        if (!known)
            TQI_TRY(
                tqi_input_range_find(graph, subgraph, i, sets->heap, &ranges[0], &known, error));
        ranges[1] = known ? ranges[0] : same_range(-1, 1);
        both |= !known;
    }
    sets->n_ranges = both && sets->wanted.n_sets > 1 ? TQI_SET_RANGES : 1;
    return TQ_OK;
}

/* ---- all ---- */

/* Pictures of any size: with a single pixel most models can't do anything. */
static void choose_size(const tqi_tensor *tensor, tqi_value *value) {
    int32_t shape[TQI_MAX_RANK];
    tqi_close_dimensions(tensor, shape);
    if (tqi_is_picture(value->rank, shape))
        memcpy(value->shape, shape, value->rank * sizeof *shape);
}

/* What can't be given is no failure: the executor goes as far as it can without. */
static tq_status open_value(tqi_input_sets *sets, const tqi_exec *exec, const tqi_subgraph *s,
                            uint32_t input, tq_error *error) {
    tqi_value *value = &sets->values[input];
    tq_status status = tqi_exec_input(exec, input, value, error);
    if (status == TQ_ERR_UNSUPPORTED) {
        if (sets->refusal.status == TQ_OK)
            sets->refusal = *error;
        *error = (tq_error)TQ_ERROR_INIT;
        *value = (tqi_value){.data = NULL};
        return TQ_OK;
    }
    if (status != TQ_OK)
        return status;
    choose_size(&s->tensors[s->inputs[input]], value);
    return tqi_value_new(sets->heap, value->type, value->rank, value->shape, value, error);
}

tq_status tqi_input_sets_open(tqi_input_sets *sets, const tqi_exec *exec, const tqi_graph *graph,
                              uint32_t subgraph, const tqi_sets_wanted *wanted, tqi_heap *heap,
                              tqi_arena *arena, tq_error *error) {
    uint32_t n_inputs = graph->subgraphs[subgraph].n_inputs;
    *sets =
        (tqi_input_sets){.wanted = *wanted, .heap = heap, .n_ranges = 1, .refusal = TQ_ERROR_INIT};
    TQI_NEW(arena, &sets->values, n_inputs, error);
    TQI_NEW(arena, &sets->ranges, n_inputs, error);
    sets->n_inputs = n_inputs;
    if (wanted->given) {
        tqi_value value;
        for (uint64_t i = 0; i < (uint64_t)wanted->n_sets * n_inputs; i++)
            TQI_TRY(take_array(sets, i, &value, error));
        return TQ_OK;
    }
    for (uint32_t i = 0; i < n_inputs; i++)
        TQI_TRY(open_value(sets, exec, &graph->subgraphs[subgraph], i, error));
    return find_ranges(sets, graph, subgraph, error);
}

void tqi_input_sets_close(tqi_input_sets *sets) {
    for (uint32_t i = 0; i < sets->n_inputs && !sets->wanted.given; i++)
        tqi_value_free(sets->heap, &sets->values[i]);
}

tq_status tqi_input_sets_get(tqi_input_sets *sets, uint32_t set, tq_error *error) {
    enum { BOUND = 2, APART = 4096 };
    uint32_t range = tqi_input_sets_range(sets, set);
    for (uint32_t i = 0; i < sets->n_inputs; i++) {
        tqi_value *value = &sets->values[i];
        if (sets->wanted.given) {
            TQI_TRY(take_array(sets, (uint64_t)set * sets->n_inputs + i, value, error));
        } else if (value->data) {
            tqi_synthetic synthetic = {sets->wanted.seed, sets->ranges[i][range], BOUND};
            /* every other picture is of another kind, for each input */
            uint32_t number = set / sets->n_ranges + i * APART;
            TQI_TRY(tqi_synthetic_fill(&synthetic, number, value, sets->heap, error));
        }
    }
    return TQ_OK;
}
