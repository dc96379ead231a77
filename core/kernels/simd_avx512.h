/* simd_avx512.h - simd.h for AVX-512 F, BW, DQ and VL. */
#ifndef TN_SIMD_AVX512_H
#define TN_SIMD_AVX512_H
#include <immintrin.h>

#define SIMD_REGISTERS 32
enum { SIMD_W = 16, SIMD_I8 = 64 };
typedef __m512 simd_f32;
typedef __mmask16 simd_mask;
typedef __m512i simd_i32;

SIMD_FN __mmask16 simd_first(size_t n) {
    return (__mmask16)((1u << n) - 1);
}
SIMD_FN simd_f32 simd_set(float x) {
    return _mm512_set1_ps(x);
}
SIMD_FN simd_f32 simd_load(const float *p) {
    return _mm512_loadu_ps(p);
}
SIMD_FN simd_f32 simd_load_n(const float *p, size_t n) {
    return _mm512_maskz_loadu_ps(simd_first(n), p);
}
SIMD_FN void simd_store(float *p, simd_f32 x) {
    _mm512_storeu_ps(p, x);
}
SIMD_FN void simd_store_n(float *p, simd_f32 x, size_t n) {
    _mm512_mask_storeu_ps(p, simd_first(n), x);
}
SIMD_FN simd_f32 simd_add(simd_f32 a, simd_f32 b) {
    return _mm512_add_ps(a, b);
}
SIMD_FN simd_f32 simd_sub(simd_f32 a, simd_f32 b) {
    return _mm512_sub_ps(a, b);
}
SIMD_FN simd_f32 simd_mul(simd_f32 a, simd_f32 b) {
    return _mm512_mul_ps(a, b);
}
SIMD_FN simd_f32 simd_div(simd_f32 a, simd_f32 b) {
    return _mm512_div_ps(a, b);
}
SIMD_FN simd_f32 simd_sqrt(simd_f32 a) {
    return _mm512_sqrt_ps(a);
}
SIMD_FN simd_f32 simd_fma(simd_f32 a, simd_f32 b, simd_f32 c) { /* a b + c */
    return _mm512_fmadd_ps(a, b, c);
}
SIMD_FN simd_f32 simd_min(simd_f32 a, simd_f32 b) {
    return _mm512_min_ps(a, b);
}
SIMD_FN simd_f32 simd_max(simd_f32 a, simd_f32 b) {
    return _mm512_max_ps(a, b);
}
SIMD_FN simd_f32 simd_abs(simd_f32 a) {
    return _mm512_abs_ps(a);
}
SIMD_FN simd_f32 simd_copysign(simd_f32 size, simd_f32 sign) {
    __m512 minus = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(minus, size), _mm512_and_ps(minus, sign));
}
SIMD_FN simd_f32 simd_round(simd_f32 a) { /* to the nearest whole number, ties to even */
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* x 2^n, rounded once; n whole, |n| <= 252 */
SIMD_FN simd_f32 simd_scale(simd_f32 x, simd_f32 n) {
    return _mm512_scalef_ps(x, n);
}
SIMD_FN simd_mask simd_less(simd_f32 a, simd_f32 b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
SIMD_FN simd_f32 simd_select(simd_mask m, simd_f32 yes, simd_f32 no) {
    return _mm512_mask_blend_ps(m, no, yes);
}
/* Lane i + lane i + 8, then 4, 2, 1. */
SIMD_FN float simd_sum(simd_f32 x) {
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}
SIMD_FN float simd_top(simd_f32 x) {
    return _mm512_reduce_max_ps(x);
}
SIMD_FN simd_f32 simd_widen_(__m256i half) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
SIMD_FN simd_f32 simd_load_bf16(const tn_bf16 *p) {
    return simd_widen_(_mm256_loadu_si256((const __m256i *)p));
}
SIMD_FN simd_f32 simd_load_bf16_n(const tn_bf16 *p, size_t n) {
    return simd_widen_(_mm256_maskz_loadu_epi16(simd_first(n), p));
}
SIMD_FN __m256i simd_narrow_(simd_f32 x) {
    __m512i bits = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    up = _mm512_mask_or_epi32(up, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(up, 16));
}
SIMD_FN void simd_store_bf16(tn_bf16 *p, simd_f32 x) {
    _mm256_storeu_si256((__m256i *)p, simd_narrow_(x));
}
SIMD_FN void simd_store_bf16_n(tn_bf16 *p, simd_f32 x, size_t n) {
    _mm256_mask_storeu_epi16(p, simd_first(n), simd_narrow_(x));
}
/* Sums of SIMD_I8 products of bytes, added to acc. */
SIMD_FN simd_i32 simd_zero_i32(void) {
    return _mm512_setzero_si512();
}
SIMD_FN simd_i32 simd_dot_i8(simd_i32 acc, const int8_t *x, const int8_t *y) {
    for (int half = 0; half < 64; half += 32) {
        __m512i a = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(x + half)));
        __m512i b = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(y + half)));
        acc = _mm512_add_epi32(acc, _mm512_madd_epi16(a, b));
    }
    return acc;
}
SIMD_FN int32_t simd_sum_i32(simd_i32 x) {
    return _mm512_reduce_add_epi32(x);
}

#endif
