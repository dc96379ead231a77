/* peer_gemm_openblas.c - OpenBLAS with threads of its own. */
#include "bench/peer_gemm.h"
#include <cblas.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

typedef struct product {
    int m, n, k;
    const float *a, *b;
    float *c;
} product;

static const char *version(int n_threads) {
    static char text[128];
    openblas_set_num_threads(n_threads);
    snprintf(text, sizeof text, "%.40s, kernels %s", openblas_get_config(),
             openblas_get_corename());
    return text;
}

static void *open_product(gemm_type type, size_t m, size_t n, size_t k, const void *a,
                          const void *b, bool packed, float *c) {
    if (type != GEMM_F32 || packed) return NULL;
    product *p = tn_alloc(sizeof *p);
    if (p) *p = (product){(int)m, (int)n, (int)k, a, b, c};
    return p;
}

static void run(void *product_) {
    const product *p = product_;
    if (p->m == 1)
        cblas_sgemv(CblasRowMajor, CblasTrans, p->k, p->n, 1, p->b, p->n, p->a, 1, 0, p->c, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->m, p->n, p->k, 1, p->a, p->k,
                    p->b, p->n, 0, p->c, p->n);
}

static void free_product(void *p) {
    tn_free(p);
}

const gemm_peer gemm_peer_openblas = {"OpenBLAS", version, open_product, run, free_product};
