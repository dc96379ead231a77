/* Claims about retriever/text: analysis, the inverted index, BM25. */
#include "core/base/file.h"
#include "core/base/rng.h"
#include "tests/unit/text_fixture.h"

#include "core/base/mem.h"

/* "a b c": the terms of a text, stop words in brackets, positions left out. */
static const char *terms_of(const char *language, const char *text) {
    static char out[1024];
    tern_error e;
    tn_analyzer *a;
    const tn_token *tokens;
    size_t n;
    CHECK_OK(tn_analyzer_new(language, &a, &e), e);
    CHECK_OK(tn_analyze(a, text, strlen(text), &tokens, &n, &e), e);
    out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), tokens[i].is_stop ? "%s[%s]" : "%s%s",
                 i ? " " : "", tokens[i].term);
    tn_analyzer_free(a);
    return out;
}

TEST(analyze_folds_stems_and_marks_stop_words) {
    CHECK_STR(terms_of("english", "The Terns were flying, 2 of THEM."),
              "[the] tern [were] fli 2 [of] [them]");
    CHECK_STR(terms_of("none", "The Terns were flying"), "the terns were flying");
}

TEST(analyze_joins_initials_possessives_and_thousands) {
    CHECK_STR(terms_of("english", "Bob's U.S. tour"), "bob us tour");
    CHECK_STR(terms_of("english", "O\xE2\x80\x99"
                                  "Brien doesn't"),
              "obrien [doesnt]");
    CHECK_STR(terms_of("english", "J.R.R. Tolkien, e.g. here.Not"), "jrr tolkien eg [here] [not]");
    CHECK_STR(terms_of("none", "1,234,567 in 1990,200 or 12,34"), "1234567 in 1990 200 or 12 34");
    CHECK_STR(terms_of("french", "l'eau d\xE2\x80\x99or"), "[l] eau [d] or");
}

TEST(analyze_gives_a_word_the_same_term_whatever_stands_around_it) {
    CHECK_STR(terms_of("none", "Tern tern, TERN. (tern) tern's tern\xE2\x80\x94 tErn"),
              "tern tern tern tern tern s tern tern");
    CHECK_STR(terms_of("english", "Counterrevolution counterrevolution-- COUNTERREVOLUTION's"),
              "counterrevolut counterrevolut counterrevolut");
    CHECK_STR(terms_of("none", "Abcdefghijklmnop Abcdefghijklmnop, abcdefghijklmnopQ 1a2B3c4D 1,a"),
              "abcdefghijklmnop abcdefghijklmnop abcdefghijklmnopq 1a2b3c4d 1 a");
}

TEST(analyze_folds_accents_of_latin_letters_only) {
    CHECK_STR(terms_of("none", "Z\xC3\xBC"
                               "rich Stra\xC3\x9F"
                               "e \xEF\xBC\xA1\xEF\xBC\xA2"),
              "zurich strasse ab");
    CHECK_STR(terms_of("none", "\xD0\xB9"), "\xD0\xB9"); /* Cyrillic short i keeps its breve */
}

TEST(analyze_cuts_cjk_into_overlapping_bigrams) {
    CHECK_STR(terms_of("english", "\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD tern \xE6\xB0\xB4"),
              "\xE6\x9D\xB1\xE4\xBA\xAC \xE4\xBA\xAC\xE9\x83\xBD tern \xE6\xB0\xB4");
}

TEST(analyze_keeps_a_text_of_stop_words_only) {
    CHECK_STR(terms_of("english", "The Who"), "the who");
    CHECK_STR(terms_of("english", ""), "");
}

TEST(analyze_survives_bad_bytes_and_endless_words) {
    CHECK_STR(terms_of("none", "ab\xFF"
                               "cd \xE6\x9D x\xC2"),
              "ab cd x");
    char word[5001];
    memset(word, 'x', 5000);
    word[5000] = '\0';
    CHECK_EQ(strlen(terms_of("english", word)), 255);
}

