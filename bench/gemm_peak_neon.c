/* gemm_peak_neon.c - the most multiply-adds a core does with Advanced SIMD. */
#include "bench/gemm_peak.h"
#include <arm_neon.h>

#define PEAK_NAME     gemm_peak_neon
#define PEAK_SUM      float32x4_t
#define PEAK_ZERO     vdupq_n_f32(0)
#define PEAK_OPERANDS float32x4_t x = vdupq_n_f32(*sink), y = x;
#define PEAK_STEP(s)  __asm__ volatile("fmla %0.4s, %1.4s, %2.4s" : "+w"(s) : "w"(x), "w"(y));
#define PEAK_OPS      8
#define PEAK_FOLD(s)  *sink += vgetq_lane_f32(s, 0);
#include "bench/gemm_peak_body.h"
