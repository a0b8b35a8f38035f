/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a graph as a flatbuffer without its weights, and the places in it that get
 * their values when it is known where the weights go. */
#ifndef TQI_TFLITE_HEAD_H
#define TQI_TFLITE_HEAD_H

#include "flatbuffer/emit.h"
#include "tflite/graph.h"

/* Scales that are filled in when they are known. */
typedef struct tqi_patch {
    uint32_t at; /* first scale */
    const tqi_quantization *quantization;
} tqi_patch;

/* What an operator has behind the flatbuffer. 0: it has no such thing. */
typedef struct tqi_operator_slots {
    uint32_t large_options; /* slot of large_custom_options_offset */
    uint32_t bytecode;      /* bytecode_offset in a DISPATCH_OP's options */
    uint32_t bytecode_size; /* bytes of that number */
    uint64_t bytecode_offset;
    tqi_content options; /* the large custom options */
} tqi_operator_slots;

typedef struct tqi_head {
    tqi_emitter emitter;
    const tqi_graph *graph;
    tqi_arena *arena;
    const bool *outside; /* by buffer: goes behind the flatbuffer */
    uint32_t *data_slot; /* by buffer: of its data; outside: of its offset */
    tqi_patch *patches;
    tqi_operator_slots *operators; /* only those that have something */
    uint32_t n_patches, n_operators;
    tq_error *error;
} tqi_head;

/* tqi_emit_finish() and tqi_emit_resolve() are left to the caller. Scratch lists live in `arena`.
 * End it by tqi_emit_end(&head->emitter), also on failure. */
tq_status tqi_head_make(tqi_head *head, const tqi_graph *graph, const bool *outside, tqi_heap *heap,
                        tqi_arena *arena, tq_error *error);

#endif
