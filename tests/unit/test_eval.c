/* Claims about measures, run files, judgements and answers. Expected values are worked out by hand
 * in the comments. */
#include "core/base/file.h"
#include "tern/eval.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tern_error err;

static tern_qrels *qrels_of(const char *text) {
    tern_qrels *q;
    CHECK_OK(tern_qrels_parse(text, strlen(text), "qrels", &q, &err), err);
    return q;
}

static tern_run *run_of(const char *text) {
    tern_run *r;
    CHECK_OK(tern_run_parse(text, strlen(text), "run", &r, &err), err);
    return r;
}

/* Mean of one measure. */
static double score(const tern_qrels *q, const tern_run *r, const char *name, bool run_only) {
    tern_measure m;
    CHECK(tern_measure_parse(name, &m));
    tern_scores s;
    CHECK_OK(tern_evaluate(q, r, &m, 1, run_only, &s, &err), err);
    double mean = s.means[0];
    tern_scores_free(&s);
    return mean;
}

/* Grades in rank order: d1 = 2, d2 = 0, d3 unjudged, d4 = 1; d5 = 3 is not found, d6 = -1. */
static const char *const graded = "q 0 d1 2\nq 0 d2 0\nq 0 d4 1\nq 0 d5 3\nq 0 d6 -1\n";
static const char *const ranked = "q Q0 d1 9 8.5 x\nq Q0 d2 1 8 x\nq Q0 d3 1 7 x\n"
                                  "q Q0 d4 1 6.25 x\nq Q0 d6 1 1e-3 x\n";

TEST(measures_equal_values_worked_out_by_hand) {
    tern_qrels *q = qrels_of(graded);
    tern_run *r = run_of(ranked);
    /* DCG = 2/log2(2) + 1/log2(5) = 2.430677; ideal 3,2,1: 3 + 2/1.584963 + 1/2 = 4.761860 */
    CHECK_NEAR(score(q, r, "ndcg", false), 2.4306765581 / 4.7618595071, 1e-9);
    CHECK_NEAR(score(q, r, "ndcg@1", false), 2.0 / 3, 1e-12);
    CHECK_NEAR(score(q, r, "ndcg@2", false), 2 / (3 + 2 / log2(3)), 1e-12);
    CHECK_NEAR(score(q, r, "map", false), (1.0 / 1 + 2.0 / 4) / 3, 1e-12);
    CHECK_NEAR(score(q, r, "map@3", false), 1.0 / 3, 1e-12);
    CHECK_NEAR(score(q, r, "recall@3", false), 1.0 / 3, 1e-12);
    CHECK_NEAR(score(q, r, "recall", false), 2.0 / 3, 1e-12);
    CHECK_NEAR(score(q, r, "p@4", false), 0.5, 1e-12);
    CHECK_NEAR(score(q, r, "p@10", false), 0.2, 1e-12); /* missing results count against it */
    CHECK_NEAR(score(q, r, "mrr", false), 1, 1e-12);
    CHECK_NEAR(score(q, r, "success@1", false), 1, 0);
    CHECK_NEAR(score(q, r, "all", false), 0, 0);
    tern_qrels_free(q);
    tern_run_free(r);
}

TEST(equal_scores_rank_by_document_id_descending) {
    tern_qrels *q = qrels_of("q 0 b 1\n");
    tern_run *r = run_of("q Q0 a 1 2.0 x\nq Q0 b 2 2.0 x\nq Q0 c 3 2.0 x\n");
    CHECK_NEAR(score(q, r, "mrr", false), 0.5, 0); /* c, b, a */
    tern_run_free(r);
    r = run_of("q Q0 B 1 2 x\nq Q0 b 2 2 x\nq Q0 a 3 3 x\n"); /* bytes, not letters: b before B */
    CHECK_NEAR(score(q, r, "mrr", false), 0.5, 0);
    tern_run_free(r);
    tern_qrels_free(q);
}

TEST(judged_queries_the_run_lacks_count_as_zero_unless_left_out) {
    tern_qrels *q = qrels_of("a 0 d 1\nb 0 d 1\nc 0 d 0\n");
    tern_run *r = run_of("a Q0 d 1 1 x\nz Q0 d 1 1 x\nc Q0 d 1 1 x\n");
    CHECK_NEAR(score(q, r, "recall@1", false), 1.0 / 3, 1e-12);
    CHECK_NEAR(score(q, r, "recall@1", true), 0.5,
               1e-12); /* c has nothing relevant: 0, as trec_eval */
    tern_measure m = {TERN_MEASURE_RECALL, 1};
    tern_scores s;
    CHECK_OK(tern_evaluate(q, r, &m, 1, false, &s, &err), err);
    CHECK_EQ(s.n_queries, 3);
    CHECK_EQ(s.n_missing, 1);
    CHECK_EQ(s.n_unjudged, 1);
    CHECK_NEAR(s.values[1], 0, 0);
    tern_scores_free(&s);
    tern_qrels_free(q);
    tern_run_free(r);
}

