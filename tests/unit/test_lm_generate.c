/* test_lm_generate.c - continuous batching: what is generated does not depend on how. */
#include "core/lm/generate.h"
#include "tests/test.h"

#include "core/base/mem.h"

enum { N_MAX = 64, SEQS_MAX = 64 };

typedef struct record {
    int32_t tokens[SEQS_MAX][N_MAX];
    float log_probs[SEQS_MAX][N_MAX];
    size_t n[SEQS_MAX];
    int why[SEQS_MAX]; /* -1: not done */
    tn_generator_stats stats;
} record;

static bool on_token(void *ud, uint64_t id, int32_t token, float log_prob) {
    record *r = ud;
    CHECK(id < SEQS_MAX && r->n[id] < N_MAX && r->why[id] == -1);
    r->tokens[id][r->n[id]] = token;
    r->log_probs[id][r->n[id]++] = log_prob;
    return true;
}

static void on_done(void *ud, uint64_t id, tn_gen_end why) {
    record *r = ud;
    CHECK_EQ(r->why[id], -1);
    r->why[id] = (int)why;
}

static tn_pool *pool;

static tn_lm *load(const char *name, tn_weight_format format) {
    tern_error e;
    tn_lm_config config;
    tn_lm_source *source = NULL;
    tn_lm *lm = NULL;
    char dir[1024];
    snprintf(dir, sizeof dir, TERN_SOURCE_DIR "/tests/golden/lm/%s", name);
    if (!pool) CHECK_OK(tn_pool_new(2, &pool, &e), e);
    CHECK_OK(tn_lm_config_load(dir, &config, &e), e);
    CHECK_OK(tn_lm_source_open(dir, &source, &e), e);
    CHECK_OK(tn_lm_load_take(&config, source, format, pool, NULL, &lm, &e), e);
    return lm;
}

static void run(const tn_lm *lm, tn_generator_opts opts, const tn_gen_request *requests, size_t n,
                record *r) {
    tern_error e;
    tn_generator *g = NULL;
    *r = (record){.stats = {0}};
    for (size_t i = 0; i < SEQS_MAX; i++) r->why[i] = -1;
    opts.token = on_token;
    opts.done = on_done;
    opts.ud = r;
    CHECK_OK(tn_generator_new(lm, pool, &opts, &g, &e), e);
    for (size_t i = 0; i < n; i++) CHECK_OK(tn_generator_add(g, &requests[i], &e), e);
    for (bool busy = true; busy;) CHECK_OK(tn_generator_step(g, &busy, &e), e);
    r->stats = tn_generator_get_stats(g);
    tn_generator_free(g);
}

static const int32_t text[] = {7,  12, 30, 5,  9,  22, 31, 4,  18, 6,  11, 36, 8,  14, 29, 3,
                               17, 25, 33, 10, 19, 27, 35, 13, 21, 28, 34, 15, 23, 26, 32, 16,
                               20, 24, 30, 6,  9,  8,  7,  12, 33, 4,  5,  11, 17, 18};

static tn_gen_request sampled(size_t n_prompt, uint32_t n_samples, uint64_t first_id) {
    return (tn_gen_request){.prompt = text,
                            .n_prompt = n_prompt,
                            .n_samples = n_samples,
                            .first_id = first_id,
                            .seed = 5,
                            .sample = {.temperature = 1, .top_p = 1},
                            .max_tokens = 12,
                            .ignore_stop = true};
}

static tn_generator_opts exact(void) {
    tn_generator_opts o = tn_generator_defaults();
    o.cache_type = TN_F32;
    o.deterministic = true;
    return o;
}

static void check_same(const record *a, uint64_t i, const record *b, uint64_t j) {
    CHECK_EQ(a->n[i], b->n[j]);
    CHECK(memcmp(a->tokens[i], b->tokens[j], a->n[i] * sizeof(int32_t)) == 0);
    CHECK(memcmp(a->log_probs[i], b->log_probs[j], a->n[i] * sizeof(float)) == 0);
}

