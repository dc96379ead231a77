/* Claims about agent/scorer. */
#include "agent/scorer.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "tests/test.h"

#include "core/base/mem.h"

static const char *const names[] = {"a", "b", "c", "d", "e"};

static tn_scorer random_scorer(uint32_t n_hidden) {
    tn_scorer s;
    tern_error err;
    CHECK_OK(tn_scorer_init(&s, 5, n_hidden, (float[]){1, -2, 0.5f, 0, 3}, 7, &err), err);
    tn_rng r = tn_rng_init(1, n_hidden);
    for (size_t i = 0; i < tn_scorer_n_params(5, n_hidden); i++)
        s.params[i] += 0.3 * tn_rng_normal(&r);
    return s;
}

TEST(a_fresh_scorer_is_the_linear_one) {
    tn_scorer s;
    tern_error err;
    CHECK_OK(tn_scorer_init(&s, 5, 8, (float[]){1, -2, 0.5f, 0, 3}, 7, &err), err);
    CHECK_NEAR(tn_scorer_forward(&s, (float[]){1, 1, 1, 1, 1}), 2.5, 1e-12);
    tn_scorer_deinit(&s);
}

TEST(backward_matches_signed_central_differences) {
    for (uint32_t n_hidden = 0; n_hidden < 7; n_hidden += 3) {
        tn_scorer s = random_scorer(n_hidden);
        size_t n = tn_scorer_n_params(5, n_hidden);
        double grad[64] = {0};
        float x[5] = {0.5f, -1, 2, 0.25f, -0.75f};
        tn_scorer_backward(&s, x, -1.5, grad);
        for (size_t i = 0; i < n; i++) {
            double keep = s.params[i], h = 1e-6;
            s.params[i] = keep + h;
            double up = tn_scorer_forward(&s, x);
            s.params[i] = keep - h;
            double down = tn_scorer_forward(&s, x);
            s.params[i] = keep;
            CHECK_NEAR(grad[i], -1.5 * (up - down) / (2 * h), 1e-7);
        }
        tn_scorer_deinit(&s);
    }
}

TEST(a_saved_scorer_comes_back_bit_for_bit) {
    tn_scorer s = random_scorer(4), back;
    tern_error err;
    char *path = tn_path_join(test_dir(), "policy.json");
    CHECK_OK(tn_scorer_save(&s, names, NULL, path, &err), err);
    CHECK_OK(tn_scorer_load(&back, names, 5, path, &err), err);
    CHECK_EQ(back.n_hidden, 4);
    CHECK(memcmp(s.params, back.params, tn_scorer_n_params(5, 4) * sizeof(double)) == 0);
    tn_scorer_deinit(&back);
    const char *const others[] = {"a", "b", "c", "d", "z"};
    CHECK_EQ(tn_scorer_load(&back, others, 5, path, &err), TERN_ERR_VERSION);
    CHECK_HAS(err.text, "\"z\"");
    CHECK_EQ(tn_scorer_load(&back, names, 4, path, &err), TERN_ERR_VERSION);
    tn_scorer_deinit(&s);
    tn_free(path);
}

TEST(hostile_policy_files_are_refused) {
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"format\":\"tern-policy\",\"version\":9}",
        "{\"format\":\"tern-policy\",\"version\":1,\"features\":[\"a\"],\"hidden\":-1,\"params\":["
        "1]}",
        "{\"format\":\"tern-policy\",\"version\":1,\"features\":[\"a\"],\"hidden\":0,\"params\":[]"
        "}",
        "{\"format\":\"tern-policy\",\"version\":1,\"features\":[\"a\"],\"hidden\":0,\"params\":["
        "\"x\"]}",
        "{\"format\":\"tern-policy\",\"version\":1,\"features\":[7],\"hidden\":0,\"params\":[1]}",
    };
    char *path = tn_path_join(test_dir(), "bad.json");
    tern_error err;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tn_scorer s;
        CHECK_OK(tn_file_replace(path, texts[i], strlen(texts[i]), &err), err);
        CHECK(tn_scorer_load(&s, names, 1, path, &err) != TERN_OK);
        CHECK_HAS(err.text, "bad.json");
    }
    tn_free(path);
}

TEST_MAIN
