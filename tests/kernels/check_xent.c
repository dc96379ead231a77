/* Claims about cross-entropy in tiles: it is the plain double form, forward and backward. */
#include "core/base/pool.h"
#include "core/base/rng.h"
#include "core/kernels/xent.h"
#include "tests/test.h"

#include "core/base/mem.h"

typedef struct problem {
    tn_xent_args f, d; /* the same numbers as float and as double */
    size_t n_h, n_w;
    float *fh, *fw, *fdh, *fdw, *floss, *flse, *fdloss;
    double *dh, *dw, *ddh, *ddw, *dloss_out, *dlse, *ddloss;
    int32_t *target;
} problem;

static void fill(tn_rng *rng, size_t n, double size, float **f, double **d) {
    *f = tn_calloc(n, sizeof **f);
    *d = tn_calloc(n, sizeof **d);
    CHECK(*f && *d);
    for (size_t i = 0; i < n; i++) (*d)[i] = (*f)[i] = (float)(size * tn_rng_normal(rng));
}

static problem problem_new(size_t n_tokens, size_t n_classes, size_t dim, float softcap,
                           float smoothing) {
    problem p = {0};
    tn_rng rng = tn_rng_init(17, n_tokens);
    size_t ld_h = dim + 3, ld_w = dim + 1;
    p.n_h = n_tokens * ld_h;
    p.n_w = n_classes * ld_w;
    fill(&rng, p.n_h, 1, &p.fh, &p.dh);
    fill(&rng, p.n_w, 0.7, &p.fw, &p.dw);
    fill(&rng, p.n_h, 1, &p.fdh, &p.ddh);
    fill(&rng, p.n_w, 1, &p.fdw, &p.ddw);
    fill(&rng, n_tokens, 1, &p.floss, &p.dloss_out);
    fill(&rng, n_tokens, 1, &p.flse, &p.dlse);
    fill(&rng, n_tokens, 1, &p.fdloss, &p.ddloss);
    p.target = tn_calloc(n_tokens, sizeof *p.target);
    CHECK(p.target);
    for (size_t t = 0; t < n_tokens; t++)
        p.target[t] = t % 7 == 3 ? TN_XENT_IGNORE : (int32_t)tn_rng_below(&rng, n_classes);
    p.f = (tn_xent_args){.n_tokens = n_tokens,
                         .n_classes = n_classes,
                         .dim = dim,
                         .h = p.fh,
                         .w = p.fw,
                         .ld_h = ld_h,
                         .ld_w = ld_w,
                         .type = TN_F32,
                         .target = p.target,
                         .softcap = softcap,
                         .smoothing = smoothing};
    p.d = p.f;
    p.d.h = p.dh, p.d.w = p.dw, p.d.type = TN_F64;
    return p;
}

static void problem_free(problem *p) {
    void *all[] = {p->fh, p->fw,  p->fdh, p->fdw,       p->floss, p->flse,   p->fdloss, p->dh,
                   p->dw, p->ddh, p->ddw, p->dloss_out, p->dlse,  p->ddloss, p->target};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) tn_free(all[i]);
}

static void run_f32(tn_pool *pool, problem *p) {
    tern_error e;
    tn_gemm *g;
    CHECK_OK(tn_gemm_new(pool, &g, &e), e);
    CHECK_OK(tn_xent(g, &p->f, p->floss, p->flse, &e), e);
    CHECK_OK(tn_xent_backward(g, &p->f, p->flse, p->fdloss, p->fdh, p->fdw, &e), e);
    tn_gemm_free(g);
}

static void check_near(const char *what, const float *got, const double *want, size_t n,
                       double tolerance) {
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= tolerance * (1 + fabs(want[i]))))
            FAIL("%s[%zu] is %.9g, expected %.9g", what, i, (double)got[i], want[i]);
}

TEST(tiles_agree_with_the_double_form) {
    static const size_t shapes[][3] = {
        {1, 1, 1}, {3, 7, 5}, {33, 2048, 8}, {515, 2100, 12}, {40, 4099, 16}};
    tern_error e;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int variant = 0; variant < 4; variant++) {
            problem p = problem_new(shapes[i][0], shapes[i][1], shapes[i][2], variant & 1 ? 2 : 0,
                                    variant & 2 ? 0.1f : 0);
            run_f32(NULL, &p);
            CHECK_OK(tn_xent(NULL, &p.d, p.dloss_out, p.dlse, &e), e);
            CHECK_OK(tn_xent_backward(NULL, &p.d, p.dlse, p.ddloss, p.ddh, p.ddw, &e), e);
            check_near("loss", p.floss, p.dloss_out, p.f.n_tokens, 5e-6);
            check_near("lse", p.flse, p.dlse, p.f.n_tokens, 5e-6);
            check_near("dh", p.fdh, p.ddh, p.n_h, 1e-5);
            check_near("dw", p.fdw, p.ddw, p.n_w, 1e-5);
            problem_free(&p);
        }
}

