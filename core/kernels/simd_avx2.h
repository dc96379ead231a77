/* simd_avx2.h - simd.h for AVX2 with FMA. */
#ifndef TN_SIMD_AVX2_H
#define TN_SIMD_AVX2_H
#include <immintrin.h>

#define SIMD_REGISTERS 16
enum { SIMD_W = 8, SIMD_I8 = 32 };
typedef __m256 simd_f32;
typedef __m256 simd_mask;
typedef __m256i simd_i32;

SIMD_FN __m256i simd_first(size_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
SIMD_FN simd_f32 simd_set(float x) {
    return _mm256_set1_ps(x);
}
SIMD_FN simd_f32 simd_load(const float *p) {
    return _mm256_loadu_ps(p);
}
SIMD_FN simd_f32 simd_load_n(const float *p, size_t n) {
    return _mm256_maskload_ps(p, simd_first(n));
}
SIMD_FN void simd_store(float *p, simd_f32 x) {
    _mm256_storeu_ps(p, x);
}
SIMD_FN void simd_store_n(float *p, simd_f32 x, size_t n) {
    _mm256_maskstore_ps(p, simd_first(n), x);
}
SIMD_FN simd_f32 simd_add(simd_f32 a, simd_f32 b) {
    return _mm256_add_ps(a, b);
}
SIMD_FN simd_f32 simd_sub(simd_f32 a, simd_f32 b) {
    return _mm256_sub_ps(a, b);
}
SIMD_FN simd_f32 simd_mul(simd_f32 a, simd_f32 b) {
    return _mm256_mul_ps(a, b);
}
SIMD_FN simd_f32 simd_div(simd_f32 a, simd_f32 b) {
    return _mm256_div_ps(a, b);
}
SIMD_FN simd_f32 simd_sqrt(simd_f32 a) {
    return _mm256_sqrt_ps(a);
}
SIMD_FN simd_f32 simd_fma(simd_f32 a, simd_f32 b, simd_f32 c) {
    return _mm256_fmadd_ps(a, b, c);
}
SIMD_FN simd_f32 simd_min(simd_f32 a, simd_f32 b) {
    return _mm256_min_ps(a, b);
}
SIMD_FN simd_f32 simd_max(simd_f32 a, simd_f32 b) {
    return _mm256_max_ps(a, b);
}
SIMD_FN simd_f32 simd_abs(simd_f32 a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
SIMD_FN simd_f32 simd_copysign(simd_f32 size, simd_f32 sign) {
    __m256 minus = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(minus, size), _mm256_and_ps(minus, sign));
}
SIMD_FN simd_f32 simd_round(simd_f32 a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* In two steps, since 2^n alone may not be a normal number; the first is exact for x near 1. */
SIMD_FN simd_f32 simd_scale(simd_f32 x, simd_f32 n) {
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    __m256i bias = _mm256_set1_epi32(127), rest = _mm256_sub_epi32(whole, half);
    __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i b = _mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23);
    return _mm256_mul_ps(_mm256_mul_ps(x, _mm256_castsi256_ps(a)), _mm256_castsi256_ps(b));
}
SIMD_FN simd_mask simd_less(simd_f32 a, simd_f32 b) {
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}
SIMD_FN simd_f32 simd_select(simd_mask m, simd_f32 yes, simd_f32 no) {
    return _mm256_blendv_ps(no, yes, m);
}
SIMD_FN float simd_sum(simd_f32 x) {
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}
SIMD_FN float simd_top(simd_f32 x) {
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}
SIMD_FN simd_f32 simd_load_bf16(const tn_bf16 *p) {
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
SIMD_FN simd_f32 simd_load_bf16_n(const tn_bf16 *p, size_t n) {
    tn_bf16 whole[8] = {0};
    for (size_t i = 0; i < n; i++) whole[i] = p[i];
    return simd_load_bf16(whole);
}
SIMD_FN void simd_store_bf16(tn_bf16 *p, simd_f32 x) {
    __m256i bits = _mm256_castps_si256(x);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    up = _mm256_srli_epi32(_mm256_blendv_epi8(up, quiet, nan), 16);
    __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(up), _mm256_extracti128_si256(up, 1));
    _mm_storeu_si128((__m128i *)p, packed);
}
SIMD_FN void simd_store_bf16_n(tn_bf16 *p, simd_f32 x, size_t n) {
    tn_bf16 whole[8];
    simd_store_bf16(whole, x);
    for (size_t i = 0; i < n; i++) p[i] = whole[i];
}
SIMD_FN simd_i32 simd_zero_i32(void) {
    return _mm256_setzero_si256();
}
SIMD_FN simd_i32 simd_dot_i8(simd_i32 acc, const int8_t *x, const int8_t *y) {
    for (int half = 0; half < 32; half += 16) {
        __m256i a = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(x + half)));
        __m256i b = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(y + half)));
        acc = _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
    }
    return acc;
}
SIMD_FN int32_t simd_sum_i32(simd_i32 x) {
    __m128i b = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    b = _mm_add_epi32(b, _mm_shuffle_epi32(b, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
}

#endif
