/* gemm_ref.c - the micro-kernel in plain C: what every other level is checked against, and what
 * runs where nothing better does. bf16 operands are expanded to f32 as they are packed. */
#include "core/kernels/gemm_priv.h"

enum { MR = 4, NR = 16 };

static void run(size_t rows, size_t k, const void *a, const void *b, float *c, size_t ldc, bool add,
                tn_ahead ahead) {
    (void)ahead;
    const float *pa = a, *pb = b;
    float acc[MR][NR] = {{0}};
    if (add)
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < NR; j++) acc[i][j] = c[i * ldc + j];
    for (size_t l = 0; l < k; l++, pa += MR, pb += NR)
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < NR; j++) acc[i][j] += pa[i] * pb[j];
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < NR; j++) c[i * ldc + j] = acc[i][j];
}

void tn_unpack_f32_from_bf16(void *out, const void *in, size_t n) {
    for (size_t i = 0; i < n; i++) ((float *)out)[i] = tn_bf16_get(((const tn_bf16 *)in)[i]);
}

void tn_unpack_f32_from_i8(void *out, const void *in, size_t n) {
    for (size_t i = 0; i < n; i++) ((float *)out)[i] = (float)((const int8_t *)in)[i];
}

void tn_add_scaled(float *c, size_t ldc, const float *tile, const float *scale, size_t rows,
                   size_t nr, bool add) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < nr; j++) {
            float x = tile[i * nr + j] * scale[j];
            c[i * ldc + j] = add ? c[i * ldc + j] + x : x;
        }
}

const tn_ukr tn_ukr_f32_ref = {.name = "ref 4x16 f32",
                               .packed = TN_F32,
                               .mr = MR,
                               .nr = NR,
                               .a_group = 1,
                               .b_group = 1,
                               .depth = 256,
                               .block_m = 128,
                               .pack_a = tn_pack_f32,
                               .pack_b = tn_pack_f32,
                               .run = run};
