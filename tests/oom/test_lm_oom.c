/* test_lm_oom.c - every allocation of loading, generating, embedding and scoring fails once:
 * nothing leaks, and the answer is the error or what it would have been. */
#include "tern/encode.h"
#include "tern/generate.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tern_model *open_model(const char *name, tern_status *status) {
    char dir[1024];
    tern_error e;
    tern_model *m = NULL;
    tern_model_opts o = tern_model_defaults();
    snprintf(dir, sizeof dir, TERN_SOURCE_DIR "/tests/golden/lm/%s", name);
    *status = tern_model_open(dir, &o, NULL, &m, &e);
    if ((*status == TERN_OK) != (m != NULL)) *status = TERN_ERR_ARG;
    return m;
}

static tern_status write_text(void) {
    tern_status status;
    tern_error e;
    tern_completions *c = NULL;
    const tern_prompt prompts[] = {{.text = "hello tern", .len = 10}, {.text = "ab", .len = 2}};
    tern_model *m = open_model("llama3", &status);
    if (status != TERN_OK) return status;
    tern_generate_opts o = tern_generate_defaults(m);
    o.max_tokens = 4;
    o.n_samples = 2;
    o.temperature = 1;
    status = tern_generate(m, prompts, 2, &o, NULL, &c, &e);
    if ((status == TERN_OK) != (c != NULL)) status = TERN_ERR_ARG;
    tern_completions_free(c);
    tern_model_close(m);
    return status;
}

static tern_status embed_text(void) {
    tern_status status;
    tern_error e;
    float x[2 * 7];
    const char *const texts[] = {"a b", "c"};
    const size_t lens[] = {3, 1};
    tern_model *m = open_model("bert-sentence", &status);
    if (status == TERN_OK) status = tern_model_embed(m, texts, lens, 2, "query", x, NULL, &e);
    tern_model_close(m);
    return status;
}

static tern_status score_pairs(void) {
    tern_status status;
    tern_error e;
    float x[3];
    const tern_pair pair = {"a b", 3, "c", 1};
    tern_model *m = open_model("bert-pairs", &status);
    if (status == TERN_OK) status = tern_model_score(m, &pair, 1, x, NULL, &e);
    tern_model_close(m);
    return status;
}

static void sweep(tern_status (*fn)(void)) {
    uint64_t before = tn_mem_n_allocs();
    CHECK_EQ(fn(), TERN_OK);
    int64_t n = (int64_t)(tn_mem_n_allocs() - before);
    size_t n_failed = 0;
    CHECK(n > 50);
    for (int64_t k = 0; k < n; k++) {
        tn_mem_fail_after(k, 0);
        tern_status status = fn();
        tn_mem_fail_after(-1, 0);
        if (status != TERN_OK && status != TERN_ERR_NOMEM) FAIL("allocation %lld: %s", (long long)k, tern_status_text(status));
        n_failed += status == TERN_ERR_NOMEM;
    }
    CHECK((int64_t)n_failed > n / 2);
}

TEST(generation_survives_every_failed_allocation) {
    sweep(write_text);
}

TEST(embedding_survives_every_failed_allocation) {
    sweep(embed_text);
}

TEST(scoring_survives_every_failed_allocation) {
    sweep(score_pairs);
}

TEST_MAIN
