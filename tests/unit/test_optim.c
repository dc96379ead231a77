/* test_optim.c - optimisers against torch 1.13, and what a step promises. Expected values of the
 * first tests: two parameters of 6 and 4 elements, value(i) and grad(i, step) as below, 5 steps. */
#include "core/graph/optim.h"
#include "tests/test.h"

#include "core/base/mem.h"

enum { N = 10 };

typedef struct bed {
    float w[N], g[N];
    tn_optim_param p[2];
    tern_optim *o;
} bed;

static float value(int i) {
    return (float)((i * 37) % 101 - 50) / 50;
}

static float grad(int i, int step) {
    return (float)((i * 53 + step * 29) % 89 - 44) / 44;
}

static void bed_init(bed *b, const tern_optim_opts *opts) {
    tern_error e;
    for (int i = 0; i < N; i++) b->w[i] = value(i < 6 ? i : i - 6);
    b->p[0] = (tn_optim_param){"a", b->w, b->g, 6, 2, {2, 3}, 1, 1};
    b->p[1] = (tn_optim_param){"b", b->w + 6, b->g + 6, 4, 1, {4}, 1, 1};
    CHECK_OK(tn_optim_new(opts, b->p, 2, NULL, &b->o, &e), e);
}

static double bed_run(bed *b, double lr, int n_steps) {
    tern_error e;
    double norm = 0;
    for (int s = 0; s < n_steps; s++) {
        for (int i = 0; i < N; i++) b->g[i] = i < 6 ? grad(i, s) : grad(i - 6, s + 7);
        CHECK_OK(tern_optim_step(b->o, lr, 1, &norm, &e), e);
    }
    return norm;
}

static void check_values(const bed *b, const float *expected) {
    for (int i = 0; i < N; i++) CHECK_NEAR(b->w[i], expected[i], 3e-7);
}

TEST(adamw_with_groups_moves_as_torch_does) {
    static const float torch[N] = {-0.944171846f,  -0.317223489f, 0.512191594f,  -0.801813781f,
                                   -0.0236928053f, 0.617715061f,  -0.994815052f, -0.276673704f,
                                   0.485051572f,   -0.767639518f};
    tern_optim_opts o = tern_optim_defaults(TERN_OPTIM_ADAMW);
    bed b;
    o.beta2 = 0.95f;
    o.weight_decay = 0.1f;
    bed_init(&b, &o);
    b.o->params[1].lr_scale = 0.5f; /* torch: lr 0.01, weight_decay 0 */
    b.o->params[1].no_decay = true;
    bed_run(&b, 0.02, 5);
    check_values(&b, torch);
    CHECK_EQ(tern_optim_n_steps(b.o), 5);
    tern_optim_free(b.o);
}

TEST(clipping_is_by_the_global_norm_as_in_torch) {
    static const float torch[N] = {-0.942364991f,  -0.316836089f, 0.50852716f,   -0.794081569f,
                                   -0.0292775184f, 0.623195708f,  -0.985635102f, -0.282237381f,
                                   0.480135441f,   -0.727827132f};
    tern_optim_opts o = tern_optim_defaults(TERN_OPTIM_ADAMW);
    bed b;
    o.beta2 = 0.95f;
    o.eps = 1e-3f;
    o.weight_decay = 0.1f;
    o.grad_norm_max = 0.5f;
    bed_init(&b, &o);
    CHECK_NEAR(bed_run(&b, 0.02, 5), 1.6270251274108887, 1e-6);
    check_values(&b, torch);
    tern_optim_free(b.o);
}

TEST(sgd_plain_with_momentum_and_nesterov_moves_as_torch_does) {
    static const float torch[3][N] = {
        {-0.991363645f, -0.290909111f, 0.490454525f, -0.788636386f, -0.0477272719f, 0.652727306f,
         -1.00772727f, -0.266818166f, 0.474090904f, -0.7645455f},
        {-0.915861547f, -0.324277729f, 0.501108229f, -0.772390664f, -0.0165280923f, 0.567796528f,
         -0.98774004f, -0.294090956f, 0.461771518f, -0.679990411f},
        {-0.906518936f, -0.34574616f, 0.504416883f, -0.755827546f, -0.00825563353f, 0.545768678f,
         -0.986873686f, -0.294558287f, 0.453013599f, -0.649383247f}};
    for (int k = 0; k < 3; k++) {
        tern_optim_opts o = tern_optim_defaults(TERN_OPTIM_SGD);
        bed b;
        o.momentum = k ? 0.9f : 0;
        o.nesterov = k == 2;
        o.weight_decay = k ? 0.1f : 0;
        bed_init(&b, &o);
        CHECK_EQ(tn_optim_n_moments(b.o), k > 0);
        bed_run(&b, 0.02, 5);
        check_values(&b, torch[k]);
        tern_optim_free(b.o);
    }
}

TEST(a_gradient_that_is_not_finite_is_named_and_changes_nothing) {
    tern_optim_opts o = tern_optim_defaults(TERN_OPTIM_ADAMW);
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    bed b;
    float before[N];
    tern_error e;
    double norm;
    bed_init(&b, &o);
    bed_run(&b, 0.1, 2);
    memcpy(before, b.w, sizeof before);
    for (int k = 0; k < 3; k++) {
        b.g[7] = bad[k];
        CHECK_EQ(tern_optim_step(b.o, 0.1, 1, &norm, &e), TERN_ERR_LIMIT);
        CHECK_HAS(e.text, "'b'");
        CHECK(!isfinite(norm));
        CHECK(memcmp(before, b.w, sizeof before) == 0);
        CHECK_EQ(tern_optim_n_steps(b.o), 2);
    }
    CHECK_EQ(tern_optim_step(b.o, NAN, 1, NULL, &e), TERN_ERR_ARG);
    tern_optim_free(b.o);
}