TEST(all_asks_for_every_supporting_passage) {
    tern_qrels *q = qrels_of("q 0 a 1\nq 0 b 1\n");
    tern_run *r = run_of("q Q0 a 1 3 x\nq Q0 c 2 2 x\nq Q0 b 3 1 x\n");
    CHECK_NEAR(score(q, r, "all@2", false), 0, 0);
    CHECK_NEAR(score(q, r, "all@3", false), 1, 0);
    CHECK_NEAR(score(q, r, "recall@2", false), 0.5, 0);
    tern_qrels_free(q);
    tern_run_free(r);
}

TEST(measure_names_are_read_and_written_alike) {
    const char *good[] = {"ndcg@10", "map", "mrr@10", "recall@5", "p@1", "success@5", "all@12"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        tern_measure m;
        char name[32];
        CHECK(tern_measure_parse(good[i], &m));
        tern_measure_name(m, name);
        CHECK_STR(name, good[i]);
    }
    const char *bad[] = {"",        "p",   "ndcg@",         "ndcg@0", "ndcg@x",
                         "ndcg@-1", "ndc", "ndcg@99999999", "@3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tern_measure m;
        if (tern_measure_parse(bad[i], &m)) FAIL("accepted '%s'", bad[i]);
    }
}

TEST(beir_and_trec_judgements_are_told_apart) {
    tern_qrels *q = qrels_of("query-id\tcorpus-id\tscore\nq 1\tdoc one\t2\nq 1\tb\t0\n");
    CHECK_EQ(tern_qrels_get(q, "q 1", "doc one"), 2);
    CHECK_EQ(tern_qrels_get(q, "q 1", "b"), 0);
    CHECK_EQ(tern_qrels_get(q, "q 1", "c"), TERN_UNJUDGED);
    CHECK_EQ(tern_qrels_get(q, "q 2", "b"), TERN_UNJUDGED);
    CHECK_EQ(tern_qrels_n_docs(q), 2);
    tern_qrels_free(q);
    q = qrels_of("q2\t0\td\t1\r\n\n  q1 Q0 d -2 \n");
    CHECK_EQ(tern_qrels_get(q, "q1", "d"), -2);
    CHECK_STR(tern_qrels_query(q, 0), "q2");
    CHECK(tern_qrels_query(q, 2) == NULL);
    tern_qrels_free(q);
}

static void check_bad_qrels(const char *text, const char *message) {
    tern_qrels *q;
    CHECK_EQ(tern_qrels_parse(text, strlen(text), "f", &q, &err), TERN_ERR_FORMAT);
    CHECK_HAS(err.text, message);
}

static void check_bad_run(const char *text, const char *message) {
    tern_run *r;
    CHECK_EQ(tern_run_parse(text, strlen(text), "f", &r, &err), TERN_ERR_FORMAT);
    CHECK_HAS(err.text, message);
}

TEST(broken_lines_are_named_by_file_and_line) {
    check_bad_qrels("q 0 d 1\nq 0 d\n", "f:2: expected 4 columns");
    check_bad_qrels("q 0 d x\n", "f:1: grade 'x'");
    check_bad_qrels("q 0 d 1 5\n", "f:1: expected 4");
    check_bad_qrels("q 0 d 1\nq 0 d 1\nq 0 d 2\n", "f:3: document 'd' of query 'q'");
    check_bad_qrels("query-id\tcorpus-id\tscore\na\tb\n", "f:2: expected 3 columns");
    check_bad_run("q Q0 d 1 1 x\nq Q0 d\n", "f:2: expected 6 columns");
    check_bad_run("q Q0 d 1 nan x\n", "f:1: score 'nan'");
    check_bad_run("q Q0 d 1 1 x\nq Q0 d 2 2 x\n", "'d' stands twice");
    tern_qrels *q;
    CHECK_EQ(tern_qrels_parse("a\0b 0 d 1\n", 10, "f", &q, &err), TERN_ERR_FORMAT);
    CHECK_EQ(tern_qrels_load("/nowhere", &q, &err), TERN_ERR_NOT_FOUND);
    CHECK_EQ(tern_qrels_load("/tmp", &q, &err), TERN_ERR_IO);
}

