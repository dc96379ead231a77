/* test_lm_verify.c - the forward passes against numbers of the reference implementation. */
#include "core/base/file.h"
#include "core/lm/verify.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tn_lm_verdict verify(const char *dir, tn_weight_format format, tn_dtype cache,
                            double tolerance) {
    tern_error e;
    tn_lm_config config;
    tn_lm_source *source = NULL;
    tn_lm *lm = NULL;
    tern_st *reference = NULL;
    tn_pool *pool = NULL;
    tn_lm_verdict v;
    char *path = tn_path_join(dir, "expected.safetensors");
    CHECK_OK(tn_pool_new(2, &pool, &e), e);
    CHECK_OK(tn_lm_config_load(dir, &config, &e), e);
    CHECK_OK(tn_lm_source_open(dir, &source, &e), e);
    CHECK_OK(tn_lm_load_take(&config, source, format, pool, NULL, &lm, &e), e);
    CHECK_OK(tern_st_open(path, &reference, &e), e);
    CHECK_OK(tn_lm_verify(lm, reference, pool, cache, tolerance, &v, &e), e);
    for (size_t i = 0; i < v.n_checks && !v.passed && format == TN_WEIGHT_F32; i++)
        printf("%s: %s: relative %.2e, largest %.2e of %zu numbers\n", tn_path_base(dir),
               v.checks[i].name, v.checks[i].relative, v.checks[i].largest, v.checks[i].n);
    if (!v.passed && format == TN_WEIGHT_F32)
        printf("%s: greedy: %zu of %zu equal, %zu wrong\n", tn_path_base(dir), v.n_greedy_equal,
               v.n_greedy, v.n_greedy_wrong);
    tern_st_close(reference);
    tn_lm_free(lm);
    tn_pool_free(pool);
    tn_free(path);
    return v;
}

static const char *const fixtures[] = {"llama-gqa", "llama-tied-mha", "qwen2",      "qwen3",
                                       "gemma3",    "bert",           "xlm-roberta"};
enum { N_FIXTURES = sizeof fixtures / sizeof *fixtures };

static const char *fixture(const char *name) {
    static char path[1024];
    const char *shared = getenv("TERN_SHARED");
    snprintf(path, sizeof path, "%s/fixtures/hf/%s", shared ? shared : TERN_SOURCE_DIR "/../shared",
             name);
    if (!tn_is_dir(path)) SKIP("no shared/fixtures/hf here (TERN_SHARED names another place)");
    return path;
}

/* ||x - ref|| / ||ref|| of the last hidden state. */
static double of_hidden(const tn_lm_verdict *v) {
    for (size_t i = 0; i < v->n_checks; i++)
        if (strcmp(v->checks[i].name, "hidden.last") == 0) return v->checks[i].relative;
    return INFINITY;
}

static const char *golden(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, TERN_SOURCE_DIR "/tests/golden/lm/%s", name);
    return path;
}

static const char *const models[] = {"llama3",      "mistral",     "qwen2",      "qwen3",
                                     "gemma3",      "llama-score", "bert-pairs", "bert-tokens",
                                     "bert-masked", "xlmr-masked", "roberta",    "bert-sentence"};
enum { N_MODELS = sizeof models / sizeof *models };

TEST(in_f32_every_switch_of_the_families_gives_the_independent_numbers) {
    for (size_t i = 0; i < N_MODELS; i++) {
        tn_lm_verdict v = verify(golden(models[i]), TN_WEIGHT_F32, TN_F32, 1e-4);
        CHECK(v.n_checks >= 1);
        CHECK(v.passed);
    }
}

/* Weights of a few dozen columns are rounded here; real ones average over hundreds. */
TEST(in_bf16_and_int8_the_numbers_stay_near) {
    for (size_t i = 0; i < N_MODELS; i++) {
        tn_lm_verdict b = verify(golden(models[i]), TN_WEIGHT_BF16, TN_BF16, 1e-1);
        tn_lm_verdict q = verify(golden(models[i]), TN_WEIGHT_I8, TN_F32, 2e-1);
        CHECK(of_hidden(&b) <= 5e-2);
        CHECK(of_hidden(&q) <= 1.5e-1);
    }
}

TEST(in_f32_every_tensor_is_within_1e4_of_the_reference) {
    for (size_t i = 0; i < N_FIXTURES; i++) {
        tn_lm_verdict v = verify(fixture(fixtures[i]), TN_WEIGHT_F32, TN_F32, 1e-4);
        CHECK(v.n_checks >= 2);
        CHECK(v.passed);
    }
}

TEST(in_bf16_the_last_hidden_state_is_within_5e2_of_the_reference) {
    for (size_t i = 0; i < N_FIXTURES; i++) {
        tn_lm_verdict v = verify(fixture(fixtures[i]), TN_WEIGHT_BF16, TN_BF16, 1e-1);
        CHECK(of_hidden(&v) <= 5e-2);
    }
}

TEST(in_int8_the_last_hidden_state_is_within_15e2_of_the_reference) {
    for (size_t i = 0; i < N_FIXTURES; i++) {
        tn_lm_verdict v = verify(fixture(fixtures[i]), TN_WEIGHT_I8, TN_F32, 1.5e-1);
        CHECK(of_hidden(&v) <= 1.5e-1);
    }
}

TEST_MAIN