static double loss_of(problem *p) {
    tern_error e;
    double total = 0;
    CHECK_OK(tn_xent(NULL, &p->d, p->dloss_out, p->dlse, &e), e);
    for (size_t t = 0; t < p->d.n_tokens; t++) total += p->dloss_out[t] * p->ddloss[t];
    return total;
}

static double slope(problem *p, double *at) {
    const double h = 1e-5, x = *at;
    *at = x + h;
    double above = loss_of(p);
    *at = x - h;
    double below = loss_of(p);
    *at = x;
    return (above - below) / (2 * h);
}

TEST(the_double_gradient_is_the_slope_of_the_loss) {
    problem p = problem_new(5, 7, 4, 1.5f, 0.2f);
    tern_error e;
    memset(p.ddh, 0, p.n_h * sizeof *p.ddh);
    memset(p.ddw, 0, p.n_w * sizeof *p.ddw);
    (void)loss_of(&p);
    CHECK_OK(tn_xent_backward(NULL, &p.d, p.dlse, p.ddloss, p.ddh, p.ddw, &e), e);
    for (size_t i = 0; i < p.n_h; i++) CHECK_NEAR(p.ddh[i], slope(&p, &p.dh[i]), 1e-8);
    for (size_t i = 0; i < p.n_w; i++) CHECK_NEAR(p.ddw[i], slope(&p, &p.dw[i]), 1e-8);
    problem_free(&p);
}

TEST(the_bits_do_not_depend_on_the_number_of_threads) {
    problem want = problem_new(600, 2500, 24, 3, 0.1f);
    run_f32(NULL, &want);
    for (int n = 2; n <= 3; n++) {
        tn_pool *pool;
        tern_error e;
        CHECK_OK(tn_pool_new(n, &pool, &e), e);
        problem got = problem_new(600, 2500, 24, 3, 0.1f);
        run_f32(pool, &got);
        CHECK(memcmp(got.floss, want.floss, 600 * sizeof(float)) == 0);
        CHECK(memcmp(got.fdh, want.fdh, want.n_h * sizeof(float)) == 0);
        CHECK(memcmp(got.fdw, want.fdw, want.n_w * sizeof(float)) == 0);
        problem_free(&got);
        tn_pool_free(pool);
    }
    problem_free(&want);
}

TEST(bf16_products_stay_close) {
    problem p = problem_new(64, 500, 32, 0, 0), q = problem_new(64, 500, 32, 0, 0);
    q.f.bf16 = true;
    run_f32(NULL, &p);
    run_f32(NULL, &q);
    double worst = 0;
    for (size_t t = 0; t < 64; t++) worst = fmax(worst, fabs((double)(p.floss[t] - q.floss[t])));
    CHECK(worst > 0 && worst < 0.1);
    problem_free(&p);
    problem_free(&q);
}

TEST(a_target_out_of_range_is_named) {
    problem p = problem_new(4, 7, 4, 0, 0);
    tern_error e;
    p.target[2] = 7;
    CHECK_EQ(tn_xent(NULL, &p.d, p.dloss_out, p.dlse, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "token 2 is 7");
    p.target[2] = -1;
    CHECK_EQ(tn_xent(NULL, &p.f, p.floss, p.flse, &e), TERN_ERR_ARG);
    problem_free(&p);
}

TEST(every_failed_allocation_is_an_error) {
    problem p = problem_new(20, 30, 8, 2, 0.1f);
    tern_error e;
    tn_gemm *g;
    CHECK_OK(tn_gemm_new(NULL, &g, &e), e);
    tern_status st[2] = {TERN_ERR_NOMEM, TERN_ERR_NOMEM};
    for (int step = 0; step < 2; step++)
        for (int k = 0; st[step] != TERN_OK && k < 20; k++) {
            tn_mem_fail_after(k, 1);
            st[step] = step ? tn_xent_backward(g, &p.f, p.flse, p.fdloss, p.fdh, p.fdw, &e)
                            : tn_xent(g, &p.f, p.floss, p.flse, &e);
            tn_mem_fail_after(-1, 0);
            CHECK(st[step] == TERN_OK || st[step] == TERN_ERR_NOMEM);
        }
    CHECK_EQ(st[0], TERN_OK);
    CHECK_EQ(st[1], TERN_OK);
    tn_gemm_free(g);
    problem_free(&p);
}

TEST_MAIN
