/* test_gemm_oom.c - every allocation of a product and of a packed weight fails in turn. */
#include "core/kernels/gemm.h"
#include "tests/test.h"

#include "core/base/mem.h"

enum { M = 300, N = 300, K = 64 };

static float a[M * K], b[K * N], c[M * N];

static tern_status multiply(tern_error *err) {
    tn_gemm *g = NULL;
    tn_weight *w = NULL;
    tern_status st = tn_gemm_new(NULL, &g, err);
    tn_gemm_args args = {.m = M,
                         .n = N,
                         .k = K,
                         .a = {a, TN_F32, K, false},
                         .b = {b, TN_F32, N, false},
                         .c = c,
                         .c_type = TN_F32,
                         .ldc = N,
                         .alpha = 1};
    if (st == TERN_OK) st = tn_gemm_run(g, &args, err);
    if (st == TERN_OK) st = tn_weight_new(NULL, b, TN_F32, N, K, K, TN_WEIGHT_I8_GROUP, &w, err);
    if (st == TERN_OK)
        st = tn_weight_mul(g, w, (tn_mat){a, TN_F32, K, false}, M, c, N, NULL, false, err);
    tn_weight_free(w);
    tn_gemm_free(g);
    return st;
}

TEST(every_failed_allocation_is_an_error_that_says_so) {
    for (size_t i = 0; i < M * K; i++) a[i] = 1;
    for (size_t i = 0; i < K * N; i++) b[i] = 1;
    int64_t fail = 0;
    for (;; fail++) {
        tern_error err = {0};
        tn_mem_fail_after(fail, 0);
        tern_status st = multiply(&err);
        tn_mem_fail_after(-1, 0);
        if (st == TERN_OK) break;
        CHECK_EQ(st, TERN_ERR_NOMEM);
        CHECK_HAS(err.text, "no memory");
    }
    CHECK(fail >= 5); /* driver, its workers, panels, weight, its panels */
    CHECK_NEAR(c[0], K, 1e-4);
}

TEST_MAIN
