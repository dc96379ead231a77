/* gemm_f64.c - products in double, for checking gradients: plain loops, one order of addition. */
#include "core/kernels/gemm_priv.h"

typedef struct job {
    const tn_gemm_args *args;
    size_t stride_a, stride_b, stride_c;
} job;

/* One row of one product: index is batch * m + row. */
static void run_row(const job *j, size_t index) {
    const tn_gemm_args *g = j->args;
    size_t batch = index / g->m, i = index % g->m;
    const double *a = (const double *)g->a.data + batch * j->stride_a;
    const double *b = (const double *)g->b.data + batch * j->stride_b;
    double *c = (double *)g->c + batch * j->stride_c + i * g->ldc;
    if (!g->accumulate)
        for (size_t l = 0; l < g->n; l++) c[l] = 0;
    for (size_t l = 0; l < g->k; l++) {
        double x = (double)g->alpha * (g->a.trans ? a[l * g->a.ld + i] : a[i * g->a.ld + l]);
        const double *row = g->b.trans ? b + l : b + l * g->b.ld;
        size_t step = g->b.trans ? g->b.ld : 1;
        for (size_t col = 0; col < g->n; col++) c[col] += x * row[col * step];
    }
}

static void run_rows(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    for (size_t i = begin; i < end; i++) run_row(arg, i);
}

void tn_gemm_f64(tn_pool *pool, const tn_gemm_args *args, size_t n_batch, size_t stride_a,
                 size_t stride_b, size_t stride_c) {
    job j = {args, stride_a, stride_b, stride_c};
    size_t flops_a_row = 2 * args->n * args->k + 1;
    tn_pool_for(pool, args->m * n_batch, tn_ceil_div(1 << 17, flops_a_row), run_rows, &j);
}
