/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of the *_vector.h kernels in NEON, little-endian, without FP16
 * arithmetic; see vector_avx2.h. */
#include <arm_neon.h>

#define LEVEL(name) name##_neon

typedef struct vf {
    float32x4_t a, b, c, d;
} vf;
typedef struct vi {
    int32x4_t a, b, c, d;
} vi;
typedef struct vh {
    int16x8_t a, b, c, d;
} vh;
typedef struct vb {
    uint8x16_t a, b, c, d;
} vb;

#define EACH1(type, f, x) ((type){f((x).a), f((x).b), f((x).c), f((x).d)})
#define EACH2(type, f, x, y)                                                                       \
    ((type){f((x).a, (y).a), f((x).b, (y).b), f((x).c, (y).c), f((x).d, (y).d)})

TQI_INLINE uint8x16_t bytes_at(const void *x, size_t offset) {
    return vld1q_u8((const uint8_t *)x + offset);
}

TQI_INLINE vf vf_all(float x) {
    return (vf){vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x)};
}

TQI_INLINE vi vi_load(const void *x) {
    return (vi){vreinterpretq_s32_u8(bytes_at(x, 0)), vreinterpretq_s32_u8(bytes_at(x, 16)),
                vreinterpretq_s32_u8(bytes_at(x, 32)), vreinterpretq_s32_u8(bytes_at(x, 48))};
}

TQI_INLINE void vi_store(void *y, vi x) {
    uint8_t *p = y;
    vst1q_u8(p, vreinterpretq_u8_s32(x.a));
    vst1q_u8(p + 16, vreinterpretq_u8_s32(x.b));
    vst1q_u8(p + 32, vreinterpretq_u8_s32(x.c));
    vst1q_u8(p + 48, vreinterpretq_u8_s32(x.d));
}

TQI_INLINE vi vf_bits(vf x) {
    return EACH1(vi, vreinterpretq_s32_f32, x);
}

TQI_INLINE vf vf_from_bits(vi x) {
    return EACH1(vf, vreinterpretq_f32_s32, x);
}

TQI_INLINE vf vf_load(const float *x) {
    return vf_from_bits(vi_load(x));
}

TQI_INLINE void vf_store(float *y, vf x) {
    vi_store(y, vf_bits(x));
}

TQI_INLINE vf vf_add(vf x, vf y) {
    return EACH2(vf, vaddq_f32, x, y);
}

TQI_INLINE vf vf_sub(vf x, vf y) {
    return EACH2(vf, vsubq_f32, x, y);
}

TQI_INLINE vf vf_mul(vf x, vf y) {
    return EACH2(vf, vmulq_f32, x, y);
}

TQI_INLINE vf vf_div(vf x, vf y) {
    return EACH2(vf, vdivq_f32, x, y);
}

TQI_INLINE vf vf_clip(vf x, vf low, vf high) {
    const vf above = EACH2(vf, vmaxq_f32, low, x);
    return EACH2(vf, vminq_f32, high, above);
}

TQI_INLINE vi vf_round(vf x) {
    return EACH1(vi, vcvtnq_s32_f32, x);
}

TQI_INLINE vf vf_from_int(vi x) {
    return EACH1(vf, vcvtq_f32_s32, x);
}

TQI_INLINE vi vi_all(int32_t x) {
    return (vi){vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x)};
}

TQI_INLINE vi vi_add(vi x, vi y) {
    return EACH2(vi, vaddq_s32, x, y);
}

TQI_INLINE vi vi_and(vi x, vi y) {
    return EACH2(vi, vandq_s32, x, y);
}

TQI_INLINE vi vi_or(vi x, vi y) {
    return EACH2(vi, vorrq_s32, x, y);
}

TQI_INLINE vi vi_max(vi x, vi y) {
    return EACH2(vi, vmaxq_s32, x, y);
}

TQI_INLINE int32x4_t max_unsigned_s32(int32x4_t x, int32x4_t y) {
    return vreinterpretq_s32_u32(vmaxq_u32(vreinterpretq_u32_s32(x), vreinterpretq_u32_s32(y)));
}

