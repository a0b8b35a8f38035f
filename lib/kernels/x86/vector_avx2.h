/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vocabulary of the *_vector.h kernels in AVX2 and F16C. Included once, by
 * one file, which it gives
 *   vf, vi   16 float32, 16 int32
 *   vh       32 int16
 *   vb       64 int8
 * and what can be done with them. Loads and stores are of any alignment.
 * vi_any_above compares unsigned with a limit below 2^31, the same in all. vf_clip lets NaN pass;
 * vf_round of a NaN is any integer. vi_order and vh_order turn float bits into integers that order
 * as the numbers do, and back.
 */
#include <immintrin.h>

#define LEVEL(name) name##_avx2

typedef struct vf {
    __m256 a, b;
} vf;
typedef struct vi {
    __m256i a, b;
} vi;
typedef vi vh;
typedef vi vb;

#define EACH1(type, f, x) ((type){f((x).a), f((x).b)})
#define EACH2(type, f, x, y) ((type){f((x).a, (y).a), f((x).b, (y).b)})

TQI_INLINE vf vf_all(float x) {
    return (vf){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

TQI_INLINE vf vf_load(const float *x) {
    return (vf){_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)};
}

TQI_INLINE void vf_store(float *y, vf x) {
    _mm256_storeu_ps(y, x.a);
    _mm256_storeu_ps(y + 8, x.b);
}

TQI_INLINE vf vf_add(vf x, vf y) {
    return EACH2(vf, _mm256_add_ps, x, y);
}

TQI_INLINE vf vf_sub(vf x, vf y) {
    return EACH2(vf, _mm256_sub_ps, x, y);
}

TQI_INLINE vf vf_mul(vf x, vf y) {
    return EACH2(vf, _mm256_mul_ps, x, y);
}

TQI_INLINE vf vf_div(vf x, vf y) {
    return EACH2(vf, _mm256_div_ps, x, y);
}

TQI_INLINE vf vf_clip(vf x, vf low, vf high) {
    const vf above = EACH2(vf, _mm256_max_ps, low, x);
    return EACH2(vf, _mm256_min_ps, high, above);
}

TQI_INLINE vi vf_round(vf x) {
    return EACH1(vi, _mm256_cvtps_epi32, x);
}

TQI_INLINE vf vf_from_int(vi x) {
    return EACH1(vf, _mm256_cvtepi32_ps, x);
}

TQI_INLINE vi vf_bits(vf x) {
    return EACH1(vi, _mm256_castps_si256, x);
}

TQI_INLINE vf vf_from_bits(vi x) {
    return EACH1(vf, _mm256_castsi256_ps, x);
}

TQI_INLINE vi vi_all(int32_t x) {
    return (vi){_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}

TQI_INLINE vi vi_load(const void *x) {
    const __m256i *p = x;
    return (vi){_mm256_loadu_si256(p), _mm256_loadu_si256(p + 1)};
}

TQI_INLINE void vi_store(void *y, vi x) {
    __m256i *p = y;
    _mm256_storeu_si256(p, x.a);
    _mm256_storeu_si256(p + 1, x.b);
}

TQI_INLINE vi vi_add(vi x, vi y) {
    return EACH2(vi, _mm256_add_epi32, x, y);
}

TQI_INLINE vi vi_and(vi x, vi y) {
    return EACH2(vi, _mm256_and_si256, x, y);
}

TQI_INLINE vi vi_or(vi x, vi y) {
    return EACH2(vi, _mm256_or_si256, x, y);
}

TQI_INLINE vi vi_max(vi x, vi y) {
    return EACH2(vi, _mm256_max_epi32, x, y);
}

TQI_INLINE vi vi_max_unsigned(vi x, vi y) {
    return EACH2(vi, _mm256_max_epu32, x, y);
}

TQI_INLINE vi vi_min(vi x, vi y) {
    return EACH2(vi, _mm256_min_epi32, x, y);
}

TQI_INLINE vi vi_upper_half(vi x) {
    return (vi){_mm256_srli_epi32(x.a, 16), _mm256_srli_epi32(x.b, 16)};
}

TQI_INLINE __m256i order_epi32(__m256i x) {
    return _mm256_xor_si256(x, _mm256_srli_epi32(_mm256_srai_epi32(x, 31), 1));
}

TQI_INLINE vi vi_order(vi x) {
    return EACH1(vi, order_epi32, x);
}

TQI_INLINE vi vi_pick_above(vi x, vi limit, vi then, vi otherwise) {
    const vi above = EACH2(vi, _mm256_cmpgt_epi32, x, limit);
    return (vi){_mm256_blendv_epi8(otherwise.a, then.a, above.a),
                _mm256_blendv_epi8(otherwise.b, then.b, above.b)};
}

TQI_INLINE int vi_any_above(vi x, vi limit) {
    const __m256i most = _mm256_max_epu32(x.a, x.b);
    /* With its upper bit set it is above in any case. */
    const __m256i above = _mm256_or_si256(_mm256_cmpgt_epi32(most, limit.a), most);
    return _mm256_movemask_ps(_mm256_castsi256_ps(above)) != 0;
}

TQI_INLINE int32_t vi_largest(vi x) {
    const __m256i eight = _mm256_max_epi32(x.a, x.b);
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    return _mm_cvtsi128_si32(four);
}

TQI_INLINE vh vh_all(int16_t x) {
    return (vh){_mm256_set1_epi16(x), _mm256_set1_epi16(x)};
}

TQI_INLINE vh vh_load(const void *x) {
    return vi_load(x);
}

TQI_INLINE void vh_store(int16_t *y, vh x) {
    vi_store(y, x);
}

TQI_INLINE vh vh_and(vh x, vh y) {
    return vi_and(x, y);
}

TQI_INLINE vh vh_max(vh x, vh y) {
    return EACH2(vh, _mm256_max_epi16, x, y);
}

TQI_INLINE vh vh_min(vh x, vh y) {
    return EACH2(vh, _mm256_min_epi16, x, y);
}

TQI_INLINE __m256i order_epi16(__m256i x) {
    return _mm256_xor_si256(x, _mm256_srli_epi16(_mm256_srai_epi16(x, 15), 1));
}

TQI_INLINE vh vh_order(vh x) {
    return EACH1(vh, order_epi16, x);
}

TQI_INLINE vf load_f16(const void *x) {
    const __m128i *p = x;
    return (vf){_mm256_cvtph_ps(_mm_loadu_si128(p)), _mm256_cvtph_ps(_mm_loadu_si128(p + 1))};
}

TQI_INLINE vi widen_u16(const void *x) {
    const __m128i *p = x;
    return (vi){_mm256_cvtepu16_epi32(_mm_loadu_si128(p)),
                _mm256_cvtepu16_epi32(_mm_loadu_si128(p + 1))};
}

TQI_INLINE vf load_bf16(const void *x) {
    const vi half = widen_u16(x);
    return vf_from_bits((vi){_mm256_slli_epi32(half.a, 16), _mm256_slli_epi32(half.b, 16)});
}

TQI_INLINE vf from_bytes(__m128i x) {
    return vf_from_int((vi){_mm256_cvtepi8_epi32(x), _mm256_cvtepi8_epi32(_mm_srli_si128(x, 8))});
}

TQI_INLINE vf load_s8(const void *x) {
    return from_bytes(_mm_loadu_si128((const __m128i *)x));
}

TQI_INLINE vf load_s4(const void *x) {
    const __m128i pairs = _mm_loadl_epi64((const __m128i *)x);
    const __m128i nibbles = _mm_unpacklo_epi8(pairs, _mm_srli_epi16(pairs, 4));
    const __m128i eight = _mm_set1_epi8(8);
    const __m128i low = _mm_and_si128(nibbles, _mm_set1_epi8(15));
    return from_bytes(_mm_sub_epi8(_mm_xor_si128(low, eight), eight));
}

TQI_INLINE void store_f16(void *y, vf x) {
    __m128i *p = y;
    _mm_storeu_si128(p, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(p + 1, _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}

/* Of values from 0 to 0xffff. */
TQI_INLINE void store_u16(void *y, vi x) {
    const __m256i words = _mm256_packus_epi32(x.a, x.b);
    _mm256_storeu_si256((__m256i *)y, _mm256_permute4x64_epi64(words, 0xd8));
}

TQI_INLINE void store_16_s8(void *y, vi x) {
    const __m256i words = _mm256_packs_epi32(x.a, x.b);
    const __m256i bytes = _mm256_packs_epi16(words, words);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5);
    _mm_storeu_si128((__m128i *)y,
                     _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(bytes, order)));
}

TQI_INLINE __m256i pack_32(vi x, vi y) {
    /* Packing works in halves: dword 4 i + j has dword i of the j-th. */
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i words = _mm256_packs_epi32(x.a, x.b);
    const __m256i bytes = _mm256_packs_epi16(words, _mm256_packs_epi32(y.a, y.b));
    return _mm256_permutevar8x32_epi32(bytes, order);
}

TQI_INLINE vb vb_pack(vi a, vi b, vi c, vi d) {
    return (vb){pack_32(a, b), pack_32(c, d)};
}

TQI_INLINE void store_s8(void *y, vb x) {
    vi_store(y, x);
}

TQI_INLINE void store_s4(void *y, vb x) {
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i weights = _mm256_set1_epi16(16 << 8 | 1);
    const __m256i a = _mm256_maddubs_epi16(_mm256_and_si256(x.a, low), weights);
    const __m256i b = _mm256_maddubs_epi16(_mm256_and_si256(x.b, low), weights);
    const __m256i pairs = _mm256_packus_epi16(a, b);
    _mm256_storeu_si256((__m256i *)y, _mm256_permute4x64_epi64(pairs, 0xd8));
}

TQI_INLINE void store_s2(void *y, vb x) {
    const __m256i low = _mm256_set1_epi8(3);
    const __m256i weights = _mm256_set1_epi16(4 << 8 | 1);
    const __m256i a = _mm256_maddubs_epi16(_mm256_and_si256(x.a, low), weights);
    const __m256i b = _mm256_maddubs_epi16(_mm256_and_si256(x.b, low), weights);
    const __m256i pairs = _mm256_set1_epi32(16 << 16 | 1);
    const __m256i words =
        _mm256_packs_epi32(_mm256_madd_epi16(a, pairs), _mm256_madd_epi16(b, pairs));
    const __m256i fours = _mm256_packus_epi16(words, words);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5);
    _mm_storeu_si128((__m128i *)y,
                     _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(fours, order)));
}