TEST(analyzer_refuses_an_unknown_language_and_lists_the_known) {
    tern_error e;
    tn_analyzer *a;
    CHECK_EQ(tn_analyzer_new("klingon", &a, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "german");
}

static const char *const golden[][2] = {
    {"Tern", "The tern flies to the pole."},
    {"Pole", "A pole is cold, a pole is far."},
    {"", "Terns and gulls."},
};

static tn_inv *build(const char *dir, const char *const docs[][2], size_t n) {
    tern_error e;
    tn_analyzer *a;
    tn_inv_builder *b;
    tn_inv *inv;
    CHECK_OK(tn_mkdirs(dir, &e), e);
    CHECK_OK(tn_analyzer_new("english", &a, &e), e);
    CHECK_OK(tn_inv_builder_new(a, &b, &e), e);
    for (size_t i = 0; i < n; i++)
        CHECK_OK(tn_inv_builder_add(b, docs[i][0], strlen(docs[i][0]), docs[i][1],
                                    strlen(docs[i][1]), &e),
                 e);
    CHECK_OK(tn_inv_builder_write(b, dir, &e), e);
    tn_inv_builder_free(b);
    tn_analyzer_free(a);
    CHECK_OK(tn_inv_open(dir, &inv, &e), e);
    return inv;
}

static const char *in_dir(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    return path;
}

/* Lengths: tern tern fli pole = 4; pole pole cold pole far = 5; tern gull = 2. avglen 11/3. */
TEST(bm25_scores_equal_those_computed_by_hand) {
    tern_error e;
    tn_inv *inv = build(in_dir("golden"), golden, 3);
    CHECK_EQ(tn_inv_n_docs(inv), 3);
    CHECK_EQ(tn_inv_n_terms(inv), 6);
    CHECK_EQ(tn_inv_n_tokens(inv), 11);
    tn_bm25_segment seg = {inv, 10, NULL};
    tn_bm25 *s;
    CHECK_OK(tn_bm25_new(&seg, 1, "english", &s, &e), e);
    tern_hit hits[5];
    size_t n;
    CHECK_OK(tn_bm25_search(s, "cold poles", 10, 1.2f, 0.75f, NULL, false, 5, hits, &n, &e), e);
    CHECK_EQ(n, 2);
    CHECK_EQ(hits[0].ref, 11);
    CHECK_EQ(hits[1].ref, 10);
    double cold = log(1 + 2.5 / 1.5), pole = log(1 + 1.5 / 2.5);
    double k5 = 1.2 * (0.25 + 0.75 * 5 * 3 / 11), k4 = 1.2 * (0.25 + 0.75 * 4 * 3 / 11);
    CHECK_NEAR(hits[0].score, cold * 2.2 / (1 + k5) + pole * 3 * 2.2 / (3 + k5), 1e-6);
    CHECK_NEAR(hits[1].score, pole * 2.2 / (1 + k4), 1e-6);
    tn_bm25_part parts[4];
    CHECK_OK(tn_bm25_explain(s, "cold poles", 10, 1.2f, 0.75f, 11, parts, 4, &n, &e), e);
    CHECK_EQ(n, 2);
    CHECK_STR(parts[1].term, "pole");
    CHECK_EQ(parts[1].tf, 3);
    CHECK_EQ(parts[1].df, 2);
    CHECK_EQ(parts[1].len, 5);
    CHECK(parts[0].score + parts[1].score == hits[0].score);
    tn_bm25_free(s);
    tn_inv_close(inv);
}

TEST(bm25_unknown_and_empty_queries_give_no_hits) {
    tern_error e;
    tn_inv *inv = build(in_dir("empty"), golden, 3);
    tn_bm25_segment seg = {inv, 0, NULL};
    tn_bm25 *s;
    CHECK_OK(tn_bm25_new(&seg, 1, "english", &s, &e), e);
    tern_hit hits[5];
    size_t n = 9;
    CHECK_OK(tn_bm25_search(s, "zebra", 5, 1.2f, 0.75f, NULL, false, 5, hits, &n, &e), e);
    CHECK_EQ(n, 0);
    CHECK_OK(tn_bm25_search(s, "", 0, 1.2f, 0.75f, NULL, false, 5, hits, &n, &e), e);
    CHECK_EQ(n, 0);
    CHECK_EQ(tn_bm25_search(s, "tern", 4, 1.2f, 0.75f, NULL, false, 0, hits, &n, &e), TERN_ERR_ARG);
    CHECK_EQ(tn_bm25_search(s, "tern", 4, NAN, 0.75f, NULL, false, 5, hits, &n, &e), TERN_ERR_ARG);
    tn_bm25_free(s);
    tn_inv_close(inv);
}

static void check_same_file(const char *dir_a, const char *dir_b, const char *name) {
    char path[300];
    tern_error e;
    tn_buf a = {0}, b = {0};
    snprintf(path, sizeof path, "%s/%s", dir_a, name);
    CHECK_OK(tn_file_read(path, SIZE_MAX, &a, &e), e);
    snprintf(path, sizeof path, "%s/%s", dir_b, name);
    CHECK_OK(tn_file_read(path, SIZE_MAX, &b, &e), e);
    if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0) FAIL("%s differs", path);
    tn_buf_deinit(&a);
    tn_buf_deinit(&b);
}

