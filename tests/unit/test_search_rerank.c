/* The second stage of a search: who is looked at, in which order they come out. */
#include "core/base/clock.h"
#include "tern/search.h"
#include "tests/index_fixture.h"

#include "core/base/mem.h"

static tern_error err;
static tern_index *ix;
static tern_searcher *searcher;

/* Likes a passage by the number after "number" in it; the later documents are liked more. */
typedef struct fake {
    tern_reranker base;
    size_t n_scored;
    unsigned sleep_ms;
    tern_status status;
    float constant; /* > 0: the same for all */
} fake;

static tern_status fake_score(const tern_reranker *r, const char *query, size_t query_len,
                              const char *const *texts, const size_t *lens, size_t n, float *scores,
                              tern_error *e) {
    fake *f = (fake *)(uintptr_t)r;
    CHECK(query_len > 0 && query);
    if (f->status != TERN_OK) return tern_fail(e, f->status, 0, "the fake is told to fail");
    for (size_t i = 0; i < n; i++) {
        char text[1024];
        CHECK(lens[i] < sizeof text);
        memcpy(text, texts[i], lens[i]);
        text[lens[i]] = '\0';
        const char *number = strstr(text, "number");
        CHECK(strncmp(text, "Title ", 6) == 0 && number);
        scores[i] = f->constant > 0 ? f->constant : (float)atoi(number + 6);
    }
    f->n_scored += n;
    if (f->sleep_ms) tn_sleep_ms(f->sleep_ms);
    return TERN_OK;
}

static void open_once(void) {
    if (ix) return;
    const char *input = write_docs("rerank.jsonl", 0, 200, "first");
    CHECK_OK(tern_index_sync(path_of("rerank.tern"), &input, 1, NULL, &fixture_host, NULL, &err),
             err);
    CHECK_OK(tern_index_open(path_of("rerank.tern"), &ix, &err), err);
    CHECK_OK(tern_searcher_new(ix, &searcher, &err), err);
}

static size_t search(const fake *f, size_t k, size_t depth, unsigned budget_ms, tern_hit *hits) {
    open_once();
    tern_search_opts o = tern_search_defaults();
    o.k = k;
    o.reranker = f ? &f->base : NULL;
    o.rerank_depth = depth;
    o.rerank_budget_ms = budget_ms;
    size_t n;
    CHECK_OK(tern_search(searcher, "ocean storm", 11, &o, hits, &n, &err), err);
    return n;
}

TEST(the_first_hits_come_out_in_the_rerankers_order) {
    tern_hit plain[40], hits[10];
    fake f = {.base.score = fake_score};
    size_t n_plain = search(NULL, 40, 0, 0, plain);
    CHECK_EQ(n_plain, 40);
    CHECK_EQ(search(&f, 10, 40, 0, hits), 10);
    CHECK_EQ(f.n_scored, 40);
    float best = 0;
    for (size_t i = 0; i < 40; i++)
        if ((float)plain[i].ref > best) best = (float)plain[i].ref;
    CHECK_EQ(hits[0].ref, best);
    for (size_t i = 0; i < 10; i++) {
        CHECK_NEAR(hits[i].score, hits[i].ref, 0);
        CHECK(hits[i].bm25 > 0 && hits[i].rank_bm25 >= 1);
        if (i) CHECK(hits[i].score < hits[i - 1].score);
    }
}

TEST(hits_beyond_the_depth_keep_their_order_behind) {
    tern_hit plain[30], hits[30];
    fake f = {.base.score = fake_score};
    search(NULL, 30, 0, 0, plain);
    CHECK_EQ(search(&f, 30, 12, 0, hits), 30);
    CHECK_EQ(f.n_scored, 12);
    for (size_t i = 12; i < 30; i++) CHECK_EQ(hits[i].ref, plain[i].ref);
}

TEST(equal_scores_keep_the_order_they_were_found_in) {
    tern_hit plain[30], hits[30];
    fake f = {.base.score = fake_score, .constant = 1};
    search(NULL, 30, 0, 0, plain);
    search(&f, 30, 30, 0, hits);
    for (size_t i = 0; i < 30; i++) CHECK_EQ(hits[i].ref, plain[i].ref);
}

TEST(a_spent_budget_leaves_the_rest_as_it_was) {
    tern_hit plain[60], hits[60];
    fake f = {.base.score = fake_score, .sleep_ms = 20};
    size_t n = search(NULL, 60, 0, 0, plain);
    search(&f, 60, 60, 1, hits);
    CHECK(f.n_scored > 0 && f.n_scored < n);
    for (size_t i = f.n_scored; i < n; i++) CHECK_EQ(hits[i].ref, plain[i].ref);
}

TEST(a_failing_reranker_fails_the_search) {
    open_once();
    fake f = {.base.score = fake_score, .status = TERN_ERR_CORRUPT};
    tern_search_opts o = tern_search_defaults();
    o.reranker = &f.base;
    tern_hit hits[10];
    size_t n = 1;
    CHECK_EQ(tern_search(searcher, "ocean", 5, &o, hits, &n, &err), TERN_ERR_CORRUPT);
    CHECK_EQ(n, 0);
    CHECK_HAS(err.text, "told to fail");
}

TEST_MAIN
