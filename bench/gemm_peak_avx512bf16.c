/* gemm_peak_avx512bf16.c - the most bf16 multiply-adds a core does with VDPBF16PS. */
#include "bench/gemm_peak.h"
#include <immintrin.h>

#define PEAK_NAME     gemm_peak_avx512bf16
#define PEAK_SUM      __m512
#define PEAK_ZERO     _mm512_setzero_ps()
#define PEAK_OPERANDS __m512 x = _mm512_set1_ps(*sink), y = _mm512_set1_ps(*sink);
#define PEAK_STEP(s)  __asm__ volatile("vdpbf16ps %1, %2, %0" : "+v"(s) : "v"(x), "v"(y));
#define PEAK_OPS      64
#define PEAK_FOLD(s)  *sink += _mm512_cvtss_f32(s);
#include "bench/gemm_peak_body.h"