TQI_INLINE vi vi_max_unsigned(vi x, vi y) {
    return EACH2(vi, max_unsigned_s32, x, y);
}

TQI_INLINE vi vi_min(vi x, vi y) {
    return EACH2(vi, vminq_s32, x, y);
}

TQI_INLINE int32x4_t upper_half_s32(int32x4_t x) {
    return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(x), 16));
}

TQI_INLINE vi vi_upper_half(vi x) {
    return EACH1(vi, upper_half_s32, x);
}

TQI_INLINE int32x4_t order_s32(int32x4_t x) {
    return veorq_s32(x, vandq_s32(vshrq_n_s32(x, 31), vdupq_n_s32(0x7fffffff)));
}

TQI_INLINE vi vi_order(vi x) {
    return EACH1(vi, order_s32, x);
}

TQI_INLINE vi vi_pick_above(vi x, vi limit, vi then, vi otherwise) {
    return (vi){vbslq_s32(vcgtq_s32(x.a, limit.a), then.a, otherwise.a),
                vbslq_s32(vcgtq_s32(x.b, limit.b), then.b, otherwise.b),
                vbslq_s32(vcgtq_s32(x.c, limit.c), then.c, otherwise.c),
                vbslq_s32(vcgtq_s32(x.d, limit.d), then.d, otherwise.d)};
}

TQI_INLINE int32_t vi_largest(vi x) {
    return vmaxvq_s32(vmaxq_s32(vmaxq_s32(x.a, x.b), vmaxq_s32(x.c, x.d)));
}

TQI_INLINE int vi_any_above(vi x, vi limit) {
    const int32x4_t most = max_unsigned_s32(max_unsigned_s32(x.a, x.b), max_unsigned_s32(x.c, x.d));
    return vmaxvq_u32(vreinterpretq_u32_s32(most)) > (uint32_t)vgetq_lane_s32(limit.a, 0);
}

TQI_INLINE vh vh_all(int16_t x) {
    return (vh){vdupq_n_s16(x), vdupq_n_s16(x), vdupq_n_s16(x), vdupq_n_s16(x)};
}

TQI_INLINE vh vh_load(const void *x) {
    return (vh){vreinterpretq_s16_u8(bytes_at(x, 0)), vreinterpretq_s16_u8(bytes_at(x, 16)),
                vreinterpretq_s16_u8(bytes_at(x, 32)), vreinterpretq_s16_u8(bytes_at(x, 48))};
}

TQI_INLINE void vh_store(int16_t *y, vh x) {
    vst1q_s16(y, x.a);
    vst1q_s16(y + 8, x.b);
    vst1q_s16(y + 16, x.c);
    vst1q_s16(y + 24, x.d);
}

TQI_INLINE vh vh_and(vh x, vh y) {
    return EACH2(vh, vandq_s16, x, y);
}

TQI_INLINE vh vh_max(vh x, vh y) {
    return EACH2(vh, vmaxq_s16, x, y);
}

TQI_INLINE vh vh_min(vh x, vh y) {
    return EACH2(vh, vminq_s16, x, y);
}

TQI_INLINE int16x8_t order_s16(int16x8_t x) {
    return veorq_s16(x, vandq_s16(vshrq_n_s16(x, 15), vdupq_n_s16(0x7fff)));
}

TQI_INLINE vh vh_order(vh x) {
    return EACH1(vh, order_s16, x);
}

TQI_INLINE vf load_f16(const void *x) {
    const float16x8_t a = vreinterpretq_f16_u8(bytes_at(x, 0));
    const float16x8_t b = vreinterpretq_f16_u8(bytes_at(x, 16));
    return (vf){vcvt_f32_f16(vget_low_f16(a)), vcvt_high_f32_f16(a), vcvt_f32_f16(vget_low_f16(b)),
                vcvt_high_f32_f16(b)};
}