TEST(greedy_generation_gives_the_reference_continuation) {
    static const char *const models[] = {"llama3", "mistral", "qwen2", "qwen3", "gemma3"};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        tn_lm *lm = load(models[m], TN_WEIGHT_F32);
        tern_error e;
        tern_st *st = NULL;
        char path[1024];
        float ids[16];
        int32_t tokens[16];
        record r;
        snprintf(path, sizeof path, TERN_SOURCE_DIR "/tests/golden/lm/%s/expected.safetensors",
                 models[m]);
        CHECK_OK(tern_st_open(path, &st, &e), e);
        CHECK_OK(tern_st_read_f32(tern_st_find(st, "greedy.ids"), ids, 16, &e), e);
        for (size_t i = 0; i < 16; i++) tokens[i] = (int32_t)ids[i];
        tn_gen_request q = sampled(7, 1, 0);
        q.prompt = tokens;
        q.sample.temperature = 0;
        q.max_tokens = 9;
        run(lm, exact(), &q, 1, &r);
        CHECK_EQ(r.n[0], 9);
        CHECK(memcmp(r.tokens[0], tokens + 7, 9 * sizeof(int32_t)) == 0);
        CHECK_EQ(r.why[0], TN_GEN_LENGTH);
        tern_st_close(st);
        tn_lm_free(lm);
    }
}

TEST(deterministic_generation_does_not_depend_on_batch_mates) {
    static const char *const models[] = {"llama3", "qwen2", "gemma3"};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        tn_lm *lm = load(models[m], TN_WEIGHT_F32);
        static record alone, together;
        tn_gen_request q[12];
        for (size_t i = 0; i < 12; i++) q[i] = sampled(1 + 4 * i, 1 + i % 3, 4 * i);
        run(lm, exact(), q, 12, &together);
        for (size_t i = 0; i < 12; i++) {
            run(lm, exact(), &q[i], 1, &alone);
            for (uint64_t s = 0; s < q[i].n_samples; s++)
                check_same(&alone, q[i].first_id + s, &together, q[i].first_id + s);
        }
        tn_lm_free(lm);
    }
}

TEST(a_group_reads_its_prompt_once_and_samples_as_if_alone) {
    tn_lm *lm = load("llama3", TN_WEIGHT_F32);
    static record group, single;
    tn_gen_request q = sampled(41, 8, 3);
    run(lm, exact(), &q, 1, &group);
    CHECK_EQ(group.stats.n_prompt_tokens, 41);
    CHECK_EQ(group.stats.n_new_tokens, 8 * 12);
    bool differ = false;
    for (uint64_t s = 0; s < 8; s++) {
        tn_gen_request one = sampled(41, 1, 3 + s);
        run(lm, exact(), &one, 1, &single);
        check_same(&single, 3 + s, &group, 3 + s);
        differ = differ || memcmp(group.tokens[3], group.tokens[3 + s], 12 * 4) != 0;
    }
    CHECK(differ);
    CHECK(group.stats.n_pages_peak <= 1 + 8 * 2);
    tn_lm_free(lm);
}

TEST(a_small_cache_makes_samples_wait_and_changes_nothing) {
    tn_lm *lm = load("mistral", TN_WEIGHT_F32);
    static record wide, narrow;
    tn_gen_request q[8];
    for (size_t i = 0; i < 8; i++) q[i] = sampled(30 + i, 1 + i % 4, 8 * i);
    run(lm, exact(), q, 8, &wide);
    tn_generator_opts o = exact();
    tn_kv_cache shape;
    tn_kv_init(&shape, &lm->config, TN_F32, 0);
    o.cache_bytes = 5 * shape.page_bytes;
    o.max_seqs = 3;
    run(lm, o, q, 8, &narrow);
    CHECK(narrow.stats.n_pages_peak <= 5);
    CHECK(wide.stats.n_pages_peak > 5);
    for (size_t i = 0; i < 8; i++)
        for (uint64_t s = 0; s < q[i].n_samples; s++)
            check_same(&wide, q[i].first_id + s, &narrow, q[i].first_id + s);
    tn_lm_free(lm);
}

