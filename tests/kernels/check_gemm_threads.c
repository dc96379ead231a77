/* check_gemm_threads.c - the same bits with one, two and three threads: every set of kernels that
 * is here, every type and transpose, on odd shapes, plain, in batches and with packed weights. */
#include "tests/kernels/gemm_trial.h"

enum { N_SHAPES = 200, N_POOLS = 3 };

static tn_gemm *workers[N_POOLS];
static tn_pool *pools[N_POOLS];

static void start(const tn_gemm_set *set) {
    tern_error err;
    for (int i = 0; i < N_POOLS; i++) {
        CHECK_OK(tn_pool_new(i + 1, &pools[i], &err), err);
        CHECK_OK(tn_gemm_new(pools[i], &workers[i], &err), err);
        workers[i]->set = set;
    }
}

static void stop(void) {
    for (int i = 0; i < N_POOLS; i++) {
        tn_gemm_free(workers[i]);
        tn_pool_free(pools[i]);
    }
}

static void check_same(size_t number, size_t m, size_t n, size_t k, tn_rng *rng) {
    trial t = random_trial(m, n, k, rng);
    t.ta = kinds[number % N_KINDS].a, t.tb = kinds[number % N_KINDS].b;
    t.tc = kinds[number % N_KINDS].c, t.bf16 = kinds[number % N_KINDS].bf16;
    t.trans_a = number / N_KINDS & 1, t.trans_b = number / N_KINDS >> 1 & 1;
    t.accumulate = t.accumulate && t.tc == TN_F32;
    matrix a = matrix_new(t.trans_a ? k : m, t.trans_a ? m : k, t.ta, t.pad, 0);
    matrix b = matrix_new(t.trans_b ? n : k, t.trans_b ? k : n, t.tb, t.pad, 0);
    matrix c[N_POOLS];
    matrix_fill(&a, rng), matrix_fill(&b, rng);
    a.mat.trans = t.trans_a, b.mat.trans = t.trans_b;
    uint64_t before = rng->n;
    for (int i = 0; i < N_POOLS; i++) {
        c[i] = matrix_new(m, n, t.tc, t.pad, 0);
        rng->n = before;
        matrix_fill(&c[i], rng);
        tn_gemm_args args = {.m = m,
                             .n = n,
                             .k = k,
                             .a = a.mat,
                             .b = b.mat,
                             .c = matrix_at(&c[i], 0, 0),
                             .c_type = t.tc,
                             .ldc = c[i].mat.ld,
                             .alpha = t.alpha,
                             .accumulate = t.accumulate,
                             .bf16 = t.bf16};
        tern_error err;
        CHECK_OK(tn_gemm_run(workers[i], &args, &err), err);
        if (memcmp(c[0].mat.data, c[i].mat.data, c[0].n_bytes) != 0)
            FAIL("%s %zux%zux%zu kind %zu trans %d %d: bits differ with %d threads",
                 workers[i]->set->name, m, n, k, number % N_KINDS, t.trans_a, t.trans_b, i + 1);
    }
    matrix_free(&a), matrix_free(&b);
    for (int i = 0; i < N_POOLS; i++) matrix_free(&c[i]);
}

static void check_same_weight(tn_weight_format format, size_t m, size_t n, size_t k, tn_rng *rng) {
    matrix w = matrix_new(n, k, TN_F32, 0, 0), x = matrix_new(m, k, TN_F32, 0, 0), y[N_POOLS];
    matrix_fill(&w, rng), matrix_fill(&x, rng);
    for (int i = 0; i < N_POOLS; i++) {
        tern_error err;
        tn_weight *packed;
        y[i] = matrix_new(m, n, TN_F32, 0, 0);
        CHECK_OK(tn_weight_new_for(workers[i]->set, pools[i], w.mat.data, TN_F32, n, k, k, format,
                                   &packed, &err),
                 err);
        CHECK_OK(tn_weight_mul(workers[i], packed, x.mat, m, matrix_at(&y[i], 0, 0), n, NULL, false,
                               &err),
                 err);
        tn_weight_free(packed);
        CHECK(memcmp(y[0].mat.data, y[i].mat.data, y[0].n_bytes) == 0);
    }
    matrix_free(&w), matrix_free(&x);
    for (int i = 0; i < N_POOLS; i++) matrix_free(&y[i]);
}

TEST(bits_do_not_depend_on_the_number_of_threads) {
    size_t n_sets;
    const tn_gemm_set *const *sets = tn_gemm_sets(&n_sets);
    tn_rng rng = tn_rng_init(9, 0);
    for (size_t s = 0; s < n_sets; s++) {
        if (!sets[s]->is_here(tn_cpu_get())) continue;
        start(sets[s]);
        for (size_t i = 0; i < N_SHAPES; i++)
            check_same(i, 1 + 2 * tn_rng_below(&rng, 90), 1 + 2 * tn_rng_below(&rng, 170),
                       1 + 2 * tn_rng_below(&rng, 150), &rng);
        check_same(0, 33, 777, 1000, &rng);
        check_same(1, 1000, 33, 777, &rng);
        check_same(2, 33, 1000, 777, &rng);
        for (int f = TN_WEIGHT_F32; f <= TN_WEIGHT_I8_GROUP; f++)
            for (size_t m = 1; m < 200; m += 37)
                check_same_weight((tn_weight_format)f, m, 301, 333, &rng);
        stop();
    }
}

TEST_MAIN
