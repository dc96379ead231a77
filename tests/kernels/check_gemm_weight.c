/* check_gemm_weight.c - packed weights of every format and set of kernels against a product in
 * double with the weights as they were stored; rows that do not depend on each other; error of
 * int8.
 */
#include "tests/kernels/gemm_trial.h"

static const tn_weight_format formats[] = {TN_WEIGHT_F32, TN_WEIGHT_BF16, TN_WEIGHT_I8,
                                           TN_WEIGHT_I8_GROUP};

static void for_each_set(void (*fn)(tn_gemm *, tn_weight_format)) {
    size_t n;
    const tn_gemm_set *const *sets = tn_gemm_sets(&n);
    tern_error err;
    for (size_t i = 0; i < n; i++) {
        if (!sets[i]->is_here(tn_cpu_get())) continue;
        tn_gemm *g;
        CHECK_OK(tn_gemm_new(NULL, &g, &err), err);
        g->set = sets[i];
        for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) fn(g, formats[f]);
        tn_gemm_free(g);
    }
}

static void check_sizes(tn_gemm *g, tn_weight_format format) {
    tn_rng rng = tn_rng_init(1, (uint64_t)format);
    for (size_t i = 0; i < 40; i++)
        check_weight(g, format, tn_rng_below(&rng, 40), 1 + tn_rng_below(&rng, 140),
                     1 + tn_rng_below(&rng, 400), i % 2 ? TN_F32 : TN_BF16, &rng);
    check_weight(g, format, 1, 300, 1030, TN_F32, &rng);
    check_weight(g, format, 130, 70, 64, TN_F32, &rng);
}
TEST(products_with_packed_weights_equal_the_naive_product) {
    for_each_set(check_sizes);
}

static void check_rows(tn_gemm *g, tn_weight_format format) {
    enum { M = 45, N = 101, K = 333 };
    tn_rng rng = tn_rng_init(2, 0);
    matrix w = matrix_new(N, K, TN_F32, 0, 0), x = matrix_new(M, K, TN_F32, 0, 0);
    matrix all = matrix_new(M, N, TN_F32, 0, 0), one = matrix_new(1, N, TN_F32, 0, 0);
    matrix_fill(&w, &rng), matrix_fill(&x, &rng);
    tern_error err;
    tn_weight *packed;
    CHECK_OK(tn_weight_new_for(g->set, NULL, w.mat.data, TN_F32, N, K, K, format, &packed, &err),
             err);
    CHECK_OK(tn_weight_mul(g, packed, x.mat, M, matrix_at(&all, 0, 0), N, NULL, true, &err), err);
    for (size_t i = 0; i < M; i++) {
        tn_mat row = x.mat;
        row.data = matrix_at(&x, i, 0);
        CHECK_OK(tn_weight_mul(g, packed, row, 1, matrix_at(&one, 0, 0), N, NULL, true, &err), err);
        CHECK(memcmp(matrix_at(&one, 0, 0), matrix_at(&all, i, 0), N * sizeof(float)) == 0);
    }
    tn_weight_free(packed);
    matrix_free(&w), matrix_free(&x), matrix_free(&all), matrix_free(&one);
}
TEST(a_row_has_the_same_bits_alone_and_among_others) {
    for_each_set(check_rows);
}

/* The whole chain: int8 weights and bf16 activations against the exact product. */
static void check_error(tn_gemm *g, tn_weight_format format) {
    enum { N = 64, K = 1024 };
    static const double limits[] = {[TN_WEIGHT_F32] = 1e-6,
                                    [TN_WEIGHT_BF16] = 4e-3,
                                    [TN_WEIGHT_I8] = 1.5e-2,
                                    [TN_WEIGHT_I8_GROUP] = 1.1e-2};
    tn_rng rng = tn_rng_init(3, 0);
    matrix w = matrix_new(N, K, TN_F32, 0, 0), x = matrix_new(1, K, TN_F32, 0, 0);
    float y[N];
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < K; j++) matrix_set(&w, i, j, tn_rng_normal(&rng));
    for (size_t j = 0; j < K; j++) matrix_set(&x, 0, j, tn_rng_normal(&rng));
    tern_error err;
    tn_weight *packed;
    CHECK_OK(tn_weight_new_for(g->set, NULL, w.mat.data, TN_F32, N, K, K, format, &packed, &err),
             err);
    CHECK_OK(tn_weight_mul(g, packed, x.mat, 1, y, N, NULL, false, &err), err);
    double err2 = 0, ref2 = 0;
    w.mat.trans = true;
    for (size_t j = 0; j < N; j++) {
        double mag, want = naive_dot(&x, &w, 0, j, K, false, &mag);
        err2 += ((double)y[j] - want) * ((double)y[j] - want), ref2 += want * want;
    }
    double relative = sqrt(err2 / ref2);
    if (!(relative <= limits[format]))
        FAIL("%s format %d: relative error %g, expected at most %g", g->set->name, format, relative,
             limits[format]);
    tn_weight_free(packed);
    matrix_free(&w), matrix_free(&x);
}
TEST(formats_lose_no_more_than_documented_on_normal_weights) {
    for_each_set(check_error);
}

TEST(a_weight_of_nothing_or_of_integers_is_refused) {
    tern_error err;
    tn_weight *w = (tn_weight *)&err;
    float x[4] = {0};
    CHECK_EQ(tn_weight_new(NULL, x, TN_F32, 0, 4, 4, TN_WEIGHT_F32, &w, &err), TERN_ERR_ARG);
    CHECK(!w);
    CHECK_EQ(tn_weight_new(NULL, x, TN_I32, 1, 4, 4, TN_WEIGHT_F32, &w, &err), TERN_ERR_ARG);
    CHECK_EQ(tn_weight_new(NULL, x, TN_F32, 2, 2, 1, TN_WEIGHT_F32, &w, &err), TERN_ERR_ARG);
    CHECK_HAS(err.text, "2 x 2");
}

TEST(a_row_of_zeros_is_quantised_to_zeros) {
    tern_error err;
    tn_weight *w;
    float x[2 * 70] = {0}, row[70];
    x[70] = 1;
    CHECK_OK(tn_weight_new(NULL, x, TN_F32, 2, 70, 70, TN_WEIGHT_I8_GROUP, &w, &err), err);
    tn_weight_get_row(w, 0, row);
    for (int i = 0; i < 70; i++) CHECK_EQ(row[i], 0);
    tn_weight_get_row(w, 1, row);
    CHECK_NEAR(row[0], 1, 1e-6);
    tn_weight_free(w);
}

TEST_MAIN
