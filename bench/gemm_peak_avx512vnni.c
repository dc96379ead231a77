/* gemm_peak_avx512vnni.c - the most int8 multiply-adds a core does with VPDPBUSD. */
#include "bench/gemm_peak.h"
#include <immintrin.h>

#define PEAK_NAME     gemm_peak_avx512vnni
#define PEAK_SUM      __m512i
#define PEAK_ZERO     _mm512_setzero_si512()
#define PEAK_OPERANDS __m512i x = _mm512_set1_epi32((int)*sink), y = x;
#define PEAK_STEP(s)  __asm__ volatile("vpdpbusd %1, %2, %0" : "+v"(s) : "v"(x), "v"(y));
#define PEAK_OPS      128
#define PEAK_FOLD(s)  *sink += (float)_mm_cvtsi128_si32(_mm512_castsi512_si128(s));
#include "bench/gemm_peak_body.h"
