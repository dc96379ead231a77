/* kernels_avx2.c - the kernels for AVX2 with FMA and F16C. */
#if !defined(__x86_64__) || !defined(__AVX2__)
#error "compile this file for AVX2: see cmake/isa.cmake"
#endif
#include "core/kernels/attention_simd.h"
#include "core/kernels/rows_simd.h"

void tn_kernels_fill_avx2(tn_kernels *k) {
    k->level = TN_CPU_AVX2;
    k->attention = &attention_kernels;
    fill_rows(k);
}
