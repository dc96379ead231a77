/* Claims about the reference row kernels: the double table's backward forms are the slopes of its
 * forward forms, and the f32 table is the double table rounded. */
#include "core/base/rng.h"
#include "core/kernels/kernels.h"
#include "tests/test.h"

enum { N = 10 };

typedef struct rows {
    double x[N], up[N], weight[N], bias[N], dy[N], y[N];
} rows;

static rows random_rows(uint64_t stream) {
    rows r;
    tn_rng rng = tn_rng_init(11, stream);
    for (size_t i = 0; i < sizeof r / sizeof(double); i++) (&r.x[0])[i] = tn_rng_normal(&rng);
    return r;
}

/* <dy, f(x)> for the forward form under test, as a function of everything it reads. */
typedef double loss_fn(const tn_kernels_f64 *k, rows *r, int kind);

static double inner(const rows *r) {
    double s = 0;
    for (int i = 0; i < N; i++) s += r->dy[i] * r->y[i];
    return s;
}

static double slope(const tn_kernels_f64 *k, loss_fn *loss, rows *r, int kind, double *at) {
    const double h = 1e-5, x = *at;
    *at = x + h;
    double above = loss(k, r, kind);
    *at = x - h;
    double below = loss(k, r, kind);
    *at = x;
    return (above - below) / (2 * h);
}

static double loss_act(const tn_kernels_f64 *k, rows *r, int kind) {
    k->act((tn_act)kind, r->y, r->x, N);
    return inner(r);
}

TEST(act_backward_is_the_slope_of_act) {
    const tn_kernels_f64 *k = tn_kernels_f64_get();
    for (int kind = TN_ACT_NONE; kind <= TN_ACT_SILU; kind++) {
        rows r = random_rows(1);
        double dx[N] = {0};
        k->act_backward((tn_act)kind, dx, r.dy, r.x, N);
        for (int i = 0; i < N; i++) CHECK_NEAR(dx[i], slope(k, loss_act, &r, kind, &r.x[i]), 1e-8);
    }
}

static double loss_glu(const tn_kernels_f64 *k, rows *r, int kind) {
    k->glu((tn_act)kind, r->y, r->x, r->up, N);
    return inner(r);
}

TEST(glu_backward_is_the_slope_of_glu) {
    const tn_kernels_f64 *k = tn_kernels_f64_get();
    for (int kind = TN_ACT_NONE; kind <= TN_ACT_SILU; kind++) {
        rows r = random_rows(2);
        double dgate[N] = {0}, dup[N] = {0};
        k->glu_backward((tn_act)kind, dgate, dup, r.dy, r.x, r.up, N);
        for (int i = 0; i < N; i++) {
            CHECK_NEAR(dgate[i], slope(k, loss_glu, &r, kind, &r.x[i]), 1e-8);
            CHECK_NEAR(dup[i], slope(k, loss_glu, &r, kind, &r.up[i]), 1e-8);
        }
    }
}

static double loss_softmax(const tn_kernels_f64 *k, rows *r, int kind) {
    (void)kind;
    k->softmax(r->y, r->x, N);
    return inner(r);
}

TEST(softmax_backward_is_the_slope_of_softmax) {
    const tn_kernels_f64 *k = tn_kernels_f64_get();
    rows r = random_rows(3);
    double dx[N] = {0}, y[N];
    double lse = k->softmax(y, r.x, N), total = 0;
    for (int i = 0; i < N; i++) total += exp(r.x[i]);
    CHECK_NEAR(lse, log(total), 1e-12);
    CHECK_NEAR(k->log_sum_exp(r.x, N), log(total), 1e-12);
    k->softmax_backward(dx, r.dy, y, N);
    for (int i = 0; i < N; i++) CHECK_NEAR(dx[i], slope(k, loss_softmax, &r, 0, &r.x[i]), 1e-8);
}

static double loss_norm(const tn_kernels_f64 *k, rows *r, int layer) {
    double mean, rstd;
    if (layer)
        k->layer_norm(r->y, r->x, r->weight, r->bias, 1e-6, N, &mean, &rstd);
    else
        k->rms_norm(r->y, r->x, r->weight, 1, 1e-6, N);
    return inner(r);
}