TEST(accumulated_gradients_are_scaled_before_they_are_clipped) {
    tern_optim_opts o = tern_optim_defaults(TERN_OPTIM_SGD);
    bed a, b;
    tern_error e;
    double norm_a, norm_b;
    o.grad_norm_max = 0.25f;
    bed_init(&a, &o);
    bed_init(&b, &o);
    for (int i = 0; i < N; i++) a.g[i] = grad(i, 1), b.g[i] = 4 * a.g[i];
    CHECK_OK(tern_optim_step(a.o, 0.1, 1, &norm_a, &e), e);
    CHECK_OK(tern_optim_step(b.o, 0.1, 0.25, &norm_b, &e), e);
    CHECK(norm_a == norm_b && memcmp(a.w, b.w, sizeof a.w) == 0);
    tern_optim_free(a.o);
    tern_optim_free(b.o);
}

TEST(a_parameter_of_learning_rate_zero_stays) {
    tern_optim_opts o = tern_optim_defaults(TERN_OPTIM_ADAMW);
    bed b;
    bed_init(&b, &o);
    b.o->params[0].lr_scale = 0;
    bed_run(&b, 0.1, 3);
    CHECK_NEAR(b.w[0], value(0), 0);
    CHECK(b.w[6] != value(0));
    tern_optim_free(b.o);
}

TEST(a_step_has_the_same_bits_for_any_number_of_threads) {
    enum { BIG = 100003 };
    float *w[2], *g = tn_alloc(BIG * sizeof *g);
    double norm[2];
    tern_error e;
    for (int i = 0; i < BIG; i++) g[i] = grad(i % 1000, i % 7);
    for (int k = 0; k < 2; k++) {
        tn_pool *pool;
        tern_optim *o;
        w[k] = tn_calloc(BIG, sizeof *w[k]);
        CHECK_OK(tn_pool_new(k ? 3 : 1, &pool, &e), e);
        tn_optim_param p[2] = {{"a", w[k], g, 70001, 1, {70001}, 1, 1},
                               {"b", w[k] + 70001, g + 70001, 30002, 1, {30002}, 1, 1}};
        tern_optim_opts opts = tern_optim_defaults(TERN_OPTIM_ADAMW);
        opts.grad_norm_max = 1;
        CHECK_OK(tn_optim_new(&opts, p, 2, pool, &o, &e), e);
        for (int s = 0; s < 3; s++) CHECK_OK(tern_optim_step(o, 0.1, 1, &norm[k], &e), e);
        tern_optim_free(o);
        tn_pool_free(pool);
    }
    CHECK(norm[0] == norm[1] && memcmp(w[0], w[1], BIG * sizeof *w[0]) == 0);
    tn_free(w[0]);
    tn_free(w[1]);
    tn_free(g);
}

TEST(options_and_parameters_out_of_range_are_refused) {
    tern_optim_opts o = tern_optim_defaults(TERN_OPTIM_ADAMW);
    float w[2] = {0}, g[2] = {0};
    tn_optim_param p = {"a", w, g, 2, 1, {3}, 1, 1};
    tern_optim *out;
    tern_error e;
    CHECK_EQ(tn_optim_new(&o, &p, 1, NULL, &out, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "'a'");
    p.dims[0] = 2;
    o.beta2 = 1;
    CHECK_EQ(tn_optim_new(&o, &p, 1, NULL, &out, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "beta2");
    o = tern_optim_defaults(TERN_OPTIM_SGD);
    o.weight_decay = NAN;
    CHECK_EQ(tn_optim_new(&o, &p, 1, NULL, &out, &e), TERN_ERR_ARG);
    CHECK(out == NULL);
}

TEST(rates_warm_up_in_a_line_and_fall_to_their_floor) {
    tern_lr s = {TERN_LR_COSINE, 1, 0.1, 10, 110};
    CHECK_NEAR(tern_lr_at(&s, 0), 0.1, 1e-15);
    CHECK_NEAR(tern_lr_at(&s, 9), 1, 0);
    CHECK_NEAR(tern_lr_at(&s, 59), 0.55, 1e-12); /* half way between steps 9 and 109 */
    CHECK_NEAR(tern_lr_at(&s, 109), 0.1, 0);
    CHECK_NEAR(tern_lr_at(&s, 100000), 0.1, 0);
    for (uint64_t t = 10; t < 110; t++) CHECK(tern_lr_at(&s, t) < tern_lr_at(&s, t - 1));
    s.kind = TERN_LR_LINEAR;
    CHECK_NEAR(tern_lr_at(&s, 34), 1 - 0.9 / 4, 1e-12);
    CHECK_NEAR(tern_lr_at(&s, 109), 0.1, 0);
    s.kind = TERN_LR_CONSTANT;
    CHECK_NEAR(tern_lr_at(&s, 4), 0.5, 1e-15);
    CHECK_NEAR(tern_lr_at(&s, 5000), 1, 0);
    s = (tern_lr){TERN_LR_LINEAR, 1, 0, 0, 5};
    CHECK_NEAR(tern_lr_at(&s, 0), 1, 0);
    CHECK_NEAR(tern_lr_at(&s, 2), 0.5, 0);
    CHECK_NEAR(tern_lr_at(&s, 4), 0, 0);
    s = (tern_lr){TERN_LR_COSINE, 1, 0, 8, 8}; /* nothing but warm-up */
    CHECK_NEAR(tern_lr_at(&s, 7), 1, 0);
    CHECK_NEAR(tern_lr_at(&s, 8), 1, 0);
}

TEST_MAIN
