/* kernels_neon.c - the kernels for 64-bit Arm. */
#if !defined(__aarch64__)
#error "this file is for 64-bit Arm: see cmake/isa.cmake"
#endif
#include "core/kernels/rows_simd.h"

void tn_kernels_fill_neon(tn_kernels *k) {
    k->level = TN_CPU_NEON;
    fill_rows(k);
}
