/* kernels_avx512vnni.c - int8 products by VPDPBUSD, for AVX-512 processors that have VNNI. The
 * instruction multiplies unsigned by signed bytes, so x is lifted by 128 and 128 y taken off. */
#if !defined(__AVX512VNNI__)
#error "compile this file for AVX-512 VNNI: see cmake/isa.cmake"
#endif
#include "core/kernels/kernels_priv.h"
#include <immintrin.h>

static int32_t dot_i8(const int8_t *x, const int8_t *y, size_t n) {
    const __m512i lift = _mm512_set1_epi8((char)0x80);
    __m512i s = _mm512_setzero_si512(), off = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += 64) {
        __mmask64 m = n - i < 64 ? ((__mmask64)1 << (n - i)) - 1 : ~(__mmask64)0;
        __m512i a = _mm512_maskz_loadu_epi8(m, x + i), b = _mm512_maskz_loadu_epi8(m, y + i);
        s = _mm512_dpbusd_epi32(s, _mm512_xor_si512(a, lift), b);
        off = _mm512_dpbusd_epi32(off, lift, b);
    }
    return _mm512_reduce_add_epi32(_mm512_sub_epi32(s, off));
}

void tn_kernels_fill_avx512vnni(tn_kernels *k) {
    k->dot_i8 = dot_i8;
}
