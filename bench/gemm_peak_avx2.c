/* gemm_peak_avx2.c - the most multiply-adds a core does with AVX2. */
#include "bench/gemm_peak.h"
#include <immintrin.h>

#define PEAK_NAME     gemm_peak_avx2
#define PEAK_SUM      __m256
#define PEAK_ZERO     _mm256_setzero_ps()
#define PEAK_OPERANDS __m256 x = _mm256_set1_ps(*sink), y = _mm256_set1_ps(*sink);
#define PEAK_STEP(s)  __asm__ volatile("vfmadd231ps %1, %2, %0" : "+x"(s) : "x"(x), "x"(y));
#define PEAK_OPS      16
#define PEAK_FOLD(s)  *sink += _mm256_cvtss_f32(s);
#include "bench/gemm_peak_body.h"
