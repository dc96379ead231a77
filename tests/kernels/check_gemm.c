/* check_gemm.c - products of every set of kernels this machine can run against a naive product in
 * double: odd shapes and strides, all transposes and types, canaries around C, special values. */
#include "tests/kernels/gemm_trial.h"

/* Run fn for each set that is here. */
static void for_each_set(void (*fn)(tn_gemm *)) {
    size_t n;
    const tn_gemm_set *const *sets = tn_gemm_sets(&n);
    tern_error err;
    for (size_t i = 0; i < n; i++) {
        if (!sets[i]->is_here(tn_cpu_get())) continue;
        tn_gemm *g;
        CHECK_OK(tn_gemm_new(NULL, &g, &err), err);
        g->set = sets[i];
        fn(g);
        tn_gemm_free(g);
    }
}

static void check_every_size(tn_gemm *g) {
    tn_rng rng = tn_rng_init(1, 0);
    for (size_t m = 0; m <= 67; m++)
        for (size_t rep = 0; rep < 8; rep++) {
            trial t = random_trial(m, tn_rng_below(&rng, 68), tn_rng_below(&rng, 68), &rng);
            check_product(g, &t, &rng);
        }
}
TEST(products_of_sizes_0_to_67_equal_the_naive_product) {
    for_each_set(check_every_size);
}

static void check_every_kind(tn_gemm *g) {
    tn_rng rng = tn_rng_init(2, 0);
    for (size_t kind = 0; kind < N_KINDS; kind++)
        for (int trans = 0; trans < 4; trans++) {
            trial t = {.m = 37,
                       .n = 75,
                       .k = 301,
                       .ta = kinds[kind].a,
                       .tb = kinds[kind].b,
                       .tc = kinds[kind].c,
                       .bf16 = kinds[kind].bf16,
                       .trans_a = trans & 1,
                       .trans_b = trans >> 1,
                       .alpha = 1,
                       .pad = 3};
            check_product(g, &t, &rng);
        }
}
TEST(every_pair_of_types_works_in_every_transpose) {
    for_each_set(check_every_kind);
}

static void check_blocks(tn_gemm *g) {
    static const size_t shapes[][3] = {{130, 300, 20}, {300, 130, 270}, {1, 600, 513},
                                       {129, 257, 64}, {33, 500, 777},  {513, 5, 100}};
    tn_rng rng = tn_rng_init(3, 0);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int rep = 0; rep < 2; rep++) {
            trial t = random_trial(shapes[i][0], shapes[i][1], shapes[i][2], &rng);
            check_product(g, &t, &rng);
        }
}
TEST(products_of_several_blocks_equal_the_naive_product) {
    for_each_set(check_blocks);
}

TEST(f64_products_equal_the_naive_product) {
    tn_rng rng = tn_rng_init(4, 0);
    tn_gemm *g;
    tern_error err;
    CHECK_OK(tn_gemm_new(NULL, &g, &err), err);
    for (int trans = 0; trans < 4; trans++) {
        trial t = {.m = 19,
                   .n = 23,
                   .k = 31,
                   .ta = TN_F64,
                   .tb = TN_F64,
                   .tc = TN_F64,
                   .trans_a = trans & 1,
                   .trans_b = trans >> 1,
                   .alpha = 2,
                   .pad = 2,
                   .accumulate = trans == 3};
        check_product(g, &t, &rng);
    }
    tn_gemm_free(g);
}

