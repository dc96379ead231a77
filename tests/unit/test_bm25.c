/* Claims about BM25 search: pruned, exhaustive and plain scoring agree bit for bit; phrases,
 * filters, segments, long queries, exhausted memory. */
#include "tests/unit/text_fixture.h"

#include "core/base/mem.h"

enum { SEGS_MAX = 6, HITS_MAX = 300 };

/* A collection cut into segments, with tombstones. */
typedef struct collection {
    size_t n, n_segs;
    tn_bm25_segment segs[SEGS_MAX];
    uint64_t *dead[SEGS_MAX];
    tn_bm25 *bm25;
} collection;

static void open_collection(collection *c, const char *name, size_t n, size_t n_segs,
                            unsigned one_dead_in) {
    tern_error e;
    char dir[300];
    size_t begin = 0;
    *c = (collection){.n = n, .n_segs = n_segs};
    for (size_t s = 0; s < n_segs; s++) {
        size_t end = s + 1 == n_segs ? n : begin + (n - begin) / (1 + tn_rng_below(&rng, 3));
        snprintf(dir, sizeof dir, "%s/%s-%zu", test_dir(), name, s);
        tn_inv *inv = build_range(dir, begin, end, NULL);
        c->dead[s] = tn_calloc((end - begin) / 64 + 1, 8);
        for (size_t d = 0; one_dead_in && d < end - begin; d++)
            if (tn_rng_below(&rng, one_dead_in) == 0) c->dead[s][d / 64] |= 1ull << d % 64;
        c->segs[s] = (tn_bm25_segment){inv, (uint32_t)begin, one_dead_in ? c->dead[s] : NULL};
        begin = end;
    }
    CHECK_OK(tn_bm25_new(c->segs, n_segs, "english", &c->bm25, &e), e);
}

static void close_collection(collection *c) {
    tn_bm25_free(c->bm25);
    for (size_t s = 0; s < c->n_segs; s++) {
        tn_inv_close((tn_inv *)c->segs[s].inv);
        tn_free(c->dead[s]);
    }
}

static size_t search(collection *c, const char *query, const uint64_t *allow, bool exhaustive,
                     size_t k, float k1, float b, tern_hit *hits) {
    tern_error e;
    size_t n;
    CHECK_OK(
        tn_bm25_search(c->bm25, query, strlen(query), k1, b, allow, exhaustive, k, hits, &n, &e),
        e);
    return n;
}

static void check_same_hits(const tern_hit *a, size_t n_a, const tern_hit *b, size_t n_b,
                            const char *query) {
    if (n_a != n_b) FAIL("%zu and %zu hits for \"%s\"", n_a, n_b, query);
    for (size_t i = 0; i < n_a; i++)
        if (a[i].ref != b[i].ref || a[i].score != b[i].score)
            FAIL("hit %zu is %u (%.9g) and %u (%.9g) for \"%s\"", i, a[i].ref, (double)a[i].score,
                 b[i].ref, (double)b[i].score, query);
}

static bool is_dead(const collection *c, uint32_t ref) {
    size_t s = c->n_segs - 1;
    while (c->segs[s].base > ref) s--;
    uint32_t d = ref - c->segs[s].base;
    return c->dead[s][d / 64] >> (d % 64) & 1;
}

static void random_query(tn_buf *out) {
    tn_buf_reset(out);
    uint64_t n = 1 + tn_rng_below(&rng, tn_rng_below(&rng, 8) ? 6 : 40);
    for (uint64_t i = 0; i < n;
         i++) /* half of the words common, half from anywhere, some unknown */
        tn_buf_printf(out, "w%u ",
                      tn_rng_below(&rng, 2) ? (unsigned)tn_rng_below(&rng, 40)
                                            : (unsigned)tn_rng_below(&rng, 3200));
}

