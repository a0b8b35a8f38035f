/* SPDX-License-Identifier: Apache-2.0 */
/* Constants that rewrites look at and make. */
#ifndef TQI_REWRITE_VALUES_H
#define TQI_REWRITE_VALUES_H

#include "rewrite/rewriter.h"

/* Shapes, axes and what is computed from them are not longer. */
enum { TQI_MOST_INTEGERS = 64 };

typedef struct tqi_integers {
    bool known; /* else it is no constant of int32 or int64, or a long one */
    uint32_t count;
    int64_t at[TQI_MOST_INTEGERS];
} tqi_integers;

/* `tensor` may be -1: not known. */
tq_status tqi_read_integers(const tqi_rewriter *ctx, int32_t tensor, tqi_integers *integers,
                            tq_error *error);

/* The bytes of a constant, `size` of them, where the file has them or in the graph's arena. */
tq_status tqi_read_constant(const tqi_rewriter *ctx, int32_t tensor, uint64_t size,
                            const uint8_t **bytes, tq_error *error);

/* Zeroed memory for the contents of a new buffer. */
tq_status tqi_new_contents(tqi_rewriter *ctx, uint64_t size, uint8_t **memory, uint32_t *buffer,
                           tq_error *error);
/* The tensor becomes a constant. */
tq_status tqi_set_contents(tqi_rewriter *ctx, int32_t tensor, uint64_t size, uint8_t **memory,
                           tq_error *error);

/* A new int32 vector named `name` and `suffix`; *copy, if wanted, are its values. */
tq_status tqi_add_vector(tqi_rewriter *ctx, const char *name, const char *suffix,
                         const int32_t *values, uint32_t count, int32_t *tensor,
                         const int32_t **copy, tq_error *error);
/* "name" + "suffix"; "" for a tensor without a name. */
tq_status tqi_join_name(tqi_rewriter *ctx, const char *name, const char *suffix, const char **out,
                        tq_error *error);

/* A tensor of this shape with the same numbers as `tensor`: a RESHAPE of it, or the same bytes
 * under another shape if it is a constant. `op`: the operator that it stands for, and runs before.
 * Made for `name`. */
tq_status tqi_reshaped(tqi_rewriter *ctx, uint32_t op, int32_t tensor, const char *name,
                       const int32_t *shape, uint32_t rank, int32_t *reshaped, tq_error *error);

/* Member numbers of BuiltinOptions. */
enum {
    TQI_RESHAPE_OPTIONS = 17,
    TQI_MUL_OPTIONS = 21,
    TQI_TRANSPOSE_OPTIONS = 26,
    TQI_TILE_OPTIONS = 51
};

/* `builtin` as a new operator that makes `output` in place of operator `op`. */
tqi_new_operator tqi_in_place_of(const tqi_rewriter *ctx, uint32_t op, int32_t builtin,
                                 int32_t version, uint8_t options_type, const int32_t *inputs,
                                 uint32_t n_inputs, int32_t output);

/* Type, shape and quantization; so one can stand for the other. */
bool tqi_same_kind(const tqi_rewriter *ctx, int32_t a, int32_t b);
bool tqi_same_quantization(const tqi_rewriter *ctx, int32_t a, int32_t b);
/* One scale and zero point that are usual numbers. */
bool tqi_tensor_scale(const tqi_rewriter *ctx, int32_t tensor, float *scale);
/* It has no scale, or just one. */
bool tqi_simple_quantization(const tqi_rewriter *ctx, int32_t tensor);

#endif
