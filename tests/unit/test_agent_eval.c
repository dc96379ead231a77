/* test_agent_eval.c - the agent over a real index: asking, evaluating, resuming. */
#include "agent/tools.h"
#include "core/base/file.h"
#include "tern/agent.h"
#include "tests/test.h"

#include "core/base/mem.h"

enum { N = 24 };

/* Pages "Town i" in "County i" whose "Governor i" was born in some year: two hops each. */
static const char *corpus_dir(void) {
    static char dir[128];
    tn_buf b = {0};
    tern_error e;
    if (dir[0]) return dir;
    static const char *const names[] = {"Alder", "Birch", "Cedar", "Damson", "Elder", "Fir"};
    static const char *const ends[] = {"ford", "wick", "ham", "by"};
    for (int i = 0; i < N; i++) {
        const char *a = names[i % 6], *z = ends[i / 6];
        tn_buf_printf(&b,
                      "{\"id\":\"t%d\",\"title\":\"%s%s\",\"text\":\"%s%s is a town known for its "
                      "mill. Its first mayor was Odo %s%sson.\"}\n",
                      i, a, z, a, z, a, z);
        tn_buf_printf(&b,
                      "{\"id\":\"m%d\",\"title\":\"Odo %s%sson\",\"text\":\"Odo %s%sson was a "
                      "politician born in %d.\"}\n",
                      i, a, z, a, z, 1800 + i);
    }
    char file[160];
    snprintf(dir, sizeof dir, "%s/ix", test_dir());
    snprintf(file, sizeof file, "%s/corpus.jsonl", test_dir());
    CHECK_OK(tn_file_replace(file, b.data, b.len, &e), e);
    tn_buf_reset(&b);
    for (int i = 0; i < N; i++)
        tn_buf_printf(&b,
                      "{\"id\":\"q%d\",\"question\":\"In which year was the first mayor of %s%s "
                      "born?\",\"answers\":[\"%d\"],\"supporting\":[\"t%d\",\"m%d\"]}\n",
                      i, names[i % 6], ends[i / 6], 1800 + i, i, i);
    char questions[160];
    snprintf(questions, sizeof questions, "%s/q.jsonl", test_dir());
    CHECK_OK(tn_file_replace(questions, b.data, b.len, &e), e);
    tn_buf_deinit(&b);
    const char *inputs[] = {file};
    CHECK_OK(tern_index_sync(dir, inputs, 1, NULL, NULL, NULL, &e), e);
    return dir;
}

typedef struct bench {
    tern_index *ix;
    tern_policy *policy;
    tern_questions questions;
    tern_agent_report report;
    tern_error err;
} bench;

static bench open_bench(void) {
    bench b = {0};
    char path[160];
    CHECK_OK(tern_index_open(corpus_dir(), &b.ix, &b.err), b.err);
    CHECK_OK(tern_policy_embedded(&b.policy, &b.err), b.err);
    snprintf(path, sizeof path, "%s/q.jsonl", test_dir());
    CHECK_OK(tern_questions_load(path, &b.questions, &b.err), b.err);
    return b;
}

static void close_bench(bench *b) {
    tern_questions_free(&b->questions);
    tern_policy_free(b->policy);
    tern_index_close(b->ix);
}

static tern_status evaluate(bench *b, const char *results, const tern_host *host) {
    tern_agent_eval_opts o = tern_agent_eval_defaults();
    o.results = results;
    o.oracle = o.withheld = true;
    o.agent.top_k = 1;
    return tern_agent_evaluate(b->ix, b->policy, &b->questions, &o, host, &b->report, &b->err);
}

static void check_same(const tern_agent_report *a, const tern_agent_report *b) {
    CHECK(a->supporting_recall == b->supporting_recall && a->all_supporting == b->all_supporting);
    CHECK(a->bm25_recall == b->bm25_recall && a->oracle_recall == b->oracle_recall);
    CHECK(a->em == b->em && a->f1 == b->f1 && a->known == b->known);
    CHECK(a->searches == b->searches && a->auroc == b->auroc);
    CHECK_EQ(a->n_questions, b->n_questions);
}

TEST(two_hops_are_found_where_one_search_is_not_enough) {
    bench b = open_bench();
    CHECK_OK(evaluate(&b, NULL, NULL), b.err);
    CHECK_EQ(b.report.n_questions, N);
    CHECK(b.report.supporting_recall > 0.95);
    CHECK(b.report.oracle_recall >= b.report.supporting_recall);
    CHECK(b.report.f1 > 0.9);
    CHECK(b.report.auroc > 0.9);
    CHECK(b.report.passages <= 4);
    close_bench(&b);
}

TEST(any_number_of_threads_gives_the_same_figures) {
    bench b = open_bench();
    CHECK_OK(evaluate(&b, NULL, NULL), b.err);
    tern_agent_report one = b.report;
    tern_host host = {.n_threads = 5};
    CHECK_OK(evaluate(&b, NULL, &host), b.err);
    check_same(&one, &b.report);
    close_bench(&b);
}

