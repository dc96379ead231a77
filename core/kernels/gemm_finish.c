/* gemm_finish.c - what happens to a finished sum: scale, bias, activation, residual, type. */
#include "core/kernels/gemm_priv.h"
#include <math.h>

static float act(tn_act kind, float x) {
    switch (kind) {
    case TN_ACT_NONE:
        return x;
    case TN_ACT_RELU:
        return x > 0 ? x : (x != x ? x : 0);
    case TN_ACT_GELU:
        return .5f * x * (1 + erff(x * (float)M_SQRT1_2));
    case TN_ACT_GELU_TANH:
        return .5f * x * (1 + tanhf(.7978845608f * (x + .044715f * x * x * x)));
    case TN_ACT_SILU:
        return x / (1 + expf(-x));
    }
    return x;
}

void tn_gemm_finish_row(const tn_product *p, float *acc, size_t row, size_t col, size_t n,
                        void *c_row) {
    const tn_epilogue *e = &p->epilogue;
    if (p->weight && p->weight->format == TN_WEIGHT_I8)
        for (size_t j = 0; j < n; j++) acc[j] *= p->weight->scales[col + j];
    if (p->alpha != 1)
        for (size_t j = 0; j < n; j++) acc[j] *= p->alpha;
    if (e->bias)
        for (size_t j = 0; j < n; j++) acc[j] += e->bias[col + j];
    if (e->act != TN_ACT_NONE)
        for (size_t j = 0; j < n; j++) acc[j] = act(e->act, acc[j]);
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