TEST(bm25_pruned_equals_exhaustive_bit_for_bit) {
    static tern_hit pruned[HITS_MAX], full[HITS_MAX];
    static const size_t sizes[] = {1, 40, 900, 12000, 12000};
    static const float k1s[] = {1.2f, 0.9f, 0, 3}, bs[] = {0.75f, 0.4f, 0, 1};
    tn_buf q = {0};
    for (size_t round = 0; round < sizeof sizes / sizeof *sizes; round++) {
        const size_t n = sizes[round];
        collection c;
        random_docs(100 + round, n);
        char name[32];
        snprintf(name, sizeof name, "prune%zu", round);
        open_collection(&c, name, n, n < 40 ? 1 : 1 + round, round % 2 ? 5 : 0);
        uint64_t *allow = tn_calloc(n / 64 + 1, 8);
        for (int i = 0; i < 800; i++) {
            random_query(&q);
            float k1 = k1s[tn_rng_below(&rng, 4)], b = bs[tn_rng_below(&rng, 4)];
            size_t k = i % 3 == 0 ? 10 : i % 3 == 1 ? 1 + tn_rng_below(&rng, 5) : HITS_MAX;
            bool filters = i % 5 == 0;
            for (size_t w = 0; filters && w <= n / 64; w++)
                allow[w] = tn_rng_u64(&rng) & tn_rng_u64(&rng);
            size_t n_p =
                search(&c, tn_buf_cstr(&q), filters ? allow : NULL, false, k, k1, b, pruned);
            size_t n_f = search(&c, tn_buf_cstr(&q), filters ? allow : NULL, true, k, k1, b, full);
            check_same_hits(pruned, n_p, full, n_f, tn_buf_cstr(&q));
            for (size_t h = 0; h < n_p; h++) {
                CHECK(!is_dead(&c, pruned[h].ref));
                CHECK(!filters || (allow[pruned[h].ref / 64] >> (pruned[h].ref % 64) & 1));
                CHECK_EQ(pruned[h].rank_bm25, h + 1);
            }
        }
        tn_free(allow);
        close_collection(&c);
        free_docs(n);
    }
    tn_buf_deinit(&q);
}

/* Every passage scored through tn_bm25_explain, sorted by insertion. */
static size_t score_plainly(collection *c, const char *query, size_t k, tern_hit *hits) {
    tn_bm25_part parts[64];
    tern_error e;
    size_t n = 0, n_parts;
    for (uint32_t ref = 0; ref < c->n; ref++) {
        float score = 0;
        if (is_dead(c, ref)) continue;
        CHECK_OK(tn_bm25_explain(c->bm25, query, strlen(query), 1.2f, 0.75f, ref, parts, 64,
                                 &n_parts, &e),
                 e);
        for (size_t p = 0; p < n_parts; p++) score += parts[p].score;
        if (score == 0) continue;
        size_t at = n < k ? n++ : k;
        if (at == k && !(hits[k - 1].score < score)) continue;
        if (at == k) at--;
        for (; at > 0 && hits[at - 1].score < score; at--) hits[at] = hits[at - 1];
        hits[at] = (tern_hit){.ref = ref, .score = score};
    }
    return n;
}

TEST(bm25_hits_equal_scoring_every_passage_alone) {
    tern_hit hits[20], plain[20];
    tn_buf q = {0};
    collection c;
    random_docs(7, 400);
    open_collection(&c, "plain", 400, 3, 6);
    for (int i = 0; i < 40; i++) {
        random_query(&q);
        size_t n = search(&c, tn_buf_cstr(&q), NULL, false, 20, 1.2f, 0.75f, hits);
        check_same_hits(hits, n, plain, score_plainly(&c, tn_buf_cstr(&q), 20, plain),
                        tn_buf_cstr(&q));
    }
    tn_buf_deinit(&q);
    close_collection(&c);
    free_docs(400);
}

TEST(bm25_scores_do_not_depend_on_the_segments) {
    tern_hit a[50], b[50];
    tn_buf q = {0};
    collection one, many;
    random_docs(9, 3000);
    open_collection(&one, "one", 3000, 1, 0);
    open_collection(&many, "many", 3000, 5, 0);
    for (int i = 0; i < 200; i++) {
        random_query(&q);
        size_t n_a = search(&one, tn_buf_cstr(&q), NULL, false, 50, 1.2f, 0.75f, a);
        size_t n_b = search(&many, tn_buf_cstr(&q), NULL, false, 50, 1.2f, 0.75f, b);
        check_same_hits(a, n_a, b, n_b, tn_buf_cstr(&q));
    }
    tn_buf_deinit(&q);
    close_collection(&one);
    close_collection(&many);
    free_docs(3000);
}

TEST(bm25_a_repeated_word_counts_once) {
    tern_hit once[5], twice[5];
    collection c;
    random_docs(10, 200);
    open_collection(&c, "repeat", 200, 1, 0);
    size_t n = search(&c, "w1", NULL, false, 5, 1.2f, 0.75f, once);
    CHECK_EQ(search(&c, "w1 w1", NULL, false, 5, 1.2f, 0.75f, twice), n);
    check_same_hits(once, n, twice, n, "w1");
    close_collection(&c);
    free_docs(200);
}

