/* test_search.c - the searcher over a real index: modes, filters, joins, explanations. */
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/rng.h"
#include "retriever/fusion.h"
#include "retriever/gate.h"
#include "retriever/index_priv.h"
#include "tern/search.h"
#include "tests/test.h"

#include "core/base/mem.h"

enum { N = 300 };
static tern_error err;
static tern_index *ix;
static tern_searcher *s;

static void make_docs(tn_buf *out) {
    for (uint32_t i = 0; i < N; i++) {
        tn_rng rng = tn_rng_init(11, i);
        uint64_t topic = tn_rng_below(&rng, 6);
        tn_buf_printf(out, "{\"id\":\"d%u\",\"title\":\"Title %u\",\"text\":\"", i, i % 50);
        for (int w = 0; w < 30; w++) {
            if (tn_rng_below(&rng, 3))
                tn_buf_printf(out, "t%dw%d ", (int)topic, (int)tn_rng_below(&rng, 25));
            else
                tn_buf_printf(out, "common%d ", (int)tn_rng_below(&rng, 100));
        }
        tn_buf_printf(out, "\",\"lang\":\"%s\",\"tags\":[\"a%u\",\"b\"],\"year\":%u",
                      i % 2 ? "en" : "de", i % 3, 1990 + i % 10);
        if (i % 4) tn_buf_printf(out, ",\"timestamp\":\"%u-01-01\"", 2000 + i % 20);
        tn_buf_str(out, "}\n");
    }
    tn_buf_str(out, "{\"id\":\"phrase\",\"title\":\"\",\"text\":\"the quick silver fox\"}\n"
                    "{\"id\":\"split\",\"title\":\"\",\"text\":\"silver and quick is the fox\"}\n");
}

static void sync_docs(const char *dir, const char *embedder, const char *text, size_t len) {
    char *input = tn_path_join(test_dir(), "docs.jsonl");
    CHECK_OK(tn_file_replace(input, text, len, &err), err);
    tern_index_opts o = tern_index_defaults();
    o.embedder = embedder;
    const char *inputs[] = {input};
    CHECK_OK(tern_index_sync(dir, inputs, 1, &o, NULL, NULL, &err), err);
    tn_free(input);
}

static void open_once(void) {
    if (ix) return;
    char *dir = tn_path_join(test_dir(), "ix");
    tn_buf docs = {0};
    make_docs(&docs);
    sync_docs(dir, "lsa", docs.data, docs.len);
    const char *gone[] = {"d7", "d8"};
    CHECK_OK(tern_index_remove(dir, gone, 2, NULL, NULL, &err), err);
    CHECK_OK(tern_index_open(dir, &ix, &err), err);
    CHECK_OK(tern_searcher_new(ix, &s, &err), err);
    tn_buf_deinit(&docs);
    tn_free(dir);
}

static const tern_mode modes[] = {TERN_MODE_BM25, TERN_MODE_DENSE, TERN_MODE_HYBRID};

static size_t search(const char *query, const tern_search_opts *o, tern_hit *hits) {
    size_t n;
    CHECK_OK(tern_search(s, query, strlen(query), o, hits, &n, &err), err);
    for (size_t i = 1; i < n; i++) CHECK(tn_hit_cmp(&hits[i - 1], &hits[i]) < 0);
    return n;
}

static tern_passage passage(uint32_t ref) {
    tern_passage p;
    CHECK_OK(tern_index_passage(ix, ref, &p, &err), err);
    return p;
}

TEST(every_mode_ranks_and_never_returns_a_removed_passage) {
    open_once();
    for (int m = 0; m < 3; m++) {
        tern_search_opts o = tern_search_defaults();
        tern_hit hits[400];
        o.mode = modes[m];
        o.k = 400;
        size_t n = search("t1w1 t2w2 t3w3 common5", &o, hits);
        CHECK(n > 50);
        if (modes[m] == TERN_MODE_DENSE) CHECK_EQ(n, N);
        for (size_t i = 0; i < n; i++) {
            CHECK(strcmp(passage(hits[i].ref).id, "d7") != 0);
            CHECK(strcmp(passage(hits[i].ref).id, "d8") != 0);
        }
    }
}