TEST(without_fixed_tiles_log_probabilities_move_less_than_2e2) {
    tn_lm *lm = load("qwen2", TN_WEIGHT_BF16);
    static record alone, together;
    tn_generator_opts o = tn_generator_defaults();
    tn_gen_request q[16];
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < 16; i++) {
        q[i] = sampled(1 + 2 * i, 1, i);
        q[i].sample.temperature = 0;
    }
    run(lm, o, q, 16, &together);
    for (size_t i = 0; i < 16; i++) {
        run(lm, o, &q[i], 1, &alone);
        for (size_t t = 0; t < alone.n[i] && alone.tokens[i][t] == together.tokens[i][t]; t++, n++)
            sum += fabs((double)alone.log_probs[i][t] - together.log_probs[i][t]);
    }
    printf("mean |delta log p| between batch sizes 1 and 16, bf16: %.2e over %zu tokens\n",
           sum / (double)n, n);
    CHECK(n > 100);
    CHECK(sum / (double)n < 0.02);
    tn_lm_free(lm);
}

TEST(a_stop_id_ends_a_sample_and_is_reported) {
    tn_lm *lm = load("llama3", TN_WEIGHT_F32); /* eos ids 2 and 5 */
    static record r;
    tn_gen_request q = sampled(6, 32, 0);
    q.ignore_stop = false;
    q.max_tokens = 40;
    run(lm, exact(), &q, 1, &r);
    size_t n_stopped = 0;
    for (size_t i = 0; i < 32; i++) {
        int32_t last = r.tokens[i][r.n[i] - 1];
        CHECK_EQ(r.why[i], last == 2 || last == 5 ? TN_GEN_STOP : TN_GEN_LENGTH);
        n_stopped += r.why[i] == TN_GEN_STOP;
        for (size_t t = 0; t + 1 < r.n[i]; t++) CHECK(r.tokens[i][t] != 2 && r.tokens[i][t] != 5);
    }
    CHECK(n_stopped > 4);
    tn_lm_free(lm);
}

TEST(a_full_context_ends_a_sample) {
    tn_lm *lm = load("llama3", TN_WEIGHT_F32);
    static record r;
    tn_generator_opts o = exact();
    o.context = 20;
    tn_gen_request q = sampled(15, 2, 0);
    run(lm, o, &q, 1, &r);
    CHECK_EQ(r.n[0], 5);
    CHECK_EQ(r.why[1], TN_GEN_LENGTH);
    tn_lm_free(lm);
}

TEST(requests_that_make_no_sense_are_refused) {
    tn_lm *lm = load("llama3", TN_WEIGHT_F32), *bert = load("bert-pairs", TN_WEIGHT_F32);
    tern_error e;
    tn_generator *g = NULL;
    tn_generator_opts o = exact();
    CHECK_EQ(tn_generator_new(bert, pool, &o, &g, &e), TERN_ERR_ARG);
    tn_kv_cache shape;
    tn_kv_init(&shape, &lm->config, TN_F32, 0);
    o.cache_bytes = 2 * shape.page_bytes;
    CHECK_OK(tn_generator_new(lm, pool, &o, &g, &e), e);
    tn_gen_request q = sampled(0, 1, 0);
    CHECK_EQ(tn_generator_add(g, &q, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "empty");
    q = sampled(3, 1, 0);
    q.prompt = (const int32_t[]){1, 37, 2};
    CHECK_EQ(tn_generator_add(g, &q, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "token id 37 at position 1");
    q.prompt = (const int32_t[]){1, 2, -1};
    CHECK_EQ(tn_generator_add(g, &q, &e), TERN_ERR_ARG);
    static int32_t longest[64];
    q = sampled(64, 1, 0);
    q.prompt = longest;
    CHECK_EQ(tn_generator_add(g, &q, &e), TERN_ERR_LIMIT);
    CHECK_HAS(e.text, "context of 64");
    q = sampled(40, 1, 0);
    q.max_tokens = 30;
    CHECK_EQ(tn_generator_add(g, &q, &e), TERN_ERR_LIMIT);
    CHECK_HAS(e.text, "cache");
    bool busy = true;
    CHECK_OK(tn_generator_step(g, &busy, &e), e);
    CHECK(!busy);
    tn_generator_free(g);
    tn_lm_free(lm);
    tn_lm_free(bert);
}

TEST_MAIN
