/* gemm_finish.c - what happens to a finished sum: scale, bias, activation, residual, type. */
#include "core/kernels/gemm_priv.h"
#include "core/kernels/kernels.h"

void tn_gemm_finish_row(const tn_product *p, float *acc, size_t row, size_t col, size_t n,
                        void *c_row) {
    const tn_epilogue *e = &p->epilogue;
    if (p->weight && p->weight->format == TN_WEIGHT_I8)
        for (size_t j = 0; j < n; j++) acc[j] *= p->weight->scales[col + j];
    if (p->alpha != 1)
        for (size_t j = 0; j < n; j++) acc[j] *= p->alpha;
    if (e->bias)
        for (size_t j = 0; j < n; j++) acc[j] += e->bias[col + j];
    if (e->act != TN_ACT_NONE) tn_kernels_get()->act(e->act, acc, acc, n);
    if (e->residual) {
        const float *r = e->residual + row * e->ld_residual + col;
        for (size_t j = 0; j < n; j++) acc[j] += r[j];
    }
    if (p->c_type == TN_BF16) {
        tn_bf16 *c = c_row;
        for (size_t j = 0; j < n; j++) c[j] = tn_bf16_set(acc[j]);
    } else if (p->accumulate) {
        float *c = c_row;
        for (size_t j = 0; j < n; j++) c[j] += acc[j];
    } else {
        memcpy(c_row, acc, n * sizeof *acc);
    }
}
