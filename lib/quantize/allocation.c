/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize/allocation.h"

#include <math.h>
#include <stdlib.h>

/* Sums of as many as there are stay within an int64. */
static const uint64_t most_bytes = UINT64_C(1) << 48;
static const size_t most_items = (size_t)1 << 14;

/* ---- hulls ---- */

/* From a corner of an item's hull to the next: more bytes, less error. */
typedef struct step {
    double slope; /* error by byte */
    uint64_t bytes;
    size_t item, from, to;
} step;

typedef struct search {
    const tqi_allocation *task;
    size_t *choices;
    step *steps;
    size_t n_steps;
    size_t *corners; /* of one item */
    bool *stopped;   /* by item: a step did not fit, so those after it can't be taken */
    uint64_t bytes;
    double error;
    bool for_error; /* the limit is one of errors */
    uint64_t byte_limit;
    double error_limit;
} search;

static const tqi_option *option_of(const search *s, size_t item, size_t option) {
    return &s->task->options[item * s->task->per_item + option];
}

static const tqi_option *chosen(const search *s, size_t item) {
    return option_of(s, item, s->choices[item]);
}

static double slope(const tqi_option *from, const tqi_option *to) {
    return (from->error - to->error) / (double)(to->bytes - from->bytes);
}

static int by_slope(const void *a, const void *b) {
    const step *x = a, *y = b;
    if (x->slope != y->slope)
        return x->slope > y->slope ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item; /* slopes of one item differ */
}

/* The smallest that is larger and more exact than `below`, and of these the most exact. */
static bool next_option(const search *s, size_t item, const tqi_option *below, size_t *found) {
    const tqi_option *best = NULL;
    for (size_t i = 0; i < s->task->per_item; i++) {
        const tqi_option *o = option_of(s, item, i);
        if (!o->allowed || (below && (o->bytes <= below->bytes || o->error >= below->error)))
            continue;
        if (!best || o->bytes < best->bytes ||
            (o->bytes == best->bytes && o->error < best->error)) {
            best = o;
            *found = i;
        }
    }
    return best != NULL;
}

/* Andrew's monotone chain, over the options that no other beats in both. */
static bool add_hull(search *s, size_t item) {
    size_t n = 0, found = 0;
    const tqi_option *last = NULL;
    while (next_option(s, item, last, &found)) {
        last = option_of(s, item, found);
        while (n >= 2 && slope(option_of(s, item, s->corners[n - 2]),
                               option_of(s, item, s->corners[n - 1])) <=
                             slope(option_of(s, item, s->corners[n - 1]), last))
            n--;
        s->corners[n++] = found;
    }
    if (n == 0)
        return false;
    s->choices[item] = s->corners[s->for_error ? n - 1 : 0];
    for (size_t i = 1; i < n; i++) {
        const tqi_option *from = option_of(s, item, s->corners[i - 1]);
        const tqi_option *to = option_of(s, item, s->corners[i]);
        s->steps[s->n_steps++] = (step){slope(from, to), to->bytes - from->bytes, item,
                                        s->corners[i - 1], s->corners[i]};
    }
    return true;
}

/* Anew, item by item, so that it does not depend on how the choices came about. */
static void count(search *s) {
    s->bytes = 0;
    s->error = 0;
    for (size_t i = 0; i < s->task->items; i++) {
        s->bytes += chosen(s, i)->bytes;
        s->error += chosen(s, i)->error;
    }
}

static bool within_limit(const search *s) {
    return s->for_error ? s->error <= s->error_limit : s->bytes <= s->byte_limit;
}

/* Takes the step if it is next on its item's hull and within the limit. */
static void try_step(search *s, size_t item, size_t option) {
    size_t before = s->choices[item];
    if (s->stopped[item])
        return;
    s->choices[item] = option;
    count(s);
    if (within_limit(s))
        return;
    s->choices[item] = before;
    s->stopped[item] = true;
    count(s);
}

/* From the smallest, the steps that do most for a byte first; or from the most exact, the steps
 * back first that do least. */
static void take_steps(search *s) {
    for (size_t i = 0; i < s->n_steps; i++) {
        const step *up = &s->steps[i], *down = &s->steps[s->n_steps - 1 - i];
        if (s->for_error)
            try_step(s, down->item, down->from);
        else
            try_step(s, up->item, up->to);
    }
}

/* ---- changes ---- */

/* Of one item or two; what it adds. */
typedef struct change {
    size_t item[2], option[2];
    int n;
    int64_t bytes;
    double error;
} change;

