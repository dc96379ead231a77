/* kernels_avx512.c - the kernels for AVX-512 F, BW, DQ and VL. */
#if !defined(__x86_64__) || !defined(__AVX512VL__)
#error "compile this file for AVX-512: see cmake/isa.cmake"
#endif
#include "core/kernels/attention_simd.h"
#include "core/kernels/rows_simd.h"

void tn_kernels_fill_avx512(tn_kernels *k) {
    k->level = TN_CPU_AVX512;
    k->attention = &attention_kernels;
    fill_rows(k);
}
