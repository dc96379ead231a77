/* Claims about attention: against the plain double form, for every mask, forward and backward. */
#include "core/base/pool.h"
#include "core/base/rng.h"
#include "core/kernels/attention.h"
#include "tests/test.h"
#include <sys/resource.h>

#include "core/base/mem.h"

enum { N_TENSORS = 9 };
enum { Q, K, V, O, LSE, DO, DQ, DK, DV };

typedef struct problem {
    tn_attention_shape s;
    size_t n_tokens, size[N_TENSORS];
    float *f[N_TENSORS];
    double *d[N_TENSORS];
} problem;

/* Random operands; gradients start from random values too, since backward accumulates. */
static problem problem_new(tn_attention_shape s, uint64_t seed) {
    problem p = {.s = s, .n_tokens = (size_t)s.seq_begin[s.n_seqs]};
    if (!p.s.q_stride) p.s.q_stride = s.n_heads * s.head_dim;
    if (!p.s.kv_stride) p.s.kv_stride = s.n_kv_heads * s.head_dim;
    tn_rng rng = tn_rng_init(seed, 0);
    for (int t = 0; t < N_TENSORS; t++) {
        bool kv = t == K || t == V || t == DK || t == DV;
        size_t width = t == LSE ? s.n_heads : kv ? p.s.kv_stride : p.s.q_stride;
        p.size[t] = p.n_tokens * width;
        p.f[t] = tn_calloc(p.size[t], sizeof(float));
        p.d[t] = tn_calloc(p.size[t], sizeof(double));
        CHECK(p.f[t] && p.d[t]);
        for (size_t i = 0; i < p.size[t]; i++)
            p.d[t][i] = p.f[t][i] = (float)tn_rng_normal(&rng) * (t == Q ? 2 : 1);
    }
    return p;
}

static void problem_free(problem *p) {
    for (int t = 0; t < N_TENSORS; t++) {
        tn_free(p->f[t]);
        tn_free(p->d[t]);
    }
}

static void run_f32(tn_pool *pool, problem *p) {
    tern_error e;
    float **f = p->f;
    CHECK_OK(tn_attention(pool, &p->s, f[Q], f[K], f[V], f[O], f[LSE], &e), e);
    CHECK_OK(tn_attention_backward(pool, &p->s, f[Q], f[K], f[V], f[O], f[LSE], f[DO], f[DQ], f[DK],
                                   f[DV], &e),
             e);
}

static void run_f64(problem *p) {
    tern_error e;
    double **d = p->d;
    CHECK_OK(tn_attention_f64(NULL, &p->s, d[Q], d[K], d[V], d[O], d[LSE], &e), e);
    CHECK_OK(tn_attention_backward_f64(NULL, &p->s, d[Q], d[K], d[V], d[O], d[LSE], d[DO], d[DQ],
                                       d[DK], d[DV], &e),
             e);
}

static void check_same(const problem *p, double tolerance) {
    static const char *const names[] = {"q", "k", "v", "o", "lse", "do", "dq", "dk", "dv"};
    for (int t = 0; t < N_TENSORS; t++)
        for (size_t i = 0; i < p->size[t]; i++) {
            double want = p->d[t][i], got = (double)p->f[t][i];
            if (!(fabs(got - want) <= tolerance * (1 + fabs(want))))
                FAIL("%s[%zu] is %.9g, expected %.9g (head_dim %zu, window %zu, causal %d)",
                     names[t], i, got, want, p->s.head_dim, p->s.window, p->s.causal);
        }
}

static const int32_t packed[] = {0, 1, 1, 18, 82, 147, 340}; /* lengths 1, 0, 17, 64, 65, 193 */

static tn_attention_shape base_shape(size_t head_dim) {
    return (tn_attention_shape){.n_seqs = 6,
                                .seq_begin = packed,
                                .n_heads = 4,
                                .n_kv_heads = 2,
                                .head_dim = head_dim,
                                .scale = 1 / sqrtf((float)head_dim)};
}

TEST(every_mask_agrees_with_the_double_form) {
    static const size_t windows[] = {0, 1, 5, 64, 100, 1000};
    for (int causal = 0; causal < 2; causal++)
        for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
            for (int cap = 0; cap < 2; cap++) {
                tn_attention_shape s = base_shape(16);
                s.causal = causal;
                s.window = windows[w];
                s.softcap = cap ? 3 : 0;
                problem p = problem_new(s, 1);
                run_f32(NULL, &p);
                run_f64(&p);
                check_same(&p, 2e-5);
                problem_free(&p);
            }
}

TEST(any_head_dim_any_grouping_any_stride) {
    static const size_t dims[] = {1, 3, 8, 20, 48, 64, 80, 128, 200};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        tn_attention_shape s = base_shape(dims[i]);
        s.n_kv_heads = i % 3 == 0 ? 1 : i % 3 == 1 ? 2 : 4;
        s.causal = i % 2;
        s.q_stride = s.n_heads * dims[i] + i % 4;
        s.kv_stride = s.n_kv_heads * dims[i] + i % 5;
        problem p = problem_new(s, 2);
        run_f32(NULL, &p);
        run_f64(&p);
        check_same(&p, 3e-5);
        problem_free(&p);
    }
}