TEST(bm25_takes_a_query_of_ten_thousand_words) {
    static tern_hit pruned[20], full[20];
    tn_buf q = {0};
    collection c;
    random_docs(11, 9000);
    open_collection(&c, "long", 9000, 2, 0);
    for (int i = 0; i < 10000; i++) tn_buf_printf(&q, "w%d ", i % 4000);
    size_t n = search(&c, tn_buf_cstr(&q), NULL, false, 20, 1.2f, 0.75f, pruned);
    CHECK_EQ(n, 20);
    check_same_hits(pruned, n, full, search(&c, tn_buf_cstr(&q), NULL, true, 20, 1.2f, 0.75f, full),
                    "long");
    tn_buf_deinit(&q);
    close_collection(&c);
    free_docs(9000);
}

/* --- phrases --- */

/* Does word a stand `distance` words before word b? By plain reading. */
static bool text_has(const char *text, const char *a, const char *b, size_t distance) {
    const char *words[400];
    size_t n = 0;
    for (const char *p = text; *p && n < 400; p += strcspn(p, " "), p += *p == ' ') words[n++] = p;
    for (size_t i = 0; i + distance < n; i++)
        if (strncmp(words[i], a, strlen(a)) == 0 && strncmp(words[i + distance], b, strlen(b)) == 0)
            return true;
    return false;
}

TEST(bm25_phrases_match_exactly_the_passages_that_contain_them) {
    static tern_hit hits[DOCS_MAX];
    enum { N = 4000 };
    collection c;
    random_docs(12, N);
    open_collection(&c, "phrase", N, 3, 0);
    size_t n_found = 0;
    for (unsigned i = 0; i < 150; i++) {
        char a[16], b[16], query[80];
        const size_t distance =
            i % 3 ? 1 : 2; /* a stop word matches whatever stands in its place */
        snprintf(a, sizeof a, "w%u ", (unsigned)tn_rng_below(&rng, 30));
        snprintf(b, sizeof b, "w%u ", (unsigned)tn_rng_below(&rng, 30));
        snprintf(query, sizeof query, "w77 \"%s%s%s\" w9", a, distance == 2 ? "the " : "", b);
        size_t n = search(&c, query, NULL, false, N, 1.2f, 0.75f, hits), n_expected = 0;
        bool hit[N] = {false};
        for (size_t h = 0; h < n; h++) hit[hits[h].ref] = true;
        for (size_t d = 0; d < N; d++) {
            bool expected =
                text_has(titles[d], a, b, distance) || text_has(texts[d], a, b, distance);
            n_expected += expected;
            if (hit[d] != expected) FAIL("%s in \"%s\" | \"%s\"", query, titles[d], texts[d]);
        }
        CHECK_EQ(n, n_expected);
        n_found += n;
    }
    CHECK(n_found > 1000);
    close_collection(&c);
    free_docs(N);
}

TEST(bm25_phrases_leave_scores_as_they_are) {
    static tern_hit with[DOCS_MAX], without[DOCS_MAX];
    collection c;
    random_docs(13, 2000);
    open_collection(&c, "phrase-score", 2000, 2, 0);
    size_t n = search(&c, "w500 \"w1 w2\"", NULL, false, 2000, 1.2f, 0.75f, with);
    size_t n_all = search(&c, "w500 w1 w2", NULL, false, 2000, 1.2f, 0.75f, without);
    CHECK(n > 0 && n < n_all);
    for (size_t i = 0, j = 0; i < n; i++, j++) { /* a subsequence with the same scores */
        while (j < n_all && without[j].ref != with[i].ref) j++;
        CHECK(j < n_all && without[j].score == with[i].score);
    }
    close_collection(&c);
    free_docs(2000);
}

static const char *const bands[][2] = {{"The Who", "A band from London."},
                                       {"Who Is Next", "The band played in the London dark."},
                                       {"London Band", "dark city"}};

