/* Claims about trainer/grpo. */
#include "core/base/rng.h"
#include "tests/test.h"
#include "trainer/grpo.h"

TEST(advantages_match_hand_computed_groups) {
    double r[4] = {1, 0, 0, 1}, a[4];
    CHECK(tn_group_advantages(TN_ADV_GRPO, r, 4, 1e-3, a));
    CHECK_NEAR(a[0], 0.5 / (sqrt(1.0 / 3) + 1e-6), 1e-12);
    CHECK_NEAR(a[1], -a[0], 1e-12);
    CHECK(tn_group_advantages(TN_ADV_RLOO, r, 4, 1e-3, a));
    CHECK_NEAR(a[0], 1 - 1.0 / 3, 1e-12);
    CHECK_NEAR(a[1], 0 - 2.0 / 3, 1e-12);
}

TEST(a_group_without_spread_is_dropped) {
    double r[3] = {0.5, 0.5, 0.5 + 1e-5}, a[3] = {9, 9, 9};
    CHECK(!tn_group_advantages(TN_ADV_GRPO, r, 3, 1e-3, a));
    CHECK(a[0] == 0 && a[1] == 0 && a[2] == 0);
    CHECK(!tn_group_advantages(TN_ADV_GRPO, r, 1, 0, a));
}

/* Loss of one action as a function of its logits, for the numeric gradient. */
static double loss_at(const float *logits, size_t n, size_t chosen, double lref, double adv,
                      double beta, double temp) {
    double p[16], g[16] = {0};
    double l = tn_softmax_logprob(logits, n, chosen, temp, p);
    return tn_grpo_action(p, n, chosen, l, lref, adv, beta, temp, 1, g);
}

TEST(gradient_of_an_action_matches_signed_central_differences) {
    tn_rng r = tn_rng_init(3, 1);
    for (int round = 0; round < 200; round++) {
        size_t n = 2 + tn_rng_below(&r, 10), chosen = tn_rng_below(&r, n);
        float x[16];
        double p[16], g[16] = {0};
        for (size_t j = 0; j < n; j++) x[j] = (float)tn_rng_normal(&r);
        double lref = -3 * tn_rng_uniform(&r), adv = tn_rng_normal(&r);
        double beta = tn_rng_uniform(&r), temp = 0.5 + tn_rng_uniform(&r);
        double l = tn_softmax_logprob(x, n, chosen, temp, p);
        tn_grpo_action(p, n, chosen, l, lref, adv, beta, temp, 1, g);
        for (size_t j = 0; j < n; j++) {
            float h = 1.0f / 1024, keep = x[j];
            x[j] = keep + h;
            float up = x[j];
            double a = loss_at(x, n, chosen, lref, adv, beta, temp);
            x[j] = keep - h;
            double b = loss_at(x, n, chosen, lref, adv, beta, temp);
            double numeric = (a - b) / ((double)up - x[j]);
            x[j] = keep;
            CHECK_NEAR(g[j], numeric, 2e-5 * (1 + fabs(numeric)));
        }
    }
}

TEST(adam_first_step_moves_by_the_learning_rate_against_the_sign) {
    double x[2] = {1, 1}, g[2] = {0.3, -0.001}, m[2] = {0}, v[2] = {0};
    tn_adam o = tn_adam_defaults();
    double norm = tn_adam_step(&o, 1, x, g, m, v, 2);
    CHECK_NEAR(norm, sqrt(0.09 + 1e-6), 1e-12);
    CHECK_NEAR(x[0], 1 - 0.01, 1e-8);
    CHECK_NEAR(x[1], 1 + 0.01, 1e-6);
}

TEST(policy_gradient_finds_the_better_arm) {
    double x[3] = {0, 0, 0}, m[3] = {0}, v[3] = {0};
    tn_adam o = tn_adam_defaults();
    o.lr = 0.05;
    tn_rng r = tn_rng_init(11, 0);
    for (size_t step = 1; step <= 200; step++) {
        float logits[3] = {(float)x[0], (float)x[1], (float)x[2]};
        double p[3], reward[8], adv[8], grad[3] = {0};
        size_t pick[8];
        tn_softmax_logprob(logits, 3, 0, 1, p);
        for (int i = 0; i < 8; i++) {
            double u = tn_rng_uniform(&r);
            pick[i] = u < p[0] ? 0 : u < p[0] + p[1] ? 1 : 2;
            reward[i] = pick[i] == 2 ? 1 : 0.2 * tn_rng_uniform(&r);
        }
        if (!tn_group_advantages(TN_ADV_GRPO, reward, 8, 1e-3, adv)) continue;
        for (int i = 0; i < 8; i++) {
            double l = log(p[pick[i]]);
            tn_grpo_action(p, 3, pick[i], l, l, adv[i], 0, 1, 1.0 / 8, grad);
        }
        tn_adam_step(&o, step, x, grad, m, v, 3);
    }
    CHECK(x[2] > x[0] + 2 && x[2] > x[1] + 2);
}

TEST_MAIN