TQI_INLINE vf load_bf16(const void *x) {
    const uint16x8_t zero = vdupq_n_u16(0);
    const uint16x8_t a = vreinterpretq_u16_u8(bytes_at(x, 0));
    const uint16x8_t b = vreinterpretq_u16_u8(bytes_at(x, 16));
    return (vf){
        vreinterpretq_f32_u16(vzip1q_u16(zero, a)), vreinterpretq_f32_u16(vzip2q_u16(zero, a)),
        vreinterpretq_f32_u16(vzip1q_u16(zero, b)), vreinterpretq_f32_u16(vzip2q_u16(zero, b))};
}

TQI_INLINE vf from_bytes(int8x16_t x) {
    const int16x8_t low = vmovl_s8(vget_low_s8(x));
    const int16x8_t high = vmovl_high_s8(x);
    return vf_from_int((vi){vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low),
                            vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)});
}

TQI_INLINE vf load_s8(const void *x) {
    return from_bytes(vreinterpretq_s8_u8(bytes_at(x, 0)));
}

TQI_INLINE vf load_s4(const void *x) {
    const int8x8_t pairs = vld1_s8((const int8_t *)x);
    const int8x8_t low = vshr_n_s8(vshl_n_s8(pairs, 4), 4);
    const int8x8_t high = vshr_n_s8(pairs, 4);
    return from_bytes(vcombine_s8(vzip1_s8(low, high), vzip2_s8(low, high)));
}

TQI_INLINE void store_f16(void *y, vf x) {
    uint8_t *p = y;
    const float16x8_t a = vcvt_high_f16_f32(vcvt_f16_f32(x.a), x.b);
    const float16x8_t b = vcvt_high_f16_f32(vcvt_f16_f32(x.c), x.d);
    vst1q_u8(p, vreinterpretq_u8_f16(a));
    vst1q_u8(p + 16, vreinterpretq_u8_f16(b));
}

/* The lower halves, or bytes, of pairs of vectors. */
TQI_INLINE uint8x16_t lower_u16(int32x4_t x, int32x4_t y) {
    return vreinterpretq_u8_s16(vuzp1q_s16(vreinterpretq_s16_s32(x), vreinterpretq_s16_s32(y)));
}

TQI_INLINE uint8x16_t lower_u8(vi x) {
    return vuzp1q_u8(lower_u16(x.a, x.b), lower_u16(x.c, x.d));
}

TQI_INLINE void store_u16(void *y, vi x) {
    uint8_t *p = y;
    vst1q_u8(p, lower_u16(x.a, x.b));
    vst1q_u8(p + 16, lower_u16(x.c, x.d));
}

TQI_INLINE void store_16_s8(void *y, vi x) {
    vst1q_u8((uint8_t *)y, lower_u8(x));
}

TQI_INLINE vb vb_pack(vi a, vi b, vi c, vi d) {
    return (vb){lower_u8(a), lower_u8(b), lower_u8(c), lower_u8(d)};
}

TQI_INLINE void store_s8(void *y, vb x) {
    uint8_t *p = y;
    vst1q_u8(p, x.a);
    vst1q_u8(p + 16, x.b);
    vst1q_u8(p + 32, x.c);
    vst1q_u8(p + 48, x.d);
}

/* Bytes 2 i and 2 i + 1 to one, in its low and high bits. */
TQI_INLINE uint8x16_t merge_4(uint8x16_t x, uint8x16_t y) {
    return vsliq_n_u8(vuzp1q_u8(x, y), vuzp2q_u8(x, y), 4);
}

TQI_INLINE uint8x16_t merge_2(uint8x16_t x, uint8x16_t y) {
    return vsliq_n_u8(vuzp1q_u8(x, y), vuzp2q_u8(x, y), 2);
}

TQI_INLINE void store_s4(void *y, vb x) {
    uint8_t *p = y;
    vst1q_u8(p, merge_4(x.a, x.b));
    vst1q_u8(p + 16, merge_4(x.c, x.d));
}

TQI_INLINE void store_s2(void *y, vb x) {
    const uint8x16_t low = vdupq_n_u8(15);
    const uint8x16_t a = vandq_u8(merge_2(x.a, x.b), low);
    const uint8x16_t b = vandq_u8(merge_2(x.c, x.d), low);
    vst1q_u8((uint8_t *)y, merge_4(a, b));
}