static void check_specials(tn_gemm *g) {
    enum { M = 20, N = 70, K = 40 };
    tn_rng rng = tn_rng_init(5, 0);
    for (int kind = 0; kind < 2; kind++) {
        tn_dtype type = kind ? TN_BF16 : TN_F32;
        matrix a = matrix_new(M, K, type, 1, 0), b = matrix_new(K, N, type, 0, 0);
        matrix c = matrix_new(M, N, TN_F32, 1, 0);
        matrix_fill(&a, &rng), matrix_fill(&b, &rng), matrix_fill(&c, &rng);
        matrix_set(&a, 3, 5, (double)NAN);
        matrix_set(&a, 7, 39, (double)INFINITY);
        matrix_set(&b, 39, 69, 0);
        tn_gemm_args args = {.m = M,
                             .n = N,
                             .k = K,
                             .a = a.mat,
                             .b = b.mat,
                             .c = matrix_at(&c, 0, 0),
                             .c_type = TN_F32,
                             .ldc = c.mat.ld,
                             .alpha = 1};
        tern_error err;
        CHECK_OK(tn_gemm_run(g, &args, &err), err);
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < N; j++) {
                double x = matrix_get(&c, i, j);
                if (i == 3 || (i == 7 && j == 69))
                    CHECK(isnan(x)); /* NaN, and inf * 0 */
                else if (i == 7)
                    CHECK(isinf(x));
                else
                    CHECK(isfinite(x));
            }
        matrix_check_canaries(&c);
        matrix_free(&a), matrix_free(&b), matrix_free(&c);
    }
}
TEST(nan_and_infinity_reach_their_rows_and_no_other) {
    for_each_set(check_specials);
}

static void check_epilogue(tn_gemm *g) {
    enum { M = 33, N = 77, K = 50 };
    static const tn_act acts[] = {TN_ACT_NONE, TN_ACT_RELU, TN_ACT_GELU, TN_ACT_GELU_TANH,
                                  TN_ACT_SILU};
    tn_rng rng = tn_rng_init(6, 0);
    matrix a = matrix_new(M, K, TN_F32, 1, 0), b = matrix_new(K, N, TN_F32, 0, 0);
    matrix c = matrix_new(M, N, TN_F32, 1, 0), r = matrix_new(M, N, TN_F32, 2, 0);
    matrix bias = matrix_new(1, N, TN_F32, 0, 0);
    matrix_fill(&a, &rng), matrix_fill(&b, &rng), matrix_fill(&r, &rng), matrix_fill(&bias, &rng);
    for (size_t s = 0; s < 5; s++)
        for (int in_place = 0; in_place < 2; in_place++) {
            for (size_t i = 0; i < M; i++)
                for (size_t j = 0; j < N; j++) matrix_set(&c, i, j, matrix_get(&r, i, j));
            const matrix *residual = in_place ? &c : &r;
            tn_epilogue e = {.bias = bias.mat.data,
                             .act = acts[s],
                             .residual = residual->mat.data,
                             .ld_residual = residual->mat.ld};
            tn_gemm_args args = {.m = M,
                                 .n = N,
                                 .k = K,
                                 .a = a.mat,
                                 .b = b.mat,
                                 .c = matrix_at(&c, 0, 0),
                                 .c_type = TN_F32,
                                 .ldc = c.mat.ld,
                                 .alpha = 1,
                                 .epilogue = &e};
            tern_error err;
            CHECK_OK(tn_gemm_run(g, &args, &err), err);
            for (size_t i = 0; i < M; i++)
                for (size_t j = 0; j < N; j++) {
                    double mag, x = naive_dot(&a, &b, i, j, K, false, &mag);
                    x += matrix_get(&bias, 0, j);
                    double y =
                        acts[s] == TN_ACT_RELU   ? fmax(x, 0)
                        : acts[s] == TN_ACT_GELU ? x * .5 * erfc(-x * sqrt(.5))
                        : acts[s] == TN_ACT_GELU_TANH
                            ? .5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + .044715 * x * x * x)))
                        : acts[s] == TN_ACT_SILU ? x / (1 + exp(-x))
                                                 : x;
                    CHECK_NEAR(matrix_get(&c, i, j), y + matrix_get(&r, i, j), 1e-5);
                }
            matrix_check_canaries(&c);
        }
    matrix_free(&a), matrix_free(&b), matrix_free(&c), matrix_free(&r), matrix_free(&bias);
}
TEST(epilogues_add_bias_activate_and_add_the_residual) {
    for_each_set(check_epilogue);
}