TEST(norm_backward_is_the_slope_of_the_norm) {
    const tn_kernels_f64 *k = tn_kernels_f64_get();
    for (int layer = 0; layer < 2; layer++) {
        rows r = random_rows(4);
        double dx[N] = {0}, dw[N] = {0}, db[N] = {0}, mean, rstd;
        if (layer) {
            k->layer_norm(r.y, r.x, r.weight, r.bias, 1e-6, N, &mean, &rstd);
            k->layer_norm_backward(dx, dw, db, r.dy, r.x, r.weight, mean, rstd, N);
        } else {
            rstd = k->rms_norm(r.y, r.x, r.weight, 1, 1e-6, N);
            k->rms_norm_backward(dx, dw, r.dy, r.x, r.weight, 1, rstd, N);
        }
        for (int i = 0; i < N; i++) {
            CHECK_NEAR(dx[i], slope(k, loss_norm, &r, layer, &r.x[i]), 1e-7);
            CHECK_NEAR(dw[i], slope(k, loss_norm, &r, layer, &r.weight[i]), 1e-7);
            if (layer) CHECK_NEAR(db[i], slope(k, loss_norm, &r, layer, &r.bias[i]), 1e-7);
        }
    }
}

TEST(rope_turns_pairs_and_inverse_turns_them_back) {
    const tn_kernels_f64 *k = tn_kernels_f64_get();
    rows r = random_rows(5);
    double x[N], cosines[N / 2], sines[N / 2];
    for (int i = 0; i < N / 2; i++) cosines[i] = cos(r.up[i]), sines[i] = sin(r.up[i]);
    memcpy(x, r.x, sizeof x);
    k->rope(x, cosines, sines, N, false);
    for (int i = 0; i < N / 2; i++) {
        double radius = hypot(r.x[i], r.x[i + N / 2]), angle = atan2(r.x[i + N / 2], r.x[i]);
        CHECK_NEAR(x[i], radius * cos(angle + r.up[i]), 1e-12);
        CHECK_NEAR(x[i + N / 2], radius * sin(angle + r.up[i]), 1e-12);
    }
    k->rope(x, cosines, sines, N, true);
    for (int i = 0; i < N; i++) CHECK_NEAR(x[i], r.x[i], 1e-12);
}

TEST(adamw_first_step_moves_by_the_learning_rate_and_decays) {
    const tn_kernels_f64 *k = tn_kernels_f64_get();
    double w[2] = {1, -2}, g[2] = {3, -0.5}, m[2] = {0}, v[2] = {0};
    tn_adamw_args a = {.lr = 0.125f,
                       .beta1 = 0.5f,
                       .beta2 = 0.75f,
                       .weight_decay = 0.25f,
                       .correction1 = 0.5f,
                       .correction2 = 0.25f,
                       .grad_scale = 2};
    k->adamw(w, g, m, v, &a, 2);
    CHECK_NEAR(w[0], 1 - 0.125 * (1 + 0.25), 1e-12);
    CHECK_NEAR(w[1], -2 - 0.125 * (-1 - 0.5), 1e-12);
    CHECK_NEAR(m[0], 3, 1e-12);
    CHECK_NEAR(v[0], 9, 1e-12);
}

TEST(a_row_of_minus_infinity_gives_zeros) {
    const tn_kernels *k = tn_kernels_of(TN_CPU_REF);
    float x[3] = {-INFINITY, -INFINITY, -INFINITY}, y[3];
    CHECK(k->softmax(y, x, 3) == -INFINITY);
    for (int i = 0; i < 3; i++) CHECK(y[i] == 0);
    x[1] = NAN;
    CHECK(isnan(k->softmax(y, x, 3)) && isnan(y[0]));
    x[1] = INFINITY;
    CHECK(isnan(k->softmax(y, x, 3)) && isnan(y[2]));
    x[1] = -3;
    CHECK(k->softmax(y, x, 3) == -3);
    CHECK(y[0] == 0 && y[1] == 1);
}

TEST(the_table_in_use_is_capped_by_the_environment) {
    const tn_kernels *k = tn_kernels_get();
    CHECK(k == tn_kernels_of(tn_cpu_get()->used));
    CHECK(k->level <= tn_cpu_get()->used);
    CHECK(tn_kernels_of(TN_CPU_REF)->level == TN_CPU_REF);
}

TEST_MAIN