typedef struct stopper {
    int left;
} stopper;
static bool stop_soon(void *ud) {
    return --((stopper *)ud)->left < 0;
}

TEST(an_interrupted_run_goes_on_where_it_stopped_and_ends_the_same) {
    bench b = open_bench();
    char path[160];
    snprintf(path, sizeof path, "%s/results.jsonl", test_dir());
    CHECK_OK(evaluate(&b, NULL, NULL), b.err);
    tern_agent_report whole = b.report;
    stopper s = {.left = 150};
    tern_host host = {.cancelled = stop_soon, .ud = &s, .n_threads = 1};
    CHECK_EQ(evaluate(&b, path, &host), TERN_ERR_CANCELLED);
    tn_buf text = {0};
    CHECK_OK(tn_file_read(path, 1 << 20, &text, &b.err), b.err);
    tn_buf_str(&text, "{\"id\":\"q23\",\"answ"); /* killed in the middle of a line */
    CHECK_OK(tn_file_replace(path, text.data, text.len, &b.err), b.err);
    CHECK_OK(evaluate(&b, path, NULL), b.err);
    CHECK(b.report.n_resumed > 0 && b.report.n_resumed < N);
    check_same(&whole, &b.report);
    CHECK_OK(evaluate(&b, path, NULL), b.err); /* nothing left to ask */
    CHECK_EQ(b.report.n_resumed, N);
    check_same(&whole, &b.report);
    tn_buf_deinit(&text);
    close_bench(&b);
}

TEST(results_of_another_run_are_refused) {
    bench b = open_bench();
    char path[160];
    snprintf(path, sizeof path, "%s/other.jsonl", test_dir());
    CHECK_OK(evaluate(&b, path, NULL), b.err);
    tern_agent_eval_opts o = tern_agent_eval_defaults();
    o.results = path;
    o.agent.turns = 2;
    CHECK_EQ(tern_agent_evaluate(b.ix, b.policy, &b.questions, &o, NULL, &b.report, &b.err),
             TERN_ERR_EXISTS);
    CHECK_HAS(b.err.text, "another run");
    CHECK_OK(tn_file_replace(path, "{\"x\":1}\n", 8, &b.err), b.err);
    CHECK_EQ(evaluate(&b, path, NULL), TERN_ERR_EXISTS);
    CHECK_HAS(b.err.text, "no results file");
    close_bench(&b);
}

TEST(an_agent_asks_an_index_and_cites_its_file) {
    bench b = open_bench();
    tern_agent *agent = NULL;
    tern_answer *a = NULL;
    CHECK_OK(tern_agent_new(b.ix, b.policy, NULL, &agent, &b.err), b.err);
    const char *q = "In which year was the first mayor of Cedarwick born?";
    CHECK_OK(tern_agent_ask(agent, q, strlen(q), NULL, &a, &b.err), b.err);
    CHECK_STR(a->text, "1808");
    CHECK(a->supported && a->n_citations >= 1);
    CHECK_STR(a->citations[0].id, "m8");
    CHECK_HAS(a->citations[0].source, "corpus.jsonl");
    CHECK_EQ(a->citations[0].line_begin, 18);
    tern_answer_free(a);
    tern_agent_free(agent);
    close_bench(&b);
}

TEST(a_phrase_that_occurs_nowhere_is_searched_by_its_words) {
    bench b = open_bench();
    tn_index_tools *t = NULL;
    uint32_t refs[4];
    size_t n = 0;
    CHECK_OK(tn_index_tools_new(b.ix, NULL, TERN_MODE_BM25, TERN_NO_TIME, &t, &b.err), b.err);
    tn_agent_tools tools = tn_index_tools_table(t);
    const char *q = "\"Cedarwick mayor mill\"";
    CHECK_OK(tools.search(tools.ud, q, strlen(q), 4, NULL, 0, refs, &n, &b.err), b.err);
    CHECK_EQ(n, 4);
    tn_index_tools_free(t);
    close_bench(&b);
}

TEST(titles_are_known_with_and_without_a_list_of_them) {
    bench b = open_bench();
    tn_titles *titles = NULL;
    CHECK_OK(tn_titles_new(b.ix, &titles, &b.err), b.err);
    for (int listed = 0; listed < 2; listed++) {
        tn_index_tools *t = NULL;
        CHECK_OK(tn_index_tools_new(b.ix, listed ? titles : NULL, TERN_MODE_BM25, TERN_NO_TIME, &t,
                                    &b.err),
                 b.err);
        tn_agent_tools tools = tn_index_tools_table(t);
        CHECK(tools.title_known(tools.ud, "cedarwick", 9));
        CHECK(tools.title_known(tools.ud, "ODO CEDARWICKSON", 16));
        CHECK(!tools.title_known(tools.ud, "Odo", 3));
        tn_index_tools_free(t);
    }
    tn_titles_free(titles);
    close_bench(&b);
}

TEST_MAIN
