/* simd_neon.h - simd.h for Arm's Advanced SIMD (part of every 64-bit Arm processor). */
#ifndef TN_SIMD_NEON_H
#define TN_SIMD_NEON_H
#include <arm_neon.h>

#define SIMD_REGISTERS 32
enum { SIMD_W = 4, SIMD_I8 = 16 };
typedef float32x4_t simd_f32;
typedef uint32x4_t simd_mask;
typedef int32x4_t simd_i32;

SIMD_FN simd_f32 simd_set(float x) {
    return vdupq_n_f32(x);
}
SIMD_FN simd_f32 simd_load(const float *p) {
    return vld1q_f32(p);
}
SIMD_FN simd_f32 simd_load_n(const float *p, size_t n) {
    float whole[4] = {0};
    for (size_t i = 0; i < n; i++) whole[i] = p[i];
    return vld1q_f32(whole);
}
SIMD_FN void simd_store(float *p, simd_f32 x) {
    vst1q_f32(p, x);
}
SIMD_FN void simd_store_n(float *p, simd_f32 x, size_t n) {
    float whole[4];
    vst1q_f32(whole, x);
    for (size_t i = 0; i < n; i++) p[i] = whole[i];
}
SIMD_FN simd_f32 simd_add(simd_f32 a, simd_f32 b) {
    return vaddq_f32(a, b);
}
SIMD_FN simd_f32 simd_sub(simd_f32 a, simd_f32 b) {
    return vsubq_f32(a, b);
}
SIMD_FN simd_f32 simd_mul(simd_f32 a, simd_f32 b) {
    return vmulq_f32(a, b);
}
SIMD_FN simd_f32 simd_div(simd_f32 a, simd_f32 b) {
    return vdivq_f32(a, b);
}
SIMD_FN simd_f32 simd_sqrt(simd_f32 a) {
    return vsqrtq_f32(a);
}
SIMD_FN simd_f32 simd_fma(simd_f32 a, simd_f32 b, simd_f32 c) {
    return vfmaq_f32(c, a, b);
}
SIMD_FN simd_mask simd_less(simd_f32 a, simd_f32 b) {
    return vcltq_f32(a, b);
}
SIMD_FN simd_f32 simd_select(simd_mask m, simd_f32 yes, simd_f32 no) {
    return vbslq_f32(m, yes, no);
}
SIMD_FN simd_f32 simd_min(simd_f32 a, simd_f32 b) {
    return vbslq_f32(vcltq_f32(a, b), a, b);
}
SIMD_FN simd_f32 simd_max(simd_f32 a, simd_f32 b) {
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}
SIMD_FN simd_f32 simd_abs(simd_f32 a) {
    return vabsq_f32(a);
}
SIMD_FN simd_f32 simd_copysign(simd_f32 size, simd_f32 sign) {
    return vbslq_f32(vdupq_n_u32(0x80000000u), sign, size);
}
SIMD_FN simd_f32 simd_round(simd_f32 a) {
    return vrndnq_f32(a);
}
SIMD_FN simd_f32 simd_scale(simd_f32 x, simd_f32 n) {
    int32x4_t whole = vcvtq_s32_f32(n), half = vshrq_n_s32(whole, 1), bias = vdupq_n_s32(127);
    int32x4_t a = vshlq_n_s32(vaddq_s32(half, bias), 23);
    int32x4_t b = vshlq_n_s32(vaddq_s32(vsubq_s32(whole, half), bias), 23);
    return vmulq_f32(vmulq_f32(x, vreinterpretq_f32_s32(a)), vreinterpretq_f32_s32(b));
}
SIMD_FN float simd_sum(simd_f32 x) {
    float32x2_t half = vadd_f32(vget_low_f32(x), vget_high_f32(x));
    return vget_lane_f32(half, 0) + vget_lane_f32(half, 1);
}
SIMD_FN float simd_top(simd_f32 x) {
    return vmaxvq_f32(x);
}
SIMD_FN simd_f32 simd_load_bf16(const tn_bf16 *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
SIMD_FN simd_f32 simd_load_bf16_n(const tn_bf16 *p, size_t n) {
    tn_bf16 whole[4] = {0};
    for (size_t i = 0; i < n; i++) whole[i] = p[i];
    return simd_load_bf16(whole);
}
SIMD_FN void simd_store_bf16(tn_bf16 *p, simd_f32 x) {
    uint32x4_t bits = vreinterpretq_u32_f32(x);
    uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    uint32x4_t up = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
    vst1_u16(p, vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), up, quiet), 16));
}
SIMD_FN void simd_store_bf16_n(tn_bf16 *p, simd_f32 x, size_t n) {
    tn_bf16 whole[4];
    simd_store_bf16(whole, x);
    for (size_t i = 0; i < n; i++) p[i] = whole[i];
}
SIMD_FN simd_i32 simd_zero_i32(void) {
    return vdupq_n_s32(0);
}
SIMD_FN simd_i32 simd_dot_i8(simd_i32 acc, const int8_t *x, const int8_t *y) {
    int8x16_t a = vld1q_s8(x), b = vld1q_s8(y);
    acc = vpadalq_s16(acc, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    return vpadalq_s16(acc, vmull_s8(vget_high_s8(a), vget_high_s8(b)));
}
SIMD_FN int32_t simd_sum_i32(simd_i32 x) {
    return vaddvq_s32(x);
}

#endif
