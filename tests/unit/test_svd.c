/* test_svd.c - the randomised SVD against matrices whose singular values are known. */
#include "core/kernels/blas.h"
#include "retriever/dense/svd.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tern_error err;

/* A dense row-major matrix as a sparse one. */
static tn_sparse from_dense(const float *x, uint32_t n_rows, uint32_t n_cols) {
    tn_sparse a;
    CHECK_OK(tn_sparse_init(&a, n_rows, n_cols, (uint64_t)n_rows * n_cols, &err), err);
    uint64_t n = 0;
    for (uint32_t i = 0; i < n_rows; i++) {
        for (uint32_t j = 0; j < n_cols; j++) {
            if (x[i * n_cols + j] == 0) continue;
            a.cols[n] = j;
            a.vals[n++] = x[i * n_cols + j];
        }
        a.starts[i + 1] = n;
    }
    return a;
}

TEST(sparse_transpose_turns_rows_into_columns) {
    const float x[] = {0, 1, 2, 3, 0, 0, 0, 0, 0, 4, 5, 6};
    tn_sparse a = from_dense(x, 4, 3), t;
    CHECK_OK(tn_sparse_transpose(&a, &t, &err), err);
    CHECK_EQ(t.n_rows, 3);
    CHECK_EQ(t.n_cols, 4);
    for (uint32_t i = 0; i < 3; i++)
        for (uint64_t e = t.starts[i]; e < t.starts[i + 1]; e++)
            CHECK_NEAR(t.vals[e], x[t.cols[e] * 3 + i], 0);
    CHECK_EQ(t.starts[3], 6);
    tn_sparse_deinit(&a);
    tn_sparse_deinit(&t);
}

TEST(svd_finds_the_singular_values_of_a_diagonal) {
    enum { N = 60, RANK = 5 };
    static float x[N * N];
    for (int i = 0; i < N; i++) x[i * N + i] = 100.0f / (float)(i + 1);
    tn_sparse a = from_dense(x, N, N), t;
    CHECK_OK(tn_sparse_transpose(&a, &t, &err), err);
    float *v, sigma[RANK];
    size_t n;
    CHECK_OK(tn_svd(NULL, &a, &t, RANK, 7, NULL, &v, sigma, &n, &err), err);
    CHECK_EQ(n, RANK);
    for (int j = 0; j < RANK; j++) {
        CHECK_NEAR(sigma[j], 100.0 / (j + 1), 1e-3);
        for (int i = 0; i < N; i++) CHECK_NEAR(fabs((double)v[i * RANK + j]), i == j, 1e-3);
    }
    tn_free(v);
    tn_sparse_deinit(&a);
    tn_sparse_deinit(&t);
}

TEST(svd_of_a_rank_two_matrix_finds_two_directions) {
    enum { N = 50, M = 40 };
    static float x[N * M];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < M; j++)
            x[i * M + j] = (float)((i % 3) * (j % 5)) + (float)((i % 7) * (j % 2));
    tn_sparse a = from_dense(x, N, M), t;
    CHECK_OK(tn_sparse_transpose(&a, &t, &err), err);
    float *v, sigma[10];
    size_t n;
    CHECK_OK(tn_svd(NULL, &a, &t, 10, 7, NULL, &v, sigma, &n, &err), err);
    CHECK_EQ(n, 2);
    tn_free(v);
    tn_sparse_deinit(&a);
    tn_sparse_deinit(&t);
}

TEST(svd_of_a_zero_matrix_finds_nothing) {
    tn_sparse a, t;
    CHECK_OK(tn_sparse_init(&a, 9, 8, 0, &err), err);
    CHECK_OK(tn_sparse_transpose(&a, &t, &err), err);
    float *v, sigma[4];
    size_t n;
    CHECK_OK(tn_svd(NULL, &a, &t, 4, 7, NULL, &v, sigma, &n, &err), err);
    CHECK_EQ(n, 0);
    tn_free(v);
    tn_sparse_deinit(&a);
    tn_sparse_deinit(&t);
}

TEST(blas_in_use_is_accepted_and_names_itself) {
    CHECK_OK(tn_blas_check(&err), err);
    tn_blas_info info = tn_blas_get_info();
    CHECK(strcmp(info.build, "pthread") == 0 || strcmp(info.build, "openmp") == 0);
    CHECK(info.core[0] && info.config[0]);
}

TEST(eigenvectors_of_a_matrix_that_is_not_finite_are_refused) {
    double a[4] = {1, NAN, NAN, 1}, values[2];
    CHECK_EQ(tn_blas_eigen(2, a, values, &err), TERN_ERR_FORMAT);
}

TEST_MAIN