static void check_batch(tn_gemm *g) {
    enum { BATCH = 7, M = 17, N = 33, K = 64 };
    tn_rng rng = tn_rng_init(7, 0);
    matrix a = matrix_new(BATCH * M, K, TN_BF16, 0, 0), b = matrix_new(BATCH * N, K, TN_BF16, 1, 0);
    matrix c = matrix_new(BATCH * M, N, TN_F32, 1, 0);
    matrix_fill(&a, &rng), matrix_fill(&b, &rng);
    tn_gemm_args args = {.m = M,
                         .n = N,
                         .k = K,
                         .a = a.mat,
                         .b = b.mat,
                         .c = matrix_at(&c, 0, 0),
                         .c_type = TN_F32,
                         .ldc = c.mat.ld,
                         .alpha = 1};
    args.b.trans = true;
    tern_error err;
    CHECK_OK(tn_gemm_run_batch(g, &args, BATCH, M * a.mat.ld, N * b.mat.ld, M * c.mat.ld, &err),
             err);
    for (size_t i = 0; i < BATCH * M; i++)
        for (size_t j = 0; j < N; j++) {
            double want = 0;
            for (size_t l = 0; l < K; l++)
                want += matrix_get(&a, i, l) * matrix_get(&b, i / M * N + j, l);
            CHECK_NEAR(matrix_get(&c, i, j), want, 1e-5);
        }
    matrix_check_canaries(&c);
    matrix_free(&a), matrix_free(&b), matrix_free(&c);
}
TEST(a_batch_is_its_products_one_by_one) {
    for_each_set(check_batch);
}

TEST(the_id_names_the_set_and_the_table_names_every_kernel) {
    size_t n;
    const tn_gemm_class *table = tn_gemm_table(&n);
    const char *set = tn_gemm_set_get()->name;
    CHECK(strncmp(tn_gemm_id(), set, strlen(set)) == 0);
    CHECK_EQ(strlen(tn_gemm_id()), strlen(set) + 9); /* -xxxxxxxx */
    CHECK(n > 0);
    for (size_t i = 0; i < n; i++) CHECK(*table[i].kernel);
}

TEST(wrong_arguments_are_refused_with_a_reason) {
    tn_gemm *g;
    tern_error err;
    CHECK_OK(tn_gemm_new(NULL, &g, &err), err);
    float x[4] = {0};
    tn_gemm_args good = {.m = 2,
                         .n = 2,
                         .k = 2,
                         .a = {x, TN_F32, 2, false},
                         .b = {x, TN_F32, 2, false},
                         .c = x,
                         .c_type = TN_F32,
                         .ldc = 2,
                         .alpha = 1};
    tn_gemm_args bad = good;
    bad.a.ld = 1;
    CHECK_EQ(tn_gemm_run(g, &bad, &err), TERN_ERR_ARG);
    CHECK_HAS(err.text, "rows of A have 2 elements");
    bad = good, bad.a.dtype = TN_I32;
    CHECK_EQ(tn_gemm_run(g, &bad, &err), TERN_ERR_ARG);
    bad = good, bad.b.dtype = TN_F64;
    CHECK_EQ(tn_gemm_run(g, &bad, &err), TERN_ERR_ARG);
    CHECK_HAS(err.text, "f64");
    bad = good, bad.accumulate = true, bad.c_type = TN_BF16;
    CHECK_EQ(tn_gemm_run(g, &bad, &err), TERN_ERR_ARG);
    bad = good, bad.ldc = 1;
    CHECK_EQ(tn_gemm_run(g, &bad, &err), TERN_ERR_ARG);
    tn_gemm_free(g);
}

TEST_MAIN
