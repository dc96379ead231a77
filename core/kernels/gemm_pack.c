/* gemm_pack.c - packing of operands into panels (gemm_priv.h), plain C for every layout.
 * Fast versions for the layouts that matter stand with the instruction sets; they give the same
 * bytes. */
#include "core/kernels/gemm_priv.h"

static float element(const tn_lines *src, size_t line, size_t k) {
    size_t at = line * src->line_stride + k * src->k_stride;
    if (src->dtype == TN_BF16) return tn_bf16_get(((const tn_bf16 *)src->data)[at]);
    float x = ((const float *)src->data)[at];
    return src->round ? tn_bf16_get(tn_bf16_set(x)) : x;
}

void tn_pack_f32(void *panel, const tn_lines *src, size_t line, size_t n_lines, size_t k,
                 size_t n_k, size_t width, size_t group) {
    float *out = panel;
    for (size_t kg = 0; kg < n_k; kg += group)
        for (size_t i = 0; i < width; i++)
            for (size_t j = kg; j < kg + group; j++)
                *out++ = i < n_lines && j < n_k ? element(src, line + i, k + j) : 0;
}

void tn_pack_bf16(void *panel, const tn_lines *src, size_t line, size_t n_lines, size_t k,
                  size_t n_k, size_t width, size_t group) {
    tn_bf16 *out = panel;
    for (size_t kg = 0; kg < n_k; kg += group)
        for (size_t i = 0; i < width; i++)
            for (size_t j = kg; j < kg + group; j++) {
                bool inside = i < n_lines && j < n_k;
                if (!inside)
                    *out++ = 0;
                else if (src->dtype == TN_BF16)
                    *out++ =
                        ((const tn_bf16 *)
                             src->data)[(line + i) * src->line_stride + (k + j) * src->k_stride];
                else
                    *out++ = tn_bf16_set(element(src, line + i, k + j));
            }
}