TEST(inv_merge_equals_a_fresh_build_of_the_kept_passages_byte_for_byte) {
    tern_error e;
    enum { N = 3000 };
    const size_t cuts[] = {0, 700, 701, 1700, N};
    random_docs(7, N);
    uint64_t keep[4][N / 64 + 1], keep_all[N / 64 + 1] = {0};
    memset(keep, 0, sizeof keep);
    tn_inv *parts[4];
    const tn_inv *views[4];
    const uint64_t *bitmaps[4];
    char dir[300], merged[300], fresh[300];
    for (int s = 0; s < 4; s++) {
        snprintf(dir, sizeof dir, "%s/part%d", test_dir(), s);
        views[s] = parts[s] = build_range(dir, cuts[s], cuts[s + 1], NULL);
        bitmaps[s] = s == 2 ? NULL : keep[s]; /* segment 2 is kept whole */
        for (size_t d = cuts[s]; d < cuts[s + 1]; d++) {
            size_t local = d - cuts[s];
            if (s != 2 && tn_rng_below(&rng, 3) == 0) continue;
            keep[s][local / 64] |= 1ull << local % 64;
            keep_all[d / 64] |= 1ull << d % 64;
        }
    }
    snprintf(merged, sizeof merged, "%s/merged", test_dir());
    snprintf(fresh, sizeof fresh, "%s/fresh", test_dir());
    CHECK_OK(tn_mkdirs(merged, &e), e);
    CHECK_OK(tn_inv_merge(views, bitmaps, 4, merged, NULL, &e), e);
    tn_inv *whole = build_range(fresh, 0, N, keep_all);
    check_same_file(merged, fresh, "terms.tn");
    check_same_file(merged, fresh, "postings.tn");
    check_same_file(merged, fresh, "positions.tn");
    check_same_file(merged, fresh, "lengths.tn");
    CHECK_OK(tn_inv_check(whole, fail_on_defect, NULL, &e), e);
    tn_inv_close(whole);
    for (int s = 0; s < 4; s++) tn_inv_close(parts[s]);
    free_docs(N);
}

static tern_status count_postings(void *ud, uint32_t no, const char *term, size_t len,
                                  const uint32_t *docs, const uint32_t *tfs, uint32_t df,
                                  tern_error *err) {
    uint64_t *sum = ud;
    (void)err;
    CHECK_EQ(strlen(term), len);
    CHECK_EQ(no, sum[1]++);
    for (uint32_t i = 0; i < df; i++) {
        if (i) CHECK(docs[i] > docs[i - 1]);
        sum[0] += tfs[i];
    }
    return TERN_OK;
}

TEST(inv_walk_visits_every_occurrence_of_every_term_in_order) {
    tern_error e;
    random_docs(8, 500);
    tn_inv *inv = build_range(in_dir("walk"), 0, 500, NULL);
    uint64_t sum[2] = {0};
    CHECK_OK(tn_inv_walk(inv, count_postings, sum, &e), e);
    CHECK_EQ(sum[0], tn_inv_n_tokens(inv));
    CHECK_EQ(sum[1], tn_inv_n_terms(inv));
    tn_inv_close(inv);
    free_docs(500);
}

TEST(inv_of_no_passages_opens_and_finds_nothing) {
    tern_error e;
    tn_inv *inv = build(in_dir("none"), golden, 0);
    CHECK_EQ(tn_inv_n_terms(inv), 0);
    CHECK_OK(tn_inv_check(inv, fail_on_defect, NULL, &e), e);
    tn_bm25_segment seg = {inv, 0, NULL};
    tn_bm25 *s;
    tern_hit hit;
    size_t n;
    CHECK_OK(tn_bm25_new(&seg, 1, "english", &s, &e), e);
    CHECK_OK(tn_bm25_search(s, "tern", 4, 1.2f, 0.75f, NULL, false, 1, &hit, &n, &e), e);
    CHECK_EQ(n, 0);
    tn_bm25_free(s);
    tn_inv_close(inv);
}

TEST_MAIN
