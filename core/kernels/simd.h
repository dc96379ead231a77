/* simd.h - the few vector operations that the kernels are written in, for the instruction set that
 * the including file is compiled for. A body (rows_simd.h, attention_simd.h) is written once and
 * compiled by one small file per level; all here is static, so levels do not meet in the linker.
 *
 * SIMD_W lanes of f32 in SIMD_REGISTERS registers. simd_min(a, b) and simd_max(a, b) give b when
 * either is NaN. simd_fma is fused where the set has it. _n forms touch n < SIMD_W elements; lanes
 * past them load as 0. */
#ifndef TN_SIMD_H
#define TN_SIMD_H
#include "core/kernels/dtype.h"
#include <math.h>
#include <stdint.h>

#define SIMD_FN __attribute__((always_inline)) static inline

/* A loop over registers. It must vanish, or the registers would live in memory. */
#ifdef __clang__
#define SIMD_FOR(i, n) _Pragma("unroll") for (size_t i = 0; i < (size_t)(n); i++)
#else
#define SIMD_FOR(i, n) _Pragma("GCC unroll 16") for (size_t i = 0; i < (size_t)(n); i++)
#endif

#if defined(__AVX512F__)
#include "core/kernels/simd_avx512.h"
#elif defined(__AVX2__)
#include "core/kernels/simd_avx2.h"
#elif defined(__aarch64__) && !defined(SIMD_SCALAR)
#include "core/kernels/simd_neon.h"
#else
#include "core/kernels/simd_scalar.h"
#endif

#endif