TEST(hybrid_score_is_the_join_of_the_two_exact_scores) {
    open_once();
    tern_search_opts o = tern_search_defaults();
    static tern_hit hybrid[N + 2], lexical[N + 2], dense[N + 2];
    o.k = 20;
    o.mode = TERN_MODE_HYBRID;
    o.weight_dense = 0.7f;
    size_t n = search("t1w1 t2w2 common7", &o, hybrid);
    o.k = N + 2;
    o.mode = TERN_MODE_BM25;
    size_t n_lexical = search("t1w1 t2w2 common7", &o, lexical);
    o.mode = TERN_MODE_DENSE;
    size_t n_dense = search("t1w1 t2w2 common7", &o, dense);
    CHECK_EQ(n, 20);
    for (size_t i = 0; i < n; i++) {
        float bm25 = 0, cosine = 0;
        for (size_t j = 0; j < n_lexical; j++)
            if (lexical[j].ref == hybrid[i].ref) bm25 = lexical[j].bm25;
        for (size_t j = 0; j < n_dense; j++)
            if (dense[j].ref == hybrid[i].ref) cosine = dense[j].cosine;
        CHECK(hybrid[i].bm25 == bm25);
        CHECK(hybrid[i].cosine == cosine);
        CHECK(hybrid[i].score == tn_fuse_score(bm25, lexical[0].bm25, cosine, 0.7f));
    }
}

TEST(hybrid_hits_do_not_depend_on_k) {
    open_once();
    tern_search_opts o = tern_search_defaults();
    static tern_hit few[5], many[250];
    o.mode = TERN_MODE_HYBRID;
    o.k = 5;
    size_t n = search("t0w3 t4w1 common9", &o, few);
    o.k = 250;
    search("t0w3 t4w1 common9", &o, many);
    for (size_t i = 0; i < n; i++)
        CHECK(few[i].ref == many[i].ref && few[i].score == many[i].score);
}

TEST(filters_apply_before_ranking_in_every_mode) {
    open_once();
    const char *where[] = {"lang=en", "tags=a1"};
    for (int m = 0; m < 3; m++) {
        tern_search_opts o = tern_search_defaults();
        tern_hit hits[N];
        o.mode = modes[m];
        o.k = 10;
        o.where = where;
        o.n_where = 2;
        CHECK_EQ(search("common1 common2 common3 t1w1 t2w2 t0w3", &o, hits), 10);
        for (size_t i = 0; i < 10; i++) {
            CHECK_HAS(passage(hits[i].ref).meta, "\"en\"");
            CHECK_HAS(passage(hits[i].ref).meta, "\"a1\"");
        }
    }
}

TEST(where_compares_ids_titles_sources_and_numbers) {
    open_once();
    const char *const cases[][2] = {
        {"doc_id=d12", "1"}, {"title=Title 3", "6"}, {"year=1994", "30"},
        {"year=19", "0"},    {"lang=xx", "0"},       {"nothing=1", "0"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        tern_search_opts o = tern_search_defaults();
        tern_hit hits[N];
        o.mode = TERN_MODE_DENSE;
        o.k = N;
        o.where = &cases[c][0];
        o.n_where = 1;
        CHECK_EQ(search("t1w1 common2", &o, hits), atoi(cases[c][1]));
    }
}

TEST(times_bound_the_hits_and_undated_passages_count_as_always_known) {
    open_once();
    tern_search_opts o = tern_search_defaults();
    tern_hit hits[N];
    o.mode = TERN_MODE_DENSE;
    o.k = N;
    o.as_of = 1262304000; /* 2010-01-01 */
    size_t n = search("t1w1", &o, hits), n_undated = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t t = passage(hits[i].ref).time;
        CHECK(t == TERN_NO_TIME || t <= o.as_of);
        n_undated += t == TERN_NO_TIME;
    }
    CHECK(n_undated > 50 && n > n_undated + 50);
    o.since = 1104537600; /* 2005-01-01 */
    n = search("t1w1", &o, hits);
    CHECK(n > 20);
    for (size_t i = 0; i < n; i++) {
        int64_t t = passage(hits[i].ref).time;
        CHECK(t >= o.since && t <= o.as_of);
    }
}

TEST(excluded_passages_stay_out_for_one_search_only) {
    open_once();
    for (int m = 0; m < 3; m++) {
        tern_search_opts o = tern_search_defaults();
        tern_hit before[10], without[10], after[10];
        uint32_t exclude[3];
        o.mode = modes[m];
        CHECK_EQ(search("t2w1 t2w5 common4", &o, before), 10);
        for (int i = 0; i < 3; i++) exclude[i] = before[2 * i].ref;
        o.exclude = exclude;
        o.n_exclude = 3;
        CHECK_EQ(search("t2w1 t2w5 common4", &o, without), 10);
        for (int i = 0; i < 10; i++)
            for (int j = 0; j < 3; j++) CHECK(without[i].ref != exclude[j]);
        CHECK_EQ(without[0].ref, before[1].ref);
        o.n_exclude = 0;
        CHECK_EQ(search("t2w1 t2w5 common4", &o, after), 10);
        CHECK(memcmp(before, after, sizeof before) == 0);
    }
}