TEST(a_run_comes_back_from_its_file_as_it_was) {
    tern_run *r, *back;
    CHECK_OK(tern_run_new(&r, &err), err);
    float scores[] = {1.0f / 3, 16777217.0f, 1e-30f};
    CHECK_OK(tern_run_add(r, "q", "a", scores[0], &err), err);
    CHECK_OK(tern_run_add(r, "q", "b", scores[1], &err), err);
    CHECK_OK(tern_run_add(r, "q", "c", scores[2], &err), err);
    CHECK_OK(tern_run_add(r, "q", "a", 0.1, &err), err); /* a worse passage of the same document */
    char *path = tn_path_join(test_dir(), "a.run");
    CHECK_OK(tern_run_save(r, path, "tern", &err), err);
    CHECK_OK(tern_run_load(path, &back, &err), err);
    CHECK_OK(tern_run_save(back, path, "tern", &err), err);
    tn_buf b = {0};
    CHECK_OK(tn_file_read(path, 1000, &b, &err), err);
    CHECK_STR(tn_buf_cstr(&b),
              "q Q0 b 1 16777216 tern\nq Q0 a 2 0.333333343 tern\nq Q0 c 3 1e-30 tern\n");
    tn_buf_deinit(&b);
    tn_free(path);
    CHECK_EQ(tern_run_add(r, "q", "d", NAN, &err), TERN_ERR_ARG);
    CHECK_OK(tern_run_add(r, "q", "two words", 1, &err), err);
    CHECK_EQ(tern_run_save(r, "/tmp/never", "tern", &err), TERN_ERR_ARG);
    tern_run_free(back);
    tern_run_free(r);
}

static void check_answer(const char *prediction, const char *gold, double em, double f1) {
    double got_em, got_f1;
    CHECK_OK(tern_answer_score(prediction, &gold, 1, &got_em, &got_f1, &err), err);
    if (fabs(got_em - em) > 1e-12 || fabs(got_f1 - f1) > 1e-12)
        FAIL("'%s' against '%s': em %g f1 %g, expected %g %g", prediction, gold, got_em, got_f1, em,
             f1);
}

TEST(answers_are_compared_after_squads_normalisation) {
    check_answer("The Eiffel Tower!", "eiffel tower", 1, 1);
    check_answer("an apple a day", "Apple   Day.", 1, 1);
    check_answer("theatre", "atre", 0, 0);            /* articles are whole words */
    check_answer("U.S.A.", "usa", 1, 1);              /* punctuation leaves no blank behind */
    check_answer("well-known", "well known", 0, 0);   /* ... here too */
    check_answer("\xC3\x89tat", "\xC3\xA9tat", 1, 1); /* lower case beyond ASCII */
    check_answer("1990\xE2\x80\x93"
                 "95",
                 "1990-95", 0, 0);                  /* a Unicode dash stays */
    check_answer("big red dog", "red dog", 0, 0.8); /* 2 common: p 2/3, r 1 */
    check_answer("red red", "red", 0, 2.0 / 3);     /* words are counted, not just present */
    check_answer("the", "a", 1, 1);                 /* both empty after normalising */
    check_answer("", "something", 0, 0);
    check_answer("\xC2\xA0the\xE3\x80\x80"
                 "cat ",
                 "cat", 1, 1); /* Unicode spaces */
}

TEST(the_best_of_several_right_answers_counts) {
    const char *golds[] = {"New York City", "NYC", "York"};
    double em, f1;
    CHECK_OK(tern_answer_score("new york", golds, 3, &em, &f1, &err), err);
    CHECK_NEAR(em, 0, 0);
    CHECK_NEAR(f1, 0.8, 1e-12);
    CHECK_OK(tern_answer_score("nyc", golds, 3, &em, &f1, &err), err);
    CHECK_NEAR(em + f1, 2, 0);
    CHECK_OK(tern_answer_score("nyc", NULL, 0, &em, &f1, &err), err);
    CHECK_NEAR(em + f1, 0, 0);
}

