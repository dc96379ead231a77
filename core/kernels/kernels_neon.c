/* kernels_neon.c - the kernels for 64-bit Arm. */
#if !defined(__aarch64__)
#error "this file is for 64-bit Arm: see cmake/isa.cmake"
#endif
#include "core/kernels/attention_simd.h"
#include "core/kernels/rows_simd.h"

void tn_kernels_fill_neon(tn_kernels *k) {
    k->level = TN_CPU_NEON;
    k->attention = &attention_kernels;
    fill_rows(k);
}
