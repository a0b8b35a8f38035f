/* SPDX-License-Identifier: Apache-2.0 */
/* All kernels of a level, from the vocabulary of its vector_*.h. */
#include "kernels/range_vector.h"

#include "kernels/quantize_vector.h"

#include "kernels/convert_vector.h"

void LEVEL(tqi_kernels_init)(tqi_kernels *k) {
    k->absmax_f32 = LEVEL(absmax_f32);
    k->absmax_f16 = LEVEL(absmax_f16);
    k->absmax_bf16 = LEVEL(absmax_bf16);
    k->minmax_f32 = LEVEL(minmax_f32);
    k->minmax_f16 = LEVEL(minmax_f16);
    k->absmax_columns_f32 = LEVEL(absmax_columns_f32);
    k->absmax_columns_f16 = LEVEL(absmax_columns_f16);
    k->minmax_columns_f32 = LEVEL(minmax_columns_f32);
    k->minmax_columns_f16 = LEVEL(minmax_columns_f16);

    k->quantize_f32_s8 = LEVEL(quantize_f32_s8);
    k->quantize_f16_s8 = LEVEL(quantize_f16_s8);
    k->quantize_bf16_s8 = LEVEL(quantize_bf16_s8);
    k->quantize_f32_s4 = LEVEL(quantize_f32_s4);
    k->quantize_f16_s4 = LEVEL(quantize_f16_s4);
    k->quantize_f32_s2 = LEVEL(quantize_f32_s2);
    k->quantize_f16_s2 = LEVEL(quantize_f16_s2);
    k->quantize_columns_f32_s8 = LEVEL(quantize_columns_f32_s8);
    k->quantize_columns_f16_s8 = LEVEL(quantize_columns_f16_s8);
    k->quantize_blocks_f32_s4 = LEVEL(quantize_blocks_f32_s4);
    k->quantize_blocks_f16_s4 = LEVEL(quantize_blocks_f16_s4);

    k->f32_to_f16 = LEVEL(f32_to_f16);
    k->f32_to_bf16 = LEVEL(f32_to_bf16);
    k->f16_to_f32 = LEVEL(f16_to_f32);
    k->bf16_to_f32 = LEVEL(bf16_to_f32);
    k->dequantize_s8_f32 = LEVEL(dequantize_s8_f32);
    k->dequantize_s4_f32 = LEVEL(dequantize_s4_f32);
}