TEST(questions_take_the_common_spellings_of_their_fields) {
    char *path = tn_path_join(test_dir(), "q.jsonl");
    const char *text = "{\"id\":\"a\",\"question\":\"who?\",\"answers\":[\"x\",\"y\"],"
                       "\"supporting\":[\"p1\",\"p2\"]}\n\n"
                       "{\"_id\":7,\"text\":\"what?\",\"answer\":\"z\"}\r\n"
                       "{\"id\":\"c\",\"query\":\"where?\"}";
    CHECK_OK(tn_file_replace(path, text, strlen(text), &err), err);
    tern_questions q;
    CHECK_OK(tern_questions_load(path, &q, &err), err);
    CHECK_EQ(q.n, 3);
    CHECK_STR(q.items[0].answers[1], "y");
    CHECK_EQ(q.items[0].n_supporting, 2);
    CHECK_STR(q.items[1].id, "7");
    CHECK_STR(q.items[1].answers[0], "z");
    CHECK_STR(q.items[2].text, "where?");
    tern_qrels *qrels;
    CHECK_OK(tern_qrels_from_questions(&q, &qrels, &err), err);
    CHECK_EQ(tern_qrels_n_queries(qrels), 1);
    CHECK_EQ(tern_qrels_get(qrels, "a", "p2"), 1);
    tern_qrels_free(qrels);
    tern_questions_free(&q);
    static const char *const bad[][2] = {
        {"{\"id\":\"a\"}", "q.jsonl:1: no 'question'"},
        {"{\"question\":\"x\"}", "no 'id'"},
        {"{\"id\":\"a\",\"text\":\"x\"}\n{\"id\":\"a\",\"text\":\"y\"}", ":2: question id 'a'"},
        {"{\"id\":\"a\",\"text\":\"x\",\"answers\":3}", "'answers' is neither"},
        {"{\"id\":\"a\",\"text\":\"x\",\"answers\":[3]}", "not a string"},
        {"[1]", "not a JSON object"},
        {"{\"id\":", ":1: "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_OK(tn_file_replace(path, bad[i][0], strlen(bad[i][0]), &err), err);
        CHECK_EQ(tern_questions_load(path, &q, &err), TERN_ERR_FORMAT);
        CHECK_HAS(err.text, bad[i][1]);
        CHECK(q.priv == NULL);
    }
    tn_free(path);
}

TEST(bootstrap_tells_a_real_difference_from_none) {
    double a[200], b[200], c[200];
    for (int i = 0; i < 200; i++) {
        b[i] = (i * 37 % 100) / 100.0;
        a[i] = b[i] + 0.05 + (i % 7 - 3) * 0.01; /* better nearly everywhere */
        c[i] = b[i] + (i % 2 ? 0.1 : -0.1);      /* different, not better */
    }
    tern_bootstrap t;
    CHECK_OK(tern_bootstrap_paired(a, b, 200, 2000, 1, &t, &err), err);
    CHECK_NEAR(t.diff, 0.05, 0.002);
    CHECK(t.p < 0.01 && t.low > 0.04 && t.high < 0.06);
    CHECK_OK(tern_bootstrap_paired(c, b, 200, 2000, 1, &t, &err), err);
    CHECK_NEAR(t.diff, 0, 1e-12);
    CHECK(t.p > 0.5 && t.low < 0 && t.high > 0);
    CHECK_OK(tern_bootstrap_paired(b, b, 200, 100, 1, &t, &err), err);
    CHECK_NEAR(t.p, 1, 0);
    CHECK_EQ(tern_bootstrap_paired(a, b, 0, 10, 1, &t, &err), TERN_ERR_ARG);
}

static tern_status all_of_it(void) {
    tern_qrels *q = NULL;
    tern_run *r = NULL;
    tern_measure m = {TERN_MEASURE_NDCG, 10};
    tern_scores s = {0};
    double em, f1;
    const char *gold = "a red dog";
    tern_status status = tern_qrels_parse(graded, strlen(graded), "qrels", &q, &err);
    if (status == TERN_OK) status = tern_run_parse(ranked, strlen(ranked), "run", &r, &err);
    if (status == TERN_OK) status = tern_evaluate(q, r, &m, 1, false, &s, &err);
    if (status == TERN_OK) status = tern_answer_score("the dog", &gold, 1, &em, &f1, &err);
    tern_scores_free(&s);
    tern_run_free(r);
    tern_qrels_free(q);
    return status;
}

TEST(every_failed_allocation_is_reported) {
    for (int64_t k = 0; k < 10000; k++) {
        tn_mem_fail_after(k, 0);
        tern_status status = all_of_it();
        tn_mem_fail_after(-1, 0);
        if (status == TERN_OK) {
            CHECK(k > 10);
            return;
        }
        CHECK_EQ(status, TERN_ERR_NOMEM);
    }
    FAIL("never succeeded");
}

TEST_MAIN
