/* ref.c - the f32 table in plain C: complete, and the yardstick of every other level. */
#include "core/kernels/attention_priv.h"
#include "core/kernels/kernels_priv.h"
#define TN_REAL float
#include "core/kernels/ref_body.h"

static void bf16_from_f32(tn_bf16 *y, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = tn_bf16_set(x[i]);
}

static void f32_from_bf16(float *y, const tn_bf16 *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = tn_bf16_get(x[i]);
}

/* dot.h: 32 lanes whose halves fold together. */
static void dot_rows(const float *x, const float *rows, size_t dim, size_t n, float *out) {
    for (size_t r = 0; r < n; r++, rows += dim) {
        float lanes[32] = {0};
        for (size_t i = 0; i < dim; i++) lanes[i % 32] += x[i] * rows[i];
        for (int width = 16; width > 0; width /= 2)
            for (int j = 0; j < width; j++) lanes[j] += lanes[j + width];
        out[r] = lanes[0];
    }
}

static int32_t dot_i8(const int8_t *x, const int8_t *y, size_t n) {
    int32_t s = 0;
    for (size_t i = 0; i < n; i++) s += x[i] * y[i];
    return s;
}

void tn_kernels_fill_ref(tn_kernels *k) {
    *k = (tn_kernels){.level = TN_CPU_REF,
                      .attention = tn_attention_kernels_ref(),
                      .bf16_from_f32 = bf16_from_f32,
                      .f32_from_bf16 = f32_from_bf16,
                      .dot_i8 = dot_i8,
                      .dot_rows = dot_rows,
                      TN_REF_ENTRIES};
}
