/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of the *_vector.h kernels in AVX-512; see vector_avx2.h. */
#include <immintrin.h>

#define LEVEL(name) name##_avx512

typedef __m512 vf;
typedef __m512i vi;
typedef __m512i vh;
typedef __m512i vb;

TQI_INLINE vf vf_all(float x) {
    return _mm512_set1_ps(x);
}

TQI_INLINE vf vf_load(const float *x) {
    return _mm512_loadu_ps(x);
}

TQI_INLINE void vf_store(float *y, vf x) {
    _mm512_storeu_ps(y, x);
}

TQI_INLINE vf vf_add(vf x, vf y) {
    return _mm512_add_ps(x, y);
}

TQI_INLINE vf vf_sub(vf x, vf y) {
    return _mm512_sub_ps(x, y);
}

TQI_INLINE vf vf_mul(vf x, vf y) {
    return _mm512_mul_ps(x, y);
}

TQI_INLINE vf vf_div(vf x, vf y) {
    return _mm512_div_ps(x, y);
}

TQI_INLINE vf vf_clip(vf x, vf low, vf high) {
    return _mm512_min_ps(high, _mm512_max_ps(low, x));
}

TQI_INLINE vi vf_round(vf x) {
    return _mm512_cvtps_epi32(x);
}

TQI_INLINE vf vf_from_int(vi x) {
    return _mm512_cvtepi32_ps(x);
}

TQI_INLINE vi vf_bits(vf x) {
    return _mm512_castps_si512(x);
}

TQI_INLINE vf vf_from_bits(vi x) {
    return _mm512_castsi512_ps(x);
}

TQI_INLINE vi vi_all(int32_t x) {
    return _mm512_set1_epi32(x);
}

TQI_INLINE vi vi_load(const void *x) {
    return _mm512_loadu_si512(x);
}

TQI_INLINE void vi_store(void *y, vi x) {
    _mm512_storeu_si512(y, x);
}

TQI_INLINE vi vi_add(vi x, vi y) {
    return _mm512_add_epi32(x, y);
}

TQI_INLINE vi vi_and(vi x, vi y) {
    return _mm512_and_si512(x, y);
}

TQI_INLINE vi vi_or(vi x, vi y) {
    return _mm512_or_si512(x, y);
}

TQI_INLINE vi vi_max(vi x, vi y) {
    return _mm512_max_epi32(x, y);
}

TQI_INLINE vi vi_max_unsigned(vi x, vi y) {
    return _mm512_max_epu32(x, y);
}

TQI_INLINE vi vi_min(vi x, vi y) {
    return _mm512_min_epi32(x, y);
}

TQI_INLINE vi vi_upper_half(vi x) {
    return _mm512_srli_epi32(x, 16);
}

TQI_INLINE vi vi_order(vi x) {
    const vi negative = _mm512_srai_epi32(x, 31);
    return _mm512_ternarylogic_epi32(x, negative, vi_all(0x7fffffff), 0x78); /* x ^ (y & z) */
}

TQI_INLINE vi vi_pick_above(vi x, vi limit, vi then, vi otherwise) {
    return _mm512_mask_mov_epi32(otherwise, _mm512_cmpgt_epi32_mask(x, limit), then);
}

TQI_INLINE int vi_any_above(vi x, vi limit) {
    return _mm512_cmpgt_epu32_mask(x, limit) != 0;
}

TQI_INLINE int32_t vi_largest(vi x) {
    return _mm512_reduce_max_epi32(x);
}

TQI_INLINE vh vh_all(int16_t x) {
    return _mm512_set1_epi16(x);
}

TQI_INLINE vh vh_load(const void *x) {
    return _mm512_loadu_si512(x);
}

TQI_INLINE void vh_store(int16_t *y, vh x) {
    _mm512_storeu_si512(y, x);
}

TQI_INLINE vh vh_and(vh x, vh y) {
    return _mm512_and_si512(x, y);
}

TQI_INLINE vh vh_max(vh x, vh y) {
    return _mm512_max_epi16(x, y);
}

TQI_INLINE vh vh_min(vh x, vh y) {
    return _mm512_min_epi16(x, y);
}

TQI_INLINE vh vh_order(vh x) {
    const vh negative = _mm512_srai_epi16(x, 15);
    return _mm512_ternarylogic_epi32(x, negative, vh_all(0x7fff), 0x78);
}

TQI_INLINE vf load_f16(const void *x) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)x));
}

TQI_INLINE vi widen_u16(const void *x) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)x));
}

TQI_INLINE vf load_bf16(const void *x) {
    return vf_from_bits(_mm512_slli_epi32(widen_u16(x), 16));
}

TQI_INLINE vf load_s8(const void *x) {
    return vf_from_int(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)x)));
}

TQI_INLINE vf load_s4(const void *x) {
    const __m128i pairs = _mm_loadl_epi64((const __m128i *)x);
    const __m128i nibbles = _mm_unpacklo_epi8(pairs, _mm_srli_epi16(pairs, 4));
    const __m128i eight = _mm_set1_epi8(8);
    const __m128i low = _mm_and_si128(nibbles, _mm_set1_epi8(15));
    return vf_from_int(_mm512_cvtepi8_epi32(_mm_sub_epi8(_mm_xor_si128(low, eight), eight)));
}

TQI_INLINE void store_f16(void *y, vf x) {
    _mm256_storeu_si256((__m256i *)y, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

TQI_INLINE void store_u16(void *y, vi x) {
    _mm256_storeu_si256((__m256i *)y, _mm512_cvtepi32_epi16(x));
}

TQI_INLINE void store_16_s8(void *y, vi x) {
    _mm_storeu_si128((__m128i *)y, _mm512_cvtepi32_epi8(x));
}

TQI_INLINE vb vb_pack(vi a, vi b, vi c, vi d) {
    /* Packing works in quarters: dword 4 i + j has dword i of the j-th. */
    const vi order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const vi words = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
    return _mm512_permutexvar_epi32(order, words);
}

TQI_INLINE void store_s8(void *y, vb x) {
    _mm512_storeu_si512(y, x);
}

TQI_INLINE void store_s4(void *y, vb x) {
    const vi nibbles = _mm512_and_si512(x, _mm512_set1_epi8(15));
    const vi pairs = _mm512_maddubs_epi16(nibbles, _mm512_set1_epi16(16 << 8 | 1));
    _mm256_storeu_si256((__m256i *)y, _mm512_cvtepi16_epi8(pairs));
}

TQI_INLINE void store_s2(void *y, vb x) {
    const vi quarters = _mm512_and_si512(x, _mm512_set1_epi8(3));
    const vi pairs = _mm512_maddubs_epi16(quarters, _mm512_set1_epi16(4 << 8 | 1));
    const vi fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(16 << 16 | 1));
    _mm_storeu_si128((__m128i *)y, _mm512_cvtepi32_epi8(fours));
}