TEST(quoted_phrase_must_occur_in_every_mode) {
    open_once();
    for (int m = 0; m < 3; m++) {
        tern_search_opts o = tern_search_defaults();
        tern_hit hits[10];
        o.mode = modes[m];
        CHECK_EQ(search("\"quick silver\" fox t1w1", &o, hits), 1);
        CHECK_STR(passage(hits[0].ref).id, "phrase");
    }
}

TEST(a_phrase_that_occurs_nowhere_is_ranked_by_its_words_when_asked_to_relax) {
    open_once();
    for (int m = 0; m < 3; m++) {
        tern_search_opts o = tern_search_defaults();
        tern_hit hits[10];
        o.mode = modes[m];
        CHECK_EQ(search("\"silver quick\" fox", &o, hits), 0);
        o.relax_phrases = true;
        CHECK(search("\"silver quick\" fox", &o, hits) > 0);
        CHECK_STR(passage(hits[0].ref).id, "phrase");
        CHECK_EQ(search("\"quick silver\"", &o, hits), 1); /* a phrase that occurs still binds */
    }
}

TEST(empty_and_unknown_queries_have_no_hits) {
    open_once();
    for (int m = 0; m < 3; m++) {
        tern_search_opts o = tern_search_defaults();
        tern_hit hits[10];
        o.mode = modes[m];
        CHECK_EQ(search("", &o, hits), 0);
        CHECK_EQ(search("zzzz qqqq", &o, hits), 0);
        size_t n = 1;
        CHECK_OK(tern_search(s, NULL, 0, &o, hits, &n, &err), err);
        CHECK_EQ(n, 0);
    }
}

TEST(query_scores_the_same_by_another_searcher_and_after_others) {
    open_once();
    tern_searcher *other;
    CHECK_OK(tern_searcher_new(ix, &other, &err), err);
    tern_search_opts o = tern_search_defaults();
    o.mode = TERN_MODE_HYBRID;
    tern_hit a[10], b[10];
    search("t3w3 common8", &o, b);
    CHECK_EQ(search("t5w5 t4w2 common1", &o, a), 10);
    size_t n;
    const char *q = "t5w5 t4w2 common1";
    CHECK_OK(tern_search(other, q, strlen(q), &o, b, &n, &err), err);
    CHECK_EQ(n, 10);
    CHECK(memcmp(a, b, sizeof a) == 0);
    tern_searcher_free(other);
}

TEST(options_out_of_range_are_refused) {
    open_once();
    tern_hit hits[10];
    size_t n;
    const uint32_t beyond[] = {N + 100};
    const char *no_equals[] = {"lang"};
    for (int i = 0; i < 8; i++) {
        tern_search_opts o = tern_search_defaults();
        if (i == 0) o.k = 0;
        if (i == 1) o.mode = (tern_mode)9;
        if (i == 2) o.k1 = -1;
        if (i == 3) o.b = 1.5f;
        if (i == 4) o.weight_dense = NAN;
        if (i == 5) o.exclude = beyond, o.n_exclude = 1;
        if (i == 6) o.where = no_equals, o.n_where = 1;
        if (i == 7) o.n_where = 1;
        CHECK_EQ(tern_search(s, "t1w1", 4, &o, hits, &n, &err), TERN_ERR_ARG);
        CHECK_EQ(n, 0);
        CHECK(err.text[0]);
    }
}

TEST(dense_without_vectors_is_unsupported_and_bm25_is_the_default) {
    char *dir = tn_path_join(test_dir(), "plain");
    tern_index *plain;
    tern_searcher *p;
    const char *doc = "{\"id\":\"a\",\"text\":\"one two three\"}\n";
    sync_docs(dir, "none", doc, strlen(doc));
    CHECK_OK(tern_index_open(dir, &plain, &err), err);
    CHECK_OK(tern_searcher_new(plain, &p, &err), err);
    CHECK_EQ(tern_searcher_default_mode(p), TERN_MODE_BM25);
    tern_search_opts o = tern_search_defaults();
    tern_hit hits[10];
    size_t n;
    CHECK_OK(tern_search(p, "two", 3, &o, hits, &n, &err), err);
    CHECK_EQ(n, 1);
    o.mode = TERN_MODE_HYBRID;
    CHECK_EQ(tern_search(p, "two", 3, &o, hits, &n, &err), TERN_ERR_UNSUPPORTED);
    tern_searcher_free(p);
    tern_index_close(plain);
    tn_free(dir);
}

