/* gemm_trial.h - one product, or one product with a packed weight, of a set of kernels against the
 * naive one. */
#ifndef TN_GEMM_TRIAL_H
#define TN_GEMM_TRIAL_H
#include "tests/kernels/gemm_fixture.h"

typedef struct trial {
    size_t m, n, k;
    tn_dtype ta, tb, tc;
    bool trans_a, trans_b, bf16, accumulate;
    float alpha;
    size_t pad, offset;
} trial;

static inline void check_product(tn_gemm *g, const trial *t, tn_rng *rng) {
    matrix a = matrix_new(t->trans_a ? t->k : t->m, t->trans_a ? t->m : t->k, t->ta, t->pad,
                          t->offset * tn_dtype_size(t->ta));
    matrix b = matrix_new(t->trans_b ? t->n : t->k, t->trans_b ? t->k : t->n, t->tb, t->pad + 1,
                          t->offset * tn_dtype_size(t->tb));
    matrix c = matrix_new(t->m, t->n, t->tc, t->pad, t->offset * tn_dtype_size(t->tc));
    matrix before = matrix_new(t->m, t->n, t->tc, t->pad, 0);
    matrix_fill(&a, rng), matrix_fill(&b, rng), matrix_fill(&c, rng);
    memcpy(before.block + CANARY_BYTES, c.mat.data, c.n_bytes);
    a.mat.trans = t->trans_a, b.mat.trans = t->trans_b;
    tn_gemm_args args = {.m = t->m,
                         .n = t->n,
                         .k = t->k,
                         .a = a.mat,
                         .b = b.mat,
                         .c = matrix_at(&c, 0, 0),
                         .c_type = t->tc,
                         .ldc = c.mat.ld,
                         .alpha = t->alpha,
                         .accumulate = t->accumulate,
                         .bf16 = t->bf16};
    tern_error err;
    CHECK_OK(tn_gemm_run(g, &args, &err), err);
    for (size_t i = 0; i < t->m; i++)
        for (size_t j = 0; j < t->n; j++) {
            double magnitude;
            double want = naive_dot(&a, &b, i, j, t->k, t->bf16, &magnitude) * (double)t->alpha;
            double old = t->accumulate ? matrix_get(&before, i, j) : 0;
            double tol = t->tc == TN_F64 ? 1e-14 * (magnitude + 1) * (double)t->k
                                         : sum_tolerance(t->k, magnitude * fabs((double)t->alpha)) +
                                               1.2e-7 * fabs(old + want);
            if (t->tc == TN_BF16) tol += fabs(want) / 256;
            double got = matrix_get(&c, i, j);
            if (!(fabs(got - (want + old)) <= tol))
                FAIL("%s %zux%zux%zu types %d %d %d trans %d %d bf16 %d alpha %g acc %d: "
                     "C[%zu,%zu] is %.9g, expected %.9g within %g",
                     g->set->name, t->m, t->n, t->k, t->ta, t->tb, t->tc, t->trans_a, t->trans_b,
                     t->bf16, (double)t->alpha, t->accumulate, i, j, got, want + old, tol);
        }
    matrix_check_canaries(&c);
    matrix_free(&a), matrix_free(&b), matrix_free(&c), matrix_free(&before);
}

/* Types that go together: {A, B, C, bf16}. */
static const struct {
    tn_dtype a, b, c;
    bool bf16;
} kinds[] = {
    {TN_F32, TN_F32, TN_F32, false},   {TN_F32, TN_F32, TN_F32, true},
    {TN_BF16, TN_BF16, TN_F32, false}, {TN_BF16, TN_BF16, TN_BF16, false},
    {TN_F32, TN_BF16, TN_F32, false},  {TN_BF16, TN_F32, TN_BF16, true},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static inline trial random_trial(size_t m, size_t n, size_t k, tn_rng *rng) {
    size_t kind = tn_rng_below(rng, N_KINDS);
    bool f32 = kinds[kind].c == TN_F32;
    return (trial){.m = m,
                   .n = n,
                   .k = k,
                   .ta = kinds[kind].a,
                   .tb = kinds[kind].b,
                   .tc = kinds[kind].c,
                   .bf16 = kinds[kind].bf16,
                   .trans_a = tn_rng_below(rng, 2),
                   .trans_b = tn_rng_below(rng, 2),
                   .accumulate = f32 && tn_rng_below(rng, 3) == 0,
                   .alpha = tn_rng_below(rng, 3) == 0 ? -.5f : 1,
                   .pad = tn_rng_below(rng, 4),
                   .offset = tn_rng_below(rng, 3)};
}

/* y against the product of x (rounded as documented) with the rows that get_row gives. */
static inline void check_weight(tn_gemm *g, tn_weight_format format, size_t m, size_t n, size_t k,
                                tn_dtype type, tn_rng *rng) {
    matrix w = matrix_new(n, k, type, 3, 0), x = matrix_new(m, k, TN_F32, 1, 4);
    matrix y = matrix_new(m, n, TN_F32, 2, 4), rows = matrix_new(n, k, TN_F32, 0, 0);
    matrix_fill(&w, rng), matrix_fill(&x, rng);
    tern_error err;
    tn_weight *packed;
    CHECK_OK(
        tn_weight_new_for(g->set, NULL, w.mat.data, type, n, k, w.mat.ld, format, &packed, &err),
        err);
    CHECK_OK(tn_weight_mul(g, packed, x.mat, m, matrix_at(&y, 0, 0), y.mat.ld, NULL, false, &err),
             err);
    for (size_t j = 0; j < n; j++) tn_weight_get_row(packed, j, matrix_at(&rows, j, 0));
    matrix_check_canaries(&rows);
    matrix_check_canaries(&y);
    rows.mat.trans = true;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double want = 0, mag = 0;
            for (size_t l = 0; l < k; l++) {
                double term =
                    matrix_op(&x, i, l, format != TN_WEIGHT_F32) * matrix_get(&rows, j, l);
                want += term, mag += fabs(term);
            }
            double tol = sum_tolerance(k, mag);
            if (!(fabs(matrix_get(&y, i, j) - want) <= tol))
                FAIL("%s format %d %zux%zux%zu: y[%zu,%zu] is %.9g, expected %.9g within %g",
                     g->set->name, format, m, n, k, i, j, matrix_get(&y, i, j), want, tol);
        }
    tn_weight_free(packed);
    matrix_free(&w), matrix_free(&x), matrix_free(&y), matrix_free(&rows);
}

#endif
