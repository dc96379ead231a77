/* dot.c - one vector against many rows, by the kernel table (dot.h). */
#include "core/kernels/dot.h"
#include "core/kernels/kernels.h"

void tn_dot_rows(const float *x, const float *rows, size_t dim, size_t n, float *out) {
    tn_kernels_get()->dot_rows(x, rows, dim, n, out);
}

void tn_dot_rows_i8(const int8_t *x, const int8_t *rows, size_t dim, size_t n, int32_t *out) {
    const tn_kernels *k = tn_kernels_get();
    for (size_t i = 0; i < n; i++) out[i] = k->dot_i8(x, rows + i * dim, dim);
}