TEST(default_mode_is_what_the_gate_says) {
    open_once();
    CHECK_EQ(tern_searcher_default_mode(s),
             tn_gate_is_passed("lsa") ? TERN_MODE_HYBRID : TERN_MODE_BM25);
    CHECK(!tn_gate_is_passed("no such embedder"));
}

TEST(explanation_adds_up_to_the_score) {
    open_once();
    for (int m = 0; m < 3; m++) {
        tern_search_opts o = tern_search_defaults();
        tern_hit hits[10];
        const char *q = "t2w1 t2w5 common4";
        char *text;
        json_t *json;
        o.mode = modes[m];
        CHECK_EQ(search(q, &o, hits), 10);
        CHECK_OK(tern_search_explain(s, q, strlen(q), &o, &hits[3], &text, &err), err);
        CHECK_OK(tn_json_parse(text, strlen(text), &json, &err), err);
        CHECK_NEAR(tn_json_num(json, "score", -1), hits[3].score, 1e-6);
        const json_t *bm25 = json_object_get(json, "bm25"), *dense = json_object_get(json, "dense");
        const json_t *fusion = json_object_get(json, "fusion");
        CHECK_EQ(bm25 != NULL, modes[m] != TERN_MODE_DENSE);
        CHECK_EQ(dense != NULL, modes[m] != TERN_MODE_BM25);
        CHECK_EQ(fusion != NULL, modes[m] == TERN_MODE_HYBRID);
        if (bm25) {
            double sum = 0;
            const json_t *terms = json_object_get(bm25, "terms");
            CHECK(json_array_size(terms) > 0);
            for (size_t i = 0; i < json_array_size(terms); i++)
                sum += tn_json_num(json_array_get(terms, i), "score", 0);
            CHECK_NEAR(sum, tn_json_num(bm25, "score", -1), 1e-4);
        }
        if (fusion)
            CHECK_NEAR(tn_json_num(fusion, "lexical", 0) + tn_json_num(fusion, "dense", 0),
                       hits[3].score, 1e-5);
        json_decref(json);
        tern_string_free(text);
    }
}

TEST(every_failed_allocation_of_a_search_is_reported_and_leaves_the_searcher_usable) {
    open_once();
    const char *where[] = {"lang=en"};
    const uint32_t exclude[] = {1, 3};
    tern_search_opts o = tern_search_defaults();
    o.mode = TERN_MODE_HYBRID;
    o.where = where;
    o.n_where = 1;
    o.exclude = exclude;
    o.n_exclude = 2;
    const char *q = "\"t2w1\" t2w5 common4";
    char *want_text;
    tern_hit want[10], hits[10];
    size_t n_want = search(q, &o, want);
    CHECK(n_want > 0);
    CHECK_OK(tern_search_explain(s, q, strlen(q), &o, &want[0], &want_text, &err), err);
    int64_t n_allocs = 1000, n_failed = 0;
    for (int64_t k = -1; k < n_allocs; k++) { /* -1: nothing fails, to count */
        tern_searcher *fresh = NULL;
        char *text = NULL;
        size_t n = 0;
        int64_t before = (int64_t)tn_mem_n_allocs();
        tn_mem_fail_after(k, 0);
        tern_status st = tern_searcher_new(ix, &fresh, &err);
        if (st == TERN_OK) st = tern_search(fresh, q, strlen(q), &o, hits, &n, &err);
        if (st == TERN_OK) st = tern_search_explain(fresh, q, strlen(q), &o, &hits[0], &text, &err);
        tn_mem_fail_after(-1, 0);
        if (k < 0) n_allocs = (int64_t)tn_mem_n_allocs() - before;
        if (st == TERN_OK)
            CHECK_STR(text, want_text);
        else
            CHECK_EQ(st, TERN_ERR_NOMEM);
        n_failed += st != TERN_OK;
        if (fresh) CHECK_OK(tern_search(fresh, q, strlen(q), &o, hits, &n, &err), err);
        if (fresh) CHECK(n == n_want && memcmp(hits, want, n * sizeof *hits) == 0);
        tern_string_free(text);
        tern_searcher_free(fresh);
    }
    CHECK(n_failed > n_allocs / 2);
    tern_string_free(want_text);
}

TEST(close) {
    tern_searcher_free(s);
    tern_index_close(ix);
}

TEST_MAIN