static change with(const search *s, change to, size_t item, size_t option) {
    const tqi_option *now = chosen(s, item), *then = option_of(s, item, option);
    to.item[to.n] = item;
    to.option[to.n++] = option;
    to.bytes += (int64_t)then->bytes - (int64_t)now->bytes;
    to.error += then->error - now->error;
    return to;
}

/* Better than `best` (which may be none), and within the limit with room for rounding errors. */
static bool improves(const search *s, const change *to, const change *best) {
    if (s->for_error)
        return to->bytes < best->bytes && s->error + to->error <= s->error_limit * (1 - 1e-11);
    return to->error < best->error && to->error < -1e-11 * s->error &&
           (int64_t)s->bytes + to->bytes <= (int64_t)s->byte_limit;
}

static void find_second(const search *s, change first, change *best) {
    for (size_t item = first.item[0] + 1; item < s->task->items; item++)
        for (size_t o = 0; o < s->task->per_item; o++) {
            if (o == s->choices[item] || !option_of(s, item, o)->allowed)
                continue;
            change two = with(s, first, item, o);
            if (improves(s, &two, best))
                *best = two;
        }
}

/* The best change of at most `items` items; none: best.n is 0. */
static change find_change(const search *s, int items) {
    change best = {.n = 0};
    for (size_t item = 0; item < s->task->items; item++)
        for (size_t o = 0; o < s->task->per_item; o++) {
            if (o == s->choices[item] || !option_of(s, item, o)->allowed)
                continue;
            change one = with(s, (change){.n = 0}, item, o);
            if (items == 1 && improves(s, &one, &best))
                best = one;
            if (items == 2)
                find_second(s, one, &best);
        }
    return best;
}

static void improve(search *s) {
    /* pairs are looked for n^2 times, so not among very many, nor for ever */
    size_t size = s->task->items * s->task->per_item;
    for (int pairs = size <= 2048 ? 64 : 0;;) {
        change best = find_change(s, 1);
        if (best.n == 0 && pairs-- > 0)
            best = find_change(s, 2);
        if (best.n == 0)
            return;
        for (int i = 0; i < best.n; i++)
            s->choices[best.item[i]] = best.option[i];
        count(s);
    }
}

/* ---- all ---- */

static tq_status check_options(const tqi_allocation *task, tq_error *error) {
    if (task->items > most_items || task->per_item > most_items)
        return tqi_fail(error, TQ_ERR_TOO_LARGE, "%zu constants are too many", task->items);
    for (size_t i = 0; i < task->items * task->per_item; i++) {
        const tqi_option *o = &task->options[i];
        if (o->allowed && (!isfinite(o->error) || o->error < 0))
            return tqi_fail(error, TQ_ERR_UNSUPPORTED, "the error of option %zu is none", i);
        if (o->allowed && o->bytes > most_bytes)
            return tqi_fail(error, TQ_ERR_TOO_LARGE, "option %zu is too large", i);
    }
    return TQ_OK;
}

static tq_status run(search *s, tqi_arena *arena, tq_error *error) {
    uint64_t items = s->task->items, per_item = s->task->per_item;
    TQI_NEW(arena, &s->steps, items * per_item, error);
    TQI_NEW(arena, &s->corners, per_item, error);
    TQI_NEW(arena, &s->stopped, items, error);
    for (size_t i = 0; i < items; i++)
        if (!add_hull(s, i))
            return tqi_fail(error, TQ_ERR_INTERNAL, "no encoding of constant %zu is allowed", i);
    qsort(s->steps, s->n_steps, sizeof *s->steps, by_slope);
    count(s);
    if (within_limit(s)) {
        take_steps(s);
        improve(s);
    }
    return TQ_OK;
}

static tq_status allocate(search *s, tqi_allocated *result, tqi_heap *heap, tq_error *error) {
    TQI_TRY(check_options(s->task, error));
    tqi_arena arena;
    tqi_arena_init(&arena, heap);
    tq_status status = run(s, &arena, error);
    tqi_arena_free(&arena);
    if (status == TQ_OK)
        *result = (tqi_allocated){s->bytes, s->error, within_limit(s)};
    return status;
}

tq_status tqi_allocate_bytes(const tqi_allocation *task, uint64_t most, size_t *choices,
                             tqi_allocated *result, tqi_heap *heap, tq_error *error) {
    search s = {.task = task, .choices = choices};
    s.byte_limit = most < INT64_MAX ? most : INT64_MAX;
    return allocate(&s, result, heap, error);
}

tq_status tqi_allocate_error(const tqi_allocation *task, double most, size_t *choices,
                             tqi_allocated *result, tqi_heap *heap, tq_error *error) {
    if (!(most >= 0))
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "the error to reach is none");
    search s = {.task = task, .choices = choices, .for_error = true, .error_limit = most};
    return allocate(&s, result, heap, error);
}
