/* Claims about conversion that a shell cannot make; the formats are in tests/cli/test_convert.sh.
 */
#include "core/base/file.h"
#include "retriever/eval/convert.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tern_error err;

static const char *const squad =
    "{\"data\":[{\"title\":\"T\",\"paragraphs\":[{\"context\":\"one two\",\"qas\":[{\"id\":\"a\","
    "\"question\":\"q?\",\"answers\":[{\"text\":\"one\"}]}]}]}]}";
static const char *const hotpot =
    "[{\"_id\":\"h\",\"question\":\"q\",\"answer\":\"x\",\"supporting_facts\":[[\"A\",0]],"
    "\"context\":[[\"A\",[\"one.\",\"two\"]],[\"B\",[\"three\"]]]}]";
static const char *const nq =
    "{\"example_id\":1,\"question_text\":\"q\",\"document_text\":\"<P> a b </P>\","
    "\"long_answer_candidates\":[{\"start_token\":0,\"end_token\":4}],\"annotations\":["
    "{\"long_answer\":{\"start_token\":0,\"end_token\":4},\"short_answers\":[{\"start_token\":1,"
    "\"end_token\":2}]}]}";

static const char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    return path;
}

static tern_status convert(const char *format, const char *input, const char *out) {
    tn_convert_opts o = {0};
    tn_convert_counts counts;
    return tn_convert_run(format, &input, 1, out, &o, NULL, &counts, &err);
}

static void check_same_as_undisturbed(const char *format, const char *input, const char *out) {
    static const char *const names[] = {"corpus.jsonl", "questions.jsonl", "qrels.trec"};
    char again[320];
    snprintf(again, sizeof again, "%s.again", out);
    CHECK_OK(convert(format, input, again), err);
    for (int i = 0; i < 3; i++) {
        tn_buf a = {0}, b = {0};
        char *path_a = tn_path_join(out, names[i]), *path_b = tn_path_join(again, names[i]);
        CHECK_OK(tn_file_read(path_a, 10000, &a, &err), err);
        CHECK_OK(tn_file_read(path_b, 10000, &b, &err), err);
        CHECK_STR(tn_buf_cstr(&a), tn_buf_cstr(&b));
        tn_buf_deinit(&a);
        tn_buf_deinit(&b);
        tn_free(path_a);
        tn_free(path_b);
    }
}

/* A run that lacks memory says so and leaves no half-made file; the last one succeeds. */
static void check_memory(const char *format, const char *text) {
    char input[256], out[300];
    snprintf(input, sizeof input, "%s", path_of(format));
    snprintf(out, sizeof out, "%s.out", input);
    CHECK_OK(tn_file_replace(input, text, strlen(text), &err), err);
    for (int64_t k = 0; k < 5000; k++) {
        tn_mem_fail_after(k, 0);
        tern_status status = convert(format, input, out);
        tn_mem_fail_after(-1, 0);
        char *corpus = tn_path_join(out, "corpus.jsonl");
        bool made = tn_file_exists(corpus);
        tn_free(corpus);
        if (status == TERN_OK) {
            CHECK(made && k > 10);
            check_same_as_undisturbed(format, input, out);
            return;
        }
        if (status != TERN_ERR_NOMEM) FAIL("%s, allocation %d: %s", format, (int)k, err.text);
        CHECK(!made);
    }
    FAIL("%s never succeeded", format);
}

TEST(every_failed_allocation_is_reported_and_leaves_nothing) {
    check_memory("squad", squad);
    check_memory("hotpotqa", hotpot);
    check_memory("nq", nq);
}

static bool stop_at_once(void *ud) {
    (void)ud;
    return true;
}

TEST(a_cancelled_conversion_keeps_the_old_files) {
    char input[256], out[300];
    snprintf(input, sizeof input, "%s", path_of("c.json"));
    snprintf(out, sizeof out, "%s", path_of("c.out"));
    CHECK_OK(tn_file_replace(input, hotpot, strlen(hotpot), &err), err);
    CHECK_OK(convert("hotpotqa", input, out), err);
    tn_buf before = {0}, after = {0};
    char *corpus = tn_path_join(out, "corpus.jsonl");
    CHECK_OK(tn_file_read(corpus, 10000, &before, &err), err);
    tern_host host = {.cancelled = stop_at_once};
    tn_convert_opts o = {0};
    tn_convert_counts counts;
    const char *in = input;
    CHECK_EQ(tn_convert_run("hotpotqa", &in, 1, out, &o, &host, &counts, &err), TERN_ERR_CANCELLED);
    CHECK_OK(tn_file_read(corpus, 10000, &after, &err), err);
    CHECK_STR(tn_buf_cstr(&after), tn_buf_cstr(&before));
    tn_buf_deinit(&before);
    tn_buf_deinit(&after);
    tn_free(corpus);
}

TEST_MAIN
