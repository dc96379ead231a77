/* test_lm_sample.c - drawing tokens. */
#include "core/lm/sample.h"
#include "tests/test.h"

enum { N = 6 };
static const float logits[N] = {1.0f, 3.0f, 0.5f, 3.0f, -INFINITY, 2.0f};
static float scratch[2 * N];

/* Share of each token in n draws; -1 on a wrong log-probability. */
static void shares(tn_sample_opts o, double *out) {
    double total = 0;
    tn_rng rng = tn_rng_init(1, 2);
    for (int i = 0; i < N; i++) total += exp(logits[i]);
    memset(out, 0, N * sizeof *out);
    for (int i = 0; i < 20000; i++) {
        float lp;
        int32_t t = tn_sample(logits, N, &o, &rng, scratch, &lp);
        CHECK(t >= 0 && t < N);
        CHECK_NEAR(lp, logits[t] - log(total), 1e-5);
        out[t] += 1.0 / 20000;
    }
}

TEST(temperature_zero_takes_the_lowest_of_the_best) {
    tn_rng rng = tn_rng_init(1, 1);
    float lp;
    CHECK_EQ(tn_sample(logits, N, &(tn_sample_opts){.top_p = 1}, &rng, scratch, &lp), 1);
    CHECK_EQ(rng.n, 0);
}

TEST(draws_follow_the_softmax_at_the_temperature) {
    double p[N], total = 0;
    for (int i = 0; i < N; i++) total += exp(logits[i] / 2);
    shares((tn_sample_opts){.temperature = 2, .top_p = 1}, p);
    for (int i = 0; i < N; i++) CHECK_NEAR(p[i], exp(logits[i] / 2) / total, 0.012);
    CHECK(p[4] == 0);
}

TEST(top_k_keeps_the_k_likeliest_and_the_lower_id_of_equals) {
    double p[N];
    shares((tn_sample_opts){.temperature = 1, .top_p = 1, .top_k = 1}, p);
    CHECK_NEAR(p[1], 1, 1e-9);
    shares((tn_sample_opts){.temperature = 1, .top_p = 1, .top_k = 3}, p);
    CHECK(p[1] > 0 && p[3] > 0 && p[5] > 0 && p[0] == 0);
    CHECK_NEAR(p[5], exp(2) / (2 * exp(3) + exp(2)), 0.012);
}

TEST(top_p_keeps_the_smallest_set_that_reaches_it) {
    /* probabilities: .385 .385 .142 .052 .032 */
    double p[N];
    shares((tn_sample_opts){.temperature = 1, .top_p = 0.5f}, p);
    CHECK(p[1] > 0 && p[3] > 0 && p[5] == 0);
    shares((tn_sample_opts){.temperature = 1, .top_p = 0.8f}, p);
    CHECK(p[5] > 0 && p[0] == 0);
    shares((tn_sample_opts){.temperature = 1, .top_p = 1e-6f}, p);
    CHECK_NEAR(p[1], 1, 1e-9);
    /* of the two that top-k leaves, one reaches half */
    shares((tn_sample_opts){.temperature = 1, .top_p = 0.5f, .top_k = 2}, p);
    CHECK_NEAR(p[1], 1, 1e-9);
}

TEST(min_p_drops_what_is_far_below_the_best) {
    double p[N];
    shares((tn_sample_opts){.temperature = 1, .top_p = 1, .min_p = 0.3f}, p);
    CHECK(p[5] > 0 && p[0] == 0 && p[2] == 0);
}

TEST(nothing_but_nan_or_minus_infinity_still_gives_a_token) {
    const float bad[3] = {NAN, -INFINITY, NAN};
    tn_rng rng = tn_rng_init(1, 1);
    float lp;
    tn_sample_opts o = {.temperature = 1, .top_p = 0.9f, .top_k = 2};
    int32_t t = tn_sample(bad, 3, &o, &rng, scratch, &lp);
    CHECK(t >= 0 && t < 3);
}

TEST_MAIN
