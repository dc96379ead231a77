/* gemm_neon.c - f32 products with Arm's Advanced SIMD: the micro-kernel 6 x 16 (24 of 32 registers
 * hold sums). bf16 is multiplied as f32. */
#include "core/kernels/gemm_priv.h"
#if !defined(__ARM_NEON)
#error "this file is for Arm's Advanced SIMD"
#endif
#include <arm_neon.h>

#define UKR_MR              6
#define UKR_NV              4
#define UKR_LANES           4
#define UKR_STEPS           2
#define UKR_A               float
#define UKR_SUM             float32x4_t
#define UKR_B               float32x4_t
#define UKR_ZERO()          vdupq_n_f32(0)
#define UKR_LOAD(p)         vld1q_f32(p)
#define UKR_STORE(p, v)     vst1q_f32(p, v)
#define UKR_LOAD_B(p)       vld1q_f32(p)
#define UKR_SPREAD(x)       vdupq_n_f32(x)
#define UKR_MULADD(s, x, b) vfmaq_f32(s, x, b)
#include "core/kernels/gemm_ukr_body.h"

static void run(size_t rows, size_t k, const void *a, const void *b, float *c, size_t ldc, bool add,
                tn_ahead ahead) {
    switch (rows) {
#define ROWS(n)                                                                                    \
    case n:                                                                                        \
        tile(n, k, a, b, c, ldc, add, ahead);                                                      \
        break;
        ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)
#undef ROWS
    }
}

void tn_unpack_f32_from_bf16_neon(void *out, const void *in, size_t n) {
    for (size_t i = 0; i < n; i += 4) {
        uint32x4_t x = vshll_n_u16(vld1_u16((const tn_bf16 *)in + i), 16);
        vst1q_u32((uint32_t *)out + i, x);
    }
}

void tn_unpack_f32_from_i8_neon(void *out, const void *in, size_t n) {
    for (size_t i = 0; i < n; i += 8) {
        int16x8_t q = vmovl_s8(vld1_s8((const int8_t *)in + i));
        vst1q_f32((float *)out + i, vcvtq_f32_s32(vmovl_s16(vget_low_s16(q))));
        vst1q_f32((float *)out + i + 4, vcvtq_f32_s32(vmovl_s16(vget_high_s16(q))));
    }
}

const tn_ukr tn_ukr_f32_neon = {.name = "neon 6x16 f32",
                                .packed = TN_F32,
                                .mr = UKR_MR,
                                .nr = UKR_NV * UKR_LANES,
                                .a_group = 1,
                                .b_group = 1,
                                .depth = 256,
                                .block_m = 126,
                                .pack_a = tn_pack_f32,
                                .pack_b = tn_pack_f32,
                                .run = run};