TEST(bm25_quotes_stop_words_and_titles_behave_as_a_user_expects) {
    tern_hit hits[3];
    collection c;
    for (size_t i = 0; i < 3; i++) {
        titles[i] = tn_strdup(bands[i][0]);
        texts[i] = tn_strdup(bands[i][1]);
    }
    open_collection(&c, "bands", 3, 1, 0);
    CHECK_EQ(search(&c, "who is the Who", NULL, false, 3, 1.2f, 0.75f, hits), 1);
    CHECK_EQ(hits[0].ref, 0);
    CHECK_EQ(search(&c, "\"the who\"", NULL, false, 3, 1.2f, 0.75f, hits), 1);
    CHECK_EQ(search(&c, "\"who the\"", NULL, false, 3, 1.2f, 0.75f, hits), 0);
    /* a phrase may not run from the title into the text */
    CHECK_EQ(search(&c, "\"band dark\"", NULL, false, 3, 1.2f, 0.75f, hits), 0);
    CHECK_EQ(search(&c, "\"london dark\"", NULL, false, 3, 1.2f, 0.75f, hits), 1);
    CHECK_EQ(search(&c, "\"in the london\"", NULL, false, 3, 1.2f, 0.75f, hits), 3);
    CHECK_EQ(search(&c, "\xE2\x80\x9Clondon band\xE2\x80\x9D", NULL, false, 3, 1.2f, 0.75f, hits),
             1);
    CHECK_EQ(search(&c, "\"london band", NULL, false, 3, 1.2f, 0.75f, hits), 3); /* no partner */
    CHECK_EQ(search(&c, "\"\" london \"the\"", NULL, false, 3, 1.2f, 0.75f, hits), 3);
    CHECK_EQ(search(&c, "\"london zebra\" band", NULL, false, 3, 1.2f, 0.75f, hits), 0);
    close_collection(&c);
    free_docs(3);
}

/* --- exhausted memory --- */

static tern_status build_and_search(const char *dir, tern_error *e) {
    tn_analyzer *a = NULL;
    tn_inv_builder *b = NULL;
    tn_inv *inv = NULL, *merged = NULL;
    tn_bm25 *s = NULL;
    tern_hit hits[5];
    size_t n;
    char out[400];
    snprintf(out, sizeof out, "%s-merged", dir);
    tern_status st = tn_mkdirs(out, e);
    if (st == TERN_OK) st = tn_analyzer_new("english", &a, e);
    if (st == TERN_OK) st = tn_inv_builder_new(a, &b, e);
    for (size_t i = 0; i < 150 && st == TERN_OK; i++)
        st = tn_inv_builder_add(b, titles[i], strlen(titles[i]), texts[i], strlen(texts[i]), e);
    if (st == TERN_OK) st = tn_inv_builder_write(b, dir, e);
    if (st == TERN_OK) st = tn_inv_open(dir, &inv, e);
    const tn_inv *both[] = {inv, inv};
    if (st == TERN_OK) st = tn_inv_merge(both, NULL, 2, out, NULL, e);
    if (st == TERN_OK) st = tn_inv_open(out, &merged, e);
    if (st == TERN_OK) st = tn_inv_check(merged, fail_on_defect, NULL, e);
    const tn_bm25_segment seg = {merged, 0, NULL};
    if (st == TERN_OK) st = tn_bm25_new(&seg, 1, "english", &s, e);
    static const char q[] = "w1 \"w1 w2\" w3";
    if (st == TERN_OK) st = tn_bm25_search(s, q, 5, 1.2f, 0.75f, NULL, false, 5, hits, &n, e);
    if (st == TERN_OK)
        st = tn_bm25_search(s, q, sizeof q - 1, 1.2f, 0.75f, NULL, false, 5, hits, &n, e);
    tn_bm25_free(s);
    tn_inv_close(inv);
    tn_inv_close(merged);
    tn_inv_builder_free(b);
    tn_analyzer_free(a);
    return st;
}

TEST(every_failed_allocation_comes_back_as_nomem) {
    tern_error e;
    char dir[300];
    random_docs(14, 150);
    snprintf(dir, sizeof dir, "%s/oom", test_dir());
    CHECK_OK(tn_mkdirs(dir, &e), e);
    int64_t n = 0;
    tern_status st;
    do {
        tn_mem_fail_after(n, 0);
        st = build_and_search(dir, &e);
        tn_mem_fail_after(-1, 0);
        if (st != TERN_OK && st != TERN_ERR_NOMEM)
            FAIL("allocation %lld: %s: %s", (long long)n, tern_status_text(st), e.text);
        n += n < 300 ? 1 : 7;
    } while (st != TERN_OK && n < 100000);
    CHECK(n > 100 && st == TERN_OK);
    free_docs(150);
}

TEST_MAIN