TEST(scores_far_apart_neither_overflow_nor_vanish) {
    tn_attention_shape s = base_shape(16);
    s.causal = true;
    s.scale = 30;
    problem p = problem_new(s, 3);
    run_f32(NULL, &p);
    run_f64(&p);
    for (size_t i = 0; i < p.size[O]; i++) CHECK_NEAR(p.f[O][i], p.d[O][i], 1e-2);
    for (size_t i = 0; i < p.size[DQ]; i++) CHECK(isfinite(p.f[DQ][i]));
    problem_free(&p);
}

TEST(the_bits_do_not_depend_on_the_number_of_threads) {
    tn_attention_shape s = base_shape(48);
    s.causal = true;
    problem want = problem_new(s, 4);
    run_f32(NULL, &want);
    for (int n = 2; n <= 3; n++) {
        tn_pool *pool;
        tern_error e;
        CHECK_OK(tn_pool_new(n, &pool, &e), e);
        problem got = problem_new(s, 4);
        run_f32(pool, &got);
        for (int t = 0; t < N_TENSORS; t++)
            CHECK(memcmp(got.f[t], want.f[t], want.size[t] * sizeof(float)) == 0);
        problem_free(&got);
        tn_pool_free(pool);
    }
    problem_free(&want);
}

/* The double form is the yardstick, so its own gradient is held against differences of its loss
 * sum(o * do). */
static double loss_of(const problem *p) {
    double *o = tn_calloc(p->size[O], sizeof *o), total = 0;
    tern_error e;
    CHECK_OK(tn_attention_f64(NULL, &p->s, p->d[Q], p->d[K], p->d[V], o, NULL, &e), e);
    for (size_t i = 0; i < p->size[O]; i++) total += o[i] * p->d[DO][i];
    tn_free(o);
    return total;
}

TEST(the_double_gradient_is_the_slope_of_the_loss) {
    static const int32_t begin[] = {0, 9, 14};
    for (int causal = 0; causal < 2; causal++) {
        tn_attention_shape s = {.n_seqs = 2,
                                .seq_begin = begin,
                                .n_heads = 4,
                                .n_kv_heads = 2,
                                .head_dim = 5,
                                .causal = causal,
                                .window = causal ? 0 : 4,
                                .softcap = causal ? 2 : 0,
                                .scale = 0.4f};
        problem p = problem_new(s, 5);
        for (int t = DQ; t <= DV; t++) memset(p.d[t], 0, p.size[t] * sizeof(double));
        run_f64(&p);
        for (int t = Q; t <= V; t++)
            for (size_t i = 0; i < p.size[t]; i++) {
                const double h = 1e-5, x = p.d[t][i];
                p.d[t][i] = x + h;
                double above = loss_of(&p);
                p.d[t][i] = x - h;
                double below = loss_of(&p);
                p.d[t][i] = x;
                CHECK_NEAR(p.d[DQ + t][i], (above - below) / (2 * h), 1e-7);
            }
        problem_free(&p);
    }
}

/* All scores of 8192 queries and keys would take 256 MiB. */
TEST(memory_does_not_grow_with_the_square_of_the_length) {
    static const int32_t begin[] = {0, 8192};
    tn_attention_shape s = {.n_seqs = 1,
                            .seq_begin = begin,
                            .n_heads = 1,
                            .n_kv_heads = 1,
                            .head_dim = 16,
                            .causal = true,
                            .window = 1024,
                            .scale = 0.25f};
    problem p = problem_new(s, 8);
    struct rusage before, after;
    CHECK(getrusage(RUSAGE_SELF, &before) == 0);
    run_f32(NULL, &p);
    CHECK(getrusage(RUSAGE_SELF, &after) == 0);
    CHECK(after.ru_maxrss - before.ru_maxrss < 16 * 1024); /* KiB */
    problem_free(&p);
}

TEST(shapes_that_do_not_fit_are_refused) {
    tern_error e;
    tn_attention_shape s = base_shape(16);
    float x = 0;
    s.q_stride = 64, s.kv_stride = 16;
    CHECK_EQ(tn_attention(NULL, &s, &x, &x, &x, &x, NULL, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "strides");
    s.kv_stride = 32, s.n_kv_heads = 3;
    CHECK_EQ(tn_attention(NULL, &s, &x, &x, &x, &x, NULL, &e), TERN_ERR_ARG);
    s.n_kv_heads = 2, s.head_dim = 0;
    CHECK_EQ(tn_attention(NULL, &s, &x, &x, &x, &x, NULL, &e), TERN_ERR_ARG);
}

TEST(a_failed_allocation_is_an_error) {
    tern_error e;
    problem p = problem_new(base_shape(16), 6);
    float **f = p.f;
    tn_mem_fail_after(0, 1);
    tern_status forward = tn_attention(NULL, &p.s, f[Q], f[K], f[V], f[O], f[LSE], &e);
    tern_status backward = tn_attention_backward(NULL, &p.s, f[Q], f[K], f[V], f[O], f[LSE], f[DO],
                                                 f[DQ], f[DK], f[DV], &e);
    tn_mem_fail_after(-1, 0);
    CHECK_EQ(forward, TERN_ERR_NOMEM);
    CHECK_EQ(backward, TERN_ERR_NOMEM);
    problem_free(&p);
}

TEST_MAIN
